//! A step on a server-sent stream, read no longer than it must.

use serde_json::Value;
use tokio::time::Instant;

use super::http_step::{from_fault, seen, unfinished, uses_identity};
use super::iteration::Iteration;
use super::lookup::EnvLookup;
use crate::domain::spec::{HttpRequest, Step};
use crate::probe::{
    AfterMessage, Call, ConnectionUse, Deadline, HttpAnswer, SseEvent, StreamEnd, render_request,
};
use crate::verdict::{
    EventsEnd, Finding, Message, MessageFold, Progress, judge_http, judge_stream,
};

/// Performs a step on a stream; what it saw goes into the evidence of the iteration.
pub(super) async fn perform(
    iteration: &mut Iteration<'_>,
    step: &Step,
    request: &HttpRequest,
    deadline: Deadline,
    lookup: &EnvLookup<'_>,
) -> Result<Vec<(String, Value)>, Finding> {
    let started = Instant::now();
    let expect = &step.expect;
    let rendered = render_request(request, lookup).map_err(|fault| from_fault(&fault))?;
    let mut fold = MessageFold::new(expect, &step.capture, lookup)?;
    let within = expect.events.as_ref().map(|events| Deadline::from(started, events.within));
    let deadline = within.map_or(deadline, |within| deadline.or_sooner(within));
    let call = Call {
        step: &step.name,
        deadline,
        connection: ConnectionUse::Shared,
        cookies: Some(&iteration.cookies),
    };
    let wants_messages = fold.wants_messages();
    let mut take = |event: &SseEvent, at_ms: u64| {
        let message = Message::new(at_ms, &event.data, event.event.as_deref());
        let name = fold.name_of(&message).or_else(|| event.event.clone());
        let progress = fold.push(&message, lookup);
        AfterMessage { event: name, stop: progress != Progress::NeedMore }
    };
    let reads = wants_messages || expect.first_byte.is_some();
    let client = iteration.env.client().clone();
    let result = match reads {
        true => client.stream(rendered, call, Some(&mut take)).await,
        false => client.stream(rendered, call, None).await,
    };
    let identity = uses_identity(iteration.env, request);
    let outcome = result
        .outcome
        .map_err(|fault| unfinished(&fault, result.exchanges.last(), identity, expect, lookup));
    result.exchanges.into_iter().for_each(|exchange| iteration.evidence.record(exchange));
    let (answer, end) = outcome?;
    let Some(end) = end else {
        return judge_refusal(&answer, identity, step, lookup);
    };
    let end = match end {
        StreamEnd::Stopped => EventsEnd::Satisfied,
        StreamEnd::Ended => EventsEnd::StreamEnded,
        StreamEnd::Deadline => {
            EventsEnd::Deadline { limit: deadline.limit, waited: started.elapsed() }
        }
        StreamEnd::Cut(fault) => EventsEnd::Cut(fault.message),
    };
    let folded = fold.finish(&step.name, &end);
    iteration.evidence.events.extend(folded.events);
    judge_stream(&seen(&answer), expect, lookup)?;
    folded.judgement?;
    Ok(folded.captured)
}

/// An answer that is no stream: its status says why, or is what was expected.
fn judge_refusal(
    answer: &HttpAnswer,
    with_identity: bool,
    step: &Step,
    lookup: &EnvLookup<'_>,
) -> Result<Vec<(String, Value)>, Finding> {
    let mut seen = seen(answer);
    seen.with_identity = with_identity;
    judge_http(&seen, &step.expect, lookup).map(|()| Vec::new())
}
