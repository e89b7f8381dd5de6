//! What surfaces (HTTP, signals) see of a running daemon, and what they may ask of it.
//!
//! Everything durable goes through the store; here is only what lives as long as the process: the
//! pipelines as loaded, the cycles that run, a wake-up, live events.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;

use super::so_far::{SoFar, Turned};
use crate::domain::event::Recorded;
use crate::domain::names::PipelineName;
use crate::domain::outcome::Phase;
use crate::domain::spec::Pipeline;
use crate::notify::Wake;
use crate::store::{CycleKey, Store};
use crate::trigger::WatchHealth;

/// Live events that a slow listener may fall behind before it loses some.
const LIVE_EVENTS: usize = 1024;

/// A pipeline as it is served now.
#[derive(Debug, Clone)]
pub struct Served {
    /// What its file says.
    pub pipeline: Arc<Pipeline>,
    /// Why its file as it is now is not served: the one before it still is.
    pub stale: Option<String>,
}

/// A file among the pipelines that gives none: it is broken, and was never served otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unserved {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it first.
    pub why: String,
}

impl Unserved {
    /// The name of the file, without its folder.
    pub fn file_name(&self) -> String {
        self.file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether a pipeline of that name would stand in it, as far as its own name tells.
    pub fn is_named(&self, name: &str) -> bool {
        self.file.file_stem().is_some_and(|stem| stem == name)
    }
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not served: {}", self.file_name(), self.why)
    }
}

/// A cycle that runs.
#[derive(Debug, Clone)]
pub struct Running {
    /// Where it is.
    pub phase: Phase,
    /// When it got its turn.
    pub since: Timestamp,
    /// Finished attempts and planned cases, while its suite runs.
    pub progress: Option<(u32, u32)>,
    /// Who asked for its end.
    pub cancelled_by: Option<String>,
    cancel: CancellationToken,
}

/// What keeps an eye on a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watching {
    /// How looks at its repository go; `None` where it watches none.
    pub health: Option<WatchHealth>,
    /// When each of its schedules is due next.
    pub next_due: Vec<(String, Timestamp)>,
}

/// Why a pipeline starts no cycle although one waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// As a sentence.
    pub why: String,
    /// When it is tried again.
    pub until: Timestamp,
}

/// Why the loop of a pipeline is over although it did not get what it runs for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GaveUp {
    /// Its last cycle.
    pub cycle: u32,
    /// As a sentence.
    pub why: String,
}

/// Why no cycle begins at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoRoom {
    /// What is missing, as a sentence.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
}

/// An event of a cycle, as it became durable.
#[derive(Debug)]
pub struct LiveEvent {
    /// The cycle.
    pub cycle: CycleKey,
    /// The event.
    pub recorded: Recorded,
}

/// What a cancel did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// The cycle comes to a safe point and ends.
    Asked,
    /// It does not run here.
    NotRunning,
}

/// Tells what keeps an eye on each pipeline.
type Sight = Box<dyn Fn() -> BTreeMap<PipelineName, Watching> + Send + Sync>;

/// Tells why a repository has no such revision; `None` where it has, or nobody can tell now.
type Lookup = Box<dyn Fn(PipelineName, String) -> BoxFuture<'static, Option<String>> + Send + Sync>;

struct Shared {
    store: Arc<dyn Store>,
    sight: OnceLock<Sight>,
    lookup: OnceLock<Lookup>,
    news: OnceLock<Wake>,
    pipelines: Mutex<Arc<BTreeMap<PipelineName, Served>>>,
    unserved: Mutex<Arc<Vec<Unserved>>>,
    /// As they were before they were last read: what began for one whose file is gone is told to its end.
    before: Mutex<BTreeMap<PipelineName, Arc<Pipeline>>>,
    running: Mutex<BTreeMap<CycleKey, Running>>,
    blocked: Mutex<BTreeMap<PipelineName, Blocked>>,
    gave_up: Mutex<BTreeMap<PipelineName, GaveUp>>,
    no_room: Mutex<Option<NoRoom>>,
    disk_free: Mutex<Option<u64>>,
    so_far: Mutex<BTreeMap<CycleKey, SoFar>>,
    wake: Arc<Notify>,
    looks: Notify,
    live: broadcast::Sender<Arc<LiveEvent>>,
    draining: CancellationToken,
}

