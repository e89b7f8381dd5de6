//! One cycle of the daemon, from its turn to what follows from it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::handle::{Blocked, GaveUp, Handle};
use super::observer::Watcher;
use super::warden::Warden;
use crate::domain::errors::chain;
use crate::domain::event::RunOptions;
use crate::domain::names::PipelineName;
use crate::domain::outcome::{Phase, Trigger, TriggerKind, Verdict};
use crate::domain::spec::Pipeline;
use crate::domain::state::CycleState;
use crate::engine::{
    Clock, Ended, Engine, EngineError, Relief, ReportFolder, Request, Resolved,
    Setup as WorldSetup, StatePaths, World, least_cycle, load_state, past_cycles,
};
use crate::notify;
use crate::pipeline::{self, RunBy};
use crate::process::Launcher;
use crate::queue::{Next, StopReason, after_cycle};
use crate::store::{CycleKey, CycleRow, NewTrigger, StoreError, TriggerId, WaitingTrigger, Which};
use crate::suite::HostEnv;

/// Whoever asks for a revision waits so long for the repository to say whether it has it.
const LOOKUP_TIME: Duration = Duration::from_secs(20);
/// News of a loop that gave up longer ago are none: they were told, and forgotten since.
const NEWS_FOR: SignedDuration = SignedDuration::from_hours(24);
/// A pipeline whose secrets cannot be had is tried again after so long.
const BLOCKED_FOR: SignedDuration = SignedDuration::from_secs(60);

/// What every cycle needs.
pub(super) struct Parts {
    pub handle: Handle,
    pub clock: Arc<dyn Clock>,
    pub paths: StatePaths,
    pub working_dir: PathBuf,
    pub reports: PathBuf,
    pub host: HostEnv,
    pub launcher: Launcher,
    pub warden: Arc<Warden>,
}

/// Why a cycle could not be brought forward. Its records are as they were.
#[derive(Debug, thiserror::Error)]
pub(super) enum CycleError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the secrets of the pipeline cannot be had: {0}")]
    Secrets(String),
    #[error("its records contradict each other: {0}")]
    Records(String),
}

impl Parts {
    /// Makes the trigger's cycle and runs it.
    pub(super) async fn start(
        &self,
        trigger: &WaitingTrigger,
        joined: &[TriggerId],
        pipeline: &Arc<Pipeline>,
        cancel: CancellationToken,
    ) -> Result<(), CycleError> {
        // Before the trigger is taken: without its secrets a pipeline starts nothing and loses nothing.
        let world = self.open_world(pipeline).await?;
        let (store, now) = (self.handle.store(), self.clock.now());
        let reports = pipeline.report.dir.as_deref().unwrap_or(&self.reports);
        let folder = ReportFolder::new(&self.working_dir, reports);
        let least = least_cycle(store.as_ref(), &folder, &pipeline.name).await?;
        if let Some(warning) = &least.warning {
            tracing::warn!("{warning}");
        }
        let request = Request {
            pipeline,
            least: least.number,
            file: &pipeline.file,
            reports,
            not_acted_on: pipeline::parts_not_acted_on(pipeline, RunBy::Daemon)
                .iter()
                .map(ToString::to_string)
                .collect(),
            trigger: trigger.cause.clone(),
            requested: trigger.requested.clone(),
            taken_together: trigger.taken_together.clone(),
            options: trigger.options.clone(),
        };
        let Some((key, recorded)) =
            store.start_cycle(trigger.id, joined, request.queued(), now).await?
        else {
            return Ok(());
        };
        tracing::info!("{key} starts: {}", trigger.cause.detail);
        self.handle.started(key.clone(), Phase::Queued, now, cancel.clone());
        self.handle.publish(super::LiveEvent { cycle: key.clone(), recorded });
        let done = match self.row(&key).await {
            Ok(row) => self.bring_forward(&row, pipeline, &world, cancel).await,
            Err(fault) => Err(fault),
        };
        self.handle.ended(&key);
        done
    }

