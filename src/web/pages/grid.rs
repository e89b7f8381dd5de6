//! Cases by cycles, of what is known of each case. Pure.

use std::collections::HashMap;

use serde::Serialize;

use super::case::in_address;
use super::trend::look;
use crate::domain::history::CaseHead;
use crate::domain::outcome::Outcome;
use crate::store::CycleRow;

/// So many columns, the newest cycles.
const MAX_CYCLES: usize = 30;
/// So many rows, the most telling ones.
const MAX_CASES: usize = 1_000;

/// The grid.
#[derive(Debug, Serialize)]
pub(super) struct Grid {
    columns: Vec<Column>,
    rows: Vec<Row>,
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct Column {
    cycle: u32,
    look: &'static str,
    says: String,
}

#[derive(Debug, Serialize)]
struct Row {
    case: String,
    path: String,
    /// Words to filter by.
    kinds: String,
    cells: Vec<Cell>,
    #[serde(skip)]
    rank: (bool, std::cmp::Reverse<usize>),
}

#[derive(Debug, Serialize)]
struct Cell {
    look: &'static str,
    letter: &'static str,
    says: String,
}

/// The grid of these cases and cycles: failing now first, then what failed most, then by id.
pub(super) fn grid(heads: &[CaseHead], newest_first: &[CycleRow]) -> Grid {
    let has_column = |row: &&CycleRow| {
        !row.is_question() && row.summary.verdict.is_some_and(|verdict| verdict.has_valid_suite())
    };
    let mut cycles: Vec<&CycleRow> =
        newest_first.iter().filter(has_column).take(MAX_CYCLES).collect();
    cycles.reverse();
    let places: HashMap<u32, usize> =
        cycles.iter().enumerate().map(|(place, row)| (row.summary.cycle, place)).collect();
    let mut rows: Vec<Row> = heads.iter().map(|head| row(head, &places)).collect();
    rows.retain(|row| row.cells.iter().any(|cell| !cell.look.is_empty()));
    rows.sort_by(|a, b| (&a.rank, &a.case).cmp(&(&b.rank, &b.case)));
    let left_out = rows.len().saturating_sub(MAX_CASES);
    rows.truncate(MAX_CASES);
    Grid { columns: cycles.iter().map(|row| column(row)).collect(), rows, left_out }
}

fn column(row: &CycleRow) -> Column {
    let word = look(row.summary.verdict).replace('_', " ");
    let revision = row.summary.revision.as_ref();
    let of = revision.map_or_else(String::new, |it| format!(", {} {}", it.sha.short(), it.subject));
    let cycle = row.summary.cycle;
    Column { cycle, look: look(row.summary.verdict), says: format!("cycle {cycle}: {word}{of}") }
}

fn row(head: &CaseHead, places: &HashMap<u32, usize>) -> Row {
    let mut cells: Vec<Cell> =
        (0..places.len()).map(|_| Cell { look: "", letter: "", says: String::new() }).collect();
    let (mut bad, mut is_flaky) = (0, false);
    for run in &head.recent {
        let Some(place) = places.get(&run.cycle) else { continue };
        let letter = match run.outcome {
            Outcome::Passed => "P",
            Outcome::Failed => "F",
            Outcome::Errored => "E",
            Outcome::Flaky => "~",
            Outcome::Skipped => "s",
            Outcome::NotRun => "–",
        };
        bad += usize::from(run.outcome.is_failing());
        is_flaky |= run.outcome == Outcome::Flaky;
        let look = run.outcome.as_str();
        let says = format!("cycle {}: {}", run.cycle, look.replace('_', " "));
        cells[*place] = Cell { look, letter, says };
    }
    let is_failing = head.known.as_ref().is_some_and(|known| known.outcome.is_failing());
    let kinds = [(is_failing, "failing"), (bad > 0, "mixed"), (is_flaky, "flaky")];
    let kinds: Vec<&str> = kinds.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    Row {
        case: head.case.as_str().to_owned(),
        path: in_address(head.case.as_str()),
        kinds: kinds.join(" "),
        cells,
        rank: (!is_failing, std::cmp::Reverse(bad)),
    }
}
