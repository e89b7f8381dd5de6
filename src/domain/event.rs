//! The events of a cycle: the only thing that is stored as truth.
//!
//! An event is a fact in the past, versioned and readable for good: fields are added with a
//! default, never renamed; a kind is never reused for something else. The state of a cycle is the
//! fold of its events (`cycle::apply`), and reports are made from that state alone.

mod command;
mod suite;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use command::{
    Again, CasesPlanned, CommandEnded, CommandPart, CommandRun, CommandStarted, Left, MAX_DOUBTS,
    MAX_FILES, ResultFile,
};
pub use suite::{
    NotRun, NotRunReason, PlannedCase, PlannedEvents, Quarantined, StoppedBy, SuiteEnded,
    SuitePlanned,
};

use super::attempt::Attempt;
use super::evidence::Excerpt;
use super::findings::Findings;
use super::names::{EnvironmentName, PipelineName};
use super::outcome::{Phase, PhaseOutcome, Trigger, Verdict, VoidReason, words};
use super::revision::{Revision, Sha};

/// The version under which events are written today.
pub const EVENT_VERSION: u16 = 1;

/// An event as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its place in the cycle, from 1, without gaps. It orders events; clocks are for people.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What happened in a cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The cycle exists and has its number.
    Queued(Box<Queued>),
    /// A phase began.
    PhaseStarted(PhaseStarted),
    /// The revision is known and laid out.
    RevisionResolved(RevisionResolved),
    /// A deploy step is about to start: durable before the command is.
    StepStarted(StepStarted),
    /// A deploy step ended.
    StepEnded(StepEnded),
    /// The surfaces were asked what they serve.
    SurfacesRead(SurfacesRead),
    /// Readiness checks or controls were asked.
    ControlsRead(ControlsRead),
    /// The suite is about to start, with these cases; or it would have, had the cycle got that far.
    SuitePlanned(Box<SuitePlanned>),
    /// A command of the suite is about to start: durable before it does.
    CommandStarted(CommandStarted),
    /// Cases that only became known while the suite runs join its plan.
    CasesPlanned(CasesPlanned),
    /// A command of the suite ended, and what it left behind was read.
    CommandEnded(Box<CommandEnded>),
    /// An attempt is final.
    AttemptFinished(Box<Attempt>),
    /// The suite is over.
    SuiteEnded(SuiteEnded),
    /// A phase ended.
    PhaseEnded(PhaseEnded),
    /// Results were compared and the verdict was decided.
    Analysed(Arc<Findings>),
    /// It is known which revision to go back to; durable before anything is done for it.
    RollbackPlanned(RollbackPlanned),
    /// A report was written.
    ReportWritten(ReportWritten),
    /// Nobody knows what became of the deploy; a person must say.
    Held(Held),
    /// A person said how to go on.
    Resumed(Resumed),
    /// A person, or a signal, ended the cycle.
    CancelRequested(CancelRequested),
    /// The cycle is over. Nothing follows.
    Finished(Finished),
}

