//! What benchmarks aim at: one small JSON answer, and sockets with five events. Cheap, without state or login.

use super::app::Shared;
use super::distortion::FIVE_EVENTS;
use super::error::{Params, Problem};
use super::socket::{close, send};
use super::upgrade::{Socket, accept, open};
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::Deserialize;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

const BODY: &str = r#"{"status":"ok","id":"bench-1","count":3,"items":["one","two","three"]}"#;
const MAX_DELAY_MS: u64 = 10_000;
const EVENT_EVERY: Duration = Duration::from_millis(20);
/// How long a client may leave its socket open after the last event.
const LINGER: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
pub(super) struct Delay {
    #[serde(default)]
    delay_ms: u64,
}

/// `GET /bench/json?delay_ms=`.
pub(super) async fn get_json(Params(delay): Params<Delay>) -> Response {
    if delay.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay.delay_ms.min(MAX_DELAY_MS))).await;
    }
    ([(header::CONTENT_TYPE, "application/json")], BODY).into_response()
}

/// `GET /bench/ws`: five events, 20 ms apart.
pub(super) async fn get_socket(
    State(app): State<Shared>,
    mut request: Request,
) -> Result<Response, Problem> {
    let (answer, upgrade) = accept(&mut request, None)?;
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        if let Some(mut socket) = open(upgrade).await {
            tokio::select! {
                () = five_events(&mut socket) => {}
                () = app.stop.cancelled() => {}
            }
            close(&mut socket, 1000, "bye").await;
        }
    });
    Ok(answer)
}

async fn five_events(socket: &mut Socket) {
    for name in FIVE_EVENTS {
        tokio::time::sleep(EVENT_EVERY).await;
        let text = format!(r#"{{"type":"{name}","run":"bench"}}"#);
        if send(socket, Message::text(text)).await.is_err() {
            return;
        }
    }
    let goodbye = async {
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() {
                return;
            }
        }
    };
    // Whoever stays longer is sent away.
    let _ = tokio::time::timeout(LINGER, goodbye).await;
}
