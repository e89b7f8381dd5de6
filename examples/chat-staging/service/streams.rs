//! Server-sent events: answers of agents in chunks as they come, and a ticker.

use super::agents::{Order, begin, perform};
use super::app::Shared;
use super::auth::{Anyone, User};
use super::error::{Body, Problem};
use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use serde::Deserialize;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc;

const WORDS_A_CHUNK: usize = 3;
/// Small: a stream whose reader is slow waits for it.
const QUEUE: usize = 4;
const FILLER_EVERY: Duration = Duration::from_millis(50);

/// What a stream is asked.
#[derive(Deserialize)]
pub(super) struct StreamRequest {
    message: String,
    #[serde(default)]
    agent: Option<String>,
    // Clients say `stream: true`; these paths do nothing else.
    #[serde(default, rename = "stream")]
    _stream: Option<bool>,
}

/// `GET /api/agents/stream`: how to use it.
pub(super) async fn get_agent_stream() -> Json<Value> {
    Json(json!({ "transport": "sse", "method": "POST", "events": ["chunk", "end"] }))
}

/// `POST /api/agents/stream`.
pub(super) async fn post_agent_stream(
    State(app): State<Shared>,
    Anyone(user): Anyone,
    Body(request): Body<StreamRequest>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    answer_stream(app, user, &request)
}

/// `POST /api/chat/stream`.
pub(super) async fn post_chat_stream(
    State(app): State<Shared>,
    User(user): User,
    Body(request): Body<StreamRequest>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    answer_stream(app, Some(user), &request)
}

fn answer_stream(
    app: Shared,
    user: Option<String>,
    request: &StreamRequest,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>, Problem> {
    let agent = request.agent.as_deref().unwrap_or("triage");
    let order = Order::new(agent, &request.message, user)?;
    let (events, waiting) = mpsc::channel(QUEUE);
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        // An error means that the reader has gone.
        let _ = write_answer(&app, &order, &events).await;
    });
    Ok(Sse::new(read(waiting)))
}

type Sent = Result<(), mpsc::error::SendError<Event>>;

async fn write_answer(app: &Shared, order: &Order, events: &mpsc::Sender<Event>) -> Sent {
    let run = begin(app, order);
    let Some(answer) = perform(app, &run, order, None).await else { return Ok(()) };
    let chunks = chunks_of(&answer);
    let count = chunks.len();
    for (index, text) in chunks.into_iter().enumerate() {
        let data = json!({ "run_id": run.id, "index": index, "text": text });
        events.send(Event::default().event("chunk").data(data.to_string())).await?;
        tokio::time::sleep(Duration::from_millis(app.config.chunk_ms)).await;
    }
    while app.config.endless_sse && !app.stop.is_cancelled() {
        events.send(Event::default().event("chunk").data("…")).await?;
        tokio::time::sleep(FILLER_EVERY).await;
    }
    let data = json!({ "run_id": run.id, "chunks": count });
    events.send(Event::default().event("end").data(data.to_string())).await
}

/// `GET /api/events/stream`: a tick at once, then one every interval.
pub(super) async fn get_events(
    State(app): State<Shared>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (events, waiting) = mpsc::channel(QUEUE);
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        // An error means that the reader has gone.
        let _ = write_ticks(&app, &events).await;
    });
    Sse::new(read(waiting))
}

async fn write_ticks(app: &Shared, events: &mpsc::Sender<Event>) -> Sent {
    let every = Duration::from_millis(app.config.event_tick_ms.max(1));
    let mut number = 0;
    while app.config.endless_sse || number < app.config.event_ticks {
        let data = json!({ "number": number, "time": super::app::now() });
        events.send(Event::default().event("tick").data(data.to_string())).await?;
        number += 1;
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = app.stop.cancelled() => return Ok(()),
        }
    }
    Ok(())
}

fn read(waiting: mpsc::Receiver<Event>) -> impl Stream<Item = Result<Event, Infallible>> {
    futures_util::stream::unfold(waiting, |mut waiting| async {
        waiting.recv().await.map(|event| (Ok(event), waiting))
    })
}

/// A text in pieces of a few words, which joined give the text again.
pub(super) fn chunks_of(text: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_inclusive(' ').collect();
    words.chunks(WORDS_A_CHUNK).map(<[&str]>::concat).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_lose_nothing() {
        let text = "one two  three four five";
        let chunks = chunks_of(text);
        assert!(chunks.len() >= 2);
        assert_eq!(chunks.concat(), text);
    }
}
