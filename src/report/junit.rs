//! The cycle as a JUnit file, in the dialect that common readers share.
//!
//! A suite an area. A case that did not run is skipped with its reason; a flaky one passes and keeps
//! what failed first as Surefire's `flakyFailure`; further failing attempts are `rerunFailure`. Of a
//! cycle whose results count for nothing no case passes or fails: each is skipped, and one error says
//! why, so that no reader credits what Andon does not.

use std::fmt::Write as _;
use std::io;

use crate::domain::attempt::Attempt;
use crate::domain::escape::is_hidden;
use crate::domain::failure::Failure;
use crate::domain::outcome::Outcome;
use crate::domain::state::CycleState;
use crate::report::view::{CaseView, View};

/// The JUnit file of a cycle.
pub fn render(state: &CycleState) -> String {
    let mut xml = Vec::new();
    write(&View::of(state), &mut xml).expect("memory takes what is written");
    String::from_utf8(xml).expect("all of it is written from texts")
}

/// Writes the JUnit file of a cycle that is arranged already.
///
/// # Errors
/// Those of `out`.
pub fn write(view: &View<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    let uncredited = uncredited(view);
    let mut suites: Vec<Suite<'_, '_>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for case in view.cases.iter().filter(|case| case.planned.is_some()) {
        let at = *places.entry(case.area()).or_insert_with(|| {
            suites.push(Suite::named(case.area()));
            suites.len() - 1
        });
        suites[at].add(case, uncredited.as_deref());
    }
    let mut total = Tally::default();
    suites.iter().for_each(|suite| total.take(&suite.tally));
    if uncredited.is_some() {
        total.take(&Tally::OF_THE_CYCLE);
    }
    let name = quoted(view.suite_name().unwrap_or("no-suite"));
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name={name}{}>", total.attributes())?;
    for suite in &suites {
        begin_suite(view, out, suite.name, &suite.tally)?;
        for case in &suite.cases {
            write_case(view, out, case, uncredited.as_deref())?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    if let Some(why) = &uncredited {
        begin_suite(view, out, "Andon", &Tally::OF_THE_CYCLE)?;
        write_cycle(view, out, why)?;
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
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
    /// One error that stands for a cycle without results.
    const OF_THE_CYCLE: Self = Self { tests: 1, failures: 0, errors: 1, skipped: 0, ms: 0 };

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

/// An area and its cases: what is written of them would fill memory, so only they are held.
struct Suite<'v, 'a> {
    name: &'a str,
    tally: Tally,
    cases: Vec<&'v CaseView<'a>>,
}

impl<'v, 'a> Suite<'v, 'a> {
    fn named(name: &'a str) -> Self {
        Self { name, tally: Tally::default(), cases: Vec::new() }
    }

    fn add(&mut self, case: &'v CaseView<'a>, uncredited: Option<&str>) {
        self.tally.tests += 1;
        self.tally.ms += duration_ms(case);
        match case.outcome().filter(|_| uncredited.is_none()) {
            Some(Outcome::Passed | Outcome::Flaky) => {}
            Some(Outcome::Failed) => self.tally.failures += 1,
            Some(Outcome::Errored) => self.tally.errors += 1,
            Some(Outcome::Skipped | Outcome::NotRun) | None => self.tally.skipped += 1,
        }
        self.cases.push(case);
    }
}

fn duration_ms(case: &CaseView<'_>) -> u64 {
    case.finding.map_or(0, |finding| finding.duration_ms)
}

fn begin_suite(
    view: &View<'_>,
    out: &mut dyn io::Write,
    name: &str,
    tally: &Tally,
) -> io::Result<()> {
    let queued = &view.state.queued;
    let started = view.started_at().strftime("%Y-%m-%dT%H:%M:%S");
    let (name, tally) = (quoted(name), tally.attributes());
    writeln!(out, "  <testsuite name={name}{tally} timestamp=\"{started}\">")?;
    let cycle = queued.cycle.to_string();
    let revision = view.revision().map_or("", |revision| revision.sha.as_str());
    let verdict = view.verdict().map_or("", |verdict| verdict.as_str());
    writeln!(out, "    <properties>")?;
    for (name, value) in [
        ("andon.pipeline", queued.pipeline.as_str()),
        ("andon.cycle", &cycle),
        ("andon.environment", queued.environment.as_str()),
        ("andon.revision", revision),
        ("andon.verdict", verdict),
    ] {
        writeln!(out, "      <property name=\"{name}\" value={}/>", quoted(value))?;
    }
    writeln!(out, "    </properties>")
}

fn write_case(
    view: &View<'_>,
    out: &mut dyn io::Write,
    case: &CaseView<'_>,
    uncredited: Option<&str>,
) -> io::Result<()> {
    let (name, area) = (quoted(case.id.as_str()), quoted(case.area()));
    let time = seconds(duration_ms(case));
    write!(out, "    <testcase name={name} classname={area} time=\"{time}\"")?;
    let body = body(view, case, uncredited);
    if body.is_empty() { writeln!(out, "/>") } else { writeln!(out, ">\n{body}    </testcase>") }
}

fn write_cycle(view: &View<'_>, out: &mut dyn io::Write, why: &str) -> io::Result<()> {
    let name = quoted(&format!("cycle {}", view.state.queued.cycle));
    writeln!(out, "    <testcase name={name} classname=\"Andon\" time=\"0.000\">")?;
    writeln!(out, "      <error message={} type=\"cycle\"/>", quoted(why))?;
    writeln!(out, "    </testcase>")
}

fn body(view: &View<'_>, case: &CaseView<'_>, uncredited: Option<&str>) -> String {
    if let Some(why) = uncredited {
        return skipped(&format!("not credited: {why}"));
    }
    match case.outcome() {
        Some(Outcome::Passed) => String::new(),
        Some(Outcome::Flaky) => attempts(case, "flakyFailure"),
        Some(Outcome::Failed) => failing(case, "failure"),
        Some(Outcome::Errored) => failing(case, "error"),
        Some(Outcome::Skipped) => match case.skipped_because() {
            Some(why) => skipped(&format!("the suite skips it: {why}")),
            None => skipped("the suite skips it"),
        },
        Some(Outcome::NotRun) => {
            let reason = view.not_run_reason(case.id);
            let reason =
                reason.map_or_else(|| "no reason is recorded".to_owned(), ToString::to_string);
            skipped(&format!("not run: {reason}"))
        }
        None => skipped("not decided yet"),
    }
}

fn skipped(message: &str) -> String {
    format!("      <skipped message={}/>\n", quoted(message))
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

/// XML 1.0 has no way to write most control characters; they become U+FFFD. What else is not simply seen
/// is a number.
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
            c if is_hidden(c) => {
                let _ = write!(out, "&#x{:x};", c as u32);
            }
            c => out.push(c),
        }
    }
}
