//! The verdict of a whole cycle, from its state and what became of its cases.

use std::collections::HashSet;

use super::cycle::{CycleFacts, PlannedOutcome, judge_cycle};
use crate::domain::event::{ControlKind, Moment};
use crate::domain::findings::{CaseResult, Suspicious};
use crate::domain::names::CaseId;
use crate::domain::outcome::{Phase, PhaseOutcome, Verdict, VoidReason};
use crate::domain::state::CycleState;

/// The verdict of a whole cycle: of the phase that went wrong, else of the suite.
pub fn decide(
    state: &CycleState,
    results: &[CaseResult],
    suspicious: &[Suspicious],
) -> (Verdict, Option<VoidReason>) {
    if state.cancelled.is_some() {
        return (Verdict::Cancelled, None);
    }
    let went_well = |phase: Phase| {
        let outcome = state.phase_record(phase).and_then(|record| record.outcome);
        outcome.is_some_and(PhaseOutcome::went_well)
    };
    if !went_well(Phase::Checkout) || !went_well(Phase::Deploy) {
        return (Verdict::DeployFailed, None);
    }
    if !went_well(Phase::Ready) {
        return (Verdict::NotReady, None);
    }
    let Some(plan) = &state.plan else {
        return (Verdict::Void, Some(VoidReason::NoResults));
    };
    let doubtful: HashSet<&CaseId> = suspicious.iter().map(|entry| &entry.case).collect();
    let cases: Vec<PlannedOutcome> = plan
        .cases
        .iter()
        .zip(results)
        .map(|(planned, result)| PlannedOutcome {
            case: planned.id.clone(),
            outcome: result.outcome,
            quarantined: !planned.decides(),
            suspicious: doubtful.contains(&planned.id),
        })
        .collect();
    let judged = judge_cycle(&CycleFacts {
        cases: &cases,
        flaky: plan.flaky,
        suspicious: plan.suspicious,
        expected_cases: plan.expected_cases.filter(|_| state.queued.options.only.is_none()),
        revision_changed: revision_changed(state),
        control_failed: control_failed(state),
    });
    match judged {
        // A pass is only a pass of this revision if something still says that it serves it. What
        // failed has failed all the same: the service may have died of it.
        (Verdict::Green | Verdict::Incomplete, _) if fell_silent(state) => {
            (Verdict::Void, Some(VoidReason::RevisionChanged))
        }
        other => other,
    }
}

/// Whether a surface said during or after the suite that it serves something else than before it.
fn revision_changed(state: &CycleState) -> bool {
    let later = state.surfaces.iter().filter(|read| read.what.moment != Moment::Before);
    later.flat_map(|read| &read.what.surfaces).any(|now| {
        now.served.is_some()
            && served_before(state, &now.surface).is_some_and(|then| then != now.served)
    })
}

/// Whether a surface that said what it serves before the suite says nothing after it.
fn fell_silent(state: &CycleState) -> bool {
    let after = state.surfaces.iter().rev().find(|read| read.what.moment == Moment::After);
    after.is_some_and(|after| {
        after.what.surfaces.iter().any(|now| {
            now.served.is_none()
                && served_before(state, &now.surface).is_some_and(|then| then.is_some())
        })
    })
}

/// What a surface said last before the suite.
fn served_before(state: &CycleState, surface: &str) -> Option<Option<String>> {
    let before = state.surfaces.iter().rev().find(|read| read.what.moment == Moment::Before)?;
    let reading = before.what.surfaces.iter().find(|reading| reading.surface == surface)?;
    Some(reading.served.clone())
}

fn control_failed(state: &CycleState) -> bool {
    let controls = state.controls.iter().filter(|read| read.what.of == ControlKind::Control);
    controls.flat_map(|read| &read.what.readings).any(|reading| reading.failure.is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cycle::{fold, testing};
    use crate::domain::event::{CancelRequested, Event};
    use crate::domain::outcome::Outcome;

    fn passed() -> Vec<CaseResult> {
        vec![CaseResult {
            case: CaseId::parse("test_001").unwrap(),
            was: vec![],
            outcome: Outcome::Passed,
            duration_ms: 1,
            attempts: 1,
            failure: None,
            definition: "d".into(),
        }]
    }

    /// The verdict after the story's events up to the diff, changed by `change`.
    fn decided(change: impl FnOnce(&mut Vec<Event>)) -> (Verdict, Option<VoidReason>) {
        let mut events: Vec<Event> = testing::story().into_iter().take(18).collect();
        change(&mut events);
        decide(&fold(testing::record(events)).unwrap(), &passed(), &[])
    }

    #[test]
    fn a_phase_that_went_wrong_decides_before_any_result() {
        assert_eq!(decided(|_| {}), (Verdict::Green, None));
        let cancelled = decided(|events| {
            events.push(Event::CancelRequested(CancelRequested { by: "ada".to_owned() }));
        });
        assert_eq!(cancelled, (Verdict::Cancelled, None));
        let failed_at = |phase: Phase, keep: usize| {
            decided(|events| {
                events.truncate(keep);
                events.push(testing::ended(phase, PhaseOutcome::Failed));
            })
        };
        assert_eq!(failed_at(Phase::Checkout, 2), (Verdict::DeployFailed, None));
        assert_eq!(failed_at(Phase::Deploy, 5), (Verdict::DeployFailed, None));
        assert_eq!(failed_at(Phase::Ready, 9), (Verdict::NotReady, None));
    }

    #[test]
    fn a_surface_that_says_something_else_after_the_suite_makes_it_void() {
        let moved = decided(|events| {
            let after = events.iter().rposition(|e| e.kind() == "surfaces_read").unwrap();
            if let Event::SurfacesRead(read) = &mut events[after] {
                read.surfaces[0].served = Some("beefbee".to_owned());
            }
        });
        assert_eq!(moved, (Verdict::Void, Some(VoidReason::RevisionChanged)));
        let silent = decided(|events| {
            let after = events.iter().rposition(|e| e.kind() == "surfaces_read").unwrap();
            if let Event::SurfacesRead(read) = &mut events[after] {
                read.surfaces[0].served = None;
            }
        });
        assert_eq!(silent, (Verdict::Void, Some(VoidReason::RevisionChanged)));
    }

    #[test]
    fn a_service_that_died_under_the_suite_is_red_not_void() {
        let mut events: Vec<Event> = testing::story().into_iter().take(18).collect();
        let after = events.iter().rposition(|e| e.kind() == "surfaces_read").unwrap();
        if let Event::SurfacesRead(read) = &mut events[after] {
            read.surfaces[0].served = None;
        }
        let state = fold(testing::record(events)).unwrap();
        let mut failed = passed();
        failed[0].outcome = Outcome::Failed;
        assert_eq!(decide(&state, &failed, &[]), (Verdict::Red, None));
    }
}
