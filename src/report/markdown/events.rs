//! Part 6: which expected events came, in which order and when: k of n, and what users miss.

mod rows;

use std::cmp::Reverse;

use super::page::Page;
use super::{MAX_ROWS, cut_note};
use crate::domain::escape;
use crate::domain::evidence::EventsSeen;
use crate::report::view::View;
use crate::report::words;
use rows::{Row, Sight, Unseen, rows_of};

/// At most so many columns; a step that expects more events is told in words.
const MAX_EVENTS: usize = 8;
/// At most so many tables, one for each set of expected events.
const MAX_TABLES: usize = 12;

pub fn write(page: &mut Page, view: &View<'_>) {
    let mut rows: Vec<Row<'_>> = view.cases.iter().flat_map(rows_of).collect();
    if rows.is_empty() {
        return;
    }
    page.section("Expected events");
    let did_not_run =
        |row: &Row<'_>| matches!(row.sight, Sight::Unseen(Unseen::NotRun | Unseen::Skipped));
    if rows.iter().all(did_not_run) {
        let steps = words::count(rows.len(), "step", "steps");
        page.block(&format!("{steps} would have looked for events; none of their cases ran."));
        return;
    }
    rows.sort_by_key(Row::rank); // Stable: the steps of a case stay in their order.
    let looked_for_all = rows.iter().all(|row| matches!(row.sight, Sight::Seen { .. }));
    let mut tables: Vec<(&[String], Vec<Row<'_>>)> = Vec::new();
    for row in rows {
        match tables.iter().position(|(expected, _)| *expected == row.expected) {
            Some(at) => tables[at].1.push(row),
            None => tables.push((row.expected, vec![row])),
        }
    }
    // A run of many events says more than a greeting.
    tables.sort_by_key(|(expected, rows)| (rows[0].rank(), Reverse(expected.len())));
    for (expected, rows) in tables.iter().take(MAX_TABLES) {
        table(page, view, expected, rows);
    }
    let left_out = tables.iter().skip(MAX_TABLES).map(|(_, rows)| rows.len()).sum();
    page.block(&cut_note(view, left_out).unwrap_or_default());
    let times = "Times are milliseconds after the socket or stream opened; – never came";
    page.block(&match looked_for_all {
        true => format!("{times}."),
        false => format!("{times}; where a cell is empty, nobody came to look."),
    });
}

fn table(page: &mut Page, view: &View<'_>, expected: &[String], rows: &[Row<'_>]) {
    let columns = Some(distinct(expected)).filter(|columns| columns.len() <= MAX_EVENTS);
    let columns = columns.unwrap_or_default();
    let mut header = vec!["case".to_owned()];
    header.extend(columns.iter().map(|(event, times)| match times {
        1 => escape::cell_code(event),
        times => format!("{} ({times}×)", escape::cell_code(event)),
    }));
    header.push("came".to_owned());
    header.push("what users miss".to_owned());
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let groups = grouped(rows);
    let lines: Vec<Vec<String>> =
        groups.iter().take(MAX_ROWS).map(|group| line(group, rows, &columns)).collect();
    page.table(&header, &lines);
    page.block(&cut_note(view, groups.len().saturating_sub(MAX_ROWS)).unwrap_or_default());
}

/// Rows that say the same of one case are one: the steps that it never came to.
fn grouped<'r>(rows: &'r [Row<'r>]) -> Vec<Group<'r>> {
    let mut groups: Vec<Group<'r>> = Vec::new();
    for row in rows {
        let same = |known: &&mut Group<'r>| match (&known.row.sight, &row.sight) {
            (Sight::Unseen(one), Sight::Unseen(other)) => {
                one == other && known.row.case == row.case
            }
            (Sight::Seen { .. }, _) | (_, Sight::Seen { .. }) => false,
        };
        // Rows of a case stand side by side.
        match groups.last_mut().filter(same) {
            Some(group) => group.more += 1,
            None => groups.push(Group { row, more: 0 }),
        }
    }
    groups
}

