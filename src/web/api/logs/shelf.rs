//! What readers of logs would find out again and again: which logs a cycle has. It only grows; of the cycles that were
//! asked for last it is kept.

use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::LogRecords;
use crate::store::{CycleKey, CycleRow, Store, StoreError};

/// Of so many cycles.
const KEPT: usize = 32;
/// So many events are held at once.
const PAGE: u32 = 1_000;

type Records = Arc<tokio::sync::Mutex<LogRecords>>;

/// What is kept, the one that was asked for last first.
#[derive(Debug, Default)]
pub(in crate::web) struct Shelf(Mutex<Vec<(CycleKey, Records)>>);

impl Shelf {
    /// What is known of the logs of a cycle, as of its row. Only those of its events are read that are new since
    /// anybody asked.
    pub(super) async fn records<T>(
        &self,
        store: &dyn Store,
        row: &CycleRow,
        of: impl FnOnce(&LogRecords) -> T,
    ) -> Result<T, StoreError> {
        let kept = self.kept(row.key());
        // Those who come meanwhile wait for what is read for them, too.
        let mut records = kept.lock().await;
        // Of a cycle whose records expired the store says so.
        while records.seq() < row.last_seq || row.expired_at.is_some() {
            let page = store.load_page(&row.key(), records.seq(), PAGE).await?;
            if page.is_empty() {
                break;
            }
            page.into_iter().for_each(|recorded| records.take(recorded));
        }
        Ok(of(&records))
    }

    /// What is kept of a cycle; of one that is not there, nothing yet.
    fn kept(&self, cycle: CycleKey) -> Records {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().position(|(known, _)| *known == cycle);
        let entry = match found {
            Some(place) => kept.remove(place),
            None => (cycle, Records::default()),
        };
        kept.truncate(KEPT - 1);
        let records = Arc::clone(&entry.1);
        kept.insert(0, entry);
        records
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::names::PipelineName;

    #[test]
    fn what_was_asked_for_longest_ago_is_let_go() {
        let shelf = Shelf::default();
        let pipeline = PipelineName::parse("shop").unwrap();
        let kept = |cycle: usize| {
            shelf.kept(CycleKey::new(pipeline.clone(), u32::try_from(cycle).unwrap()))
        };
        let first = kept(0);
        (1..KEPT).for_each(|cycle| drop(kept(cycle)));
        assert!(Arc::ptr_eq(&kept(0), &first), "all fit");
        (KEPT..2 * KEPT).for_each(|cycle| drop(kept(cycle)));
        assert!(!Arc::ptr_eq(&kept(0), &first));
        assert_eq!(shelf.0.lock().unwrap().len(), KEPT);
    }
}
