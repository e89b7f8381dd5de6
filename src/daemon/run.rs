//! The loop: look at what is stored, choose, start, sleep; and the beginning and the end of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::candidates::candidate;
use super::catalog::Catalog;
use super::cycle::Parts;
use super::handle::{Handle, Served};
use super::keeper;
use super::lock::{LockError, StateLock};
use super::waiting;
use super::warden::Warden;
use super::watching::Desks;
use crate::domain::errors::chain;
use crate::domain::names::{EnvironmentName, PipelineName};
use crate::domain::outcome::TriggerKind;
use crate::domain::retention::Limits;
use crate::domain::spec::Pipeline;
use crate::engine::{Clock, Engine, Publisher, Silent, StatePaths};
use crate::notify::{self, Deliverer, Listener, WallTime};
use crate::pipeline::SourceFiles;
use crate::process::Launcher;
use crate::queue::{Busy, Candidate, Choice, choose};
use crate::room::Standing;
use crate::store::{CycleRow, Store, StoreError, TriggerId, WaitingTrigger, Which};
use crate::suite::HostEnv;

/// The loop looks at the store at least so often, whatever it was told: a clock that was set, a
/// machine that slept, a trigger that another process stored.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// After the store refused, the loop waits so long before it looks again.
const AFTER_FAULT: Duration = Duration::from_secs(2);
/// While the disk has no room, it is asked again after so long.
const WITHOUT_ROOM: Duration = Duration::from_secs(5);
/// Whatever happens, a daemon that is told to end is gone after 30 s; all that it does then fits in this.
const LEAVE: Duration = Duration::from_secs(29);
/// Cycles that are near their end may come to it before the daemon leaves.
const DRAIN: Duration = Duration::from_secs(25);
/// News of what ended may take so long then: the deadline of any of them.
const LAST_WORDS: Duration = Duration::from_secs(12);

/// What a daemon is made of.
pub struct Setup {
    /// The ledger, and the queue.
    pub store: Arc<dyn Store>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where state is kept.
    pub paths: StatePaths,
    /// The folder that report paths are relative to.
    pub working_dir: PathBuf,
    /// Where reports go that their pipeline sends nowhere else.
    pub reports: PathBuf,
    /// The folder with the pipelines, absolute.
    pub folder: PathBuf,
    /// Reads files.
    pub files: Arc<dyn SourceFiles + Send + Sync>,
    /// Variables of our own environment.
    pub host: HostEnv,
    /// Starts supervisors.
    pub launcher: Launcher,
    /// How many cycles run side by side.
    pub max_cycles: usize,
    /// How much of the past is kept.
    pub retention: Limits,
    /// How many bytes are held ready for a full disk.
    pub ballast: Option<u64>,
    /// Where people reach the pages, if they do.
    pub pages: Option<notify::Pages>,
}

/// Why a daemon does not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another one serves this state.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The pipelines cannot be listed.
    #[error("cannot list the pipelines in {folder}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A daemon that has everything it needs.
pub struct Daemon {
    parts: Arc<Parts>,
    folder: PathBuf,
    files: Arc<dyn SourceFiles + Send + Sync>,
    max_cycles: usize,
    retention: Limits,
    desks: Arc<Desks>,
    deliverer: Deliverer,
    listener: Listener,
    _lock: StateLock,
}

/// A cycle's task is over: its environment is free.
struct TaskEnd {
    environment: EnvironmentName,
}

impl Daemon {
    /// Takes the state folder and loads the pipelines. Gives back the files that are not served,
    /// too: one bad file does not keep the others from being watched.
    ///
    /// # Errors
    /// When another daemon serves the state, or the folder cannot be listed.
    pub fn open(setup: Setup) -> Result<(Self, Catalog), DaemonError> {
        let lock = StateLock::take(setup.paths.root())?;
        let handle = Handle::new(setup.store);
        let (clock, root) = (Arc::clone(&setup.clock), setup.paths.root().to_owned());
        let warden = Arc::new(Warden::new(handle.clone(), clock, root, setup.ballast));
        let parts = Parts {
            handle,
            clock: setup.clock,
            paths: setup.paths,
            working_dir: setup.working_dir,
            reports: setup.reports,
            host: setup.host,
            launcher: setup.launcher,
            warden,
        };
        let desks = Arc::new(Desks::new(&parts));
        let eyes = Arc::clone(&desks);
        parts.handle.watched_by(Box::new(move || eyes.watching()));
        let (deliverer, listener) = tellers(&parts, setup.pages);
        let waker = deliverer.waker();
        parts.handle.news_are_told_by(waker);
        let parts = Arc::new(parts);
        // Weak, because the handle is one of the parts.
        let asked = Arc::downgrade(&parts);
        parts.handle.revisions_are_looked_up_by(Box::new(move |name, revision| {
            let asked = asked.clone();
            Box::pin(async move { asked.upgrade()?.lacks_revision(&name, &revision).await })
        }));
        let daemon = Self {
            deliverer,
            listener,
            parts,
            desks,
            folder: setup.folder,
            files: setup.files,
            max_cycles: setup.max_cycles,
            retention: setup.retention,
            _lock: lock,
        };
        let catalog = daemon.reload()?;
        Ok((daemon, catalog))
    }

