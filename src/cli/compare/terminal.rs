//! A comparison as a table for people.
//!
//! What it must not do: print text from outside as it is.

use std::io;

use super::{Comparison, outcome_of, words};
use crate::cli::output::{self, Out, Table, bold, clean, dim};
use crate::compare::Match;
use crate::domain::escape::clip;
use crate::domain::outcome::Change;

/// How many cases of one change are shown.
const SHOWN: usize = 100;

/// How many characters of a message are shown.
const MESSAGE: usize = 100;

fn message(text: &str) -> String {
    if text.is_empty() { String::new() } else { dim(&clean(&clip(text, MESSAGE))) }
}

/// Prints it: the sum, what is wrong with the runs, and each case that changed or is failing.
pub(super) fn print(out: &mut Out, comparison: &Comparison<'_>) -> io::Result<()> {
    let (before, now) = (clean(&comparison.before.name), clean(&comparison.now.name));
    out.line(bold(&format!("{before} → {now}")))?;
    out.line(format!("  {}", comparison.summary()))?;
    for trouble in &comparison.new_troubles {
        out.line(format!("  {} {}", bold("new:"), clean(trouble)))?;
    }
    let mut table = Table::default();
    let mut more = Vec::new();
    for change in Change::ALL.iter().copied() {
        for one in comparison.news(change).take(SHOWN) {
            let (was, is) = comparison.entries(one);
            let word = |outcome: Option<_>| outcome.map_or_else(|| "–".to_owned(), output::outcome);
            let alike = if one.matched == Match::Alike { " (renamed)" } else { "" };
            table.head(&["change", "case", "was", "is", "message"]);
            table.row([
                words(change),
                clean(&comparison.id(one)) + alike,
                word(outcome_of(was)),
                word(outcome_of(is)),
                message(comparison.message(one)),
            ]);
        }
        let left = comparison.news(change).skip(SHOWN).count();
        if left > 0 {
            more.push(format!("{left} more {}", words(change)));
        }
    }
    table.print(out)?;
    if !more.is_empty() {
        out.line(format!("… and {}: `--json` has them all", more.join(", ")))?;
    }
    for run in [comparison.before, comparison.now] {
        for remark in &run.remarks {
            out.line(dim(&clean(remark)))?;
        }
    }
    Ok(())
}
