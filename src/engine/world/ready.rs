//! Ready: wait until the environment serves what was rolled out; ask it again later.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::rollout::Side;
use super::{World, phase_ended};
use crate::domain::event::{
    ControlKind, ControlReading, ControlsRead, Event, Moment, SurfaceReading, SurfacesRead,
};
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::domain::revision::Sha;
use crate::engine::{EngineError, Journal, Progress};
use crate::readiness::{self, ReadyOutcome, ReadyPlan, ReadyReport, ReadyRound};

impl World {
    pub(super) async fn await_ready(
        &self,
        journal: &mut Journal,
        deadline_at: Timestamp,
        cancel: &CancellationToken,
    ) -> Result<(), EngineError> {
        let env = self.env_of(journal)?;
        let state = journal.state();
        let phase = state.running().unwrap_or(Phase::Ready);
        let started_at = state.phase_record(phase).map_or(journal.now(), |r| r.started_at);
        let wanted = wanted(journal);
        let ready = &self.pipeline().ready;
        let plan = ReadyPlan { ready, wanted: wanted.as_ref(), env: &env, started_at, deadline_at };
        let observer = journal.observer();
        let mut on_round = |round: ReadyRound<'_>| {
            let ReadyRound { held, of, surfaces, checks, left } = round;
            observer.on(Progress::Ready { held, of, surfaces, checks, left });
        };
        let report = readiness::wait_ready(plan, &mut on_round, cancel).await;
        let events = events_of(journal, phase, report, ready.timeout);
        journal.note(events)
    }

    /// What each surface says now; nothing when the cycle's environment cannot be made up.
    pub(super) async fn read_surfaces(
        &self,
        journal: &Journal,
    ) -> Result<Vec<SurfaceReading>, EngineError> {
        let env = self.env_of(journal)?;
        let surfaces = &self.pipeline().ready.surfaces;
        Ok(readiness::read_surfaces(&env, surfaces, wanted(journal).as_ref()).await)
    }

    pub(super) async fn read_controls(
        &self,
        journal: &Journal,
    ) -> Result<Vec<ControlReading>, EngineError> {
        let env = self.env_of(journal)?;
        Ok(readiness::check_controls(&env, &self.pipeline().controls).await)
    }
}

fn wanted(journal: &Journal) -> Option<Sha> {
    let state = journal.state();
    Side::now(state).revision(state).map(|revision| revision.sha.clone())
}

fn events_of(
    journal: &Journal,
    phase: Phase,
    report: ReadyReport,
    timeout: Duration,
) -> Vec<Event> {
    let ReadyReport { outcome, surfaces, checks, rounds, reason } = report;
    let (outcome, detail) = match outcome {
        ReadyOutcome::Ready => (PhaseOutcome::Passed, None),
        ReadyOutcome::TimedOut => {
            let within = format!("not ready within {timeout:?} ({rounds} rounds): {reason}");
            (PhaseOutcome::TimedOut, Some(within))
        }
        ReadyOutcome::Cancelled => (PhaseOutcome::Cancelled, Some(reason)),
    };
    let mut events = Vec::new();
    if !surfaces.is_empty() {
        events.push(Event::SurfacesRead(SurfacesRead { moment: Moment::Before, surfaces }));
    }
    if !checks.is_empty() {
        let read =
            ControlsRead { of: ControlKind::Check, moment: Moment::Before, readings: checks };
        events.push(Event::ControlsRead(read));
    }
    events.push(phase_ended(journal, phase, outcome, detail));
    events
}
