//! The suite of a pipeline, and suite files.

use std::path::PathBuf;
use std::time::Duration;

use crate::domain::glob::Glob;
use crate::domain::spec::{CaseGroup, FlakyPolicy, Quarantine, Step, Suite, SuspiciousPolicy};
use crate::pipeline::check::cases;
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::digest;
use crate::pipeline::faults::Span;
use crate::pipeline::names::Scope;
use crate::pipeline::read::case::{self, PlacedCase};
use crate::pipeline::read::{commands, step};
use crate::pipeline::reader::{Cx, Fields, Shape};
use crate::pipeline::source::MAX_SUITE_BYTES;
use crate::pipeline::yaml::Node;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20 * 60);
/// Cases mostly wait for answers, so this is not the number of cores.
const DEFAULT_CONCURRENCY: u32 = 64;
const MAX_INCLUDED: usize = 500;
const MAX_COMMANDS: usize = 100;
const MAX_QUARANTINED: usize = 200;

pub(crate) static SUITE: Shape = Shape {
    name: "Suite",
    what: "`suite`",
    keys: &[
        "name",
        "timeout",
        "concurrency",
        "retries",
        "flaky",
        "suspicious",
        "expected_cases",
        "include",
        "defaults",
        "setup",
        "teardown",
        "cases",
        "commands",
        "quarantine",
    ],
    elsewhere: &[
        ("includes", "did you mean `include`?"),
        ("parallel", "did you mean `concurrency`?"),
        ("run", "tests that another tool runs stand in `commands: [{ name, run }]`"),
    ],
};

pub(crate) static SUITE_FILE: Shape = Shape {
    name: "SuiteFile",
    what: "a suite file",
    keys: &["suite", "defaults", "setup", "teardown", "cases"],
    elsewhere: &[
        ("name", "did you mean `suite`?"),
        (
            "timeout",
            "for every case: `defaults: { timeout: … }`; for all together: in the pipeline's `suite`",
        ),
        ("concurrency", "`concurrency` stands in the suite of the pipeline"),
        ("retries", "`retries` stands in the suite of the pipeline"),
        ("commands", "`commands` stands in the suite of the pipeline"),
        ("quarantine", "`quarantine` stands in the suite of the pipeline"),
        ("vars", "`vars` stands in the pipeline"),
        ("version", "a suite file has no version"),
    ],
};

/// What the cases of one place have around them.
struct PlacedGroup {
    file: PathBuf,
    setup: Vec<Step>,
    teardown: Vec<Step>,
    cases: Vec<PlacedCase>,
}

/// Reads the suite of a pipeline with all files that it includes.
pub(crate) fn suite(cx: &mut Cx<'_>, node: &Node) -> Suite {
    let fields = Fields::open(cx, node, &SUITE);
    let mut groups = Vec::new();
    let mut included_name = None;
    for (path, at) in included(cx, &fields) {
        let Some(root) = cx.load_yaml(&path, MAX_SUITE_BYTES, Some(at)) else { continue };
        let (name, group) = suite_file(cx, &root, path, Scope::Step);
        included_name = included_name.or(name);
        groups.push(group);
    }
    let file = cx.faults.path(node.span.file).to_owned();
    let inline = group(cx, &fields, file.clone(), Scope::Step);
    if !inline.cases.is_empty() || !inline.setup.is_empty() || !inline.teardown.is_empty() {
        groups.push(inline);
    }
    let commands = commands(cx, &fields);
    let quarantine = fields.few(cx, "quarantine", MAX_QUARANTINED, commands::quarantine);
    let placed: Vec<&PlacedCase> = groups.iter().flat_map(|group| &group.cases).collect();
    cases::check(cx, &placed);
    if commands.is_empty() {
        check_quarantine(cx, &quarantine, &placed);
    }
    let name = fields.optional(cx, "name", Cx::text).or(included_name);
    let mut suite = Suite {
        name: name.unwrap_or_else(|| "suite".to_owned()),
        timeout: fields.optional(cx, "timeout", Cx::duration).unwrap_or(DEFAULT_TIMEOUT),
        concurrency: fields
            .optional(cx, "concurrency", |cx, node| cx.count(node, 1..=10_000))
            .unwrap_or(DEFAULT_CONCURRENCY),
        retries: fields.optional(cx, "retries", |cx, node| cx.count(node, 0..=10)).unwrap_or(1),
        flaky: fields
            .optional(cx, "flaky", |cx, node| {
                cx.word(node, &[("pass", FlakyPolicy::Pass), ("fail", FlakyPolicy::Fail)])
            })
            .unwrap_or(FlakyPolicy::Pass),
        suspicious: fields
            .optional(cx, "suspicious", |cx, node| {
                cx.word(node, &[("warn", SuspiciousPolicy::Warn), ("fail", SuspiciousPolicy::Fail)])
            })
            .unwrap_or(SuspiciousPolicy::Warn),
        expected_cases: fields
            .optional(cx, "expected_cases", |cx, node| cx.count(node, 1..=10_000_000)),
        groups: groups.into_iter().map(PlacedGroup::into_group).collect(),
        commands,
        quarantine: quarantine.into_iter().map(|(quarantine, _)| quarantine).collect(),
        digest: String::new(),
    };
    warn_of_counts(cx, &fields, &suite);
    suite.digest = digest::of_suite(&suite, &file);
    suite
}

