//! What proves that an attempt touched the real thing.
//!
//! Texts are masked and capped when they are taken; what was cut says so. What few exchanges have is
//! boxed: a cycle of a hundred thousand cases holds at least as many of them.

use serde::{Deserialize, Serialize};

/// At most so many exchanges are kept for one attempt; the rest is counted.
pub const MAX_EXCHANGES: usize = 40;
/// At most so many frames are kept for one exchange; the rest is counted.
pub const MAX_FRAMES: usize = 100;
/// At most so many bytes of a body or frame are kept as text.
pub const MAX_EXCERPT_BYTES: usize = 4096;

/// Everything seen during one attempt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The exchanges, in the order in which they began, at most [`MAX_EXCHANGES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<Exchange>,
    /// How many exchanges there were in all.
    #[serde(default)]
    pub exchanges_total: u32,
    /// Connections opened.
    #[serde(default)]
    pub connections: u32,
    /// Bytes sent, without TLS and framing.
    #[serde(default)]
    pub bytes_sent: u64,
    /// Bytes received, without TLS and framing.
    #[serde(default)]
    pub bytes_received: u64,
    /// What was expected of events and what came, a row for each step that expects some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventsSeen>,
    /// Percentiles, where the case repeats itself or asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latencies: Option<Box<Latencies>>,
    /// What a test tool says about its failure, beyond one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Box<Excerpt>>,
}

impl Evidence {
    /// Adds an exchange: counted always, kept while there is room.
    pub fn record(&mut self, exchange: Exchange) {
        self.exchanges_total += 1;
        self.connections += u32::from(exchange.opened_connection());
        self.bytes_sent += exchange.bytes_sent;
        self.bytes_received += exchange.bytes_received;
        if self.exchanges.len() < MAX_EXCHANGES {
            self.exchanges.push(exchange);
        }
    }

    /// Lets go of the texts that came over the wire, which are only ever told of a failure. The
    /// ledger keeps them.
    pub fn forget_content(&mut self) {
        for exchange in &mut self.exchanges {
            exchange.body = None;
            exchange.frames = Vec::new();
        }
    }

    /// Gives back unused places: lists grow in steps of four, and most have one entry. The list is
    /// moved, not cut: the ends that are left over by cutting fit nothing that comes later.
    pub fn fit_exactly(&mut self) {
        let mut exact = Vec::with_capacity(self.exchanges.len());
        exact.append(&mut self.exchanges);
        self.exchanges = exact;
    }

    /// Takes over what another part of the same attempt saw.
    pub fn absorb(&mut self, other: Self) {
        self.exchanges_total += other.exchanges_total;
        self.connections += other.connections;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        let room = MAX_EXCHANGES.saturating_sub(self.exchanges.len());
        self.exchanges.extend(other.exchanges.into_iter().take(room));
        let room = MAX_EXCHANGES.saturating_sub(self.events.len());
        self.events.extend(other.events.into_iter().take(room));
        self.latencies = self.latencies.take().or(other.latencies);
        self.output = self.output.take().or(other.output);
    }
}

/// The protocol of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// A request and its answer.
    Http,
    /// A WebSocket, from handshake to close, or one step's part of it.
    Ws,
    /// A server-sent stream.
    Sse,
}

/// One request and its answer, or one step on a socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The step it belongs to.
    pub step: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The method; `GET` for sockets.
    pub method: String,
    /// The URL, masked.
    pub url: String,
    /// The address that answered, `203.0.113.7:443`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// What TLS said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Box<TlsSeen>>,
    /// The protocol's version as negotiated, `HTTP/1.1` or `HTTP/2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Bytes sent.
    #[serde(default)]
    pub bytes_sent: u64,
    /// Bytes received.
    #[serde(default)]
    pub bytes_received: u64,
    /// Where the time went.
    #[serde(default)]
    pub timings: Timings,
    /// The beginning of the answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Excerpt>,
    /// Frames or events, at most [`MAX_FRAMES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<Frame>,
    /// How many frames or events there were in all.
    #[serde(default)]
    pub frames_total: u32,
    /// How the socket was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close: Option<CloseSeen>,
    /// The subprotocol that the server chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subprotocol: Option<String>,
    /// What went wrong on the way, when no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Exchange {
    /// An exchange of which nothing is known yet.
    pub fn begin(step: &str, protocol: Protocol, method: &str, url: &str) -> Self {
        Self {
            step: step.to_owned(),
            protocol,
            method: method.to_owned(),
            url: url.to_owned(),
            remote: None,
            tls: None,
            version: None,
            status: None,
            bytes_sent: 0,
            bytes_received: 0,
            timings: Timings::default(),
            body: None,
            frames: Vec::new(),
            frames_total: 0,
            close: None,
            subprotocol: None,
            error: None,
        }
    }

    /// Whether it opened a connection of its own.
    pub fn opened_connection(&self) -> bool {
        self.timings.connect_us.is_some() && self.remote.is_some()
    }

    /// Adds a frame: counted always, kept while there is room.
    pub fn record_frame(&mut self, frame: Frame) {
        self.frames_total += 1;
        if self.frames.len() < MAX_FRAMES {
            self.frames.push(frame);
        }
    }
}

