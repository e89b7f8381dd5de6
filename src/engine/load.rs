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
    let mut state = cycle::fold(first)?;
    if is_full {
        let mut pages = Box::pin(pages_after(store, key, state.seq).buffered(AHEAD));
        while is_full && let Some(page) = pages.next().await {
            let page = page?;
            is_full = page.len() == PAGE as usize;
            for recorded in page {
                cycle::apply(&mut state, recorded)?;
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
