//! Exit codes and results, reconciled.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::command::testing::{begins, command, ends, run, state};
use crate::cycle::testing::at;
use crate::domain::event::Event;

fn concluded(change: impl FnOnce(&mut CommandEnded)) -> Conclusion {
    let run = run(CommandPart::Tests, 1, None);
    let mut ended = ends(run.clone(), (PhaseOutcome::Passed, Some(0), "exit 0"), (3, 0));
    change(&mut ended);
    let state = state(vec![begins(run), Event::CommandEnded(Box::new(ended))]);
    conclude(&state, &command(), at(900), None)
}

fn exits(code: i32, failing: u32, cases: u32) -> Conclusion {
    concluded(|ended| {
        ended.outcome = if code == 0 { PhaseOutcome::Passed } else { PhaseOutcome::Failed };
        (ended.exit, ended.detail) = (Some(code), format!("exit {code}"));
        (ended.left.failing, ended.left.cases) = (failing, cases);
    })
}

fn message(conclusion: Conclusion) -> String {
    match conclusion {
        Conclusion::Errored(failure) => {
            assert_eq!((failure.class, failure.blame), (FailureClass::Command, Blame::Measurement));
            failure.message.clone()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn exit_code_and_results_are_reconciled() {
    assert_eq!(exits(0, 0, 3), Conclusion::Sound);
    assert_eq!(exits(1, 2, 3), Conclusion::Sound, "the failures explain the exit code");
    assert_eq!(exits(8, 8, 9), Conclusion::Sound, "Mocha and Robot exit with a count");
    assert_eq!(exits(0, 2, 3), Conclusion::Sound, "what failed has failed");
    assert_eq!(message(exits(3, 0, 3)), "pytest: exit 3 although none of its 3 cases failed");
    assert_eq!(message(exits(2, 0, 0)), "pytest: exit 2, and it left no results");
    assert_eq!(message(exits(137, 1, 3)), "pytest: exit 137, after 3 cases were reported");
    let nothing = NotRunReason::NotReported {
        command: "pytest".to_owned(),
        end: "exit 0, no results".to_owned(),
    };
    assert_eq!(exits(0, 0, 0), Conclusion::NotRun(nothing), "nothing ran is never green");
}

#[test]
fn what_is_not_whole_or_belongs_to_no_test_is_no_pass() {
    let cut = concluded(|ended| ended.left.complete = false);
    assert_eq!(
        message(cut),
        "pytest: exit 0, and its results are not whole: after 3 cases were reported"
    );
    let suite = concluded(|ended| {
        ended.left.suite_errors = vec!["cannot import app".to_owned()];
        ended.left.suite_errors_total = 3;
    });
    assert_eq!(
        message(suite),
        "pytest: exit 0, and a failure that belongs to no test: cannot import app (and 2 more)"
    );
    let killed = concluded(|ended| {
        ended.outcome = PhaseOutcome::Failed;
        (ended.exit, ended.detail) = (None, "killed by SIGSEGV".to_owned());
        ended.left.failing = 1;
    });
    assert_eq!(message(killed), "pytest: killed by SIGSEGV, after 3 cases were reported");
}

#[test]
fn the_deadline_of_the_suite_is_no_fault_of_the_command_but_its_own_is() {
    let run = run(CommandPart::Tests, 1, None);
    let timed_out =
        ends(run.clone(), (PhaseOutcome::TimedOut, None, "ended at its deadline"), (1, 0));
    let state = state(vec![begins(run), Event::CommandEnded(Box::new(timed_out))]);
    // `begins` gives it until 500.
    let own = conclude(&state, &command(), at(900), None);
    assert_eq!(message(own), "pytest: ended at its deadline, after 1 case was reported");
    let suites = NotRunReason::Timeout { running_ms: Some(5) };
    assert_eq!(conclude(&state, &command(), at(500), None), Conclusion::NotRun(suites.clone()));
    assert_eq!(why_not_reported(&state, &command(), at(500), None), suites);
    let not_reported = NotRunReason::NotReported {
        command: "pytest".to_owned(),
        end: "ended at its deadline".to_owned(),
    };
    assert_eq!(why_not_reported(&state, &command(), at(900), None), not_reported);
}

#[test]
fn a_command_that_never_began_did_not_run() {
    let state = state(vec![]);
    let table = [
        (Some(StoppedBy::Timeout), NotRunReason::Timeout { running_ms: None }),
        (Some(StoppedBy::Cancelled), NotRunReason::Cancelled),
        (None, NotRunReason::Interrupted),
    ];
    for (stopped_by, reason) in table {
        let told = conclude(&state, &command(), at(900), stopped_by);
        assert_eq!(told, Conclusion::NotRun(reason));
    }
}

#[test]
fn the_worst_shard_speaks_for_all() {
    let (first, second) =
        (run(CommandPart::Tests, 1, Some(1)), run(CommandPart::Tests, 1, Some(2)));
    let well = ends(first.clone(), (PhaseOutcome::Passed, Some(0), "exit 0"), (3, 0));
    let lost = ends(second.clone(), (PhaseOutcome::Failed, Some(2), "exit 2"), (0, 0));
    let events = vec![
        begins(first),
        begins(second),
        Event::CommandEnded(Box::new(lost)),
        Event::CommandEnded(Box::new(well)),
    ];
    let told = conclude(&state(events), &command(), at(900), None);
    assert_eq!(message(told), "pytest (shard 2): exit 2, and it left no results");
}
