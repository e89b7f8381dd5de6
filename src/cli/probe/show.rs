//! What a probe saw, for people. Everything of it may come from outside.

use std::io;

use crate::cli::output::{Out, bold, clean, clean_lines, dim, duration, outcome};
use crate::domain::attempt::Attempt;
use crate::domain::evidence::{Direction, Exchange};
use crate::verdict::judge_case;

/// Prints an attempt with all its exchanges.
pub(super) fn attempt(out: &mut Out, seen: &Attempt) -> io::Result<()> {
    let ended = outcome(judge_case(std::slice::from_ref(seen)));
    out.line(format!(
        "{ended} {} {}",
        clean(seen.case.as_str()),
        dim(&duration(seen.duration_ms))
    ))?;
    if let Some(failure) = &seen.failure {
        out.line(format!("  {}: {}", failure.class, clean(&failure.message)))?;
    }
    seen.evidence.exchanges.iter().try_for_each(|seen| exchange(out, seen))
}

fn exchange(out: &mut Out, seen: &Exchange) -> io::Result<()> {
    let mut row =
        |what: &str, text: &str| out.line(format!("  {} {text}", dim(&format!("{what:<9}"))));
    row("request", &format!("{} {}", seen.method, clean(&seen.url)))?;
    if let Some(remote) = &seen.remote {
        row("address", remote)?;
    }
    if let Some(tls) = &seen.tls {
        let unverified = if tls.verified { "" } else { ", not verified" };
        row(
            "tls",
            &clean(&format!(
                "{}, {} by {}, {} days left{unverified}",
                tls.version, tls.subject, tls.issuer, tls.days_left
            )),
        )?;
    }
    if let Some(status) = seen.status {
        let version = seen.version.as_deref().unwrap_or_default();
        row("status", &bold(&format!("{status} {version}")))?;
    }
    if let Some(subprotocol) = &seen.subprotocol {
        row("protocol", &clean(subprotocol))?;
    }
    row("timing", &timing(seen))?;
    row("bytes", &format!("{} sent, {} received", seen.bytes_sent, seen.bytes_received))?;
    if let Some(fault) = &seen.error {
        row("error", &clean(fault))?;
    }
    frames(out, seen)?;
    if let Some(body) = &seen.body {
        out.line("")?;
        clean_lines(&body.text).try_for_each(|line| out.line(line))?;
        if body.cut {
            out.line(dim(&format!("… cut: {} bytes in all", body.bytes)))?;
        }
    }
    Ok(())
}

/// The frames of a WebSocket or the events of a stream, and the close.
fn frames(out: &mut Out, seen: &Exchange) -> io::Result<()> {
    let mut row =
        |what: &str, text: &str| out.line(format!("  {} {text}", dim(&format!("{what:<9}"))));
    for frame in &seen.frames {
        let arrow = if frame.direction == Direction::Sent { "→" } else { "←" };
        row(
            "frame",
            &format!("{:>6} ms {arrow} {} {}", frame.at_ms, frame.kind, clean(&frame.payload.text)),
        )?;
    }
    if let Some(close) = &seen.close {
        row("close", &format!("{} {} after {} ms", close.code, clean(&close.reason), close.at_ms))?;
    }
    Ok(())
}

fn timing(seen: &Exchange) -> String {
    let timings = &seen.timings;
    let parts = [
        ("resolve", timings.resolve_us),
        ("connect", timings.connect_us),
        ("tls", timings.tls_us),
        ("first byte", timings.first_byte_us),
        ("total", Some(timings.total_us)),
    ];
    let told = parts
        .iter()
        .filter_map(|(what, us)| Some(format!("{what} {:.1} ms", (*us)? as f64 / 1000.0)));
    told.collect::<Vec<_>>().join(" · ")
}
