//! Which faults concern a case: those that it should notice, by what it does and expects. The rules and
//! their reasons stand in `docs/prove.md`.

use super::Fault;
use super::answer::{awaits_events, awaits_messages, status_of};
use super::names::OwnNames;
use crate::domain::spec::{Action, Case, Condition, Matcher, Step};
use crate::domain::template::JsonTemplate;

/// Whether a fault concerns a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// The case should notice it.
    Yes,
    /// It need not, and why.
    No(&'static str),
}

/// Whether a fault concerns a case.
pub fn applies(fault: Fault, case: &Case, own: &OwnNames) -> Applies {
    let steps = case.steps.as_slice();
    let (applies, why_not) = match fault {
        Fault::Refused | Fault::NoAnswer => (true, ""),
        Fault::Status500 => {
            (steps.iter().any(|step| minds(step, 500)), "every answer is expected to be a 500")
        }
        Fault::Status404 => {
            (steps.iter().any(|step| minds(step, 404)), "every answer is expected to be a 404")
        }
        Fault::EmptyJson => {
            (steps.iter().any(has_content), "no answer is expected to say anything")
        }
        Fault::WsClose1011 => {
            (goes_on_after_a_frame(steps), "nothing is expected of a socket after its first frame")
        }
        Fault::EventsMissing => {
            (steps.iter().any(|step| awaits_events(&step.expect)), "no events are expected")
        }
        Fault::EventsReordered => {
            (steps.iter().any(has_an_order), "no step says `ordered: true` of two different events")
        }
        Fault::EventsForeign => (
            awaits_own_events(steps, own),
            "no events are expected that belong to what the case did",
        ),
        Fault::Slow => (has_a_limit(case), "no limit but the timeout, which `no_answer` tries"),
        Fault::Stale => (
            steps.iter().any(|step| asks_for_its_own(step, own)),
            "no request or expectation says anything that another run would not say as well",
        ),
    };
    if applies { Applies::Yes } else { Applies::No(why_not) }
}

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// At every step: the whole service is wrong.
    Everywhere,
    /// At one step alone, by its place in the case: no step before it may notice in its stead.
    Step(usize),
}

/// The ways in which a fault that concerns a case is tried. A case notices it when it fails in each.
pub fn aims(fault: Fault, case: &Case) -> Vec<Aim> {
    let at = |concerns: &dyn Fn(&Step) -> bool| {
        let steps = case.steps.iter().enumerate().filter(|(_, step)| concerns(step));
        steps.map(|(place, _)| Aim::Step(place)).collect()
    };
    match fault {
        Fault::Status500 => at(&|step| minds(step, 500)),
        Fault::Status404 => at(&|step| minds(step, 404)),
        Fault::EventsMissing => at(&|step| awaits_events(&step.expect)),
        Fault::EventsReordered => at(&has_an_order),
        // A connection belongs to several steps. That one answer among others says nothing, or what it
        // said to another run, is often noticed by what follows from it, if at all.
        Fault::EmptyJson
        | Fault::Refused
        | Fault::NoAnswer
        | Fault::WsClose1011
        | Fault::EventsForeign
        | Fault::Slow
        | Fault::Stale => vec![Aim::Everywhere],
    }
}

/// Whether a step waits for a status and this one is not what it wants.
fn minds(step: &Step, status: u16) -> bool {
    let waits = match &step.action {
        Action::Http(_) | Action::Sse(_) => true,
        Action::Ws(ws) => ws.open.is_some(),
    };
    let refused = step.expect.refused.as_ref().and_then(|refused| refused.status.as_ref());
    let wanted = refused.or(step.expect.status.as_ref());
    waits && !wanted.is_some_and(|matcher| names(matcher, status))
}

/// Whether an error is wanted by name. Among statuses of success it is only put up with.
fn names(matcher: &Matcher, status: u16) -> bool {
    let of = |template: &JsonTemplate| template.render(&|_: &str| None).ok()?.as_u64();
    let is = |template: &JsonTemplate| of(template) == Some(u64::from(status));
    let is_error = |template: &JsonTemplate| of(template).is_some_and(|status| status >= 400);
    matcher.conditions.iter().any(|condition| match condition {
        Condition::Equals(value) => is(value),
        Condition::OneOf(values) => values.iter().any(is) && values.iter().all(is_error),
        Condition::Not(_)
        | Condition::Contains(_)
        | Condition::Matches(_)
        | Condition::Exists(_)
        | Condition::Type(_)
        | Condition::Compare(..)
        | Condition::Length(_)
        | Condition::Each(_)
        | Condition::Schema(_) => false,
    })
}

/// Whether a good answer has something to say: one with a body, or messages.
fn has_content(step: &Step) -> bool {
    match &step.action {
        Action::Http(request) => {
            let status = status_of(step.expect.status.as_ref(), 200, &|_: &str| None);
            let expect = &step.expect;
            let says = !expect.json.is_empty() || expect.body.is_some() || expect.schema.is_some();
            let has_body = |s: u16| (200..=299).contains(&s) && s != 204 && s != 205;
            (says || status.is_none_or(has_body)) && request.method != "HEAD"
        }
        Action::Sse(_) | Action::Ws(_) => awaits_messages(step),
    }
}

/// Whether some socket must go on after one frame: with another, or to a close of its own.
fn goes_on_after_a_frame(steps: &[Step]) -> bool {
    let mut frames: Vec<(&str, usize)> = Vec::new();
    for step in steps {
        let Action::Ws(ws) = &step.action else { continue };
        let session = ws.session.as_deref().unwrap_or_default();
        if ws.open.is_some() {
            frames.retain(|(name, _)| *name != session);
            frames.push((session, 0));
        }
        let events = step.expect.events.as_ref().map_or(0, |events| events.all.len());
        let more = events.max(usize::from(awaits_messages(step)));
        if let Some((_, count)) = frames.iter_mut().find(|(name, _)| *name == session) {
            *count += more;
            if *count > 1 || (*count > 0 && step.expect.close.is_some()) {
                return true;
            }
        }
    }
    false
}

fn has_an_order(step: &Step) -> bool {
    step.expect.events.as_ref().is_some_and(|events| {
        let first = events.all.first();
        events.ordered && events.all.iter().any(|name| Some(name) != first)
    })
}

/// Whether events are expected that belong to what the case did: it sent a value of its own before, or
/// says one in what it expects.
fn awaits_own_events(steps: &[Step], own: &OwnNames) -> bool {
    let mut sent = false;
    steps.iter().any(|step| {
        let (Action::Ws(_) | Action::Sse(_)) = &step.action else { return false };
        sent |= own.are_sent_by(step);
        awaits_events(&step.expect) && (sent || own.are_expected_by(&step.expect))
    })
}

fn has_a_limit(case: &Case) -> bool {
    let of_step = |step: &Step| {
        let expect = &step.expect;
        expect.latency.is_some()
            || expect.first_byte.is_some()
            || step.timeout.is_some()
            || awaits_events(expect)
    };
    !case.latency.is_empty() || case.steps.iter().any(of_step)
}

fn asks_for_its_own(step: &Step, own: &OwnNames) -> bool {
    match &step.action {
        // An answer without content is the same whoever asked.
        Action::Http(_) => {
            has_content(step) && (own.are_sent_by(step) || own.are_expected_by(&step.expect))
        }
        Action::Sse(_) | Action::Ws(_) => false,
    }
}
