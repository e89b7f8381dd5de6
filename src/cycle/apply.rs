//! Events → state. Every kind of event has one function that says where it is legal.

mod suite;

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::event::{
    CancelRequested, ControlKind, ControlsRead, Event, Finished, Held, Moment, PhaseEnded,
    PhaseStarted, Queued, Recorded, ReportWritten, Resumed, RevisionResolved, RollbackPlanned,
    StepEnded, StepStarted, SurfacesRead,
};
use crate::domain::findings::Findings;
use crate::domain::outcome::Phase;
use crate::domain::state::{
    CycleState, Decision, PhaseRecord, RollbackRecord, Stamped, StepRecord,
};

/// An event that cannot follow the ones before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} ({kind}) is not legal here: {why}")]
pub struct IllegalEvent {
    /// Its place.
    pub seq: u64,
    /// Its kind.
    pub kind: &'static str,
    /// Why it does not fit.
    pub why: String,
}

type Legal = Result<(), String>;

/// Folds all events of a cycle.
///
/// # Errors
/// When there are none, or one does not fit.
pub fn fold(events: impl IntoIterator<Item = Recorded>) -> Result<CycleState, IllegalEvent> {
    let mut events = events.into_iter();
    let first = events.next().ok_or_else(|| IllegalEvent {
        seq: 0,
        kind: "nothing",
        why: "a cycle has at least one event".to_owned(),
    })?;
    let mut state = begin(first)?;
    for recorded in events {
        apply(&mut state, recorded)?;
    }
    Ok(state)
}

/// The state after a cycle's first event.
///
/// # Errors
/// When that event is not `queued` with number 1.
pub fn begin(first: Recorded) -> Result<CycleState, IllegalEvent> {
    let (seq, kind) = (first.seq, first.event.kind());
    match first.event {
        Event::Queued(queued) if seq == 1 => Ok(fresh(*queued, first.at)),
        _ => {
            let why = "a cycle begins with `queued` as its event 1".to_owned();
            Err(IllegalEvent { seq, kind, why })
        }
    }
}

fn fresh(queued: Queued, at: Timestamp) -> CycleState {
    CycleState {
        seq: 1,
        queued,
        queued_at: at,
        phases: Vec::new(),
        resolved: None,
        steps: Vec::new(),
        surfaces: Vec::new(),
        controls: Vec::new(),
        plan: None,
        attempts: std::collections::HashMap::new(),
        commands: Vec::new(),
        suite_ended: None,
        findings: None,
        rollback: None,
        report: None,
        decisions: Vec::new(),
        held: None,
        resumed: None,
        cancelled: None,
        finished: None,
    }
}

/// Takes one more event into the state.
///
/// # Errors
/// When it does not fit; the state is then unchanged.
pub fn apply(state: &mut CycleState, recorded: Recorded) -> Result<(), IllegalEvent> {
    let (seq, at, kind) = (recorded.seq, recorded.at, recorded.event.kind());
    let illegal = |why: String| IllegalEvent { seq, kind, why };
    if seq != state.seq + 1 {
        return Err(illegal(format!("event {} is expected next", state.seq + 1)));
    }
    if state.finished.is_some() {
        return Err(illegal("the cycle is finished".to_owned()));
    }
    let legal = match recorded.event {
        Event::Queued(_) => Err("the cycle was queued before".to_owned()),
        Event::PhaseStarted(started) => phase_started(state, &started, at),
        Event::RevisionResolved(resolved) => revision_resolved(state, resolved),
        Event::StepStarted(started) => step_started(state, started, at),
        Event::StepEnded(ended) => step_ended(state, ended),
        Event::SurfacesRead(read) => surfaces_read(state, read, at),
        Event::ControlsRead(read) => controls_read(state, read, at),
        Event::SuitePlanned(planned) => suite::suite_planned(state, *planned),
        Event::CommandStarted(started) => suite::command_started(state, started, at),
        Event::CasesPlanned(planned) => suite::cases_planned(state, planned),
        Event::CommandEnded(ended) => suite::command_ended(state, *ended),
        Event::AttemptFinished(attempt) => suite::attempt_finished(state, *attempt),
        Event::SuiteEnded(ended) => suite::suite_ended(state, ended),
        Event::PhaseEnded(ended) => phase_ended(state, ended),
        Event::Analysed(findings) => analysed(state, findings, at),
        Event::RollbackPlanned(planned) => rollback_planned(state, planned),
        Event::ReportWritten(report) => report_written(state, report),
        Event::Held(held) => hold(state, held),
        Event::Resumed(resumed) => resume(state, resumed),
        Event::CancelRequested(cancelled) => cancel_requested(state, cancelled),
        Event::Finished(finished) => finish(state, finished, at),
    };
    legal.map_err(illegal)?;
    state.seq = seq;
    Ok(())
}

