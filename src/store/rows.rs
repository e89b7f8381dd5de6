//! What goes into the store and what comes out of it, beside the events themselves. Plain data.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::edits::DocumentKey;
use super::lease::Lease;
use super::outbox::NewMessage;
use crate::domain::claim::FixClaim;
use crate::domain::event::Event;
use crate::domain::findings::InvestigationState;
use crate::domain::history::{CaseHead, CycleSummary};
use crate::domain::names::{CaseId, EnvironmentName, Fingerprint, InvestigationId, PipelineName};
use crate::domain::outcome::{Change, Outcome, Phase, Trigger, Verdict, VoidReason};
use crate::domain::revision::{Revision, Sha};

/// What identifies a cycle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct CycleKey {
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// Its number, from 1.
    pub cycle: u32,
}

impl CycleKey {
    /// The cycle with that number.
    pub fn new(pipeline: PipelineName, cycle: u32) -> Self {
        Self { pipeline, cycle }
    }
}

impl fmt::Display for CycleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cycle {} of {}", self.cycle, self.pipeline)
    }
}

/// Events to append to a cycle, with everything that must become true in the same transaction.
#[derive(Debug, Clone)]
pub struct Append {
    /// The cycle.
    pub cycle: CycleKey,
    /// How many events the caller has seen: the first new one gets this number plus one.
    pub expected_seq: u64,
    /// The hold on the environment in whose name this is written. `None` is for a cycle that
    /// nobody works on, such as one that is superseded while it waits.
    pub lease: Option<Lease>,
    /// The events, in order; at least one.
    pub events: Vec<Event>,
    /// When they are recorded; kept to the microsecond.
    pub at: Timestamp,
    /// What the caller worked out for the lists.
    pub projection: Projection,
}

/// Rows that cannot be derived from the events alone, or only by reading all of history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Projection {
    /// What became of each case in this cycle. They take the place of those appended before.
    pub cases: Vec<CaseRow>,
    /// New heads, in place of those that these cases had in the cycle's environment.
    pub heads: Vec<CaseHead>,
    /// Fingerprints that this cycle saw; each counts once a cycle.
    pub fingerprints: Vec<Fingerprint>,
    /// Failures whose commit was found.
    pub culprits: Vec<(Fingerprint, Sha)>,
    /// Investigations that this cycle concerns, with their state after it.
    pub investigations: Vec<InvestigationSeen>,
    /// News that these events are; those whose key is known are left out.
    pub messages: Vec<NewMessage>,
}

impl Projection {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
            && self.heads.is_empty()
            && self.fingerprints.is_empty()
            && self.culprits.is_empty()
            && self.investigations.is_empty()
            && self.messages.is_empty()
    }

    /// Adds what goes with later events of the same append.
    pub fn extend(&mut self, later: Self) {
        let Self { cases, heads, fingerprints, culprits, investigations, messages } = later;
        self.cases.extend(cases);
        self.heads.extend(heads);
        self.fingerprints.extend(fingerprints);
        self.culprits.extend(culprits);
        self.investigations.extend(investigations);
        self.messages.extend(messages);
    }
}

/// What became of one case in one cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseRow {
    /// The case.
    pub case: CaseId,
    /// Its outcome; `None` for a removed case.
    pub outcome: Option<Outcome>,
    /// What became of it; `None` where nothing was compared.
    pub change: Option<Change>,
    /// The duration of its deciding attempt.
    pub duration_ms: u64,
    /// How many attempts it had.
    pub attempts: u32,
    /// The fingerprint of its failure.
    pub fingerprint: Option<Fingerprint>,
}

/// A case in one cycle of its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseHistoryRow {
    /// The cycle.
    pub cycle: u32,
    /// The environment.
    pub environment: EnvironmentName,
    /// The verdict of the cycle; `None` while it runs.
    pub verdict: Option<Verdict>,
    /// The revision of the cycle.
    pub revision: Option<Revision>,
    /// When the cycle began.
    pub started_at: Timestamp,
    /// The digest of the suite; what its own cases do changes with it.
    pub suite_digest: Option<String>,
    /// The cycle whose search asked an older commit here: no result of the branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by_search_of: Option<u32>,
    /// What became of the case.
    pub result: CaseRow,
}

/// Cases by cycles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseGrid {
    /// The cycles, oldest first.
    pub cycles: Vec<CycleRow>,
    /// Every case that has a result in one of them, by id.
    pub cases: Vec<CaseRuns>,
}

/// What became of a case in one cycle after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRuns {
    /// The case.
    pub case: CaseId,
    /// Its outcome in each of the cycles, in their order; `None` where it was not planned.
    pub outcomes: Vec<Option<Outcome>>,
    /// What became of it in the last of them.
    pub change: Option<Change>,
}

/// An investigation that a cycle concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvestigationSeen {
    /// Its id.
    pub id: InvestigationId,
    /// Its state after the cycle.
    pub state: InvestigationState,
    /// The cases that failed so in the cycle; none when it was not seen.
    pub cases: Vec<CaseId>,
    /// Its claimed fixes after the cycle, as far as there are any.
    pub claims: Vec<FixClaim>,
}

/// The claimed fixes of an investigation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvestigationClaims {
    /// Which.
    pub id: InvestigationId,
    /// The claims, oldest first.
    pub claims: Vec<FixClaim>,
}

