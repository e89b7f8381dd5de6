//! What is known of cycles: lists of them, cases, events, logs, investigations, commits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{revision, time, trigger};
use crate::domain::event::Recorded;
use crate::domain::gap::PlacedGap;
use crate::domain::history::Counts;
use crate::report::json::{RevisionJson, TriggerJson};
use crate::store::{CaseHistoryRow, CycleRow, Definitions};

/// Cycles of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Cycles")]
pub struct CyclesForm {
    /// Newest first.
    pub cycles: Vec<CycleRowForm>,
}

/// A cycle in a list; the whole of it is at its own address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CycleInList")]
pub struct CycleRowForm {
    /// Its pipeline.
    pub pipeline: String,
    /// Its number.
    pub cycle: u32,
    /// Its environment.
    pub environment: String,
    /// Where it is; `finished` when it is over.
    pub phase: String,
    /// Whether it waits for a person.
    pub held: bool,
    /// Why it started.
    pub trigger: TriggerJson<'static>,
    /// Its revision; `null` until it is resolved.
    pub revision: Option<RevisionJson<'static>>,
    /// Its verdict; `null` until it is decided.
    pub verdict: Option<String>,
    /// Why it is void.
    pub void_reason: Option<String>,
    /// When it began.
    #[schemars(extend("format" = "date-time"))]
    pub started_at: String,
    /// When its verdict was decided.
    pub finished_at: Option<String>,
    /// The glob that limited its cases: about all others, and about the pipeline, it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// How its cases ended.
    pub suite: CountsForm,
    /// The path of its report.
    pub report: Option<String>,
    /// When its records expired: only this line and its reports are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<String>,
}

/// How the cases of a suite ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Counts")]
#[allow(missing_docs)] // The words of the contract, section 7.
pub struct CountsForm {
    pub name: Option<String>,
    pub digest: Option<String>,
    pub duration_ms: Option<u64>,
    pub planned: u32,
    pub completed: u32,
    pub passed: u32,
    pub flaky: u32,
    pub failed: u32,
    pub errored: u32,
    pub skipped: u32,
    pub not_run: u32,
}

impl From<&CycleRow> for CycleRowForm {
    fn from(row: &CycleRow) -> Self {
        let summary = &row.summary;
        Self {
            pipeline: row.pipeline.to_string(),
            cycle: summary.cycle,
            environment: row.environment.to_string(),
            phase: row.phase.to_string(),
            held: row.held,
            trigger: trigger(&row.cause),
            revision: summary.revision.as_ref().map(revision),
            verdict: summary.verdict.map(|verdict| verdict.to_string()),
            void_reason: row.void_reason.map(|reason| reason.to_string()),
            started_at: time(summary.started_at),
            finished_at: summary.decided_at.map(time),
            only: summary.only.clone(),
            suite: counts(row, &summary.counts),
            report: row.report.clone(),
            expired_at: row.expired_at.map(time),
        }
    }
}

fn counts(row: &CycleRow, counts: &Counts) -> CountsForm {
    CountsForm {
        name: row.suite.clone(),
        digest: row.summary.suite_digest.clone(),
        duration_ms: row.summary.suite_ms,
        planned: counts.planned,
        completed: counts.ran(),
        passed: counts.passed,
        flaky: counts.flaky,
        failed: counts.failed,
        errored: counts.errored,
        skipped: counts.skipped,
        not_run: counts.not_run,
    }
}

/// The history of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CaseHistory")]
pub struct CaseForm {
    /// Its pipeline.
    pub pipeline: String,
    /// Its id.
    pub case: String,
    /// What became of it, newest first.
    pub cycles: Vec<CaseRowForm>,
}

/// A case in one cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "CaseInCycle")]
pub struct CaseRowForm {
    /// The cycle.
    pub cycle: u32,
    /// Its environment.
    pub environment: String,
    /// Its verdict; `null` while it runs.
    pub verdict: Option<String>,
    /// Its revision.
    pub revision: Option<RevisionJson<'static>>,
    /// When it began.
    #[schemars(extend("format" = "date-time"))]
    pub started_at: String,
    /// The outcome of the case; `null` when it was removed.
    pub outcome: Option<String>,
    /// What became of it since its last known result.
    pub change: Option<String>,
    /// The duration of its deciding attempt.
    pub duration_ms: u64,
    /// How many attempts it had.
    pub attempts: u32,
    /// What identifies its failure.
    pub fingerprint: Option<String>,
    /// Whether it ran by another definition than in the latest cycle before, of the same environment, that ran it;
    /// left out where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_changed: Option<bool>,
    /// The cycle whose search asked an older commit here; the result says nothing of the branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by_search_of: Option<u32>,
}

impl CaseRowForm {
    /// The history of a case with what is known of its definitions.
    pub fn list(rows: &[CaseHistoryRow], definitions: &Definitions) -> Vec<Self> {
        rows.iter().map(|row| Self::of(row, definitions)).collect()
    }

