//! Carries what the engine tells of a cycle to whoever listens, and into the log.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::handle::{Handle, LiveEvent};
use super::so_far::SoFar;
use crate::domain::event::{Event, Recorded};
use crate::domain::outcome::Phase;
use crate::domain::state::CycleState;
use crate::engine::{Observer, Progress};
use crate::store::CycleKey;

/// Watches one cycle.
pub struct Watcher {
    handle: Handle,
    cycle: CycleKey,
    /// Cases with a result, and planned ones.
    done: AtomicU32,
    planned: AtomicU32,
    /// The last event that is counted. Whoever takes a cycle up begins with what an earlier process
    /// recorded; and events that are written together come with the state after all of them.
    counted_to: AtomicU64,
}

impl Watcher {
    /// Watches that cycle for that daemon.
    pub fn new(handle: Handle, cycle: CycleKey) -> Self {
        Self {
            handle,
            cycle,
            done: AtomicU32::new(0),
            planned: AtomicU32::new(0),
            counted_to: AtomicU64::new(0),
        }
    }

    fn recorded(&self, recorded: &Recorded, state: &CycleState) {
        match self.counted_to.load(Ordering::Relaxed) {
            0 => self.catch_up(state),
            to if recorded.seq > to => self.count(&recorded.event, state),
            _ => {}
        }
        self.log_way_back(&recorded.event, state);
        if may_be_news(&recorded.event) {
            self.handle.tell_news();
        }
        self.handle.is_at(&self.cycle, state.phase(), self.progress(0));
        self.handle.publish(LiveEvent { cycle: self.cycle.clone(), recorded: recorded.clone() });
    }

    /// Before the first event that is seen of a cycle.
    fn catch_up(&self, state: &CycleState) {
        let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
        let begun = || state.attempts.iter().filter(|(_, attempts)| !attempts.is_empty());
        self.planned.store(count(state.planned().len()), Ordering::Relaxed);
        self.done.store(count(begun().count()), Ordering::Relaxed);
        self.handle.cases_turn(&self.cycle, |known| {
            begun().for_each(|(case, attempts)| known.ended(case, attempts));
        });
        self.counted_to.store(state.seq, Ordering::Relaxed);
    }

    fn count(&self, event: &Event, state: &CycleState) {
        match event {
            Event::SuitePlanned(plan) => {
                let planned = u32::try_from(plan.cases.len()).unwrap_or(u32::MAX);
                self.planned.store(planned, Ordering::Relaxed);
            }
            Event::CasesPlanned(plan) => {
                let more = u32::try_from(plan.cases.len()).unwrap_or(u32::MAX);
                self.planned.fetch_add(more, Ordering::Relaxed);
            }
            Event::AttemptFinished(attempt) => {
                if attempt.number == 1 {
                    self.done.fetch_add(1, Ordering::Relaxed);
                }
                let attempts = state.attempts_of(&attempt.case);
                self.handle.cases_turn(&self.cycle, |known| known.ended(&attempt.case, attempts));
            }
            _ => {}
        }
    }

    /// What is deployed now is not what the cycle is about: whoever reads the log must see that.
    fn log_way_back(&self, event: &Event, state: &CycleState) {
        match event {
            Event::RollbackPlanned(planned) => {
                let (short, green) = (planned.revision.sha.short(), planned.cycle);
                let verdict =
                    state.findings.as_ref().map_or("unknown", |it| it.what.verdict.as_str());
                tracing::warn!(
                    "{} goes back to {short}, which was green in cycle {green}, because its verdict is {verdict}",
                    self.cycle
                );
            }
            Event::PhaseEnded(ended) if ended.phase == Phase::Rollback => {
                let why = ended.detail.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
                tracing::warn!("the way back of {}: {}{why}", self.cycle, ended.outcome.as_str());
            }
            _ => {}
        }
    }

    /// What a command reports before it ends is in no record yet.
    fn counted(&self, cases: u32) {
        self.handle.is_at(&self.cycle, Phase::Suite, self.progress(cases));
    }

    fn progress(&self, unrecorded: u32) -> Option<(u32, u32)> {
        let planned = self.planned.load(Ordering::Relaxed);
        let done = self.done.load(Ordering::Relaxed).saturating_add(unrecorded);
        (planned > 0).then(|| (done.min(planned), planned))
    }
}

/// Whether messages may have been stored with this event.
fn may_be_news(event: &Event) -> bool {
    match event {
        Event::RevisionResolved(_) | Event::Held(_) => true,
        Event::PhaseEnded(ended) => ended.phase == Phase::Notify,
        _ => false,
    }
}

impl Observer for Watcher {
    fn on(&self, progress: Progress<'_>) {
        match progress {
            Progress::Recorded { recorded, state } => self.recorded(recorded, state),
            Progress::Waiting { why } => tracing::info!("{}: {why}", self.cycle),
            Progress::Note { text } => tracing::info!("{}: {text}", self.cycle),
            Progress::Counted { cases, .. } => self.counted(cases),
            Progress::CaseStarted { case, attempt } => {
                self.handle.cases_turn(&self.cycle, |known| known.began(case, attempt));
            }
            Progress::Reported { case, outcome, duration_ms } => {
                let turn = |known: &mut SoFar| known.reported(case, outcome, duration_ms);
                self.handle.cases_turn(&self.cycle, turn);
            }
            Progress::Output { .. } | Progress::Ready { .. } => {}
        }
    }
}
