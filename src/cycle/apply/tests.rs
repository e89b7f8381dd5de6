//! Which event may follow which, and what is refused.

#![allow(clippy::unwrap_used)]
use super::super::testing::{self, story};
use super::*;
use crate::domain::event::{NotRun, NotRunReason};
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
