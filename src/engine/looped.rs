//! The loop of a pipeline as its records tell it: what `queue::after_cycle` is asked with, after a cycle and
//! while one ends. Starts nothing and stores nothing.

use std::collections::BTreeSet;

use super::error::EngineError;
use super::load::load_state;
use crate::domain::findings::Findings;
use crate::domain::names::CaseId;
use crate::domain::outcome::{Outcome, Verdict};
use crate::domain::spec::{Pipeline, Until};
use crate::domain::state::CycleState;
use crate::queue::{Next, Past, after_cycle};
use crate::store::{CycleRow, Store};
use crate::verdict;

/// The policy never looks back further.
const LOOKED_BACK: u32 = 100;

/// The newest cycles of a pipeline that are over, newest first, as many as its policy looks at.
///
/// # Errors
/// When the store refuses, or the records of a cycle contradict each other.
pub async fn past_cycles(store: &dyn Store, pipeline: &Pipeline) -> Result<Vec<Past>, EngineError> {
    over(store, newest(store, pipeline).await?).await
}

/// Why the loop ends without what it runs for, where it does when this cycle ends with these findings.
pub(super) async fn giving_up(
    store: &dyn Store,
    pipeline: &Pipeline,
    state: &CycleState,
    findings: &Findings,
) -> Result<Option<String>, EngineError> {
    match pipeline.cycles.until {
        Until::Green => {}
        Until::Once | Until::Always => return Ok(None),
    }
    let mut rows = newest(store, pipeline).await?.into_iter();
    // Nothing follows while a newer one waits for its turn, and after a step of a search.
    if rows.next().is_none_or(|row| row.summary.cycle != state.queued.cycle) {
        return Ok(None);
    }
    let earlier: Vec<CycleRow> = rows.collect();
    let is_first = earlier.is_empty();
    let mut past = over(store, earlier).await?;
    // One before it is open: nothing follows yet.
    if past.is_empty() && !is_first {
        return Ok(None);
    }
    past.insert(0, ending(state, findings));
    match after_cycle(&pipeline.cycles, &past) {
        Next::Stop(why) if why.is_giving_up() => Ok(Some(why.to_string())),
        Next::Stop(_) | Next::Rerun | Next::Again => Ok(None),
    }
}

/// The rows that the policy looks at, of cycles of the loop alone.
async fn newest(store: &dyn Store, pipeline: &Pipeline) -> Result<Vec<CycleRow>, EngineError> {
    let policy = &pipeline.cycles;
    let wanted = policy.max.max(policy.no_progress).saturating_add(1).min(LOOKED_BACK);
    let mut rows = store.list_cycles(&pipeline.name, wanted).await?;
    // After a step of a search nothing follows but its next step, and to the loop it never was.
    if rows.first().is_some_and(|row| row.search_of.is_some()) {
        return Ok(Vec::new());
    }
    rows.retain(|row| row.search_of.is_none());
    Ok(rows)
}

async fn over(store: &dyn Store, rows: Vec<CycleRow>) -> Result<Vec<Past>, EngineError> {
    let mut past = Vec::new();
    for row in rows {
        // One that is open is newer than all that the policy asks about, or nothing follows yet.
        let Some(verdict) = row.summary.verdict.filter(|_| row.finished_at.is_some()) else {
            return Ok(Vec::new());
        };
        let results = store.case_results(&row.key()).await?;
        let is_worth_a_rerun = past.is_empty()
            && verdict == Verdict::Void
            && verdict::deserves_rerun(&load_state(store, &row.key()).await?);
        past.push(Past {
            cycle: row.summary.cycle,
            revision: row.summary.revision.map(|revision| revision.sha),
            kind: row.cause.kind,
            verdict,
            is_worth_a_rerun,
            not_good: not_good(results.into_iter().map(|result| (result.case, result.outcome))),
        });
    }
    Ok(past)
}

/// A cycle that is about to be over, as its row will tell it.
fn ending(state: &CycleState, findings: &Findings) -> Past {
    let cases = findings.cases.iter().map(|found| (found.case.clone(), found.outcome));
    Past {
        cycle: state.queued.cycle,
        revision: state.resolved.as_ref().map(|resolved| resolved.revision.sha.clone()),
        kind: state.queued.trigger.kind,
        verdict: findings.verdict,
        is_worth_a_rerun: verdict::deserves_rerun_as(state, findings.void_reason),
        not_good: not_good(cases),
    }
}

/// The cases that failed, or had no result.
fn not_good(cases: impl Iterator<Item = (CaseId, Option<Outcome>)>) -> BTreeSet<CaseId> {
    let is_bad = |outcome: Outcome| outcome.is_failing() || outcome == Outcome::NotRun;
    cases.filter(|(_, outcome)| outcome.is_some_and(is_bad)).map(|(case, _)| case).collect()
}
