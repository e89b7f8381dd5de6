//! Where the time of an exchange went, and its frames on a line, as places for a picture. Pure.

use serde::Serialize;

use crate::domain::evidence::{Direction, Exchange, Frame, Timings};

/// Every picture is so wide, in its own units.
const WIDTH: u64 = 1_000;
/// A share that was there is seen.
const MIN_WIDTH: u64 = 2;

/// A part of the time of an exchange.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Share {
    /// What it was spent on: `resolve`, `connect`, `tls`, `wait` for the first byte, `rest`.
    what: &'static str,
    x: u64,
    width: u64,
    us: u64,
}

/// The shares of an exchange; the slowest of its attempt takes the whole width.
pub(super) fn shares(timings: &Timings, slowest_us: u64) -> Vec<Share> {
    let parts = [
        ("resolve", timings.resolve_us),
        ("connect", timings.connect_us),
        ("tls", timings.tls_us),
        ("wait", timings.first_byte_us),
    ];
    let parts = parts.map(|(what, us)| (what, us.unwrap_or(0)));
    let known = parts.iter().map(|(_, us)| us).sum::<u64>();
    let rest = ("rest", timings.total_us.saturating_sub(known));
    let mut spent = 0;
    let mut shares = Vec::new();
    for (what, us) in parts.into_iter().chain([rest]).filter(|(_, us)| *us > 0) {
        let x = place(spent, slowest_us).min(WIDTH - MIN_WIDTH);
        spent += us;
        let end = place(spent, slowest_us);
        let width = end.saturating_sub(x).clamp(MIN_WIDTH, WIDTH - x);
        shares.push(Share { what, x, width, us });
    }
    shares
}

/// The life of a socket or stream.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    marks: Vec<Mark<'a>>,
    end_ms: u64,
    says: String,
}

#[derive(Debug, Serialize)]
struct Mark<'a> {
    x: u64,
    /// `sent`, `received` or `close`.
    look: &'static str,
    at_ms: u64,
    name: &'a str,
}

/// The frames of an exchange, without the one that said how it was closed: that is told for itself.
pub(super) fn frames(exchange: &Exchange) -> impl Iterator<Item = &Frame> {
    let is_told = |frame: &&Frame| {
        exchange.close.is_some() && frame.direction == Direction::Received && frame.kind == "close"
    };
    exchange.frames.iter().filter(move |frame| !is_told(frame))
}

/// The frames of an exchange on a line; `None` where there is none.
pub(super) fn line(exchange: &Exchange) -> Option<Line<'_>> {
    let last = exchange.frames.iter().map(|frame| frame.at_ms).max();
    let closed = exchange.close.as_ref().map(|close| close.at_ms);
    let end_ms = last.max(closed)?;
    let mut marks: Vec<Mark<'_>> = frames(exchange)
        .map(|frame| Mark {
            x: place(frame.at_ms, end_ms),
            look: match frame.direction {
                Direction::Sent => "sent",
                Direction::Received => "received",
            },
            at_ms: frame.at_ms,
            name: frame.event.as_deref().unwrap_or(&frame.kind),
        })
        .collect();
    if let Some(at_ms) = closed {
        marks.push(Mark { x: place(at_ms, end_ms), look: "close", at_ms, name: "close" });
    }
    let count = |look| marks.iter().filter(|mark| mark.look == look).count();
    let says = format!(
        "{} sent, {} received within {end_ms} ms{}",
        count("sent"),
        count("received"),
        if closed.is_some() { ", then closed" } else { "" }
    );
    Some(Line { marks, end_ms, says })
}

fn place(at: u64, of: u64) -> u64 {
    let place = u128::from(at) * u128::from(WIDTH) / u128::from(of.max(1));
    u64::try_from(place).unwrap_or(WIDTH).min(WIDTH)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::evidence::{CloseSeen, Excerpt, Protocol};

    #[test]
    fn shares_follow_each_other_and_stay_within_the_picture() {
        let timings = Timings {
            resolve_us: Some(0),
            connect_us: Some(1),
            tls_us: None,
            first_byte_us: Some(600_000),
            total_us: 1_000_000,
        };
        let shares = shares(&timings, 1_000_000);
        let drawn: Vec<_> = shares.iter().map(|it| (it.what, it.x, it.width)).collect();
        assert_eq!(drawn, [("connect", 0, MIN_WIDTH), ("wait", 0, 600), ("rest", 600, 400)]);
        let absurd = Timings { connect_us: Some(u64::MAX / 2), ..timings };
        for share in super::shares(&absurd, 1) {
            assert!(share.x + share.width <= WIDTH, "{share:?}");
        }
    }

    #[test]
    fn frames_and_the_close_stand_on_one_line() {
        let mut socket = Exchange::begin("chat", Protocol::Ws, "GET", "ws://x/");
        assert!(line(&socket).is_none());
        for (at_ms, direction) in [(0, Direction::Received), (50, Direction::Sent)] {
            let payload = Excerpt::of("hi", 2);
            let kind = "text".to_owned();
            socket.record_frame(Frame { at_ms, direction, kind, event: None, payload });
        }
        socket.close = Some(CloseSeen { code: 1008, reason: "no".to_owned(), at_ms: 200 });
        let line = super::line(&socket).unwrap();
        let marks: Vec<_> = line.marks.iter().map(|it| (it.look, it.x)).collect();
        assert_eq!(marks, [("received", 0), ("sent", 250), ("close", 1_000)]);
        let says = "1 sent, 1 received within 200 ms, then closed";
        assert_eq!(line.says, says);
        // The frame that closed it says the same.
        let payload = Excerpt::of("1008 no", 7);
        let (kind, event, direction) = ("close".to_owned(), None, Direction::Received);
        socket.record_frame(Frame { at_ms: 200, direction, kind, event, payload });
        let again = super::line(&socket).unwrap();
        assert_eq!((again.marks.len(), again.says.as_str()), (3, says));
        assert_eq!(frames(&socket).count(), 2);
        socket.close = None;
        assert_eq!(frames(&socket).count(), 3, "where nothing else tells it");
    }
}
