//! What a fault does to what comes through the proxy: decided once, for whoever has to act on it. Pure.

use http::StatusCode;

use super::frames::Passes;
use crate::prove::Fault;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    /// Nothing: all goes through.
    Nothing,
    /// Connections are let go as soon as they are taken.
    LetGo,
    /// Connections are held, and nothing is said.
    Hold,
    /// Every answer is this, with a JSON error.
    Answer(StatusCode),
    /// Every answer and every message is `{}`.
    Empty,
    /// All goes through, but a WebSocket ends after its first message.
    CloseSockets,
    /// All goes through, but messages and events.
    Mute,
}

impl Strike {
    /// That of a fault. Those that nobody can try from between do nothing.
    pub(super) fn of(fault: Option<Fault>) -> Self {
        match fault {
            Some(Fault::Status500) => Self::Answer(StatusCode::INTERNAL_SERVER_ERROR),
            Some(Fault::Status404) => Self::Answer(StatusCode::NOT_FOUND),
            Some(Fault::EmptyJson) => Self::Empty,
            Some(Fault::Refused) => Self::LetGo,
            Some(Fault::NoAnswer) => Self::Hold,
            Some(Fault::WsClose1011) => Self::CloseSockets,
            Some(Fault::EventsMissing) => Self::Mute,
            Some(Fault::EventsReordered | Fault::EventsForeign | Fault::Slow | Fault::Stale)
            | None => Self::Nothing,
        }
    }

    /// Whether nothing reaches the service.
    pub(super) fn is_in_its_place(self) -> bool {
        match self {
            Self::LetGo | Self::Hold | Self::Answer(_) | Self::Empty => true,
            Self::Nothing | Self::CloseSockets | Self::Mute => false,
        }
    }

    /// Which messages of a WebSocket of the service go through.
    pub(super) fn passes(self) -> Passes {
        match self {
            Self::CloseSockets => Passes::First,
            Self::Mute => Passes::Nothing,
            Self::Nothing | Self::LetGo | Self::Hold | Self::Answer(_) | Self::Empty => Passes::All,
        }
    }
}
