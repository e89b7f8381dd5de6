//! Answers of our own: what a fault makes of a request, and what cannot be passed on.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{
    ACCEPT, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// What goes back to the command.
pub(super) type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// The content that says nothing.
const EMPTY: &str = "{}";

/// A text of ours as a body.
pub(super) fn body(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

/// The answer of a service that is broken.
pub(super) fn broken(status: StatusCode) -> Response<Body> {
    let text = format!("{{\"error\":\"andon prove: every answer is {}\"}}", status.as_u16());
    json(status, text)
}

/// The answer of a service that says nothing.
pub(super) fn empty() -> Response<Body> {
    json(StatusCode::OK, EMPTY.to_owned())
}

/// How many events a stream has that says nothing.
const EVENTS: usize = 100;

/// The answer of a service that says nothing, in so many events.
pub(super) fn empty_events() -> Response<Body> {
    let mut response = Response::new(body(format!("data: {EMPTY}\n\n").repeat(EVENTS)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

/// Whether a request asks for a stream of events.
pub(super) fn wants_events(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/event-stream")
    })
}

fn json(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(body(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What cannot be passed on, and why.
pub(super) fn cannot(status: StatusCode, why: &str) -> Response<Body> {
    let mut response = Response::new(body(format!("andon's proxy: {why}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// The key of a handshake, where a request asks for a WebSocket.
pub(super) fn socket_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let wanted = headers.get(UPGRADE)?.to_str().ok()?;
    wanted.eq_ignore_ascii_case("websocket").then(|| headers.get(SEC_WEBSOCKET_KEY).cloned())?
}

/// Opens a WebSocket on which every message is empty, and what serves it.
pub(super) fn empty_socket(
    request: &mut Request<Incoming>,
    key: &HeaderValue,
) -> (Response<Body>, impl Future<Output = ()> + Send + use<>) {
    let upgraded = hyper::upgrade::on(&mut *request);
    let mut response = Response::new(body(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    let offered = request.headers().get(SEC_WEBSOCKET_PROTOCOL);
    let first = offered.and_then(|offered| offered.to_str().ok()?.split(',').next());
    if let Some(first) = first.and_then(|first| HeaderValue::try_from(first.trim()).ok()) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, first);
    }
    let talk = async move {
        let Ok(upgraded) = upgraded.await else { return };
        let io = TokioIo::new(upgraded);
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
        // The command's own deadline, or the end of the run, ends this.
        loop {
            if socket.send(Message::text(EMPTY)).await.is_err() {
                return;
            }
            let Some(Ok(_)) = socket.next().await else { return };
        }
    };
    (response, talk)
}
