//! The durations of a case as a picture: a mark a run, filled where it passed, hollow where it did not, and a line
//! where its definition changed. Pure; its label and the table of the page say the same in words.

use std::fmt::{self, Write as _};

use minijinja::HtmlEscape;

use crate::report::words;
use crate::web::forms::CaseRowForm;

const HEIGHT: u64 = 180;
const TOP: u64 = 10;
const BOTTOM: u64 = 24;
/// Where the numbers of cycles stand.
const FOOT: u64 = HEIGHT - 4;
/// Where durations begin.
const BASE: u64 = HEIGHT - BOTTOM;
/// Of the width, in thousandths, so much is left free on both sides.
const SIDE: u64 = 15;
/// More runs than this want more room than a phone has.
const FEW: usize = 20;
/// Of more changes than this the label says only how many there are.
const NAMED: usize = 5;

/// The picture of these runs, newest first; empty where nothing ran. Places along it are shares of its width, so that
/// its letters and marks are as large on a phone as on a wall; its scale stands beside it, and stays where it is scrolled.
pub(super) fn plot(rows: &[CaseRowForm]) -> String {
    let ran: Vec<&CaseRowForm> = rows.iter().rev().filter(|row| row.attempts > 0).collect();
    let slowest = ran.iter().map(|row| row.duration_ms).max().unwrap_or(0).max(1);
    let (Some(first), Some(last)) = (ran.first(), ran.last()) else {
        return "<p class=\"dim\">It has not run yet.</p>".to_owned();
    };
    let place = |at: usize| Share::of(at, ran.len());
    let says = format!(
        "Durations in cycles {} to {}: at most {}, last {}{}",
        first.cycle,
        last.cycle,
        words::duration(slowest),
        words::duration(last.duration_ms),
        changes(&ran)
    );
    let mut svg = format!(
        "<div class=\"plotted\"><div class=\"scale\" aria-hidden=\"true\"><span>{most}</span><span>0</span></div>\
         <div class=\"scroll newest\" tabindex=\"0\" role=\"group\" aria-labelledby=\"h-durations\">\
         <svg class=\"plot{many}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{says}\">\
         <line class=\"rule\" y1=\"{BASE}\" x2=\"100%\" y2=\"{BASE}\"/>\
         <line class=\"rule\" y1=\"{TOP}\" x2=\"100%\" y2=\"{TOP}\"/>",
        most = words::duration(slowest),
        many = if ran.len() > FEW { " many" } else { "" },
    );
    for (at, row) in (0..).zip(&ran).filter(|(_, row)| is_redefined(row)) {
        // Between this run and the one before; the first of a list has none there.
        let x = place(at).midpoint(place(at.saturating_sub(1)));
        let _ = write!(
            svg,
            "<svg class=\"redefined\" x=\"{x}\"><path d=\"M0 {TOP}V{BASE}\"/>\
             <path class=\"flag\" d=\"M0 {BASE}l-5 9h10z\"/><title>definition changed in cycle {}</title></svg>",
            row.cycle
        );
    }
    for (at, pair) in (0..).zip(ran.windows(2)) {
        let _ = write!(
            svg,
            "<line class=\"line\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            place(at),
            height(pair[0].duration_ms, slowest),
            place(at + 1),
            height(pair[1].duration_ms, slowest)
        );
    }
    for (at, row) in (0..).zip(&ran) {
        svg.push_str(&mark(row, place(at), height(row.duration_ms, slowest)));
    }
    let _ = write!(svg, "<text y=\"{FOOT}\">cycle {}</text>", first.cycle);
    if ran.len() > 1 {
        let _ =
            write!(svg, "<text x=\"100%\" y=\"{FOOT}\" text-anchor=\"end\">{}</text>", last.cycle);
    }
    svg.push_str("</svg></div></div>");
    svg
}

/// A place along the picture, in thousandths of its width.
#[derive(Clone, Copy)]
struct Share(u64);

impl Share {
    /// Where the run `at` of so many stands; the only one, in the middle.
    fn of(at: usize, runs: usize) -> Self {
        match runs {
            0 | 1 => Self(500),
            _ => Self(SIDE + at as u64 * (1_000 - 2 * SIDE) / (runs as u64 - 1)),
        }
    }

