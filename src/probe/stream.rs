//! A server-sent stream, read no longer than its reader wants.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::answer::{HttpAnswer, MAX_BODY_BYTES, header_texts};
use super::client::{Call, Client, Open, Opening};
use super::dial::micros;
use super::fault::{Fault, FaultKind};
use super::request::Request;
use super::sse::{SseEvent, SseParser};
use super::trace::{Evidencer, Stage, Trace};
use super::ws::AfterMessage;
use crate::domain::evidence::{Direction, Exchange, Frame, Protocol};

/// Takes one event and the milliseconds since the stream opened.
pub type OnEvent<'a> = &'a mut (dyn FnMut(&SseEvent, u64) -> AfterMessage + Send);

/// Why no further event was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEnd {
    /// The reader had what it wanted.
    Stopped,
    /// The server ended the stream.
    Ended,
    /// The deadline passed.
    Deadline,
    /// The connection was cut.
    Cut(Fault),
}

/// What came of a stream.
#[derive(Debug)]
pub struct StreamResult {
    /// The exchanges, in order.
    pub exchanges: Vec<Exchange>,
    /// The head of the answer with how the stream ended, or why there was none. An answer other
    /// than 2xx is read to its end, and has no stream.
    pub outcome: Result<(HttpAnswer, Option<StreamEnd>), Fault>,
}

impl Client {
    /// Opens a stream and hands every event to `on_event` with the milliseconds since it opened,
    /// until that wants no more. Without `on_event` the head of the answer is enough.
    pub async fn stream(
        &self,
        request: Request,
        call: Call<'_>,
        on_event: Option<OnEvent<'_>>,
    ) -> StreamResult {
        let Opening { mut exchanges, open } = self.open(request, Protocol::Sse, call).await;
        let open = match open {
            Ok(open) => open,
            Err(fault) => return StreamResult { exchanges, outcome: Err(fault) },
        };
        if !open.response.status().is_success() {
            let (exchange, answer) = self.collect(open, call.deadline).await;
            exchanges.push(exchange);
            return StreamResult { exchanges, outcome: answer.map(|answer| (answer, None)) };
        }
        let (exchange, answer, end) = self.read_stream(open, call.deadline.at, on_event).await;
        exchanges.push(exchange);
        StreamResult { exchanges, outcome: Ok((answer, Some(end))) }
    }

    async fn read_stream(
        &self,
        open: Open,
        deadline: Instant,
        on_event: Option<OnEvent<'_>>,
    ) -> (Exchange, HttpAnswer, StreamEnd) {
        let Open { mut trace, response, place, sent_at, .. } = open;
        trace.enter(Stage::Reading);
        let (head, body) = response.into_parts();
        let mut reading = Reading {
            evidencer: self.evidencer(),
            trace: &mut trace,
            body,
            place,
            sent_at,
            opened: Instant::now(),
            first_byte: None,
            parser: SseParser::default(),
        };
        let end = match on_event {
            None => StreamEnd::Stopped,
            Some(on_event) => reading.until_end(deadline, on_event).await,
        };
        let first_byte = reading.first_byte;
        let fault = match &end {
            StreamEnd::Cut(fault) => Some(fault),
            StreamEnd::Stopped | StreamEnd::Ended | StreamEnd::Deadline => None,
        };
        let exchange = trace.finish(fault, self.evidencer());
        let answer = HttpAnswer {
            status: head.status.as_u16(),
            headers: header_texts(&head.headers),
            body: bytes::Bytes::new(),
            total: Duration::from_micros(exchange.timings.total_us),
            first_byte,
            tls_seconds_left: exchange.tls.as_ref().map(|tls| tls.seconds_left),
            remote: exchange.remote.clone(),
        };
        (exchange, answer, end)
    }
}

/// A stream that is being read.
struct Reading<'a> {
    evidencer: &'a Evidencer,
    trace: &'a mut Trace,
    body: Incoming,
    place: String,
    sent_at: Instant,
    opened: Instant,
    first_byte: Option<Duration>,
    parser: SseParser,
}

impl Reading<'_> {
    async fn until_end(&mut self, deadline: Instant, on_event: OnEvent<'_>) -> StreamEnd {
        loop {
            // Without this look a server that never pauses would keep us beyond the deadline.
            if Instant::now() >= deadline {
                return StreamEnd::Deadline;
            }
            let frame = match timeout_at(deadline, self.body.frame()).await {
                Err(_elapsed) => return StreamEnd::Deadline,
                Ok(None) => return StreamEnd::Ended,
                Ok(Some(Err(error))) => {
                    return StreamEnd::Cut(Fault::from_hyper(&error, &self.place));
                }
                Ok(Some(Ok(frame))) => frame,
            };
            if let Ok(data) = frame.into_data()
                && let Some(end) = self.take(&data, on_event)
            {
                return end;
            }
        }
    }

    /// Takes the next bytes; gives the end, if they are it.
    fn take(&mut self, data: &[u8], on_event: OnEvent<'_>) -> Option<StreamEnd> {
        let cut = |kind, message: String| Some(StreamEnd::Cut(Fault::new(kind, message)));
        self.first_byte.get_or_insert_with(|| self.sent_at.elapsed());
        let exchange = &mut self.trace.exchange;
        exchange.bytes_received += data.len() as u64;
        let mut events = Vec::new();
        if let Err(fault) = self.parser.push(data, &mut events) {
            return cut(FaultKind::Protocol, format!("{}: {fault}", self.place));
        }
        let at_ms = micros(self.opened) / 1_000;
        for event in events {
            let after = on_event(&event, at_ms);
            exchange.record_frame(Frame {
                at_ms,
                direction: Direction::Received,
                kind: "event".to_owned(),
                event: after.event.map(|name| self.evidencer.mask(&name)),
                payload: self.evidencer.excerpt(event.data.as_bytes()),
            });
            if after.stop {
                return Some(StreamEnd::Stopped);
            }
        }
        if exchange.bytes_received > MAX_BODY_BYTES as u64 {
            let limit = MAX_BODY_BYTES >> 20;
            return cut(FaultKind::TooLarge, format!("{} sent more than {limit} MiB", self.place));
        }
        None
    }
}
