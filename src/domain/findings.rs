//! What was found out about a cycle. Findings are stored when they are made, so that a better
//! algorithm never rewrites an old report.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::claim::{FixClaim, FixProgress};
use super::commit::CommitRange;
use super::failure::{Failure, FailureClass};
use super::history::{Counts, CycleRef, CycleSummary, FailureChange};
use super::names::{CaseId, Fingerprint, InvestigationId};
use super::outcome::{Cause, Change, Outcome, Verdict, VoidReason};
use super::revision::Sha;
use super::search::{SearchResult, SearchedBefore};

/// The version of the comparison, the fingerprints and the clusters together.
pub const FINDINGS_VERSION: u16 = 1;

/// What became of one planned case in this cycle, before any comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseResult {
    /// The case.
    pub case: CaseId,
    /// Earlier ids.
    pub was: Vec<CaseId>,
    /// Its outcome.
    pub outcome: Outcome,
    /// The duration of its deciding attempt; 0 when it did not run.
    pub duration_ms: u64,
    /// How many attempts it had.
    pub attempts: u32,
    /// The failure of its deciding attempt, with its fingerprint.
    pub failure: Option<(Fingerprint, Arc<Failure>)>,
    /// The digest of its definition.
    pub definition: Arc<str>,
}

/// Everything found out about a cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Which version of the algorithms made them.
    pub version: u16,
    /// The verdict.
    pub verdict: Verdict,
    /// Why the cycle is void.
    pub void_reason: Option<VoidReason>,
    /// What the verdict rests on, one sentence.
    pub reason: String,
    /// How the planned cases ended.
    pub counts: Counts,
    /// What it was compared with.
    pub baseline: Option<CycleSummary>,
    /// Every planned case in the order of the plan, then removed ones.
    pub cases: Vec<CaseFinding>,
    /// The failures, by what they are; worst first.
    pub clusters: Vec<Cluster>,
    /// Passes that look too good.
    #[serde(default)]
    pub suspicious: Vec<Suspicious>,
    /// Cases that were probably renamed.
    #[serde(default)]
    pub renames: Vec<ProbableRename>,
    /// The commits between the baseline's revision and this one.
    #[serde(default)]
    pub commits: Option<CommitRange>,
    /// The last cycles before this one, oldest first, for the trend.
    #[serde(default)]
    pub chain: Vec<CycleSummary>,
    /// What a search came to, for the cycle that put the newest revision back after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchResult>,
    /// Why the loop of the pipeline ends with this cycle without what it runs for, one phrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gave_up: Option<String>,
    /// What people wrote about the failures that live now, as it stood when the report was made.
    #[serde(default)]
    pub investigations: Vec<InvestigationSnapshot>,
    /// What became of claimed fixes of failures that have no snapshot here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixes: Vec<FixProgress>,
    /// Countermeasures that should have been taken by now, of failures that have no snapshot here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overdue: Vec<OverdueMeasure>,
}

/// What the comparison says about one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseFinding {
    /// The case.
    pub case: CaseId,
    /// Its outcome; `None` for a removed case.
    pub outcome: Option<Outcome>,
    /// What became of it; `None` in a void cycle, which is never compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// Its last known outcome before this cycle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Outcome>,
    /// What the failure said whose place the present one took in this cycle: its first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_before: Option<Arc<str>>,
    /// The duration of its deciding attempt.
    #[serde(default)]
    pub duration_ms: u64,
    /// How many attempts it had.
    #[serde(default)]
    pub attempts: u32,
    /// The last known result that stands in for one that did not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<Carried>,
    /// Whether its definition changed since its last known result: the comparison is weak.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub definition_changed: bool,
    /// The id under which its history was found, when that is an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_as: Option<CaseId>,
    /// The fingerprint of its failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// The last cycle in which it passed, for a failing case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<CycleRef>,
    /// The first cycle of this series of failures, for a failing case; for a fixed one, of the
    /// series that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failing: Option<CycleRef>,
    /// Where the present failure took the place of another one, when it did since `first_failing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_changed: Option<FailureChange>,
    /// For how many cycles it has been failing, this one included.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub age: u32,
    /// How often it was flaky, when it ever was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaky_rate: Option<FlakyRate>,
    /// A duration that its history does not explain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slower: Option<Slower>,
}

// serde's `skip_serializing_if` hands out a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A known result from an earlier cycle, shown as what it is: not of this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Where it comes from.
    pub from: CycleRef,
    /// What it was.
    pub outcome: Outcome,
}

