//! A person says what became of a deploy that nobody saw the end of.

use jiff::Timestamp;

use crate::cycle;
use crate::domain::event::{Event, ResumeAs, Resumed};
use crate::store::{Append, CycleKey, CycleRow, Projection, Store, StoreError};

/// What a person said.
#[derive(Debug, Clone)]
pub struct Resume {
    /// How the cycle goes on.
    pub decision: ResumeAs,
    /// Who says so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Why a cycle was not resumed.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// It waits for nobody.
    #[error("{0} is not held")]
    NotHeld(CycleKey),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its events do not add up.
    #[error("the records of {0} contradict each other")]
    Records(CycleKey),
}

/// Records what a person said about a held cycle; whoever runs its pipeline takes it up.
///
/// # Errors
/// When it is not held, or the store refuses.
pub async fn resume(store: &dyn Store, row: &CycleRow, said: Resume) -> Result<(), ResumeError> {
    let key = row.key();
    if !row.held {
        return Err(ResumeError::NotHeld(key));
    }
    let state = cycle::fold(store.load_events(&key, 0).await?)
        .map_err(|_| ResumeError::Records(key.clone()))?;
    let append = Append {
        cycle: key,
        expected_seq: state.seq,
        lease: None,
        events: vec![Event::Resumed(Resumed { decision: said.decision, by: said.by })],
        at: said.at,
        projection: Projection::default(),
    };
    store.append(append).await?;
    Ok(())
}
