//! Part 6: which expected events came, in which order and when: k of n, and what users miss.

use std::collections::BTreeMap;

use super::page::Page;
use super::{MAX_ROWS, cut_note};
use crate::domain::escape;
use crate::domain::evidence::EventsSeen;
use crate::domain::names::CaseId;
use crate::report::view::{CaseView, View};
use crate::report::words;

/// At most so many columns; a step that expects more events is told in words.
const MAX_EVENTS: usize = 8;
/// At most so many tables, one for each set of expected events.
const MAX_TABLES: usize = 6;

/// One step of one case, over all its sessions.
struct Row<'a> {
    case: &'a CaseId,
    /// The session that saw least.
    worst: &'a EventsSeen,
    sessions: usize,
    complete: usize,
    failing: bool,
    impact: Option<&'a str>,
}

pub fn write(page: &mut Page, view: &View<'_>) {
    let mut rows: Vec<Row<'_>> = view.cases.iter().flat_map(rows_of).collect();
    if rows.is_empty() {
        return;
    }
    page.section("Expected events");
    rows.sort_by_key(|row| (!row.failing, is_complete(row.worst)));
    let mut tables: Vec<(&[String], Vec<Row<'_>>)> = Vec::new();
    for row in rows {
        match tables.iter().position(|(expected, _)| *expected == row.worst.expected.as_slice()) {
            Some(at) => tables[at].1.push(row),
            None => tables.push((&row.worst.expected, vec![row])),
        }
    }
    for (expected, rows) in tables.iter().take(MAX_TABLES) {
        table(page, view, expected, rows);
    }
    let left_out = tables.iter().skip(MAX_TABLES).map(|(_, rows)| rows.len()).sum();
    page.block(&cut_note(view, left_out).unwrap_or_default());
    page.block("Times are milliseconds after the socket or stream opened; – never came.");
}

fn rows_of<'a>(case: &CaseView<'a>) -> Vec<Row<'a>> {
    let Some(attempt) = case.deciding().filter(|_| case.outcome().is_some_and(|o| o.is_known()))
    else {
        return Vec::new();
    };
    let mut steps: BTreeMap<&str, Row<'a>> = BTreeMap::new();
    for seen in attempt.evidence.events.iter().filter(|seen| !seen.expected.is_empty()) {
        let complete = usize::from(is_complete(seen));
        steps
            .entry(&seen.step)
            .and_modify(|row| {
                row.sessions += 1;
                row.complete += complete;
                if rank(seen) < rank(row.worst) {
                    row.worst = seen;
                }
            })
            .or_insert(Row {
                case: case.id,
                worst: seen,
                sessions: 1,
                complete,
                failing: case.is_failing(),
                impact: case.impact(),
            });
    }
    steps.into_values().collect()
}

fn is_complete(seen: &EventsSeen) -> bool {
    seen.missing.is_empty() && seen.forbidden.is_empty() && !seen.out_of_order
}

/// Less is worse.
fn rank(seen: &EventsSeen) -> (usize, bool, bool) {
    (came(seen), seen.forbidden.is_empty(), !seen.out_of_order)
}

fn came(seen: &EventsSeen) -> usize {
    seen.expected.len().saturating_sub(seen.missing.len())
}

fn table(page: &mut Page, view: &View<'_>, expected: &[String], rows: &[Row<'_>]) {
    let shown = if expected.len() > MAX_EVENTS { &[][..] } else { expected };
    let mut header = vec!["case".to_owned()];
    header.extend(shown.iter().map(|event| escape::cell_code(event)));
    header.push("came".to_owned());
    header.push("what users miss".to_owned());
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let lines: Vec<Vec<String>> = rows.iter().take(MAX_ROWS).map(|row| line(row, shown)).collect();
    page.table(&header, &lines);
    page.block(&cut_note(view, rows.len().saturating_sub(MAX_ROWS)).unwrap_or_default());
}

fn line(row: &Row<'_>, shown: &[String]) -> Vec<String> {
    let seen = row.worst;
    let mut cells = vec![escape::cell_code(row.case.as_str())];
    cells.extend(shown.iter().map(|event| first_seen(seen, event)));
    cells.push(verdict(row));
    cells.push(missed(row));
    cells
}

fn first_seen(seen: &EventsSeen, event: &str) -> String {
    let mut times = seen.seen.iter().filter(|(name, _)| name == event);
    match times.next() {
        None => "–".to_owned(),
        Some((_, at)) => match times.count() {
            0 => at.to_string(),
            again => format!("{at} ({}×)", again + 1),
        },
    }
}

fn verdict(row: &Row<'_>) -> String {
    let seen = row.worst;
    let mut text = format!("{} of {}", came(seen), seen.expected.len());
    if seen.out_of_order {
        let order: Vec<String> =
            seen.seen.iter().take(MAX_EVENTS).map(|(name, _)| escape::cell_code(name)).collect();
        text.push_str(&format!(", **out of order**: {}", order.join(" ")));
    } else if seen.ordered && seen.missing.is_empty() {
        text.push_str(", in order");
    }
    if !seen.forbidden.is_empty() {
        let forbidden: Vec<String> =
            seen.forbidden.iter().take(MAX_EVENTS).map(|name| escape::cell_code(name)).collect();
        text.push_str(&format!(", **forbidden came**: {}", forbidden.join(" ")));
    }
    if row.sessions > 1 {
        text.push_str(&format!("; {} of {} sessions complete", row.complete, row.sessions));
    }
    text
}

/// What a user does not see, in words where the events are the five of an agent's run.
fn missed(row: &Row<'_>) -> String {
    let seen = row.worst;
    if seen.missing.is_empty() {
        return String::new();
    }
    if let Some(impact) = row.impact.filter(|_| row.failing && came(seen) == 0) {
        return escape::cell(impact);
    }
    let lost: Vec<String> =
        seen.missing.iter().take(MAX_EVENTS).map(|event| meaning(event)).collect();
    words::list(&lost)
}

fn meaning(event: &str) -> String {
    match event {
        "agent_started" => "that work has begun".to_owned(),
        "agent_thinking" => "that it is being thought about".to_owned(),
        "tool_executing" => "which tool is used".to_owned(),
        "tool_completed" => "what the tool gave".to_owned(),
        "agent_completed" => "the result".to_owned(),
        other => escape::cell_code(other),
    }
}
