//! What a search for the commit that broke a cycle came to (SPEC section 9, "The culprit").

use serde::{Deserialize, Serialize};

use super::names::{CaseId, Fingerprint};
use super::revision::Sha;

/// Everything that a search found out, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchResult {
    /// The cycle whose regressions were searched.
    pub cycle: u32,
    /// The commit that broke its worst failure, when one was confirmed.
    pub culprit: Option<Sha>,
    /// What it lies with, as far as the answers say.
    pub cause: SearchCause,
    /// How probable that is given every attempt seen, 0 to 1: of the culprit where there is one, else of
    /// the cause.
    pub confidence: f64,
    /// How many deploys it took.
    pub deploys: u32,
    /// Each revision that was deployed, in order, with what the worst failure's cases said there.
    pub steps: Vec<SearchStep>,
    /// How it ended.
    pub ending: SearchEnding,
    /// Why, one sentence.
    pub because: String,
    /// The same for each failure that was searched, the worst first.
    pub failures: Vec<SearchedFailure>,
}

impl SearchResult {
    /// How sure the answer is, in words; `None` where nothing is answered.
    pub fn sureness(&self) -> Option<String> {
        let is_answered = self.culprit.is_some() || self.cause == SearchCause::Environment;
        is_answered.then(|| sure(self.confidence))
    }
}

/// A probability as people read it: nothing that was found by trying is certain.
pub fn sure(probability: f64) -> String {
    format!("{:.1} % sure", (probability * 100.0).min(99.9))
}

/// What lies behind a regression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchCause {
    /// A commit.
    Code,
    /// Something else than a commit.
    Environment,
}

super::outcome::words!(SearchCause { Code => "code", Environment => "environment" });

/// A revision that a search deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchStep {
    /// Which.
    pub revision: Sha,
    /// What the cases said there.
    pub answer: SearchAnswer,
    /// How many times they ran there.
    pub runs: u32,
    /// The cycles in which they did.
    pub cycles: Vec<u32>,
}

/// What the records say about one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchAnswer {
    /// The cases pass there.
    Good,
    /// They fail there.
    Bad,
    /// Attempts disagree, or there are too few.
    Unclear,
    /// It cannot be deployed, or the cases do not run there.
    Unusable,
}

super::outcome::words!(SearchAnswer {
    Good => "good", Bad => "bad", Unclear => "unclear", Unusable => "unusable",
});

/// How a search ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchEnding {
    /// It goes on.
    Open,
    /// A commit and its parent are both confirmed.
    Found,
    /// The last good revision fails now, too: it is no commit.
    BaselineFails,
    /// The revision that failed passes now: it was no commit.
    Gone,
    /// The last good revision cannot be asked.
    BaselineUnusable,
    /// All that is left cannot be asked, or does not answer clearly.
    #[default]
    Undecided,
    /// No more deploys are allowed.
    OutOfDeploys,
    /// A person ended it.
    Cancelled,
    /// A newer revision was tested, and passes.
    Overtaken,
    /// The branch was rewritten, without the commits that are searched.
    Rewritten,
    /// The suite has none of the cases any more.
    CasesRemoved,
}

super::outcome::words!(SearchEnding {
    Open => "open", Found => "found", BaselineFails => "baseline_fails", Gone => "gone",
    BaselineUnusable => "baseline_unusable", Undecided => "undecided",
    OutOfDeploys => "out_of_deploys", Cancelled => "cancelled", Overtaken => "overtaken",
    Rewritten => "rewritten", CasesRemoved => "cases_removed",
});

/// What a search says of one failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchedFailure {
    /// The failure, by its fingerprint in the cycle that was searched.
    pub fingerprint: Fingerprint,
    /// The cases that were asked.
    pub cases: Vec<CaseId>,
    /// The commit that broke them, when it and its parent are confirmed.
    pub culprit: Option<Sha>,
    /// How probable the answer is, 0 to 1: that commit, or that no commit did it; where nothing is
    /// answered, the likeliest suspect.
    pub confidence: f64,
    /// The commits that may still have done it, oldest first: those that no answer rules out.
    pub suspects: Vec<Sha>,
    /// How the search for it ended.
    #[serde(default)]
    pub ending: SearchEnding,
    /// Why, one sentence.
    #[serde(default)]
    pub because: String,
}

/// What an earlier search says of a failure that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchedBefore {
    /// The cycle that ended the search.
    pub cycle: u32,
    /// What it says.
    pub answer: SearchedFailure,
}

impl SearchedFailure {
    /// Whether no commit did it.
    pub fn is_environment(&self) -> bool {
        self.ending.is_environment()
    }
}

impl SearchEnding {
    /// Whether it says that no commit did it.
    pub fn is_environment(self) -> bool {
        match self {
            Self::BaselineFails | Self::Gone => true,
            Self::Open
            | Self::Found
            | Self::BaselineUnusable
            | Self::Undecided
            | Self::OutOfDeploys
            | Self::Cancelled
            | Self::Overtaken
            | Self::Rewritten
            | Self::CasesRemoved => false,
        }
    }
}
