//! Which cycles a search may still be about, as the lists tell it.

use crate::domain::names::PipelineName;
use crate::domain::outcome::{Change, Verdict};
use crate::store::{CycleRow, Store, StoreError};

/// So many cycles back, cycles are looked at.
pub(super) const LOOKED_BACK: u32 = 50;

/// The cycle whose search goes on, or the newest one since the last green in which something regressed.
///
/// # Errors
/// When the store cannot be read.
pub async fn cycle_to_search(
    store: &dyn Store,
    name: &PipelineName,
) -> Result<Option<u32>, StoreError> {
    Ok(cycles_to_search(store, name).await?.first().copied())
}

/// Every cycle since the last green one that something may still be asked about: what a search had begun
/// with and what regressed, newest first.
///
/// # Errors
/// When the store cannot be read.
pub async fn cycles_to_search(
    store: &dyn Store,
    name: &PipelineName,
) -> Result<Vec<u32>, StoreError> {
    let mut found: Vec<u32> = Vec::new();
    for row in store.list_cycles(name, LOOKED_BACK).await? {
        if row.finished_at.is_none() {
            continue;
        }
        let whole = row.summary.verdict.filter(|_| row.summary.only.is_none());
        let this = match whole {
            // What put the newest back may be green, and then is the last green one.
            Some(Verdict::Green) => {
                found.extend(row.search_of.filter(|of| !found.contains(of)));
                break;
            }
            Some(Verdict::Red | Verdict::Incomplete) if regressed_in(store, &row).await? => {
                Some(row.summary.cycle)
            }
            _ => None,
        };
        for of in [row.search_of, this].into_iter().flatten() {
            if !found.contains(&of) {
                found.push(of);
            }
        }
    }
    Ok(found)
}

/// The search that asked something before a cycle, and has not put the newest back since.
pub(super) async fn begun_before(
    store: &dyn Store,
    name: &PipelineName,
    cycle: u32,
) -> Result<Option<u32>, StoreError> {
    for row in store.list_cycles(name, LOOKED_BACK).await? {
        if row.finished_at.is_none() || row.summary.cycle >= cycle {
            continue;
        }
        if row.search_of.is_some() {
            return Ok(row.search_of.filter(|_| row.is_question()));
        }
        if row.summary.verdict == Some(Verdict::Green) && row.summary.only.is_none() {
            return Ok(None);
        }
    }
    Ok(None)
}

async fn regressed_in(store: &dyn Store, row: &CycleRow) -> Result<bool, StoreError> {
    if row.expired_at.is_some() {
        return Ok(false);
    }
    let results = store.case_results(&row.key()).await?;
    Ok(results.iter().any(|result| result.change == Some(Change::Regressed)))
}
