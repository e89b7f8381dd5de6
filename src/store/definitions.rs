//! Where a case came to expect something else: which cycles of its history ran another definition of it than
//! the ones before. A change of outcome or duration there says little of the service.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::{CaseHistoryRow, CycleKey, Result, Store, StoreError};
use crate::domain::names::{CaseId, EnvironmentName, PipelineName};

/// Of so many cycles the plan is read, the newest ones. A case of the pipeline's own file needs one for each
/// form that the suite had; a case of a command, whose tests change without the suite, one for each cycle.
const MOST: usize = 40;

/// What is known of the definitions that a history of a case ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Definitions {
    /// By cycle; one of which nothing can be said is not there.
    compared: BTreeMap<u32, Compared>,
    /// Cycles whose plan cannot be read.
    pub unreadable: BTreeSet<u32>,
    /// The cycle before which no plan was read any more, where there were too many.
    pub looked_back_to: Option<u32>,
}

/// The definition in one cycle beside that in an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// The latest cycle before, of the same environment, in which the case ran by a definition that is known.
    pub with: u32,
    /// Whether it is another one.
    pub changed: bool,
}

impl Definitions {
    /// Whether the definition changed in a cycle; `None` where that cannot be said.
    pub fn changed_in(&self, cycle: u32) -> Option<bool> {
        self.compared.get(&cycle).map(|compared| compared.changed)
    }

    /// The cycles in which it changed, each with the one that had another before.
    pub fn changes(&self) -> BTreeMap<u32, u32> {
        let changed = self.compared.iter().filter(|(_, compared)| compared.changed);
        changed.map(|(cycle, compared)| (*cycle, compared.with)).collect()
    }
}

/// Looks up which definitions a history ran, newest first as it is listed.
///
/// # Errors
/// When the store cannot be asked. That the records of a cycle expired, or cannot be understood, is none: of such a
/// cycle nothing is known.
pub async fn definitions_of(
    store: &dyn Store,
    pipeline: &PipelineName,
    case: &CaseId,
    newest_first: &[CaseHistoryRow],
) -> Result<Definitions> {
    let mut seen = Vec::new();
    // Two suites of one digest have the same native cases.
    let mut native: HashMap<&str, Arc<str>> = HashMap::new();
    let (mut asked, mut last, mut looked_back_to) = (0, None, None);
    let mut unreadable = BTreeSet::new();
    for row in newest_first.iter().filter(|row| counts(row)) {
        let of_suite = row.suite_digest.as_deref();
        if let Some(digest) = of_suite.and_then(|suite| native.get(suite)) {
            seen.push((row, Arc::clone(digest)));
            continue;
        }
        if asked == MOST {
            looked_back_to = last;
            break;
        }
        (asked, last) = (asked + 1, Some(row.cycle));
        let key = CycleKey::new(pipeline.clone(), row.cycle);
        let planned = match store.planned_case(&key, case).await {
            Ok(Some(planned)) => planned,
            Ok(None) => continue,
            Err(StoreError::UnreadableEvent { .. }) => {
                unreadable.insert(row.cycle);
                continue;
            }
            Err(fault) => return Err(fault),
        };
        if let (None, Some(suite)) = (&planned.command, of_suite) {
            native.insert(suite, Arc::clone(&planned.digest));
        }
        seen.push((row, planned.digest));
    }
    Ok(Definitions { compared: compare(&seen), unreadable, looked_back_to })
}

/// Whether it ran, and for the branch: what did not run expected nothing, and a search asks old commits.
fn counts(row: &CaseHistoryRow) -> bool {
    row.result.attempts > 0 && row.asked_by_search_of.is_none()
}

fn compare(newest_first: &[(&CaseHistoryRow, Arc<str>)]) -> BTreeMap<u32, Compared> {
    let mut latest: HashMap<&EnvironmentName, (u32, &Arc<str>)> = HashMap::new();
    let mut compared = BTreeMap::new();
    for (row, digest) in newest_first.iter().rev() {
        if let Some((with, before)) = latest.insert(&row.environment, (row.cycle, digest)) {
            compared.insert(row.cycle, Compared { with, changed: before != digest });
        }
    }
    compared
}
