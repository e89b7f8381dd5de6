//! An open WebSocket: frames out and in, kept alive, closed in good order.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as WsError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};

use super::keep_alive::{Due, KeepAlive, PING};
use crate::domain::evidence::{CloseSeen, Direction, Exchange, Frame, Protocol, TlsSeen};
use crate::probe::dial::micros;
use crate::probe::fault::{Fault, FaultKind};
use crate::probe::trace::Evidencer;
use crate::probe::transport::Transport;

/// The library's default of 128 KiB would cost 135 MiB at a thousand sockets.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// A longer message ends the socket.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// How long a server may take to answer our close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

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

impl WsSession {
    /// Takes over a connection on which a server has just answered 101, with what came after that.
    pub(super) async fn begin(
        exchange: &Exchange,
        place: String,
        transport: Transport,
        early: Bytes,
        evidencer: &Evidencer,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(2 * MAX_MESSAGE_BYTES)
            .max_message_size(Some(MAX_MESSAGE_BYTES))
            .max_frame_size(Some(MAX_MESSAGE_BYTES));
        let (early, role) = (early.to_vec(), Role::Client);
        let socket =
            WebSocketStream::from_partially_read(transport, early, role, Some(config)).await;
        Self {
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
    /// that wants no more, the deadline passes, or the socket ends. A server that says nothing is
    /// pinged now and then.
    pub async fn read(
        &mut self,
        deadline: Instant,
        exchange: &mut Exchange,
        on_message: &mut (dyn FnMut(&str, u64) -> AfterMessage + Send),
    ) -> WsEnd {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        let mut alive = KeepAlive::begin(Instant::now());
        loop {
            // Without this look a server that never pauses would keep us beyond the deadline.
            if Instant::now() >= deadline {
                self.record_unanswered(&alive, exchange);
                return WsEnd::Deadline;
            }
            let message = match timeout_at(deadline.min(alive.due()), self.socket.next()).await {
                Err(_elapsed) if Instant::now() >= deadline => continue,
                Err(_elapsed) => match self.ping(&mut alive, deadline, exchange).await {
                    Some(end) => return end,
                    None => continue,
                },
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => return self.cut(&error, exchange),
                Ok(None) => return self.cut(&WsError::ConnectionClosed, exchange),
            };
            alive.heard(Instant::now());
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
                // That our own pings are answered is no news.
                Message::Pong(bytes) if bytes == PING => {}
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

    /// Pings a server that has been silent for a while, or takes it for gone.
    async fn ping(
        &mut self,
        alive: &mut KeepAlive,
        deadline: Instant,
        exchange: &mut Exchange,
    ) -> Option<WsEnd> {
        match alive.silent(Instant::now()) {
            Due::Ping => {
                let ping = Message::Ping(Bytes::from_static(PING));
                match timeout_at(deadline, self.socket.send(ping)).await {
                    Ok(Ok(())) | Err(_) => None,
                    Ok(Err(error)) => Some(self.cut(&error, exchange)),
                }
            }
            Due::GiveUp => {
                self.record_unanswered(alive, exchange);
                let pings = alive.unanswered().len();
                let message = format!("{} answered none of {pings} pings", self.place);
                Some(self.cut_by(Fault::new(FaultKind::Cut, message), exchange))
            }
        }
    }

    /// Puts the pings that nothing came after into the evidence: they may say why.
    fn record_unanswered(&self, alive: &KeepAlive, exchange: &mut Exchange) {
        let Some(last) = alive.unanswered().last() else { return };
        for sent in alive.unanswered() {
            let at = sent.saturating_duration_since(self.opened).as_millis();
            exchange.record_frame(Frame {
                at_ms: u64::try_from(at).unwrap_or(u64::MAX),
                direction: Direction::Sent,
                kind: "ping".to_owned(),
                event: None,
                payload: self.evidencer.excerpt(PING),
            });
        }
        let silent = Duration::from_secs(last.elapsed().as_secs());
        exchange.error = Some(format!("{} did not answer a ping within {silent:?}", self.place));
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
        self.cut_by(fault, exchange)
    }

    fn cut_by(&mut self, fault: Fault, exchange: &mut Exchange) -> WsEnd {
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