/// How often a case was at odds with itself on one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlakyRate {
    /// Runs that were flaky, or that failed although another run of the same revision was good.
    pub flaky: u32,
    /// Runs looked at, at most fifty.
    pub of: u32,
}

impl FlakyRate {
    /// Whether it is a habit: once is the very failure that is looked at.
    pub fn is_habit(self) -> bool {
        self.flaky > 1
    }
}

/// A duration that a case's history does not explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slower {
    /// The median of earlier passes.
    pub median_ms: u64,
    /// The slowest of earlier passes.
    pub max_ms: u64,
    /// How many earlier passes.
    pub samples: u32,
    /// How many of the latest passes, this one included, are held against them. Nothing in findings that
    /// were made before this was tested.
    #[serde(default)]
    pub runs: u32,
    /// The median of those.
    #[serde(default)]
    pub now_ms: u64,
    /// How many in a million orders of all these durations have those at least as far behind, by chance
    /// alone; rounded up.
    #[serde(default)]
    pub chance_ppm: u32,
}

impl Slower {
    /// The chance as a probability, where it was tested.
    pub fn p(&self) -> Option<f64> {
        (self.chance_ppm > 0).then(|| f64::from(self.chance_ppm) / 1e6)
    }
}

/// Failures that share a fingerprint: probably one cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// The fingerprint.
    pub fingerprint: Fingerprint,
    /// The class.
    pub class: FailureClass,
    /// A short title, made of what does not vary.
    pub title: String,
    /// A failure that stands for all.
    pub example: Failure,
    /// The cases, in the order of the plan.
    pub cases: Vec<CaseId>,
    /// Why it changed, as far as the records allow.
    pub cause: Cause,
    /// The reasoning in one sentence.
    pub because: String,
    /// The first cycle in which this pipeline saw the fingerprint.
    pub first_seen_cycle: u32,
    /// In how many cycles it was seen, this one included.
    pub times_seen: u32,
    /// The last good cycle of the case it is traced by: among those that were ever seen otherwise,
    /// the one that has been failing in this way longest.
    pub last_good: Option<CycleRef>,
    /// The first failing cycle of that case.
    pub first_failing: Option<CycleRef>,
    /// Where that case began to fail in this way, when it had been failing in another one. The cause
    /// and the suspects are then those of this change, not of the first failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_changed: Option<FailureChange>,
    /// The commits between last good and first failing, or those of `failure_changed`.
    pub suspects: Vec<Sha>,
    /// The commits with their files, where git could tell.
    #[serde(default)]
    pub commits: Option<CommitRange>,
    /// The commit that did it, when a search found it.
    #[serde(default)]
    pub culprit: Option<Sha>,
    /// What an earlier search says of it, while it goes on as it was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searched: Option<SearchedBefore>,
    /// Its five-whys document.
    #[serde(default)]
    pub investigation: Option<InvestigationId>,
}

impl Cluster {
    /// Whether it began where nothing tells which revision was served, so that no commit can be blamed.
    pub fn is_of_unknown_revision(&self) -> bool {
        let was_otherwise = self.last_good.is_some() || self.failure_changed.is_some();
        self.cause == Cause::Unknown && was_otherwise
    }
}

/// A pass that looks too good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicious {
    /// The case.
    pub case: CaseId,
    /// Why, one phrase.
    pub why: String,
}

/// A removed and a new case that are much alike: offered, not assumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbableRename {
    /// The removed case.
    pub from: CaseId,
    /// The new one.
    pub to: CaseId,
}

/// The state of an investigation (SPEC section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvestigationState {
    /// Nobody has written anything yet.
    New,
    /// A cause was written down.
    Analysed,
    /// Somebody says that a commit fixes it.
    FixClaimed,
    /// A revision with that commit is served.
    FixDeployed,
    /// Its cases pass on such a revision.
    Verified,
    /// It came back.
    Reopened,
    /// Nobody needs to look any more.
    Closed,
}

impl InvestigationState {
    /// Whether somebody may still look for its cause: what it refers to is kept.
    pub fn is_open(self) -> bool {
        match self {
            Self::New | Self::Analysed | Self::FixClaimed | Self::FixDeployed | Self::Reopened => {
                true
            }
            Self::Verified | Self::Closed => false,
        }
    }
}

