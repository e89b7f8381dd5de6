//! The live events over a WebSocket. The handshake is done by hand, because everything else about
//! WebSockets is in the tree already: RFC 6455, section 4.2.

use std::time::Duration;

use axum::response::IntoResponse as _;
use futures_util::{SinkExt as _, StreamExt as _};
use http::StatusCode;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::value::RawValue;
use tokio::time::{Instant, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::feed::{Feed, News};
use super::wanted;
use crate::web::call::{Answer, Call};
use crate::web::problem::Problem;
use crate::web::server::Slot;

/// How often a quiet listener is asked whether it is there.
const PING: Duration = Duration::from_secs(20);
/// A listener that has said nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// A message must be taken by then.
const SEND_TIME: Duration = Duration::from_secs(30);
/// A client that asked for the upgrade makes it by then.
const UPGRADE_TIME: Duration = Duration::from_secs(10);
/// A listener has nothing to say that is longer.
const MAX_INCOMING: usize = 16 << 10;
/// What waits to be taken by a listener.
const MAX_OUTGOING: usize = 256 << 10;

/// `GET events/ws`
pub(in crate::web) async fn socket(mut call: Call) -> Answer {
    let accept = accept(&call)?;
    let wanted = wanted(&call).await?;
    let feed = Feed::open(&call, wanted).await?;
    let upgrade = call.parts.extensions.remove::<OnUpgrade>();
    let slot = call.parts.extensions.remove::<Slot>();
    let (Some(upgrade), Some(slot)) = (upgrade, slot) else {
        return Err(Problem::bad_request("the connection cannot be upgraded"));
    };
    let tasks = slot.tasks.clone();
    tasks.spawn(async move {
        let upgraded = timeout(UPGRADE_TIME, upgrade).await;
        if let (Ok(Ok(upgraded)), Some(feed)) = (upgraded, feed) {
            talk(upgraded, feed).await;
        }
        drop(slot);
    });
    let headers = [
        (CONNECTION, "Upgrade".to_owned()),
        (UPGRADE, "websocket".to_owned()),
        (SEC_WEBSOCKET_ACCEPT, accept),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// The answer to the key of a handshake.
fn accept(call: &Call) -> Result<String, Problem> {
    let says = |name: http::HeaderName, word: &str| {
        let value = call.header(name.as_str()).unwrap_or_default();
        value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    let is_handshake = says(CONNECTION, "upgrade")
        && says(UPGRADE, "websocket")
        && call.header(SEC_WEBSOCKET_VERSION.as_str()) == Some("13");
    let key = call.header(SEC_WEBSOCKET_KEY.as_str()).filter(|key| key.len() == 24);
    match key {
        Some(key) if is_handshake => Ok(derive_accept_key(key.as_bytes())),
        _ => {
            Err(Problem::new(StatusCode::UPGRADE_REQUIRED, "this address speaks WebSocket 13 only")
                .help("GET /api/v1/events has the same as server-sent events"))
        }
    }
}

async fn talk(upgraded: Upgraded, mut feed: Feed) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_INCOMING))
        .max_frame_size(Some(MAX_INCOMING))
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_OUTGOING);
    let io = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let mut pings = interval(PING);
    let mut heard_at = Instant::now();
    loop {
        let message = tokio::select! {
            news = feed.next() => match news {
                Some(news) => text(&news),
                None => break,
            },
            heard = socket.next() => match heard {
                Some(Ok(message)) if !message.is_close() => { heard_at = Instant::now(); continue }
                _ => break,
            },
            _ = pings.tick() => {
                if heard_at.elapsed() > SILENCE { return }
                Message::Ping(Vec::new().into())
            }
        };
        match timeout(SEND_TIME, socket.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
    // Whether it hears the end is up to it.
    let _ = timeout(SEND_TIME, socket.close(None)).await;
}

/// A message: its kind and id, as the fields of a server-sent event, and its data.
fn text(news: &News) -> Message {
    #[derive(serde::Serialize)]
    struct Line {
        #[serde(rename = "type")]
        kind: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        data: Box<RawValue>,
    }
    let data = RawValue::from_string(news.json()).expect("it is JSON");
    let line = Line { kind: news.kind(), id: news.id(), data };
    Message::Text(serde_json::to_string(&line).expect("it is plain data").into())
}
