//! The state of a cycle, arranged for whoever writes about it: each planned case beside its finding
//! and its deciding attempt.
//!
//! It adds no figure of its own. It looks at nothing that is recorded after the verdict was decided,
//! so that a report written again later has the same bytes.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::domain::attempt::Attempt;
use crate::domain::commit::CommitInfo;
use crate::domain::event::{Moment, NotRunReason, PlannedCase, SurfaceReading};
use crate::domain::evidence::{Excerpt, Exchange};
use crate::domain::failure::Failure;
use crate::domain::findings::{CaseFinding, Cluster, Findings, InvestigationSnapshot};
use crate::domain::history::Counts;
use crate::domain::names::CaseId;
use crate::domain::outcome::{Change, Outcome, Phase, Verdict, VoidReason};
use crate::domain::revision::{Revision, Sha};
use crate::domain::spec::Priority;
use crate::domain::state::{CycleState, PhaseRecord};

/// The area of cases that name none.
pub const NO_AREA: &str = "Other";

/// A cycle, arranged.
pub struct View<'a> {
    /// What it is made of.
    pub state: &'a CycleState,
    /// What was found out, once it was.
    pub findings: Option<&'a Findings>,
    /// Every case: planned ones in the order of the plan, then removed ones.
    pub cases: Vec<CaseView<'a>>,
    /// Whether no other file lies beside what is written, so that nothing can be linked.
    pub stands_alone: bool,
    index: HashMap<&'a CaseId, usize>,
    not_run: HashMap<&'a CaseId, &'a NotRunReason>,
}

/// One case of a cycle.
pub struct CaseView<'a> {
    /// Its identity.
    pub id: &'a CaseId,
    /// How it was planned; `None` for a removed case.
    pub planned: Option<&'a PlannedCase>,
    /// What the comparison says.
    pub finding: Option<&'a CaseFinding>,
    /// Its finished attempts.
    pub attempts: &'a [Attempt],
}

impl<'a> View<'a> {
    /// Arranges a cycle.
    pub fn of(state: &'a CycleState) -> Self {
        let findings = state.findings.as_ref().map(|stamped| &*stamped.what);
        let found = findings.map_or(&[][..], |findings| &findings.cases);
        let planned = state.planned();
        let mut cases: Vec<CaseView<'a>> = planned
            .iter()
            .zip(findings_in_order(planned, found))
            .map(|(planned, finding)| CaseView {
                id: &planned.id,
                planned: Some(planned),
                finding,
                attempts: state.attempts_of(&planned.id),
            })
            .collect();
        let mut index: HashMap<&CaseId, usize> =
            cases.iter().enumerate().map(|(at, case)| (case.id, at)).collect();
        for finding in found {
            if !index.contains_key(&finding.case) {
                index.insert(&finding.case, cases.len());
                let (id, attempts) = (&finding.case, state.attempts_of(&finding.case));
                cases.push(CaseView { id, planned: None, finding: Some(finding), attempts });
            }
        }
        let not_run = state.suite_ended.iter().flat_map(|ended| &ended.not_run);
        let not_run = not_run.map(|entry| (&entry.case, &entry.reason)).collect();
        Self { state, findings, cases, stands_alone: false, index, not_run }
    }

