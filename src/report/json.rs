//! The one JSON form of a cycle (SPEC section 7): `show --json`, the API, the webhook, the last line
//! of `run --json` and the file beside the report.
//!
//! Fields may be added, never renamed. The form is typed, so that its schema is made from the same
//! source and a report can be recounted from the file alone.

mod build;
mod fixes;
mod search;
mod seen;

pub use fixes::{FixJson, FixProgressJson};
pub use search::SearchJson;

pub(super) use build::written;
pub(super) use seen::Seen;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::event::CommandPart;
use crate::domain::outcome::{Cause, Change, Phase, PhaseOutcome, TriggerKind, Verdict};
use crate::domain::state::CycleState;
use crate::domain::{failure::FailureClass, outcome::VoidReason};

/// Text that is borrowed from the state when written, and owned when read.
pub type Text<'a> = Cow<'a, str>;

/// A cycle as JSON.
///
/// # Panics
/// Never: the form holds nothing that JSON cannot.
pub fn cycle_json(state: &CycleState) -> serde_json::Value {
    serde_json::to_value(CycleJson::of(state)).expect("the form is plain data")
}

/// The JSON Schema of the form.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(CycleJson<'static>).to_value()
}

/// The words of an enum as the `enum` of a schema.
macro_rules! words_of {
    ($kind:ty) => {
        <$kind>::ALL.iter().map(|value| value.as_str()).collect::<Vec<_>>()
    };
}
use words_of;

/// The same, with `null` for what is not known yet.
macro_rules! words_or_null {
    ($kind:ty) => {
        <$kind>::ALL.iter().map(|value| Some(value.as_str())).chain([None]).collect::<Vec<_>>()
    };
}

// After the macros, which it uses.
mod case;

pub use case::{
    CarriedJson, CaseJson, EventsJson, EvidenceJson, FailureJson, FlakyRateJson, QuarantineJson,
    SlowerJson,
};

/// How a cycle went back to the last green revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Rollback")]
pub struct RollbackJson<'a> {
    /// The green cycle; `null` when there is no way back.
    pub cycle: Option<u32>,
    /// Its revision.
    pub revision: Option<Text<'a>>,
    /// How it ended; `null` while it goes on. `passed` only when the revision serves again.
    #[schemars(extend("enum" = words_or_null!(PhaseOutcome)))]
    pub outcome: Option<Text<'a>>,
    /// The same in one sentence.
    pub summary: Option<String>,
}

/// One run of a command of the suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Command")]
pub struct CommandJson<'a> {
    /// The command's name.
    pub command: Text<'a>,
    /// `list`, `tests` or `rerun`.
    #[schemars(extend("enum" = words_of!(CommandPart)))]
    pub part: Text<'a>,
    /// 1, or more for each rerun.
    pub attempt: u32,
    /// The shard, from 1; `null` where the command runs as one.
    pub shard: Option<u32>,
    /// How it ended; `null` while it runs.
    #[schemars(extend("enum" = words_or_null!(PhaseOutcome)))]
    pub outcome: Option<Text<'a>>,
    /// Its exit code; `null` where a signal ended it, or nothing started.
    pub exit: Option<i32>,
    /// The same in words.
    pub detail: Option<Text<'a>>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// How many cases it listed or reported.
    pub cases: u32,
    /// How many of them are failing.
    pub failing: u32,
    /// Whether its results are of a whole run, as far as its files tell.
    pub complete: bool,
    /// The first failures that belong to no case.
    pub suite_errors: Vec<Text<'a>>,
    /// The first result files.
    pub files: Vec<ResultFileJson<'a>>,
    /// How many result files there were.
    pub files_total: u32,
    /// The hosts that its proxy saw; `null` where it was not observed.
    pub hosts: Option<Vec<HostJson<'a>>>,
}

/// What a command's proxy saw of one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Host")]
pub struct HostJson<'a> {
    /// `host:port`.
    pub host: Text<'a>,
    /// Connections that were made.
    pub connections: u64,
    /// Plain HTTP requests; what goes through a tunnel is not seen.
    pub requests: u64,
    /// Connections that could not be made.
    pub failed: u64,
    /// Connections that the pipeline's `hosts` do not allow.
    pub refused: u64,
    /// Bytes to the host.
    pub bytes_sent: u64,
    /// Bytes from the host.
    pub bytes_received: u64,
}

/// A result file that a command left behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ResultFile")]
pub struct ResultFileJson<'a> {
    /// Its path within the folder of results.
    pub path: Text<'a>,
    /// The format and the tool that wrote it.
    pub dialect: Option<Text<'a>>,
    /// How many cases stand in it.
    pub cases: u32,
    /// What is wrong with it.
    pub warnings: Vec<Text<'a>>,
    /// Why nothing was taken from it.
    pub refused: Option<Text<'a>>,
}