    /// Goes on with a cycle that an earlier process left behind.
    pub(super) async fn take_up(
        &self,
        row: &CycleRow,
        pipeline: &Arc<Pipeline>,
        cancel: CancellationToken,
    ) -> Result<(), CycleError> {
        let world = self.open_world(pipeline).await?;
        tracing::info!("{} is taken up in its {} phase", row.key(), row.phase);
        self.handle.started(row.key(), row.phase, self.clock.now(), cancel.clone());
        let done = self.bring_forward(row, pipeline, &world, cancel).await;
        self.handle.ended(&row.key());
        done
    }

    async fn bring_forward(
        &self,
        row: &CycleRow,
        pipeline: &Arc<Pipeline>,
        world: &World,
        cancel: CancellationToken,
    ) -> Result<(), CycleError> {
        let key = row.key();
        let observer = Arc::new(Watcher::new(self.handle.clone(), key.clone()));
        let asker = { (self.handle.clone(), key.clone()) };
        let canceller = move || asker.0.cancelled_by(&asker.1).unwrap_or_else(|| "a signal".into());
        let store = Arc::clone(self.handle.store());
        let engine = Engine::new(store, Arc::clone(&self.clock), observer)
            .with_canceller(Arc::new(canceller))
            .with_relief(self.relief());
        match engine.go_on(row, pipeline, world, &cancel).await? {
            Ended::Held(state) => tracing::warn!("{}", held(&state)),
            Ended::Finished(state) => {
                tracing::info!("{}", finished(&state));
                self.decide_what_follows(pipeline, world).await?;
            }
        }
        Ok(())
    }

    fn relief(&self) -> Relief {
        let warden = Arc::clone(&self.warden);
        Arc::new(move || {
            let warden = Arc::clone(&warden);
            Box::pin(async move { warden.relieve().await })
        })
    }

    /// Stores the next cycle of the loop, where there is one. Harmless to ask again: the trigger has
    /// a key of its own for each cycle that it follows.
    pub(super) async fn decide_what_follows(
        &self,
        pipeline: &Pipeline,
        world: &World,
    ) -> Result<(), CycleError> {
        self.decide_loop(pipeline).await?;
        self.decide_search(pipeline, world).await
    }

    async fn decide_loop(&self, pipeline: &Pipeline) -> Result<(), CycleError> {
        let past = past_cycles(self.handle.store().as_ref(), pipeline).await?;
        let Some(newest) = past.first() else { return Ok(()) };
        let (pause, why) = match after_cycle(&pipeline.cycles, &past) {
            Next::Rerun => (SignedDuration::ZERO, "was void"),
            Next::Again => {
                let pause = SignedDuration::try_from(pipeline.cycles.pause);
                (pause.unwrap_or(SignedDuration::MAX), "was not green")
            }
            Next::Stop(why) if why.is_giving_up() => {
                return self.give_up(pipeline, newest.cycle, why).await;
            }
            Next::Stop(why) => {
                tracing::debug!("{}: {why}", pipeline.name);
                return Ok(());
            }
        };
        let now = self.clock.now();
        let detail = match newest.verdict {
            Verdict::Green => format!("after cycle {}", newest.cycle),
            _ => format!("cycle {} {why}", newest.cycle),
        };
        let Some(row) = self.find(&pipeline.name, newest.cycle).await? else { return Ok(()) };
        let begun = self.state_of(&row.key()).await?.queued;
        let trigger = NewTrigger {
            pipeline: pipeline.name.clone(),
            environment: pipeline.environment.clone(),
            cause: Trigger { kind: TriggerKind::Retry, detail },
            requested: newest.revision.as_ref().map(|sha| sha.as_str().to_owned()),
            options: RunOptions { search_of: None, ..begun.options },
            key: Some(format!("after cycle {}", newest.cycle)),
            not_before: now.saturating_add(pause).unwrap_or(Timestamp::MAX),
        };
        self.handle.store().put_trigger(trigger, now).await?;
        Ok(())
    }

