//! Cases by cycles, of the results of the newest valid cycles. A script draws as much of it as is seen; without one
//! there is a table of fewer cycles.

mod asked;
mod columns;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use axum::response::IntoResponse as _;
use http::header::{CACHE_CONTROL, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::case::in_address;
use super::cases::distinct;
use super::filters::Choice;
use super::trend::look;
use crate::domain::event::PlannedCase;
use crate::domain::names::PipelineName;
use crate::domain::outcome::{Change, Outcome};
use crate::report::words;
use crate::store::{CaseGrid, CaseRuns, CycleRow, Store};
use crate::web::call::{Answer, Call, ok};
use crate::web::problem::Problem;
pub(super) use asked::Asked;
use columns::Columns;

/// So many columns of the table, the newest cycles.
const TABLE_CYCLES: u32 = 30;
/// So many rows of the table, the most telling ones.
const TABLE_CASES: usize = 1_000;
/// So many columns and rows for a script, which draws few of them at a time.
const CYCLES: u32 = 200;
const CASES: usize = 5_000;
/// So many are made at once: each holds megabytes, and all who look ask when a cycle ends.
static MAKING: Semaphore = Semaphore::const_new(2);
/// Others wait for their turn for so long.
const TURN: Duration = Duration::from_secs(30);

/// What a page shows of the grid.
#[derive(Debug, Serialize)]
pub(super) struct Grid {
    asked: Asked,
    /// What was asked for and is nothing here, one sentence each.
    unknown: Vec<String>,
    /// What is looked for, in words.
    wanted: String,
    areas: Vec<String>,
    priorities: Vec<String>,
    outcomes: [Choice; 10],
    changes: Vec<[String; 2]>,
    /// Whether any case has run.
    any: bool,
    /// How high the grid will be, in steps of a row.
    lines: usize,
    columns: Vec<Column>,
    rows: Vec<Row>,
    left_out: usize,
    /// Which cycles have no column.
    says: String,
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
    cells: Vec<Cell>,
}

#[derive(Debug, Serialize)]
struct Cell {
    look: &'static str,
    letter: char,
}

/// The grid for a script: a string of letters a case.
#[derive(Debug, Serialize)]
struct Compact<'a> {
    cycles: Vec<CompactCycle<'a>>,
    cases: Vec<CompactCase<'a>>,
    left_out: usize,
    says: String,
}

#[derive(Debug, Serialize)]
struct CompactCycle<'a> {
    cycle: u32,
    look: &'static str,
    sha: Option<&'a str>,
    subject: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct CompactCase<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    area: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    priority: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    owner: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    change: &'static str,
    /// Whether its last known result is failing.
    failing: bool,
    runs: String,
}

/// The results, and what the last plan says of the cases.
struct Known {
    grid: CaseGrid,
    plan: HashMap<String, PlannedCase>,
    says: String,
}

/// `GET /pipelines/{pipeline}/grid.json`: as much as a script can draw, for the page of the pipeline.
pub(in crate::web) async fn data(call: Call) -> Answer {
    let name = call.pipeline().await?;
    let store = call.site.store();
    let rows = store.list_cycles(&name, TABLE_CYCLES).await?;
    let Some(newest) = rows.first() else { return ok(&Known::nothing().compact()) };
    let columns = Columns::choose(store, &name, &newest.environment, CYCLES).await?;
    let says = columns.says(&rows);
    let kept = kept_as(&columns.validator(&says));
    if call.header("if-none-match").is_some_and(|known| knows(known, &kept)) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    let turn = tokio::time::timeout(TURN, MAKING.acquire()).await;
    let Ok(Ok(turn)) = turn else {
        return Err(Problem::unavailable("many ask for a grid just now").help("ask once more"));
    };
    let known = Known::load(store, &name, newest, &columns, says).await?;
    let making = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        ok(&known.compact())
    });
    let made = making.await.map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the grid cannot be written down")
    })?;
    made.map(|response| (kept, response).into_response())
}

/// How a browser may keep it: it asks each time whether it is still so, which tells at once who may no longer read.
fn kept_as(validator: &str) -> HeaderMap {
    let validator = HeaderValue::from_str(validator).expect("hexadecimal digits");
    let private = HeaderValue::from_static("private, no-cache");
    HeaderMap::from_iter([(ETAG, validator), (CACHE_CONTROL, private)])
}

/// Whether it is among those that a browser says it has (RFC 9110, section 13.1.2).
fn knows(known: &str, kept: &HeaderMap) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let ours = kept.get(ETAG).and_then(|tag| tag.to_str().ok()).map(bare);
    known.split(',').any(|tag| tag.trim() == "*" || Some(bare(tag)) == ours)
}

/// The grid for a page: what it can be filtered by, and its table.
pub(super) async fn grid(
    store: &dyn Store,
    name: &PipelineName,
    newest_first: &[CycleRow],
    asked: Asked,
) -> Result<Grid, Problem> {
    let known = match newest_first.first() {
        Some(newest) => {
            let of = &newest.environment;
            let columns = Columns::choose(store, name, of, TABLE_CYCLES).await?;
            let newest_first = &newest_first[..newest_first.len().min(TABLE_CYCLES as usize)];
            let says = columns.says(newest_first);
            Known::load(store, name, newest, &columns, says).await?
        }
        None => Known::nothing(),
    };
    Ok(known.table(asked))
}

