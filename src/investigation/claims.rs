//! Claimed fixes: what a cycle says of each, and the state that follows.
//!
//! A claim counts only in a cycle whose revision contains its commit; any other cycle changes nothing
//! about it. The records and the document may each have claims that the other lacks (a document was
//! deleted, or came from another checkout): both together count, and what a cycle decided stays decided.

use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::domain::claim::{ClaimResult, ClaimSource, FixClaim};
use crate::domain::escape;
use crate::domain::findings::InvestigationState;
use crate::domain::names::{CaseId, InvestigationId, PipelineName};
use crate::domain::outcome::Outcome;
use crate::domain::revision::Sha;

/// The form of an instant in a row.
const INSTANT: &str = "%Y-%m-%d %H:%M:%S UTC";
/// At most so many claims of one investigation are kept, the newest.
pub const MAX_CLAIMS: usize = 100;
/// At most so many investigations are read from one commit's message.
const MAX_IDS: usize = 20;

/// What a cycle saw of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// It is there.
    Failing,
    /// Every case of it ran and passed.
    Passing {
        /// Whether one passed only after a failed attempt.
        flaky: bool,
    },
    /// Neither: a case of it did not run, or fails in another way.
    Undecided,
}

/// What an investigation was before a cycle.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    /// Its state.
    pub state: InvestigationState,
    /// Whether its cases passed in between.
    pub is_gone: bool,
    /// Whether a person wrote a cause.
    pub is_answered: bool,
}

/// What a cycle saw of a failure that is none of its clusters, by the cases in which it was ever seen.
/// `outcome` is `None` for a case that was not planned: in a part of the suite it did not run, else the
/// suite no longer has it.
pub fn sight(
    cases: &[CaseId],
    is_part: bool,
    outcome: impl Fn(&CaseId) -> Option<Outcome>,
) -> Sighting {
    let (mut ran, mut flaky) = (false, false);
    for case in cases {
        match outcome(case) {
            Some(Outcome::Passed) => ran = true,
            Some(Outcome::Flaky) => (ran, flaky) = (true, true),
            Some(Outcome::Failed | Outcome::Errored | Outcome::NotRun | Outcome::Skipped) => {
                return Sighting::Undecided;
            }
            None if is_part => return Sighting::Undecided,
            None => {}
        }
    }
    if ran { Sighting::Passing { flaky } } else { Sighting::Undecided }
}

/// The claims after a cycle. `contains` tells whether the cycle's revision contains a commit.
pub fn judge(
    claims: &[FixClaim],
    seen: Sighting,
    cycle: u32,
    contains: impl Fn(&Sha) -> bool,
) -> Vec<FixClaim> {
    let judged = |claim: &FixClaim| {
        let result = match contains(&claim.commit) {
            true => result_after(claim.result, seen, cycle),
            false => claim.result,
        };
        FixClaim { result, ..claim.clone() }
    };
    claims.iter().map(judged).collect()
}

/// What becomes of a claim in a cycle that contains its commit.
fn result_after(before: ClaimResult, seen: Sighting, cycle: u32) -> ClaimResult {
    match (before, seen) {
        (ClaimResult::Open | ClaimResult::Deployed { .. }, Sighting::Failing) => {
            ClaimResult::Failed { cycle }
        }
        (ClaimResult::Open | ClaimResult::Deployed { .. }, Sighting::Passing { flaky }) => {
            ClaimResult::Verified { cycle, flaky }
        }
        (ClaimResult::Open, Sighting::Undecided) => ClaimResult::Deployed { cycle },
        (ClaimResult::Verified { cycle: verified, .. }, Sighting::Failing) => {
            ClaimResult::CameBack { verified, cycle }
        }
        (ClaimResult::Deployed { .. }, Sighting::Undecided)
        | (ClaimResult::Verified { .. }, Sighting::Passing { .. } | Sighting::Undecided)
        | (ClaimResult::Failed { .. } | ClaimResult::CameBack { .. }, _) => before,
    }
}

/// The state of an investigation after a cycle that judged these claims.
pub fn state_after(
    before: Before,
    seen: Sighting,
    claims: &[FixClaim],
    cycle: u32,
) -> InvestigationState {
    let pending = pending(claims);
    match seen {
        Sighting::Failing => failing(before, claims, pending, cycle),
        Sighting::Passing { .. } if is_verified_in(claims, cycle) => match before.state {
            InvestigationState::Closed => InvestigationState::Closed,
            InvestigationState::New
            | InvestigationState::Analysed
            | InvestigationState::FixClaimed
            | InvestigationState::FixDeployed
            | InvestigationState::Verified
            | InvestigationState::Reopened => InvestigationState::Verified,
        },
        Sighting::Passing { .. } | Sighting::Undecided => match before.state {
            InvestigationState::Verified | InvestigationState::Closed => before.state,
            InvestigationState::New
            | InvestigationState::Analysed
            | InvestigationState::FixClaimed
            | InvestigationState::FixDeployed
            | InvestigationState::Reopened => pending.unwrap_or(before.state),
        },
    }
}

