//! An HTTP answer, read to its end or to the cap.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::fault::{Fault, FaultKind};
use super::trace::{Stage, Trace};

/// More of a body is never read; that it was more is a failure.
pub const MAX_BODY_BYTES: usize = 16 << 20;

/// An HTTP answer, read to its end.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The exchange that gave this answer, without earlier redirects.
    pub total: Duration,
    /// From sending the request to the first byte of the body.
    pub first_byte: Option<Duration>,
    /// Until the certificate expires; `None` without TLS.
    pub tls_seconds_left: Option<i64>,
    /// The address that answered.
    pub remote: Option<String>,
}

/// Headers as texts; bytes that are no UTF-8 are replaced.
pub(super) fn header_texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// The size of a head on the wire, as HTTP/1.1 writes it.
pub(super) fn head_bytes(first_line: usize, headers: &HeaderMap) -> u64 {
    let lines: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    (first_line + 2 + lines + 2) as u64
}

/// A body and when its first byte came.
pub(super) struct Read {
    pub(super) bytes: Bytes,
    pub(super) first_byte: Option<Duration>,
}

/// Reads a body to its end. What came is counted in the trace and kept in `so_far` even when the
/// end never comes.
pub(super) async fn read_body(
    body: &mut Incoming,
    sent_at: Instant,
    place: &str,
    trace: &mut Trace,
    so_far: &mut BytesMut,
) -> Result<Read, Fault> {
    trace.enter(Stage::Reading);
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_large(place));
    }
    let mut first_byte = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| cut(&error, place, so_far.len(), announced))?;
        let Ok(data) = frame.into_data() else { continue };
        first_byte.get_or_insert_with(|| sent_at.elapsed());
        trace.exchange.bytes_received += data.len() as u64;
        if so_far.len() + data.len() > MAX_BODY_BYTES {
            return Err(too_large(place));
        }
        so_far.extend_from_slice(&data);
    }
    Ok(Read { bytes: so_far.split().freeze(), first_byte })
}

fn too_large(place: &str) -> Fault {
    let limit = MAX_BODY_BYTES >> 20;
    let message =
        format!("the body from {place} is larger than {limit} MiB, the most that is read");
    Fault::new(FaultKind::TooLarge, message)
}

fn cut(error: &hyper::Error, place: &str, got: usize, announced: Option<u64>) -> Fault {
    let fault = Fault::from_hyper(error, place);
    // The length still expected is part of the size hint's beginning; both figures help.
    let of = announced.map(|length| format!(" of {length}")).unwrap_or_default();
    Fault { message: format!("{} after {got}{of} bytes of the body", fault.message), ..fault }
}
