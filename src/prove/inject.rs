//! What a faulty service does in place of the ideal one.

use super::Fault;
use super::answer::{Ideal, Reply, Script, StreamEvent, perfect};
use super::example::Fresh;
use super::names::{OwnNames, Stranger};
use crate::domain::spec::{Action, Step};
use crate::domain::template::{Lookup, Template};

/// The body of an error, as services send it.
const ERROR: &str = r#"{"error":"the service is not well"}"#;
/// What is left of a body.
const EMPTY: &str = "{}";

/// What is needed to make up an answer.
pub struct Injection<'a> {
    /// What is wrong; `None` is the ideal service.
    pub fault: Option<Fault>,
    /// Which values belong to this run.
    pub own: &'a OwnNames,
    /// Ids that no answer had before.
    pub fresh: &'a mut Fresh,
}

/// What the service does at a step.
///
/// # Errors
/// What of the ideal answer could not be made up.
pub fn inject(step: &Step, lookup: &dyn Lookup, injection: Injection<'_>) -> Ideal {
    let Injection { fault, own, fresh } = injection;
    let Some(fault) = fault else { return perfect(step, lookup, fresh) };
    if is_of_another_run(fault, step) {
        return match perfect(step, &Stranger::new(own, lookup), fresh) {
            Ok(script) => Ok(script),
            // What another run would answer is not always known; then it answers nothing of use.
            Err(_unknown) => Ok(emptied(perfect(step, lookup, fresh)?)),
        };
    }
    let script = perfect(step, lookup, fresh)?;
    Ok(match fault {
        Fault::Status500 => with_status(script, 500),
        Fault::Status404 => with_status(script, 404),
        Fault::EmptyJson => emptied(script),
        Fault::EventsMissing => without_events(script),
        Fault::EventsReordered => match &step.expect.events {
            Some(events) if events.ordered => reordered(script, &events.all),
            Some(_) | None => script,
        },
        // Not in what is said, but in whether, when and for how long.
        Fault::Refused
        | Fault::NoAnswer
        | Fault::WsClose1011
        | Fault::EventsForeign
        | Fault::Slow
        | Fault::Stale => script,
    })
}

/// Requests and events are told apart: each has a fault of its own.
fn is_of_another_run(fault: Fault, step: &Step) -> bool {
    let is_request = match &step.action {
        Action::Http(_) => true,
        Action::Ws(_) | Action::Sse(_) => false,
    };
    match fault {
        Fault::Stale => is_request,
        Fault::EventsForeign => !is_request,
        Fault::Status500
        | Fault::Status404
        | Fault::EmptyJson
        | Fault::Refused
        | Fault::NoAnswer
        | Fault::WsClose1011
        | Fault::EventsMissing
        | Fault::EventsReordered
        | Fault::Slow => false,
    }
}

fn with_status(script: Script, status: u16) -> Script {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    match script {
        Script::Socket { open: None, .. } => script,
        Script::Answer(_) | Script::Stream { .. } | Script::Socket { .. } => {
            Script::Answer(Reply { status, headers, body: ERROR.to_owned() })
        }
    }
}

fn emptied(script: Script) -> Script {
    match script {
        Script::Answer(reply) => Script::Answer(Reply { body: EMPTY.to_owned(), ..reply }),
        Script::Stream { head, events } => {
            let empty = |_| StreamEvent { name: None, data: EMPTY.to_owned() };
            Script::Stream { head, events: events.into_iter().map(empty).collect() }
        }
        Script::Socket { open, session, frames, close } => {
            let frames = frames.into_iter().map(|_| EMPTY.to_owned()).collect();
            Script::Socket { open, session, frames, close }
        }
    }
}

fn without_events(script: Script) -> Script {
    match script {
        Script::Answer(_) => script,
        Script::Stream { head, .. } => Script::Stream { head, events: Vec::new() },
        Script::Socket { open, session, close, .. } => {
            Script::Socket { open, session, frames: Vec::new(), close }
        }
    }
}

fn reordered(script: Script, names: &[Template]) -> Script {
    match script {
        Script::Answer(_) => script,
        Script::Stream { head, mut events } => {
            change_order(&mut events, names);
            Script::Stream { head, events }
        }
        Script::Socket { open, session, mut frames, close } => {
            change_order(&mut frames, names);
            Script::Socket { open, session, frames, close }
        }
    }
}

/// The opposite order; where that reads the same, the first comes last.
fn change_order<T>(all: &mut [T], names: &[Template]) {
    let reads_the_same = names.iter().eq(names.iter().rev());
    match reads_the_same && !all.is_empty() {
        true => all.rotate_left(1),
        false => all.reverse(),
    }
}