/// A cycle. `Cases` is a list, or what is written as one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Andon cycle")]
pub struct CycleJson<'a, Cases = Vec<CaseJson<'a>>> {
    /// The pipeline's name.
    pub pipeline: Text<'a>,
    /// The cycle's number within the pipeline.
    pub cycle: u32,
    /// The environment.
    pub environment: Text<'a>,
    /// Why it started.
    pub trigger: TriggerJson<'a>,
    /// The tested commit; `null` until it is resolved.
    pub revision: Option<RevisionJson<'a>>,
    /// Commits whose cycles this one takes the place of.
    pub taken_together: Vec<Text<'a>>,
    /// The glob that limited its cases; `null` where the whole suite was planned.
    #[serde(default)]
    pub only: Option<Text<'a>>,
    /// The phase it is in. `finished` from the report on, so that the file beside the report and
    /// what is shown of the ended cycle are the same; `rollback` while a way back runs or is held.
    #[schemars(extend("enum" = words_of!(Phase)))]
    pub phase: Text<'a>,
    /// The verdict; `null` while it runs.
    #[schemars(extend("enum" = words_or_null!(Verdict)))]
    pub verdict: Option<Text<'a>>,
    /// Why it is void.
    #[schemars(extend("enum" = words_or_null!(VoidReason)))]
    pub void_reason: Option<Text<'a>>,
    /// What the verdict rests on, one sentence.
    pub reason: Option<Text<'a>>,
    /// When its first phase began.
    #[schemars(extend("format" = "date-time"))]
    pub started_at: String,
    /// Why it waits for a person; left out where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldJson<'a>>,
    /// When the verdict was decided; `null` before. A way back may still run: see `phase`.
    #[schemars(extend("format" = "date-time"))]
    pub finished_at: Option<String>,
    /// From `started_at` to `finished_at`.
    pub duration_ms: Option<u64>,
    /// The phases before the verdict, and the way back after it, in order.
    pub phases: Vec<PhaseJson<'a>>,
    /// What each surface served before and after the suite, in its own words.
    pub serving: Vec<ServingJson<'a>>,
    /// The way back to the last green revision; left out where none was called for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackJson<'a>>,
    /// The runs of the suite's commands, in the order in which they began; left out where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandJson<'a>>,
    /// The suite; `null` when none was planned.
    pub suite: Option<SuiteJson<'a>>,
    /// What it was compared with.
    pub baseline: Option<CycleRefJson<'a>>,
    /// The cases by what became of them; those that passed before and now are not listed.
    pub changes: ChangesJson<'a>,
    /// Every planned case in the order of the plan, then removed ones.
    pub cases: Cases,
    /// The failures by what they are, worst first.
    pub clusters: Vec<ClusterJson<'a>>,
    /// Claimed fixes of failures that are not among the clusters, as far as this cycle says something of
    /// them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixes: Vec<FixProgressJson<'a>>,
    /// What a search came to, in the cycle that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchJson<'a>>,
    /// Why the loop of the pipeline ended with this cycle without what it runs for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gave_up: Option<Text<'a>>,
    /// Passes that look too good.
    pub suspicious: Vec<SuspiciousJson<'a>>,
    /// Cases that were probably renamed.
    pub renames: Vec<RenameJson<'a>>,
    /// Entries of the commit's tree that were not laid out for the deploy, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Text<'a>>,
    /// Parts of the pipeline that this version does not act on.
    pub not_acted_on: Vec<Text<'a>>,
    /// The path of the Markdown report; `null` when it could not be written.
    pub report: Option<String>,
    /// The version of Andon that ran it.
    pub andon: Text<'a>,
}

/// Why a cycle waits for a person (`andon resume`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Held")]
pub struct HeldJson<'a> {
    /// What nobody saw, one sentence.
    pub reason: Text<'a>,
}

/// Why a cycle started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TriggerJson<'a> {
    /// The kind.
    #[schemars(extend("enum" = words_of!(TriggerKind)))]
    pub kind: Text<'a>,
    /// One phrase for people.
    pub detail: Text<'a>,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RevisionJson<'a> {
    /// All 40 digits.
    pub sha: Text<'a>,
    /// The first seven.
    pub short: Text<'a>,
    /// The first line of its message.
    pub subject: Text<'a>,
    /// The author's name.
    pub author: Text<'a>,
    /// The branch it was found on.
    pub branch: Option<Text<'a>>,
    /// When it was committed.
    #[schemars(extend("format" = "date-time"))]
    pub time: String,
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseJson<'a> {
    /// Which.
    #[schemars(extend("enum" = words_of!(Phase)))]
    pub phase: Text<'a>,
    /// How it ended; `null` while it runs.
    #[schemars(extend("enum" = words_or_null!(PhaseOutcome)))]
    pub outcome: Option<Text<'a>>,
    /// When it began.
    #[schemars(extend("format" = "date-time"))]
    pub started_at: String,
    /// How long it took.
    pub duration_ms: u64,
    /// One sentence for people.
    pub detail: Option<Text<'a>>,
}

