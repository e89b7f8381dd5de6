//! What can go wrong while a cycle runs that is not a result of the cycle.

use crate::cycle::IllegalEvent;
use crate::store::{CycleKey, StoreError};

/// Why the loop stopped before the cycle's end. The cycle can be taken up later.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger and the loop contradict each other: a defect of ours.
    #[error("the ledger contradicts itself")]
    Illegal(#[from] IllegalEvent),
    /// The events of a cycle, as they are stored, do not follow from each other: some are missing, or
    /// were changed.
    #[error("the records of {cycle} contradict each other")]
    Records {
        /// The cycle.
        cycle: CycleKey,
        /// The first event that does not fit.
        #[source]
        source: IllegalEvent,
    },
    /// A step left no trace: a defect of ours, found before it can spin.
    #[error("step {action} changed nothing")]
    NoProgress {
        /// The step.
        action: String,
    },
    /// Something of ours is not as it must be.
    #[error("{what}")]
    Internal {
        /// What.
        what: String,
    },
}

impl EngineError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(fault) => fault.hint(),
            Self::Records { .. } => Some(
                "the database was changed or damaged: restore a backup of the state folder; other cycles are not affected, and `andon doctor` looks at all of them",
            ),
            Self::Illegal(_) | Self::NoProgress { .. } | Self::Internal { .. } => Some(
                "this is a defect in Andon: please report it with the output of `andon doctor --json`",
            ),
        }
    }
}
