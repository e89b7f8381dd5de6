//! What became of messages while the store could not be told of it, as on a full disk: remembered, so that
//! nobody is told twice and nobody is asked before its time. Pure; it lives as long as the process.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::store::{Attempted, Delivery, Message};

/// With so many the next messages wait until some could be noted.
const MOST: usize = 10_000;

/// What became of one message.
#[derive(Debug, Clone)]
struct Fate {
    /// What the store does not know yet.
    attempted: Attempted,
    /// How often it was tried in all.
    tries: u32,
}

/// What is to be noted, by message.
#[derive(Debug, Clone, Default)]
pub(super) struct Unnoted {
    fates: BTreeMap<i64, Fate>,
}

impl Unnoted {
    /// Remembers how an attempt ended. `tries` are those before it.
    pub(super) fn remember(&mut self, id: i64, tries: u32, delivery: Delivery, at: Timestamp) {
        let before = self.fates.get(&id).map_or(0, |fate| fate.attempted.attempts);
        let attempted = Attempted { id, attempts: before.saturating_add(1), delivery, at };
        self.fates.insert(id, Fate { attempted, tries: tries.saturating_add(1) });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fates.is_empty()
    }

    /// Whether nothing more should be sent that could not be noted.
    pub(super) fn is_full(&self) -> bool {
        self.fates.len() >= MOST
    }

    /// What the store should be told.
    pub(super) fn to_note(&self) -> Vec<Attempted> {
        self.fates.values().map(|fate| fate.attempted.clone()).collect()
    }

    /// The store knows these now. What came meanwhile stays.
    pub(super) fn noted(&mut self, written: &[Attempted]) {
        for one in written {
            let Some(fate) = self.fates.get_mut(&one.id) else { continue };
            fate.attempted.attempts = fate.attempted.attempts.saturating_sub(one.attempts);
            if fate.attempted.attempts == 0 {
                self.fates.remove(&one.id);
            }
        }
    }

    /// Messages that were accepted or given up.
    pub(super) fn dealt_with(&self) -> Vec<i64> {
        let over = self.fates.values().filter(|fate| match fate.attempted.delivery {
            Delivery::Accepted | Delivery::GivenUp { .. } => true,
            Delivery::Again { .. } => false,
        });
        over.map(|fate| fate.attempted.id).collect()
    }

    /// A message as the store has it, with what it was not told yet.
    pub(super) fn brought_up_to_date(&self, message: Message) -> Message {
        let Some(fate) = self.fates.get(&message.id) else { return message };
        let attempts = message.attempts.max(fate.tries);
        match &fate.attempted.delivery {
            Delivery::Again { not_before, error } => Message {
                attempts,
                not_before: *not_before,
                last_error: Some(error.clone()),
                ..message
            },
            Delivery::Accepted | Delivery::GivenUp { .. } => Message { attempts, ..message },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cycle::testing::at;
    use crate::domain::names::PipelineName;

    fn message(id: i64, attempts: u32) -> Message {
        Message {
            id,
            key: id.to_string(),
            pipeline: PipelineName::parse("chat").unwrap(),
            target: "hook".to_owned(),
            body: "{}".to_owned(),
            attempts,
            created_at: at(0),
            not_before: at(0),
            last_error: None,
        }
    }

    fn again(second: i64) -> Delivery {
        Delivery::Again { not_before: at(second), error: "busy".to_owned() }
    }

    #[test]
    fn a_pause_counts_although_it_could_not_be_noted() {
        let mut unnoted = Unnoted::default();
        unnoted.remember(7, 2, again(30), at(1));
        let seen = unnoted.brought_up_to_date(message(7, 2));
        assert_eq!((seen.attempts, seen.not_before), (3, at(30)));
        assert_eq!(seen.last_error.as_deref(), Some("busy"));
        // Another attempt before the first was noted: both are to be.
        unnoted.remember(7, seen.attempts, again(90), at(31));
        assert_eq!(unnoted.brought_up_to_date(message(7, 2)).attempts, 4);
        let attempted = Attempted { id: 7, attempts: 2, delivery: again(90), at: at(31) };
        assert_eq!(unnoted.to_note(), [attempted]);
        assert_eq!(unnoted.dealt_with(), [0_i64; 0]);
        // Another message is another.
        assert_eq!(unnoted.brought_up_to_date(message(8, 0)), message(8, 0));
    }

    #[test]
    fn what_was_accepted_or_given_up_is_over_before_it_is_noted() {
        let mut unnoted = Unnoted::default();
        unnoted.remember(1, 0, Delivery::Accepted, at(1));
        unnoted.remember(2, 0, Delivery::GivenUp { error: "gone".to_owned() }, at(1));
        unnoted.remember(3, 0, again(9), at(1));
        assert_eq!(unnoted.dealt_with(), [1, 2]);
    }

    #[test]
    fn what_came_while_the_store_wrote_is_still_to_be_noted() {
        let mut unnoted = Unnoted::default();
        unnoted.remember(1, 0, again(9), at(1));
        unnoted.remember(2, 0, Delivery::Accepted, at(1));
        let written = unnoted.to_note();
        unnoted.remember(1, 1, Delivery::Accepted, at(9));
        unnoted.noted(&written);
        let attempted = Attempted { id: 1, attempts: 1, delivery: Delivery::Accepted, at: at(9) };
        assert_eq!(unnoted.to_note(), [attempted]);
        unnoted.noted(&unnoted.to_note());
        assert!(unnoted.is_empty());
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let mut unnoted = Unnoted::default();
        for id in 1..10_000 {
            unnoted.remember(id, 0, Delivery::Accepted, at(1));
        }
        assert!(!unnoted.is_full());
        unnoted.remember(10_000, 0, Delivery::Accepted, at(1));
        assert!(unnoted.is_full());
    }
}
