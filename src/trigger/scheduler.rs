//! The task that watches the clock: stores what is due, and sleeps until something is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Now;
use super::schedule::{Due, DueKind, Timer, due};
use crate::domain::errors::chain;
use crate::domain::names::PipelineName;
use crate::domain::revision::Sha;
use crate::domain::spec::Pipeline;
use crate::store::{Cursor, Store, StoreError, Which};
use crate::watch::is_marker;

/// The clock is read at least so often: a machine that slept, or a clock that was set, is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// No busy loop, whatever a clock does.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);
/// How soon a store that refused is asked again.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Watches the clock for the schedules of all pipelines.
pub struct Scheduler {
    store: Arc<dyn Store>,
    now: Now,
    /// Told when there is something new to run.
    stored: Arc<Notify>,
    started: Timestamp,
    pipelines: Mutex<BTreeMap<PipelineName, Arc<Scheduled>>>,
    changed: Notify,
}

/// The schedules of one pipeline.
struct Scheduled {
    pipeline: Arc<Pipeline>,
    timers: Vec<Timer>,
    /// The due times that were dealt with last; read from the store at the first look at the clock.
    cursors: Mutex<Option<BTreeMap<String, Timestamp>>>,
}

impl Scheduler {
    /// A scheduler without pipelines. What was due before this moment was missed.
    pub fn new(store: Arc<dyn Store>, now: Now, stored: Arc<Notify>) -> Self {
        let started = now();
        Self { store, now, stored, started, pipelines: Mutex::default(), changed: Notify::new() }
    }

    /// Watches the clock for a pipeline from now on, in place of an earlier definition of it.
    pub fn put(&self, pipeline: Arc<Pipeline>) {
        let timers = Timer::of_pipeline(&pipeline);
        let name = pipeline.name.clone();
        let scheduled = Scheduled { pipeline, timers, cursors: Mutex::default() };
        lock(&self.pipelines).insert(name, Arc::new(scheduled));
        self.changed.notify_one();
    }

    /// Watches the clock for a pipeline no more.
    pub fn remove(&self, pipeline: &PipelineName) {
        lock(&self.pipelines).remove(pipeline);
    }

    /// When each schedule is due next, by pipeline and the schedule's name.
    pub fn next_due(&self) -> BTreeMap<PipelineName, Vec<(String, Timestamp)>> {
        let now = (self.now)();
        let pipelines = lock(&self.pipelines);
        pipelines.iter().map(|(name, one)| (name.clone(), one.next_due(now))).collect()
    }

    /// Watches the clock until it is stopped.
    pub async fn run(&self, stop: CancellationToken) {
        let work = async {
            let mut failing = BTreeSet::new();
            loop {
                let sleep = self.look(&mut failing).await;
                let _ = timeout(sleep, self.changed.notified()).await;
            }
        };
        stop.run_until_cancelled(work).await;
    }

    /// Looks at the clock once, and answers how long nothing will be due. `failing` has the
    /// pipelines whose schedules could not be stored: that is told once.
    pub async fn look(&self, failing: &mut BTreeSet<PipelineName>) -> Duration {
        let all: Vec<Arc<Scheduled>> = lock(&self.pipelines).values().cloned().collect();
        let mut sleep = LONGEST_SLEEP;
        for scheduled in all.iter().filter(|scheduled| !scheduled.timers.is_empty()) {
            let name = &scheduled.pipeline.name;
            match self.take_due(scheduled).await {
                Ok(()) => {
                    if failing.remove(name) {
                        tracing::info!(pipeline = %name, "schedules are stored again");
                    }
                }
                Err(error) => {
                    if failing.insert(name.clone()) {
                        tracing::warn!(pipeline = %name, error = chain(&error), "cannot store what is due");
                    }
                    sleep = sleep.min(AFTER_FAILURE);
                }
            }
            sleep = sleep.min(scheduled.idle_time((self.now)()));
        }
        sleep.max(SHORTEST_SLEEP)
    }

    async fn take_due(&self, scheduled: &Scheduled) -> Result<(), StoreError> {
        let known = lock(&scheduled.cursors).clone();
        let cursors = match known {
            Some(cursors) => cursors,
            None => self.load_cursors(scheduled).await?,
        };
        let now = (self.now)();
        for due in due(&scheduled.timers, &cursors, now, self.started) {
            self.take(scheduled, &due, now).await?;
            let name = due.timer.schedule().name.clone();
            lock(&scheduled.cursors).get_or_insert_default().insert(name, due.at);
        }
        Ok(())
    }