fn needs_phase(state: &CycleState, allowed: &[Phase]) -> Legal {
    match state.running() {
        Some(phase) if allowed.contains(&phase) => Ok(()),
        Some(phase) => Err(format!("the cycle is in its {phase} phase")),
        None => Err("no phase is running".to_owned()),
    }
}

fn phase_started(state: &mut CycleState, started: &PhaseStarted, at: Timestamp) -> Legal {
    if let Some(phase) = state.running() {
        return Err(format!("the {phase} phase has not ended"));
    }
    if state.phases.last().is_some_and(|record| record.phase >= started.phase) {
        return Err(format!("the {} phase comes earlier", started.phase));
    }
    if matches!(started.phase, Phase::Queued | Phase::Finished) {
        return Err(format!("{} is not a phase that starts", started.phase));
    }
    let needs_revision = matches!(started.phase, Phase::Deploy | Phase::Ready | Phase::Suite);
    if needs_revision && state.resolved.is_none() {
        return Err("the revision is not known".to_owned());
    }
    if started.phase == Phase::Rollback && state.findings.is_none() {
        return Err("no verdict was decided that asks for it".to_owned());
    }
    state.phases.push(PhaseRecord {
        phase: started.phase,
        outcome: None,
        started_at: at,
        deadline_at: started.deadline_at,
        duration_ms: 0,
        detail: None,
    });
    Ok(())
}

fn phase_ended(state: &mut CycleState, ended: PhaseEnded) -> Legal {
    needs_phase(state, &[ended.phase])?;
    if state.all_steps().any(|(_, step)| step.ended.is_none()) {
        return Err("a deploy step has not ended".to_owned());
    }
    if ended.phase == Phase::Suite && state.plan.is_some() && state.suite_ended.is_none() {
        return Err("the suite was planned and has not ended".to_owned());
    }
    let record = state.phases.last_mut().ok_or("no phase is running")?;
    record.outcome = Some(ended.outcome);
    record.duration_ms = ended.duration_ms;
    record.detail = ended.detail;
    Ok(())
}

fn revision_resolved(state: &mut CycleState, resolved: RevisionResolved) -> Legal {
    needs_phase(state, &[Phase::Checkout])?;
    if state.resolved.is_some() {
        return Err("the revision is known already and never changes".to_owned());
    }
    state.resolved = Some(resolved);
    Ok(())
}

fn step_started(state: &mut CycleState, started: StepStarted, at: Timestamp) -> Legal {
    let steps = running_steps(state)?;
    if let Some(open) = steps.last().filter(|step| step.ended.is_none()) {
        return Err(format!("step {} has not ended", open.started.name));
    }
    let again = |step: &StepRecord| {
        step.started.index == started.index && step.started.attempt == started.attempt
    };
    if steps.iter().any(again) {
        return Err(format!(
            "attempt {} of step {} was started before",
            started.attempt, started.name
        ));
    }
    steps.push(StepRecord { started, started_at: at, ended: None });
    put_decision_aside(state);
    Ok(())
}

/// The steps of the phase that runs.
fn running_steps(state: &mut CycleState) -> Result<&mut Vec<StepRecord>, String> {
    needs_phase(state, &[Phase::Deploy, Phase::Rollback])?;
    if state.running() != Some(Phase::Rollback) {
        return Ok(&mut state.steps);
    }
    let rollback = state.rollback.as_mut();
    Ok(&mut rollback.ok_or("it is not known what to go back to")?.steps)
}

