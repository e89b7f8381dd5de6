//! Runs cycles: hold the environment, fold the events, ask for the next step, perform it, append.
//!
//! The loop itself decides nothing; it only carries events between [`crate::cycle`] and the world.
//! What a step does is behind [`Effects`], so that every path through the loop is tested with a
//! scripted world, and with a store that fails after each append.

mod clock;
mod document_lock;
mod editing;
mod error;
mod files;
mod indexes;
mod journal;
mod keeping;
mod load;
mod logs;
mod looped;
mod numbering;
mod observer;
mod owner;
mod paths;
mod publish;
mod report_folder;
mod request;
mod resume;
mod went_back;
mod world;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

pub use clock::{Clock, SystemClock};
pub use document_lock::DocumentLock;
pub use editing::{Clashed, Edit, EditError, Editing, MAX_EDITED, Saved, ThreeTexts, known_of};
pub use error::EngineError;
pub use files::{Beside, put_all, write_atomically, write_atomically_with};
pub use indexes::indexes;
pub use journal::Journal;
pub use keeping::keep_written;
pub use load::load_state;
pub use logs::{Log, LogRecords, LogText, gap_of, logs_of};
pub use looped::past_cycles;
pub use numbering::{LeastCycle, least_cycle};
pub use observer::{Observer, Progress, Silent};
pub use owner::{is_alive, is_owner_alive, process_token, this_process};
pub use paths::StatePaths;
pub use publish::Publisher;
pub use report_folder::{LeadsOut, ReportFolder};
pub use request::Request;
pub use resume::{Resume, ResumeError, resume};
pub use went_back::gone_back_to;
pub use world::{
    NoDocument, NoSearch, Resolved, SearchState, Setup, World, case_ids, cycle_to_search,
    cycles_to_search, document_of, may_select, pipeline_of_records,
};

use crate::cycle::{self, Action, NextStep, next_step};
use crate::domain::event::{CancelRequested, Event, Queued};
use crate::domain::names::EnvironmentName;
use crate::domain::outcome::Phase;
use crate::domain::spec::Pipeline;
use crate::domain::state::CycleState;
use crate::notify;
use crate::store::{
    Acquisition, Claim, CycleKey, CycleRow, Lease, NewMessage, Projection, Store, StoreError,
};

/// How often a busy environment is asked for again.
const BUSY_POLL: Duration = Duration::from_millis(200);

/// Performs one step of a cycle in the world.
#[async_trait]
pub trait Effects: Send + Sync {
    /// Does what `action` says and appends what came of it to the journal. Intent is appended before
    /// the outside is changed; the result may be noted: it is written before anything else is done.
    /// When `cancel` fires it comes to a safe point soon
    /// and appends what is final by then. Asked for again after a crash, it takes up what it finds.
    async fn perform(
        &self,
        action: Action,
        journal: &mut Journal,
        cancel: &CancellationToken,
    ) -> Result<(), EngineError>;
}

/// How a run of the loop came to its end.
#[derive(Debug)]
pub enum Ended {
    /// The cycle is finished.
    Finished(Box<CycleState>),
    /// It waits for a person.
    Held(Box<CycleState>),
}

impl Ended {
    /// The state at the end.
    pub fn state(&self) -> &CycleState {
        match self {
            Self::Finished(state) | Self::Held(state) => state,
        }
    }
}

/// Why the loop stopped.
enum Stop {
    Finished,
    Held,
}

impl Stop {
    /// The end with the state that the journal is done with: a copy of a large one costs much.
    fn with(self, journal: Journal) -> Ended {
        let state = Box::new(journal.into_state());
        match self {
            Self::Finished => Ended::Finished(state),
            Self::Held => Ended::Held(state),
        }
    }
}

/// Says who ended a cycle, once its cancel fired.
pub type Canceller = Arc<dyn Fn() -> String + Send + Sync>;

/// Asked when the disk took nothing: makes room, or waits for it; answers whether to try again.
pub type Relief = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// Runs cycles against one store.
pub struct Engine {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    canceller: Canceller,
    relief: Option<Relief>,
}

