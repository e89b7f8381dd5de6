//! The matrix of expected events: a row for every step that expects some, whatever became of its case.

use andon::domain::event::PlannedEvents;
use andon::domain::state::CycleState;
use andon::report::markdown;

use crate::cycles::*;
use crate::stories;

const LAST: &str = "test_025_critical_event_delivery";

/// The section of the matrix.
fn section(state: &CycleState) -> String {
    let text = markdown::render(state);
    let (_, rest) = text.split_once("## Expected events\n").expect("there is a matrix");
    rest.split("\n## ").next().unwrap_or_default().to_owned()
}

/// What a case is planned to wait for.
fn plan_of<'s>(state: &'s mut CycleState, case: &str) -> &'s mut Vec<PlannedEvents> {
    let plan = state.plan.as_mut().expect("there is a plan");
    let planned = plan.cases.iter_mut().find(|planned| planned.id == id(case));
    &mut planned.expect("the case is planned").events
}

fn quiet(step: &str) -> PlannedEvents {
    PlannedEvents { step: step.to_owned(), all: vec![], none: vec!["error".to_owned()] }
}

#[test]
fn a_plan_of_old_that_says_nothing_of_events_shows_those_that_were_seen() {
    let mut state = stories::first_green();
    let planned = section(&state);
    for case in ["test_001_websocket_connection", LAST] {
        plan_of(&mut state, case).clear();
    }
    assert_eq!(section(&state), planned.replace(", no `error`", ""));
}

#[test]
fn steps_of_one_name_and_steps_that_needed_no_events_have_their_rows() {
    let mut state = stories::first_green();
    let again = |event: &str| PlannedEvents {
        step: "again".to_owned(),
        all: vec![event.to_owned()],
        none: vec![],
    };
    plan_of(&mut state, "test_003_websocket_message_send").extend([again("one"), again("two")]);
    let text = section(&state);
    for event in ["one", "two"] {
        assert!(text.contains(&format!("| case | `{event}` |")), "{text}");
    }
    let row = "| `test_003_websocket_message_send` | | not looked for | |";
    assert_eq!(text.matches(row).count(), 2, "{text}");
}

#[test]
fn a_step_that_only_forbids_says_whether_it_came() {
    let mut state = stories::first_green();
    plan_of(&mut state, LAST).push(quiet("quiet"));
    let attempts = state.attempts.get_mut(&id(LAST)).expect("it ran");
    let mut seen = events_seen(5);
    (seen.step, seen.expected) = ("quiet".to_owned(), vec![]);
    attempts[0].evidence.events.push(seen);
    assert!(section(&state).contains(&format!("| `{LAST}` | no `error` | |")));
    let attempts = state.attempts.get_mut(&id(LAST)).expect("it ran");
    let last = attempts[0].evidence.events.last_mut().expect("it was pushed");
    last.forbidden = vec!["error".to_owned()];
    assert!(section(&state).contains(&format!("| `{LAST}` | **forbidden came**: `error` | |")));
}

#[test]
fn where_no_case_ran_one_line_says_so() {
    let mut state = stories::timeout();
    for case in ["test_001_websocket_connection", LAST] {
        plan_of(&mut state, case).clear();
    }
    state.attempts.values_mut().flatten().for_each(|attempt| attempt.evidence.events.clear());
    plan_of(&mut state, LAST).extend([quiet("one"), quiet("two")]);
    let text = section(&state);
    assert_eq!(text.trim(), "2 steps would have looked for events; none of their cases ran.");
}
