//! Cases by cycles: the pages of results of many cycles, read at once, and only what a grid shows of them.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::cycles::{self, RawEvent, corrupt};
use crate::domain::event::{Event, PlannedCase};
use crate::domain::names::{CaseId, EnvironmentName, PipelineName};
use crate::store::packed::{page, result};
use crate::store::{CaseGrid, CaseRuns, CycleKey, CycleRow, Result};

/// Pages of results as they lie in their rows.
pub(super) struct StoredGrid {
    cycles: Vec<CycleRow>,
    /// Each with the place of its cycle.
    pages: Vec<(usize, Vec<u8>)>,
}

/// The newest valid cycles of an environment with their pages.
pub(super) async fn read(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    environment: &EnvironmentName,
    limit: u32,
) -> Result<StoredGrid> {
    let cycles = cycles::newest_valid(db, pipeline, environment, limit).await?;
    let Some(oldest) = cycles.first().map(|row| row.summary.cycle) else {
        return Ok(StoredGrid { cycles, pages: Vec::new() });
    };
    let places: HashMap<u32, usize> =
        cycles.iter().enumerate().map(|(place, row)| (row.summary.cycle, place)).collect();
    let mut stored = sqlx::query(
        "SELECT c.number, r.body FROM pipeline p
         JOIN cycle c ON c.pipeline_id = p.id
         JOIN case_page r ON r.cycle_id = c.id
         WHERE p.name = ? AND c.environment = ? AND c.number >= ?
           AND c.verdict IN ('green', 'red', 'incomplete')",
    )
    .bind(pipeline.as_str())
    .bind(environment.as_str())
    .bind(oldest)
    .fetch(db);
    let mut pages = Vec::new();
    while let Some(row) = stored.try_next().await? {
        // A cycle may have become valid since they were listed.
        if let Some(place) = places.get(&row.try_get(0)?) {
            pages.push((*place, row.try_get(1)?));
        }
    }
    drop(stored);
    Ok(StoredGrid { cycles, pages })
}

impl StoredGrid {
    /// Whether reading it is work for a thread of its own.
    pub(super) fn is_heavy(&self) -> bool {
        self.pages.len() > 64
    }

    pub(super) fn decode(self) -> Result<CaseGrid> {
        let Self { cycles, pages } = self;
        let mut found: HashMap<&str, CaseRuns> = HashMap::new();
        for (place, page) in &pages {
            let records = page::decode(page);
            let records = records.ok_or_else(|| corrupt("a page of cases cannot be read"))?;
            for (case, record) in records {
                let unreadable = || corrupt(format_args!("the record of {case} cannot be read"));
                let (outcome, change) = result::glance(record).ok_or_else(unreadable)?;
                let runs = match found.get_mut(case) {
                    Some(runs) => runs,
                    None => found.entry(case).or_insert(CaseRuns {
                        case: CaseId::parse(case).map_err(corrupt)?,
                        outcomes: vec![None; cycles.len()],
                        change: None,
                    }),
                };
                runs.outcomes[*place] = outcome;
                if place + 1 == cycles.len() {
                    runs.change = change;
                }
            }
        }
        let mut cases: Vec<CaseRuns> = found.into_values().collect();
        cases.sort_unstable_by(|one, other| one.case.cmp(&other.case));
        Ok(CaseGrid { cycles, cases })
    }
}

/// The cases that these events plan, in order.
pub(super) fn decode_plans(cycle: &CycleKey, rows: Vec<RawEvent>) -> Result<Vec<PlannedCase>> {
    let mut planned = Vec::new();
    for recorded in cycles::decode_events(cycle, rows)? {
        match recorded.event {
            Event::SuitePlanned(plan) => planned.extend(plan.cases),
            Event::CasesPlanned(plan) => planned.extend(plan.cases),
            _ => {}
        }
    }
    Ok(planned)
}