impl Event {
    /// The kind, as it is stored.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Queued(_) => "queued",
            Self::PhaseStarted(_) => "phase_started",
            Self::RevisionResolved(_) => "revision_resolved",
            Self::StepStarted(_) => "step_started",
            Self::StepEnded(_) => "step_ended",
            Self::SurfacesRead(_) => "surfaces_read",
            Self::ControlsRead(_) => "controls_read",
            Self::SuitePlanned(_) => "suite_planned",
            Self::CommandStarted(_) => "command_started",
            Self::CasesPlanned(_) => "cases_planned",
            Self::CommandEnded(_) => "command_ended",
            Self::AttemptFinished(_) => "attempt_finished",
            Self::SuiteEnded(_) => "suite_ended",
            Self::PhaseEnded(_) => "phase_ended",
            Self::Analysed(_) => "analysed",
            Self::RollbackPlanned(_) => "rollback_planned",
            Self::ReportWritten(_) => "report_written",
            Self::Held(_) => "held",
            Self::Resumed(_) => "resumed",
            Self::CancelRequested(_) => "cancel_requested",
            Self::Finished(_) => "finished",
        }
    }

    /// Whether it may wait a moment for others before it is made durable: nothing is done because of
    /// it that a power cut must not take back. Losing the last attempts costs their repetition, and
    /// a phase without a deadline begins anew.
    pub fn may_be_batched(&self) -> bool {
        match self {
            Self::AttemptFinished(_) | Self::CasesPlanned(_) => true,
            Self::PhaseStarted(started) => started.deadline_at.is_none(),
            Self::Queued(_)
            | Self::RevisionResolved(_)
            | Self::StepStarted(_)
            | Self::StepEnded(_)
            | Self::SurfacesRead(_)
            | Self::ControlsRead(_)
            | Self::SuitePlanned(_)
            | Self::CommandStarted(_)
            | Self::CommandEnded(_)
            | Self::SuiteEnded(_)
            | Self::PhaseEnded(_)
            | Self::Analysed(_)
            | Self::RollbackPlanned(_)
            | Self::ReportWritten(_)
            | Self::Held(_)
            | Self::Resumed(_)
            | Self::CancelRequested(_)
            | Self::Finished(_) => false,
        }
    }
}

/// The cycle exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// Its number within the pipeline.
    pub cycle: u32,
    /// What it deploys to and tests.
    pub environment: EnvironmentName,
    /// Why it starts.
    pub trigger: Trigger,
    /// The revision as it was asked for: a branch, a tag, an id; `None` is the default branch.
    pub requested: Option<String>,
    /// Commits whose cycles this one takes the place of.
    #[serde(default)]
    pub taken_together: Vec<Sha>,
    /// What the pipeline's files said.
    pub definition: Definition,
    /// How it was asked to run.
    pub options: RunOptions,
    /// The process that waits with it, where one does: while that lives, nobody else takes the cycle up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_by: Option<String>,
}

/// What the pipeline's files said when the cycle began, as far as its report needs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// The pipeline's file.
    pub file: String,
    /// The digest of what `config` means as a cause.
    pub config_digest: String,
    /// The suite's name; `None` for a pipeline that only deploys.
    pub suite: Option<String>,
    /// The digest of the suite.
    pub suite_digest: Option<String>,
    /// The folder of reports, as the pipeline says it.
    pub report_dir: String,
    /// What failing means for the business.
    #[serde(default)]
    pub impact: Option<String>,
    /// What is at risk.
    #[serde(default)]
    pub at_risk: Option<String>,
    /// Parts of the pipeline that this version does not act on.
    #[serde(default)]
    pub not_acted_on: Vec<String>,
    /// Whether the deploy may be run again after an unknown end.
    #[serde(default)]
    pub idempotent_deploy: bool,
    /// The version of Andon.
    pub andon: String,
}

/// How a cycle was asked to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOptions {
    /// Whether to deploy, or to test what is there.
    pub deploy: bool,
    /// Globs over case ids, one a line; what fits none of them is not planned.
    #[serde(default)]
    pub only: Option<String>,
    /// The cycle whose regressions this one is about: it is a step of the search for what broke it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search_of: Option<u32>,
}

impl RunOptions {
    /// Whether the cycle asks an older commit about some cases. What it says of them holds for that commit
    /// only: nothing of it is remembered for later comparisons, and it is nobody's news.
    pub fn is_question(&self) -> bool {
        self.search_of.is_some() && self.only.is_some()
    }
}

/// A phase began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseStarted {
    /// Which.
    pub phase: Phase,
    /// When it must be over, where it has a deadline: an instant, kept over restarts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<Timestamp>,
}

