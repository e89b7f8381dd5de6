//! What a result file says of a case, in the terms of a cycle. Pure.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::attempt::Attempt;
use crate::domain::evidence::{Evidence, Excerpt};
use crate::domain::failure::{Blame, Failure, FailureClass};
use crate::domain::names::CaseId;
use crate::domain::redact::Masker;
use crate::domain::spec::{Command, SuiteCommand};
use crate::ingest::{Entry, Problem, ProblemKind, ReportedOutcome};
use crate::verdict::{CaseTraffic, ReportedRun};

/// Durations below this are often the same by chance.
const TELLING_MS: f64 = 100.0;
/// Longer names are cut.
const MAX_NAME: usize = 300;

/// A case as its command reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// Its id.
    pub id: CaseId,
    /// Its name, for people.
    pub name: String,
    /// The file that it stands in, as the tool says.
    pub file: Option<Arc<str>>,
    /// Its attempts within the run: one, or two where it passed after a failed one.
    pub attempts: Vec<ReportedAttempt>,
}

/// What an attempt used of the network, as far as a proxy could tell it apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    connections: u32,
    bytes_sent: u64,
    bytes_received: u64,
}

impl Traffic {
    /// That of a case.
    pub fn of(case: &CaseTraffic<'_>) -> Self {
        let CaseTraffic { connections, bytes_sent, bytes_received, .. } = *case;
        Self { connections, bytes_sent, bytes_received }
    }
}

/// One attempt of a reported case.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedAttempt {
    started_at: Option<Timestamp>,
    duration_ms: u64,
    failure: Option<Arc<Failure>>,
    skipped: Option<Arc<str>>,
    output: Option<Excerpt>,
    traffic: Traffic,
}

impl Reported {
    /// Reads what became of a case. Texts are masked here. `spelled` is how its tool names it.
    pub fn of(
        (id, name, file): (CaseId, &str, Option<&str>),
        case: &Entry,
        (command, spelled): (&SuiteCommand, &str),
        masker: &Masker,
    ) -> Self {
        let teller = Teller { command, spelled, masker };
        let ended = |problem: Option<&Problem>, skipped| teller.attempt(case, problem, skipped);
        let problem = case.problem.as_deref();
        let attempts = match case.outcome {
            ReportedOutcome::Passed => vec![ended(None, None)],
            ReportedOutcome::Skipped => vec![ended(None, Some(teller.reason(case)))],
            ReportedOutcome::Failed => vec![teller.failing(case, ProblemKind::Failure)],
            ReportedOutcome::Errored => vec![teller.failing(case, ProblemKind::Error)],
            ReportedOutcome::Flaky => {
                let kind = problem.map_or(ProblemKind::Failure, |problem| problem.kind);
                vec![teller.failing(case, kind), ended(None, None)]
            }
        };
        let name: String =
            masker.mask(name).chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
        let name = if name.trim().is_empty() { id.to_string() } else { name };
        Self { id, name, file: file.map(Into::into), attempts }
    }

    /// When it ran, for whoever tells connections apart. A duration that a clock of milliseconds may well
    /// give twice says nothing of the run before.
    pub fn as_run(&self, before_ms: Option<u32>) -> ReportedRun<'_> {
        let last = self.attempts.last();
        let took = last.map(|attempt| attempt.duration_ms as f64);
        let telling = took.is_some_and(|took| took >= TELLING_MS);
        ReportedRun {
            case: &self.id,
            passed: last
                .is_some_and(|attempt| attempt.failure.is_none() && attempt.skipped.is_none()),
            began_at: last.and_then(|attempt| attempt.started_at),
            took_ms: took,
            took_ms_before: before_ms.filter(|_| telling).map(f64::from),
        }
    }

    /// What its last attempt used of the network.
    pub fn used(&mut self, traffic: Traffic) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.traffic = traffic;
        }
    }

    /// Whether its last attempt is failing.
    pub fn is_failing(&self) -> bool {
        self.failure().is_some()
    }

    /// Why its last attempt is failing, if so.
    pub fn failure(&self) -> Option<&Failure> {
        self.attempts.last()?.failure.as_deref()
    }
}

