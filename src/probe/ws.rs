//! WebSockets: the handshake as a plain HTTP exchange over our own dialer, so that a refusal is seen
//! with its status and body; then frames.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{
    CONNECTION, HOST, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as WsError, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

use super::answer::{HttpAnswer, head_bytes, header_texts, read_body};
use super::client::{Call, Client};
use super::dial::{DialOptions, micros};
use super::fault::{Fault, FaultKind};
use super::request::{WsRequest, header};
use super::target::Target;
use super::trace::{Evidencer, Stage, Trace};
use super::transport::Transport;
use crate::domain::evidence::{CloseSeen, Direction, Exchange, Frame, Protocol, TlsSeen};

/// The library's default of 128 KiB would cost 135 MiB at a thousand sockets.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// A longer message ends the socket.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// How long a server may take to answer our close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// What came of a handshake.
#[derive(Debug)]
pub struct WsOpening {
    /// The exchange; for an open socket it goes on with the frames of the step.
    pub exchange: Exchange,
    /// The answer to the handshake with the socket, if it was 101; or why there is none.
    pub outcome: Result<(HttpAnswer, Option<Box<WsSession>>), Fault>,
}

/// An open WebSocket.
#[derive(Debug)]
pub struct WsSession {
    socket: WebSocketStream<Transport>,
    evidencer: Evidencer,
    opened: Instant,
    url: String,
    place: String,
    remote: Option<String>,
    tls: Option<Box<TlsSeen>>,
    subprotocol: Option<String>,
    /// How it ended, once it has: every later read says the same.
    ended: Option<WsEnd>,
}

/// What a reader says after one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AfterMessage {
    /// The name of the event that the message is, for the evidence.
    pub event: Option<String>,
    /// Whether it has what it wants.
    pub stop: bool,
}

/// Why no further message was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WsEnd {
    /// The reader had what it wanted.
    Stopped,
    /// The deadline passed.
    Deadline,
    /// The server closed the socket; 1005 where it gave no code (RFC 6455, 7.1.5).
    Closed {
        /// The code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// The connection ended without a close frame.
    Cut(Fault),
}

