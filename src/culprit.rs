//! Which commit broke it (SPEC section 9, "The culprit"): what a search asks next, and what its answers
//! add up to.
//!
//! Pure: it deploys nothing and reads nothing. Each step of a search is a cycle of its own that runs
//! only what regressed; what those cycles recorded goes in, the next question or the result comes out.
//! So a search that was cut off anywhere goes on from the records, and can be simulated.
//!
//! Cases lie now and then. Every attempt is weighed by how often its case is at odds with itself, a
//! commit is called good or bad only when the weight of its attempts says so, and the confidence is the
//! probability of the named commit given every attempt seen.

mod next;
mod result;
mod weigh;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use next::{Question, forget_before_anew, next};
pub use result::result;

use crate::domain::findings::FlakyRate;
use crate::domain::names::{CaseId, Fingerprint};
use crate::domain::revision::Sha;

/// How a search may go about it (SPEC section 3, `culprit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// At most so many deploys, that of the newest revision at the end included.
    pub max_deploys: u32,
    /// At least so many attempts must agree before a commit is called good or bad.
    pub confirm: u32,
}

impl Limits {
    /// After so many runs a revision that still does not answer clearly is left alone.
    fn most_runs(self) -> u32 {
        self.confirm.saturating_mul(10)
    }
}

/// A regressed case that is asked about each commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Witness {
    /// The case.
    pub case: CaseId,
    /// How often it is at odds with itself, as a share.
    pub noise: f64,
}

impl Witness {
    /// A case with what its history says of its steadiness.
    pub fn new(case: CaseId, rate: Option<FlakyRate>) -> Self {
        Self { case, noise: weigh::noise_of(rate) }
    }
}

/// Cases that fail in one way, so probably for one reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Their fingerprint in the cycle that is searched.
    pub fingerprint: Fingerprint,
    /// The cases.
    pub witnesses: Vec<Witness>,
}

/// What is searched, and what was answered so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// The cycle whose regressions are searched.
    pub cycle: u32,
    /// The last good revision, then the first parents after it up to the first bad one: at least two.
    pub line: Vec<Sha>,
    /// The regressed cases, the worst failure first: at least one group. The first one that is not
    /// settled decides what is asked.
    pub groups: Vec<Group>,
    /// What the cycle itself saw of them.
    pub at_the_end: Vec<Answer>,
    /// How it may go about it.
    pub limits: Limits,
    /// The steps so far, in order.
    pub steps: Vec<Step>,
    /// What stands at the end of it.
    pub newest: Newest,
    /// What took away that which is searched.
    pub moot: Option<Moot>,
}

/// Why there is nothing left to ask, whatever was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moot {
    /// The branch was rewritten: its newest revision has the searched one no more in its history.
    Rewritten,
    /// The suite has none of the cases any more.
    CasesRemoved,
}

/// The newest revision that the pipeline tested as a whole: a search leaves the environment with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Which.
    pub revision: Sha,
    /// Whether it is what was deployed last.
    pub is_deployed: bool,
    /// Whether what is searched passes there by now.
    pub is_good: bool,
}

/// A cycle of a search that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its number.
    pub cycle: u32,
    /// What it was about.
    pub revision: Sha,
    /// Whether it deployed, rather than ran the cases once more on what was there.
    pub deployed: bool,
    /// Whether it put the newest revision back, and verified it with the whole suite.
    pub is_return: bool,
    /// What came of it.
    pub outcome: StepOutcome,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepOutcome {
    /// The cases answered.
    Answered(Vec<Answer>),
    /// The revision could not be asked: its deploy failed, it never served, or nothing ran.
    Unusable,
    /// A person ended it.
    Cancelled,
}

/// What one case said in one cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The case.
    pub case: CaseId,
    /// Its attempts that passed.
    pub passed: u32,
    /// Its attempts that failed.
    pub failed: u32,
}
