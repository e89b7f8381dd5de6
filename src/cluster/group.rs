//! Puts failures that share a fingerprint together, the worst first, and says why they began.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::cause::{Reason, reason_of};
use super::title::title_of;
use crate::domain::attempt::Attempt;
use crate::domain::commit::CommitRange;
use crate::domain::event::PlannedCase;
use crate::domain::evidence::Evidence;
use crate::domain::failure::Failure;
use crate::domain::findings::{CaseFinding, CaseResult, Cluster, ProbableRename};
use crate::domain::history::{CaseHead, CycleRef, FailureChange, FingerprintSeen};
use crate::domain::names::{CaseId, Fingerprint};
use crate::domain::outcome::Cause;
use crate::domain::revision::Sha;
use crate::domain::spec::Priority;

/// So many clusters, the worst ones, carry their commits with authors and files; the others name
/// them only.
const MAX_WITH_COMMITS: usize = 50;

/// What the groups are made of.
#[derive(Debug, Clone, Copy)]
pub struct Grouping<'a> {
    /// The cycle.
    pub this: &'a CycleRef,
    /// The plan.
    pub plan: &'a [PlannedCase],
    /// What became of its cases, with the failures.
    pub results: &'a [CaseResult],
    /// The attempts of each case: the failure that counts is that of the last.
    pub attempts: &'a HashMap<CaseId, Vec<Attempt>>,
    /// What the comparison said of each case.
    pub findings: &'a [CaseFinding],
    /// Cases that were probably renamed, as the comparison offers them.
    pub renames: &'a [ProbableRename],
    /// The heads *after* this cycle, as `diff::advance_all` makes them; none in a void cycle.
    pub heads: &'a [CaseHead],
    /// What was seen of the fingerprints before this cycle.
    pub seen: &'a [FingerprintSeen],
    /// The commits of each range that [`ranges_needed`] asked for, as far as git could tell.
    pub commits: &'a HashMap<(Sha, Sha), CommitRange>,
}

/// From the last revision without a failure to the first with it, each pair once, in the order of
/// the findings.
pub fn ranges_needed(findings: &[CaseFinding]) -> Vec<(Sha, Sha)> {
    let mut met = HashSet::new();
    let ranges = findings.iter().filter_map(range_of);
    ranges.filter(|range| met.insert(range.clone())).collect()
}

fn range_of(finding: &CaseFinding) -> Option<(Sha, Sha)> {
    if !finding.outcome?.is_failing() {
        return None;
    }
    let (before, since) = (began_after(finding)?, began_in(finding)?);
    (before.revision != since.revision).then(|| (before.revision.clone(), since.revision.clone()))
}

/// The last cycle that did not have the present failure: the case was good in it, or failed in
/// another way.
fn began_after(finding: &CaseFinding) -> Option<&CycleRef> {
    let changed = finding.failure_changed.as_ref().map(|changed| &changed.from);
    changed.or(finding.last_good.as_ref())
}

/// The first cycle that had the present failure.
fn began_in(finding: &CaseFinding) -> Option<&CycleRef> {
    let changed = finding.failure_changed.as_ref().map(|changed| &changed.to);
    changed.or(finding.first_failing.as_ref())
}

/// The clusters of a cycle: those that decide the verdict first, then by priority, then the larger,
/// then by the order of the plan.
pub fn group(grouping: &Grouping<'_>) -> Vec<Cluster> {
    let mut drafts = drafts_of(grouping);
    drafts.sort_by_key(Draft::rank);
    let seen: HashMap<&Fingerprint, &FingerprintSeen> =
        grouping.seen.iter().map(|seen| (&seen.fingerprint, seen)).collect();
    let clusters = drafts.iter().enumerate().map(|(position, draft)| {
        let mut cluster = draft.cluster(grouping, seen.get(draft.fingerprint).copied());
        if position >= MAX_WITH_COMMITS {
            cluster.commits = None;
        }
        cluster
    });
    clusters.collect()
}

/// A failing case with all that is known of it.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    /// Its place among the results.
    pub(super) position: usize,
    /// What became of it.
    pub(super) result: &'a CaseResult,
    failure: &'a Failure,
    planned: Option<&'a PlannedCase>,
    /// What the comparison said.
    pub(super) finding: Option<&'a CaseFinding>,
    /// What the comparison said of the removed case that it probably is under another name.
    pub(super) renamed_from: Option<&'a CaseFinding>,
    /// What is known of it, this cycle included.
    pub(super) head: Option<&'a CaseHead>,
}

impl<'a> Member<'a> {
    /// Whether it does not decide the verdict, and how much it matters: less is worse.
    fn rank(&self) -> (bool, Option<Priority>) {
        let decides = self.planned.is_none_or(PlannedCase::decides);
        (!decides, self.planned.map(|planned| planned.priority))
    }

    pub(super) fn last_good(&self) -> Option<&'a CycleRef> {
        self.finding?.last_good.as_ref()
    }

    pub(super) fn first_failing(&self) -> Option<&'a CycleRef> {
        self.finding?.first_failing.as_ref()
    }

    /// The last cycle that did not have its present failure.
    pub(super) fn began_after(&self) -> Option<&'a CycleRef> {
        began_after(self.finding?)
    }

    /// The first cycle that had its present failure.
    pub(super) fn began_in(&self) -> Option<&'a CycleRef> {
        began_in(self.finding?)
    }

    /// Where its present failure took the place of another one, when it did.
    pub(super) fn failure_changed(&self) -> Option<&'a FailureChange> {
        self.finding?.failure_changed.as_ref()
    }

    /// Everything that had changed when its failure began, the most telling first.
    pub(super) fn causes(&self) -> &'a [Cause] {
        self.head.map_or(&[], |head| &head.causes)
    }
}