/// Where the time of an exchange went, in microseconds; `None` for what did not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Resolving the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolve_us: Option<u64>,
    /// Connecting; absent on a connection that was used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_us: Option<u64>,
    /// The TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_us: Option<u64>,
    /// From sending the request to the first byte of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// The whole exchange.
    #[serde(default)]
    pub total_us: u64,
}

/// What a TLS handshake showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsSeen {
    /// `TLSv1.3`.
    pub version: String,
    /// The name that was asked for.
    pub server_name: String,
    /// The subject or first name of the certificate.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Whole days until it expires; negative when it has.
    pub days_left: i64,
    /// Seconds until it expires.
    pub seconds_left: i64,
    /// Whether the certificate was checked; not with `insecure: true`. Stored only when it was not.
    #[serde(default = "verified", skip_serializing_if = "is_verified")]
    pub verified: bool,
}

fn verified() -> bool {
    true
}

fn is_verified(verified: &bool) -> bool {
    *verified
}

/// The beginning of a text from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// At most [`MAX_EXCERPT_BYTES`] of it, masked, invalid UTF-8 replaced.
    pub text: String,
    /// How many bytes there were in all.
    pub bytes: u64,
    /// Whether the text is less than all.
    pub cut: bool,
}

impl Excerpt {
    /// Keeps the beginning of a text that is masked already.
    pub fn of(masked: &str, bytes: u64) -> Self {
        let mut end = masked.len().min(MAX_EXCERPT_BYTES);
        while !masked.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            text: masked[..end].to_owned(),
            bytes,
            cut: end < masked.len() || bytes > masked.len() as u64,
        }
    }
}

/// Who sent a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// We did.
    Sent,
    /// The server did.
    Received,
}

/// One message on a socket, or one server-sent event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Milliseconds since the socket opened.
    pub at_ms: u64,
    /// Who sent it.
    pub direction: Direction,
    /// `text`, `binary`, `ping`, `pong`, `close`, `event`.
    pub kind: String,
    /// The name of the event, where the step says how events are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The beginning of its payload.
    pub payload: Excerpt,
}

/// A close frame, or the end of a socket without one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseSeen {
    /// The close code; 1006 when the socket ended without a close frame (RFC 6455, 7.1.5).
    pub code: u16,
    /// The reason, masked.
    pub reason: String,
    /// Milliseconds since the socket opened.
    pub at_ms: u64,
}

/// What one step expected of events, and what came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsSeen {
    /// The step.
    pub step: String,
    /// The events that had to come.
    pub expected: Vec<String>,
    /// Whether their order counted.
    pub ordered: bool,
    /// Every event that came and counted: its name and the milliseconds since the socket opened,
    /// at most [`MAX_FRAMES`].
    pub seen: Vec<(String, u64)>,
    /// Expected events that never came.
    pub missing: Vec<String>,
    /// Forbidden events that came.
    pub forbidden: Vec<String>,
    /// Whether all came, but in another order.
    pub out_of_order: bool,
}

impl EventsSeen {
    /// How many of the expected events came: k of n.
    pub fn came(&self) -> usize {
        self.expected.len() - self.missing.len()
    }
}

/// Percentiles over the runs within one attempt, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies {
    /// How many runs there were.
    pub samples: u32,
    /// The fastest.
    pub min_us: u64,
    /// Half are at most so slow.
    pub p50_us: u64,
    /// Nine of ten are at most so slow.
    pub p90_us: u64,
    /// 95 of 100 are at most so slow.
    pub p95_us: u64,
    /// 99 of 100 are at most so slow.
    pub p99_us: u64,
    /// The slowest.
    pub max_us: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_cut_between_characters_and_says_so() {
        let text = "ä".repeat(MAX_EXCERPT_BYTES);
        let excerpt = Excerpt::of(&text, text.len() as u64);
        assert!(excerpt.cut);
        assert_eq!(excerpt.text.len(), MAX_EXCERPT_BYTES);
        assert!(!Excerpt::of("short", 5).cut);
        assert!(Excerpt::of("short", 500).cut);
    }

    #[test]
    fn what_is_not_kept_is_counted() {
        let mut evidence = Evidence::default();
        for _ in 0..MAX_EXCHANGES + 5 {
            let mut exchange = Exchange::begin("s", Protocol::Http, "GET", "http://x/");
            exchange.bytes_received = 2;
            evidence.record(exchange);
        }
        assert_eq!(evidence.exchanges.len(), MAX_EXCHANGES);
        assert_eq!(evidence.exchanges_total as usize, MAX_EXCHANGES + 5);
        assert_eq!(evidence.bytes_received as usize, 2 * (MAX_EXCHANGES + 5));
    }
}
