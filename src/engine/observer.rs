//! What the engine tells whoever watches a cycle live: a terminal, a stream of JSON, nobody.

use std::time::Duration;

use crate::domain::event::{ControlReading, Recorded, SurfaceReading};
use crate::domain::names::CaseId;
use crate::domain::outcome::Outcome;
use crate::domain::state::CycleState;

/// News of a running cycle.
#[derive(Debug)]
pub enum Progress<'a> {
    /// An event is durable.
    Recorded {
        /// The event.
        recorded: &'a Recorded,
        /// The state with it.
        state: &'a CycleState,
    },
    /// Waiting for something that another process holds.
    Waiting {
        /// For what, as a sentence.
        why: &'a str,
    },
    /// A deploy step wrote something; masked.
    Output {
        /// The step.
        step: &'a str,
        /// What it wrote.
        bytes: &'a [u8],
    },
    /// A round of readiness came to its end.
    Ready {
        /// Rounds in a row that held.
        held: u32,
        /// Rounds in a row that must hold.
        of: u32,
        /// What the surfaces said.
        surfaces: &'a [SurfaceReading],
        /// What the checks said.
        checks: &'a [ControlReading],
        /// Time left.
        left: Duration,
    },
    /// An attempt of a case began.
    CaseStarted {
        /// The case.
        case: &'a CaseId,
        /// Which attempt.
        attempt: u32,
    },
    /// A command that runs has reported more cases, as far as its files tell so far.
    Counted {
        /// The command.
        command: &'a str,
        /// How many it has reported.
        cases: u32,
        /// How many it is expected to report; 0 where nobody knows.
        of: u32,
    },
    /// A command that runs has written what became of a case. Nothing is recorded of it yet.
    Reported {
        /// The case.
        case: &'a CaseId,
        /// What it comes to so far.
        outcome: Outcome,
        /// How long it took.
        duration_ms: u64,
    },
    /// Something that is no event and that a person should know.
    Note {
        /// As a sentence.
        text: &'a str,
    },
}

/// Watches cycles. Called from the engine's task: it must not block.
pub trait Observer: Send + Sync {
    /// Takes one piece of news.
    fn on(&self, progress: Progress<'_>);
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on(&self, _progress: Progress<'_>) {}
}
