//! A command and its records for the tests of this module.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use crate::cycle::{fold, testing};
use crate::domain::event::*;
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::domain::spec::{Command, Priority, SuiteCommand};
use crate::domain::state::CycleState;

pub(crate) fn command() -> SuiteCommand {
    SuiteCommand {
        name: "pytest".to_owned(),
        run: Command::Shell("pytest -q".to_owned()),
        timeout: Duration::from_secs(60),
        results: vec![("auto".to_owned(), "**/*".to_owned())],
        list: None,
        rerun: None,
        observe_proxy: false,
        shards: 1,
        env: vec![],
        env_pass: vec![],
        area: None,
        priority: Priority::P1,
        owner: None,
        impact: None,
        digest: "c".to_owned(),
    }
}

pub(crate) fn run(part: CommandPart, attempt: u32, shard: Option<u32>) -> CommandRun {
    CommandRun { command: "pytest".into(), part, attempt, shard }
}

/// The suite's phase has begun, with an empty plan.
fn planned() -> Vec<Event> {
    let mut events = testing::story();
    let at = events.iter().position(|event| matches!(event, Event::SuitePlanned(_))).unwrap();
    events.truncate(at + 1);
    if let Some(Event::SuitePlanned(plan)) = events.last_mut() {
        plan.cases.clear();
    }
    events
}

/// The state after these events of the suite.
pub(crate) fn state(events: Vec<Event>) -> CycleState {
    let all = planned().into_iter().chain(events).collect();
    let state = fold(testing::record(all)).unwrap();
    assert_eq!(state.running(), Some(Phase::Suite));
    state
}

pub(crate) fn begins(run: CommandRun) -> Event {
    let deadline_at = testing::at(500);
    Event::CommandStarted(CommandStarted {
        run,
        deadline_at,
        dir: "d".to_owned(),
        proxy_port: None,
        again: vec![],
    })
}

/// A run that ended, with so many cases, so many of them failing.
pub(crate) fn ends(
    run: CommandRun,
    (outcome, exit, detail): (PhaseOutcome, Option<i32>, &str),
    (cases, failing): (u32, u32),
) -> CommandEnded {
    CommandEnded {
        run,
        outcome,
        exit,
        duration_ms: 5,
        detail: detail.to_owned(),
        output: None,
        observed: None,
        doubts: vec![],
        left: Left { cases, failing, complete: true, ..Left::default() },
    }
}
