//! What an environment has after a cycle that went back. Read from the end of its records: whoever lists
//! pipelines must not read whole suites for it.

use crate::domain::event::{Event, RollbackPlanned};
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::store::{CycleRow, Store, StoreError};

/// So many events are read at once, from the end on.
const WINDOW: u32 = 4;

/// Where the way back of a cycle led; `None` where it went none, or did not get there.
///
/// # Errors
/// When the store refuses.
pub async fn gone_back_to(
    store: &dyn Store,
    row: &CycleRow,
) -> Result<Option<RollbackPlanned>, StoreError> {
    let (key, mut end, mut got_there) = (row.key(), row.last_seq, false);
    while end > 0 {
        let from = end.saturating_sub(u64::from(WINDOW));
        let mut events = store.load_page(&key, from, WINDOW).await?;
        events.retain(|recorded| recorded.seq <= end);
        for recorded in events.into_iter().rev() {
            match recorded.event {
                Event::PhaseEnded(ended) if ended.phase == Phase::Rollback => {
                    got_there = ended.outcome == PhaseOutcome::Passed;
                    if !got_there {
                        return Ok(None);
                    }
                }
                Event::RollbackPlanned(planned) => return Ok(got_there.then_some(planned)),
                // The verdict is before every way back.
                Event::Analysed(_) => return Ok(None),
                _ => {}
            }
        }
        end = from;
    }
    Ok(None)
}