impl Engine {
    /// An engine on a store.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, observer: Arc<dyn Observer>) -> Self {
        let canceller: Canceller = Arc::new(|| "a signal".to_owned());
        Self { store, clock, observer, canceller, relief: None }
    }

    /// The same engine, where somebody else than a signal may end a cycle.
    #[must_use]
    pub fn with_canceller(self, canceller: Canceller) -> Self {
        Self { canceller, ..self }
    }

    /// The same engine, for which a full disk is a pause: the cycle goes on once there is room.
    #[must_use]
    pub fn with_relief(self, relief: Relief) -> Self {
        Self { relief: Some(relief), ..self }
    }

    /// Creates a cycle and runs it to its end, waiting for the environment if need be.
    ///
    /// # Errors
    /// When the store refuses, or the ledger and the loop contradict each other.
    pub async fn run(
        &self,
        queued: Queued,
        pipeline: &Pipeline,
        effects: &dyn Effects,
        cancel: &CancellationToken,
    ) -> Result<Ended, EngineError> {
        let environment = queued.environment.clone();
        let (key, recorded) = self.store.create_cycle(queued, self.clock.now()).await?;
        let state = cycle::begin(recorded.clone())?;
        self.observer.on(Progress::Recorded { recorded: &recorded, state: &state });
        self.drive(key, &environment, pipeline, effects, cancel, None).await
    }

    /// Takes up a cycle that an earlier process left behind.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn take_up(
        &self,
        row: &CycleRow,
        pipeline: &Pipeline,
        effects: &dyn Effects,
        cancel: &CancellationToken,
    ) -> Result<Ended, EngineError> {
        self.drive(row.key(), &row.environment, pipeline, effects, cancel, None).await
    }

    /// Brings a cycle that an earlier process left behind to its end without going on with it: a
    /// deploy that still runs is waited for, nothing new is started.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn give_up(
        &self,
        row: &CycleRow,
        pipeline: &Pipeline,
        effects: &dyn Effects,
        cancel: &CancellationToken,
        why: &str,
    ) -> Result<Ended, EngineError> {
        self.drive(row.key(), &row.environment, pipeline, effects, cancel, Some(why)).await
    }

    /// Goes on with a cycle that an earlier process left behind, as far as that is honest: where the
    /// pipeline has changed since, the cycle is only brought to its end.
    ///
    /// # Errors
    /// As [`Engine::run`].
    pub async fn go_on(
        &self,
        row: &CycleRow,
        pipeline: &Pipeline,
        effects: &dyn Effects,
        cancel: &CancellationToken,
    ) -> Result<Ended, EngineError> {
        let beginning = beginning(self.store.as_ref(), row).await?;
        if beginning.is_some_and(|queued| is_of(&queued, pipeline)) {
            return self.take_up(row, pipeline, effects, cancel).await;
        }
        let text = "the pipeline has changed since, so that cycle is only brought to its end";
        self.observer.on(Progress::Note { text });
        let why = "a change of the pipeline while nobody ran the cycle";
        self.give_up(row, pipeline, effects, cancel, why).await
    }

    /// Whether a living process works on a cycle, or waits with it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn is_attended(&self, row: &CycleRow) -> Result<bool, EngineError> {
        if let Some(holder) = self.store.environment_holder(&row.environment).await?
            && holder.cycle.as_ref() == Some(&row.key())
            && is_owner_alive(&holder.owner)
        {
            return Ok(true);
        }
        if row.phase != Phase::Queued {
            return Ok(false);
        }
        let queued = beginning(self.store.as_ref(), row).await?;
        Ok(queued.and_then(|queued| queued.queued_by).as_deref().is_some_and(is_alive))
    }

    async fn drive(
        &self,
        key: CycleKey,
        environment: &EnvironmentName,
        pipeline: &Pipeline,
        effects: &dyn Effects,
        cancel: &CancellationToken,
        give_up: Option<&str>,
    ) -> Result<Ended, EngineError> {
        let lease = self.hold(&key, environment, cancel).await?;
        // Read only once the environment is ours: whoever held it before may have gone on with this
        // very cycle, even to its end.
        let state = load_state(self.store.as_ref(), &key).await?;
        let Some(lease) = lease else {
            return self.cancelled_in_queue(key, state, pipeline, effects).await;
        };
        let mut journal = self.journal(key, state, Some(lease.clone()));
        let ended = match request_cancel(&mut journal, give_up).await {
            Ok(()) => self.loop_until_end(&mut journal, pipeline, effects, cancel).await,
            Err(fault) => Err(fault),
        };
        // A held cycle keeps its events but not the environment's lease: it is the open cycle itself
        // that keeps others from deploying. After an error the hold may be lost already.
        match self.with_room(|| self.store.release_environment(&lease)).await {
            Ok(()) => {}
            Err(fault) if ended.is_err() => tracing::debug!(%fault, "the hold was lost before"),
            Err(fault) => return Err(fault.into()),
        }
        Ok(ended?.with(journal))
    }

    async fn loop_until_end(
        &self,
        journal: &mut Journal,
        pipeline: &Pipeline,
        effects: &dyn Effects,
        cancel: &CancellationToken,
    ) -> Result<Stop, EngineError> {
        loop {
            let by = cancel.is_cancelled().then(|| (self.canceller)());
            request_cancel(journal, by.as_deref()).await?;
            let before = journal.state().seq;
            match next_step(journal.state(), pipeline, self.clock.now()) {
                NextStep::Record(events) => {
                    let messages = told_with(pipeline, journal.state(), &events);
                    let told = Projection { messages, ..Projection::default() };
                    journal.note_with(events, told)?;
                }
                NextStep::Perform(action) => {
                    // A step that is new is written itself before it begins, with all that was noted.
                    if !matches!(action, Action::DeployStep { recorded: false, .. }) {
                        journal.settle().await?;
                    }
                    let name = format!("{action:?}");
                    effects.perform(action, journal, cancel).await?;
                    if journal.state().seq == before && !cancel.is_cancelled() {
                        return Err(EngineError::NoProgress { action: name });
                    }
                }
                NextStep::Wait(_) => {
                    journal.settle().await?;
                    return Ok(Stop::Held);
                }
                NextStep::Done => {
                    journal.settle().await?;
                    return Ok(Stop::Finished);
                }
            }
        }
    }

    /// Somebody gave up while the environment was busy: the cycle is closed without ever holding it.
    async fn cancelled_in_queue(
        &self,
        key: CycleKey,
        state: CycleState,
        pipeline: &Pipeline,
        effects: &dyn Effects,
    ) -> Result<Ended, EngineError> {
        let mut journal = self.journal(key, state, None);
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        let stop = self.loop_until_end(&mut journal, pipeline, effects, &cancelled).await?;
        Ok(stop.with(journal))
    }

    fn journal(&self, key: CycleKey, state: CycleState, lease: Option<Lease>) -> Journal {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        Journal::new(store, clock, Arc::clone(&self.observer), key, state, lease)
            .with_relief(self.relief.clone())
    }

    /// Writes, again and again while the disk takes nothing and somebody makes room.
    async fn with_room<T, F>(&self, write: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        loop {
            match (write().await, &self.relief) {
                (Err(fault), Some(relief)) if fault.is_lack_of_room() => {
                    if !relief().await {
                        return Err(fault);
                    }
                }
                (done, _) => return done,
            }
        }
    }

    /// Takes hold of the environment; `None` when cancelled while waiting.
    async fn hold(
        &self,
        key: &CycleKey,
        environment: &EnvironmentName,
        cancel: &CancellationToken,
    ) -> Result<Option<Lease>, EngineError> {
        let owner = this_process();
        let mut told = false;
        loop {
            let claim = || Claim {
                environment: environment.clone(),
                owner: owner.clone(),
                cycle: key.clone(),
                at: self.clock.now(),
            };
            let acquired =
                self.with_room(|| self.store.acquire_environment(claim(), &owner::judge));
            match acquired.await? {
                Acquisition::Acquired { lease, from } => {
                    if let Some(lost) = from {
                        tracing::info!(pid = lost.owner.pid, "took over from a process that died");
                    }
                    return Ok(Some(lease));
                }
                Acquisition::Busy(holder) => {
                    if !told {
                        let why = owner::busy_sentence(environment, &holder);
                        self.observer.on(Progress::Waiting { why: &why });
                        told = true;
                    }
                }
            }
            tokio::select! {
                () = cancel.cancelled() => return Ok(None),
                () = tokio::time::sleep(BUSY_POLL) => {}
            }
        }
    }
}

