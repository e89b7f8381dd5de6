//! What is to be said of a command as a whole, which none of its tests says: exit code and results
//! reconciled (SPEC section 5: nothing ran means never green).
//!
//! | the tests of a command | it is |
//! |---|---|
//! | never began | not run, for the suite's reason |
//! | were cancelled, or cut short by the suite's deadline | not run beyond what was reported |
//! | were ended at their own deadline, or nobody saw their end | errored |
//! | left failures that belong to no case | errored |
//! | exit 0, and reported nothing | not run |
//! | exit 0 or not, and the results are not whole | errored |
//! | killed, or not started | errored, whatever they reported before |
//! | exit other than 0, and nothing is failing | errored |
//! | exit other than 0, and something is failing | nothing: that explains it |
//! | exit 0, and something is failing | nothing: what failed has failed |

use jiff::Timestamp;

use crate::domain::event::{CommandEnded, CommandPart, NotRunReason, StoppedBy};
use crate::domain::failure::{Blame, Failure, FailureClass};
use crate::domain::outcome::PhaseOutcome;
use crate::domain::spec::SuiteCommand;
use crate::domain::state::{CommandRecord, CycleState};

/// What is to be said of a command as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// Its tests say it all.
    Sound,
    /// It did not run, or only in part.
    NotRun(NotRunReason),
    /// It could not be measured.
    Errored(Box<Failure>),
}

/// Looks at how the tests of a command ended; `deadline_at` is that of the suite.
pub fn conclude(
    state: &CycleState,
    command: &SuiteCommand,
    deadline_at: Timestamp,
    stopped_by: Option<StoppedBy>,
) -> Conclusion {
    let runs: Vec<&CommandRecord> = state
        .runs_of(&command.name)
        .filter(|record| record.started.run.part == CommandPart::Tests)
        .collect();
    if runs.is_empty() {
        return Conclusion::NotRun(why_never_began(stopped_by));
    }
    let told = runs.iter().map(|record| conclude_run(record, command, deadline_at));
    // The worst of the shards speaks for all.
    let worst = told.max_by_key(|conclusion| match conclusion {
        Conclusion::Sound => 0,
        Conclusion::NotRun(_) => 1,
        Conclusion::Errored(_) => 2,
    });
    worst.expect("there is a run")
}

/// Why a test that was planned has no result.
pub fn why_not_reported(
    state: &CycleState,
    command: &SuiteCommand,
    deadline_at: Timestamp,
    stopped_by: Option<StoppedBy>,
) -> NotRunReason {
    match conclude(state, command, deadline_at, stopped_by) {
        Conclusion::NotRun(reason @ (NotRunReason::Timeout { .. } | NotRunReason::Cancelled)) => {
            reason
        }
        Conclusion::Sound | Conclusion::NotRun(_) | Conclusion::Errored(_) => {
            let ends = state.runs_of(&command.name).filter_map(|record| record.ended.as_ref());
            let tests = ends.filter(|ended| ended.run.part == CommandPart::Tests);
            let ends: Vec<String> = tests.map(|ended| ended.detail.clone()).collect();
            NotRunReason::NotReported { command: command.name.clone(), end: ends.join(", ") }
        }
    }
}

fn why_never_began(stopped_by: Option<StoppedBy>) -> NotRunReason {
    match stopped_by {
        Some(StoppedBy::Cancelled) => NotRunReason::Cancelled,
        Some(StoppedBy::Timeout) => NotRunReason::Timeout { running_ms: None },
        Some(StoppedBy::Interrupted) | None => NotRunReason::Interrupted,
    }
}

fn conclude_run(
    record: &CommandRecord,
    command: &SuiteCommand,
    deadline_at: Timestamp,
) -> Conclusion {
    let Some(ended) = &record.ended else {
        return Conclusion::NotRun(NotRunReason::Interrupted);
    };
    let errored = |what: String| Conclusion::Errored(Box::new(failure(command, ended, &what)));
    let how = &ended.detail;
    match ended.outcome {
        PhaseOutcome::Cancelled => Conclusion::NotRun(NotRunReason::Cancelled),
        PhaseOutcome::TimedOut if record.started.deadline_at >= deadline_at => {
            let running_ms = Some(ended.duration_ms);
            Conclusion::NotRun(NotRunReason::Timeout { running_ms })
        }
        PhaseOutcome::TimedOut => errored(format!("{how}, {}", reported(ended))),
        PhaseOutcome::Interrupted | PhaseOutcome::Errored => {
            errored(format!("{how}, {}", reported(ended)))
        }
        PhaseOutcome::Passed | PhaseOutcome::Failed | PhaseOutcome::Skipped => {
            reconcile(ended).map_or_else(|| sound(command, ended), errored)
        }
    }
}

/// Exit 0 without any result: as far as anybody knows, nothing was tested.
fn sound(command: &SuiteCommand, ended: &CommandEnded) -> Conclusion {
    if ended.left.cases > 0 {
        return Conclusion::Sound;
    }
    let end = format!("{}, no results", ended.detail);
    Conclusion::NotRun(NotRunReason::NotReported { command: command.name.clone(), end })
}

/// Why a command that ended by itself cannot be believed, if so.
pub fn reconcile(ended: &CommandEnded) -> Option<String> {
    let (left, how) = (&ended.left, &ended.detail);
    if let Some(first) = left.suite_errors.first() {
        let more = match left.suite_errors_total.saturating_sub(1) {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        return Some(format!("{how}, and a failure that belongs to no test: {first}{more}"));
    }
    let exited_well = ended.outcome == PhaseOutcome::Passed;
    if left.cases == 0 {
        return (!exited_well).then(|| format!("{how}, and it left no results"));
    }
    if !left.complete {
        return Some(format!("{how}, and its results are not whole: {}", reported(ended)));
    }
    if exited_well {
        return None;
    }
    match (ended.exit, left.failing) {
        // A tool that says with its exit code what its results say as well.
        (Some(code), 1..) if code < FIRST_SIGNAL_CODE => None,
        (Some(code), 0) if code < FIRST_SIGNAL_CODE => {
            Some(format!("{how} although none of its {} cases failed", left.cases))
        }
        _ => Some(format!("{how}, {}", reported(ended))),
    }
}

/// A shell reports a child that a signal ended by this code and the signal's number.
const FIRST_SIGNAL_CODE: i32 = 128;

fn reported(ended: &CommandEnded) -> String {
    match ended.left.cases {
        0 => "without any result".to_owned(),
        1 => "after 1 case was reported".to_owned(),
        cases => format!("after {cases} cases were reported"),
    }
}

fn failure(command: &SuiteCommand, ended: &CommandEnded, what: &str) -> Failure {
    let shard = ended.run.shard.map_or_else(String::new, |shard| format!(" (shard {shard})"));
    Failure {
        class: FailureClass::Command,
        blame: Blame::Measurement,
        message: format!("{}{shard}: {what}", command.name),
        step: Some(command.name.clone()),
        expected: Some("exit 0, or results that say what failed".to_owned()),
        actual: Some(ended.detail.clone()),
        subject: Some("command".to_owned()),
        repro: Some(command.run.to_string()),
    }
}

#[cfg(test)]
mod tests;