/// A phase ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseEnded {
    /// Which.
    pub phase: Phase,
    /// How.
    pub outcome: PhaseOutcome,
    /// How long it took, by a monotonic clock where one process saw both ends.
    pub duration_ms: u64,
    /// One sentence for people, when there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The revision is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionResolved {
    /// The commit.
    pub revision: Revision,
    /// The folder with its files, relative to the state folder; `None` when nothing was laid out.
    #[serde(default)]
    pub checkout: Option<String>,
    /// Entries of its tree that were not laid out, each with the reason.
    #[serde(default)]
    pub left_out: Vec<String>,
}

/// A deploy step is about to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepStarted {
    /// Its position in the pipeline, from 0.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// 1, or more when it was tried again.
    pub attempt: u32,
    /// When its process tree will be ended.
    pub deadline_at: Timestamp,
    /// The folder of its supervisor, relative to the state folder; `None` for a request.
    #[serde(default)]
    pub run_dir: Option<String>,
}

impl StepStarted {
    /// Whether it is a request, which leaves an answer and no log.
    pub fn is_request(&self) -> bool {
        self.run_dir.is_none()
    }
}

/// A deploy step ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepEnded {
    /// Its position in the pipeline, from 0.
    pub index: u32,
    /// Which attempt.
    pub attempt: u32,
    /// How it ended.
    pub outcome: PhaseOutcome,
    /// How long it took.
    pub duration_ms: u64,
    /// One phrase, as `exit 3`, `killed by SIGKILL`, `no such program`.
    pub detail: String,
    /// The end of its output, or the answer to its request, masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Excerpt>,
}

/// When, in relation to the suite, something was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the suite: the answer that made it start.
    Before,
    /// While it ran.
    During,
    /// After its last case.
    After,
}

words!(Moment { Before => "before", During => "during", After => "after" });

/// The surfaces were asked what they serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurfacesRead {
    /// When.
    pub moment: Moment,
    /// Each surface.
    pub surfaces: Vec<SurfaceReading>,
}

/// What one surface said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurfaceReading {
    /// Its name.
    pub surface: String,
    /// The revision it said it serves, as it said it; masked and capped.
    pub served: Option<String>,
    /// Whether that is the wanted revision; `None` when none was wanted.
    pub matches: Option<bool>,
    /// How many times it was asked.
    pub reads: u32,
    /// Milliseconds from the start of the phase until it first served the wanted revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// The address that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Why it said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What kind of request was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlKind {
    /// A readiness check.
    Check,
    /// A control.
    Control,
}

/// Readiness checks or controls were asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlsRead {
    /// Which.
    pub of: ControlKind,
    /// When.
    pub moment: Moment,
    /// Each one.
    pub readings: Vec<ControlReading>,
}

/// What one check or control said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlReading {
    /// Its name.
    pub name: String,
    /// Why it did not hold; `None` when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The address that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

/// What is gone back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackPlanned {
    /// The cycle that proved this revision.
    pub cycle: u32,
    /// The commit.
    pub revision: Revision,
    /// The folder with its files, relative to the state folder.
    pub checkout: String,
}

/// A report was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportWritten {
    /// Its path, relative to the working directory.
    pub path: String,
    /// The SHA-256 of its bytes, in hex.
    pub digest: String,
}

/// Nobody knows what became of the deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What is known.
    pub reason: String,
}

/// How a person says a held cycle goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResumeAs {
    /// The deploy did happen.
    Deployed,
    /// It did not.
    Failed,
    /// Run its steps again.
    Rerun,
}

words!(ResumeAs { Deployed => "deployed", Failed => "failed", Rerun => "rerun" });

/// A person said how to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// How.
    pub decision: ResumeAs,
    /// Who said so.
    pub by: String,
}

/// The cycle is to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequested {
    /// Who or what said so, as `SIGINT`.
    pub by: String,
}

/// The cycle is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Its verdict.
    pub verdict: Verdict,
    /// Why it is void.
    pub void_reason: Option<VoidReason>,
}