/// A fix that a person claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFixClaim {
    /// The pipeline of the investigation.
    pub pipeline: PipelineName,
    /// The investigation.
    pub id: InvestigationId,
    /// The claim.
    pub claim: FixClaim,
    /// The state of the investigation with it.
    pub state: InvestigationState,
}

/// Which cycle of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one with this number.
    Number(u32),
    /// The newest.
    Latest,
    /// The newest that is over.
    LatestFinished,
    /// The newest finished one that says something of the pipeline: of its whole suite, and so no question of a search.
    LatestAnswer,
}

/// What an earlier cycle must be to be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline {
    /// Its suite is valid: green, red or incomplete.
    Valid,
    /// Its suite is valid, and it planned all of it: nothing limited its cases.
    Whole,
    /// It is green.
    Green,
}

/// A cycle in the lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CycleRow {
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// Its environment.
    pub environment: EnvironmentName,
    /// Number, verdict, revision, times and counts.
    #[serde(flatten)]
    pub summary: CycleSummary,
    /// Why it started, in full.
    pub cause: Trigger,
    /// The revision as it was asked for.
    pub requested: Option<String>,
    /// The cycle whose regressions it is about, for one of a search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_of: Option<u32>,
    /// Where it is; `finished` when it is over.
    pub phase: Phase,
    /// Whether it waits for a person.
    pub held: bool,
    /// Why it is void.
    pub void_reason: Option<VoidReason>,
    /// The name of its suite.
    pub suite: Option<String>,
    /// The path of its report.
    pub report: Option<String>,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
    /// When its records expired; its row stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<Timestamp>,
    /// How many events it has, or had.
    pub last_seq: u64,
}

impl CycleRow {
    /// What identifies it.
    pub fn key(&self) -> CycleKey {
        CycleKey::new(self.pipeline.clone(), self.summary.cycle)
    }

    /// Whether it asks an older commit about some cases (`RunOptions::is_question`).
    pub fn is_question(&self) -> bool {
        self.search_of.is_some() && self.summary.only.is_some()
    }
}

/// A cycle as a bar of a trend: how it ended, and nothing of any length. Thousands of them are read for
/// one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrendRow {
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// Its number.
    pub cycle: u32,
    /// Its verdict, once it is decided.
    pub verdict: Option<Verdict>,
    /// Cases that were planned.
    pub planned: u32,
    /// Cases that passed, flaky ones included.
    pub good: u32,
    /// Whether it is about a part of the suite: about the pipeline it says nothing.
    pub is_part: bool,
    /// Whether it asks an older commit about some cases ([`CycleRow::is_question`]).
    pub is_question: bool,
}

impl TrendRow {
    /// What identifies it.
    pub fn key(&self) -> CycleKey {
        CycleKey::new(self.pipeline.clone(), self.cycle)
    }
}

impl From<&CycleRow> for TrendRow {
    fn from(row: &CycleRow) -> Self {
        let counts = &row.summary.counts;
        Self {
            pipeline: row.pipeline.clone(),
            cycle: row.summary.cycle,
            verdict: row.summary.verdict,
            planned: counts.planned,
            good: counts.passed + counts.flaky,
            is_part: row.summary.only.is_some(),
            is_question: row.is_question(),
        }
    }
}

/// A pipeline in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PipelineRow {
    /// Its name.
    pub pipeline: PipelineName,
    /// How many cycles it ever had.
    pub cycles: u32,
    /// Its newest cycle, unless all have expired.
    pub latest: Option<CycleRow>,
}

/// A wish for the investigation of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvestigation {
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The failure.
    pub fingerprint: Fingerprint,
    /// A few words for the name of its file.
    pub slug: String,
    /// The cycle that opens it, if it is opened.
    pub cycle: u32,
    /// The least number that a new one gets: those before may be taken by files that the store does
    /// not know.
    pub least: u32,
    /// The document that the report folder has of this failure already: a new one goes on in it, unless
    /// its number is taken.
    pub adopts: Option<Adopted>,
}

/// A document of an investigation that the store does not know: the state folder was deleted, or the
/// reports came from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Its number.
    pub number: u32,
    /// The readable end of its file's name.
    pub slug: String,
    /// The cycle that opened it.
    pub opened_in: u32,
}

/// An investigation in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InvestigationRow {
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// Its id.
    pub id: InvestigationId,
    /// The failure that it is about.
    pub fingerprint: Fingerprint,
    /// The readable end of its file's name.
    pub slug: String,
    /// Its state.
    pub state: InvestigationState,
    /// The cycle in which it was opened.
    pub opened_in: u32,
    /// The cycle in which it came back, when it did.
    pub reopened_in: Option<u32>,
    /// The last cycle that it concerned.
    pub last_seen: u32,
}

impl InvestigationRow {
    /// The name of its file, without folder.
    pub fn file(&self) -> String {
        format!("{}-{}.md", self.id, self.slug)
    }

    /// Which document it is.
    pub fn key(&self) -> DocumentKey {
        DocumentKey { pipeline: self.pipeline.clone(), id: self.id.clone() }
    }

    /// The failure that it is about, in a few words.
    pub fn about(&self) -> String {
        self.slug.replace('-', " ")
    }
}