/// A row, and how many more steps of its case are as it is.
struct Group<'r> {
    row: &'r Row<'r>,
    more: usize,
}

/// Each event once, with how often it must come, in the order in which they stand.
fn distinct(events: &[String]) -> Vec<(&str, usize)> {
    let mut found: Vec<(&str, usize)> = Vec::new();
    for event in events {
        match found.iter().position(|(known, _)| known == event) {
            Some(at) => found[at].1 += 1,
            None => found.push((event, 1)),
        }
    }
    found
}

fn line(group: &Group<'_>, rows: &[Row<'_>], columns: &[(&str, usize)]) -> Vec<String> {
    let row = group.row;
    let mut case = escape::cell_code(row.case.as_str());
    // The step where it takes one to tell two rows apart.
    if rows.iter().filter(|other| other.case == row.case).nth(1).is_some() {
        case.push_str(&format!(": {}", escape::cell(row.step)));
    }
    if group.more > 0 {
        case.push_str(&format!(" and {}", words::count(group.more, "more step", "more steps")));
    }
    let mut cells = vec![case];
    cells.extend(columns.iter().map(|(event, _)| match &row.sight {
        Sight::Seen { worst, .. } => first_seen(worst, event),
        Sight::Unseen(_) => String::new(),
    }));
    cells.push(match &row.sight {
        Sight::Seen { worst, sessions, complete } => came(row, worst, (*complete, *sessions)),
        Sight::Unseen(why) => unseen(*why),
    });
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

fn came(row: &Row<'_>, seen: &EventsSeen, (complete, sessions): (usize, usize)) -> String {
    let mut parts = Vec::new();
    if !seen.expected.is_empty() {
        let order = if seen.ordered && row.is_complete() { ", in order" } else { "" };
        parts.push(format!("{} of {}{order}", seen.came(), seen.expected.len()));
    }
    if seen.out_of_order {
        let order = seen.seen.iter().take(MAX_EVENTS).map(|(name, _)| escape::cell_code(name));
        parts.push(format!("**out of order**: {}", order.collect::<Vec<_>>().join(" ")));
    }
    if !seen.forbidden.is_empty() {
        parts.push(format!("**forbidden came**: {}", codes(&seen.forbidden)));
    } else if !row.forbidden.is_empty() && row.is_complete() {
        parts.push(format!("no {}", codes(row.forbidden)));
    }
    let mut text = parts.join(", ");
    if sessions > 1 {
        text.push_str(&format!("; {complete} of {sessions} sessions complete"));
    }
    text
}

fn codes(names: &[String]) -> String {
    let shown: Vec<String> =
        names.iter().take(MAX_EVENTS).map(|name| escape::cell_code(name)).collect();
    shown.join(" ")
}

fn unseen(why: Unseen<'_>) -> String {
    match why {
        Unseen::NotRun => "not run".to_owned(),
        Unseen::Skipped => "skipped".to_owned(),
        Unseen::NoStream => "not seen: the case ended before its stream began".to_owned(),
        Unseen::EndedAt(step) => {
            format!("not seen: the case ended before, at {}", escape::cell_code(step))
        }
        Unseen::NotNeeded => "not looked for".to_owned(),
    }
}

/// What a user does not see, in words where the events are the five of an agent's run.
fn missed(row: &Row<'_>) -> String {
    let missing = match &row.sight {
        Sight::Seen { worst, .. } if worst.missing.is_empty() => return String::new(),
        Sight::Seen { worst, .. } => {
            if let Some(impact) = row.impact.filter(|_| row.failing && worst.came() == 0) {
                return escape::cell(impact);
            }
            worst.missing.as_slice()
        }
        Sight::Unseen(Unseen::NoStream | Unseen::EndedAt(_)) => row.expected,
        Sight::Unseen(Unseen::NotRun | Unseen::Skipped | Unseen::NotNeeded) => {
            return String::new();
        }
    };
    let lost: Vec<String> =
        distinct(missing).iter().take(MAX_EVENTS).map(|(event, _)| meaning(event)).collect();
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
