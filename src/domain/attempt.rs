//! One execution of a case.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::failure::{Blame, Failure};
use super::names::CaseId;
use super::outcome::Outcome;

/// A finished attempt. It is recorded once, when it is final, and never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The case.
    pub case: CaseId,
    /// 1 for the first attempt of the cycle.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, by a monotonic clock.
    pub duration_ms: u64,
    /// Why it did not pass; `None` when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Arc<Failure>>,
    /// Why the suite skips the case; `None` when it does not. An empty text where it gives no reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Arc<str>>,
    /// What it saw.
    #[serde(default)]
    pub evidence: Evidence,
}

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptResult {
    /// Every expectation held.
    Passed,
    /// The suite says that the case does not apply.
    Skipped,
    /// The service is wrong.
    Failed,
    /// We could not measure.
    Errored,
}

impl From<AttemptResult> for Outcome {
    fn from(result: AttemptResult) -> Self {
        match result {
            AttemptResult::Passed => Self::Passed,
            AttemptResult::Skipped => Self::Skipped,
            AttemptResult::Failed => Self::Failed,
            AttemptResult::Errored => Self::Errored,
        }
    }
}

impl Attempt {
    /// How it ended.
    pub fn result(&self) -> AttemptResult {
        match self.failure.as_ref().map(|failure| failure.blame) {
            None if self.skipped.is_some() => AttemptResult::Skipped,
            None => AttemptResult::Passed,
            Some(Blame::Service) => AttemptResult::Failed,
            Some(Blame::Measurement) => AttemptResult::Errored,
        }
    }
}
