//! When to ping a server that says nothing. Proxies drop sockets that carry nothing for a minute or
//! so, and a peer that is gone would otherwise be noticed only at the step's deadline.
//!
//! A service that thinks for long may be slow to answer a ping, so a single one proves nothing: only
//! several in a row without a single frame end the wait.

use std::time::Duration;

use tokio::time::Instant;

/// What our pings carry, so that their pongs can be told from others.
pub(super) const PING: &[u8] = b"andon";
/// After so long without a frame the server is pinged.
const EVERY: Duration = Duration::from_secs(20);
/// So many pings without a frame after them are enough.
const ENOUGH: usize = 3;

/// The silence of one server, while somebody waits for its messages.
#[derive(Debug)]
pub(super) struct KeepAlive {
    due: Instant,
    unanswered: Vec<Instant>,
}

/// What is due when the silence has lasted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A ping.
    Ping,
    /// Nothing more: the peer is taken for gone.
    GiveUp,
}

impl KeepAlive {
    pub(super) fn begin(now: Instant) -> Self {
        Self { due: now + EVERY, unanswered: Vec::new() }
    }

    /// When something is due if no frame comes.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// A frame came, whatever it was.
    pub(super) fn heard(&mut self, now: Instant) {
        *self = Self::begin(now);
    }

    /// It is [`KeepAlive::due`], and no frame came.
    pub(super) fn silent(&mut self, now: Instant) -> Due {
        if self.unanswered.len() == ENOUGH {
            return Due::GiveUp;
        }
        self.unanswered.push(now);
        self.due = now + EVERY;
        Due::Ping
    }

    /// When the pings were sent after which no frame came.
    pub(super) fn unanswered(&self) -> &[Instant] {
        &self.unanswered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_pinged_and_given_up_in_the_end() {
        let began = Instant::now();
        let mut alive = KeepAlive::begin(began);
        for ping in 1..=3 {
            assert_eq!(alive.due(), began + EVERY * ping);
            assert_eq!(alive.silent(alive.due()), Due::Ping);
        }
        assert_eq!(alive.unanswered().len(), 3);
        assert_eq!(alive.silent(alive.due()), Due::GiveUp);
    }

    #[test]
    fn any_frame_ends_the_silence() {
        let began = Instant::now();
        let mut alive = KeepAlive::begin(began);
        alive.silent(alive.due());
        alive.silent(alive.due());
        let heard = alive.due() - Duration::from_secs(1);
        alive.heard(heard);
        assert!(alive.unanswered().is_empty());
        assert_eq!(alive.due(), heard + EVERY);
    }
}