/// What one surface served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServingJson<'a> {
    /// Its name.
    pub surface: Text<'a>,
    /// Before the suite.
    pub before: Option<Text<'a>>,
    /// After it.
    pub after: Option<Text<'a>>,
}

/// The suite and how its cases ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SuiteJson<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// All cases.
    pub planned: u32,
    /// Cases that ran to a result; `ran n of m`.
    pub completed: u32,
    /// Passed at the first attempt.
    pub passed: u32,
    /// Passed after a failed attempt.
    pub flaky: u32,
    /// The service is wrong.
    pub failed: u32,
    /// It could not be measured.
    pub errored: u32,
    /// The suite says that they do not apply.
    pub skipped: u32,
    /// Planned, but never executed.
    pub not_run: u32,
    /// Why it ended early: `timeout`, `cancelled`, `interrupted`.
    pub stopped_by: Option<Text<'a>>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// What identifies its definition.
    pub digest: Text<'a>,
}

/// A cycle and its revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CycleRefJson<'a> {
    /// The number.
    pub cycle: u32,
    /// All 40 digits.
    pub revision: Option<Text<'a>>,
}

/// Case ids by change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChangesJson<'a> {
    /// Passed before, failing now.
    pub regressed: Vec<Text<'a>>,
    /// Failing before, passes now.
    pub fixed: Vec<Text<'a>>,
    /// Failing for the same reason.
    pub still_failing: Vec<Text<'a>>,
    /// Failing for another reason.
    pub changed_failure: Vec<Text<'a>>,
    /// Never seen before, failing.
    pub new_failing: Vec<Text<'a>>,
    /// Never seen before, passes.
    pub new_passing: Vec<Text<'a>>,
    /// Did not run.
    pub not_run: Vec<Text<'a>>,
    /// Left out by the suite.
    pub skipped: Vec<Text<'a>>,
    /// No longer planned.
    pub removed: Vec<Text<'a>>,
}

impl<'a> ChangesJson<'a> {
    /// The list of a change; `still_passing` has none.
    pub fn of(&self, change: Change) -> Option<&Vec<Text<'a>>> {
        match change {
            Change::Regressed => Some(&self.regressed),
            Change::Fixed => Some(&self.fixed),
            Change::StillFailing => Some(&self.still_failing),
            Change::ChangedFailure => Some(&self.changed_failure),
            Change::NewFailing => Some(&self.new_failing),
            Change::NewPassing => Some(&self.new_passing),
            Change::NotRun => Some(&self.not_run),
            Change::Skipped => Some(&self.skipped),
            Change::Removed => Some(&self.removed),
            Change::StillPassing => None,
        }
    }

    fn of_mut(&mut self, change: Change) -> Option<&mut Vec<Text<'a>>> {
        match change {
            Change::Regressed => Some(&mut self.regressed),
            Change::Fixed => Some(&mut self.fixed),
            Change::StillFailing => Some(&mut self.still_failing),
            Change::ChangedFailure => Some(&mut self.changed_failure),
            Change::NewFailing => Some(&mut self.new_failing),
            Change::NewPassing => Some(&mut self.new_passing),
            Change::NotRun => Some(&mut self.not_run),
            Change::Skipped => Some(&mut self.skipped),
            Change::Removed => Some(&mut self.removed),
            Change::StillPassing => None,
        }
    }
}

/// Failures that share a fingerprint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterJson<'a> {
    /// The fingerprint.
    pub fingerprint: Text<'a>,
    /// The class.
    #[schemars(extend("enum" = words_of!(FailureClass)))]
    pub class: Text<'a>,
    /// A short title, made of what does not vary.
    pub title: Text<'a>,
    /// The message of a failure that stands for all.
    pub message: Text<'a>,
    /// The cases.
    pub cases: Vec<Text<'a>>,
    /// Why it changed.
    #[schemars(extend("enum" = words_of!(Cause)))]
    pub cause: Text<'a>,
    /// The reasoning, one sentence.
    pub because: Text<'a>,
    /// The first cycle that saw it.
    pub first_seen_cycle: u32,
    /// In how many cycles it was seen.
    pub times_seen: u32,
    /// The last cycle in which one of its cases was good.
    pub last_good: Option<CycleRefJson<'a>>,
    /// The first cycle in which the oldest of its cases was failing.
    pub first_failing: Option<CycleRefJson<'a>>,
    /// The commits between.
    pub suspects: Vec<Text<'a>>,
    /// The commit that did it.
    pub culprit: Option<Text<'a>>,
    /// Its five-whys document.
    pub investigation: Option<Text<'a>>,
    /// The fixes that were claimed for it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixes: Vec<FixJson<'a>>,
}

/// A pass that looks too good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SuspiciousJson<'a> {
    /// The case.
    pub case: Text<'a>,
    /// Why.
    pub why: Text<'a>,
}

/// A probable rename.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RenameJson<'a> {
    /// The removed case.
    pub from: Text<'a>,
    /// The new one.
    pub to: Text<'a>,
}
