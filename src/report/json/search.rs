//! A search in the JSON form of the cycle that ended it, and as `culprit --json` prints it.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Text, words_of};
use crate::domain::search::{
    SearchAnswer, SearchCause, SearchEnding, SearchResult, SearchStep, SearchedFailure,
};

/// A search for the commit that broke a cycle (SPEC section 9), as `culprit --json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchJson<'a> {
    /// The cycle whose regressions were searched.
    pub cycle: u32,
    /// The commit that broke its worst failure, when one was confirmed.
    pub culprit: Option<Text<'a>>,
    /// What it lies with.
    #[schemars(extend("enum" = words_of!(SearchCause)))]
    pub cause: Text<'a>,
    /// How probable that is given every attempt seen, 0 to 1.
    pub confidence: f64,
    /// How many deploys it took.
    pub deploys: u32,
    /// Each revision that was deployed, in order.
    pub steps: Vec<SearchStepJson<'a>>,
    /// How it ended.
    #[schemars(extend("enum" = words_of!(SearchEnding)))]
    pub ending: Text<'a>,
    /// Why, one sentence.
    pub because: Text<'a>,
    /// The same for each failure, the worst first.
    pub failures: Vec<SearchedFailureJson<'a>>,
}

/// A revision that a search deployed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchStepJson<'a> {
    /// Which.
    pub revision: Text<'a>,
    /// What the cases said there.
    #[schemars(extend("enum" = words_of!(SearchAnswer)))]
    pub answer: Text<'a>,
    /// How many times they ran there.
    pub runs: u32,
    /// The cycles in which they did.
    pub cycles: Vec<u32>,
}

/// What a search says of one failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchedFailureJson<'a> {
    /// Its fingerprint in the cycle that was searched.
    pub fingerprint: Text<'a>,
    /// The cases that were asked.
    pub cases: Vec<Text<'a>>,
    /// The commit that broke them.
    pub culprit: Option<Text<'a>>,
    /// How probable that is, 0 to 1.
    pub confidence: f64,
    /// The commits that no answer rules out, oldest first.
    pub suspects: Vec<Text<'a>>,
    /// How the search for it ended.
    #[schemars(extend("enum" = words_of!(SearchEnding)))]
    pub ending: Text<'a>,
    /// Why, one sentence.
    pub because: Text<'a>,
}

impl<'a> SearchJson<'a> {
    /// A search as the form says it.
    pub fn of(result: &'a SearchResult) -> Self {
        Self {
            cycle: result.cycle,
            culprit: result.culprit.as_ref().map(|sha| borrowed(sha.as_str())),
            cause: borrowed(result.cause.as_str()),
            confidence: result.confidence,
            deploys: result.deploys,
            steps: result.steps.iter().map(search_step).collect(),
            ending: borrowed(result.ending.as_str()),
            because: borrowed(&result.because),
            failures: result.failures.iter().map(searched).collect(),
        }
    }
}

fn search_step(step: &SearchStep) -> SearchStepJson<'_> {
    SearchStepJson {
        revision: borrowed(step.revision.as_str()),
        answer: borrowed(step.answer.as_str()),
        runs: step.runs,
        cycles: step.cycles.clone(),
    }
}

fn searched(failure: &SearchedFailure) -> SearchedFailureJson<'_> {
    SearchedFailureJson {
        fingerprint: borrowed(failure.fingerprint.as_str()),
        cases: failure.cases.iter().map(|case| borrowed(case.as_str())).collect(),
        culprit: failure.culprit.as_ref().map(|sha| borrowed(sha.as_str())),
        confidence: failure.confidence,
        suspects: failure.suspects.iter().map(|sha| borrowed(sha.as_str())).collect(),
        ending: borrowed(failure.ending.as_str()),
        because: borrowed(&failure.because),
    }
}

fn borrowed(text: &str) -> Text<'_> {
    Cow::Borrowed(text)
}
