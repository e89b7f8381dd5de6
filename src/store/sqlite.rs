//! The embedded ledger: one SQLite file in the state folder.
//!
//! One connection writes, owned by a task (`writer`); a few read, opened when they are first needed.
//! Every operation runs on a task of its own, so that a caller may be dropped at any moment.

mod acts;
mod append;
mod chain;
mod claims;
mod cycles;
mod edits;
mod expiry;
mod fingerprints;
mod grid;
mod investigations;
mod leases;
mod open;
mod outbox;
mod pages;
mod planned;
#[cfg(test)]
mod query_plan;
mod row;
mod schema;
mod space;
mod tally;
mod triggers;
mod upkeep;
mod writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqlitePool};

pub use open::{BUSY_TIMEOUT, FILE_NAME, Mode};

use self::cycles::Questions;
use super::lease::{Decision, decide};
use super::rows::{
    Append, Baseline, CaseGrid, CaseHistoryRow, CaseRow, CycleKey, CycleRow, InvestigationClaims,
    InvestigationRow, NewFixClaim, NewInvestigation, PipelineRow, TrendRow, Which,
};
use super::{
    Acquisition, Claim, DeployChains, Holder, Judge, Lease, Refusals, Result, Store, StoreError,
    Tally,
};
use crate::domain::event::{Event, PlannedCase, Queued, Recorded};
use crate::domain::findings::InvestigationState;
use crate::domain::history::{CaseHead, FingerprintSeen};
use crate::domain::names::{CaseId, EnvironmentName, Fingerprint, InvestigationId, PipelineName};
use append::Packed;
use writer::{Durability, Volume, Writer};

/// More events, or bigger ones, are encoded and decoded away from the async threads.
const HEAVY_EVENTS: usize = 256;
/// Events of more bytes than this are a transaction of its own kind.
const MUCH_BYTES: usize = 4 * 1024 * 1024;
/// Decoding more than this is worth a thread of its own.
const HEAVY_BYTES: usize = 256 * 1024;

/// A store in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    readers: SqlitePool,
    writer: Option<Writer>,
    refusals: Refusals,
}

impl SqliteStore {
    /// Opens a database file.
    ///
    /// # Errors
    /// When it cannot be opened, is another program's, or has a newer schema; for reading also when
    /// there is none, or it has an older schema.
    pub async fn open(path: &Path, mode: Mode) -> Result<Self> {
        Self::open_with(path, mode, BUSY_TIMEOUT).await
    }

    /// Opens a database file, and waits at most so long for locks of other processes.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn open_with(path: &Path, mode: Mode, busy_timeout: Duration) -> Result<Self> {
        let path = open::absolute(path)?;
        match mode {
            Mode::ReadWrite => Self::open_writing(path, busy_timeout).await,
            Mode::ReadOnly => Self::open_reading(path, busy_timeout).await,
        }
    }

    async fn open_writing(path: PathBuf, busy_timeout: Duration) -> Result<Self> {
        open::create_private_parent(&path)?;
        let options = open::writer_options(&path, busy_timeout);
        let opened = open::open_writer(&path, &options).await;
        let connection = opened.map_err(|fault| open::not_writable(&path, fault))?;
        let refusals = Refusals::default();
        let writer = Writer::start(connection, options, &path, refusals.clone())?;
        let readers = open::readers(&path, busy_timeout);
        Ok(Self { path, readers, writer: Some(writer), refusals })
    }

    async fn open_reading(path: PathBuf, busy_timeout: Duration) -> Result<Self> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(StoreError::Missing { path }),
            // A folder that we may not look into is not an empty one.
            Err(error) => return Err(open::unavailable(&path, error)),
        }
        let readers = open::readers(&path, busy_timeout);
        let readers = match open::check_readable(&readers, &path).await {
            Ok(()) => readers,
            Err(fault) => open::readers_of_still_file(&path, fault).await?,
        };
        Ok(Self { path, readers, writer: None, refusals: Refusals::default() })
    }

    /// Where the database lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a query on a reader, to its end even when the caller is dropped.
    async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let readers = self.readers.clone();
        let task = tokio::spawn(async move {
            let mut connection = readers.acquire().await?;
            work(&mut connection).await
        });
        task.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Who holds an environment, read where it is written, so that no reader's snapshot is older.
    async fn holder_now(&self, environment: &EnvironmentName) -> Result<Option<Holder>> {
        let environment = environment.clone();
        self.write(Durability::Batched, move |db| {
            Box::pin(async move { leases::holder(db, &environment).await })
        })
        .await
    }

    async fn write<T, F>(&self, durability: Durability, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.writer()?.write(durability, work).await
    }

    fn writer(&self) -> Result<&Writer> {
        self.writer.as_ref().ok_or(StoreError::ReadOnly)
    }
}

