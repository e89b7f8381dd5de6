//! One deploy step, from its intent to its end.
//!
//! A command runs under a supervisor that outlives us, in a run folder that tells the truth after any
//! crash; a request is made and judged like a step of a case. Which step comes next, and what an end
//! means for the cycle, is decided elsewhere. Nothing here starts a step whose start was recorded,
//! unless the run folder proves that it never began.

mod command;
mod environment;

pub use command::{CommandStep, TakenUp, remove_unused, run, take_up};
pub use environment::{StepFacts, variables};

use crate::domain::evidence::Excerpt;
use crate::domain::outcome::PhaseOutcome;

/// How a step ended.
#[derive(Debug, Clone, PartialEq)]
pub struct StepEnd {
    /// The exit code of a command that ended by itself.
    pub exit: Option<i32>,
    /// The outcome: passed, failed, timed out, cancelled, interrupted, or errored.
    pub outcome: PhaseOutcome,
    /// How long it took.
    pub duration_ms: u64,
    /// One phrase for people.
    pub detail: String,
    /// The end of its output, masked.
    pub output: Option<Excerpt>,
}
