//! The task that looks at one pipeline's repository: at its start, every now and then, and when a
//! look is wanted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use super::poll::{Hint, Look, MAX_SEEN, PollError, WatchedPipeline, look};
use super::watchers::WatchSetup;
use crate::domain::errors::chain;
use crate::domain::spec::Pipeline;
use crate::git::{Mirror, RefsPrint};
use crate::watch::{Circle, circle};

/// How much longer than its fetch a whole look may take.
const GRACE: Duration = Duration::from_secs(5);

/// Opens the mirror of a pipeline's repository, with a login that is made anew each time: asked
/// before the first look, and again after a login was refused.
pub type OpenMirror = Arc<dyn Fn() -> BoxFuture<'static, Result<Mirror, PollError>> + Send + Sync>;

/// A pipeline to watch.
#[derive(Clone)]
pub struct WatchSpec {
    /// Its definition.
    pub pipeline: Arc<Pipeline>,
    /// How its repository is opened.
    pub open: OpenMirror,
}

/// Whether looks at a pipeline's repository go well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WatchHealth {
    /// When a look went well last.
    pub last_good_at: Option<Timestamp>,
    /// When the first of the looks failed that failed since.
    pub failing_since: Option<Timestamp>,
    /// Why the last look failed; `None` when it went well.
    pub error: Option<String>,
    /// What our own disk had no room for, when that is all that was wrong with the last look.
    pub no_room: Option<String>,
    /// Cycles that went round and are held up.
    pub circle: Option<Circle>,
}

/// What others may see and say while a watcher works.
#[derive(Debug, Default)]
pub(super) struct Desk {
    health: Mutex<WatchHealth>,
    /// The number of the newest look that somebody wants.
    wanted: Mutex<Option<i64>>,
    wake: Notify,
}

impl Desk {
    /// The desk of a pipeline whose definition changed: what was told of it needs no telling again.
    pub(super) fn after(before: &Self) -> Self {
        let health = WatchHealth { circle: before.health().circle, ..WatchHealth::default() };
        Self { health: Mutex::new(health), ..Self::default() }
    }

    pub(super) fn health(&self) -> WatchHealth {
        lock(&self.health).clone()
    }

    /// Asks for a look. It counts for every look that was wanted up to that number.
    pub(super) fn want(&self, number: i64) {
        let mut wanted = lock(&self.wanted);
        // One that waits for its turn, or for a failing remote, is not hurried by being read again.
        if *wanted < Some(number) {
            *wanted = Some(number);
            self.wake.notify_one();
        }
    }

    fn take_wanted(&self) -> Option<i64> {
        lock(&self.wanted).take()
    }

    /// A look that failed is still wanted.
    fn put_back(&self, number: Option<i64>) {
        let mut wanted = lock(&self.wanted);
        *wanted = (*wanted).max(number);
    }
}

/// One pipeline's watcher.
pub(super) struct Watcher {
    setup: WatchSetup,
    watched: WatchedPipeline,
    open: OpenMirror,
    desk: Arc<Desk>,
    pace: Pace,
    mirror: Option<Mirror>,
    print: Option<RefsPrint>,
    /// Whether what the desk says of circles is what the store says, and was told.
    knows_of_circles: bool,
}

impl Watcher {
    /// The watcher of a pipeline, if that watches something.
    pub(super) fn new(setup: WatchSetup, spec: &WatchSpec, desk: Arc<Desk>) -> Option<Self> {
        let watch = spec.pipeline.watch.as_ref()?;
        Some(Self {
            setup,
            watched: WatchedPipeline::new(&spec.pipeline)?,
            open: Arc::clone(&spec.open),
            desk,
            pace: Pace::new(watch.poll.interval(), spec.pipeline.name.as_str()),
            mirror: None,
            print: None,
            knows_of_circles: false,
        })
    }

