//! Can a suite fail? Which faults concern a case, what an ideal service would answer to it, what a faulty
//! one answers, and what the findings add up to.
//!
//! A case that passes although nothing works is worse than none. So each is run against answers that are
//! made up from its own expectations, first right and then wrong in one way at a time. A suite command, whose
//! expectations nobody knows, meets the real service first and then faults. Everything here is
//! pure: who answers, and how long that takes, is for `rehearsal`, and for `impair` and `trial`.

mod answer;
mod applies;
mod command;
mod document;
mod example;
mod haste;
mod inject;
mod matrix;
mod names;
mod pattern;
mod place;
mod schema;
mod traffic;

pub use answer::{Ideal, NoExample, Reply, Script, StreamEvent, perfect};
pub use applies::{Aim, Applies, aims, applies};
pub use command::{
    Candidate, CommandEnd, CommandProof, CommandTrial, NotLed, Partly, Planned, Told, time_left,
};
pub use example::Fresh;
pub use haste::{Pace, hastened, hastened_step};
pub use inject::{Injection, inject};
pub use matrix::{CaseProof, MatrixJson, Proof, Shown};
pub use names::{OwnNames, Stranger};
pub use traffic::{CaseUse, Content, Exchange, IsService, Traffic, Unreached};

/// What is wrong with the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Every status is 500.
    Status500,
    /// Every status is 404.
    Status404,
    /// Every body and message is `{}`.
    EmptyJson,
    /// No connection is taken.
    Refused,
    /// Every connection is taken, and nothing is ever answered.
    NoAnswer,
    /// Every WebSocket is closed with 1011 after its first frame.
    WsClose1011,
    /// No event comes.
    EventsMissing,
    /// Events come in the opposite order.
    EventsReordered,
    /// Events come, but those of another run.
    EventsForeign,
    /// Everything takes longer than the case allows.
    Slow,
    /// Every answer is one to an earlier run.
    Stale,
}

impl Fault {
    /// All of them, in the order of the contract.
    pub const ALL: [Self; 11] = [
        Self::Status500,
        Self::Status404,
        Self::EmptyJson,
        Self::Refused,
        Self::NoAnswer,
        Self::WsClose1011,
        Self::EventsMissing,
        Self::EventsReordered,
        Self::EventsForeign,
        Self::Slow,
        Self::Stale,
    ];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status500 => "status_500",
            Self::Status404 => "status_404",
            Self::EmptyJson => "empty_json",
            Self::Refused => "refused",
            Self::NoAnswer => "no_answer",
            Self::WsClose1011 => "ws_close_1011",
            Self::EventsMissing => "events_missing",
            Self::EventsReordered => "events_reordered",
            Self::EventsForeign => "events_foreign",
            Self::Slow => "slow",
            Self::Stale => "stale",
        }
    }

    /// Whether a case that misses it cannot be trusted to fail at all.
    pub fn makes_vacuous(self) -> bool {
        match self {
            Self::Status500 | Self::Refused | Self::EventsMissing => true,
            Self::Status404
            | Self::EmptyJson
            | Self::NoAnswer
            | Self::WsClose1011
            | Self::EventsReordered
            | Self::EventsForeign
            | Self::Slow
            | Self::Stale => false,
        }
    }
}