    /// The loop of a pipeline ends without what it runs for: that is told, and what begins it anew.
    async fn give_up(
        &self,
        pipeline: &Pipeline,
        cycle: u32,
        why: StopReason,
    ) -> Result<(), CycleError> {
        let (name, why) = (&pipeline.name, why.to_string());
        tracing::warn!(
            "the loop of {name} ends with cycle {cycle}: {why}; a new commit, a schedule or `andon trigger {name}` begins it anew"
        );
        self.handle.gives_up(name.clone(), GaveUp { cycle, why: why.clone() });
        let (row, now) = (self.find(name, cycle).await?, self.clock.now());
        let over_at = row.and_then(|row| row.finished_at);
        if over_at.is_some_and(|at| now.duration_since(at) < NEWS_FOR) {
            let messages = notify::gave_up(pipeline, cycle, &why);
            self.handle.store().put_messages(messages, now).await?;
            self.handle.tell_news();
        }
        Ok(())
    }

    /// Why the repository of a pipeline has no such revision, as far as it says so soon.
    pub(super) async fn lacks_revision(
        &self,
        name: &PipelineName,
        revision: &str,
    ) -> Option<String> {
        let served = self.handle.pipelines().get(name)?.pipeline.clone();
        let world = self.open_world(&served).await.ok()?;
        let asked = tokio::time::timeout(LOOKUP_TIME, world.resolve(Some(revision)));
        match asked.await.ok()? {
            Resolved::Refused(fault) => Some(world.masked(&chain(fault.as_ref()))),
            Resolved::Commit(_) | Resolved::Unreadable(_) => None,
        }
    }

    async fn find(&self, name: &PipelineName, cycle: u32) -> Result<Option<CycleRow>, CycleError> {
        Ok(self.handle.store().find_cycle(name, Which::Number(cycle)).await?)
    }

    async fn row(&self, key: &CycleKey) -> Result<CycleRow, CycleError> {
        let found = self.find(&key.pipeline, key.cycle).await?;
        found.ok_or_else(|| CycleError::Records(format!("{key} is not in the list")))
    }

    async fn state_of(&self, key: &CycleKey) -> Result<CycleState, CycleError> {
        Ok(load_state(self.handle.store().as_ref(), key).await?)
    }

    pub(super) async fn open_world(&self, pipeline: &Arc<Pipeline>) -> Result<World, CycleError> {
        let setup = WorldSetup {
            pipeline: Arc::clone(pipeline),
            paths: self.paths.clone(),
            working_dir: self.working_dir.clone(),
            host: Arc::clone(&self.host),
            launcher: self.launcher.clone(),
        };
        match World::open(setup).await {
            Ok((world, warnings)) => {
                for text in warnings {
                    tracing::warn!("{}: {text}", pipeline.name);
                }
                Ok(world.in_loop())
            }
            Err(faults) => {
                let why: Vec<String> = faults.iter().map(ToString::to_string).collect();
                let why = why.join("; ");
                let until = self.clock.now().saturating_add(BLOCKED_FOR).unwrap_or(Timestamp::MAX);
                let blocked = Blocked { why: format!("secrets: {why}"), until };
                self.handle.block(pipeline.name.clone(), blocked);
                Err(CycleError::Secrets(why))
            }
        }
    }
}

fn held(state: &CycleState) -> String {
    let reason = state.held.as_ref().map_or("", |held| held.reason.as_str());
    let (pipeline, cycle) = (&state.queued.pipeline, state.queued.cycle);
    format!(
        "cycle {cycle} of {pipeline} is held: {reason}; `andon resume {pipeline} {cycle} --as deployed|failed|rerun`"
    )
}

fn finished(state: &CycleState) -> String {
    let (pipeline, cycle) = (&state.queued.pipeline, state.queued.cycle);
    let Some(findings) = state.findings.as_ref().map(|stamped| &stamped.what) else {
        return format!("cycle {cycle} of {pipeline} is over");
    };
    let counts = &findings.counts;
    let (ran, planned) = (counts.ran(), counts.planned);
    format!(
        "cycle {cycle} of {pipeline}: {}, ran {ran} of {planned}: {}",
        findings.verdict, findings.reason
    )
}