/// What nothing is done for may wait for the next flush; everything else is on disk before anyone is told.
fn durability_of(append: &Append) -> Durability {
    let is_light = append.projection.is_empty() && append.events.iter().all(Event::may_be_batched);
    if is_light { Durability::Batched } else { Durability::Full }
}

fn is_heavy(events: &[Event]) -> bool {
    events.len() > HEAVY_EVENTS
        || events.iter().any(|event| matches!(event, Event::Analysed(_) | Event::SuitePlanned(_)))
}

fn are_heavy(pages: &[Vec<u8>]) -> bool {
    pages.iter().map(Vec::len).sum::<usize>() > HEAVY_BYTES
}

/// Runs work that computes for long where it holds nobody up.
async fn compute<T, F>(is_heavy: bool, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    if !is_heavy {
        return work();
    }
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Closed))
}

#[async_trait]
impl Store for SqliteStore {
    async fn create_cycle(&self, queued: Queued, at: Timestamp) -> Result<(CycleKey, Recorded)> {
        self.write(Durability::Full, move |db| Box::pin(append::create_cycle(db, queued, at))).await
    }

    async fn append(&self, mut request: Append) -> Result<Vec<Recorded>> {
        if request.events.is_empty() {
            let why = "there is none".to_owned();
            return Err(StoreError::Unstorable { what: "a batch of events", why });
        }
        let durability = durability_of(&request);
        let events = std::mem::take(&mut request.events);
        let (after, at) = (request.expected_seq, request.at);
        let cases = std::mem::take(&mut request.projection.cases);
        let heads = std::mem::take(&mut request.projection.heads);
        let is_heavy = is_heavy(&events);
        let (prepared, packed) = tokio::try_join!(
            compute(is_heavy, move || append::prepare(events, after, at)),
            compute(is_heavy, move || Ok(Packed::of(cases, heads))),
        )?;
        let volume = if prepared.bytes() > MUCH_BYTES { Volume::Much } else { Volume::Little };
        self.writer()?
            .write_volume(durability, volume, move |db| {
                Box::pin(async move { append::append(db, &request, prepared, packed).await })
            })
            .await
    }

