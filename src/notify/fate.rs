//! What becomes of a message after an attempt. Pure: the answer and the time in, the decision out.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::body::Body;
use crate::store::Delivery;

/// The first pause after a failed attempt; each further one is twice as long.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(5);
/// The longest pause, also when the receiver asks for a longer one.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// News of yesterday is no news.
const NEWS_AGE: SignedDuration = SignedDuration::from_hours(24);
/// A commit stays, and with it what its page says; reports do not grow old either.
const STATUS_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Nobody answered, or something of ours is not there yet: it may be next time.
    #[error("{0}")]
    Later(String),
    /// It will never be accepted.
    #[error("{0}")]
    Never(String),
    /// The receiver answered with this status.
    #[error("it answered {status}{}", said(.excerpt))]
    Answered {
        /// The HTTP status.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// The beginning of what it said.
        excerpt: String,
    },
}

fn said(excerpt: &str) -> String {
    if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") }
}

/// Whether trying again can help. Most of what a client did wrong stays wrong; a token can be renewed,
/// and a limit passes.
fn can_heal(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Later(_) => true,
        Refusal::Never(_) => false,
        Refusal::Answered { status, .. } => {
            matches!(status, 401 | 403 | 407 | 408 | 425 | 429 | 500..)
        }
    }
}

/// What becomes of a message that was not accepted, tried `attempts` times before. `error` is the
/// refusal as it may be stored.
pub(super) fn after_refusal(
    body: &Body,
    created_at: Timestamp,
    attempts: u32,
    refusal: &Refusal,
    error: String,
    now: Timestamp,
) -> Delivery {
    let age = now.duration_since(created_at);
    let limit = match body {
        Body::Status { .. } | Body::Comment { .. } | Body::Publish { .. } => STATUS_AGE,
        Body::Slack { .. } | Body::Webhook { .. } | Body::Email { .. } => NEWS_AGE,
    };
    // A forge says "not found" to a token that may not look, and a commit that was told "pending" must hear its end.
    let is_hidden =
        matches!((body, refusal), (Body::Status { .. }, Refusal::Answered { status: 404, .. }));
    if !can_heal(refusal) && !is_hidden {
        return Delivery::GivenUp { error };
    }
    if age >= limit {
        let error = format!("given up after {} hours: {error}", limit.as_hours());
        return Delivery::GivenUp { error };
    }
    let not_before = now.saturating_add(pause(attempts, refusal)).unwrap_or(Timestamp::MAX);
    Delivery::Again { not_before, error }
}

fn pause(attempts: u32, refusal: &Refusal) -> SignedDuration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.min(16));
    let wanted = match refusal {
        Refusal::Answered { retry_after: Some(after), .. } => {
            SignedDuration::try_from(*after).unwrap_or(LONGEST_PAUSE)
        }
        Refusal::Answered { retry_after: None, .. } | Refusal::Later(_) | Refusal::Never(_) => {
            doubled
        }
    };
    // A receiver that says "at once" over and over would be asked without end.
    wanted.clamp(SignedDuration::from_secs(1), LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(hours: i64, seconds: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + hours * 3_600 + seconds).unwrap()
    }

    fn answered(status: u16, retry_after: Option<u64>) -> Refusal {
        let retry_after = retry_after.map(Duration::from_secs);
        Refusal::Answered { status, retry_after, excerpt: String::new() }
    }

    fn fate(attempts: u32, refusal: &Refusal, now: Timestamp) -> Delivery {
        let body = Body::Email { subject: String::new(), text: String::new() };
        after_refusal(&body, at(0, 0), attempts, refusal, "e".to_owned(), now)
    }

    fn paused(attempts: u32, refusal: &Refusal) -> i64 {
        match fate(attempts, refusal, at(1, 0)) {
            Delivery::Again { not_before, .. } => not_before.duration_since(at(1, 0)).as_secs(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pauses_double_up_to_an_hour() {
        let refusal = Refusal::Later("refused".to_owned());
        let pauses: Vec<i64> = (0..12).map(|n| paused(n, &refusal)).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
        assert_eq!(paused(u32::MAX, &refusal), 3_600);
    }

    #[test]
    fn what_the_receiver_asks_for_is_kept_within_an_hour() {
        assert_eq!(paused(9, &answered(429, Some(7))), 7);
        assert_eq!(paused(0, &answered(503, Some(90_000))), 3_600);
        assert_eq!(paused(0, &answered(429, Some(0))), 1);
        assert_eq!(paused(0, &answered(429, None)), 5);
    }

    #[test]
    fn only_what_can_heal_is_tried_again() {
        for status in [401, 403, 407, 408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(matches!(fate(0, &answered(status, None), at(1, 0)), Delivery::Again { .. }));
        }
        for status in [301, 308, 400, 404, 405, 410, 413, 415, 422, 451] {
            assert!(matches!(fate(0, &answered(status, None), at(1, 0)), Delivery::GivenUp { .. }));
        }
        let never = Refusal::Never("no such channel".to_owned());
        assert!(matches!(fate(0, &never, at(1, 0)), Delivery::GivenUp { .. }));
    }

    #[test]
    fn news_grow_old_and_a_status_later() {
        let refusal = Refusal::Later("refused".to_owned());
        assert!(matches!(fate(3, &refusal, at(23, 59)), Delivery::Again { .. }));
        assert!(matches!(fate(3, &refusal, at(24, 0)), Delivery::GivenUp { .. }));
        let status: Body = serde_json::from_str(
            r#"{"kind":"status","sha":"4f1c2aa000000000000000000000000000000001","state":"success","context":"c","description":"d"}"#,
        )
        .unwrap();
        let late = after_refusal(&status, at(0, 0), 3, &refusal, String::new(), at(25, 0));
        assert!(matches!(late, Delivery::Again { .. }));
    }
}