impl ReportedAttempt {
    /// The attempt with its number in the cycle. A file that does not say when a case began leaves the
    /// beginning of the run.
    pub fn into_attempt(self, case: CaseId, number: u32, run_began_at: Timestamp) -> Attempt {
        Attempt {
            case,
            number,
            started_at: self.started_at.unwrap_or(run_began_at),
            duration_ms: self.duration_ms,
            failure: self.failure,
            skipped: self.skipped,
            evidence: Evidence {
                output: self.output.map(Box::new),
                connections: self.traffic.connections,
                bytes_sent: self.traffic.bytes_sent,
                bytes_received: self.traffic.bytes_received,
                ..Evidence::default()
            },
        }
    }
}

struct Teller<'a> {
    command: &'a SuiteCommand,
    spelled: &'a str,
    masker: &'a Masker,
}

impl Teller<'_> {
    fn attempt(
        &self,
        case: &Entry,
        problem: Option<&Problem>,
        skipped: Option<Arc<str>>,
    ) -> ReportedAttempt {
        ReportedAttempt {
            started_at: case.started_at,
            duration_ms: case.duration_ms.map_or(0, u64::from),
            failure: problem.map(|problem| Arc::new(self.failure(problem, problem.kind))),
            skipped,
            output: problem.and_then(|problem| self.output(problem)),
            traffic: Traffic::default(),
        }
    }

    /// A case that is failing, whatever the file says about why.
    fn failing(&self, case: &Entry, kind: ProblemKind) -> ReportedAttempt {
        let unexplained = Problem {
            kind,
            class: None,
            message: "the result file does not say why".to_owned(),
            text: String::new(),
        };
        let problem = case.problem.as_deref().unwrap_or(&unexplained);
        let attempt = self.attempt(case, Some(problem), None);
        let failure = Arc::new(self.failure(problem, kind));
        ReportedAttempt { failure: Some(failure), ..attempt }
    }

    fn failure(&self, problem: &Problem, kind: ProblemKind) -> Failure {
        let message = match (problem.telling().trim(), &problem.class) {
            ("", Some(class)) => class.clone(),
            ("", None) => "the result file does not say why".to_owned(),
            (message, _) => message.to_owned(),
        };
        Failure {
            class: FailureClass::Reported,
            blame: match kind {
                ProblemKind::Failure => Blame::Service,
                ProblemKind::Error => Blame::Measurement,
            },
            message: self.masker.mask(&message),
            step: Some(self.command.name.clone()),
            expected: None,
            actual: None,
            subject: problem.class.as_ref().map(|class| self.masker.mask(class)),
            repro: Some(self.masker.mask(&repro(self.command, self.spelled))),
        }
    }

    /// What the tool has to say beyond one line.
    fn output(&self, problem: &Problem) -> Option<Excerpt> {
        let says_more =
            problem.text.trim() != problem.message.trim() && !problem.text.trim().is_empty();
        let text = says_more.then(|| self.masker.mask(&problem.text))?;
        Some(Excerpt::of(&text, text.len() as u64))
    }

    fn reason(&self, case: &Entry) -> Arc<str> {
        let said = case.problem.as_deref().map_or("", |problem| problem.message.as_str());
        self.masker.mask(said).as_str().into()
    }
}