    fn of(row: &CaseHistoryRow, definitions: &Definitions) -> Self {
        Self {
            cycle: row.cycle,
            environment: row.environment.to_string(),
            verdict: row.verdict.map(|verdict| verdict.to_string()),
            revision: row.revision.as_ref().map(revision),
            started_at: time(row.started_at),
            outcome: row.result.outcome.map(|outcome| outcome.to_string()),
            change: row.result.change.map(|change| change.to_string()),
            duration_ms: row.result.duration_ms,
            attempts: row.result.attempts,
            fingerprint: row.result.fingerprint.as_ref().map(ToString::to_string),
            definition_changed: definitions.changed_in(row.cycle),
            asked_by_search_of: row.asked_by_search_of,
        }
    }
}

/// Events of a cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Events")]
pub struct EventsForm {
    /// In order.
    pub events: Vec<EventForm>,
    /// Whether there are more after these: ask again with `after` set to the last `seq`.
    pub more: bool,
}

/// An event of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Event")]
pub struct EventForm {
    /// Its place in the cycle, from 1.
    pub seq: u64,
    /// When it was recorded.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// What happened; `kind` tells which other fields there are.
    #[schemars(schema_with = "event_schema")]
    pub event: Value,
}

fn event_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "required": ["kind"],
        "properties": { "kind": { "type": "string" } },
    })
}

impl From<&Recorded> for EventForm {
    fn from(recorded: &Recorded) -> Self {
        let event = serde_json::to_value(&recorded.event).expect("an event is plain data");
        Self { seq: recorded.seq, at: time(recorded.at), event }
    }
}

/// Logs of a cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Logs")]
pub struct LogsForm {
    /// The steps that wrote one, in order: of the deploy, then of the rollback.
    pub logs: Vec<LogForm>,
    /// Whether no more can come.
    pub over: bool,
}

/// A log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Log")]
pub struct LogForm {
    /// Its place in the list, from 1: the last part of its address.
    pub log: u32,
    /// The phase it belongs to: `deploy` or `rollback`.
    pub phase: String,
    /// The position of the step in that phase, from 1.
    pub step: u32,
    /// Which attempt of it.
    pub attempt: u32,
    /// The step's name.
    pub name: String,
    /// How long the log is now.
    pub bytes: u64,
    /// How the step ended; `null` while it runs.
    pub end: Option<String>,
    /// What is missing in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<GapForm>,
}

/// What was cut out of the middle of a log when it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Gap")]
pub struct GapForm {
    /// Where in the log the marker begins that stands there instead, in bytes: the end of the line before it. The line
    /// that says what is missing is one byte later.
    pub at: u64,
    /// Where what was kept goes on after the marker.
    pub to: u64,
    /// How many bytes are missing.
    pub bytes: u64,
    /// How many lines ended in them; not known of logs of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
}

impl From<PlacedGap> for GapForm {
    fn from(placed: PlacedGap) -> Self {
        let PlacedGap { at, to, gap } = placed;
        Self { at, to, bytes: gap.bytes, lines: gap.lines }
    }
}

/// Investigations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Investigations")]
pub struct InvestigationsForm {
    /// By number.
    pub investigations: Vec<InvestigationForm>,
}

/// An investigation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Investigation")]
#[allow(missing_docs)] // As in `andon whys --json`.
pub struct InvestigationForm {
    pub id: String,
    pub pipeline: String,
    pub fingerprint: String,
    pub state: String,
    pub opened_in: u32,
    pub reopened_in: Option<u32>,
    pub last_seen: u32,
    pub file: String,
}

/// Who had the daemon do what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Acts")]
pub struct ActsForm {
    /// Newest first.
    pub acts: Vec<ActForm>,
    /// The `before` of those that come next; `null` when these are the last.
    pub older: Option<i64>,
}

/// What somebody had done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Act")]
pub struct ActForm {
    /// Its number; later ones are greater.
    pub id: i64,
    /// When.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// What the request called itself, beside the name of its token.
    pub person: String,
    /// `log_in`, `log_out`, `start`, `cancel`, `resume`, `drop`, `edit` or `close`.
    pub kind: String,
    /// The pipeline that it was done to.
    pub pipeline: Option<String>,
    /// The cycle, trigger or investigation of it.
    pub subject: Option<String>,
    /// What was asked for, in words.
    pub detail: String,
}

/// Commits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Commits")]
pub struct CommitsForm {
    /// Newest first.
    #[schemars(schema_with = "commits_schema")]
    pub commits: Vec<Value>,
}

fn commits_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["sha", "branch", "subject", "author", "seen_at", "is"],
            "properties": {
                "sha": { "type": "string" },
                "branch": { "type": "string" },
                "subject": { "type": "string" },
                "author": { "type": "string" },
                "seen_at": { "type": "string", "format": "date-time" },
                "is": { "enum": ["waiting", "tested", "taken_together", "skipped", "dropped"] },
                "cycle": { "type": "integer" },
                "verdict": { "type": ["string", "null"] },
                "rule": { "type": "string" },
                "why": { "type": "string" },
            },
        },
    })
}