    /// Looks until it is stopped. A look that has begun when that happens is given up: whatever it
    /// stored is whole.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let work = async {
            loop {
                self.turn().await;
                self.wait().await;
            }
        };
        stop.run_until_cancelled(work).await;
    }

    /// One look, and what follows from how it went.
    async fn turn(&mut self) {
        let wanted = self.desk.take_wanted();
        let hint = if wanted.is_some() { Hint::Webhook } else { Hint::Poll };
        let limit = self.setup.limit;
        let result = match timeout(limit + GRACE, self.look(hint)).await {
            Ok(result) => result,
            Err(_) => Err(PollError::Late(limit + GRACE)),
        };
        match result {
            Ok(look) => self.went_well(look, wanted).await,
            Err(error) => self.failed(&error, wanted),
        }
    }

    async fn look(&mut self, hint: Hint) -> Result<Look, PollError> {
        let mirror = match &self.mirror {
            Some(mirror) => mirror,
            None => self.mirror.insert((self.open)().await?),
        };
        let at = (self.setup.now)();
        let store = &*self.setup.store;
        look(&self.watched, mirror, store, self.print, hint, at, self.setup.limit).await
    }

    async fn went_well(&mut self, look: Look, wanted: Option<i64>) {
        self.print = look.print;
        let pipeline = self.watched.pipeline.clone();
        let at = (self.setup.now)();
        let circle = self.desk.health().circle;
        *lock(&self.desk.health) =
            WatchHealth { last_good_at: Some(at), circle, ..WatchHealth::default() };
        if self.pace.succeeded() {
            tracing::info!(%pipeline, "the repository can be read again");
        }
        // A branch that is gone drops what waited for it.
        if look.to_run + look.gone > 0 {
            self.setup.stored.notify_one();
        }
        self.look_for_a_circle(&look).await;
        let Some(number) = wanted else { return };
        if let Err(error) = self.setup.store.finish_look(&pipeline, number).await {
            // It stays wanted; the look that follows costs little.
            tracing::warn!(%pipeline, error = chain(&error), "cannot note that a look is done");
        }
    }

    /// Finds out whether cycles that went round are held up, and has that told. Asked for where it may have
    /// changed: who died before it was told is followed by one who asks again.
    async fn look_for_a_circle(&mut self, look: &Look) {
        let known = self.desk.health().circle;
        let may_have_changed = look.stopped > 0 || (look.moved > 0 && known.is_some());
        if self.knows_of_circles && !may_have_changed {
            return;
        }
        let pipeline = &self.watched.pipeline;
        let seen = self.setup.store.seen_before(pipeline, MAX_SEEN).await;
        self.knows_of_circles = seen.is_ok();
        let circle = match seen {
            Ok(seen) => circle(&seen),
            Err(error) => {
                tracing::warn!(%pipeline, error = chain(&error), "cannot read which commits were seen");
                return;
            }
        };
        if let Some(circle) = &circle {
            if known.as_ref() != Some(circle) {
                tracing::warn!(%pipeline, "{}", circle.told());
            }
            self.knows_of_circles =
                (self.setup.tell_circle)(pipeline.clone(), circle.clone()).await;
        } else if known.is_some() {
            tracing::info!(%pipeline, "a commit touches more than reports: commits start cycles again");
        }
        lock(&self.desk.health).circle = circle;
    }

    fn failed(&mut self, error: &PollError, wanted: Option<i64>) {
        self.desk.put_back(wanted);
        if error.is_about_login() {
            self.mirror = None;
        }
        let (pipeline, text, at) = (&self.watched.pipeline, chain(error), (self.setup.now)());
        if error.is_lack_of_room() {
            self.setup.refusals.ring();
            if self.pace.lacked_room() {
                tracing::warn!(%pipeline, error = text, "the disk has no room for what a look at the repository found");
            }
            lock(&self.desk.health).no_room = Some(text);
            return;
        }
        if self.pace.failed() {
            tracing::warn!(%pipeline, error = text, "cannot look at the repository; no more is said until it can be read again");
        } else {
            tracing::debug!(%pipeline, error = text, "still cannot look at the repository");
        }
        let mut health = lock(&self.desk.health);
        health.failing_since.get_or_insert(at);
        (health.error, health.no_room) = (Some(text), None);
    }

    /// Waits until the next look: the interval, or a look that somebody wants.
    async fn wait(&mut self) {
        let now = Instant::now();
        let next = self.pace.next_wait().map(|wait| now + wait);
        let woken = async {
            self.desk.wake.notified().await;
            sleep_until(now + self.pace.least_wait()).await;
        };
        match next {
            Some(next) => {
                let _ = tokio::time::timeout_at(next, woken).await;
            }
            None => woken.await,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
