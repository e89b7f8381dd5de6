//! What a cycle leaves behind for the next comparison, and why a failure began.

use std::collections::HashMap;
use std::sync::Arc;

use super::figures::{explains, is_good};
use super::{Comparison, Tested};
use crate::domain::change::{Seen, differ};
use crate::domain::findings::{CaseFinding, CaseResult};
use crate::domain::history::{
    CaseHead, CycleRef, FailureChange, Heads, KnownResult, RECENT_RUNS, RecentRun,
};
use crate::domain::names::CaseId;
use crate::domain::outcome::{Cause, Outcome};

/// The head of a case after a cycle with a valid suite that planned it.
///
/// `head` is the one it had before, be it under an earlier id. A void cycle never advances a head:
/// nothing is ever compared with it.
pub fn advance(
    head: Option<CaseHead>,
    result: &CaseResult,
    this: &CycleRef,
    config_digest: &Arc<str>,
    tested: Tested,
) -> CaseHead {
    let mut head = head.unwrap_or_else(|| CaseHead::never_seen(result.case.clone()));
    go_on_with(&mut head, result, this, config_digest, tested);
    head
}

/// Advances a head where it is: a hundred thousand of them are not copied.
fn go_on_with(
    head: &mut CaseHead,
    result: &CaseResult,
    this: &CycleRef,
    config_digest: &Arc<str>,
    tested: Tested,
) {
    let causes = causes_after(head, result, this, config_digest, tested);
    if result.outcome.is_known() && is_redefined(head, result) {
        head.recent.iter_mut().for_each(|run| run.revision_key = RecentRun::REDEFINED);
    }
    let Series { last_good, first_failing, failing_for, failure_changed } =
        series_after(head, result, this);
    if result.outcome.is_known() {
        head.known = Some(known_result(result, this, config_digest));
    }
    head.case = result.case.clone();
    head.planned_in = this.cycle;
    head.last_outcome = result.outcome;
    head.last_good = last_good;
    head.first_failing = first_failing;
    head.failing_for = failing_for;
    head.failure_changed = failure_changed;
    if result.outcome.is_failing() && causes.contains(&Cause::Flake) {
        head.flaked_as = Seen::from(result).fingerprint.cloned();
    }
    head.causes = causes;
    remember(&mut head.recent, run_of(result, this));
}

/// Whether the case was defined otherwise when it was last known.
pub(super) fn is_redefined(head: &CaseHead, result: &CaseResult) -> bool {
    head.known.as_ref().is_some_and(|known| known.definition != result.definition)
}

fn known_result(result: &CaseResult, this: &CycleRef, config_digest: &Arc<str>) -> KnownResult {
    KnownResult {
        at: this.clone(),
        outcome: result.outcome,
        fingerprint: Seen::from(result).fingerprint.cloned(),
        said: result.failure.as_ref().and_then(|(_, failure)| first_line(&failure.message)),
        definition: Arc::clone(&result.definition),
        config: Arc::clone(config_digest),
    }
}

/// What is kept of a message for the next comparison.
fn first_line(message: &str) -> Option<Arc<str>> {
    /// So many bytes of it.
    const MAX_SAID: usize = 160;
    let line = message.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line[..line.floor_char_boundary(MAX_SAID)].into())
}

/// The present series of failures, and what came before it.
struct Series {
    last_good: Option<CycleRef>,
    first_failing: Option<CycleRef>,
    failing_for: u32,
    failure_changed: Option<FailureChange>,
}

fn series_after(head: &CaseHead, result: &CaseResult, this: &CycleRef) -> Series {
    let was_failing = head.known.as_ref().is_some_and(|known| known.outcome.is_failing());
    match result.outcome {
        Outcome::Passed | Outcome::Flaky => Series {
            last_good: Some(this.clone()),
            first_failing: None,
            failing_for: 0,
            failure_changed: None,
        },
        Outcome::Failed | Outcome::Errored if was_failing => Series {
            last_good: head.last_good.clone(),
            first_failing: head.first_failing.clone(),
            failing_for: head.failing_for + 1,
            failure_changed: failure_change(head, result, this),
        },
        Outcome::Failed | Outcome::Errored => Series {
            last_good: head.last_good.clone(),
            first_failing: Some(this.clone()),
            failing_for: 1,
            failure_changed: None,
        },
        Outcome::NotRun | Outcome::Skipped => Series {
            last_good: head.last_good.clone(),
            first_failing: head.first_failing.clone(),
            failing_for: head.failing_for,
            failure_changed: head.failure_changed.clone(),
        },
    }
}

/// Where a case that was failing before and is failing now began to fail in the present way, when
/// that was not when it began to fail.
pub(super) fn failure_change(
    head: &CaseHead,
    result: &CaseResult,
    this: &CycleRef,
) -> Option<FailureChange> {
    if goes_on(head, result) {
        return head.failure_changed.clone();
    }
    let from = head.known.as_ref()?.at.clone();
    Some(FailureChange { from, to: this.clone() })
}

/// Adds the latest run; the oldest ones make room for it.
fn remember(recent: &mut Vec<RecentRun>, run: Option<RecentRun>) {
    let room = RECENT_RUNS - usize::from(run.is_some());
    recent.drain(..recent.len().saturating_sub(room));
    // A hundred thousand lists that grow by doubling would be mostly empty places.
    recent.reserve_exact(usize::from(run.is_some()));
    recent.extend(run);
}

