//! What a command does next, from records.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::command::testing::{begins, command, ends, run, state};
use crate::cycle::testing::{case_attempt, planned_case};
use crate::domain::event::{CasesPlanned, CommandEnded, Event};
use crate::domain::names::CaseId;
use crate::domain::spec::Command;

const FAILED: (PhaseOutcome, Option<i32>, &str) = (PhaseOutcome::Failed, Some(1), "exit 1");

fn ended(end: CommandEnded) -> Event {
    Event::CommandEnded(Box::new(end))
}

fn plans(ids: &[&str]) -> Event {
    let cases = ids
        .iter()
        .map(|id| PlannedCase { command: Some("pytest".into()), ..planned_case(id) })
        .collect();
    Event::CasesPlanned(CasesPlanned { command: "pytest".into(), cases })
}

fn runs(next: Next) -> Vec<(CommandPart, u32, Option<u32>, bool)> {
    match next {
        Next::Run(runs) => runs
            .into_iter()
            .map(|next| (next.run.part, next.run.attempt, next.run.shard, next.recorded))
            .collect(),
        Next::Done { .. } => Vec::new(),
    }
}

#[test]
fn the_list_comes_first_and_then_all_shards_side_by_side() {
    let mut command = command();
    command.list = Some(Command::Shell("pytest --collect-only -q".to_owned()));
    command.shards = 2;
    let first = next(&state(vec![]), &command, 1, None);
    assert_eq!(runs(first), [(CommandPart::List, 1, None, false)]);

    let list = run(CommandPart::List, 1, None);
    let listing = state(vec![begins(list.clone())]);
    assert_eq!(runs(next(&listing, &command, 1, None)), [(CommandPart::List, 1, None, true)]);

    // A list that failed does not keep the tests from running.
    let listed = vec![begins(list.clone()), ended(ends(list, FAILED, (0, 0)))];
    let tests = runs(next(&state(listed.clone()), &command, 1, None));
    let shard = |shard, recorded| (CommandPart::Tests, 1, Some(shard), recorded);
    assert_eq!(tests, [shard(1, false), shard(2, false)]);

    // What was started is taken up, what was not is started: each once.
    let mut crashed = listed;
    crashed.push(begins(run(CommandPart::Tests, 1, Some(1))));
    assert_eq!(runs(next(&state(crashed), &command, 1, None)), [shard(1, true), shard(2, false)]);
}

#[test]
fn only_what_fails_is_run_again_and_never_in_an_outage() {
    let mut command = command();
    let tests = run(CommandPart::Tests, 1, None);
    let ids: Vec<String> = (0..10).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    let story = |failing: usize| {
        let mut events = vec![begins(tests.clone()), plans(&names)];
        events.extend(ids.iter().enumerate().map(|(n, id)| case_attempt(id, 1, n < failing)));
        events.push(ended(ends(tests.clone(), FAILED, (10, failing as u32))));
        state(events)
    };
    assert_eq!(next(&story(2), &command, 1, None), Next::Done { retries_withheld: None });
    command.rerun = Some(Command::Shell("pytest @$ANDON_RERUN_FILE".to_owned()));
    let Next::Run(again) = next(&story(2), &command, 1, None) else { panic!("no rerun") };
    let wanted: Vec<Again> = ["t0", "t1"]
        .iter()
        .map(|id| Again { case: CaseId::parse(id).unwrap(), attempts: 1 })
        .collect();
    assert_eq!(again[0].again, wanted);
    assert_eq!((again[0].run.part, again[0].run.attempt), (CommandPart::Rerun, 2));
    assert_eq!(next(&story(2), &command, 0, None), Next::Done { retries_withheld: None });
    assert_eq!(next(&story(0), &command, 1, None), Next::Done { retries_withheld: None });
    match next(&story(3), &command, 1, None) {
        Next::Done { retries_withheld: Some(why) } => {
            assert_eq!(why, "3 of 10 cases of pytest were failing: that is no flake");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_cut_short_is_not_run_again() {
    let mut command = command();
    command.rerun = Some(Command::Shell("again".to_owned()));
    let tests = run(CommandPart::Tests, 1, None);
    for outcome in [PhaseOutcome::TimedOut, PhaseOutcome::Interrupted, PhaseOutcome::Errored] {
        let events = vec![
            begins(tests.clone()),
            plans(&["a"]),
            case_attempt("a", 1, true),
            ended(ends(tests.clone(), (outcome, None, "?"), (1, 1))),
        ];
        let next = next(&state(events), &command, 1, None);
        assert_eq!(next, Next::Done { retries_withheld: None }, "{outcome}");
    }
}

#[test]
fn a_suite_that_stops_starts_nothing_and_sees_what_runs_to_its_end() {
    let command = command();
    for by in [StoppedBy::Timeout, StoppedBy::Cancelled] {
        let done = Next::Done { retries_withheld: None };
        assert_eq!(next(&state(vec![]), &command, 1, Some(by)), done);
        let running = state(vec![begins(run(CommandPart::Tests, 1, None))]);
        let next = next(&running, &command, 1, Some(by));
        assert_eq!(runs(next), [(CommandPart::Tests, 1, None, true)]);
    }
}
