//! The cycle as a JUnit file, in the dialect that common readers share.
//!
//! A suite an area. A case that did not run is skipped with its reason; a flaky one passes and keeps
//! what failed first as Surefire's `flakyFailure`; further failing attempts are `rerunFailure`. Of a
//! cycle whose results count for nothing no case passes or fails: each is skipped, and one error says
//! why, so that no reader credits what Andon does not.

use std::fmt::Write as _;

use crate::domain::attempt::Attempt;
use crate::domain::failure::Failure;
use crate::domain::outcome::Outcome;
use crate::domain::state::CycleState;
use crate::report::view::{CaseView, View};

/// The JUnit file of a cycle.
pub fn render(state: &CycleState) -> String {
    render_view(&View::of(state))
}

/// The JUnit file of a cycle that is arranged already.
pub fn render_view(view: &View<'_>) -> String {
    let mut suites: Vec<Suite<'_>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for case in view.cases.iter().filter(|case| case.planned.is_some()) {
        let at = *places.entry(case.area()).or_insert_with(|| {
            suites.push(Suite::named(case.area()));
            suites.len() - 1
        });
        suites[at].add(view, case);
    }
    if let Some(why) = uncredited(view) {
        suites.push(Suite::of_the_cycle(view, &why));
    }
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut total = Tally::default();
    suites.iter().for_each(|suite| total.take(&suite.tally));
    let name = view.suite_name().unwrap_or("no-suite");
    let _ = writeln!(xml, "<testsuites name={}{}>", quoted(name), total.attributes());
    for suite in &suites {
        suite.write(&mut xml, view);
    }
    xml.push_str("</testsuites>\n");
    xml
}

/// Why no result of the cycle may be credited.
fn uncredited(view: &View<'_>) -> Option<String> {
    let verdict = view.verdict().filter(|verdict| !verdict.has_valid_suite())?;
    let reason = view.findings.map_or("", |findings| findings.reason.as_str());
    Some(format!("{verdict}: {reason}"))
}

#[derive(Default)]
struct Tally {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    ms: u64,
}

impl Tally {
    fn take(&mut self, other: &Self) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
        self.ms += other.ms;
    }

    fn attributes(&self) -> String {
        format!(
            " tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\"",
            self.tests,
            self.failures,
            self.errors,
            self.skipped,
            seconds(self.ms)
        )
    }
}

struct Suite<'a> {
    name: &'a str,
    tally: Tally,
    cases: String,
}

impl<'a> Suite<'a> {
    fn named(name: &'a str) -> Self {
        Self { name, tally: Tally::default(), cases: String::new() }
    }

    /// One error that stands for a cycle without results.
    fn of_the_cycle(view: &View<'_>, why: &str) -> Self {
        let mut suite = Self::named("Andon");
        suite.tally = Tally { tests: 1, errors: 1, ..Tally::default() };
        let name = format!("cycle {}", view.state.queued.cycle);
        suite.cases = format!(
            "    <testcase name={} classname=\"Andon\" time=\"0.000\">\n      <error message={} type=\"cycle\"/>\n    </testcase>\n",
            quoted(&name),
            quoted(why)
        );
        suite
    }

    fn add(&mut self, view: &View<'_>, case: &CaseView<'_>) {
        let ms = case.finding.map_or(0, |finding| finding.duration_ms);
        let body = body(view, case);
        self.tally.tests += 1;
        self.tally.ms += ms;
        match body.kind {
            Kind::Passed => {}
            Kind::Failed => self.tally.failures += 1,
            Kind::Errored => self.tally.errors += 1,
            Kind::Skipped => self.tally.skipped += 1,
        }
        let (name, classname) = (quoted(case.id.as_str()), quoted(case.area()));
        let head =
            format!("    <testcase name={name} classname={classname} time=\"{}\"", seconds(ms));
        let _ = if body.xml.is_empty() {
            writeln!(self.cases, "{head}/>")
        } else {
            writeln!(self.cases, "{head}>\n{}    </testcase>", body.xml)
        };
    }