/// A cluster in the making.
struct Draft<'a> {
    fingerprint: &'a Fingerprint,
    members: Vec<Member<'a>>,
}

fn drafts_of<'a>(grouping: &Grouping<'a>) -> Vec<Draft<'a>> {
    let plan = InOrder::of(grouping.plan, |planned| &planned.id);
    let findings = InOrder::of(grouping.findings, |finding| &finding.case);
    let heads = InOrder::of(grouping.heads, |head| &head.case);
    let mut places: HashMap<&Fingerprint, usize> = HashMap::new();
    let mut drafts: Vec<Draft<'a>> = Vec::new();
    for (position, result) in grouping.results.iter().enumerate() {
        let Some((fingerprint, failure)) =
            result.failure.as_ref().filter(|_| result.outcome.is_failing())
        else {
            continue;
        };
        let place = *places.entry(fingerprint).or_insert_with(|| {
            drafts.push(Draft { fingerprint, members: Vec::new() });
            drafts.len() - 1
        });
        drafts[place].members.push(Member {
            position,
            result,
            failure,
            planned: plan.find(position, &result.case),
            finding: findings.find(position, &result.case),
            renamed_from: renamed_from(grouping, &result.case),
            head: heads.find(position, &result.case),
        });
    }
    drafts
}

/// Renames are few, and so are removed cases beside them, which stand at the end.
fn renamed_from<'a>(grouping: &Grouping<'a>, case: &CaseId) -> Option<&'a CaseFinding> {
    let rename = grouping.renames.iter().find(|rename| rename.to == *case)?;
    grouping.findings.iter().rev().find(|finding| finding.case == rename.from)
}

/// A list with an entry for each case, which nearly always stands in the order of the results: a map
/// of it is only made for one that does not.
struct InOrder<'a, T> {
    list: &'a [T],
    case_of: fn(&T) -> &CaseId,
    by_case: OnceCell<HashMap<&'a CaseId, &'a T>>,
}

impl<'a, T> InOrder<'a, T> {
    fn of(list: &'a [T], case_of: fn(&T) -> &CaseId) -> Self {
        Self { list, case_of, by_case: OnceCell::new() }
    }

    fn find(&self, position: usize, case: &CaseId) -> Option<&'a T> {
        let case_of = self.case_of;
        if let Some(entry) = self.list.get(position).filter(|entry| case_of(entry) == case) {
            return Some(entry);
        }
        let all = || self.list.iter().map(|entry| (case_of(entry), entry)).collect();
        self.by_case.get_or_init(all).get(case).copied()
    }
}

impl<'a> Draft<'a> {
    fn rank(&self) -> (bool, Option<Priority>, Reverse<usize>, usize) {
        let example = self.example();
        let (not_deciding, priority) = example.rank();
        let first = self.members.first().map_or(0, |member| member.position);
        (not_deciding, priority, Reverse(self.members.len()), first)
    }

    /// The failure that stands for all: that of the case which matters most.
    fn example(&self) -> &Member<'a> {
        let worst = self.members.iter().min_by_key(|member| (member.rank(), member.position));
        worst.expect("a draft has at least the member it was made for")
    }

    fn cluster(&self, grouping: &Grouping<'a>, seen: Option<&FingerprintSeen>) -> Cluster {
        let example = self.example();
        let Reason { cause, because, lead } = reason_of(&self.members);
        // Of which nothing tells that they were served, no commits are suspects.
        let range = lead.finding.filter(|_| cause != Cause::Unknown).and_then(range_of);
        let commits = range.and_then(|range| grouping.commits.get(&range));
        // A cycle that is analysed once more after a crash may have been counted already.
        let seen = seen.filter(|seen| seen.first_cycle <= grouping.this.cycle);
        let counted = seen.is_some_and(|seen| seen.last_cycle >= grouping.this.cycle);
        Cluster {
            fingerprint: self.fingerprint.clone(),
            class: example.failure.class,
            title: title_of(example.failure, evidence_of(grouping, &example.result.case)),
            example: example.failure.clone(),
            cases: self.members.iter().map(|member| member.result.case.clone()).collect(),
            cause,
            because,
            first_seen_cycle: seen.map_or(grouping.this.cycle, |seen| seen.first_cycle),
            times_seen: seen.map_or(0, |seen| seen.times) + u32::from(!counted),
            last_good: lead.last_good().cloned(),
            first_failing: lead.first_failing().cloned(),
            failure_changed: lead.failure_changed().cloned(),
            suspects: commits.map_or_else(Vec::new, |range| {
                range.commits.iter().map(|commit| commit.sha.clone()).collect()
            }),
            commits: commits.cloned(),
            culprit: seen.and_then(|seen| seen.culprit.clone()).filter(|culprit| {
                // What brought it an earlier time need not have brought it back.
                commits.is_some_and(|range| {
                    range.is_cut() || range.commits.iter().any(|commit| commit.sha == *culprit)
                })
            }),
            searched: None,
            investigation: None,
        }
    }
}

fn evidence_of<'a>(grouping: &Grouping<'a>, case: &CaseId) -> &'a Evidence {
    static NONE: LazyLock<Evidence> = LazyLock::new(Evidence::default);
    let attempts = grouping.attempts.get(case).map_or(&[][..], Vec::as_slice);
    attempts.last().map_or_else(|| &*NONE, |attempt| &attempt.evidence)
}

#[cfg(test)]
mod tests;