/// What a person said of one step says nothing about the next.
fn put_decision_aside(state: &mut CycleState) {
    if let (Some(held), Some(resumed)) = (state.held.take(), state.resumed.take()) {
        state.decisions.push(Decision { held, resumed });
    }
}

fn step_ended(state: &mut CycleState, ended: StepEnded) -> Legal {
    let open = running_steps(state)?.last_mut().filter(|step| {
        step.ended.is_none()
            && step.started.index == ended.index
            && step.started.attempt == ended.attempt
    });
    let open = open
        .ok_or_else(|| format!("step {} attempt {} is not running", ended.index, ended.attempt))?;
    open.ended = Some(ended);
    Ok(())
}

fn surfaces_read(state: &mut CycleState, read: SurfacesRead, at: Timestamp) -> Legal {
    match read.moment {
        Moment::Before => needs_phase(state, &[Phase::Deploy, Phase::Ready, Phase::Rollback])?,
        Moment::During | Moment::After => needs_phase(state, &[Phase::Suite])?,
    }
    let read = Stamped { at, what: read };
    match rolling_back(state) {
        Some(rollback) => rollback.surfaces.push(read),
        None => state.surfaces.push(read),
    }
    Ok(())
}

fn controls_read(state: &mut CycleState, read: ControlsRead, at: Timestamp) -> Legal {
    match read.of {
        ControlKind::Check => needs_phase(state, &[Phase::Ready, Phase::Rollback])?,
        ControlKind::Control => needs_phase(state, &[Phase::Suite])?,
    }
    let read = Stamped { at, what: read };
    match rolling_back(state) {
        Some(rollback) => rollback.checks.push(read),
        None => state.controls.push(read),
    }
    Ok(())
}

/// What is seen while the cycle goes back is told of that alone: it says nothing of the revision
/// that was tested.
fn rolling_back(state: &mut CycleState) -> Option<&mut RollbackRecord> {
    let goes_back = state.running() == Some(Phase::Rollback);
    state.rollback.as_mut().filter(|_| goes_back)
}

fn analysed(state: &mut CycleState, findings: Arc<Findings>, at: Timestamp) -> Legal {
    needs_phase(state, &[Phase::Diff])?;
    if state.findings.is_some() {
        return Err("the verdict was decided before".to_owned());
    }
    state.findings = Some(Stamped { at, what: findings });
    Ok(())
}

fn rollback_planned(state: &mut CycleState, planned: RollbackPlanned) -> Legal {
    needs_phase(state, &[Phase::Rollback])?;
    if state.rollback.is_some() {
        return Err("it is known already what to go back to".to_owned());
    }
    put_decision_aside(state);
    state.rollback = Some(RollbackRecord {
        planned,
        steps: Vec::new(),
        surfaces: Vec::new(),
        checks: Vec::new(),
    });
    Ok(())
}

fn report_written(state: &mut CycleState, report: ReportWritten) -> Legal {
    needs_phase(state, &[Phase::Report])?;
    state.report = Some(report);
    Ok(())
}

fn hold(state: &mut CycleState, held: Held) -> Legal {
    needs_phase(state, &[Phase::Deploy, Phase::Rollback])?;
    if state.held.is_some() {
        return Err("the cycle is held already".to_owned());
    }
    state.held = Some(held);
    Ok(())
}

fn resume(state: &mut CycleState, resumed: Resumed) -> Legal {
    if state.held.is_none() {
        return Err("the cycle is not held".to_owned());
    }
    state.resumed = Some(resumed);
    Ok(())
}

fn cancel_requested(state: &mut CycleState, cancelled: CancelRequested) -> Legal {
    if state.cancelled.is_some() {
        return Err("the cycle was cancelled before".to_owned());
    }
    state.cancelled = Some(cancelled);
    Ok(())
}

fn finish(state: &mut CycleState, finished: Finished, at: Timestamp) -> Legal {
    if let Some(phase) = state.running() {
        return Err(format!("the {phase} phase has not ended"));
    }
    let findings = state.findings.as_ref().ok_or("no verdict was decided")?;
    if findings.what.verdict != finished.verdict {
        return Err(format!("the verdict was decided as {}", findings.what.verdict));
    }
    state.finished = Some(Stamped { at, what: finished });
    Ok(())
}

#[cfg(test)]
mod tests;
