//! Rate limits: a burst within a window, then a pause. Pure in time: callers pass the instant.

use super::config::RateLimit;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many callers are remembered; beyond that the ones that have been quiet longest are forgotten.
const MAX_CALLERS: usize = 10_000;

/// What a caller may do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Permit {
    /// Go on; so many requests are left in the window.
    Granted { remaining: u32 },
    /// Wait so long.
    Denied { wait: Duration },
}

struct Caller {
    window_began: Instant,
    used: u32,
    paused_until: Option<Instant>,
}

/// Counts requests by caller.
#[derive(Default)]
pub(super) struct Limiter {
    callers: HashMap<String, Caller>,
}

impl Limiter {
    /// Counts one request of `caller` at `now`.
    pub(super) fn ask(&mut self, caller: &str, limit: &RateLimit, now: Instant) -> Permit {
        let window = Duration::from_millis(limit.window_ms);
        if self.callers.len() >= MAX_CALLERS {
            self.callers.retain(|_, seen| now.duration_since(seen.window_began) < window);
        }
        if self.callers.len() >= MAX_CALLERS {
            self.callers.clear();
        }
        let state = self.callers.entry(caller.to_owned()).or_insert(Caller {
            window_began: now,
            used: 0,
            paused_until: None,
        });
        if let Some(until) = state.paused_until {
            if now < until {
                return Permit::Denied { wait: until - now };
            }
            *state = Caller { window_began: now, used: 0, paused_until: None };
        }
        if now.duration_since(state.window_began) >= window {
            *state = Caller { window_began: now, used: 0, paused_until: None };
        }
        if state.used >= limit.burst {
            let pause = Duration::from_millis(limit.pause_ms);
            state.paused_until = Some(now + pause);
            return Permit::Denied { wait: pause };
        }
        state.used += 1;
        Permit::Granted { remaining: limit.burst - state.used }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_followed_by_a_pause_and_a_fresh_burst() {
        let limit = RateLimit { burst: 2, pause_ms: 1_000, ..RateLimit::default() };
        let mut limiter = Limiter::default();
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(limiter.ask("ada", &limit, at(0)), Permit::Granted { remaining: 1 });
        assert_eq!(limiter.ask("ada", &limit, at(1)), Permit::Granted { remaining: 0 });
        assert_eq!(
            limiter.ask("ada", &limit, at(2)),
            Permit::Denied { wait: Duration::from_millis(1_000) }
        );
        assert_eq!(limiter.ask("bob", &limit, at(2)), Permit::Granted { remaining: 1 });
        assert_eq!(
            limiter.ask("ada", &limit, at(502)),
            Permit::Denied { wait: Duration::from_millis(500) }
        );
        assert_eq!(limiter.ask("ada", &limit, at(1_002)), Permit::Granted { remaining: 1 });
    }

    #[test]
    fn a_quiet_caller_gets_a_new_window() {
        let limit = RateLimit { burst: 1, window_ms: 100, ..RateLimit::default() };
        let mut limiter = Limiter::default();
        let start = Instant::now();
        assert_eq!(limiter.ask("ada", &limit, start), Permit::Granted { remaining: 0 });
        let later = start + Duration::from_millis(100);
        assert_eq!(limiter.ask("ada", &limit, later), Permit::Granted { remaining: 0 });
    }
}