impl Known {
    fn nothing() -> Self {
        Self { grid: CaseGrid::default(), plan: HashMap::new(), says: String::new() }
    }

    async fn load(
        store: &dyn Store,
        name: &PipelineName,
        newest: &CycleRow,
        columns: &Columns,
        says: String,
    ) -> Result<Self, Problem> {
        let grid = store.case_grid(name, &newest.environment, columns.count()).await?;
        // One that planned only some cases says nothing of the others.
        let newest = grid.cycles.iter().rev();
        let planned_in = newest.clone().find(|row| row.summary.only.is_none());
        let plan = match planned_in.or(newest.clone().next()) {
            Some(row) => store.planned_cases(&row.key()).await?,
            None => Vec::new(),
        };
        let plan = plan.into_iter().map(|case| (case.id.as_str().to_owned(), case)).collect();
        Ok(Self { grid, plan, says })
    }

    fn plan_of(&self, runs: &CaseRuns) -> Option<&PlannedCase> {
        self.plan.get(runs.case.as_str())
    }

    /// The rows in their order: failing now first, then what failed most, then by id.
    fn rows(&self) -> Vec<&CaseRuns> {
        let ever_ran = |runs: &&CaseRuns| runs.outcomes.iter().any(Option::is_some);
        let mut rows: Vec<&CaseRuns> = self.grid.cases.iter().filter(ever_ran).collect();
        // They come by id, and the order is stable.
        rows.sort_by_cached_key(|runs| {
            let bad = runs.outcomes.iter().flatten().filter(|outcome| outcome.is_failing()).count();
            (!is_failing(runs), Reverse(bad))
        });
        rows
    }

    fn table(&self, mut asked: Asked) -> Grid {
        let all = self.rows();
        let any = !all.is_empty();
        let lines = all.len().min(CASES);
        let of_plan = |of: fn(&PlannedCase) -> Option<String>| {
            let words: Vec<String> = self.plan.values().filter_map(of).collect();
            distinct(words.iter().map(String::as_str)).into_iter().map(str::to_owned).collect()
        };
        let areas: Vec<String> = of_plan(|case| case.area.clone());
        let priorities: Vec<String> = of_plan(|case| Some(case.priority.to_string()));
        let unknown = asked.without_unknown(&areas, &priorities);
        let fits = |runs: &&&CaseRuns| asked.fits(runs, self.plan_of(runs));
        let mut rows: Vec<&CaseRuns> = all.iter().filter(fits).copied().collect();
        let left_out = rows.len().saturating_sub(TABLE_CASES);
        rows.truncate(TABLE_CASES);
        // One that no case has now may have been one when somebody handed the address on.
        let is_offered = |change: &&Change| {
            asked.change == change.as_str()
                || self.grid.cases.iter().any(|runs| runs.change == Some(**change))
        };
        let changes = Change::ALL.iter().filter(is_offered).map(|change| change.as_str());
        Grid {
            outcomes: asked::OUTCOMES,
            changes: std::iter::once("").chain(changes).map(named).collect(),
            areas,
            priorities,
            unknown,
            wanted: asked.wanted(),
            any,
            lines,
            columns: self.grid.cycles.iter().map(column).collect(),
            rows: rows.into_iter().map(row).collect(),
            left_out,
            says: self.says.clone(),
            asked,
        }
    }

    fn compact(&self) -> Compact<'_> {
        let mut rows = self.rows();
        let left_out = rows.len().saturating_sub(CASES);
        rows.truncate(CASES);
        let cases = rows.into_iter().map(|runs| {
            let plan = self.plan_of(runs);
            CompactCase {
                id: runs.case.as_str(),
                area: plan.and_then(|plan| plan.area.as_deref()).unwrap_or_default(),
                priority: plan.map(|plan| plan.priority.to_string()).unwrap_or_default(),
                owner: plan.and_then(|plan| plan.owner.as_deref()).unwrap_or_default(),
                change: runs.change.map_or("", Change::as_str),
                failing: is_failing(runs),
                runs: runs.outcomes.iter().map(|outcome| letter(*outcome)).collect(),
            }
        });
        let cases = cases.collect();
        let cycles = self.grid.cycles.iter().map(compact).collect();
        let mut says = self.says.clone();
        if left_out > 0 {
            let more = words::count(
                left_out,
                "more case, of the quietest, is",
                "more cases, the quietest, are",
            );
            let space = if says.is_empty() { "" } else { " " };
            says.push_str(&format!("{space}{more} left out."));
        }
        Compact { cycles, cases, left_out, says }
    }
}

/// A choice and its words; an empty one is for all.
fn named(word: &str) -> [String; 2] {
    let says = if word.is_empty() { "all".to_owned() } else { word.replace('_', " ") };
    [word.to_owned(), says]
}

