//! Claimed fixes in the JSON form of a cycle.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Text, words_of};
use crate::domain::claim::{ClaimSource, FixClaim, FixProgress};
use crate::domain::findings::InvestigationState;

/// A commit that somebody says is the fix of a failure (SPEC section 9).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FixJson<'a> {
    /// The commit.
    pub commit: Text<'a>,
    /// The first line of its message.
    pub subject: Text<'a>,
    /// Who claims it.
    pub by: Text<'a>,
    /// When.
    pub at: String,
    /// How.
    #[schemars(extend("enum" = words_of!(ClaimSource)))]
    pub source: Text<'a>,
    /// What became of it, as `failed in cycle 7`.
    pub result: String,
}

/// Claimed fixes of a failure that this cycle did not see, and says something of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FixProgressJson<'a> {
    /// The investigation.
    pub investigation: Text<'a>,
    /// Its state after the cycle.
    #[schemars(extend("enum" = words_of!(InvestigationState)))]
    pub state: Text<'a>,
    /// Its claims, oldest first.
    pub fixes: Vec<FixJson<'a>>,
}

pub(super) fn fixes(claims: &[FixClaim]) -> Vec<FixJson<'_>> {
    claims.iter().map(fix).collect()
}

fn fix(claim: &FixClaim) -> FixJson<'_> {
    let FixClaim { commit, subject, by, at, source, result } = claim;
    FixJson {
        commit: commit.as_str().into(),
        subject: subject.as_str().into(),
        by: by.as_str().into(),
        at: at.to_string(),
        source: source.as_str().into(),
        result: result.to_string(),
    }
}

pub(super) fn progress(fix: &FixProgress) -> FixProgressJson<'_> {
    FixProgressJson {
        investigation: fix.id.as_str().into(),
        state: fix.state.as_str().into(),
        fixes: fixes(&fix.claims),
    }
}
