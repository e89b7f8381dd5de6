//! Which event may follow which, and what is refused.

#![allow(clippy::unwrap_used)]
use super::super::testing::{self, story};
use super::*;
use crate::domain::event::{
    CasesPlanned, CommandEnded, CommandPart, CommandRun, CommandStarted, Left, NotRun,
    NotRunReason, PlannedCase,
};
use crate::domain::evidence::{Excerpt, Exchange, Protocol};
use crate::domain::failure::{Blame, Failure, FailureClass};
use crate::domain::outcome::PhaseOutcome;

#[test]
fn a_whole_story_folds() {
    let state = fold(testing::record(story())).unwrap();
    assert_eq!(state.phase(), Phase::Finished);
    assert_eq!(state.seq, story().len() as u64);
}

#[test]
fn nothing_follows_the_end() {
    let mut state = fold(testing::record(story())).unwrap();
    let late = Event::CancelRequested(CancelRequested { by: "SIGINT".to_owned() });
    let recorded = Recorded { seq: state.seq + 1, at: testing::at(999), event: late };
    assert!(apply(&mut state, recorded).unwrap_err().why.contains("finished"));
}

#[test]
fn no_event_of_the_story_may_be_left_out_moved_or_repeated() {
    // Every event of the story matters to a later one, except those that only inform.
    let informs = ["surfaces_read", "controls_read", "report_written", "attempt_finished"];
    for (index, event) in story().iter().enumerate() {
        let mut without = story();
        without.remove(index);
        if !informs.contains(&event.kind()) && index + 1 < story().len() {
            assert!(fold(testing::record(without)).is_err(), "{} left out", event.kind());
        }
        if !["surfaces_read", "controls_read", "report_written"].contains(&event.kind()) {
            let mut twice = story();
            twice.insert(index, event.clone());
            assert!(fold(testing::record(twice)).is_err(), "{} twice", event.kind());
        }
    }
}

#[test]
fn a_cycle_that_ended_before_its_suite_says_in_its_diff_what_did_not_run() {
    let mut events = story();
    events.truncate(7);
    let whole = story();
    let of_kind = |kind: &str| whole.iter().find(|e| e.kind() == kind).unwrap().clone();
    let mut ended = of_kind("suite_ended");
    if let Event::SuiteEnded(ended) = &mut ended {
        let reason = NotRunReason::NotReached { phase: Phase::Deploy };
        let case = crate::domain::names::CaseId::parse("test_001").unwrap();
        ended.not_run.push(NotRun { case, reason });
    }
    events.push(testing::ended(Phase::Deploy, PhaseOutcome::Failed));
    events.push(testing::started(Phase::Diff));
    events.extend([of_kind("suite_planned"), ended]);
    let state = fold(testing::record(events.clone())).unwrap();
    assert_eq!(state.planned().len(), 1);

    // No case may run there, and the verdict rests on the plan: none follows it.
    let late = [of_kind("attempt_finished"), of_kind("suite_planned")];
    for event in late {
        let mut refused = events.clone();
        refused.push(event);
        assert!(fold(testing::record(refused)).is_err());
    }
    let plan = events.remove(9);
    let end = events.pop().unwrap();
    events.push(testing::findings(crate::domain::outcome::Verdict::DeployFailed));
    events.extend([plan, end]);
    let fault = fold(testing::record(events)).unwrap_err();
    assert_eq!(fault.why, "the verdict was decided before");
}

#[test]
fn texts_are_kept_of_what_failed_only() {
    let attempt_that = |failure: Option<Failure>| {
        let mut events = story();
        let attempt = events.iter_mut().find_map(|event| match event {
            Event::AttemptFinished(attempt) => Some(attempt),
            _ => None,
        });
        let attempt = attempt.unwrap();
        attempt.failure = failure.map(Arc::new);
        let mut exchange = Exchange::begin("s", Protocol::Http, "GET", "http://x/");
        exchange.body = Some(Excerpt::of("told", 4));
        exchange.status = Some(200);
        attempt.evidence.record(exchange);
        let case = attempt.case.clone();
        fold(testing::record(events)).unwrap().attempts_of(&case)[0].clone()
    };
    let passed = attempt_that(None).evidence;
    assert_eq!((passed.exchanges[0].status, &passed.exchanges[0].body), (Some(200), &None));
    let failure = Failure {
        class: FailureClass::HttpStatus,
        blame: Blame::Service,
        message: "expected status 201, got 200".to_owned(),
        step: None,
        expected: None,
        actual: None,
        subject: None,
        repro: None,
    };
    let failed = attempt_that(Some(failure)).evidence;
    assert_eq!(failed.exchanges[0].body.as_ref().unwrap().text, "told");
}

#[test]
fn gaps_in_the_numbers_are_refused() {
    let mut events = testing::record(story());
    events[3].seq += 1;
    assert_eq!(fold(events).unwrap_err().why, "event 4 is expected next");
}

#[test]
fn the_end_of_the_suite_accounts_for_every_case() {
    let mut events = story();
    let end = events.iter().position(|e| e.kind() == "suite_ended").unwrap();
    events.remove(end - 1);
    let fault = fold(testing::record(events)).unwrap_err();
    assert_eq!(fault.why, "1 cases have no result, but 0 are said not to have run");
}

