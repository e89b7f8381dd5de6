//! Events of cycles as they become durable, to whoever listens: over server-sent events or a
//! WebSocket.

mod feed;
mod socket;

use std::convert::Infallible;
use std::time::Duration;

use axum::response::IntoResponse as _;
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use futures_util::stream;
use http::StatusCode;
use serde::Deserialize;

pub(super) use socket::socket;

use super::call::{Answer, Call};
use super::problem::Problem;
use crate::domain::names::PipelineName;
use crate::store::{CycleKey, Which};
use feed::{Feed, News, Wanted};

/// So that a listener that is gone is found, and proxies keep the connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What to listen to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    pipeline: Option<String>,
    cycle: Option<u32>,
    after: Option<u64>,
}

/// `GET events`
pub(super) async fn events(call: Call) -> Answer {
    let wanted = wanted(&call).await?;
    let Some(feed) = Feed::open(&call, wanted).await? else {
        // The cycle is over and was told whole: a browser asks no more after this status.
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let events = stream::unfold(feed, |mut feed| async move {
        let news = feed.next().await?;
        Some((Ok::<_, Infallible>(sse(&news)), feed))
    });
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(Sse::new(events).keep_alive(keep_alive).into_response())
}

fn sse(news: &News) -> SseEvent {
    let event = SseEvent::default().event(news.kind()).data(news.json());
    match news.id() {
        Some(id) => event.id(id),
        None => event,
    }
}

/// What a request wants to listen to.
async fn wanted(call: &Call) -> Result<Wanted, Problem> {
    let Ask { pipeline, cycle, after } = call.query()?;
    let resumed = call.header("last-event-id").map(parse_id).transpose()?;
    let pipeline = match pipeline {
        Some(name) => {
            PipelineName::parse(&name).map_err(|fault| Problem::bad_request(fault.to_string()))?;
            Some(call.pipeline_named(&name).await?)
        }
        None => None,
    };
    let Some(cycle) = cycle else {
        if after.is_some() {
            return Err(Problem::bad_request("`after` counts within a cycle: give `cycle`, too"));
        }
        return Ok(Wanted { pipeline, cycle: None, resumed });
    };
    let pipeline =
        pipeline.ok_or_else(|| Problem::bad_request("`cycle` is a number within a `pipeline`"))?;
    let known = call.site.store().find_cycle(&pipeline, Which::Number(cycle)).await?;
    let key = known
        .ok_or_else(|| Problem::not_found(format!("pipeline {pipeline} has no cycle {cycle}")))?
        .key();
    let of_this = resumed.filter(|(resumed, _)| *resumed == key).map(|(_, seq)| seq);
    let seq = of_this.or(after).unwrap_or(0);
    Ok(Wanted { pipeline: None, cycle: Some(key.clone()), resumed: Some((key, seq)) })
}

/// `PIPELINE/CYCLE/SEQ`: what identifies an event.
fn parse_id(text: &str) -> Result<(CycleKey, u64), Problem> {
    let mut parts = text.trim().split('/');
    let parsed = (|| {
        let pipeline = PipelineName::parse(parts.next()?).ok()?;
        let (cycle, seq) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        parts.next().is_none().then(|| (CycleKey::new(pipeline, cycle), seq))
    })();
    parsed.ok_or_else(|| Problem::bad_request("`Last-Event-ID` is no id of an event of ours"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_event_is_identified_by_its_place_in_the_ledger() {
        let (cycle, seq) = parse_id("chat-staging/7/12").unwrap();
        assert_eq!((cycle.pipeline.as_str(), cycle.cycle, seq), ("chat-staging", 7, 12));
        for text in ["", "chat/7", "chat/7/12/1", "Chat/7/12", "chat/x/1", "chat/1/-1"] {
            assert!(parse_id(text).is_err(), "{text}");
        }
    }
}
