//! From the ledger to the state of a cycle, without ever holding all of its events.

use futures_util::{Stream, StreamExt as _, stream};

use super::error::EngineError;
use crate::cycle;
use crate::domain::event::Recorded;
use crate::domain::state::CycleState;
use crate::store::{CycleKey, Store, StoreError};

/// So many events are read at once.
const PAGE: u32 = 2_000;
/// So many pages of a large cycle are read and decoded side by side, while those before them are
/// folded.
const AHEAD: usize = 3;

/// The state of a cycle: its events, folded.
///
/// # Errors
/// When the store refuses, there is no such cycle, or its events contradict each other.
pub async fn load_state(store: &dyn Store, key: &CycleKey) -> Result<CycleState, EngineError> {
    let first = store.load_page(key, 0, PAGE).await?;
    let mut is_full = first.len() == PAGE as usize;
    let contradicts = |source| EngineError::Records { cycle: key.clone(), source };
    let mut state = cycle::fold(first).map_err(contradicts)?;
    if is_full {
        let mut pages = Box::pin(pages_after(store, key, state.seq).buffered(AHEAD));
        while is_full && let Some(page) = pages.next().await {
            let page = page?;
            is_full = page.len() == PAGE as usize;
            for recorded in page {
                cycle::apply(&mut state, recorded).map_err(contradicts)?;
            }
        }
    }
    Ok(state)
}

/// The pages after an event, each to be read when it is its turn. There is no last one: whoever gets
/// one that is not full has reached the end.
fn pages_after<'a>(
    store: &'a dyn Store,
    key: &'a CycleKey,
    seq: u64,
) -> impl Stream<Item = impl Future<Output = Result<Vec<Recorded>, StoreError>> + 'a> {
    let places = (0_u64..).map(move |place| seq.saturating_add(place * u64::from(PAGE)));
    stream::iter(places.map(move |after| store.load_page(key, after, PAGE)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cycle::testing;
    use crate::domain::event::Event;
    use crate::store::sqlite::{Mode, SqliteStore};
    use crate::store::{Append, Projection};

    /// A cycle with so many events: its one case was tried again and again.
    async fn cycle_of(store: &dyn Store, events: usize) -> CycleKey {
        let Event::Queued(queued) = testing::queued() else { panic!("a story begins so") };
        let (key, _) = store.create_cycle(*queued, testing::at(0)).await.unwrap();
        let mut told: Vec<Event> = testing::story()[1..14].to_vec();
        let Some(Event::AttemptFinished(first)) = told.pop() else { panic!("an attempt is last") };
        told.extend(
            (1..)
                .map(|number| {
                    let mut again = first.clone();
                    again.number = number;
                    Event::AttemptFinished(again)
                })
                .take(events - 13),
        );
        let append = Append {
            cycle: key.clone(),
            expected_seq: 1,
            lease: None,
            events: told,
            at: testing::at(1),
            projection: Projection::default(),
        };
        store.append(append).await.unwrap();
        key
    }

    #[tokio::test]
    async fn page_by_page_gives_what_all_at_once_gives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("andon.db");
        let store = SqliteStore::open(&path, Mode::ReadWrite).await.unwrap();
        let page = PAGE as usize;
        for events in [20, page - 1, page, page + 1, (AHEAD + 2) * page, (AHEAD + 2) * page + 7] {
            let key = cycle_of(&store, events).await;
            let state = load_state(&store, &key).await.unwrap();
            assert_eq!(state.seq, events as u64);
            assert_eq!(state, cycle::fold(store.load_events(&key, 0).await.unwrap()).unwrap());
        }
        let unknown = CycleKey::new(testing::pipeline().name, 99);
        assert!(matches!(load_state(&store, &unknown).await, Err(EngineError::Records { .. })));
    }
}
