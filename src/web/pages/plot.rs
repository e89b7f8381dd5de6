//! The durations of a case as a picture: a mark a run, filled where it passed, hollow where it did not.
//! Pure; the words under the marks say the same.

use std::fmt::Write as _;

use crate::report::words;
use crate::web::forms::CaseRowForm;

const WIDTH: u64 = 900;
const HEIGHT: u64 = 180;
const LEFT: u64 = 64;
const BOTTOM: u64 = 24;

/// The picture of these runs, newest first; empty where nothing ran.
pub(super) fn plot(rows: &[CaseRowForm]) -> String {
    let ran: Vec<&CaseRowForm> = rows.iter().rev().filter(|row| row.attempts > 0).collect();
    let slowest = ran.iter().map(|row| row.duration_ms).max().unwrap_or(0).max(1);
    let (Some(first), Some(last)) = (ran.first(), ran.last()) else {
        return "<p class=\"dim\">It has not run yet.</p>".to_owned();
    };
    let place = |at: usize| {
        let steps = (ran.len() - 1).max(1) as u64;
        LEFT + 12 + at as u64 * (WIDTH - LEFT - 24) / steps
    };
    let height = |ms: u64| {
        let room = HEIGHT - BOTTOM - 16;
        // Milliseconds of a case are far below what could overflow here.
        HEIGHT
            - BOTTOM
            - u64::try_from(u128::from(ms) * u128::from(room) / u128::from(slowest)).unwrap_or(room)
    };
    let says = format!(
        "Durations in cycles {} to {}: at most {}, last {}",
        first.cycle,
        last.cycle,
        words::duration(slowest),
        words::duration(last.duration_ms)
    );
    let mut svg = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{says}\">\
         <path class=\"rule\" d=\"M{LEFT} {base}H{WIDTH}M{LEFT} 16H{WIDTH}\"/>\
         <text x=\"{edge}\" y=\"20\" text-anchor=\"end\">{most}</text>\
         <text x=\"{edge}\" y=\"{base}\" text-anchor=\"end\">0</text>",
        base = HEIGHT - BOTTOM,
        edge = LEFT - 8,
        most = words::duration(slowest),
    );
    let points: Vec<String> = (0..)
        .zip(&ran)
        .map(|(at, row)| format!("{},{}", place(at), height(row.duration_ms)))
        .collect();
    let _ = write!(svg, "<polyline class=\"line\" points=\"{}\"/>", points.join(" "));
    for (at, row) in (0..).zip(&ran) {
        let (x, y) = (place(at), height(row.duration_ms));
        let outcome = row.outcome.as_deref().unwrap_or("removed");
        let kind = match outcome {
            "passed" => "passed",
            "flaky" => "flaky",
            _ => "bad",
        };
        let revision = row.revision.as_ref().map_or("", |revision| &revision.short);
        let _ = write!(
            svg,
            "<circle class=\"k-{kind}\" cx=\"{x}\" cy=\"{y}\" r=\"4\"><title>cycle {}, {}: {}, {}</title></circle>",
            row.cycle,
            revision,
            outcome.replace('_', " "),
            words::duration(row.duration_ms)
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{}\" y=\"{HEIGHT}\">{}</text><text x=\"{}\" y=\"{HEIGHT}\" text-anchor=\"end\">{}</text></svg>",
        place(0),
        first.cycle,
        place(ran.len() - 1),
        last.cycle
    );
    svg
}