impl Client {
    /// Opens a WebSocket on a connection of its own.
    pub async fn open_ws(&self, request: WsRequest, call: Call<'_>) -> WsOpening {
        let evidencer = self.evidencer().clone();
        let mut trace =
            Trace::begin(call.step, Protocol::Ws, "GET", request.url.as_str(), &evidencer);
        let place = Target::of(&request.url).map(|target| target.authority()).unwrap_or_default();
        let handshake = self.handshake(&request, call, &mut trace);
        let outcome = match timeout_at(call.deadline, handshake).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(trace.timeout(&place)),
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
                        session(&exchange, place, transport, early, &evidencer).await,
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
        let transport = self.shared.dialer.dial(&target, options, trace).await?;
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
        let mut response = sender.send_request(outgoing).await.map_err(broken)?;
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

async fn session(
    exchange: &Exchange,
    place: String,
    transport: Transport,
    early: Bytes,
    evidencer: &Evidencer,
) -> WsSession {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_MESSAGE_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let socket =
        WebSocketStream::from_partially_read(transport, early.to_vec(), Role::Client, Some(config))
            .await;
    WsSession {
        socket,
        evidencer: evidencer.clone(),
        opened: Instant::now(),
        url: exchange.url.clone(),
        place,
        remote: exchange.remote.clone(),
        tls: exchange.tls.clone(),
        subprotocol: exchange.subprotocol.clone(),
        ended: None,
    }
}

impl WsSession {
    /// An exchange for a further step on this socket.
    pub fn next_exchange(&self, step: &str) -> Exchange {
        let mut exchange = Exchange::begin(step, Protocol::Ws, "GET", &self.url);
        exchange.remote.clone_from(&self.remote);
        exchange.tls.clone_from(&self.tls);
        exchange.subprotocol.clone_from(&self.subprotocol);
        exchange
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// When the socket has ended, or the message cannot be handed over by the deadline.
    pub async fn send(
        &mut self,
        text: &str,
        deadline: Instant,
        exchange: &mut Exchange,
    ) -> Result<(), Fault> {
        self.record(exchange, Direction::Sent, "text", text.as_bytes(), None);
        exchange.bytes_sent += text.len() as u64;
        match timeout_at(deadline, self.socket.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.fault(&error)),
            Err(_elapsed) => {
                let message = format!("{} did not take a message in time", self.place);
                Err(Fault::new(FaultKind::Timeout, message))
            }
        }
    }

    /// Hands every message to `on_message` with the milliseconds since the socket opened, until
    /// that wants no more, the deadline passes, or the socket ends.
    pub async fn read(
        &mut self,
        deadline: Instant,
        exchange: &mut Exchange,
        on_message: &mut (dyn FnMut(&str, u64) -> AfterMessage + Send),
    ) -> WsEnd {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        loop {
            // Without this look a server that never pauses would keep us beyond the deadline.
            if Instant::now() >= deadline {
                return WsEnd::Deadline;
            }
            let message = match timeout_at(deadline, self.socket.next()).await {
                Err(_elapsed) => return WsEnd::Deadline,
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => return self.cut(&error, exchange),
                Ok(None) => return self.cut(&WsError::ConnectionClosed, exchange),
            };
            exchange.bytes_received += message.len() as u64;
            match message {
                Message::Text(text) => {
                    let read = on_message(text.as_str(), self.at_ms());
                    self.record(exchange, Direction::Received, "text", text.as_bytes(), read.event);
                    if read.stop {
                        return WsEnd::Stopped;
                    }
                }
                Message::Binary(bytes) => {
                    let read = on_message(&String::from_utf8_lossy(&bytes), self.at_ms());
                    self.record(exchange, Direction::Received, "binary", &bytes, read.event);
                    if read.stop {
                        return WsEnd::Stopped;
                    }
                }
                Message::Ping(bytes) => {
                    self.record(exchange, Direction::Received, "ping", &bytes, None);
                }
                Message::Pong(bytes) => {
                    self.record(exchange, Direction::Received, "pong", &bytes, None);
                }
                Message::Close(frame) => return self.closed(frame, exchange),
                Message::Frame(_) => {}
            }
        }
    }

    /// Closes the socket and waits a little for the server to agree.
    pub async fn close(
        &mut self,
        code: u16,
        reason: &str,
        deadline: Instant,
        exchange: &mut Exchange,
    ) {
        if self.ended.is_some() {
            return;
        }
        self.record(
            exchange,
            Direction::Sent,
            "close",
            format!("{code} {reason}").as_bytes(),
            None,
        );
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.to_owned().into() };
        let deadline = deadline.min(Instant::now() + CLOSE_GRACE);
        let closing = self.socket.close(Some(frame));
        if !matches!(timeout_at(deadline, closing).await, Ok(Ok(()))) {
            return;
        }
        // Messages that were under way come first; then the server's close frame.
        let _end = self.read(deadline, exchange, &mut |_, _| AfterMessage::default()).await;
    }

    fn at_ms(&self) -> u64 {
        micros(self.opened) / 1_000
    }

    fn record(
        &self,
        exchange: &mut Exchange,
        direction: Direction,
        kind: &str,
        payload: &[u8],
        event: Option<String>,
    ) {
        exchange.record_frame(Frame {
            at_ms: self.at_ms(),
            direction,
            kind: kind.to_owned(),
            event: event.map(|name| self.evidencer.mask(&name)),
            payload: self.evidencer.excerpt(payload),
        });
    }

    fn closed(&mut self, frame: Option<CloseFrame>, exchange: &mut Exchange) -> WsEnd {
        let (code, reason) = match frame {
            Some(frame) => (u16::from(frame.code), self.evidencer.mask(frame.reason.as_str())),
            None => (1005, String::new()),
        };
        let words = format!("{code} {reason}");
        self.record(exchange, Direction::Received, "close", words.trim().as_bytes(), None);
        exchange.close = Some(CloseSeen { code, reason: reason.clone(), at_ms: self.at_ms() });
        let end = WsEnd::Closed { code, reason };
        self.ended = Some(end.clone());
        end
    }

    fn cut(&mut self, error: &WsError, exchange: &mut Exchange) -> WsEnd {
        let fault = self.fault(error);
        let reason = String::new();
        exchange.close = Some(CloseSeen { code: 1006, reason, at_ms: self.at_ms() });
        exchange.error = Some(self.evidencer.mask(&fault.message));
        let end = WsEnd::Cut(fault);
        self.ended = Some(end.clone());
        end
    }

    fn fault(&self, error: &WsError) -> Fault {
        let place = &self.place;
        match error {
            WsError::Io(error) => Fault::from_io(error, place),
            WsError::ConnectionClosed
            | WsError::AlreadyClosed
            | WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Fault::new(
                FaultKind::Cut,
                format!("{place} ended the socket without a close frame"),
            ),
            WsError::Capacity(CapacityError::MessageTooLong { size, .. }) => {
                let message = format!("{place} sent a message of {size} bytes, more than is read");
                Fault::new(FaultKind::TooLarge, message)
            }
            other => {
                let message = format!("{place} does not speak WebSocket as expected: {other}");
                Fault::new(FaultKind::Protocol, message)
            }
        }
    }
}