/// Whether the last result that says something is failing.
fn is_failing(runs: &CaseRuns) -> bool {
    let mut known = runs.outcomes.iter().rev().flatten().filter(|outcome| outcome.is_known());
    known.next().is_some_and(|outcome| outcome.is_failing())
}

fn letter(outcome: Option<Outcome>) -> char {
    match outcome {
        Some(Outcome::Passed) => 'P',
        Some(Outcome::Failed) => 'F',
        Some(Outcome::Errored) => 'E',
        Some(Outcome::Flaky) => '~',
        Some(Outcome::Skipped) => 's',
        Some(Outcome::NotRun) => '–',
        None => ' ',
    }
}

fn compact(row: &CycleRow) -> CompactCycle<'_> {
    let revision = row.summary.revision.as_ref();
    CompactCycle {
        cycle: row.summary.cycle,
        look: look(row.summary.verdict),
        sha: revision.map(|revision| revision.sha.short()),
        subject: revision.map(|revision| revision.subject.as_str()),
    }
}

fn column(row: &CycleRow) -> Column {
    let word = look(row.summary.verdict).replace('_', " ");
    let revision = row.summary.revision.as_ref();
    let of = revision.map_or_else(String::new, |it| format!(", {} {}", it.sha.short(), it.subject));
    let cycle = row.summary.cycle;
    Column { cycle, look: look(row.summary.verdict), says: format!("cycle {cycle}: {word}{of}") }
}

fn row(runs: &CaseRuns) -> Row {
    let cell = |outcome: &Option<Outcome>| Cell {
        look: outcome.map_or("", Outcome::as_str),
        letter: letter(*outcome),
    };
    let case = runs.case.as_str();
    Row {
        case: case.to_owned(),
        path: in_address(case),
        cells: runs.outcomes.iter().map(cell).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::names::CaseId;

    fn runs(case: &str, letters: &str) -> CaseRuns {
        let outcome =
            |letter| Outcome::ALL.iter().copied().find(|it| self::letter(Some(*it)) == letter);
        CaseRuns {
            case: CaseId::parse(case).unwrap(),
            outcomes: letters.chars().map(outcome).collect(),
            change: None,
        }
    }

    fn known(cases: &[(&str, &str)]) -> Known {
        let cases = cases.iter().map(|(case, letters)| runs(case, letters)).collect();
        let grid = CaseGrid { cycles: Vec::new(), cases };
        Known { grid, ..Known::nothing() }
    }

    fn shown(known: &Known, outcome: &str) -> Vec<String> {
        let asked = Asked { outcome: outcome.to_owned(), ..Asked::default() };
        known.table(asked).rows.into_iter().map(|row| row.case).collect()
    }

    #[test]
    fn what_fails_comes_first_and_a_blank_row_never() {
        let known = known(&[("a", "PPP"), ("b", "FFP"), ("c", "PPF"), ("d", "PF–"), ("e", "   ")]);
        // What did not run is still failing; of two that fail the one that failed as often goes by its id.
        assert_eq!(shown(&known, ""), ["c", "d", "b", "a"]);
        let compact: Vec<String> = known.compact().cases.into_iter().map(|it| it.runs).collect();
        assert_eq!(compact, ["PPF", "PF–", "FFP", "PPP"]);
    }

    #[test]
    fn cases_that_are_too_many_are_said_to_be_left_out() {
        let names: Vec<String> = (0..CASES + 2).map(|number| format!("c{number:05}")).collect();
        let mut cases: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "P")).collect();
        cases[CASES + 1].1 = "F";
        let known = known(&cases);
        let compact = known.compact();
        assert_eq!((compact.cases.len(), compact.left_out), (CASES, 2));
        assert_eq!(compact.cases[0].runs, "F", "what fails is never left out first");
        assert_eq!(compact.says, "2 more cases, the quietest, are left out.");
    }

    #[test]
    fn rows_are_filtered_by_what_became_of_them() {
        let known = known(&[("a", "PPP"), ("b", "FFP"), ("c", "P~F"), ("d", "PF–"), ("e", "EPs")]);
        let table: [(&str, &[&str]); 6] = [
            ("failing", &["c", "d"]),
            ("failed", &["c"]),
            ("not_run", &["d"]),
            ("skipped", &["e"]),
            ("ever_failing", &["c", "d", "b", "e"]),
            ("ever_flaky", &["c"]),
        ];
        for (outcome, cases) in table {
            assert_eq!(shown(&known, outcome), cases, "{outcome}");
        }
        let asked = Asked { outcome: "nonsense".to_owned(), ..Asked::default() };
        let grid = known.table(asked);
        assert_eq!((grid.rows.len(), grid.wanted.as_str()), (5, ""));
        assert_eq!(grid.unknown, ["There is no outcome “nonsense” here: it limits nothing."]);
        let asked = Asked { change: "fixed".to_owned(), ..Asked::default() };
        let grid = known.table(asked);
        assert_eq!((grid.rows.len(), grid.wanted.as_str()), (0, "change fixed"));
        assert_eq!(grid.changes, ["", "fixed"].map(named), "it is one, and nothing has it now");
    }
}
