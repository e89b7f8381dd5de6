//! One case while its element is open, and what becomes of it.
//!
//! What it must not do: know the elements around it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ingest::case::{Problem, ProblemKind, ReportedCase, ReportedOutcome};
use crate::ingest::text::{Text, first_line, seconds};
use crate::ingest::xml::{Tag, Value};

/// The longest name that is kept, in bytes.
const LONGEST_NAME: usize = 4 << 10;

/// A text that tends to be the one before: of many cases that share it, one copy is kept.
#[derive(Debug, Default)]
struct Shared {
    written: Vec<u8>,
    text: Option<Arc<str>>,
}

impl Shared {
    fn of(&mut self, value: Value<'_>) -> Arc<str> {
        match &self.text {
            Some(last) if self.written == value.bytes() => Arc::clone(last),
            Some(_) | None => {
                self.written.clear();
                self.written.extend_from_slice(value.bytes());
                Arc::clone(self.text.insert(Arc::from(&*short(value.text()))))
            }
        }
    }
}

/// What was shared with the cases before.
#[derive(Debug, Default)]
pub(super) struct Names {
    classname: Shared,
    file: Shared,
}

/// What a `status` or `result` attribute says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Nothing,
    Skipped,
    Failed,
    Errored,
}

/// A case whose element is open.
#[derive(Debug)]
pub(super) struct OpenCase {
    reported: ReportedCase,
    status: Status,
    message: Option<String>,
    failure: Option<Box<Problem>>,
    error: Option<Box<Problem>>,
    rerun: Option<Box<Problem>>,
    skipped: bool,
    expected: bool,
    flaky: bool,
}

/// When a suite ran.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    began_at: Timestamp,
    took: Option<Duration>,
}

impl Moment {
    /// As a suite's tag says. A time without a zone is nobody's.
    pub(super) fn of(tag: &Tag<'_>) -> Option<Self> {
        let began_at = tag.attribute("timestamp")?.raw().trim().parse().ok()?;
        let took = tag.attribute("time").and_then(|time| seconds(time.raw()));
        Some(Self { began_at, took })
    }
}

impl OpenCase {
    /// Reads the attributes of a case.
    pub(super) fn new(tag: &Tag<'_>, suite: Arc<[Box<str>]>, names: &mut Names) -> Self {
        let reported = ReportedCase {
            suite,
            classname: None,
            name: String::new(),
            file: None,
            project: None,
            outcome: ReportedOutcome::Passed,
            expected_failure: false,
            duration: None,
            started_at: None,
            reruns: 0,
            problem: None,
            problems: 0,
        };
        let mut case = Self {
            reported,
            status: Status::Nothing,
            message: None,
            failure: None,
            error: None,
            rerun: None,
            skipped: false,
            expected: false,
            flaky: false,
        };
        for (name, value) in tag.attributes() {
            case.attribute(name, value, names);
        }
        case
    }

    fn attribute(&mut self, name: &[u8], value: Value<'_>, names: &mut Names) {
        let reported = &mut self.reported;
        match name {
            b"name" => reported.name = short(value.text()).into_owned(),
            b"classname" => reported.classname = Some(names.classname.of(value)),
            b"class" if reported.classname.is_none() => {
                reported.classname = Some(names.classname.of(value));
            }
            b"file" => reported.file = Some(names.file.of(value)),
            b"time" => reported.duration = seconds(value.raw()).or(reported.duration),
            b"duration" => reported.duration = reported.duration.or(seconds(value.raw())),
            b"timestamp" => reported.started_at = value.raw().trim().parse().ok(),
            b"status" | b"result" => self.status = self.status.max(status(value.raw())),
            b"message" => self.message = Some(value.lines().into_owned()),
            _ => {}
        }
    }

    /// It was alone in a suite that ran then. A suite that took longer than its case did more: nobody knows
    /// when in it the case began.
    pub(super) fn ran_at(&mut self, moment: Option<Moment>) {
        let (Some(moment), None) = (moment, self.reported.started_at) else { return };
        let took = self.reported.duration.or(moment.took);
        if moment.took.is_none_or(|suite| took.is_some_and(|case| case >= suite)) {
            (self.reported.started_at, self.reported.duration) = (Some(moment.began_at), took);
        }
    }

    /// Whether it has a name.
    pub(super) fn has_name(&self) -> bool {
        !self.reported.name.is_empty()
    }

    /// Whether it failed already.
    pub(super) fn is_failing(&self) -> bool {
        self.failure.is_some() || self.error.is_some()
    }

    /// The browser or target that it belongs to.
    pub(super) fn set_project(&mut self, project: Option<Arc<str>>) {
        self.reported.project = project;
    }

    /// It was skipped. Two tools mark so a failure that they expect.
    pub(super) fn skip(&mut self, tag: &Tag<'_>) {
        self.skipped = true;
        let todo = tag.attribute("type").is_some_and(|value| value.raw() == "todo");
        let may_fail =
            tag.attribute("message").is_some_and(|value| value.raw().contains("!mayfail"));
        self.expected |= todo || may_fail;
    }