/// The heads of all planned cases after this cycle, which has a valid suite, in no certain order.
/// `heads` are those before it, and `cases` is what [`compare`](super::compare()) made of the two.
pub fn advance_all(
    comparison: &Comparison<'_>,
    cases: &[CaseFinding],
    heads: Heads,
) -> Vec<CaseHead> {
    let known_as: HashMap<&CaseId, &CaseId> =
        cases.iter().filter_map(|case| Some((&case.case, case.known_as.as_ref()?))).collect();
    let places: Vec<Option<usize>> = comparison
        .results
        .iter()
        .map(|result| heads.place_of(known_as.get(&result.case).copied().unwrap_or(&result.case)))
        .collect();
    let mut list = heads.into_list();
    let mut is_planned = vec![false; list.len()];
    let mut new = Vec::new();
    for (result, place) in comparison.results.iter().zip(places) {
        let Comparison { this, config_digest, tested, .. } = *comparison;
        match place {
            Some(place) => {
                is_planned[place] = true;
                go_on_with(&mut list[place], result, this, config_digest, tested);
            }
            None => new.push(advance(None, result, this, config_digest, tested)),
        }
    }
    let mut is_planned = is_planned.into_iter();
    list.retain(|_| is_planned.next() == Some(true));
    list.append(&mut new);
    list
}

/// The run as it is remembered; `None` when it tells nothing.
pub(super) fn run_of(result: &CaseResult, this: &CycleRef) -> Option<RecentRun> {
    result.outcome.is_known().then(|| RecentRun {
        cycle: this.cycle,
        revision_key: RecentRun::key_of(&this.revision),
        duration_ms: u32::try_from(result.duration_ms).unwrap_or(u32::MAX),
        outcome: result.outcome,
    })
}

fn causes_after(
    head: &CaseHead,
    result: &CaseResult,
    this: &CycleRef,
    config_digest: &Arc<str>,
    tested: Tested,
) -> Vec<Cause> {
    match result.outcome {
        Outcome::NotRun | Outcome::Skipped => head.causes.clone(),
        Outcome::Passed | Outcome::Flaky => Vec::new(),
        Outcome::Failed | Outcome::Errored if goes_on(head, result) => causes_still(head),
        Outcome::Failed | Outcome::Errored => {
            causes_of_change(head, result, this, config_digest, tested)
        }
    }
}

/// The causes of a failure that goes on. A flake that lasts longer than chance explains was none.
fn causes_still(head: &CaseHead) -> Vec<Cause> {
    let mut causes = head.causes.clone();
    // Only a flake that is one by its history has a commit beside it.
    if causes.first() == Some(&Cause::Flake) && causes.contains(&Cause::Code) {
        let series = head.failing_for as usize;
        let before = &head.recent[..head.recent.len().saturating_sub(series)];
        if !explains(before, head.failing_for + 1) {
            causes.retain(|cause| *cause != Cause::Flake);
        }
    }
    causes
}

/// Whether the case failed in this very way before on a revision that was also good, and does so often
/// enough that one more failure is no surprise.
fn is_usual(head: &CaseHead, result: &CaseResult) -> bool {
    let same =
        head.flaked_as.is_some() && head.flaked_as.as_ref() == Seen::from(result).fingerprint;
    same && !is_redefined(head, result) && explains(&head.recent, 1)
}

/// Whether the failure is the one that was there already.
fn goes_on(head: &CaseHead, result: &CaseResult) -> bool {
    head.known.as_ref().is_some_and(|known| {
        known.outcome.is_failing()
            && !differ(known.fingerprint.as_ref(), Seen::from(result).fingerprint)
    })
}

/// Everything that can have made a case fail otherwise than it did before, the most telling first.
///
/// A contradiction on the very revision comes first, since it needs no other explanation, and so does
/// a failure by which the case is known to contradict itself; then what
/// is particular to the case (its definition), to the pipeline (its configuration), to the commit.
/// Only when nothing of ours changed is it the environment. A case that was good on this very
/// revision before does not fail because of the code; nor is a commit ever to blame of which nothing
/// tells that it was served.
fn causes_of_change(
    head: &CaseHead,
    result: &CaseResult,
    this: &CycleRef,
    config_digest: &Arc<str>,
    tested: Tested,
) -> Vec<Cause> {
    let Some(known) = &head.known else { return vec![Cause::Unknown] };
    let here = OnRevision::of(&head.recent, RecentRun::key_of(&this.revision));
    let mut causes = Vec::new();
    if here.flaky || (here.good && here.failing) || is_usual(head, result) {
        causes.push(Cause::Flake);
    }
    if known.definition != result.definition {
        causes.push(Cause::Suite);
    }
    if known.config != *config_digest {
        causes.push(Cause::Config);
    }
    let is_other_revision = known.at.revision != this.revision && !here.good;
    if is_other_revision && tested == Tested::Revision {
        causes.push(Cause::Code);
    }
    match (causes.is_empty(), is_other_revision) {
        (false, _) => {}
        // Whether the commit was there when the case failed, nobody can tell.
        (true, true) => causes.push(Cause::Unknown),
        (true, false) => causes.push(Cause::Environment),
    }
    causes
}

/// What earlier runs of one revision gave.
#[derive(Default)]
struct OnRevision {
    good: bool,
    failing: bool,
    flaky: bool,
}

impl OnRevision {
    fn of(recent: &[RecentRun], key: u32) -> Self {
        let mut seen = Self::default();
        for run in recent.iter().filter(|run| run.revision_key == key) {
            seen.good |= is_good(run.outcome);
            seen.failing |= run.outcome.is_failing();
            seen.flaky |= run.outcome == Outcome::Flaky;
        }
        seen
    }
}

#[cfg(test)]
mod tests;
