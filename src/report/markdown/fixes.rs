//! Claimed fixes: what this cycle says of them on top and in the next actions, and what was tried before
//! in the section of a failure.

use super::short;
use crate::domain::claim::{ClaimResult, FixClaim};
use crate::domain::escape;
use crate::domain::findings::{Cluster, InvestigationState};
use crate::domain::names::InvestigationId;
use crate::report::view::View;
use crate::report::words;

/// At most so many claims are told on top, and so many of one failure.
const MAX_TOLD: usize = 5;
const MAX_TRIED: usize = 10;

/// The claims that this cycle decided, one sentence each: first those that failed.
pub fn notes(view: &View<'_>) -> Vec<String> {
    let cycle = view.state.queued.cycle;
    let mut told: Vec<String> = Vec::new();
    for (id, claims, _) in claimed(view) {
        let refuted = claims.iter().filter(|claim| claim.result.is_refuted_in(cycle));
        told.extend(refuted.map(|claim| refuted_note(id, claim)));
    }
    for (id, claims, _) in claimed(view) {
        let moved = claims.iter().filter_map(|claim| hopeful_note(id, claim, cycle));
        told.extend(moved);
    }
    let more = told.len().saturating_sub(MAX_TOLD);
    told.truncate(MAX_TOLD);
    if more > 0 {
        told.push(format!("… and {more} more claimed fixes that this cycle says something of."));
    }
    told
}

/// Every investigation of this cycle that has claims.
fn claimed<'a>(
    view: &View<'a>,
) -> impl Iterator<Item = (&'a InvestigationId, &'a [FixClaim], InvestigationState)> {
    let findings = view.findings;
    let here = findings.into_iter().flat_map(|findings| &findings.investigations);
    let here = here.map(|seen| (&seen.id, seen.claims.as_slice(), seen.state));
    let others = findings.into_iter().flat_map(|findings| &findings.fixes);
    here.chain(others.map(|fix| (&fix.id, fix.claims.as_slice(), fix.state)))
}

fn refuted_note(id: &InvestigationId, claim: &FixClaim) -> String {
    let commit = commit(claim);
    match claim.result {
        ClaimResult::CameBack { verified, .. } => format!(
            "**A verified fix no longer holds:** {commit} was verified for {id} in cycle {verified}; \
             the failure is back on a revision that contains it."
        ),
        ClaimResult::Failed { .. }
        | ClaimResult::Open
        | ClaimResult::Deployed { .. }
        | ClaimResult::Verified { .. } => format!(
            "**Claimed fix failed:** {commit} does not repair {id}; its failure is still there on a \
             revision that contains it."
        ),
    }
}

fn hopeful_note(id: &InvestigationId, claim: &FixClaim, this: u32) -> Option<String> {
    let commit = commit(claim);
    match claim.result {
        ClaimResult::Verified { cycle, flaky } if cycle == this => {
            let but = if flaky { " (one only after a failed attempt)" } else { "" };
            Some(format!("**Fix verified:** with {commit} every case of {id} passes{but}."))
        }
        ClaimResult::Deployed { cycle } if cycle == this => Some(format!(
            "**Fix deployed, not verified:** {commit} is in this revision, but not every case of {id} \
             ran and passed."
        )),
        ClaimResult::Open
        | ClaimResult::Deployed { .. }
        | ClaimResult::Verified { .. }
        | ClaimResult::Failed { .. }
        | ClaimResult::CameBack { .. } => None,
    }
}

/// A commit with its subject and who claimed it.
fn commit(claim: &FixClaim) -> String {
    let (subject, by) = (escape::text(&claim.subject), escape::text(&claim.by));
    match subject.as_str() {
        "" => format!("{} (claimed by {by})", short(&claim.commit)),
        subject => format!("{} {subject} (claimed by {by})", short(&claim.commit)),
    }
}

/// What was tried before for a failure, for a cell of its table.
pub fn tried(view: &View<'_>, cluster: &Cluster) -> Option<String> {
    let claims = &view.investigation(cluster)?.claims;
    let skipped = claims.len().saturating_sub(MAX_TRIED);
    let mut lines: Vec<String> = claims[skipped..].iter().map(tried_line).collect();
    if skipped > 0 {
        lines.insert(0, format!("{} before", words::count(skipped as u64, "claim", "claims")));
    }
    (!lines.is_empty()).then(|| lines.join("<br>"))
}

fn tried_line(claim: &FixClaim) -> String {
    let subject = escape::cell(&claim.subject);
    let subject = if subject.is_empty() { subject } else { format!(" {subject}") };
    let result = match claim.result {
        ClaimResult::Open => "waits: no cycle with results had it".to_owned(),
        ClaimResult::Failed { cycle } => format!("**claimed fix failed** in cycle {cycle}"),
        ClaimResult::Deployed { .. }
        | ClaimResult::Verified { .. }
        | ClaimResult::CameBack { .. } => claim.result.to_string(),
    };
    let (by, on) = (escape::cell(&claim.by), claim.at.strftime("%Y-%m-%d %H:%M UTC"));
    format!("{}{subject} ({by}, {on}): {result}", short(&claim.commit))
}

/// The claims of a failure that this cycle refuted, and what to do.
pub fn actions(view: &View<'_>, claims: &[FixClaim], id: &InvestigationId) -> Vec<String> {
    let cycle = view.state.queued.cycle;
    let refuted = claims.iter().filter(|claim| claim.result.is_refuted_in(cycle));
    refuted
        .map(|claim| match claim.result.came_back_in(cycle) {
            true => format!(
                "A verified fix no longer holds: find out why the failure of {id} could come back \
                 although {} is in this revision.",
                commit(claim)
            ),
            false => {
                format!("Claimed fix failed: find out why {} does not repair {id}.", commit(claim))
            }
        })
        .collect()
}