    /// For whoever serves it.
    pub fn handle(&self) -> &Handle {
        &self.parts.handle
    }

    /// Reads the pipelines again. A file that is broken now leaves its pipeline as it was.
    ///
    /// # Errors
    /// When the folder cannot be listed; everything is then served as before.
    pub fn reload(&self) -> Result<Catalog, DaemonError> {
        let before = self.handle().pipelines();
        let loaded = Catalog::load(&self.folder, self.files.as_ref(), &before);
        let catalog =
            loaded.map_err(|source| DaemonError::Folder { folder: self.folder.clone(), source })?;
        self.desks.follow(&self.parts, &before, &catalog.pipelines);
        self.handle().serve(catalog.pipelines.clone());
        self.handle().leave_out(catalog.unserved());
        Ok(catalog)
    }

    /// Runs cycles until `shutdown` fires, then lets those that are near their end come to it. A
    /// deploy that runs goes on under its supervisor; the next daemon takes its cycle up.
    pub async fn run(&self, shutdown: &CancellationToken) {
        self.parts.warden.recall().await;
        self.follow_up().await;
        let (leave, told_to_leave) = oneshot::channel();
        let work = async {
            let ((), (), (), (), by) = tokio::join!(
                self.parts.warden.run(shutdown),
                self.desks.run(&self.parts, shutdown),
                self.listener.run(shutdown),
                keeper::run(&self.parts, self.retention, shutdown),
                self.run_cycles(shutdown),
            );
            // It listens as long as this runs.
            let _ = leave.send(by.min(Instant::now() + LAST_WORDS));
        };
        // News outlive what makes them: the end of a cycle that came to it just now is told, too.
        let leave = async { told_to_leave.await.unwrap_or_else(|_| Instant::now()) };
        tokio::join!(work, self.deliverer.run(leave));
    }

    /// Answers by when the daemon must be gone.
    async fn run_cycles(&self, shutdown: &CancellationToken) -> Instant {
        let mut tasks = JoinSet::new();
        let mut busy = BTreeSet::new();
        // An end that was asked for before the first look begins nothing.
        while !shutdown.is_cancelled() {
            let sleep = match self.parts.warden.look().await {
                Standing::Enough => self.look_or_wait(&mut tasks, &mut busy).await,
                // What waits is stored, and waits on; cycles that run come to their end.
                Standing::Short(_) => WITHOUT_ROOM,
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.handle().woken() => {}
                () = tokio::time::sleep(sleep) => {}
                Some(ended) = tasks.join_next() => {
                    match ended {
                        Ok(TaskEnd { environment }) => { busy.remove(&environment); }
                        // A panic is a defect; the hook has ended the process by then.
                        Err(fault) => tracing::error!("a cycle's task ended: {fault}"),
                    }
                }
            }
        }
        let by = Instant::now() + LEAVE;
        self.handle().draining().cancel();
        drain(tasks).await;
        if let Err(fault) = self.tell_what_ended().await {
            tracing::warn!("what became of commits is told by the next daemon: {}", chain(&fault));
        }
        by
    }

    /// Commits that are pending with cycles that ended since the last look hear of it.
    async fn tell_what_ended(&self) -> Result<(), StoreError> {
        let store = self.handle().store();
        let open = store.open_cycles(None).await?;
        let taken = open.into_iter().map(|row| row.environment).collect();
        let waiting = store.waiting_triggers().await?;
        waiting::tell(self.handle(), &waiting, &taken, self.parts.clock.now()).await;
        Ok(())
    }