/// A command that runs the test again, and where that is not known, all of them.
fn repro(command: &SuiteCommand, spelled: &str) -> String {
    let Some(rerun) = &command.rerun else {
        return format!("export ANDON_RESULTS=\"$(mktemp -d)\"\n{}", command.run);
    };
    let quoted = Command::Argv(vec![spelled.to_owned()]);
    format!(
        "export ANDON_RESULTS=\"$(mktemp -d)\" ANDON_RERUN_FILE=\"$(mktemp)\"\n\
         printf '%s\\n' {quoted} >\"$ANDON_RERUN_FILE\"\n{rerun}"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::command::testing;
    use crate::ingest::{ReportedCase, Run, Sink as _};
    use std::time::Duration;

    fn case(outcome: ReportedOutcome, problem: Option<Problem>) -> ReportedCase {
        ReportedCase {
            suite: Arc::from([]),
            classname: Some("a".into()),
            name: "adds\u{7}".to_owned(),
            file: None,
            project: None,
            outcome,
            expected_failure: false,
            duration: Some(Duration::from_millis(12)),
            started_at: None,
            reruns: 0,
            problems: u32::from(problem.is_some()),
            problem: problem.map(Box::new),
        }
    }

    fn problem(kind: ProblemKind, message: &str, text: &str) -> Problem {
        Problem {
            kind,
            class: Some("AssertionError".to_owned()),
            message: message.to_owned(),
            text: text.to_owned(),
        }
    }

    fn reported(case: ReportedCase) -> Reported {
        let masker = Masker::new(["hunter2-secret".to_owned()]);
        let mut run = Run::with_texts();
        run.case(case);
        let entry = &run.entries()[0];
        let named = (CaseId::parse("a::adds").unwrap(), run.name_of(entry), run.file_of(entry));
        Reported::of(named, entry, (&testing::command(), "a.py::adds"), &masker)
    }

    #[test]
    fn a_failure_keeps_what_the_tool_says_masked() {
        let told = problem(
            ProblemKind::Failure,
            "expected 3, got hunter2-secret",
            "trace\nhunter2-secret",
        );
        let reported = reported(case(ReportedOutcome::Failed, Some(told)));
        assert_eq!(reported.name, "adds");
        let attempt = reported.attempts[0].clone().into_attempt(
            reported.id.clone(),
            1,
            Timestamp::UNIX_EPOCH,
        );
        let failure = attempt.failure.as_deref().unwrap();
        assert_eq!((failure.class, failure.blame), (FailureClass::Reported, Blame::Service));
        assert!(
            failure.message.starts_with("expected 3, got ") && !failure.message.contains("hunter2")
        );
        assert_eq!(failure.subject.as_deref(), Some("AssertionError"));
        let output = attempt.evidence.output.unwrap();
        assert!(
            output.text.starts_with("trace\n") && !output.text.contains("hunter2"),
            "{}",
            output.text
        );
        assert_eq!(attempt.duration_ms, 12);
    }

    #[test]
    fn what_a_file_calls_failing_is_failing_without_a_reason_too() {
        let failed = reported(case(ReportedOutcome::Errored, None));
        assert!(failed.is_failing());
        let failure = failed.attempts[0].failure.as_deref().unwrap();
        assert_eq!(failure.blame, Blame::Measurement);
        assert_eq!(failure.message, "the result file does not say why");
    }

    #[test]
    fn the_command_that_repeats_it_runs_that_test_alone_where_it_can() {
        let mut command = testing::command();
        assert_eq!(
            repro(&command, "a.py::adds"),
            "export ANDON_RESULTS=\"$(mktemp -d)\"\npytest -q"
        );
        command.rerun = Some(Command::Shell("pytest @\"$ANDON_RERUN_FILE\"".to_owned()));
        let lines = repro(&command, "a.py::it's");
        assert!(
            lines.contains("printf '%s\\n' 'a.py::it'\\''s' >\"$ANDON_RERUN_FILE\""),
            "{lines}"
        );
        assert!(lines.ends_with("\npytest @\"$ANDON_RERUN_FILE\""), "{lines}");
    }

    #[test]
    fn a_flaky_case_has_two_attempts_and_a_skipped_one_says_why() {
        let told = problem(ProblemKind::Failure, "lost", "");
        let flaky = reported(case(ReportedOutcome::Flaky, Some(told.clone())));
        let fails: Vec<bool> = flaky.attempts.iter().map(|a| a.failure.is_some()).collect();
        assert_eq!(fails, [true, false]);
        assert!(!flaky.is_failing());
        let skipped = reported(case(ReportedOutcome::Skipped, Some(told)));
        assert_eq!(skipped.attempts[0].skipped.as_deref(), Some("lost"));
        assert!(skipped.attempts[0].failure.is_none());
    }
}
