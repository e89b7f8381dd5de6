//! Who watches remotes and the clock for the pipelines that are served.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::cycle::Parts;
use super::handle::{Served, Watching};
use crate::domain::errors::chain;
use crate::domain::names::PipelineName;
use crate::domain::spec::Pipeline;
use crate::notify;
use crate::trigger::{
    OpenMirror, PollError, Scheduler, TellCircle, WatchSetup, WatchSpec, Watchers,
};

/// Watchers of remotes, and of the clock.
pub(super) struct Desks {
    watchers: Watchers,
    scheduler: Scheduler,
}

impl Desks {
    /// Nothing is watched yet.
    pub(super) fn new(parts: &Parts) -> Self {
        let (store, clock) = (Arc::clone(parts.handle.store()), Arc::clone(&parts.clock));
        let now: crate::trigger::Now = Arc::new(move || clock.now());
        let setup = WatchSetup {
            store: Arc::clone(&store) as _,
            now: Arc::clone(&now),
            stored: parts.handle.bell(),
            refusals: store.refusals(),
            tell_circle: circle_teller(parts),
            limit: WatchSetup::LIMIT,
        };
        let scheduler = Scheduler::new(store, now, parts.handle.bell());
        Self { watchers: Watchers::new(setup), scheduler }
    }

    /// Watches what is served now instead of what was before. Whose definition is the same is left
    /// alone: a reload is no reason to look again.
    pub(super) fn follow(
        &self,
        parts: &Arc<Parts>,
        before: &BTreeMap<PipelineName, Served>,
        now: &BTreeMap<PipelineName, Served>,
    ) {
        for name in before.keys().filter(|name| !now.contains_key(*name)) {
            self.watchers.remove(name);
            self.scheduler.remove(name);
        }
        for (name, served) in now {
            let same = before.get(name).is_some_and(|was| is_same(&was.pipeline, &served.pipeline));
            if !same {
                let pipeline = Arc::clone(&served.pipeline);
                let open = opener(parts, &pipeline);
                self.watchers.put(&WatchSpec { pipeline: Arc::clone(&pipeline), open });
                self.scheduler.put(pipeline);
            }
        }
    }

    /// Watches until it is stopped.
    pub(super) async fn run(&self, parts: &Parts, stop: &CancellationToken) {
        let wake = async {
            loop {
                parts.handle.looks_wanted().await;
                self.watchers.wake();
            }
        };
        let watch = async {
            tokio::join!(self.watchers.run(stop.clone()), self.scheduler.run(stop.clone()));
        };
        tokio::select! {
            () = wake => {}
            () = watch => {}
        }
    }

    /// How looks go and what is due next, for whoever shows it.
    pub(super) fn watching(&self) -> BTreeMap<PipelineName, Watching> {
        let mut due: BTreeMap<PipelineName, Vec<(String, Timestamp)>> = self.scheduler.next_due();
        let mut watching: BTreeMap<PipelineName, Watching> = BTreeMap::new();
        for (name, health) in self.watchers.health() {
            watching.entry(name).or_default().health = Some(health);
        }
        for (name, due) in std::mem::take(&mut due) {
            watching.entry(name).or_default().next_due = due;
        }
        watching
    }
}

/// Stores news of circles for whoever delivers them.
fn circle_teller(parts: &Parts) -> TellCircle {
    let (handle, clock) = (parts.handle.clone(), Arc::clone(&parts.clock));
    Arc::new(move |name, circle| {
        let (handle, clock) = (handle.clone(), Arc::clone(&clock));
        async move {
            let Some(pipeline) = handle.ever_served(&name) else { return true };
            let news = notify::went_round(&pipeline, &circle.sha, &circle.told());
            match handle.store().put_messages(news, clock.now()).await {
                Ok(_) => {
                    handle.tell_news();
                    true
                }
                Err(fault) => {
                    tracing::warn!(
                        "{name}: cannot tell that its cycles went round: {}",
                        chain(&fault)
                    );
                    false
                }
            }
        }
        .boxed()
    })
}

/// Whether two definitions are watched alike.
fn is_same(a: &Arc<Pipeline>, b: &Arc<Pipeline>) -> bool {
    // A definition that was read again is another allocation. What it says is compared as it is
    // written out, which holds no secret: those are only named in a pipeline.
    Arc::ptr_eq(a, b) || written(a).is_some_and(|a| written(b) == Some(a))
}

fn written(pipeline: &Pipeline) -> Option<serde_json::Value> {
    serde_json::to_value(pipeline).ok()
}

/// Opens a pipeline's mirror with the secrets of that moment.
fn opener(parts: &Arc<Parts>, pipeline: &Arc<Pipeline>) -> OpenMirror {
    let (parts, pipeline) = (Arc::clone(parts), Arc::clone(pipeline));
    Arc::new(move || {
        let (parts, pipeline) = (Arc::clone(&parts), Arc::clone(&pipeline));
        async move {
            let world = parts.open_world(&pipeline).await;
            let world = world.map_err(|fault| PollError::Login(fault.to_string()))?;
            Ok(world.open_mirror().await?)
        }
        .boxed()
    })
}