    /// The case with that id.
    pub fn case(&self, id: &CaseId) -> Option<&CaseView<'a>> {
        self.index.get(id).map(|&at| &self.cases[at])
    }

    /// Why a planned case did not run, as far as the end of the suite said.
    pub fn not_run_reason(&self, case: &CaseId) -> Option<&'a NotRunReason> {
        self.not_run.get(case).copied()
    }

    /// The verdict, once it was decided.
    pub fn verdict(&self) -> Option<Verdict> {
        let finished = self.state.finished.as_ref().map(|stamped| stamped.what.verdict);
        self.findings.map(|findings| findings.verdict).or(finished)
    }

    /// Why the cycle is void.
    pub fn void_reason(&self) -> Option<VoidReason> {
        let finished = self.state.finished.as_ref().and_then(|stamped| stamped.what.void_reason);
        self.findings.map_or(finished, |findings| findings.void_reason)
    }

    /// Whether the results of the suite count.
    pub fn is_valid(&self) -> bool {
        self.verdict().is_some_and(Verdict::has_valid_suite)
    }

    /// Whether the cycle ended before any case ran, so that what was known before is all there is.
    pub fn is_unreached(&self) -> bool {
        !self.is_valid() && self.changed(Change::NotRun).next().is_some()
    }

    /// When the cycle began.
    pub fn started_at(&self) -> Timestamp {
        self.state.phases.first().map_or(self.state.queued_at, |record| record.started_at)
    }

    /// When the verdict was decided.
    pub fn decided_at(&self) -> Option<Timestamp> {
        let finished = self.state.finished.as_ref().map(|stamped| stamped.at);
        self.state.findings.as_ref().map(|stamped| stamped.at).or(finished)
    }

    /// From the beginning to the verdict.
    pub fn duration_ms(&self) -> Option<u64> {
        let took = self.decided_at()?.duration_since(self.started_at());
        Some(u64::try_from(took.as_millis()).unwrap_or(0))
    }

    /// The revision, once it was resolved.
    pub fn revision(&self) -> Option<&'a Revision> {
        self.state.resolved.as_ref().map(|resolved| &resolved.revision)
    }

    /// The suite's name.
    pub fn suite_name(&self) -> Option<&'a str> {
        let planned = self.state.plan.as_ref().map(|plan| plan.name.as_str());
        planned.or(self.state.queued.definition.suite.as_deref())
    }

    /// The suite's digest.
    pub fn suite_digest(&self) -> Option<&'a str> {
        let planned = self.state.plan.as_ref().map(|plan| plan.digest.as_str());
        planned.or(self.state.queued.definition.suite_digest.as_deref())
    }

    /// How the planned cases ended; before that is known, only how many there are.
    pub fn counts(&self) -> Counts {
        let planned = u32::try_from(self.state.planned().len()).unwrap_or(u32::MAX);
        let unknown = Counts { planned, ..Counts::default() };
        self.findings.map_or(unknown, |findings| findings.counts)
    }

    /// The phases that a report tells about: those that led to the verdict, and the way back after it.
    pub fn phases(&self) -> impl Iterator<Item = &'a PhaseRecord> {
        self.state.phases.iter().filter(|record| match record.phase {
            Phase::Queued
            | Phase::Checkout
            | Phase::Deploy
            | Phase::Ready
            | Phase::Suite
            | Phase::Rollback => true,
            Phase::Diff | Phase::Report | Phase::Notify | Phase::Finished => false,
        })
    }

    /// The cases that pass again on the revision on which they began to fail, and whose own
    /// definition is the same: nobody has fixed anything.
    pub fn fixed_by_no_commit(&self) -> impl Iterator<Item = &CaseView<'a>> {
        let served = self.revision().map(|revision| &revision.sha);
        self.changed(Change::Fixed).filter(move |case| {
            case.finding.is_some_and(|finding| {
                let failed_on = finding.first_failing.as_ref().map(|first| &first.revision);
                !finding.definition_changed && failed_on.is_some() && failed_on == served
            })
        })
    }

    /// The cases that were failing and are no longer planned, but for those that were probably renamed.
    pub fn gone_failing(&self) -> impl Iterator<Item = &CaseView<'a>> {
        let renames = self.findings.map_or(&[][..], |findings| &findings.renames);
        self.changed(Change::Removed).filter(move |case| {
            let was_failing = case.finding.and_then(|finding| finding.before);
            was_failing.is_some_and(Outcome::is_failing)
                && renames.iter().all(|rename| rename.from != *case.id)
        })
    }

    /// The cases with that change, in order.
    pub fn changed(&self, change: Change) -> impl Iterator<Item = &CaseView<'a>> {
        self.cases.iter().filter(move |case| case.change() == Some(change))
    }

    /// The planned cases with that outcome, in order.
    pub fn with_outcome(&self, outcome: Outcome) -> impl Iterator<Item = &CaseView<'a>> {
        self.cases.iter().filter(move |case| case.outcome() == Some(outcome))
    }

    /// The clusters, worst first.
    pub fn clusters(&self) -> &'a [Cluster] {
        self.findings.map_or(&[], |findings| &findings.clusters)
    }

    /// The five-whys document of a cluster, as it stood.
    pub fn investigation(&self, cluster: &Cluster) -> Option<&'a InvestigationSnapshot> {
        self.findings?.investigations.iter().find(|snapshot| match &cluster.investigation {
            Some(id) => snapshot.id == *id,
            None => snapshot.fingerprint == cluster.fingerprint,
        })
    }

    /// Whether it is a step of a search, which asks an older commit about some cases.
    pub fn is_question(&self) -> bool {
        self.state.queued.options.is_question()
    }

    /// What is known about a commit between the two revisions, or about the tested one itself.
    pub fn commit(&self, cluster: &'a Cluster, sha: &Sha) -> Option<&'a CommitInfo> {
        let ranges = [cluster.commits.as_ref(), self.findings?.commits.as_ref()];
        ranges.into_iter().flatten().flat_map(|range| &range.commits).find(|c| c.sha == *sha)
    }

    /// What each surface said: the first reading before the suite that counts, and the last after.
    pub fn surfaces(&self) -> Vec<SurfaceView<'a>> {
        let mut surfaces: Vec<SurfaceView<'a>> = Vec::new();
        for read in &self.state.surfaces {
            for reading in &read.what.surfaces {
                let at = surfaces.iter().position(|view| view.name == reading.surface);
                let at = at.unwrap_or_else(|| {
                    surfaces.push(SurfaceView::named(&reading.surface));
                    surfaces.len() - 1
                });
                match read.what.moment {
                    Moment::Before => surfaces[at].before = Some(reading),
                    Moment::During => surfaces[at].during.push(reading),
                    Moment::After => surfaces[at].after = Some(reading),
                }
            }
        }
        surfaces
    }

    /// The name of a cycle's file without its ending: `cycle-0007`.
    pub fn file_stem(&self) -> String {
        file_stem(self.state.queued.cycle)
    }
}