fn failing(
    before: Before,
    claims: &[FixClaim],
    pending: Option<InvestigationState>,
    cycle: u32,
) -> InvestigationState {
    let is_refuted = claims.iter().any(|claim| claim.result.is_refuted_in(cycle));
    // A verified fix that this revision lacks: the failure was to be expected.
    let stands = claims.iter().any(|claim| matches!(claim.result, ClaimResult::Verified { .. }));
    let was_over = match before.state {
        InvestigationState::Closed | InvestigationState::Verified => true,
        InvestigationState::New
        | InvestigationState::Analysed
        | InvestigationState::FixClaimed
        | InvestigationState::FixDeployed
        | InvestigationState::Reopened => false,
    };
    if was_over && stands && !is_refuted {
        return before.state;
    }
    if let Some(pending) = pending {
        return pending;
    }
    if is_refuted || was_over || before.is_gone {
        return InvestigationState::Reopened;
    }
    match before.state {
        InvestigationState::New if before.is_answered => InvestigationState::Analysed,
        InvestigationState::New
        | InvestigationState::Analysed
        | InvestigationState::FixClaimed
        | InvestigationState::FixDeployed
        | InvestigationState::Verified
        | InvestigationState::Reopened
        | InvestigationState::Closed => before.state,
    }
}

/// The state that claims give which wait for a cycle.
fn pending(claims: &[FixClaim]) -> Option<InvestigationState> {
    let any = |wanted: fn(ClaimResult) -> bool| claims.iter().any(|claim| wanted(claim.result));
    if any(|result| matches!(result, ClaimResult::Deployed { .. })) {
        return Some(InvestigationState::FixDeployed);
    }
    any(|result| result == ClaimResult::Open).then_some(InvestigationState::FixClaimed)
}

fn is_verified_in(claims: &[FixClaim], cycle: u32) -> bool {
    claims.iter().any(|claim| claim.result.is_verified_in(cycle))
}

/// The claims of both, oldest first. Of two about one commit the one counts that is further on; in all
/// else the first.
pub fn merge(known: &[FixClaim], other: &[FixClaim]) -> Vec<FixClaim> {
    let mut merged = known.to_vec();
    for claim in other {
        match merged.iter_mut().find(|known| known.commit == claim.commit) {
            None => merged.push(claim.clone()),
            Some(known) if rank(known.result) < rank(claim.result) => known.result = claim.result,
            Some(_) => {}
        }
    }
    merged.sort_by(|a, b| (a.at, &a.commit).cmp(&(b.at, &b.commit)));
    let surplus = merged.len().saturating_sub(MAX_CLAIMS);
    merged.drain(..surplus);
    merged
}

fn rank(result: ClaimResult) -> u8 {
    match result {
        ClaimResult::Open => 0,
        ClaimResult::Deployed { .. } => 1,
        ClaimResult::Verified { .. } => 2,
        ClaimResult::Failed { .. } | ClaimResult::CameBack { .. } => 3,
    }
}

/// The tool's lines about claims; none where there is no claim.
pub fn lines(claims: &[FixClaim]) -> Vec<String> {
    if claims.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        "## Fixes that were claimed".to_owned(),
        String::new(),
        "*A claim counts in cycles whose revision contains its commit.*".to_owned(),
        String::new(),
        "| Commit | Subject | Claimed by | On | How | Result |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(claims.iter().map(row));
    lines
}

fn row(claim: &FixClaim) -> String {
    let subject = match claim.subject.trim() {
        "" => "–".to_owned(),
        subject => escape::cell(subject),
    };
    let at = claim.at.strftime(INSTANT);
    format!(
        "| `{}` | {subject} | {} | {at} | {} | {} |",
        claim.commit, claim.by, claim.source, claim.result
    )
}

/// The claims in the tool's lines of a document. Their subjects stay in git.
pub fn read(lines: &[String]) -> Vec<FixClaim> {
    lines.iter().filter_map(|line| read_row(line)).take(MAX_CLAIMS).collect()
}

fn read_row(line: &str) -> Option<FixClaim> {
    let inner = line.trim_end().strip_prefix("| ")?.strip_suffix(" |")?;
    let cells: Vec<&str> = inner.split(" | ").collect();
    let [commit, _subject, by, at, source, result] = cells.as_slice() else { return None };
    let commit = Sha::parse(commit.strip_prefix('`')?.strip_suffix('`')?).ok()?;
    let at = DateTime::strptime(INSTANT, at).ok()?;
    let at: Timestamp = jiff::tz::TimeZone::UTC.to_timestamp(at).ok()?;
    let claim = FixClaim::new(commit, "", by, at, ClaimSource::parse(source)?);
    Some(FixClaim { result: ClaimResult::parse(result)?, ..claim })
}

/// The investigations of this pipeline that the value of a `Fixes` trailer names: `INV-0003`,
/// `INV-3, INV-0007`, or `web/INV-0001` for one of that pipeline alone. Whatever else stands there,
/// such as the number of an issue, is somebody else's.
pub fn named_in_trailer(value: &str, pipeline: &PipelineName) -> Vec<InvestigationId> {
    let words = value.split([',', ';', ' ', '\t', '\n']).map(|word| word.trim_matches(['.', '#']));
    let mut ids: Vec<InvestigationId> = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        let id = match word.rsplit_once('/') {
            Some((named, id)) if named == pipeline.as_str() => id,
            Some(_) => continue,
            None => word,
        };
        match InvestigationId::parse(id) {
            Some(id) if !ids.contains(&id) && ids.len() < MAX_IDS => ids.push(id),
            Some(_) | None => {}
        }
    }
    ids
}

#[cfg(test)]
mod tests;
