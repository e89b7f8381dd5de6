//! The ledger: events of cycles, and the lists, heads and leases that are written in the same
//! transactions. Every query of Andon lives here, behind [`Store`].
//!
//! What is stored as truth are the events; the rest is derived and could be made again. This module
//! decides nothing about cycles, reads no clock, and knows nothing of processes.

mod acts;
mod chain;
mod codec;
mod definitions;
mod edits;
mod error;
mod lease;
mod outbox;
mod packed;
mod projection;
mod rows;
pub mod sqlite;
mod tally;
mod triggers;
mod upkeep;

use async_trait::async_trait;
use jiff::Timestamp;

pub use acts::{Act, ActKind, ActRow, ActStore};
pub use chain::{Broken, DeployChains, RecordKey};
pub use definitions::{Compared, Definitions, definitions_of};
pub use edits::{DocumentKey, EditEnd, EditRow, EditStore, KeptText, NewEdit};
pub use error::StoreError;
pub use lease::{Acquisition, Claim, Holder, Judge, Lease, Liveness, Owner};
pub use outbox::{Attempted, Delivery, Message, NewMessage, OutboxStore};
pub use rows::{
    Adopted, Append, Baseline, CaseGrid, CaseHistoryRow, CaseRow, CaseRuns, CycleKey, CycleRow,
    InvestigationClaims, InvestigationRow, InvestigationSeen, NewFixClaim, NewInvestigation,
    PipelineRow, Projection, TrendRow, Which,
};

pub use tally::Tally;
pub use triggers::{
    CommitFate, CommitRow, Cursor, CycleStanding, Heard, Movement, NewTrigger, PutTrigger,
    SeenCommit, ToldWaiting, TriggerId, TriggerStore, WaitingMark, WaitingTrigger, WaitsNow,
};

pub use upkeep::{Refusals, UpkeepStore};

use crate::domain::event::{PlannedCase, Queued, Recorded};
use crate::domain::findings::InvestigationState;
use crate::domain::history::{CaseHead, FingerprintSeen};
use crate::domain::names::{CaseId, EnvironmentName, Fingerprint, InvestigationId, PipelineName};

