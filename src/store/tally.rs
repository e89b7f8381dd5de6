//! How the cycles of all time ended, at one moment.

use std::collections::{BTreeMap, BTreeSet};

use super::rows::CycleKey;
use crate::domain::names::PipelineName;
use crate::domain::outcome::Verdict;

/// How many cycles of each pipeline ended in which way, those that expired included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often each verdict was given.
    pub ended: Vec<(PipelineName, Verdict, u64)>,
    /// Cycles that were not over.
    pub(super) open: BTreeSet<CycleKey>,
    /// The newest cycle of each pipeline.
    pub(super) newest: BTreeMap<PipelineName, u32>,
}

impl Tally {
    /// Whether this cycle is among those that ended: who hears of an end tells by it whether to count it
    /// beside what is counted here.
    pub fn has(&self, cycle: &CycleKey) -> bool {
        let was_there =
            self.newest.get(&cycle.pipeline).is_some_and(|newest| cycle.cycle <= *newest);
        was_there && !self.open.contains(cycle)
    }
}
