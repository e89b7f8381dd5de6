//! What the whole service shares: settings, state, and the sign to stop.

use super::config::Config;
use super::limiter::Limiter;
use super::runs::Runs;
use super::session::Sessions;
use super::socket::Seats;
use super::store::Store;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) type Shared = Arc<App>;

/// The running service.
pub(super) struct App {
    pub(super) config: Config,
    pub(super) store: Mutex<Store>,
    pub(super) runs: Runs,
    pub(super) sessions: Mutex<Sessions>,
    pub(super) seats: Seats,
    pub(super) limiter: Mutex<Limiter>,
    /// Cancelled when the service is asked to end; everything that waits listens to it.
    pub(super) stop: CancellationToken,
    /// Sockets, streams and agent runs, so that the end can wait for them.
    pub(super) tasks: TaskTracker,
    pub(super) server_id: String,
    started: Instant,
    requests: AtomicU64,
}

impl App {
    pub(super) fn new(config: Config) -> Shared {
        Arc::new(Self {
            store: Mutex::new(Store::new(config.message_order)),
            runs: Runs::default(),
            sessions: Mutex::default(),
            seats: Seats::default(),
            limiter: Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            server_id: format!("chat-{}", std::process::id()),
            started: Instant::now(),
            requests: AtomicU64::new(0),
            config,
        })
    }

    /// Counts a request for the swap of revisions in the middle of a run.
    pub(super) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// The revision that the service says it is.
    pub(super) fn revision(&self) -> &str {
        if let Some(swap) = &self.config.swap_revision
            && self.requests.load(Ordering::Relaxed) > swap.after_requests
        {
            return &swap.revision;
        }
        self.config.reported_revision.as_deref().unwrap_or(&self.config.revision)
    }

    /// The revision that the auth surface says it is.
    pub(super) fn auth_revision(&self) -> &str {
        match &self.config.auth_lagging {
            Some(lag) if lag.for_ms.is_none_or(|ms| self.age() < Duration::from_millis(ms)) => {
                &lag.revision
            }
            Some(_) | None => self.revision(),
        }
    }

    /// Whether the start is over.
    pub(super) fn is_ready(&self) -> bool {
        self.age() >= Duration::from_millis(self.config.ready_after_ms)
    }

    fn age(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Locks `mutex`. Nothing here panics while it holds a lock, and a staging service would rather go on.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time as messages state it.
pub(super) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// A fresh random id.
pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
