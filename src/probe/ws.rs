//! WebSockets: the handshake as a plain HTTP exchange over our own dialer, so that a refusal is seen
//! with its status and body; then frames.

mod keep_alive;
mod session;

use std::pin::pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::header::{
    CONNECTION, HOST, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::answer::{HttpAnswer, head_bytes, header_texts, read_body};
use super::client::{Call, Client};
use super::dial::{DialOptions, micros};
use super::fault::{Fault, FaultKind};
use super::request::{WsRequest, header};
use super::target::Target;
use super::trace::{Evidencer, Stage, Trace};
use super::transport::Transport;
use super::turns::{TAKEN_UP, Turn};
use crate::domain::evidence::{Exchange, Protocol};

pub use session::{AfterMessage, WsEnd, WsSession};

/// What came of a handshake.
#[derive(Debug)]
pub struct WsOpening {
    /// The exchange; for an open socket it goes on with the frames of the step.
    pub exchange: Exchange,
    /// The answer to the handshake with the socket, if it was 101; or why there is none.
    pub outcome: Result<(HttpAnswer, Option<Box<WsSession>>), Fault>,
}

impl Client {
    /// Opens a WebSocket on a connection of its own.
    pub async fn open_ws(&self, request: WsRequest, call: Call<'_>) -> WsOpening {
        let evidencer = self.evidencer().clone();
        let mut trace =
            Trace::begin(call.step, Protocol::Ws, "GET", request.url.as_str(), &evidencer);
        let place = Target::of(&request.url).map(|target| target.authority()).unwrap_or_default();
        let handshake = self.handshake(&request, call, &mut trace);
        let outcome = match timeout_at(call.deadline.at, handshake).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(trace.timeout(&place, call.deadline.limit)),
        };
        match outcome {
            Err(fault) => {
                WsOpening { exchange: trace.finish(Some(&fault), &evidencer), outcome: Err(fault) }
            }
            Ok((answer, transport)) => {
                let exchange = trace.finish(None, &evidencer);
                let answer = HttpAnswer {
                    total: Duration::from_micros(exchange.timings.total_us),
                    ..answer
                };
                let session = match transport {
                    None => None,
                    Some((transport, early)) => Some(Box::new(
                        WsSession::begin(&exchange, place, transport, early, &evidencer).await,
                    )),
                };
                WsOpening { exchange, outcome: Ok((answer, session)) }
            }
        }
    }

    async fn handshake(
        &self,
        request: &WsRequest,
        call: Call<'_>,
        trace: &mut Trace,
    ) -> Result<(HttpAnswer, Option<(Transport, Bytes)>), Fault> {
        let target = Target::of(&request.url)?;
        let place = target.authority();
        let options = DialOptions { tls: &request.tls, http2: false };
        let (transport, turn) = self.shared.dialer.dial(&target, options, trace).await?;
        let broken = |error: hyper::Error| Fault::from_hyper(&error, &place);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(transport)).await.map_err(broken)?;
        self.shared.tasks.spawn(connection.with_upgrades());

        let key = STANDARD.encode(uuid::Uuid::new_v4().as_bytes());
        let mut outgoing = outgoing(request, &target, &key)?;
        self.add_cookies(outgoing.headers_mut(), &request.url, call.cookies)?;
        trace.enter(Stage::Waiting);
        trace.exchange.bytes_sent = head_bytes(request.url.path().len() + 13, outgoing.headers());
        let sent_at = Instant::now();
        let answer = sender.send_request(outgoing);
        let mut response = until_taken_up(turn, answer).await.map_err(broken)?;
        trace.exchange.timings.first_byte_us = Some(micros(sent_at));
        trace.exchange.status = Some(response.status().as_u16());
        trace.exchange.version = Some("HTTP/1.1".to_owned());
        trace.exchange.bytes_received = head_bytes(15, response.headers());

        let mut answer = HttpAnswer {
            status: response.status().as_u16(),
            headers: header_texts(response.headers()),
            body: Bytes::new(),
            total: Duration::ZERO,
            first_byte: None,
            tls_seconds_left: trace.exchange.tls.as_ref().map(|tls| tls.seconds_left),
            remote: trace.exchange.remote.clone(),
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let opened = upgrade(response, &key, &place, trace, self.evidencer()).await?;
            return Ok((answer, Some(opened)));
        }
        let mut so_far = BytesMut::new();
        let read = read_body(response.body_mut(), sent_at, &place, trace, &mut so_far).await?;
        trace.exchange.body = Some(self.evidencer().excerpt(&read.bytes));
        answer.body = read.bytes;
        answer.first_byte = read.first_byte;
        Ok((answer, None))
    }
}

/// Waits for an answer, and lets the next connection go when it comes or the server is merely slow.
async fn until_taken_up<T>(turn: Turn, answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    let soon = timeout(TAKEN_UP, answer.as_mut()).await;
    drop(turn);
    match soon {
        Ok(answer) => answer,
        Err(_slow) => answer.await,
    }
}

fn outgoing(
    request: &WsRequest,
    target: &Target,
    key: &str,
) -> Result<http::Request<Full<Bytes>>, Fault> {
    let bad = |fault: String| Fault::new(FaultKind::BadRequest, fault);
    let mut out = http::Request::new(Full::new(Bytes::new()));
    *out.uri_mut() = request.url[url::Position::BeforePath..]
        .parse()
        .map_err(|fault: http::uri::InvalidUri| bad(fault.to_string()))?;
    let headers = out.headers_mut();
    *headers = request.headers.clone();
    let host = HeaderValue::try_from(target.authority()).map_err(|f| bad(f.to_string()))?;
    headers.entry(HOST).or_insert(host);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key = HeaderValue::try_from(key).map_err(|fault| bad(fault.to_string()))?;
    headers.insert(SEC_WEBSOCKET_KEY, key);
    if !request.subprotocols.is_empty() {
        let list = request.subprotocols.join(", ");
        let (name, value) = header(SEC_WEBSOCKET_PROTOCOL.as_str(), &list)?;
        headers.insert(name, value);
    }
    Ok(out)
}

/// Checks a 101 (RFC 6455, 4.1) and takes the connection over.
async fn upgrade(
    response: Response<Incoming>,
    key: &str,
    place: &str,
    trace: &mut Trace,
    evidencer: &Evidencer,
) -> Result<(Transport, Bytes), Fault> {
    let wrong =
        |what: &str| Fault::new(FaultKind::Protocol, format!("{place} answered 101, but {what}"));
    let headers = response.headers();
    let text = |name: &http::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if !text(&UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return Err(wrong("does not upgrade to websocket"));
    }
    if text(&SEC_WEBSOCKET_ACCEPT) != Some(derive_accept_key(key.as_bytes()).as_str()) {
        return Err(wrong("its Sec-WebSocket-Accept does not fit our key"));
    }
    // Some services take a token as a subprotocol, and name it when they accept.
    trace.exchange.subprotocol = text(&SEC_WEBSOCKET_PROTOCOL).map(|name| evidencer.mask(name));
    let upgraded =
        hyper::upgrade::on(response).await.map_err(|error| Fault::from_hyper(&error, place))?;
    let parts = upgraded
        .downcast::<TokioIo<Transport>>()
        .map_err(|_| wrong("the connection cannot be taken over"))?;
    Ok((parts.io.into_inner(), parts.read_buf))
}