    async fn load_cursors(
        &self,
        scheduled: &Scheduled,
    ) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        let mut cursors = BTreeMap::new();
        for timer in &scheduled.timers {
            let name = &timer.schedule().name;
            if let Some(at) = self.store.schedule_cursor(&scheduled.pipeline.name, name).await? {
                cursors.insert(name.clone(), at);
            }
        }
        *lock(&scheduled.cursors) = Some(cursors.clone());
        Ok(cursors)
    }

    /// Stores what one schedule asks for. All but the last trigger go first: their keys make it
    /// harmless to do that again after a crash, and the last one goes with the cursor.
    async fn take(
        &self,
        scheduled: &Scheduled,
        due: &Due<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let pipeline = &*scheduled.pipeline;
        let schedule = due.timer.schedule();
        let mut triggers = match due.kind {
            DueKind::Run | DueKind::CatchUp => self.triggers(pipeline, due).await?,
            DueKind::Begin | DueKind::PassOver => vec![],
        };
        let (name, at, count) = (&pipeline.name, due.at, triggers.len());
        let last = triggers.pop();
        for trigger in triggers {
            self.store.put_trigger(trigger, now).await?;
        }
        let put = self.store.put_scheduled(name, &schedule.name, at, last.clone()).await?;
        if let (None, Some(last)) = (put, last) {
            // The stored cursor is ahead, from a clock that was: the key alone tells.
            self.store.put_trigger(last, now).await?;
        }
        tracing::info!(pipeline = %name, schedule = schedule.name, due = %at, cycles = count, "{}", told(due.kind, count));
        if count > 0 {
            self.stored.notify_one();
        }
        Ok(())
    }

    async fn triggers(
        &self,
        pipeline: &Pipeline,
        due: &Due<'_>,
    ) -> Result<Vec<crate::store::NewTrigger>, StoreError> {
        let cursors = self.store.cursors(&pipeline.name).await?;
        if due.timer.schedule().only_if_changed {
            let latest = self.store.find_cycle(&pipeline.name, Which::Latest).await?;
            let latest = latest.map(|row| row.summary.started_at);
            if !has_moved(&cursors, latest) {
                return Ok(vec![]);
            }
        }
        Ok(due.triggers(pipeline, newest(pipeline, &cursors).as_ref()))
    }
}

impl Scheduled {
    fn next_due(&self, now: Timestamp) -> Vec<(String, Timestamp)> {
        let cursors = lock(&self.cursors);
        let next = |timer: &Timer| {
            let name = &timer.schedule().name;
            let cursor = cursors.as_ref().and_then(|cursors| cursors.get(name)).copied();
            Some((name.clone(), timer.next_after(cursor, now)?))
        };
        self.timers.iter().filter_map(next).collect()
    }

    /// How long none of the schedules is due.
    fn idle_time(&self, now: Timestamp) -> Duration {
        let next = self.next_due(now).into_iter().map(|(_, at)| at).min();
        let idle = next.map(|at| at.duration_since(now));
        idle.and_then(|idle| Duration::try_from(idle).ok()).unwrap_or(LONGEST_SLEEP)
    }
}

/// Whether a watched branch moved since a cycle began; without a cycle everything is new.
fn has_moved(cursors: &[Cursor], latest: Option<Timestamp>) -> bool {
    let Some(latest) = latest else { return true };
    branches(cursors).any(|cursor| cursor.since > latest)
}

/// The commit that repeated cycles have in common: of the first branch that is named without a
/// glob, else of the branch that moved last. `None` when nothing was looked at yet.
fn newest(pipeline: &Pipeline, cursors: &[Cursor]) -> Option<Sha> {
    let named = pipeline.watch.iter().flat_map(|watch| &watch.branches);
    let mut named = named.filter(|branch| !branch.contains(['*', '?', '[', '{']));
    let found = match named.next() {
        Some(name) => branches(cursors).find(|cursor| cursor.branch == *name),
        None => branches(cursors).filter(|cursor| cursor.sha.is_some()).max_by_key(|c| c.since),
    };
    found?.sha.clone()
}

fn branches(cursors: &[Cursor]) -> impl Iterator<Item = &Cursor> {
    cursors.iter().filter(|cursor| !is_marker(&cursor.branch))
}

fn told(kind: DueKind, count: usize) -> &'static str {
    match (kind, count) {
        (DueKind::Begin, _) => "schedule begins",
        (DueKind::PassOver, _) => "schedule was missed and is passed over",
        (DueKind::Run | DueKind::CatchUp, 0) => "schedule is due, but nothing changed",
        (DueKind::Run, _) => "schedule is due",
        (DueKind::CatchUp, _) => "schedule was missed and is caught up with",
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
