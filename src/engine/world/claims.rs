//! Claimed fixes: who claims one, and whether this cycle's revision contains it. What follows is decided
//! by `investigation::claims`; nothing here decides.

use std::collections::{HashMap, HashSet};

use super::World;
use crate::domain::claim::{ClaimResult, ClaimSource, FixClaim, FixProgress};
use crate::domain::findings::{Cluster, Findings, InvestigationState};
use crate::domain::names::InvestigationId;
use crate::domain::outcome::Verdict;
use crate::domain::revision::Sha;
use crate::engine::{EngineError, Journal};
use crate::git::{Mirror, RevisionSpec, Trailered};
use crate::investigation::claims::{self, Before, Sighting};
use crate::investigation::named_in_trailer;
use crate::store::{InvestigationRow, Which};

/// The trailer that claims a fix.
const TRAILER: &str = "Fixes";

/// The claims of each investigation.
pub(super) type Claims = HashMap<InvestigationId, Vec<FixClaim>>;

/// Where claims are looked for.
pub(super) struct Claimed<'a> {
    /// The investigations of this cycle's failures.
    pub(super) linked: &'a [InvestigationRow],
    /// All others.
    pub(super) others: &'a [InvestigationRow],
    /// What the documents of the linked ones say.
    pub(super) written: Claims,
}

impl World {
    /// Every claim as this cycle judges it, and what it says of those about failures that are not linked.
    pub(super) async fn judge_claims(
        &self,
        journal: &Journal,
        findings: &Findings,
        claimed: Claimed<'_>,
    ) -> Result<(Claims, Vec<FixProgress>), EngineError> {
        let Claimed { linked, others, written } = claimed;
        let rows: Vec<&InvestigationRow> = linked.iter().chain(others).collect();
        let mut known = self.known_claims(journal, findings, &rows).await?;
        for (id, written) in written {
            let claims = known.entry(id).or_default();
            *claims = claims::merge(claims, &written);
            self.name_subjects(claims).await;
        }
        let contained = self.contained(journal, findings.verdict, known.values().flatten()).await;
        for row in linked {
            if let Some(claims) = known.get_mut(&row.id) {
                let has = |commit: &Sha| contained.contains(commit);
                *claims = claims::judge(claims, Sighting::Failing, journal.key().cycle, has);
            }
        }
        let progress = self.progress(journal, findings, others, &known, &contained).await?;
        Ok((known, progress))
    }

    /// Documents do not say in a form that can be read back what a commit is about; git does.
    async fn name_subjects(&self, claims: &mut [FixClaim]) {
        for claim in claims.iter_mut().filter(|claim| claim.subject.is_empty()) {
            let Ok(mirror) = self.mirror_as_it_is().await else { return };
            if let Ok(found) = mirror.resolve(RevisionSpec::Commit(claim.commit.clone())).await {
                claim.subject = found.subject;
            }
        }
    }

    /// The claims of the records and of the commits that came with this revision.
    async fn known_claims(
        &self,
        journal: &Journal,
        findings: &Findings,
        rows: &[&InvestigationRow],
    ) -> Result<Claims, EngineError> {
        let pipeline = &journal.key().pipeline;
        let stored = journal.store().fix_claims(pipeline).await?;
        let mut known: Claims = stored.into_iter().map(|of| (of.id, of.claims)).collect();
        for found in self.trailers(journal, findings, rows).await {
            let ids = found.values.iter().flat_map(|value| named_in_trailer(value, pipeline));
            for id in ids {
                let Some(row) = rows.iter().find(|row| row.id == id) else { continue };
                if self.claims_in_time(journal, row, &found.commit.sha).await? {
                    let (sha, time) = (found.commit.sha.clone(), found.commit.time);
                    let (subject, by) = (&found.commit.subject, &found.commit.author);
                    let claim = FixClaim::new(sha, subject, by, time, ClaimSource::Trailer);
                    let claims = known.entry(id).or_default();
                    *claims = claims::merge(claims, &[claim]);
                }
            }
        }
        Ok(known)
    }

    /// The commits since the baseline that claim something. Without git nobody claims by a trailer.
    async fn trailers(
        &self,
        journal: &Journal,
        findings: &Findings,
        rows: &[&InvestigationRow],
    ) -> Vec<Trailered> {
        let Some(resolved) = &journal.state().resolved else { return Vec::new() };
        let to = &resolved.revision.sha;
        let baseline = findings.baseline.as_ref().and_then(|baseline| baseline.revision.as_ref());
        let from = baseline.map(|revision| &revision.sha);
        if rows.is_empty() || from == Some(to) {
            return Vec::new();
        }
        let Ok(mirror) = self.mirror_as_it_is().await else { return Vec::new() };
        mirror.trailered(from, to, TRAILER).await.unwrap_or_else(|fault| {
            tracing::warn!(%fault, "cannot look for claimed fixes before {}", to.short());
            Vec::new()
        })
    }

