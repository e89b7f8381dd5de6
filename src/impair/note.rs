//! What went through: with whom, when, and of which kind; never what was said. Within bounds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use jiff::Timestamp;

use crate::domain::observed::ConnectionSeen;
use crate::observe::{Stretches, instant};
use crate::prove::{Content, Exchange, Traffic, Unreached};

/// How many exchanges are kept with their times.
const EXCHANGES: usize = 10_000;
/// Of how many hosts that were not reached is kept why.
const UNREACHED: usize = 8;

/// Takes what happens.
pub(super) struct Notes {
    started_at: Timestamp,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    contacts: u64,
    exchanges: Vec<Arc<Mutex<Noted>>>,
    more: u64,
    unreached: Vec<Unreached>,
}

/// An exchange as it stands.
struct Noted {
    host: String,
    content: Content,
    status: Option<u16>,
    stretches: Stretches,
    ended: Option<Duration>,
    received: u64,
}

/// An exchange that goes on for as long as this lives.
pub(super) struct Open {
    noted: Arc<Mutex<Noted>>,
    started: Instant,
}

/// A lock that another thread died with is as good as any: nothing in it can be half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Notes {
    /// They begin now, which is at `started_at`.
    pub(super) fn new(started_at: Timestamp) -> Self {
        Self { started_at, started: Instant::now(), state: Mutex::default() }
    }

    /// Somebody connected.
    pub(super) fn contact(&self) {
        lock(&self.state).contacts += 1;
    }

    /// A host could not be reached.
    pub(super) fn unreached(&self, host: String, why: &str) {
        let mut state = lock(&self.state);
        let is_known = state.unreached.iter().any(|known| known.host == host);
        if !is_known && state.unreached.len() < UNREACHED {
            state.unreached.push(Unreached { host, why: why.to_owned() });
        }
    }

    /// An exchange with a host that was reached.
    pub(super) fn exchange(&self, host: String, content: Content) -> Open {
        let now = self.started.elapsed();
        let mut stretches = Stretches::default();
        stretches.moved(now);
        let noted = Noted { host, content, status: None, stretches, ended: None, received: 0 };
        let noted = Arc::new(Mutex::new(noted));
        let mut state = lock(&self.state);
        if state.exchanges.len() < EXCHANGES {
            state.exchanges.push(Arc::clone(&noted));
        } else {
            state.more += 1;
        }
        Open { noted, started: self.started }
    }

    /// What went through so far.
    pub(super) fn traffic(&self) -> Traffic {
        let now = self.started.elapsed();
        let state = lock(&self.state);
        Traffic {
            contacts: state.contacts,
            exchanges: state.exchanges.iter().map(|noted| self.seen(&lock(noted), now)).collect(),
            more: state.more,
            unreached: state.unreached.clone(),
        }
    }

    fn seen(&self, noted: &Noted, now: Duration) -> Exchange {
        let began = noted.stretches.began().unwrap_or(now);
        let connection = ConnectionSeen {
            host: noted.host.clone(),
            began_at: self.instant(began),
            ended_at: self.instant(noted.ended.unwrap_or(now)),
            bytes_sent: 0,
            bytes_received: noted.received,
            active: noted.stretches.spans(self.started_at),
        };
        Exchange { connection, content: noted.content, status: noted.status }
    }

    fn instant(&self, after: Duration) -> Timestamp {
        instant(self.started_at, after)
    }
}

impl Open {
    /// It turned out to be of this kind.
    pub(super) fn is(&self, content: Content) {
        lock(&self.noted).content = content;
    }

    /// It was answered.
    pub(super) fn answered(&self, status: StatusCode) {
        lock(&self.noted).status = Some(status.as_u16());
    }

    /// An event of it was seen to be JSON.
    pub(super) fn said_json(&self) {
        if let Content::Events { json, .. } = &mut lock(&self.noted).content {
            *json = true;
        }
    }

    /// Bytes of the host came just now.
    pub(super) fn came(&self, bytes: usize) {
        let now = self.started.elapsed();
        let mut noted = lock(&self.noted);
        noted.received += bytes as u64;
        if let Content::Events { any, .. } = &mut noted.content {
            *any |= bytes > 0;
        }
        noted.stretches.moved(now);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.noted).ended = Some(self.started.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_counted() {
        let notes = Notes::new(Timestamp::UNIX_EPOCH);
        notes.contact();
        for _ in 0..EXCHANGES + 3 {
            notes.exchange("a:80".to_owned(), Content::Plain).came(1);
        }
        let traffic = notes.traffic();
        assert_eq!((traffic.contacts, traffic.exchanges.len(), traffic.more), (1, EXCHANGES, 3));
        assert_eq!(traffic.exchanges[0].connection.bytes_received, 1);
    }

    #[test]
    fn a_stream_is_one_with_events_once_something_came() {
        let notes = Notes::new(Timestamp::UNIX_EPOCH);
        let open = notes.exchange("a:80".to_owned(), Content::Plain);
        open.is(Content::Events { any: false, json: false });
        open.came(0);
        assert_eq!(
            notes.traffic().exchanges[0].content,
            Content::Events { any: false, json: false }
        );
        open.came(7);
        assert_eq!(
            notes.traffic().exchanges[0].content,
            Content::Events { any: true, json: false }
        );
    }
}
