//! Tests that other tools run, and what is in quarantine.

use std::time::Duration;

use crate::domain::spec::{Priority, Quarantine, SuiteCommand};
use crate::pipeline::digest;
use crate::pipeline::faults::Span;
use crate::pipeline::read::case::priority;
use crate::pipeline::reader::{Cx, Fields, Shape};
use crate::pipeline::yaml::Node;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15 * 60);
const FORMATS: &[(&str, &str)] = &[
    ("auto", "auto"),
    ("junit", "junit"),
    ("ctrf", "ctrf"),
    ("tap", "tap"),
    ("go", "go"),
    ("libtest", "libtest"),
    ("playwright", "playwright"),
];

pub(crate) static COMMAND: Shape = Shape {
    name: "SuiteCommand",
    what: "a command of a suite",
    keys: &[
        "name", "run", "timeout", "results", "list", "rerun", "observe", "shards", "env",
        "env_pass", "area", "priority", "owner", "impact",
    ],
    elsewhere: &[
        ("command", "did you mean `run`?"),
        ("retries", "`retries` stands in the suite"),
        ("format", "the format stands in `results: [{ format: …, files: … }]`"),
    ],
};

pub(crate) static RESULTS: Shape = Shape {
    name: "Results",
    what: "an entry of `results`",
    keys: &["format", "files"],
    elsewhere: &[("file", "did you mean `files`?"), ("path", "did you mean `files`?")],
};

pub(crate) static QUARANTINE: Shape = Shape {
    name: "Quarantine",
    what: "an entry of `quarantine`",
    keys: &["case", "owner", "reason", "until"],
    elsewhere: &[("id", "did you mean `case`?"), ("cases", "did you mean `case`?")],
};

/// Reads a command of a suite.
pub(crate) fn command(cx: &mut Cx<'_>, node: &Node) -> (SuiteCommand, Span) {
    let fields = Fields::open(cx, node, &COMMAND);
    let results = fields.one_or_many(cx, "results", results);
    let mut command = SuiteCommand {
        name: fields.required(cx, "name", Cx::text),
        run: fields.required(cx, "run", Cx::command),
        timeout: fields.optional(cx, "timeout", Cx::duration).unwrap_or(DEFAULT_TIMEOUT),
        results: if results.is_empty() {
            vec![("auto".to_owned(), "**/*".to_owned())]
        } else {
            results
        },
        list: fields.optional(cx, "list", Cx::command),
        rerun: fields.optional(cx, "rerun", Cx::command),
        observe_proxy: fields.optional(cx, "observe", observe).unwrap_or(false),
        shards: fields.optional(cx, "shards", |cx, node| cx.count(node, 1..=1_000)).unwrap_or(1),
        env: fields.optional(cx, "env", Cx::env_map).unwrap_or_default(),
        env_pass: fields.one_or_many(cx, "env_pass", Cx::variable_name),
        area: fields.optional(cx, "area", Cx::text),
        priority: fields.optional(cx, "priority", priority).unwrap_or(Priority::P1),
        owner: fields.optional(cx, "owner", Cx::text),
        impact: fields.optional(cx, "impact", Cx::text),
        digest: String::new(),
    };
    command.digest = digest::of_command(&command, cx.faults.path(node.span.file));
    (command, fields.value_span("name"))
}

fn results(cx: &mut Cx<'_>, node: &Node) -> (String, String) {
    let fields = Fields::open(cx, node, &RESULTS);
    let format = fields.optional(cx, "format", |cx, node| cx.word(node, FORMATS));
    let files = fields.optional(cx, "files", Cx::glob);
    (format.unwrap_or("auto").to_owned(), files.unwrap_or_else(|| "**/*".to_owned()))
}

fn observe(cx: &mut Cx<'_>, node: &Node) -> bool {
    cx.word(node, &[("proxy", true)])
}

/// Reads an entry of `quarantine`.
pub(crate) fn quarantine(cx: &mut Cx<'_>, node: &Node) -> (Quarantine, Span) {
    let fields = Fields::open(cx, node, &QUARANTINE);
    let quarantine = Quarantine {
        case: fields.required(cx, "case", Cx::id_glob),
        owner: fields.required(cx, "owner", Cx::text),
        reason: fields.required(cx, "reason", Cx::text),
        until: fields.required(cx, "until", Cx::date),
    };
    (quarantine, fields.value_span("case"))
}