    /// Whether a commit is younger than the failure: one that the first bad revision had already does
    /// not fix it, and its trailer means another failure of that number.
    async fn claims_in_time(
        &self,
        journal: &Journal,
        row: &InvestigationRow,
        commit: &Sha,
    ) -> Result<bool, EngineError> {
        if row.opened_in >= journal.key().cycle {
            return Ok(false);
        }
        let opened =
            journal.store().find_cycle(&row.pipeline, Which::Number(row.opened_in)).await?;
        let Some(revision) = opened.and_then(|opened| opened.summary.revision) else {
            return Ok(true);
        };
        let Ok(mirror) = self.mirror_as_it_is().await else { return Ok(true) };
        Ok(!contains(mirror, &revision.sha, commit).await)
    }

    /// Of these claims the commits that this cycle's revision contains. None in a cycle that decides
    /// nothing about claims.
    async fn contained(
        &self,
        journal: &Journal,
        verdict: Verdict,
        claims: impl Iterator<Item = &FixClaim> + Send,
    ) -> HashSet<Sha> {
        let decides = match verdict {
            Verdict::Green | Verdict::Red => true,
            Verdict::Incomplete
            | Verdict::Void
            | Verdict::DeployFailed
            | Verdict::NotReady
            | Verdict::Superseded
            | Verdict::Cancelled => false,
        };
        let resolved = journal.state().resolved.as_ref().filter(|_| decides);
        let Some(resolved) = resolved else { return HashSet::new() };
        let may_change = |claim: &&FixClaim| {
            claim.result.is_pending() || matches!(claim.result, ClaimResult::Verified { .. })
        };
        let commits: HashSet<&Sha> = claims.filter(may_change).map(|claim| &claim.commit).collect();
        let mut found = HashSet::new();
        if commits.is_empty() {
            return found;
        }
        let Ok(mirror) = self.mirror_as_it_is().await else { return found };
        for commit in commits {
            if contains(mirror, &resolved.revision.sha, commit).await {
                found.insert(commit.clone());
            }
        }
        found
    }

    /// What this cycle says of claims about failures that it did not link: they are gone, did not run, or
    /// are too many.
    async fn progress(
        &self,
        journal: &Journal,
        findings: &Findings,
        rows: &[InvestigationRow],
        known: &Claims,
        contained: &HashSet<Sha>,
    ) -> Result<Vec<FixProgress>, EngineError> {
        let mut progress = Vec::new();
        for row in rows {
            let Some(claims) = known.get(&row.id) else { continue };
            if !claims.iter().any(|claim| claim.result.is_pending()) {
                continue;
            }
            let seen = self.seen(journal, findings, row).await?;
            let cycle = journal.key().cycle;
            let judged = claims::judge(claims, seen, cycle, |sha| contained.contains(sha));
            let before = Before { state: row.state, is_gone: false, is_answered: false };
            let state = claims::state_after(before, seen, &judged, cycle);
            if judged == *claims && state == row.state {
                continue;
            }
            let (id, file, about) = (row.id.clone(), row.file(), row.about());
            progress.push(FixProgress { id, file, about, state, claims: judged });
        }
        Ok(progress)
    }

    async fn seen(
        &self,
        journal: &Journal,
        findings: &Findings,
        row: &InvestigationRow,
    ) -> Result<Sighting, EngineError> {
        let same = |cluster: &Cluster| cluster.fingerprint == row.fingerprint;
        if findings.clusters.iter().any(same) {
            return Ok(Sighting::Failing);
        }
        let cases = journal.store().investigated_cases(&row.pipeline, &row.id).await?;
        let state = journal.state();
        let renamed: HashMap<_, _> = state
            .planned()
            .iter()
            .flat_map(|planned| planned.was.iter().map(move |was| (was, &planned.id)))
            .collect();
        let outcomes: HashMap<_, _> = findings
            .cases
            .iter()
            .filter_map(|finding| Some((&finding.case, finding.outcome?)))
            .collect();
        let is_part = state.queued.options.only.is_some();
        Ok(claims::sight(&cases, is_part, |case| {
            let now = renamed.get(case).copied().unwrap_or(case);
            outcomes.get(now).copied()
        }))
    }
}

/// Whether a revision contains a commit. One that the repository does not have is in none.
async fn contains(mirror: &Mirror, revision: &Sha, commit: &Sha) -> bool {
    mirror.is_ancestor(commit, revision).await.unwrap_or_else(|fault| {
        tracing::info!(%fault, "a claimed fix is not in {}", revision.short());
        false
    })
}

/// The cycle in which an investigation came back, when this one made it so.
pub(super) fn reopened(state: InvestigationState, cycle: u32) -> Option<u32> {
    (state == InvestigationState::Reopened).then_some(cycle)
}
