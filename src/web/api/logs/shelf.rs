//! What readers of logs would find out again and again: which logs a cycle has, and how many lines end where. Both only
//! grow, and of both the ones that were asked for last are kept.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use super::line_ends::LineEnds;
use crate::engine::LogRecords;
use crate::store::{CycleKey, CycleRow, Store, StoreError};

/// Of so many cycles and files.
const KEPT: usize = 32;
/// So many events are held at once.
const PAGE: u32 = 1_000;

/// What is kept.
#[derive(Debug, Default)]
pub(in crate::web) struct Shelf {
    records: Recent<CycleKey, tokio::sync::Mutex<LogRecords>>,
    /// By device and number of the file.
    line_ends: Recent<(u64, u64), Mutex<LineEnds>>,
}

impl Shelf {
    /// What is known of the logs of a cycle, as of its row. Only those of its events are read that are new since
    /// anybody asked.
    pub(super) async fn records<T>(
        &self,
        store: &dyn Store,
        row: &CycleRow,
        of: impl FnOnce(&LogRecords) -> T,
    ) -> Result<T, StoreError> {
        let kept = self.records.get(row.key());
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

    /// What was counted of a file.
    pub(super) fn line_ends(&self, file: &Metadata) -> Arc<Mutex<LineEnds>> {
        self.line_ends.get((file.dev(), file.ino()))
    }
}

/// The values that were asked for last.
#[derive(Debug)]
struct Recent<K, V>(Mutex<Vec<(K, Arc<V>)>>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: PartialEq, V: Default> Recent<K, V> {
    /// The value of a key; one that is not there begins as nothing.
    fn get(&self, key: K) -> Arc<V> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().position(|(known, _)| *known == key);
        let entry = match found {
            Some(place) => kept.remove(place),
            None => (key, Arc::default()),
        };
        kept.truncate(KEPT - 1);
        let value = Arc::clone(&entry.1);
        kept.insert(0, entry);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_longest_ago_is_let_go() {
        let recent: Recent<usize, Mutex<usize>> = Recent::default();
        let value = |key| Arc::clone(&recent.get(key));
        *value(0).lock().expect("nobody else") = 7;
        for key in 1..KEPT {
            recent.get(key);
        }
        assert_eq!(*value(0).lock().expect("nobody else"), 7, "all fit");
        for key in KEPT..2 * KEPT {
            recent.get(key);
        }
        assert_eq!(*value(0).lock().expect("nobody else"), 0);
        assert_eq!(recent.0.lock().expect("nobody else").len(), KEPT);
    }
}
