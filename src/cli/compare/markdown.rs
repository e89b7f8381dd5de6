//! A comparison as Markdown that fits into a comment of a pull request.
//!
//! Worst first; what does not fit is counted. Text from outside is escaped, so that no name can mention
//! anybody or break the table.
//!
//! What it must not do: grow beyond [`LIMIT`].

use super::side::RunRead;
use super::{Comparison, outcome_of, words};
use crate::compare::{Extent, Match};
use crate::domain::escape::{cell, cell_code, clip, text};
use crate::domain::outcome::{Change, Outcome};

/// The longest comment that GitHub takes, in characters; bytes are never fewer.
pub(super) const LIMIT: usize = 65_535;

/// What is kept free for the lines that count what was left out.
const RESERVE: usize = 2_000;

/// How many characters of an id, and of a message, stand in a row.
const CELL: usize = 200;

/// How many troubles and remarks are shown.
const NOTES: usize = 20;

/// The page.
pub(super) fn render(comparison: &Comparison<'_>) -> String {
    let mut page = Page { text: String::new() };
    page.add(&format!("## {}\n\n", headline(comparison)));
    page.add(&figures(comparison));
    notes(&mut page, "New trouble", comparison.new_troubles.iter().copied());
    let mut left_out = Vec::new();
    for change in Change::ALL.iter().copied() {
        let left = section(&mut page, comparison, change);
        if left > 0 {
            left_out.push(format!("{left} {}", words(change)));
        }
    }
    if !left_out.is_empty() {
        page.text.push_str(&format!("\nNot shown for want of room: {}.\n", left_out.join(", ")));
    }
    let remarks = [comparison.before, comparison.now].into_iter().flat_map(|run| &run.remarks);
    notes(&mut page, "About the files", remarks.map(String::as_str));
    page.text
}

/// A page that does not grow beyond its limit.
struct Page {
    text: String,
}

impl Page {
    /// Adds a piece where there is room for it. Whether there was.
    fn add(&mut self, piece: &str) -> bool {
        let fits = self.text.len() + piece.len() + RESERVE <= LIMIT;
        if fits {
            self.text.push_str(piece);
        }
        fits
    }
}

fn headline(comparison: &Comparison<'_>) -> String {
    if comparison.now.totals.cases == 0 {
        return "No case ran".to_owned();
    }
    let told: Vec<String> = Change::ALL
        .iter()
        .map(|change| (comparison.news(*change).count(), words(*change)))
        .filter(|(count, _)| *count > 0)
        .map(|(count, change)| format!("{count} {change}"))
        .collect();
    if told.is_empty() { "Nothing changed".to_owned() } else { told.join(" · ") }
}

fn figures(comparison: &Comparison<'_>) -> String {
    let mut table = String::from("| run | cases | passed | flaky | failed | errored | skipped |\n");
    table.push_str("|---|--:|--:|--:|--:|--:|--:|\n");
    for (word, run) in [("before", comparison.before), ("now", comparison.now)] {
        let RunRead { totals, .. } = run;
        let part = if run.extent == Extent::Part { ", cut short" } else { "" };
        table.push_str(&format!(
            "| {word}: {}{part} | {} | {} | {} | {} | {} | {} |\n",
            cell_code(&run.name),
            totals.cases,
            totals.passed,
            totals.flaky,
            totals.failed,
            totals.errored,
            totals.skipped,
        ));
    }
    table
}

fn notes<'a>(page: &mut Page, title: &str, notes: impl Iterator<Item = &'a str>) {
    let notes: Vec<&str> = notes.collect();
    if notes.is_empty() || !page.add(&format!("\n### {title}\n\n")) {
        return;
    }
    let shown = notes
        .iter()
        .take(NOTES)
        .take_while(|note| page.add(&format!("- {}\n", text(note))))
        .count();
    if shown < notes.len() {
        page.add(&format!("- … and {} more\n", notes.len() - shown));
    }
}

/// The cases that changed so. How many did not fit.
fn section(page: &mut Page, comparison: &Comparison<'_>, change: Change) -> usize {
    let count = comparison.news(change).count();
    if count == 0 {
        return 0;
    }
    let mut title = words(change);
    title[..1].make_ascii_uppercase();
    let head =
        format!("\n### {title} ({count})\n\n| case | was | is | message |\n|---|---|---|---|\n");
    if !page.add(&head) {
        return count;
    }
    let mut shown = 0;
    for one in comparison.news(change) {
        let (was, is) = comparison.entries(one);
        let word = |outcome: Option<Outcome>| outcome.map_or("–", Outcome::as_str);
        let id = comparison.id(one);
        let renamed = if one.matched == Match::Alike { " (renamed)" } else { "" };
        let row = format!(
            "| {}{renamed} | {} | {} | {} |\n",
            cell_code(&clip(&id, CELL)),
            word(outcome_of(was)),
            word(outcome_of(is)),
            cell(&clip(comparison.message(one), CELL)),
        );
        if !page.add(&row) {
            break;
        }
        shown += 1;
    }
    count - shown
}
