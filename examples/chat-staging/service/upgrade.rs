//! The WebSocket handshake, by hand: one tungstenite in the program, and read buffers of 4 KiB instead of 128.

use super::error::Problem;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

const BUFFER: usize = 4 * 1024;
/// The largest message that is read at all; what a conversation accepts is less.
const MAX_MESSAGE: usize = 64 * 1024;
const UPGRADE_DEADLINE: Duration = Duration::from_secs(10);

/// The 101 answer to `request`, and what becomes the socket once it is sent.
pub(super) fn accept(
    request: &mut Request,
    protocol: Option<&'static str>,
) -> Result<(Response, OnUpgrade), Problem> {
    let headers = request.headers();
    if !names(headers, &header::UPGRADE, "websocket")
        || !names(headers, &header::CONNECTION, "upgrade")
    {
        return Err(Problem::upgrade_required());
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Problem::bad_request("WebSocket version 13 is spoken here"));
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return Err(Problem::bad_request("Sec-WebSocket-Key is missing"));
    };
    let mut answer = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::UPGRADE, "websocket")
        .header(header::CONNECTION, "Upgrade")
        .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()));
    if let Some(protocol) = protocol {
        answer = answer.header(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let answer = answer.body(Body::empty()).expect("all parts of the answer are valid");
    Ok((answer, hyper::upgrade::on(request)))
}

/// The socket, or `None` when the client went away in between.
pub(super) async fn open(upgrade: OnUpgrade) -> Option<Socket> {
    let upgraded = tokio::time::timeout(UPGRADE_DEADLINE, upgrade).await.ok()?.ok()?;
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * MAX_MESSAGE)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let io = TokioIo::new(upgraded);
    Some(WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await)
}

/// Whether a comma-separated header holds `token`.
fn names(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}
