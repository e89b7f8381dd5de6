//! What is written down of one exchange while it happens, so that even a deadline leaves evidence.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::dial::micros;
use super::fault::{Fault, FaultKind};
use crate::domain::evidence::{Excerpt, Exchange, MAX_EXCERPT_BYTES, Protocol};
use crate::domain::redact::Masker;

/// Where an exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Resolving,
    Queueing,
    Connecting,
    Tls,
    Waiting,
    Reading,
}

impl Stage {
    fn words(self) -> &'static str {
        match self {
            Self::Resolving => "while its name was resolved",
            Self::Queueing => "while many other connections to it were on their way",
            Self::Connecting => "while connecting",
            Self::Tls => "during the TLS handshake",
            Self::Waiting => "while waiting for the answer",
            Self::Reading => "while its answer was read",
        }
    }
}

/// One exchange as far as it has come.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) exchange: Exchange,
    pub(super) started: Instant,
    stage: Stage,
}

impl Trace {
    pub(super) fn begin(
        step: &str,
        protocol: Protocol,
        method: &str,
        url: &str,
        evidencer: &Evidencer,
    ) -> Self {
        Self {
            exchange: Exchange::begin(step, protocol, method, &evidencer.mask(url)),
            started: Instant::now(),
            stage: Stage::Resolving,
        }
    }

    pub(super) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
    }

    /// The time that we spent queueing before our own connections is not the service's.
    pub(super) fn set_out(&mut self, queued: Duration) {
        self.started += queued;
    }

    /// Forgets what an attempt on a connection that had gone stale left behind.
    pub(super) fn begin_again(&mut self) {
        self.exchange.remote = None;
        self.exchange.tls = None;
        self.exchange.bytes_sent = 0;
    }

    /// The deadline passed. The time-out may have been running before this exchange began, so both
    /// are said: what was configured, and how much of it this exchange had.
    pub(super) fn timeout(&self, place: &str, limit: Duration) -> Fault {
        let message = match micros(self.started) / 1_000 {
            0 => format!("no answer from {place} within {limit:?} (no time was left to ask)"),
            took => {
                let took = Duration::from_millis(took);
                let stage = self.stage.words();
                format!("no answer from {place} within {limit:?} (after {took:?}, {stage})")
            }
        };
        Fault::new(FaultKind::Timeout, message)
    }

    /// The exchange, with its whole duration and what ended it.
    pub(super) fn finish(mut self, fault: Option<&Fault>, evidencer: &Evidencer) -> Exchange {
        self.exchange.timings.total_us = micros(self.started);
        self.exchange.error = fault.map(|fault| evidencer.mask(&fault.message));
        self.exchange
    }
}

/// Turns what came from outside into evidence: masked and capped.
///
/// It learns secrets while a cycle runs, tokens among them; clones share what they know.
#[derive(Clone, Default)]
pub struct Evidencer {
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    values: Vec<String>,
    masker: Masker,
}

impl Evidencer {
    /// Evidence without these secrets.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let values: Vec<String> = secrets.into_iter().collect();
        let masker = Masker::new(values.iter().cloned());
        Self { known: Arc::new(Mutex::new(Known { values, masker })) }
    }

    /// One more secret to mask from now on; older ones stay masked.
    pub fn learn(&self, secret: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.values.iter().any(|value| value == secret) {
            known.values.push(secret.to_owned());
            known.masker = Masker::new(known.values.iter().cloned());
        }
    }

    /// The mask as it is now.
    pub fn masker(&self) -> Masker {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).masker.clone()
    }

    /// A text without secrets.
    pub fn mask(&self, text: &str) -> String {
        self.masker().mask(text)
    }

    /// The beginning of some bytes. Only as much is masked as is kept, and a secret that the cut
    /// goes through is held back whole.
    pub fn excerpt(&self, bytes: &[u8]) -> Excerpt {
        let (mut masked, mut stream) = (Vec::new(), self.masker().stream());
        let beginning = &bytes[..bytes.len().min(2 * MAX_EXCERPT_BYTES)];
        stream.push(beginning, &mut masked);
        if beginning.len() == bytes.len() {
            stream.finish(&mut masked);
        }
        let masked = String::from_utf8_lossy(&masked);
        let mut excerpt = Excerpt::of(&masked, bytes.len() as u64);
        // A mask may be shorter than what it stands for, so lengths alone do not tell.
        excerpt.cut = excerpt.text.len() < masked.len() || beginning.len() < bytes.len();
        excerpt
    }
}

impl std::fmt::Debug for Evidencer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evidencer").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_at_the_cut_does_not_show() {
        let secret = "s3cr3t-s3cr3t-s3cr3t";
        let evidencer = Evidencer::new([secret.to_owned()]);
        for offset in 0..secret.len() {
            let mut text = "x".repeat(2 * MAX_EXCERPT_BYTES - offset);
            text.push_str(secret);
            text.push_str("tail");
            let shown = evidencer.excerpt(text.as_bytes());
            assert!(shown.cut && !shown.text.contains("s3c"), "cut {offset} into the secret");
        }
        let mut many = secret.repeat(500);
        many.push_str("end");
        let shown = evidencer.excerpt(many.as_bytes());
        assert!(!shown.text.contains("s3c") && shown.cut);
    }

    #[test]
    fn a_time_out_is_never_said_as_what_was_left_of_it() {
        let evidencer = Evidencer::default();
        let trace = Trace::begin("s", Protocol::Http, "GET", "http://a/", &evidencer);
        let limit = Duration::from_secs(10);
        let message = trace.timeout("a", limit).message;
        assert!(message.starts_with("no answer from a within 10s ("), "{message}");
        assert!(!message.contains("0ns"), "{message}");
        let earlier = Trace { started: trace.started - Duration::from_millis(209), ..trace };
        let message = earlier.timeout("a", limit).message;
        assert!(message.contains("within 10s (after 2"), "{message}");
    }

    #[test]
    fn what_is_learnt_is_masked_everywhere() {
        let evidencer = Evidencer::new(["first-secret".to_owned()]);
        let other = evidencer.clone();
        other.learn("second-secret");
        assert_eq!(evidencer.mask("first-secret second-secret"), "*** ***");
        assert_eq!(evidencer.excerpt(b"a second-secret").text, "a ***");
        assert!(!evidencer.excerpt(b"a second-secret").cut);
    }

    #[test]
    fn a_short_text_is_whole() {
        let shown = Evidencer::default().excerpt(b"hello \xff");
        assert_eq!((shown.text.as_str(), shown.bytes, shown.cut), ("hello \u{fffd}", 7, false));
    }
}
