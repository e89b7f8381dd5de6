//! Who is logged in with a browser. A session stands for the token that opened it and for nothing more:
//! what it may do is what that token may do now. Kept in memory alone, so a restart ends all of them.
//!
//! Pure: the clock and random words come from outside. Of a session's word only the digest is kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::access::Caller;

/// So long after the login a session ends.
pub(super) const LIFE: SignedDuration = SignedDuration::from_hours(12);
/// At most so many; then the one that would end first goes.
const MAX_SESSIONS: usize = 10_000;

type Digest = [u8; 32];

/// A session that is open.
#[derive(Debug, Clone)]
pub(super) struct Session {
    /// Who opened it.
    pub(super) caller: Caller,
    /// What its forms carry, so that no page of others can send one.
    pub(super) form_key: String,
    until: Timestamp,
}

/// The open sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<HashMap<Digest, Session>>,
}

impl Sessions {
    /// Opens one under a word that nobody can guess.
    pub(super) fn open(&self, word: &str, caller: Caller, form_key: String, now: Timestamp) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, session| session.until > now);
        if open.len() >= MAX_SESSIONS
            && let Some(first) = open.iter().min_by_key(|(_, it)| it.until).map(|(word, _)| *word)
        {
            open.remove(&first);
        }
        let until = now.checked_add(LIFE).unwrap_or(Timestamp::MAX);
        open.insert(digest_of(word), Session { caller, form_key, until });
    }

    /// The session of that word, unless it has ended.
    pub(super) fn find(&self, word: &str, now: Timestamp) -> Option<Session> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&digest_of(word)).filter(|session| session.until > now).cloned()
    }

    /// Ends it.
    pub(super) fn close(&self, word: &str) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest_of(word));
    }
}

fn digest_of(word: &str) -> Digest {
    Sha256::digest(word).into()
}

/// A word of 244 random bits.
pub(super) fn random_word() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pipeline::Role;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn caller() -> Caller {
        Caller::for_test("ops", Role::Admin)
    }

    #[test]
    fn a_session_is_found_by_its_word_until_it_ends() {
        let sessions = Sessions::default();
        sessions.open("word", caller(), "key".to_owned(), at(0));
        assert_eq!(sessions.find("word", at(11)).unwrap().form_key, "key");
        assert!(sessions.find("Word", at(1)).is_none());
        assert!(sessions.find("word", at(12)).is_none());
        sessions.close("word");
        assert!(sessions.find("word", at(1)).is_none());
    }

    #[test]
    fn there_is_an_end_to_how_many_there_are() {
        let sessions = Sessions::default();
        for number in 0..=MAX_SESSIONS {
            let now = at(0) + SignedDuration::from_millis(i64::try_from(number).unwrap());
            sessions.open(&number.to_string(), caller(), String::new(), now);
        }
        assert!(sessions.find("0", at(1)).is_none(), "the oldest makes room");
        assert!(sessions.find("1", at(1)).is_some());
        assert_eq!(sessions.open.lock().unwrap().len(), MAX_SESSIONS);
    }

    #[test]
    fn words_are_long_and_never_the_same() {
        assert_eq!(random_word().len(), 64);
        assert_ne!(random_word(), random_word());
    }
}