    fn write(&self, xml: &mut String, view: &View<'_>) {
        let queued = &view.state.queued;
        let _ = writeln!(
            xml,
            "  <testsuite name={}{} timestamp=\"{}\">",
            quoted(self.name),
            self.tally.attributes(),
            view.started_at().strftime("%Y-%m-%dT%H:%M:%S"),
        );
        let cycle = queued.cycle.to_string();
        let revision = view.revision().map_or("", |revision| revision.sha.as_str());
        let verdict = view.verdict().map_or("", |verdict| verdict.as_str());
        xml.push_str("    <properties>\n");
        for (name, value) in [
            ("andon.pipeline", queued.pipeline.as_str()),
            ("andon.cycle", &cycle),
            ("andon.environment", queued.environment.as_str()),
            ("andon.revision", revision),
            ("andon.verdict", verdict),
        ] {
            let _ = writeln!(xml, "      <property name=\"{name}\" value={}/>", quoted(value));
        }
        xml.push_str("    </properties>\n");
        xml.push_str(&self.cases);
        xml.push_str("  </testsuite>\n");
    }
}

enum Kind {
    Passed,
    Failed,
    Errored,
    Skipped,
}

struct Body {
    kind: Kind,
    xml: String,
}

fn body(view: &View<'_>, case: &CaseView<'_>) -> Body {
    if let Some(why) = uncredited(view) {
        return skipped(&format!("not credited: {why}"));
    }
    match case.outcome() {
        Some(Outcome::Passed) => Body { kind: Kind::Passed, xml: String::new() },
        Some(Outcome::Flaky) => Body { kind: Kind::Passed, xml: attempts(case, "flakyFailure") },
        Some(Outcome::Failed) => Body { kind: Kind::Failed, xml: failing(case, "failure") },
        Some(Outcome::Errored) => Body { kind: Kind::Errored, xml: failing(case, "error") },
        Some(Outcome::Skipped) => skipped("the suite skips it"),
        Some(Outcome::NotRun) => {
            let reason = view.not_run_reason(case.id);
            let reason =
                reason.map_or_else(|| "no reason is recorded".to_owned(), ToString::to_string);
            skipped(&format!("not run: {reason}"))
        }
        None => skipped("not decided yet"),
    }
}

fn skipped(message: &str) -> Body {
    Body { kind: Kind::Skipped, xml: format!("      <skipped message={}/>\n", quoted(message)) }
}

fn failing(case: &CaseView<'_>, element: &str) -> String {
    let Some(failure) = case.failure() else {
        return format!(
            "      <{element} message=\"no attempt is recorded\" type=\"{element}\"/>\n"
        );
    };
    let mut xml = one(element, failure, &details(failure));
    let deciding = case.deciding().map(|attempt| attempt.number);
    for attempt in case.attempts.iter().filter(|attempt| Some(attempt.number) != deciding) {
        xml.push_str(&again(attempt, "rerunFailure"));
    }
    if let Some(repro) = &failure.repro {
        let _ = writeln!(
            xml,
            "      <system-out>{}</system-out>",
            escaped(&format!("repeat by hand: {repro}"))
        );
    }
    xml
}

/// Every attempt that failed, under the given element.
fn attempts(case: &CaseView<'_>, element: &str) -> String {
    case.attempts.iter().map(|attempt| again(attempt, element)).collect()
}

fn again(attempt: &Attempt, element: &str) -> String {
    let Some(failure) = &attempt.failure else { return String::new() };
    format!(
        "      <{element} message={} type=\"{}\">\n        <stackTrace>{}</stackTrace>\n      </{element}>\n",
        quoted(&failure.message),
        failure.class,
        escaped(&details(failure))
    )
}

fn one(element: &str, failure: &Failure, text: &str) -> String {
    format!(
        "      <{element} message={} type=\"{}\">{}</{element}>\n",
        quoted(&failure.message),
        failure.class,
        escaped(text)
    )
}

fn details(failure: &Failure) -> String {
    let lines = [
        ("step", &failure.step),
        ("subject", &failure.subject),
        ("expected", &failure.expected),
        ("actual", &failure.actual),
    ];
    let lines = lines.into_iter().filter_map(|(label, text)| Some((label, text.as_ref()?)));
    let mut text = failure.message.clone();
    for (label, value) in lines {
        let _ = write!(text, "\n{label}: {value}");
    }
    text
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

/// An attribute's value with its quotes.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    push_escaped(&mut out, text, true);
    out.push('"');
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, text, false);
    out
}

/// XML 1.0 has no way to write most control characters; they become U+FFFD.
fn push_escaped(out: &mut String, text: &str, is_attribute: bool) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' if is_attribute => {
                let _ = write!(out, "&#{};", c as u32);
            }
            '\n' | '\t' => out.push(c),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}