    /// One look; answers how long the loop may sleep.
    async fn look_or_wait(
        &self,
        tasks: &mut JoinSet<TaskEnd>,
        busy: &mut BTreeSet<EnvironmentName>,
    ) -> Duration {
        match self.look(tasks, busy).await {
            Ok(next) => self.until(next),
            Err(fault) => {
                tracing::error!("cannot look at what waits: {}", chain(&fault));
                AFTER_FAULT
            }
        }
    }

    /// What an earlier process may have died before deciding.
    async fn follow_up(&self) {
        for served in self.handle().pipelines().values() {
            if let Err(fault) = self.follow_up_of(&served.pipeline).await {
                tracing::error!("{}: {}", served.pipeline.name, chain(&fault));
            }
        }
    }

    async fn follow_up_of(&self, pipeline: &Arc<Pipeline>) -> Result<(), super::cycle::CycleError> {
        let store = self.handle().store();
        let latest = store.find_cycle(&pipeline.name, Which::Latest).await?;
        // What a person ran by hand in the foreground begins no loop here.
        match latest {
            Some(row) if row.cause.kind != TriggerKind::Manual => {
                let world = self.parts.open_world(pipeline).await?;
                self.parts.decide_what_follows(pipeline, &world).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// One look at what is stored: starts what may start, and says when to look again.
    async fn look(
        &self,
        tasks: &mut JoinSet<TaskEnd>,
        busy: &mut BTreeSet<EnvironmentName>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (store, now) = (self.handle().store(), self.parts.clock.now());
        self.handle().unblock(now);
        let pipelines = self.handle().pipelines();
        let mut taken = busy.clone();
        for row in store.open_cycles(None).await? {
            if busy.contains(&row.environment) {
                continue;
            }
            taken.insert(row.environment.clone());
            if let Some(pipeline) = self.may_take_up(&row, &pipelines).await {
                self.spawn_take_up(tasks, busy, row, pipeline);
            }
        }
        let waiting = store.waiting_triggers().await?;
        if busy.len() >= self.max_cycles {
            // Nothing that waits can start before one of these ends, and then it is looked at.
            waiting::tell(self.handle(), &waiting, &taken, now).await;
            return Ok(self.unblocked_at());
        }
        let candidates: Vec<Candidate> = waiting
            .iter()
            .map(|trigger| candidate(trigger, pipelines.get(&trigger.pipeline)))
            .collect();
        let is_busy = self.busy(&waiting, taken.clone(), busy.len(), &pipelines);
        let choice = choose(&candidates, &is_busy, now);
        let mut left = waiting.clone();
        left.retain(|trigger| choice.leaves(trigger.id.0));
        self.act(&choice, waiting, &pipelines, tasks, busy, now).await?;
        // After what starts has begun: nobody's deploy waits for a forge.
        taken.extend(busy.iter().cloned());
        waiting::tell(self.handle(), &left, &taken, now).await;
        Ok([choice.look_again_at, self.unblocked_at()].into_iter().flatten().min())
    }

    /// When the first of the pipelines that are blocked is to be tried again.
    fn unblocked_at(&self) -> Option<Timestamp> {
        self.handle().blocked().values().map(|blocked| blocked.until).min()
    }

    fn busy(
        &self,
        waiting: &[WaitingTrigger],
        environments: BTreeSet<EnvironmentName>,
        running: usize,
        pipelines: &BTreeMap<PipelineName, Served>,
    ) -> Busy {
        let blocked = self.handle().blocked();
        let gone = waiting.iter().map(|trigger| &trigger.pipeline);
        let gone =
            gone.filter(|name| !pipelines.contains_key(*name) || blocked.contains_key(*name));
        Busy {
            environments,
            gone: gone.cloned().collect(),
            free_slots: self.max_cycles.saturating_sub(running),
        }
    }

    async fn act(
        &self,
        choice: &Choice,
        waiting: Vec<WaitingTrigger>,
        pipelines: &BTreeMap<PipelineName, Served>,
        tasks: &mut JoinSet<TaskEnd>,
        busy: &mut BTreeSet<EnvironmentName>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for (id, why) in &choice.drop {
            self.handle().store().drop_trigger(TriggerId(*id), why, now).await?;
        }
        let mut by_id: BTreeMap<i64, WaitingTrigger> =
            waiting.into_iter().map(|trigger| (trigger.id.0, trigger)).collect();
        for start in &choice.start {
            let Some(trigger) = by_id.remove(&start.id) else { continue };
            let Some(served) = pipelines.get(&trigger.pipeline) else { continue };
            let joined: Vec<TriggerId> = start.joined.iter().copied().map(TriggerId).collect();
            let pipeline = Arc::clone(&served.pipeline);
            let environment = trigger.environment.clone();
            let parts = Arc::clone(&self.parts);
            self.spawn(tasks, busy, environment, async move {
                let cancel = CancellationToken::new();
                let done = parts.start(&trigger, &joined, &pipeline, cancel).await;
                told(&format!("the next cycle of {}", trigger.pipeline), done);
            });
        }
        Ok(())
    }

    /// The pipeline with which a cycle that nobody works on can be taken up.
    async fn may_take_up(
        &self,
        row: &CycleRow,
        pipelines: &BTreeMap<PipelineName, Served>,
    ) -> Option<Arc<Pipeline>> {
        if row.held || self.handle().blocked().contains_key(&row.pipeline) {
            return None;
        }
        let served = pipelines.get(&row.pipeline)?;
        let (store, clock) = (Arc::clone(self.handle().store()), Arc::clone(&self.parts.clock));
        match Engine::new(store, clock, Arc::new(Silent)).is_attended(row).await {
            Ok(false) => Some(Arc::clone(&served.pipeline)),
            Ok(true) => None,
            Err(fault) => {
                tracing::error!("{}: {}", row.key(), chain(&fault));
                None
            }
        }
    }

    fn spawn_take_up(
        &self,
        tasks: &mut JoinSet<TaskEnd>,
        busy: &mut BTreeSet<EnvironmentName>,
        row: CycleRow,
        pipeline: Arc<Pipeline>,
    ) {
        let parts = Arc::clone(&self.parts);
        self.spawn(tasks, busy, row.environment.clone(), async move {
            let done = parts.take_up(&row, &pipeline, CancellationToken::new()).await;
            told(&row.key().to_string(), done);
        });
    }

    fn spawn(
        &self,
        tasks: &mut JoinSet<TaskEnd>,
        busy: &mut BTreeSet<EnvironmentName>,
        environment: EnvironmentName,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        busy.insert(environment.clone());
        tasks.spawn(async move {
            work.await;
            TaskEnd { environment }
        });
    }

    fn until(&self, next: Option<Timestamp>) -> Duration {
        let Some(next) = next else { return LONGEST_SLEEP };
        let left = next.duration_since(self.parts.clock.now());
        Duration::try_from(left).unwrap_or(Duration::ZERO).min(LONGEST_SLEEP)
    }
}

/// Who tells the news of every pipeline that is served, and who listens for silence.
fn tellers(parts: &Parts, pages: Option<notify::Pages>) -> (Deliverer, Listener) {
    let store = Arc::clone(parts.handle.store());
    let (handle, clock) = (parts.handle.clone(), Arc::clone(&parts.clock));
    let now: WallTime = Arc::new(move || clock.now());
    let find = {
        let handle = handle.clone();
        move |name: &PipelineName| handle.ever_served(name)
    };
    let publisher = Publisher {
        paths: parts.paths.clone(),
        working_dir: parts.working_dir.clone(),
        host: Arc::clone(&parts.host),
        clock: Arc::clone(&parts.clock),
    };
    let deliverer = Deliverer::new(notify::Parts {
        store: Arc::clone(&store),
        now: Arc::clone(&now),
        host: Arc::clone(&parts.host),
        served: notify::Served::All(Arc::new(find)),
        publish: publisher.into_publish(),
        pages,
    });
    let all =
        move || handle.pipelines().values().map(|served| Arc::clone(&served.pipeline)).collect();
    let listener = Listener { store, now, pipelines: Arc::new(all), wake: deliverer.waker() };
    (deliverer, listener)
}

/// Waits for cycles that end by themselves; the rest is left to the next daemon, as after a crash.
async fn drain(mut tasks: JoinSet<TaskEnd>) {
    if tasks.is_empty() {
        return;
    }
    let running = cycles(tasks.len(), "runs", "run");
    tracing::info!("{running}; waiting for the end for at most {DRAIN:?}");
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, all).await.is_err() {
        tracing::info!("{} left to the next daemon", cycles(tasks.len(), "is", "are"));
        tasks.abort_all();
        while tasks.join_next().await.is_some() {}
    }
}

/// `1 cycle runs`, `2 cycles run`.
fn cycles(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 cycle {one}") } else { format!("{count} cycles {many}") }
}

fn told(what: &str, done: Result<(), super::cycle::CycleError>) {
    if let Err(fault) = done {
        tracing::error!("{what}: {}", chain(&fault));
    }
}