/// The finding of each planned case. Findings stand in the order of the plan, so a map is only made
/// when they do not.
fn findings_in_order<'a>(
    planned: &[PlannedCase],
    found: &'a [CaseFinding],
) -> Vec<Option<&'a CaseFinding>> {
    let is_in_order = planned.len() <= found.len()
        && planned.iter().zip(found).all(|(planned, finding)| planned.id == finding.case);
    if is_in_order {
        return found.iter().take(planned.len()).map(Some).collect();
    }
    let by_case: HashMap<&CaseId, &CaseFinding> =
        found.iter().map(|finding| (&finding.case, finding)).collect();
    planned.iter().map(|planned| by_case.get(&planned.id).copied()).collect()
}

/// The name of a cycle's file without its ending: `cycle-0007`.
pub fn file_stem(cycle: u32) -> String {
    format!("cycle-{cycle:04}")
}

/// What one surface said over a cycle.
pub struct SurfaceView<'a> {
    /// Its name.
    pub name: &'a str,
    /// The reading that let the suite start, or the last one before readiness was given up.
    pub before: Option<&'a SurfaceReading>,
    /// Readings while the suite ran.
    pub during: Vec<&'a SurfaceReading>,
    /// The reading after the suite.
    pub after: Option<&'a SurfaceReading>,
}

impl<'a> SurfaceView<'a> {
    fn named(name: &'a str) -> Self {
        Self { name, before: None, during: Vec::new(), after: None }
    }

    /// The latest reading.
    pub fn latest(&self) -> Option<&'a SurfaceReading> {
        self.after.or(self.during.last().copied()).or(self.before)
    }
}

impl<'a> CaseView<'a> {
    /// Its outcome, once it was decided; `None` for a removed case.
    pub fn outcome(&self) -> Option<Outcome> {
        self.finding?.outcome
    }

    /// Whether it is failing.
    pub fn is_failing(&self) -> bool {
        self.outcome().is_some_and(Outcome::is_failing)
    }

    /// What became of it.
    pub fn change(&self) -> Option<Change> {
        self.finding?.change
    }

    /// Its name for people.
    pub fn name(&self) -> &'a str {
        self.planned.map_or(self.id.as_str(), |planned| planned.name.as_str())
    }

    /// Its area.
    pub fn area(&self) -> &'a str {
        self.planned.and_then(|planned| planned.area.as_deref()).unwrap_or(NO_AREA)
    }

    /// How much it matters; a removed case has none.
    pub fn priority(&self) -> Option<Priority> {
        self.planned.map(|planned| planned.priority)
    }

    /// What it means for the business when it fails.
    pub fn impact(&self) -> Option<&'a str> {
        self.planned.and_then(|planned| planned.impact.as_deref())
    }

    /// Whether its outcome decides the verdict.
    pub fn decides(&self) -> bool {
        self.planned.is_some_and(PlannedCase::decides)
    }

    /// The attempt that decided: of a failing case the last that did not pass, else the last that
    /// did, else the last of all.
    pub fn deciding(&self) -> Option<&'a Attempt> {
        let wants_failure = self.is_failing();
        let fits = |attempt: &&Attempt| attempt.failure.is_some() == wants_failure;
        self.attempts.iter().rev().find(fits).or(self.attempts.last())
    }

    /// Why it is failing.
    pub fn failure(&self) -> Option<&'a Failure> {
        self.deciding().filter(|_| self.is_failing())?.failure.as_deref()
    }

    /// Why the suite skips it, where it says so.
    pub fn skipped_because(&self) -> Option<&'a str> {
        self.attempts.last()?.skipped.as_deref().filter(|why| !why.is_empty())
    }

    /// What a test tool says about its failure, beyond one line.
    pub fn output(&self) -> Option<&'a Excerpt> {
        self.deciding().filter(|_| self.is_failing())?.evidence.output.as_deref()
    }

    /// The exchange that shows most: of a failing case the last one of the failing step, else the
    /// last one that got an answer.
    pub fn telling_exchange(&self) -> Option<&'a Exchange> {
        let attempt = self.deciding()?;
        let exchanges = &attempt.evidence.exchanges;
        let step = attempt.failure.as_ref().and_then(|failure| failure.step.as_deref());
        let of_step = exchanges.iter().rev().find(|e| Some(e.step.as_str()) == step);
        let answered = exchanges.iter().rev().find(|e| e.remote.is_some());
        of_step.or(answered).or(exchanges.last())
    }
}