/// The news that some events are as soon as they are recorded: that a person must decide.
fn told_with(pipeline: &Pipeline, state: &CycleState, events: &[Event]) -> Vec<NewMessage> {
    let held = events.iter().filter_map(|event| match event {
        Event::Held(held) => Some(notify::held(pipeline, state, held)),
        _ => None,
    });
    held.flatten().collect()
}

/// How a cycle began; `None` when its records are gone.
async fn beginning(store: &dyn Store, row: &CycleRow) -> Result<Option<Queued>, EngineError> {
    let first = store.load_page(&row.key(), 0, 1).await?.into_iter().next();
    Ok(first.and_then(|recorded| match recorded.event {
        Event::Queued(queued) => Some(*queued),
        _ => None,
    }))
}

/// Whether the pipeline still says what it said when the cycle began.
fn is_of(queued: &Queued, pipeline: &Pipeline) -> bool {
    queued.definition.config_digest == pipeline.config_digest
        && queued.definition.suite_digest.as_ref() == pipeline.suite.as_ref().map(|s| &s.digest)
}

/// Records that the cycle is to end, and by whom, unless that is settled already.
async fn request_cancel(journal: &mut Journal, by: Option<&str>) -> Result<(), EngineError> {
    match by {
        Some(by) if may_cancel(journal.state()) => {
            let cancelled = CancelRequested { by: by.to_owned() };
            journal.append(vec![Event::CancelRequested(cancelled)]).await
        }
        Some(_) | None => Ok(()),
    }
}

/// Once a verdict is decided there is nothing left to cancel but the way back.
fn may_cancel(state: &CycleState) -> bool {
    let may_change = state.findings.is_none() || state.running() == Some(Phase::Rollback);
    state.cancelled.is_none() && may_change && state.finished.is_none()
}

#[cfg(test)]
mod tests;