/// The story until the plan of its suite, which has one case.
fn until_planned() -> Vec<Event> {
    let mut events = story();
    let plan = events.iter().position(|event| event.kind() == "suite_planned").unwrap();
    events.truncate(plan + 1);
    events
}

fn of_command(part: CommandPart, shard: Option<u32>) -> CommandRun {
    CommandRun { command: "unit".into(), part, attempt: 1, shard }
}

fn begins(shard: Option<u32>) -> Event {
    Event::CommandStarted(CommandStarted {
        run: of_command(CommandPart::Tests, shard),
        deadline_at: testing::at(500),
        dir: "d".to_owned(),
        proxy_port: None,
        again: vec![],
    })
}

fn joins(ids: &[&str]) -> Event {
    let of_story = until_planned();
    let Some(Event::SuitePlanned(plan)) = of_story.last() else { panic!("a plan") };
    let case = |id: &&str| PlannedCase {
        id: crate::domain::names::CaseId::parse(id).unwrap(),
        command: Some("unit".into()),
        ..plan.cases[0].clone()
    };
    let cases = ids.iter().map(case).collect();
    Event::CasesPlanned(CasesPlanned { command: "unit".into(), cases })
}

fn ends(shard: Option<u32>) -> Event {
    Event::CommandEnded(Box::new(CommandEnded {
        run: of_command(CommandPart::Tests, shard),
        outcome: PhaseOutcome::Passed,
        exit: Some(0),
        duration_ms: 5,
        detail: "exit 0".to_owned(),
        output: None,
        observed: None,
        doubts: vec![],
        left: Left::default(),
    }))
}

/// The three events of a command belong between the plan of the suite and its end.
#[test]
fn a_command_starts_plans_and_ends_while_its_suite_runs() {
    let at = until_planned().len();
    let legal = [begins(None), joins(&["a", "b"]), joins(&["c"]), ends(None)];
    let mut events = until_planned();
    events.extend(legal);
    let state = fold(testing::record(events)).unwrap();
    assert_eq!(state.planned().len(), 4, "what a command reports joins the plan");
    assert!(state.commands[0].ended.is_some());

    let whole = story();
    let end = whole.iter().position(|event| event.kind() == "suite_ended").unwrap();
    for place in (1..=whole.len()).filter(|place| *place < at || *place > end) {
        for event in [begins(None), joins(&["a"]), ends(None)] {
            let mut misplaced = whole[..place].to_vec();
            let kind = event.kind();
            misplaced.push(event);
            assert!(fold(testing::record(misplaced)).is_err(), "{kind} as event {place}");
        }
    }
}

#[test]
fn what_contradicts_the_records_of_a_command_is_refused() {
    let one = Some(1);
    let table: [(Vec<Event>, &str); 8] = [
        (vec![begins(None), begins(None)], "tests 1 of command unit was started before"),
        (vec![begins(one), begins(one)], "tests 1 of command unit, shard 1 was started before"),
        (
            vec![begins(None), ends(None), begins(None)],
            "tests 1 of command unit was started before",
        ),
        (vec![ends(None)], "tests 1 of command unit is not running"),
        (vec![begins(None), ends(one)], "tests 1 of command unit, shard 1 is not running"),
        (vec![begins(None), ends(None), ends(None)], "tests 1 of command unit is not running"),
        (vec![joins(&["a"]), joins(&["a"])], "case a is planned twice"),
        (vec![joins(&["a", "a"])], "case a is planned twice"),
    ];
    for (wrong, why) in table {
        let mut events = until_planned();
        events.extend(wrong);
        assert_eq!(fold(testing::record(events)).unwrap_err().why, why);
    }
    let mut sharded = until_planned();
    sharded.extend([begins(Some(1)), begins(Some(2)), ends(Some(2)), ends(Some(1))]);
    fold(testing::record(sharded)).unwrap();
}

#[test]
fn no_suite_ends_before_its_commands_and_what_they_planned() {
    let whole = story();
    let end = whole.iter().position(|event| event.kind() == "suite_ended").unwrap();
    let with = |events: Vec<Event>| {
        let mut story = whole.clone();
        story.splice(end..end, events);
        fold(testing::record(story)).map(|_| ()).map_err(|fault| fault.why)
    };
    assert_eq!(with(vec![begins(None)]), Err("command unit has not ended".to_owned()));
    let lost = "1 cases have no result, but 0 are said not to have run".to_owned();
    assert_eq!(with(vec![begins(None), joins(&["a"]), ends(None)]), Err(lost));
    assert_eq!(with(vec![begins(None), ends(None)]), Ok(()));
}

/// What a suite does within itself is the world's matter: the cycle goes on with its suite.
#[test]
fn the_events_of_commands_leave_the_next_step_as_it_is() {
    let step =
        |state: &CycleState| crate::cycle::next_step(state, &testing::pipeline(), testing::at(60));
    let mut state = fold(testing::record(until_planned())).unwrap();
    let before = step(&state);
    for event in [begins(None), joins(&["a"]), ends(None)] {
        let recorded = Recorded { seq: state.seq + 1, at: testing::at(50), event };
        apply(&mut state, recorded).unwrap();
        assert_eq!(step(&state), before);
    }
}
