//! What the API sends and takes, as types: the schema in the OpenAPI document is made from them, and
//! the commands of the client read the same. Fields may be added, never renamed.

mod history;
mod requests;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use history::{
    ActForm, ActsForm, CaseForm, CaseRowForm, CommitsForm, CountsForm, CycleRowForm, CyclesForm,
    EventForm, EventsForm, GapForm, InvestigationForm, InvestigationsForm, LogForm, LogsForm,
};
pub use requests::{CancelForm, DoneForm, HookForm, ResumeForm, StartForm, StartedForm};

use crate::daemon::{GaveUp, Unserved};
use crate::domain::event::RollbackPlanned;
use crate::domain::outcome::Trigger;
use crate::domain::revision::Revision;
use crate::report::json::{RevisionJson, TriggerJson};
use crate::store::WaitingTrigger;

/// What the daemon does now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Status")]
pub struct StatusForm {
    /// The version of Andon that runs.
    pub andon: String,
    /// Since when.
    #[schemars(extend("format" = "date-time"))]
    pub started_at: String,
    /// It is about to end and starts no cycle any more.
    pub draining: bool,
    /// Why no cycle begins: the disk of the state folder has no room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_room: Option<NoRoomForm>,
    /// News that wait for delivery.
    pub news_waiting: u32,
    /// Files among the pipelines that are broken and give none.
    #[serde(default)]
    pub unserved: Vec<UnservedForm>,
    /// What each pipeline does now, by name.
    pub pipelines: Vec<PipelineForm>,
}

/// A file among the pipelines that gives none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Unserved")]
pub struct UnservedForm {
    /// Its name.
    pub file: String,
    /// What is wrong with it first.
    pub why: String,
}

impl From<&Unserved> for UnservedForm {
    fn from(unserved: &Unserved) -> Self {
        Self { file: unserved.file_name(), why: unserved.why.clone() }
    }
}

/// Why no cycle begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "NoRoom")]
pub struct NoRoomForm {
    /// What is missing.
    pub why: String,
    /// Since when.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
}

/// All pipelines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Pipelines")]
pub struct PipelinesForm {
    /// By name.
    pub pipelines: Vec<PipelineForm>,
}

/// A pipeline, and what it does now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Pipeline")]
pub struct PipelineForm {
    /// Its name.
    pub pipeline: String,
    /// For people.
    pub description: Option<String>,
    /// What it deploys to.
    pub environment: String,
    /// Whether it is served: its file is in the folder of the pipelines.
    pub served: bool,
    /// The repository that it watches.
    pub repo: Option<String>,
    /// What it does now, in one word.
    pub state: PipelineState,
    /// Why it is held or blocked, or why commits that came start nothing.
    pub why: Option<String>,
    /// Why its file as it is now is not served: the one before it still is.
    pub stale: Option<String>,
    /// The cycle that runs.
    pub running: Option<RunningForm>,
    /// What waits for its turn, oldest first.
    pub waiting: Vec<TriggerForm>,
    /// The search for the commit that broke a cycle, while one goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchingForm>,
    /// The newest cycle.
    pub latest: Option<CycleRowForm>,
    /// Why its loop is over although it did not get what it runs for, until the next cycle begins.
    #[serde(default)]
    pub gave_up: Option<GaveUpForm>,
    /// What is deployed now, where the newest cycle went back to it from its own revision.
    #[serde(default)]
    pub deployed: Option<DeployedForm>,
    /// How looks at its repository go; `null` where it watches none.
    pub watching: Option<WatchingForm>,
    /// The next time that a schedule comes due.
    pub next: Option<NextForm>,
}

/// Why a loop is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GaveUp")]
pub struct GaveUpForm {
    /// Its last cycle.
    pub cycle: u32,
    /// As a sentence.
    pub why: String,
}

impl From<&GaveUp> for GaveUpForm {
    fn from(gave_up: &GaveUp) -> Self {
        Self { cycle: gave_up.cycle, why: gave_up.why.clone() }
    }
}

