//! What earlier cycles left behind for the comparison: one small record a case, kept up to date
//! whenever a cycle with a valid suite ends, so that no comparison ever reads all of history.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::names::{CaseId, Fingerprint};
use super::outcome::{Cause, Outcome, Verdict};
use super::revision::Sha;

/// At most so many runs of a case are remembered one by one (SPEC section 6, `flaky_rate`).
pub const RECENT_RUNS: usize = 50;

/// A cycle and what it tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleRef {
    /// Its number.
    pub cycle: u32,
    /// Its revision.
    pub revision: Sha,
}

/// Where a failing case began to fail in another way, without having been good in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureChange {
    /// The last cycle that saw it fail in the earlier way.
    pub from: CycleRef,
    /// The first cycle that saw it fail in the present way.
    pub to: CycleRef,
}

/// The last known result of a case: an outcome other than `not_run` and `skipped`, from a cycle
/// with a valid suite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownResult {
    /// Where.
    pub at: CycleRef,
    /// What.
    pub outcome: Outcome,
    /// Its fingerprint, when it was failing.
    pub fingerprint: Option<Fingerprint>,
    /// The first line of what its failure said, when it was failing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Arc<str>>,
    /// The digest of the case's definition.
    pub definition: Arc<str>,
    /// The digest of the pipeline's configuration.
    pub config: Arc<str>,
}

/// One run of a case, in sixteen bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentRun {
    /// The cycle.
    pub cycle: u32,
    /// The revision: its first eight hex digits as a number, enough to tell two apart here.
    /// [`RecentRun::REDEFINED`] when the case was defined otherwise then.
    pub revision_key: u32,
    /// How long it took.
    pub duration_ms: u32,
    /// What came of it.
    pub outcome: Outcome,
}

impl RecentRun {
    /// No revision: the run was of another definition of the case, so that it neither contradicts a
    /// present run of the same revision nor says how long one should take.
    pub const REDEFINED: u32 = 0;

    /// Whether the run was of the case as it is defined now.
    pub fn is_of_present_definition(&self) -> bool {
        self.revision_key != Self::REDEFINED
    }

    /// The first eight digits of a revision as a number.
    pub fn key_of(revision: &Sha) -> u32 {
        u32::from_str_radix(&revision.as_str()[..8], 16).unwrap_or(0).max(1)
    }
}

/// What earlier cycles say about one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseHead {
    /// The case.
    pub case: CaseId,
    /// The last cycle with a valid suite that planned it.
    pub planned_in: u32,
    /// Its outcome there, whatever it was.
    pub last_outcome: Outcome,
    /// Its last known result, if it ever had one.
    pub known: Option<KnownResult>,
    /// The last cycle in which it passed (or was flaky).
    pub last_good: Option<CycleRef>,
    /// The first cycle of the present series of failures.
    pub first_failing: Option<CycleRef>,
    /// In how many cycles in a row it has been failing, by known results.
    pub failing_for: u32,
    /// Where the present failure took the place of another one, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_changed: Option<FailureChange>,
    /// The latest failure of it that was a flake: one on a revision that was also good. The same failure on
    /// another revision is then no news of that revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaked_as: Option<Fingerprint>,
    /// Why its present failure began: everything that had changed then, the most telling first.
    /// Kept, because the records that tell it are gone one cycle later.
    #[serde(default)]
    pub causes: Vec<Cause>,
    /// The latest known results, oldest first, at most [`RECENT_RUNS`].
    pub recent: Vec<RecentRun>,
}

impl CaseHead {
    /// That of a case of which nothing is known.
    pub fn never_seen(case: CaseId) -> Self {
        Self {
            case,
            planned_in: 0,
            last_outcome: Outcome::NotRun,
            known: None,
            last_good: None,
            first_failing: None,
            failing_for: 0,
            failure_changed: None,
            flaked_as: None,
            causes: Vec::new(),
            recent: Vec::new(),
        }
    }
}

/// The heads of an environment, found by their cases. A large suite has one list of them from the
/// store to the next comparison; what finds them is small beside it.
#[derive(Debug, Clone, Default)]
pub struct Heads {
    list: Vec<CaseHead>,
    places: HashMap<CaseId, usize>,
}

impl From<Vec<CaseHead>> for Heads {
    /// Of two heads of one case the later counts.
    fn from(list: Vec<CaseHead>) -> Self {
        let places = list.iter().enumerate().map(|(place, head)| (head.case.clone(), place));
        Self { places: places.collect(), list }
    }
}

impl Heads {
    /// The head of a case.
    pub fn get(&self, case: &CaseId) -> Option<&CaseHead> {
        self.places.get(case).map(|place| &self.list[*place])
    }

    /// Where [`Heads::into_list`] will have the head of a case.
    pub fn place_of(&self, case: &CaseId) -> Option<usize> {
        self.places.get(case).copied()
    }

    /// All of them, in the order in which they came.
    pub fn list(&self) -> &[CaseHead] {
        &self.list
    }

    /// All of them, in the order in which they came, to be changed.
    pub fn into_list(self) -> Vec<CaseHead> {
        self.list
    }
}

/// How often a fingerprint was seen in a pipeline before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FingerprintSeen {
    /// The fingerprint.
    pub fingerprint: Fingerprint,
    /// The first cycle.
    pub first_cycle: u32,
    /// The latest cycle.
    pub last_cycle: u32,
    /// In how many cycles.
    pub times: u32,
    /// The commit that brought it, as far as a search found one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub culprit: Option<Sha>,
}

/// One cycle in a line: for lists, the summary's baseline column, and the trend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleSummary {
    /// Its number.
    pub cycle: u32,
    /// Its verdict; `None` while it runs.
    pub verdict: Option<Verdict>,
    /// Why it started, as one phrase.
    pub trigger: String,
    /// Its revision.
    pub revision: Option<super::revision::Revision>,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// When its verdict was decided.
    pub decided_at: Option<jiff::Timestamp>,
    /// The suite's digest.
    pub suite_digest: Option<String>,
    /// The glob that limited its cases (`--only`): about all others it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// How its cases ended.
    pub counts: Counts,
    /// How long the suite took.
    pub suite_ms: Option<u64>,
}

/// How the planned cases of a cycle ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub planned: u32,
    /// Passed at the first attempt.
    pub passed: u32,
    /// Passed after a failed attempt.
    pub flaky: u32,
    /// The service is wrong.
    pub failed: u32,
    /// We could not measure.
    pub errored: u32,
    /// The suite says so.
    pub skipped: u32,
    /// Never executed.
    pub not_run: u32,
}

impl Counts {
    /// Counts one more planned case.
    pub fn add(&mut self, outcome: Outcome) {
        self.planned += 1;
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Flaky => self.flaky += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Errored => self.errored += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::NotRun => self.not_run += 1,
        }
    }

    /// `failed` and `errored`.
    pub fn failing(&self) -> u32 {
        self.failed + self.errored
    }

    /// Cases that ran to a result: what `ran n of m` counts. A skipped case did not run.
    pub fn ran(&self) -> u32 {
        self.passed + self.flaky + self.failing()
    }
}
