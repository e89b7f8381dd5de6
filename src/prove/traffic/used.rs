//! What exchanges were, as far as faults ask, and which of them a case is known to have had.

use super::{Content, Exchange};
use crate::prove::Fault;
use crate::prove::applies::Applies;

/// Why a fault cannot be tried that only who knows the expectations of a case can judge.
pub(super) const UNKNOWN: &str = "what a command expects of order, time and values is not known";

/// What an exchange was, as far as a fault asks. One may be of several kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Sealed,
    InTheClear,
    /// Something was said in JSON.
    Json,
    /// A WebSocket that said more than one thing.
    LongSocket,
    /// An event or a message came.
    Events,
    /// It was answered.
    Answer,
    /// It was answered with another status than 500.
    AnswerBut500,
    /// It was answered with another status than 404.
    AnswerBut404,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::Any,
        Self::Sealed,
        Self::InTheClear,
        Self::Json,
        Self::LongSocket,
        Self::Events,
        Self::Answer,
        Self::AnswerBut500,
        Self::AnswerBut404,
    ];

    pub(super) fn is(self, exchange: &Exchange) -> bool {
        let Exchange { content, status, .. } = exchange;
        match self {
            Self::Any => true,
            Self::Sealed => *content == Content::Sealed,
            Self::InTheClear => *content != Content::Sealed,
            Self::Json => match content {
                Content::Json => true,
                Content::Socket { json, .. } | Content::Events { json, .. } => *json,
                Content::Sealed | Content::Plain => false,
            },
            Self::LongSocket => match content {
                Content::Socket { messages, .. } => *messages > 1,
                Content::Sealed | Content::Plain | Content::Json | Content::Events { .. } => false,
            },
            Self::Events => match content {
                Content::Socket { messages, .. } => *messages > 0,
                Content::Events { any, .. } => *any,
                Content::Sealed | Content::Plain | Content::Json => false,
            },
            Self::Answer => status.is_some(),
            Self::AnswerBut500 => status.is_some_and(|status| status != 500),
            Self::AnswerBut404 => status.is_some_and(|status| status != 404),
        }
    }
}

/// What one case is known to have used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseUse(Vec<Kind>);

impl CaseUse {
    /// It had something of this kind.
    pub(super) fn add(&mut self, kind: Kind) {
        self.0.push(kind);
    }

    /// Whether a fault that can be tried on the command concerns this case of it.
    pub fn applies(&self, fault: Fault) -> Applies {
        let has = |kind: Kind| self.0.contains(&kind);
        // The fault would change nothing. Where answers differ, a case has the others to notice it by.
        let but = |other: Kind| !has(Kind::Answer) || has(other);
        let (applies, why_not) = match fault {
            Fault::Refused | Fault::NoAnswer => (true, ""),
            Fault::Status500 => (
                but(Kind::AnswerBut500),
                "each answer that is known to be its own was a 500 already",
            ),
            Fault::Status404 => (
                but(Kind::AnswerBut404),
                "each answer that is known to be its own was a 404 already",
            ),
            // Where nothing is known of it, it may have had one.
            Fault::EmptyJson => {
                (has(Kind::Json) || !has(Kind::Any), "nothing that is known to be its own was JSON")
            }
            Fault::WsClose1011 => {
                (has(Kind::LongSocket), "no WebSocket with several messages is known to be its own")
            }
            Fault::EventsMissing => (has(Kind::Events), "no events are known to be its own"),
            Fault::EventsReordered | Fault::EventsForeign | Fault::Slow | Fault::Stale => {
                (false, UNKNOWN)
            }
        };
        if applies { Applies::Yes } else { Applies::No(why_not) }
    }
}