    /// It has a problem.
    pub(super) fn problem(&mut self, problem: Problem) {
        self.reported.problems = self.reported.problems.saturating_add(1);
        let slot = match problem.kind {
            ProblemKind::Failure => &mut self.failure,
            ProblemKind::Error => &mut self.error,
        };
        slot.get_or_insert_with(|| Box::new(problem));
    }

    /// A further attempt failed; in the end the case did, too.
    pub(super) fn rerun(&mut self, problem: Problem) {
        self.reported.reruns = self.reported.reruns.saturating_add(1);
        self.rerun.get_or_insert_with(|| Box::new(problem));
    }

    /// An attempt failed; in the end the case passed.
    pub(super) fn flaky(&mut self, problem: Problem) {
        self.flaky = true;
        self.rerun(problem);
    }

    /// What became of it.
    pub(super) fn close(mut self) -> ReportedCase {
        let expected = self.expected && self.skipped && self.error.is_none();
        self.reported.expected_failure = expected && self.failure.is_some();
        self.reported.outcome = self.outcome();
        self.reported.problem = match self.reported.outcome {
            ReportedOutcome::Errored => {
                self.error.or_else(|| by_attribute(self.message, ProblemKind::Error))
            }
            ReportedOutcome::Failed => self
                .failure
                .or(self.rerun)
                .or_else(|| by_attribute(self.message, ProblemKind::Failure)),
            ReportedOutcome::Flaky => self.rerun,
            ReportedOutcome::Skipped if self.reported.expected_failure => self.failure,
            ReportedOutcome::Skipped | ReportedOutcome::Passed => None,
        };
        self.reported
    }

    fn outcome(&self) -> ReportedOutcome {
        if self.reported.expected_failure {
            return ReportedOutcome::Skipped;
        }
        if self.error.is_some() {
            return ReportedOutcome::Errored;
        }
        if self.failure.is_some() {
            return ReportedOutcome::Failed;
        }
        if self.skipped {
            return ReportedOutcome::Skipped;
        }
        match self.status {
            Status::Errored => ReportedOutcome::Errored,
            Status::Failed => ReportedOutcome::Failed,
            Status::Skipped => ReportedOutcome::Skipped,
            Status::Nothing if self.flaky => ReportedOutcome::Flaky,
            // Attempts that failed, and nothing that says it passed in the end.
            Status::Nothing if self.rerun.is_some() => ReportedOutcome::Failed,
            Status::Nothing => ReportedOutcome::Passed,
        }
    }
}

/// The problem of a case that failed by its attribute alone.
fn by_attribute(message: Option<String>, kind: ProblemKind) -> Option<Box<Problem>> {
    let text = message.unwrap_or_default();
    Some(Box::new(Problem { kind, class: None, message: first_line(&text).to_owned(), text }))
}

fn status(word: &str) -> Status {
    let word = word.trim().to_ascii_lowercase();
    match word.as_str() {
        "notrun" | "not_run" | "notexecuted" | "disabled" | "skipped" | "skip" | "ignored"
        | "suppressed" | "pending" | "inconclusive" => Status::Skipped,
        "fail" | "failed" | "failure" => Status::Failed,
        "error" | "errored" | "broken" | "timedout" => Status::Errored,
        _ => Status::Nothing,
    }
}

fn short(name: Cow<'_, str>) -> Cow<'_, str> {
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let cut = name.floor_char_boundary(LONGEST_NAME);
    Cow::Owned(format!("{}… ({} bytes more)", &name[..cut], name.len() - cut))
}

/// A problem while its element is open.
#[derive(Debug)]
pub(super) struct OpenProblem {
    kind: ProblemKind,
    class: Option<String>,
    message: Option<String>,
    text: Text,
}

impl OpenProblem {
    /// Reads its attributes.
    pub(super) fn new(tag: &Tag<'_>, kind: ProblemKind) -> Self {
        let mut problem = Self { kind, class: None, message: None, text: Text::default() };
        for (name, value) in tag.attributes() {
            match name {
                b"message" => problem.message = Some(value.lines().into_owned()),
                b"type" => problem.class = Some(short(value.text()).into_owned()),
                _ => {}
            }
        }
        problem
    }

    /// More of its text.
    pub(super) fn text(&mut self, piece: &str) {
        self.text.push(piece);
    }

    /// The problem, complete.
    pub(super) fn close(self) -> Problem {
        let message = self.message.as_deref().unwrap_or_default();
        let line = match first_line(message) {
            "" => first_line(self.text.as_str()),
            line => line,
        };
        let text = match self.text.as_str().trim().is_empty() {
            true => self.whole_message(),
            false => self.text.finish(),
        };
        Problem {
            kind: self.kind,
            message: line.to_owned(),
            text,
            class: self.class.filter(|class| !class.is_empty()),
        }
    }

    /// A message stands for a text that is missing.
    fn whole_message(&self) -> String {
        let mut text = Text::default();
        text.push(self.message.as_deref().unwrap_or_default());
        text.finish()
    }
}