    fn midpoint(self, other: Self) -> Self {
        Self(self.0.midpoint(other.0))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}%", self.0 / 10, self.0 % 10)
    }
}

fn height(ms: u64, slowest: u64) -> u64 {
    let room = BASE - TOP;
    // Milliseconds of a case are far below what could overflow here.
    BASE - u64::try_from(u128::from(ms) * u128::from(room) / u128::from(slowest)).unwrap_or(room)
}

/// A run, and what there is to say about it where somebody points at it.
fn mark(row: &CaseRowForm, x: Share, y: u64) -> String {
    let outcome = row.outcome.as_deref().unwrap_or("removed");
    let kind = match outcome {
        "passed" => "passed",
        "flaky" => "flaky",
        _ => "bad",
    };
    let revision = row.revision.as_ref().map_or_else(String::new, |revision| {
        format!(", {} {}", HtmlEscape(&revision.short), HtmlEscape(&revision.subject))
    });
    let (cycle, outcome) = (row.cycle, outcome.replace('_', " "));
    let redefined = if is_redefined(row) { ", definition changed" } else { "" };
    format!(
        "<circle class=\"k-{kind}\" cx=\"{x}\" cy=\"{y}\" r=\"4\">\
         <title>cycle {cycle}: {outcome}, {}{redefined}{revision}</title></circle>",
        words::duration(row.duration_ms)
    )
}

fn is_redefined(row: &CaseRowForm) -> bool {
    row.definition_changed == Some(true)
}

/// Where the definition changed, as the end of a sentence.
fn changes(ran: &[&CaseRowForm]) -> String {
    let cycles: Vec<String> =
        ran.iter().filter(|row| is_redefined(row)).map(|row| row.cycle.to_string()).collect();
    match cycles.len() {
        0 => String::new(),
        1 => format!("; its definition changed in cycle {}", cycles[0]),
        many if many > NAMED => format!("; its definition changed {many} times"),
        _ => format!("; its definition changed in cycles {}", cycles.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(cycle: u32, outcome: &str, changed: Option<bool>) -> CaseRowForm {
        let revision = serde_json::json!({
            "sha": "4f1c2aad5b1e0a3c9d8e7f60718293a4b5c6d7e8", "short": "4f1c2aa", "subject": "a <b> & c",
            "author": "Ada", "branch": null, "time": "2026-05-28T20:26:40Z",
        });
        serde_json::from_value(serde_json::json!({
            "cycle": cycle, "environment": "staging", "verdict": "green", "revision": revision,
            "started_at": "2026-05-28T20:26:40Z", "outcome": outcome, "change": null,
            "duration_ms": 100 * cycle, "attempts": u32::from(outcome != "not_run"), "fingerprint": null,
            "definition_changed": changed,
        }))
        .unwrap()
    }

    #[test]
    fn a_mark_tells_its_revision_and_a_line_where_the_definition_changed() {
        let rows = [
            row(4, "failed", Some(true)),
            row(3, "not_run", None),
            row(2, "passed", Some(false)),
            row(1, "passed", None),
        ];
        let svg = plot(&rows);
        assert_eq!(svg.matches("<circle").count(), 3, "{svg}");
        let title = "<title>cycle 4: failed, 400 ms, definition changed, 4f1c2aa a &lt;b&gt; &amp; c</title>";
        assert!(svg.contains(title), "{svg}");
        assert!(svg.contains("<title>cycle 2: passed, 200 ms, 4f1c2aa a"), "{svg}");
        // Halfway between the second run and the third of three.
        assert_eq!(svg.matches("class=\"redefined\"").count(), 1, "{svg}");
        assert!(svg.contains("class=\"redefined\" x=\"74.2%\""), "{svg}");
        assert!(svg.contains("last 400 ms; its definition changed in cycle 4\""), "{svg}");
    }

    #[test]
    fn a_label_stays_short() {
        let rows: Vec<CaseRowForm> =
            (1..9).rev().map(|cycle| row(cycle, "passed", Some(cycle > 1))).collect();
        assert!(plot(&rows).contains("; its definition changed 7 times\""));
        assert!(plot(&rows[5..]).contains("; its definition changed in cycles 2, 3\""));
        assert!(plot(&[]).contains("has not run yet"));
        assert!(!plot(&rows[7..]).contains("definition"));
    }
}
