//! Asks the environment whether it is ready: each surface which revision it serves, each check and
//! control whether it holds. Every request goes over a connection of its own, as one that is open
//! already may lead to a replica of the old revision.
//!
//! Nothing here decides what not being ready means for a cycle.

mod reason;
mod round;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use std::time::Duration;

use crate::domain::event::{ControlReading, SurfaceReading};
use crate::domain::revision::Sha;
use crate::domain::spec::{Control, Ready, Surface};
use crate::suite::RunEnv;

use reason::why_not_ready;
use round::{Asker, Round};

/// The most that one request may take, whatever the deadline.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What to wait for, and until when.
pub struct ReadyPlan<'a> {
    /// What must hold.
    pub ready: &'a Ready,
    /// The revision that every surface must serve; `None` takes any that says one.
    pub wanted: Option<&'a Sha>,
    /// What requests know.
    pub env: &'a RunEnv,
    /// When the phase began: earlier than now when it is taken up again.
    pub started_at: Timestamp,
    /// When waiting ends.
    pub deadline_at: Timestamp,
}

/// How waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadyOutcome {
    /// Enough rounds in a row held.
    Ready,
    /// The deadline came first.
    TimedOut,
    /// Somebody ended it.
    Cancelled,
}

/// One round, for whoever watches.
#[derive(Debug)]
pub struct ReadyRound<'a> {
    /// Rounds in a row that held.
    pub held: u32,
    /// Rounds in a row that must hold.
    pub of: u32,
    /// What the surfaces said.
    pub surfaces: &'a [SurfaceReading],
    /// What the checks said.
    pub checks: &'a [ControlReading],
    /// Time left.
    pub left: Duration,
}

/// What waiting showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyReport {
    /// How it ended.
    pub outcome: ReadyOutcome,
    /// What each surface said last.
    pub surfaces: Vec<SurfaceReading>,
    /// What each check said last.
    pub checks: Vec<ControlReading>,
    /// How many rounds there were.
    pub rounds: u32,
    /// Why it is not ready: which surface serves what, what is down, what does not hold. Empty when
    /// it is.
    pub reason: String,
}

/// Asks in rounds until enough of them in a row held, or the deadline passes.
pub async fn wait_ready(
    plan: ReadyPlan<'_>,
    on_round: &mut (dyn FnMut(ReadyRound<'_>) + Send),
    cancel: &CancellationToken,
) -> ReadyReport {
    let now = plan.env.now();
    let time_left = Duration::try_from(plan.deadline_at.duration_since(now)).unwrap_or_default();
    let before = Duration::try_from(now.duration_since(plan.started_at)).unwrap_or_default();
    let asker = Asker::new(plan.env, &plan.ready.surfaces, plan.wanted, before);
    let deadline = Instant::now() + time_left;
    let mut wait = Wait { plan, asker, deadline, held: 0, rounds: 0, last: Round::default() };
    let outcome = tokio::select! {
        biased;
        () = cancel.cancelled() => ReadyOutcome::Cancelled,
        outcome = wait.until_end(on_round) => outcome,
    };
    wait.report(outcome)
}

/// A wait that is under way.
struct Wait<'a> {
    plan: ReadyPlan<'a>,
    asker: Asker<'a>,
    deadline: Instant,
    /// Rounds in a row that held.
    held: u32,
    rounds: u32,
    last: Round,
}

impl Wait<'_> {
    async fn until_end(
        &mut self,
        on_round: &mut (dyn FnMut(ReadyRound<'_>) + Send),
    ) -> ReadyOutcome {
        let of = self.plan.ready.successes;
        loop {
            let began = Instant::now();
            if began >= self.deadline {
                return ReadyOutcome::TimedOut;
            }
            let timeout = REQUEST_TIMEOUT.min(self.deadline - began);
            let round = self.asker.ask(&self.plan.ready.checks, timeout).await;
            self.rounds += 1;
            self.held = if round.holds() { self.held + 1 } else { 0 };
            let left = self.deadline.saturating_duration_since(Instant::now());
            let (surfaces, checks) = (&round.surfaces, &round.checks);
            on_round(ReadyRound { held: self.held, of, surfaces, checks, left });
            // A round that the deadline cut short says nothing that the one before did not say better.
            let cut_short = left.is_zero() && self.held == 0;
            if !cut_short || self.rounds == 1 {
                self.last = round;
            }
            if self.held >= of {
                return ReadyOutcome::Ready;
            }
            tokio::time::sleep_until((began + self.plan.ready.every).min(self.deadline)).await;
        }
    }

    fn report(self, outcome: ReadyOutcome) -> ReadyReport {
        let (held, of) = (self.held, self.plan.ready.successes);
        let reason = match outcome {
            ReadyOutcome::Ready => String::new(),
            ReadyOutcome::TimedOut | ReadyOutcome::Cancelled => {
                why_not_ready(&self.last, self.asker.memory(), self.plan.wanted, held, of)
            }
        };
        let Round { surfaces, checks } = self.last;
        ReadyReport { outcome, surfaces, checks, rounds: self.rounds, reason }
    }
}

/// Asks each surface once what it serves.
pub async fn read_surfaces(
    env: &RunEnv,
    surfaces: &[Surface],
    wanted: Option<&Sha>,
) -> Vec<SurfaceReading> {
    let mut asker = Asker::new(env, surfaces, wanted, Duration::ZERO);
    asker.ask(&[], REQUEST_TIMEOUT).await.surfaces
}

/// Asks each check or control once.
pub async fn check_controls(env: &RunEnv, controls: &[Control]) -> Vec<ControlReading> {
    round::ask_controls(env, controls, REQUEST_TIMEOUT).await
}