    async fn load_page(
        &self,
        cycle: &CycleKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<Vec<Recorded>> {
        let key = cycle.clone();
        let mut rows = self
            .read(move |db| {
                Box::pin(async move { cycles::raw_events(db, &key, after_seq, limit).await })
            })
            .await?;
        let bytes: usize = rows.iter().map(cycles::RawEvent::bytes).sum();
        let is_heavy = bytes > HEAVY_BYTES;
        let later = if is_heavy { rows.split_off(rows.len() / 2) } else { Vec::new() };
        let (ours, theirs) = (cycle.clone(), cycle.clone());
        // Somebody waits for a page: two threads decode what is much.
        let (mut events, mut later) = tokio::try_join!(
            compute(is_heavy, move || cycles::decode_events(&ours, rows)),
            compute(is_heavy, move || cycles::decode_events(&theirs, later)),
        )?;
        events.append(&mut later);
        Ok(events)
    }

    async fn acquire_environment(&self, claim: Claim, judge: Judge<'_>) -> Result<Acquisition> {
        loop {
            let holder = self.holder_now(&claim.environment).await?;
            if let Decision::Refuse(holder) = decide(holder.as_ref(), judge) {
                return Ok(Acquisition::Busy(holder));
            }
            let seen = holder.as_ref().map(|holder| holder.fence);
            let ours = claim.clone();
            // A power cut ends this process, too, and with it the hold: nobody needs to find it then.
            let taken = self
                .write(Durability::Batched, move |db| {
                    Box::pin(async move { leases::take(db, &ours, seen).await })
                })
                .await?;
            // Somebody was quicker: look again. Each round somebody else got hold of it.
            if let Some(lease) = taken {
                return Ok(Acquisition::Acquired { lease, from: holder });
            }
        }
    }

    async fn release_environment(&self, lease: &Lease) -> Result<()> {
        let lease = lease.clone();
        // Back after a power cut, it is that of a process that is dead.
        self.write(Durability::Batched, move |db| {
            Box::pin(async move { leases::release(db, &lease).await })
        })
        .await
    }

    async fn environment_holder(&self, environment: &EnvironmentName) -> Result<Option<Holder>> {
        let environment = environment.clone();
        self.read(move |db| Box::pin(async move { leases::holder(db, &environment).await })).await
    }

    async fn find_cycle(&self, pipeline: &PipelineName, which: Which) -> Result<Option<CycleRow>> {
        let pipeline = pipeline.clone();
        self.read(move |db| Box::pin(async move { cycles::find(db, &pipeline, which).await })).await
    }

    async fn list_cycles(&self, pipeline: &PipelineName, limit: u32) -> Result<Vec<CycleRow>> {
        let pipeline = pipeline.clone();
        self.read(move |db| {
            Box::pin(
                async move { cycles::list(db, &pipeline, u32::MAX, limit, Questions::In).await },
            )
        })
        .await
    }

    async fn cycles_of_search(&self, pipeline: &PipelineName, cycle: u32) -> Result<Vec<CycleRow>> {
        let pipeline = pipeline.clone();
        self.read(move |db| Box::pin(async move { cycles::of_search(db, &pipeline, cycle).await }))
            .await
    }

    async fn list_pipelines(&self) -> Result<Vec<PipelineRow>> {
        self.read(|db| Box::pin(cycles::list_pipelines(db))).await
    }

    async fn recent_cycles(&self, limit: u32) -> Result<Vec<TrendRow>> {
        self.read(move |db| Box::pin(cycles::recent_cycles(db, limit))).await
    }

    async fn find_cycles(&self, cycles: &[CycleKey]) -> Result<Vec<CycleRow>> {
        let wanted = serde_json::to_string(cycles).expect("keys are plain data");
        self.read(move |db| Box::pin(cycles::find_all(db, wanted))).await
    }

    async fn newest_and_green(&self, among: u32) -> Result<Vec<CycleRow>> {
        self.read(move |db| Box::pin(cycles::newest_and_green(db, among))).await
    }

    async fn tally_cycles(&self) -> Result<Tally> {
        self.read(|db| Box::pin(tally::tally(db))).await
    }

    async fn open_cycles(&self, environment: Option<&EnvironmentName>) -> Result<Vec<CycleRow>> {
        let environment = environment.cloned();
        self.read(move |db| Box::pin(async move { cycles::open(db, environment.as_ref()).await }))
            .await
    }

    async fn find_baseline(
        &self,
        pipeline: &PipelineName,
        environment: &EnvironmentName,
        before: u32,
        baseline: Baseline,
    ) -> Result<Option<CycleRow>> {
        let (pipeline, environment) = (pipeline.clone(), environment.clone());
        self.read(move |db| {
            Box::pin(async move {
                cycles::find_baseline(db, &pipeline, &environment, before, baseline).await
            })
        })
        .await
    }

    async fn trend(
        &self,
        pipeline: &PipelineName,
        before: u32,
        limit: u32,
    ) -> Result<Vec<CycleRow>> {
        let pipeline = pipeline.clone();
        let mut rows = self
            .read(move |db| {
                Box::pin(
                    async move { cycles::list(db, &pipeline, before, limit, Questions::Out).await },
                )
            })
            .await?;
        rows.reverse();
        Ok(rows)
    }

    async fn case_heads(
        &self,
        pipeline: &PipelineName,
        environment: &EnvironmentName,
    ) -> Result<Vec<CaseHead>> {
        let (pipeline, environment) = (pipeline.clone(), environment.clone());
        let mut pages = self
            .read(move |db| {
                Box::pin(async move { pages::head_pages(db, &pipeline, &environment).await })
            })
            .await?;
        let is_heavy = are_heavy(&pages);
        let others = pages.split_off(pages.len() / 2);
        let (mut heads, mut others) = tokio::try_join!(
            compute(is_heavy, move || pages::decode_heads(&pages)),
            compute(is_heavy, move || pages::decode_heads(&others)),
        )?;
        heads.append(&mut others);
        Ok(heads)
    }

    async fn case_history(
        &self,
        pipeline: &PipelineName,
        case: &CaseId,
        limit: u32,
    ) -> Result<Vec<CaseHistoryRow>> {
        let (pipeline, case) = (pipeline.clone(), case.clone());
        self.read(move |db| {
            Box::pin(async move { pages::history(db, &pipeline, &case, limit).await })
        })
        .await
    }

    async fn planned_case(&self, cycle: &CycleKey, case: &CaseId) -> Result<Option<PlannedCase>> {
        let (cycle, case) = (cycle.clone(), case.clone());
        self.read(move |db| Box::pin(async move { planned::find(db, &cycle, &case).await })).await
    }

    async fn case_results(&self, cycle: &CycleKey) -> Result<Vec<CaseRow>> {
        let cycle = cycle.clone();
        let pages = self
            .read(move |db| Box::pin(async move { pages::result_pages(db, &cycle).await }))
            .await?;
        compute(are_heavy(&pages), move || pages::decode_results(&pages)).await
    }

    async fn valid_cycles(
        &self,
        pipeline: &PipelineName,
        environment: &EnvironmentName,
        limit: u32,
    ) -> Result<Vec<CycleRow>> {
        let (pipeline, environment) = (pipeline.clone(), environment.clone());
        self.read(move |db| {
            Box::pin(async move { cycles::newest_valid(db, &pipeline, &environment, limit).await })
        })
        .await
    }

    async fn case_grid(
        &self,
        pipeline: &PipelineName,
        environment: &EnvironmentName,
        limit: u32,
    ) -> Result<CaseGrid> {
        let (pipeline, environment) = (pipeline.clone(), environment.clone());
        let stored = self
            .read(move |db| {
                Box::pin(async move { grid::read(db, &pipeline, &environment, limit).await })
            })
            .await?;
        compute(stored.is_heavy(), move || stored.decode()).await
    }

    async fn planned_cases(&self, cycle: &CycleKey) -> Result<Vec<PlannedCase>> {
        let key = cycle.clone();
        let rows =
            self.read(move |db| Box::pin(async move { cycles::raw_plans(db, &key).await })).await?;
        let cycle = cycle.clone();
        let bytes: usize = rows.iter().map(cycles::RawEvent::bytes).sum();
        compute(bytes > HEAVY_BYTES, move || grid::decode_plans(&cycle, rows)).await
    }

    async fn fingerprints(
        &self,
        pipeline: &PipelineName,
        fingerprints: &[Fingerprint],
    ) -> Result<Vec<FingerprintSeen>> {
        let (pipeline, wanted) = (pipeline.clone(), fingerprints.to_vec());
        self.read(move |db| {
            Box::pin(async move { fingerprints::find(db, &pipeline, &wanted).await })
        })
        .await
    }

    async fn investigation_for(
        &self,
        pipeline: &PipelineName,
        fingerprint: &Fingerprint,
    ) -> Result<Option<InvestigationRow>> {
        let (pipeline, fingerprint) = (pipeline.clone(), fingerprint.clone());
        self.read(move |db| {
            Box::pin(async move { investigations::find(db, &pipeline, &fingerprint).await })
        })
        .await
    }

    async fn allocate_investigation(&self, wanted: NewInvestigation) -> Result<InvestigationRow> {
        self.write(Durability::Full, move |db| {
            Box::pin(async move { investigations::allocate(db, &wanted).await })
        })
        .await
    }

    async fn set_investigation_state(
        &self,
        pipeline: &PipelineName,
        id: &InvestigationId,
        state: InvestigationState,
        cycle: u32,
    ) -> Result<bool> {
        let (pipeline, id) = (pipeline.clone(), id.clone());
        self.write(Durability::Full, move |db| {
            Box::pin(async move {
                match investigations::pipeline_id(db, &pipeline).await? {
                    Some(known) => investigations::set_state(db, known, &id, state, cycle).await,
                    None => Ok(false),
                }
            })
        })
        .await
    }

    async fn list_investigations(
        &self,
        pipeline: Option<&PipelineName>,
    ) -> Result<Vec<InvestigationRow>> {
        let pipeline = pipeline.cloned();
        self.read(move |db| {
            Box::pin(async move { investigations::list(db, pipeline.as_ref()).await })
        })
        .await
    }

    async fn fix_claims(&self, pipeline: &PipelineName) -> Result<Vec<InvestigationClaims>> {
        let pipeline = pipeline.clone();
        self.read(move |db| Box::pin(async move { claims::list(db, &pipeline).await })).await
    }

    async fn add_fix_claim(&self, claim: NewFixClaim) -> Result<bool> {
        self.write(Durability::Full, move |db| {
            Box::pin(async move { claims::add(db, &claim).await })
        })
        .await
    }

    async fn investigated_cases(
        &self,
        pipeline: &PipelineName,
        id: &InvestigationId,
    ) -> Result<Vec<CaseId>> {
        let (pipeline, id) = (pipeline.clone(), id.clone());
        self.read(move |db| Box::pin(async move { claims::cases(db, &pipeline, &id).await })).await
    }

    async fn integrity_check(&self) -> Result<Vec<String>> {
        self.read(|db| Box::pin(upkeep::integrity_check(db))).await
    }

    async fn check_deploy_records(&self) -> Result<DeployChains> {
        self.read(|db| Box::pin(chain::check(db))).await
    }

    async fn database_size(&self) -> Result<u64> {
        Ok(upkeep::size_of(&self.path))
    }

    async fn close(&self) {
        // Readers first: the connection that closes last folds the write-ahead log in.
        self.readers.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }
}