/// What a cycle went back to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Deployed")]
pub struct DeployedForm {
    /// The revision.
    pub revision: RevisionJson<'static>,
    /// The cycle that proved it.
    pub cycle: u32,
}

impl From<&RollbackPlanned> for DeployedForm {
    fn from(planned: &RollbackPlanned) -> Self {
        Self { revision: revision(&planned.revision), cycle: planned.cycle }
    }
}

/// How looks at a repository go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Watching")]
pub struct WatchingForm {
    /// When a look went well last.
    pub last_good_at: Option<String>,
    /// Since when none does.
    pub failing_since: Option<String>,
    /// Why the last one did not.
    pub error: Option<String>,
}

/// What a pipeline does, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PipelineState {
    /// Nothing.
    Idle,
    /// A trigger waits for its turn.
    Waiting,
    /// A cycle runs.
    Running,
    /// A cycle waits for a person.
    Held,
    /// It can start nothing for now.
    Blocked,
}

impl PipelineState {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Held => "held",
            Self::Blocked => "blocked",
        }
    }
}

/// A cycle that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Running")]
pub struct RunningForm {
    /// Its number.
    pub cycle: u32,
    /// The phase it is in.
    pub phase: String,
    /// When it got its turn.
    #[schemars(extend("format" = "date-time"))]
    pub since: String,
    /// How far its suite is.
    pub progress: Option<ProgressForm>,
    /// Who asked for its end.
    pub cancelled_by: Option<String>,
    /// Whether it runs in the daemon; `false` for `andon run` in another process.
    pub here: bool,
}

/// A search that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Searching")]
pub struct SearchingForm {
    /// The cycle whose regressions are searched.
    pub of: u32,
    /// Its step that runs or comes next, with the suspects and deploys that are left.
    pub says: String,
}

/// How far a suite is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Progress")]
pub struct ProgressForm {
    /// Cases with a result.
    pub done: u32,
    /// All cases.
    pub planned: u32,
}

/// A schedule's next time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "NextTime")]
pub struct NextForm {
    /// The schedule.
    pub schedule: String,
    /// When.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
}

/// A trigger that waits for its turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Trigger")]
pub struct TriggerForm {
    /// Its identity.
    pub id: i64,
    /// Why.
    pub trigger: TriggerJson<'static>,
    /// The revision as it was asked for; `null` is the default branch.
    pub revision: Option<String>,
    /// The branch that moved.
    pub branch: Option<String>,
    /// Commits whose cycles it takes the place of.
    pub taken_together: Vec<String>,
    /// Whether its cycle deploys.
    pub deploy: bool,
    /// The glob that limits its cases.
    pub only: Option<String>,
    /// When it was stored.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// It does not start before this.
    #[schemars(extend("format" = "date-time"))]
    pub not_before: String,
}

impl From<&WaitingTrigger> for TriggerForm {
    fn from(waiting: &WaitingTrigger) -> Self {
        Self {
            id: waiting.id.0,
            trigger: trigger(&waiting.cause),
            revision: waiting.requested.clone(),
            branch: waiting.branch.clone(),
            taken_together: waiting.taken_together.iter().map(ToString::to_string).collect(),
            deploy: waiting.options.deploy,
            only: waiting.options.only.clone(),
            created_at: time(waiting.created_at),
            not_before: time(waiting.not_before),
        }
    }
}

fn trigger(cause: &Trigger) -> TriggerJson<'static> {
    let kind = cause.kind.as_str().into();
    TriggerJson { kind, detail: cause.detail.clone().into() }
}

/// A revision in the words of SPEC section 7.
fn revision(revision: &Revision) -> RevisionJson<'static> {
    RevisionJson {
        sha: revision.sha.to_string().into(),
        short: revision.sha.short().to_owned().into(),
        subject: revision.subject.clone().into(),
        author: revision.author.clone().into(),
        branch: revision.branch.clone().map(Into::into),
        time: revision.time.to_string(),
    }
}

/// An instant, as it is sent.
pub(super) fn time(at: Timestamp) -> String {
    at.to_string()
}