/// A running daemon, for whoever serves it.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    /// A handle on nothing yet: no pipeline is served.
    pub fn new(store: Arc<dyn Store>) -> Self {
        let (live, _) = broadcast::channel(LIVE_EVENTS);
        Self {
            shared: Arc::new(Shared {
                store,
                sight: OnceLock::new(),
                lookup: OnceLock::new(),
                news: OnceLock::new(),
                pipelines: Mutex::default(),
                unserved: Mutex::default(),
                before: Mutex::default(),
                running: Mutex::default(),
                blocked: Mutex::default(),
                gave_up: Mutex::default(),
                no_room: Mutex::default(),
                disk_free: Mutex::default(),
                so_far: Mutex::default(),
                wake: Arc::new(Notify::new()),
                looks: Notify::new(),
                live,
                draining: CancellationToken::new(),
            }),
        }
    }

    /// The ledger, and what waits.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// The pipelines that are served, by name.
    pub fn pipelines(&self) -> Arc<BTreeMap<PipelineName, Served>> {
        Arc::clone(&lock(&self.shared.pipelines))
    }

    /// Serves these pipelines from now on.
    pub fn serve(&self, pipelines: BTreeMap<PipelineName, Served>) {
        let before = std::mem::replace(&mut *lock(&self.shared.pipelines), Arc::new(pipelines));
        let before = before.iter().map(|(name, was)| (name.clone(), Arc::clone(&was.pipeline)));
        lock(&self.shared.before).extend(before);
        self.wake();
    }

    /// The files that give no pipeline, as of the last time that they were read.
    pub fn unserved(&self) -> Arc<Vec<Unserved>> {
        Arc::clone(&lock(&self.shared.unserved))
    }

    /// Says which files give none from now on.
    pub fn leave_out(&self, unserved: Vec<Unserved>) {
        *lock(&self.shared.unserved) = Arc::new(unserved);
    }

    /// A pipeline as it is served, or as it was when its file went away.
    pub(super) fn ever_served(&self, name: &PipelineName) -> Option<Arc<Pipeline>> {
        let served = self.pipelines().get(name).map(|served| Arc::clone(&served.pipeline));
        served.or_else(|| lock(&self.shared.before).get(name).cloned())
    }

    /// Something was stored that may be due.
    pub fn wake(&self) {
        self.shared.wake.notify_one();
    }

    /// What [`Handle::wake`] rings, for those who store triggers.
    pub(super) fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.shared.wake)
    }

    /// Looks at remotes were stored that somebody wants now.
    pub fn look_soon(&self) {
        self.shared.looks.notify_one();
    }

    pub(super) async fn looks_wanted(&self) {
        self.shared.looks.notified().await;
    }

    /// Waits until [`Handle::wake`] was called since the last wait.
    pub async fn woken(&self) {
        self.shared.wake.notified().await;
    }

    /// Events of all cycles from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<LiveEvent>> {
        self.shared.live.subscribe()
    }

    /// Tells whoever listens of an event that is durable.
    pub fn publish(&self, event: LiveEvent) {
        // Nobody need be listening.
        let _ = self.shared.live.send(Arc::new(event));
    }

    /// The cycles that run now.
    pub fn running(&self) -> BTreeMap<CycleKey, Running> {
        lock(&self.shared.running).clone()
    }

    pub(super) fn news_are_told_by(&self, wake: Wake) {
        // Set once, when the daemon is made.
        let _ = self.shared.news.set(wake);
    }

    /// News may have been stored.
    pub(super) fn tell_news(&self) {
        if let Some(wake) = self.shared.news.get() {
            wake.wake();
        }
    }

    /// What keeps an eye on each pipeline.
    pub fn watching(&self) -> BTreeMap<PipelineName, Watching> {
        self.shared.sight.get().map(|sight| sight()).unwrap_or_default()
    }

    pub(super) fn watched_by(&self, sight: Sight) {
        // Set once, when the daemon is made.
        let _ = self.shared.sight.set(sight);
    }

    /// Why the repository of a pipeline has no such revision. `None` where it has, or nobody can tell
    /// now: then the cycle will.
    pub async fn lacks_revision(&self, pipeline: &PipelineName, revision: &str) -> Option<String> {
        self.shared.lookup.get()?(pipeline.clone(), revision.to_owned()).await
    }

    pub(super) fn revisions_are_looked_up_by(&self, lookup: Lookup) {
        // Set once, when the daemon is made.
        let _ = self.shared.lookup.set(lookup);
    }

    /// Pipelines whose loop gave up, until their next cycle begins.
    pub fn gave_up(&self) -> BTreeMap<PipelineName, GaveUp> {
        lock(&self.shared.gave_up).clone()
    }

    pub(super) fn gives_up(&self, pipeline: PipelineName, gave_up: GaveUp) {
        lock(&self.shared.gave_up).insert(pipeline, gave_up);
    }

    /// Pipelines that start nothing for now.
    pub fn blocked(&self) -> BTreeMap<PipelineName, Blocked> {
        lock(&self.shared.blocked).clone()
    }

    /// Why no cycle begins: the disk of the state folder has too little room.
    pub fn no_room(&self) -> Option<NoRoom> {
        lock(&self.shared.no_room).clone()
    }

    /// Says that the disk has too little room, or has enough again.
    pub fn set_no_room(&self, no_room: Option<NoRoom>) {
        *lock(&self.shared.no_room) = no_room;
    }

    /// Bytes that were free on the disk of the state folder at the last look.
    pub fn disk_free(&self) -> Option<u64> {
        *lock(&self.shared.disk_free)
    }

    pub(super) fn disk_has(&self, free: Option<u64>) {
        *lock(&self.shared.disk_free) = free;
    }

    /// Asks a running cycle to come to its end, in the name of `by`.
    pub fn cancel(&self, cycle: &CycleKey, by: &str) -> Cancelled {
        match lock(&self.shared.running).get_mut(cycle) {
            Some(running) => {
                running.cancelled_by.get_or_insert_with(|| by.to_owned());
                running.cancel.cancel();
                Cancelled::Asked
            }
            None => Cancelled::NotRunning,
        }
    }

    /// Fires when no new work is taken any more.
    pub fn draining(&self) -> &CancellationToken {
        &self.shared.draining
    }

    /// A cycle has its turn; one that is taken up is further than its beginning.
    pub(super) fn started(
        &self,
        cycle: CycleKey,
        phase: Phase,
        since: Timestamp,
        cancel: CancellationToken,
    ) {
        lock(&self.shared.gave_up).remove(&cycle.pipeline);
        let running = Running { phase, since, progress: None, cancelled_by: None, cancel };
        lock(&self.shared.running).insert(cycle, running);
    }

    pub(super) fn cancelled_by(&self, cycle: &CycleKey) -> Option<String> {
        lock(&self.shared.running).get(cycle)?.cancelled_by.clone()
    }

    pub(super) fn block(&self, pipeline: PipelineName, blocked: Blocked) {
        lock(&self.shared.blocked).insert(pipeline, blocked);
    }

    /// Pipelines whose block is over are tried again.
    pub(super) fn unblock(&self, now: Timestamp) {
        lock(&self.shared.blocked).retain(|_, blocked| blocked.until > now);
    }

    pub(super) fn is_at(&self, cycle: &CycleKey, phase: Phase, progress: Option<(u32, u32)>) {
        if let Some(running) = lock(&self.shared.running).get_mut(cycle) {
            running.phase = phase;
            running.progress = progress;
        }
    }

    /// What changed of the cases of a cycle whose suite runs here since a reader's last look, at most so
    /// many. Nothing of one that does not run here.
    pub fn cases_since(&self, cycle: &CycleKey, tick: u64, most: usize) -> Turned {
        lock(&self.shared.so_far).get(cycle).map(|it| it.since(tick, most)).unwrap_or_default()
    }

    /// Takes in what became of cases of a suite that runs.
    pub(super) fn cases_turn(&self, cycle: &CycleKey, how: impl FnOnce(&mut SoFar)) {
        how(lock(&self.shared.so_far).entry(cycle.clone()).or_default());
    }

    pub(super) fn ended(&self, cycle: &CycleKey) {
        lock(&self.shared.running).remove(cycle);
        lock(&self.shared.so_far).remove(cycle);
    }
}

/// Nothing is left half-changed under these locks, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
