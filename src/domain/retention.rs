//! How much of the past is kept, and what the decision about it looks at. Plain data: which cycles go
//! is decided by `retention`.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::names::{EnvironmentName, PipelineName};
use super::outcome::Verdict;
use super::revision::Sha;

/// How much is kept. Whatever is reached first counts; `None`: no limit of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Cycles that ended so many days ago expire.
    pub days: Option<u32>,
    /// Of each pipeline the newest so many cycles are kept.
    pub cycles: Option<u32>,
    /// What records and logs of all cycles may take together, in bytes.
    pub bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { days: Some(180), cycles: Some(2_000), bytes: Some(5 << 30) }
    }
}

/// A cycle whose records are still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCycle {
    /// Its number.
    pub cycle: u32,
    /// Its environment.
    pub environment: EnvironmentName,
    /// Its verdict; `None` before it is decided.
    pub verdict: Option<Verdict>,
    /// Whether it planned all cases: nothing limited them.
    pub is_whole: bool,
    /// What it tested.
    pub revision: Option<Sha>,
    /// When it was over; `None` while it is open.
    pub finished_at: Option<Timestamp>,
    /// What its records and logs take; `None` when nobody has measured it yet.
    pub bytes: Option<u64>,
}

/// What the history of a case refers to: the cycle that planned it last, and one that its record
/// names (last known result, last good, first failing).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The last cycle that planned the case.
    pub planned_in: u32,
    /// The cycle that is referred to.
    pub to: u32,
}

/// The cycles of one pipeline, as the decision looks at them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineHistory {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// Cycles that are kept, oldest first.
    pub kept: Vec<KeptCycle>,
    /// How many cycles expired within the last 24 hours.
    pub expired_since_yesterday: u32,
    /// What the histories of its cases refer to.
    pub references: BTreeSet<Reference>,
    /// Cycles that investigations refer to which are still open.
    pub investigated: BTreeSet<u32>,
}
