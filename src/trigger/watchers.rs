//! All watchers of a daemon: started, replaced, ended, and woken when looks are wanted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Now;
use super::watcher::{Desk, WatchHealth, WatchSpec, Watcher};
use crate::domain::errors::chain;
use crate::domain::names::PipelineName;
use crate::store::{Refusals, TriggerStore};
use crate::watch::Circle;

/// How often wanted looks are read without anybody saying so: a hint that got lost heals.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// What all watchers share.
#[derive(Clone)]
pub struct WatchSetup {
    /// Where movements are stored.
    pub store: Arc<dyn TriggerStore>,
    /// Wall time.
    pub now: Now,
    /// Told when there may be something new to run, or less.
    pub stored: Arc<Notify>,
    /// Told when our own disk had no room for what a look found.
    pub refusals: Refusals,
    /// Stores that people are to hear of a circle, once for each; whether it did.
    pub tell_circle: TellCircle,
    /// The deadline of one look.
    pub limit: Duration,
}

/// Stores news of a circle of cycles.
pub type TellCircle = Arc<dyn Fn(PipelineName, Circle) -> BoxFuture<'static, bool> + Send + Sync>;

impl WatchSetup {
    /// The usual deadline of one look.
    pub const LIMIT: Duration = Duration::from_secs(60);
}

/// The watchers of a daemon.
pub struct Watchers {
    setup: WatchSetup,
    tasks: TaskTracker,
    running: Mutex<BTreeMap<PipelineName, Running>>,
    wake: Notify,
}

struct Running {
    desk: Arc<Desk>,
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Watchers {
    /// No watchers yet.
    pub fn new(setup: WatchSetup) -> Self {
        Self { setup, tasks: TaskTracker::new(), running: Mutex::default(), wake: Notify::new() }
    }

    /// Watches a pipeline from now on, in place of an earlier definition of it. One that watches
    /// nothing is no longer watched. Looks at once, whatever its interval: hooks may have been lost.
    pub fn put(&self, spec: &WatchSpec) {
        let name = spec.pipeline.name.clone();
        let mut running = self.running();
        let before = running.get(&name).map(|before| Desk::after(&before.desk));
        let desk = Arc::new(before.unwrap_or_default());
        let Some(watcher) = Watcher::new(self.setup.clone(), spec, Arc::clone(&desk)) else {
            running.remove(&name);
            return;
        };
        let stop = CancellationToken::new();
        self.tasks.spawn(watcher.run(stop.clone()));
        running.insert(name, Running { desk, stop });
    }

    /// Watches a pipeline no more.
    pub fn remove(&self, pipeline: &PipelineName) {
        self.running().remove(pipeline);
    }

    /// Reads soon which looks are wanted. To be called after one was stored.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// How looks go, by pipeline.
    pub fn health(&self) -> BTreeMap<PipelineName, WatchHealth> {
        let running = self.running();
        running.iter().map(|(name, one)| (name.clone(), one.desk.health())).collect()
    }

    /// Hands wanted looks to the watchers until it is stopped; then ends them all.
    pub async fn run(&self, stop: CancellationToken) {
        let work = async {
            loop {
                self.dispatch().await;
                let _ = timeout(HEARTBEAT, self.wake.notified()).await;
            }
        };
        stop.run_until_cancelled(work).await;
        self.running().clear();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn dispatch(&self) {
        let wanted = match self.setup.store.wanted_looks().await {
            Ok(wanted) => wanted,
            Err(error) => {
                tracing::warn!(error = chain(&error), "cannot read which looks are wanted");
                return;
            }
        };
        for (pipeline, number) in wanted {
            let desk = self.running().get(&pipeline).map(|one| Arc::clone(&one.desk));
            match desk {
                Some(desk) => desk.want(number),
                None => self.finish(&pipeline, number).await,
            }
        }
    }

    /// Nobody watches it: whoever does later looks at once anyway.
    async fn finish(&self, pipeline: &PipelineName, number: i64) {
        tracing::debug!(%pipeline, "a look is wanted at what nobody watches");
        if let Err(error) = self.setup.store.finish_look(pipeline, number).await {
            tracing::warn!(%pipeline, error = chain(&error), "cannot note that a look is done");
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<PipelineName, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