/// What every operation of the store gives back.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Where cycles are remembered.
///
/// A call that is dropped half-way either happened or did not; it never leaves a transaction open.
/// What a call acknowledged is durable, attempts of the last moment before a power cut excepted
/// ([`crate::domain::event::Event::may_be_batched`]).
#[async_trait]
pub trait Store:
    TriggerStore + OutboxStore + UpkeepStore + EditStore + ActStore + Send + Sync
{
    /// Creates the next cycle of a pipeline with `queued` as its first event. The number in
    /// `queued` is the least that it may get, and is replaced by the one that the store gives out:
    /// that was never used before.
    async fn create_cycle(&self, queued: Queued, at: Timestamp) -> Result<(CycleKey, Recorded)>;

    /// Appends events and everything that goes with them, or nothing at all.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the cycle has other events than expected,
    /// [`StoreError::Fenced`] when the hold on the environment is lost, or when a cycle that
    /// somebody works on is written to without one.
    async fn append(&self, append: Append) -> Result<Vec<Recorded>>;

    /// The first `limit` events of a cycle after `after_seq`, in order. Empty for an unknown cycle.
    ///
    /// # Errors
    /// [`StoreError::Expired`] when its records are gone.
    async fn load_page(
        &self,
        cycle: &CycleKey,
        after_seq: u64,
        limit: u32,
    ) -> Result<Vec<Recorded>>;

    /// All events of a cycle after `after_seq` (0 for all), in order. Whoever folds them takes them
    /// page by page, so that a large suite is not held twice.
    async fn load_events(&self, cycle: &CycleKey, after_seq: u64) -> Result<Vec<Recorded>> {
        self.load_page(cycle, after_seq, u32::MAX).await
    }

    /// Takes hold of an environment if it is free or its holder is gone for certain.
    async fn acquire_environment(&self, claim: Claim, judge: Judge<'_>) -> Result<Acquisition>;

    /// Gives an environment back.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when this hold was lost before.
    async fn release_environment(&self, lease: &Lease) -> Result<()>;

    /// Who holds an environment now.
    async fn environment_holder(&self, environment: &EnvironmentName) -> Result<Option<Holder>>;

    /// One cycle in the list, if there is such a one.
    async fn find_cycle(&self, pipeline: &PipelineName, which: Which) -> Result<Option<CycleRow>>;

    /// The latest `limit` cycles of a pipeline, newest first.
    async fn list_cycles(&self, pipeline: &PipelineName, limit: u32) -> Result<Vec<CycleRow>>;

    /// The newest `limit` cycles of every pipeline, in short; by pipeline, newest first.
    async fn recent_cycles(&self, limit: u32) -> Result<Vec<TrendRow>>;

    /// Of these cycles those that there are; by pipeline and number.
    async fn find_cycles(&self, cycles: &[CycleKey]) -> Result<Vec<CycleRow>>;

    /// The cycles of the search for what broke a cycle, in order.
    async fn cycles_of_search(&self, pipeline: &PipelineName, cycle: u32) -> Result<Vec<CycleRow>>;

    /// Every pipeline that ever had a cycle, by name.
    async fn list_pipelines(&self) -> Result<Vec<PipelineRow>>;

    /// Of each pipeline its newest cycle, and the last that was green with its whole suite among its
    /// newest `among`, which may be the same; by pipeline, newest first.
    async fn newest_and_green(&self, among: u32) -> Result<Vec<CycleRow>>;

    /// How many cycles ever ended in which way. Looks at the row of each.
    async fn tally_cycles(&self) -> Result<Tally>;

    /// Cycles that are not over, oldest first: of one environment, or of all.
    async fn open_cycles(&self, environment: Option<&EnvironmentName>) -> Result<Vec<CycleRow>>;

    /// The latest cycle before `before` that can be compared with.
    async fn find_baseline(
        &self,
        pipeline: &PipelineName,
        environment: &EnvironmentName,
        before: u32,
        baseline: Baseline,
    ) -> Result<Option<CycleRow>>;

    /// The last `limit` cycles before `before`, oldest first.
    async fn trend(
        &self,
        pipeline: &PipelineName,
        before: u32,
        limit: u32,
    ) -> Result<Vec<CycleRow>>;

    /// What earlier cycles say about each case that was ever planned in an environment: one head a
    /// case, in no certain order.
    async fn case_heads(
        &self,
        pipeline: &PipelineName,
        environment: &EnvironmentName,
    ) -> Result<Vec<CaseHead>>;

    /// The latest `limit` results of a case, newest first.
    async fn case_history(
        &self,
        pipeline: &PipelineName,
        case: &CaseId,
        limit: u32,
    ) -> Result<Vec<CaseHistoryRow>>;

    /// A case as a cycle planned it; `None` where it did not, or its records expired. Reads the plan alone.
    async fn planned_case(&self, cycle: &CycleKey, case: &CaseId) -> Result<Option<PlannedCase>>;

    /// What became of each case in a cycle, in the order in which they were appended.
    async fn case_results(&self, cycle: &CycleKey) -> Result<Vec<CaseRow>>;

    /// The newest `limit` cycles of an environment whose suite is valid and whose records are there, oldest
    /// first. What a search asked older commits is none of them.
    async fn valid_cycles(
        &self,
        pipeline: &PipelineName,
        environment: &EnvironmentName,
        limit: u32,
    ) -> Result<Vec<CycleRow>>;

    /// What became of each case in those cycles ([`Self::valid_cycles`]).
    async fn case_grid(
        &self,
        pipeline: &PipelineName,
        environment: &EnvironmentName,
        limit: u32,
    ) -> Result<CaseGrid>;

    /// The cases that a cycle planned, in order, without reading anything else of it. None for an unknown
    /// cycle and for one whose records are gone.
    async fn planned_cases(&self, cycle: &CycleKey) -> Result<Vec<PlannedCase>>;

    /// How often each of these fingerprints was seen; those never seen are left out.
    async fn fingerprints(
        &self,
        pipeline: &PipelineName,
        fingerprints: &[Fingerprint],
    ) -> Result<Vec<FingerprintSeen>>;

    /// The investigation of a failure, if there is one.
    async fn investigation_for(
        &self,
        pipeline: &PipelineName,
        fingerprint: &Fingerprint,
    ) -> Result<Option<InvestigationRow>>;

    /// The investigation of a failure, opened if there was none. A number is never used for another
    /// failure.
    async fn allocate_investigation(&self, wanted: NewInvestigation) -> Result<InvestigationRow>;

    /// Sets the state of an investigation; `reopened` also remembers the cycle. Answers whether
    /// there is such an investigation.
    async fn set_investigation_state(
        &self,
        pipeline: &PipelineName,
        id: &InvestigationId,
        state: InvestigationState,
        cycle: u32,
    ) -> Result<bool>;

    /// The investigations of one pipeline, or of all, by pipeline and number.
    async fn list_investigations(
        &self,
        pipeline: Option<&PipelineName>,
    ) -> Result<Vec<InvestigationRow>>;

    /// The claimed fixes of a pipeline's investigations, by number.
    async fn fix_claims(&self, pipeline: &PipelineName) -> Result<Vec<InvestigationClaims>>;

    /// Adds a claim, with the state that follows; one about a commit that is claimed already stays as it
    /// is. Answers whether there is such an investigation.
    async fn add_fix_claim(&self, claim: NewFixClaim) -> Result<bool>;

    /// The cases in which a failure was seen since it was opened, the first thousand.
    async fn investigated_cases(
        &self,
        pipeline: &PipelineName,
        id: &InvestigationId,
    ) -> Result<Vec<CaseId>>;

    /// What is wrong with the stored data, one sentence each; empty when it is sound.
    async fn integrity_check(&self) -> Result<Vec<String>>;

    /// Whether the records of every deploy are those that were written: walks over the chain of each
    /// environment.
    async fn check_deploy_records(&self) -> Result<DeployChains>;

    /// How many bytes the store takes up.
    async fn database_size(&self) -> Result<u64>;

    /// Waits until everything accepted is written, then closes. Later calls are refused.
    async fn close(&self);
}