impl PlacedGroup {
    fn into_group(self) -> CaseGroup {
        CaseGroup {
            file: self.file,
            setup: self.setup,
            teardown: self.teardown,
            cases: self.cases.into_iter().map(|placed| placed.case).collect(),
        }
    }
}

/// The files to include, each once.
fn included(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Vec<(PathBuf, Span)> {
    let mut files: Vec<(PathBuf, Span)> = Vec::new();
    let written = fields.few(cx, "include", MAX_INCLUDED, |cx, node| (cx.path(node), node.span));
    for (path, at) in written.into_iter().filter(|(path, _)| !path.as_os_str().is_empty()) {
        match files.iter().find(|(known, _)| *known == path) {
            Some((_, first)) => {
                let first = *first;
                cx.error(at, "this file is included twice").related(first, "first here");
            }
            None => files.push((path, at)),
        }
    }
    files
}

/// Reads a suite file.
fn suite_file(
    cx: &mut Cx<'_>,
    root: &Node,
    path: PathBuf,
    scope: Scope,
) -> (Option<String>, PlacedGroup) {
    let fields = Fields::open(cx, root, &SUITE_FILE);
    let name = fields.optional(cx, "suite", Cx::text);
    let group = group(cx, &fields, path, scope);
    if !fields.has("cases") {
        fields.missing(cx, "cases");
    } else if group.cases.is_empty() {
        cx.warning(fields.key_span("cases"), "the file has no cases");
    }
    (name, group)
}

/// Reads a suite file on its own: names of the pipeline are not known then.
pub(crate) fn loose_file(
    cx: &mut Cx<'_>,
    root: &Node,
    path: PathBuf,
) -> (Option<String>, CaseGroup) {
    let (name, group) = suite_file(cx, root, path, Scope::LooseStep);
    cases::check(cx, &group.cases.iter().collect::<Vec<_>>());
    (name, group.into_group())
}

/// Reads what a suite file and an inline suite have in common.
fn group(cx: &mut Cx<'_>, fields: &Fields<'_>, file: PathBuf, scope: Scope) -> PlacedGroup {
    let defaults = fields.optional(cx, "defaults", case::defaults).unwrap_or_default();
    let setup = fields.optional(cx, "setup", |cx, node| step::steps(cx, node, scope));
    for (name, at, first) in cx.names.finish_setup() {
        cx.error(at, format!("setup captures {} twice", quoted(&name)))
            .help("what setup captures is there for every case, so each name must be its own")
            .related(first, "first here");
    }
    let cases = fields.list(cx, "cases", |cx, node| case::case(cx, node, &defaults, scope));
    let teardown = fields.optional(cx, "teardown", |cx, node| step::steps(cx, node, scope));
    cx.names.start_case();
    PlacedGroup {
        file,
        setup: setup.unwrap_or_default(),
        teardown: teardown.unwrap_or_default(),
        cases,
    }
}

fn commands(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Vec<crate::domain::spec::SuiteCommand> {
    let placed = fields.few(cx, "commands", MAX_COMMANDS, commands::command);
    let mut seen: Vec<(&str, Span)> = Vec::new();
    for (command, at) in &placed {
        match seen.iter().find(|(name, _)| *name == command.name && !name.is_empty()) {
            Some((_, first)) => {
                cx.error(*at, format!("two commands are named {}", quoted(&command.name)))
                    .related(*first, "first here");
            }
            None => seen.push((&command.name, *at)),
        }
    }
    placed.into_iter().map(|(command, _)| command).collect()
}

/// A pattern that fits no case is a slip, as long as all cases are known.
fn check_quarantine(cx: &mut Cx<'_>, quarantine: &[(Quarantine, Span)], cases: &[&PlacedCase]) {
    for (entry, at) in quarantine {
        let Ok(glob) = Glob::over_ids(&entry.case) else { continue };
        if !cases.iter().any(|placed| glob.matches(placed.case.id.as_str())) {
            cx.warning(*at, format!("{} fits no case of the suite", quoted(&entry.case)));
        }
    }
}

fn warn_of_counts(cx: &mut Cx<'_>, fields: &Fields<'_>, suite: &Suite) {
    let count = suite.cases().count();
    let nothing = count == 0 && suite.commands.is_empty();
    if nothing && !cx.faults.has_errors() {
        cx.warning(fields.at, "the suite has no cases and no commands")
            .help("nothing ran means never green: give it `include`, `cases` or `commands`");
    }
    let Some(expected) = suite.expected_cases else { return };
    if suite.commands.is_empty() && count != expected as usize && !cx.faults.has_errors() {
        let at = fields.key_span("expected_cases");
        cx.warning(at, format!("the suite has {count} cases, not {expected}"))
            .help("as it stands, every cycle is void: the suite changed under us");
    }
}