super::outcome::words!(InvestigationState {
    New => "new", Analysed => "analysed", FixClaimed => "fix_claimed",
    FixDeployed => "fix_deployed", Verified => "verified", Reopened => "reopened",
    Closed => "closed",
});

/// Why the file of an investigation is left on disk as it is: writing it would lose bytes of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftAsItIs {
    /// It is longer than [`LeftAsItIs::MAX_MIB`].
    TooLong,
    /// Its bytes are no UTF-8, or hold NULs as UTF-16 does.
    NotText,
    /// Reading it failed.
    Unreadable,
}

impl LeftAsItIs {
    /// The longest file that is merged, in MiB.
    pub const MAX_MIB: u64 = 4;

    /// What is the matter with the file, after "its file".
    pub fn matter(self) -> String {
        match self {
            Self::TooLong => format!("is longer than {} MiB", Self::MAX_MIB),
            Self::NotText => "is not UTF-8 text".to_owned(),
            Self::Unreadable => "cannot be read".to_owned(),
        }
    }

    /// What is the matter with the file, and what a report then shows, after "its file".
    pub fn words(self) -> String {
        match self {
            Self::TooLong => format!(
                "is longer than {0} MiB and is left as it is; what is shown here is from its first {0} MiB",
                Self::MAX_MIB
            ),
            Self::NotText => {
                "is not UTF-8 text and is left as it is; what is shown here is what could be \
                              read of it (saved as UTF-8, it goes on)"
                    .to_owned()
            }
            Self::Unreadable => {
                "cannot be read and is left as it is; what is shown here is without what \
                                 people wrote in it"
                    .to_owned()
            }
        }
    }
}

/// An investigation as it stood when a report was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvestigationSnapshot {
    /// Its id.
    pub id: InvestigationId,
    /// The name of its file, without folder.
    pub file: String,
    /// Its title.
    pub title: String,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Its state.
    pub state: InvestigationState,
    /// The cycle in which it was opened.
    pub opened_in: u32,
    /// The cycle in which it came back, when it did.
    #[serde(default)]
    pub reopened_in: Option<u32>,
    /// The whys: each question with what people answered.
    #[serde(default)]
    pub whys: Vec<Why>,
    /// Countermeasures that people wrote down.
    #[serde(default)]
    pub countermeasures: Vec<Countermeasure>,
    /// The fixes that were claimed, oldest first, with what became of each up to this cycle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<FixClaim>,
    /// Whatever else people wrote, block by block, as they wrote it.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Everything that people wrote, part by part and line by line: what the file is made of again when
    /// it comes back empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub written: Vec<WrittenPart>,
    /// The rows of the cycles in which it was seen, as they stand in the document, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub occurrences: Vec<String>,
    /// Whether its file was gone or empty, though the investigation is an older one: then it was made
    /// anew from what the records hold of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made_anew: bool,
    /// Why its file was not written in this cycle, when it could not be merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<LeftAsItIs>,
}

/// What people wrote in one part of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenPart {
    /// The name of the part, as in its anchors.
    pub part: String,
    /// The text, as it was.
    pub text: String,
}

/// How the line begins that tells of the closing of an investigation.
pub const CLOSED_BY: &str = "Closed by ";

/// One why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Its number; 1 is the observation.
    pub number: u32,
    /// The question, or for 1 the observation.
    pub question: String,
    /// What people answered; empty while nobody has.
    #[serde(default)]
    pub answers: Vec<String>,
}

/// A countermeasure that should have been taken by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverdueMeasure {
    /// The investigation.
    pub id: InvestigationId,
    /// The countermeasure.
    pub measure: Countermeasure,
}

/// One countermeasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Countermeasure {
    /// What is to be done.
    pub what: String,
    /// prevent, detect or mitigate, as written.
    pub kind: String,
    /// Who.
    pub owner: String,
    /// By when, as written.
    pub due: String,
    /// How urgent, as written.
    pub priority: String,
    /// The commit that did it, as written.
    pub commit: String,
    /// The case that will prove it, as written.
    pub proof: String,
}

impl Countermeasure {
    /// Whether it waits to be taken: one with a commit is done, as far as it claims.
    pub fn is_open(&self) -> bool {
        self.commit.trim().is_empty()
    }

    /// The day by which it is due, when that is written as one: `2026-12-31`.
    pub fn due_on(&self) -> Option<jiff::civil::Date> {
        self.due.trim().parse().ok()
    }
}
