//! The JSON events of libtest and of nextest, one a line.
//!
//! What it must not do: give a test that was started and never ended as anything but errored.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::super::case::{ProblemKind, ReportedCase, ReportedOutcome};
use super::super::draft::{case, one_suite};
use super::super::text::first_line;
use super::{Out, Summary, panic_message};

/// One event. Those of nextest carry more, which is not needed.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(default)]
    exec_time: Option<f64>,
    #[serde(borrow, default)]
    stdout: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    reason: Option<Cow<'a, str>>,
    #[serde(default)]
    passed: u64,
    #[serde(default)]
    failed: u64,
    #[serde(default)]
    ignored: u64,
}

/// What is known of the events so far.
#[derive(Default)]
pub(super) struct Events {
    /// How many binaries began: the number of the current one names it, where nothing else does.
    suites: u64,
    open_suites: u64,
    suite: Option<Arc<[Box<str>]>>,
    /// Tests that were started and did not end yet, by suite and name.
    running: HashMap<(Box<str>, String), Running>,
    started: u64,
    nextest: bool,
    /// The suites of nextest, by the name before the `$`.
    binaries: HashMap<String, Arc<[Box<str>]>>,
}

struct Running {
    order: u64,
    suite: Arc<[Box<str>]>,
}

impl Events {
    /// Takes a line, if it is an event.
    pub(super) fn line(&mut self, number: u64, line: &str, out: &mut Out<'_>) -> bool {
        let text = line.trim();
        if !text.starts_with('{') {
            return false;
        }
        let Ok(event) = serde_json::from_str::<Event<'_>>(text) else {
            if self.suites > 0 {
                out.complete = false;
                out.warnings.add(Some(number), "a line that begins as an event and is none");
            }
            return self.suites > 0;
        };
        match (&*event.kind, event.event.as_deref(), event.name.as_deref()) {
            ("suite", Some("started"), _) => self.begin(out),
            ("suite", Some("ok" | "failed"), _) => self.end(&event, out),
            ("test", Some("started"), Some(name)) => self.start(name, out),
            // A test that takes long, and is still running.
            ("test", Some("timeout"), _) => {}
            ("test", Some(how), Some(name)) => self.finish_test(&event, how, name, out),
            ("bench", _, Some(name)) => self.finish_test(&event, "ok", name, out),
            ("report" | "doctest", _, _) => {}
            _ => return false,
        }
        true
    }

    fn begin(&mut self, out: &mut Out<'_>) {
        out.seen = true;
        self.suite = Some(one_suite(&format!("#{}", self.suites)));
        self.suites += 1;
        self.open_suites += 1;
    }

    fn end(&mut self, event: &Event<'_>, out: &mut Out<'_>) {
        out.seen = true;
        self.open_suites = self.open_suites.saturating_sub(1);
        let Event { passed, failed, ignored, .. } = *event;
        out.state(Summary { passed, failed, ignored });
    }

    /// The suite and the name of a test. nextest writes `package::binary$test`, and `#2` behind it where
    /// the second attempt was the last.
    fn place<'n>(&mut self, name: &'n str) -> (Arc<[Box<str>]>, &'n str, u32) {
        let Some((binary, test)) = name.split_once('$') else {
            let suite = self.suite.get_or_insert_with(|| one_suite("#0"));
            return (Arc::clone(suite), name, 1);
        };
        self.nextest = true;
        if !self.binaries.contains_key(binary) {
            self.binaries.insert(binary.to_owned(), one_suite(binary));
        }
        let attempt = test.rsplit_once('#').and_then(|(test, n)| Some((test, n.parse().ok()?)));
        let (test, attempts) = attempt.unwrap_or((test, 1));
        (Arc::clone(&self.binaries[binary]), test, attempts)
    }

    fn start(&mut self, name: &str, out: &mut Out<'_>) {
        out.seen = true;
        let (suite, test, _) = self.place(name);
        self.started += 1;
        let key = (suite[0].clone(), test.to_owned());
        self.running.insert(key, Running { order: self.started, suite });
    }

    fn finish_test(&mut self, event: &Event<'_>, how: &str, name: &str, out: &mut Out<'_>) {
        out.seen = true;
        let (suite, test, attempts) = self.place(name);
        self.running.remove(&(suite[0].clone(), test.to_owned()));
        let outcome = match how {
            "ok" if attempts > 1 => ReportedOutcome::Flaky,
            "ok" => ReportedOutcome::Passed,
            "ignored" => ReportedOutcome::Skipped,
            "failed" => ReportedOutcome::Failed,
            _ => ReportedOutcome::Errored,
        };
        let mut case = case(suite, test, outcome);
        case.duration = event.exec_time.and_then(|s| Duration::try_from_secs_f64(s).ok());
        case.reruns = attempts.saturating_sub(1);
        match outcome {
            ReportedOutcome::Failed => explain(&mut case, event),
            ReportedOutcome::Errored => {
                let message = format!("it ended in a way that is not known: {how}");
                case.explain(ProblemKind::Error, &message, "");
            }
            ReportedOutcome::Skipped | ReportedOutcome::Flaky | ReportedOutcome::Passed => {}
        }
        out.case(case);
    }

    /// Which writer it was.
    pub(super) fn dialect(&self) -> &'static str {
        if self.nextest { "nextest" } else { "libtest" }
    }

    /// Gives what never ended.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        if self.open_suites > 0 {
            out.complete = false;
            let what = format!("{} test binaries did not end", self.open_suites);
            out.warnings.add(None, what);
        }
        let mut left: Vec<_> = self.running.drain().collect();
        left.sort_unstable_by_key(|(_, running)| running.order);
        for ((_, test), Running { suite, .. }) in left {
            out.complete = false;
            let mut case = case(suite, &test, ReportedOutcome::Errored);
            case.explain(ProblemKind::Error, "it was started and never ended", "");
            out.case(case);
        }
    }
}

fn explain(case: &mut ReportedCase, event: &Event<'_>) {
    let output = event.stdout.as_deref().unwrap_or_default();
    let told = event.message.as_deref().or(event.reason.as_deref());
    let message = told.or_else(|| panic_message(output)).unwrap_or_else(|| first_line(output));
    let whole = match told {
        Some(told) => format!("{told}\n{output}"),
        None => output.to_owned(),
    };
    case.explain(ProblemKind::Failure, message, &whole);
}
