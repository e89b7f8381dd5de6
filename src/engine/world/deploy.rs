//! Deploy, and the way back: one step at a time.

use std::path::PathBuf;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::World;
use super::rollout::Side;
use crate::deploy::{self, CommandStep, StepEnd, StepFacts, TakenUp};
use crate::domain::event::{CancelRequested, Event, Moment, StepEnded, StepStarted, SurfacesRead};
use crate::domain::outcome::PhaseOutcome;
use crate::domain::spec::{Command, DeployAction, DeployStep, Expect, HttpRequest};
use crate::domain::state::StepRecord;
use crate::engine::{EngineError, Journal, Progress, StatePaths};
use crate::probe::ConnectionUse;
use crate::process::{IfParentDies, Leftovers, was_asked_to_end};
use crate::suite::{Checked, check_request, shown_name};

impl World {
    pub(super) async fn deploy_step(
        &self,
        journal: &mut Journal,
        index: u32,
        attempt: u32,
        recorded: bool,
        cancel: &CancellationToken,
    ) -> Result<(), EngineError> {
        let taken_up = if recorded { self.take_up_step(journal, cancel).await? } else { None };
        if taken_up.as_ref().is_some_and(|end| end.outcome == PhaseOutcome::Cancelled) {
            self.recall_cancel(journal, cancel).await?;
        }
        let end = match taken_up {
            Some(end) => end,
            None => {
                let step = self.step(Side::now(journal.state()), index)?;
                if !recorded {
                    self.record_start(journal, step, index, attempt).await?;
                }
                match &step.action {
                    DeployAction::Run(command) => {
                        self.run_command(journal, step, command, cancel).await?
                    }
                    DeployAction::Http { request, expect } => {
                        self.request_step(journal, step, request, expect, cancel).await?
                    }
                }
            }
        };
        let StepEnd { outcome, duration_ms, detail, output, exit: _ } = end;
        let ended = StepEnded { index, attempt, outcome, duration_ms, detail, output };
        journal.note(vec![Event::StepEnded(ended)])
    }

    async fn record_start(
        &self,
        journal: &mut Journal,
        step: &DeployStep,
        index: u32,
        attempt: u32,
    ) -> Result<(), EngineError> {
        let queued = &journal.state().queued;
        let phase = Side::now(journal.state()).phase();
        let run_dir = StatePaths::step_run(&queued.pipeline, queued.cycle, phase, index, attempt);
        let runs = matches!(step.action, DeployAction::Run(_));
        let timeout = SignedDuration::try_from(step.timeout).unwrap_or(SignedDuration::MAX);
        let started = StepStarted {
            index,
            name: shown_name(&self.env_of(journal)?, &step.name),
            attempt,
            deadline_at: journal.now().saturating_add(timeout).unwrap_or(jiff::Timestamp::MAX),
            run_dir: runs.then(|| run_dir.to_string_lossy().into_owned()),
        };
        journal.append(vec![Event::StepStarted(started)]).await
    }

    /// What became of a step whose start was recorded; `None` when it never began and may begin now.
    /// The records alone count here: the pipeline may say something else by now, or be gone.
    async fn take_up_step(
        &self,
        journal: &Journal,
        cancel: &CancellationToken,
    ) -> Result<Option<StepEnd>, EngineError> {
        let record = last_step(journal)?;
        // Whether a request that nobody saw the answer of was carried out, nobody knows.
        let Some(run_dir) = self.run_dir(record) else { return Ok(Some(interrupted())) };
        let (observer, step) = (journal.observer(), record.started.name.as_str());
        let on_output = |bytes: &[u8]| observer.on(Progress::Output { step, bytes });
        match deploy::take_up(&run_dir, on_output, cancel).await {
            TakenUp::Ended(end) => Ok(Some(end)),
            // Proven: it never began, so a start now is its first.
            TakenUp::NeverStarted => {
                deploy::remove_unused(&run_dir);
                Ok(journal.state().cancelled.is_some().then(never_began))
            }
        }
    }

    /// Whoever ran the cycle before was told to end it, asked for the end of the step, and was gone before that was
    /// recorded, as after a second Ctrl-C: the cycle was cancelled, and its deploy has not failed.
    async fn recall_cancel(
        &self,
        journal: &mut Journal,
        cancel: &CancellationToken,
    ) -> Result<(), EngineError> {
        let run_dir = self.run_dir(last_step(journal)?);
        let was_asked = run_dir.is_some_and(|run_dir| was_asked_to_end(&run_dir));
        // What this process was told is recorded by the loop, in the name of who told it.
        if cancel.is_cancelled() || !was_asked || journal.state().cancelled.is_some() {
            return Ok(());
        }
        let by = "whoever ran it before".to_owned();
        journal.append(vec![Event::CancelRequested(CancelRequested { by })]).await
    }

    fn run_dir(&self, record: &StepRecord) -> Option<PathBuf> {
        record.started.run_dir.as_deref().map(|relative| self.absolute(relative))
    }

    async fn run_command(
        &self,
        journal: &Journal,
        step: &DeployStep,
        command: &Command,
        cancel: &CancellationToken,
    ) -> Result<StepEnd, EngineError> {
        let record = last_step(journal)?;
        let run_dir =
            self.run_dir(record).ok_or_else(|| internal("a command has no run folder"))?;
        let observer = journal.observer();
        let on_output = |bytes: &[u8]| observer.on(Progress::Output { step: &step.name, bytes });
        let checkout = self.checkout(journal)?;
        let to_run = CommandStep {
            command,
            cwd: &checkout,
            variables: self.variables_of(journal, &checkout, &step.env, &step.env_pass)?,
            mask: self.secret_values(),
            deadline_at: record.started.deadline_at,
            now: journal.now(),
            // The step may start the service itself.
            leftovers: Leftovers::Keep,
            if_parent_dies: IfParentDies::RunsOn,
        };
        Ok(deploy::run(&self.setup.launcher, &run_dir, to_run, on_output, cancel).await)
    }

    /// The whole environment of a command: what the cycle tells it, its own variables, what is passed on.
    pub(super) fn variables_of(
        &self,
        journal: &Journal,
        checkout: &std::path::Path,
        own: &[(String, String)],
        pass: &[String],
    ) -> Result<Vec<(String, String)>, EngineError> {
        let state = journal.state();
        let revision = Side::now(state).revision(state);
        let revision = revision.ok_or_else(|| internal("no revision is known"))?;
        let facts = StepFacts {
            pipeline: state.queued.pipeline.as_str(),
            cycle: state.queued.cycle,
            revision,
            trigger: state.queued.trigger.kind.as_str(),
            environment: state.queued.environment.as_str(),
            checkout: &checkout.to_string_lossy(),
            vars: &self.env_of(journal)?.vars(),
            secrets: &self.secrets,
        };
        Ok(deploy::variables(&facts, own, pass, &self.setup.host))
    }

    async fn request_step(
        &self,
        journal: &Journal,
        step: &DeployStep,
        request: &HttpRequest,
        expect: &Expect,
        cancel: &CancellationToken,
    ) -> Result<StepEnd, EngineError> {
        let started = std::time::Instant::now();
        let env = self.env_of(journal)?;
        let asked =
            check_request(&env, &step.name, request, expect, ConnectionUse::Fresh, step.timeout);
        let checked = tokio::select! {
            checked = asked => Some(checked),
            () = cancel.cancelled() => None,
        };
        let (outcome, detail, output) = match checked {
            // Whether it was carried out, nobody knows.
            None => {
                let detail = "was cancelled while waiting for the answer".to_owned();
                (PhaseOutcome::Cancelled, detail, None)
            }
            Some(Checked { failure: None, .. }) => {
                (PhaseOutcome::Passed, "answered as expected".to_owned(), None)
            }
            // Why a platform refuses stands in what it answers.
            Some(Checked { failure: Some(failure), exchanges, .. }) => {
                let body = exchanges.into_iter().next_back().and_then(|exchange| exchange.body);
                (PhaseOutcome::Failed, failure.message, body)
            }
        };
        Ok(StepEnd { exit: None, outcome, duration_ms: millis(started.elapsed()), detail, output })
    }

    /// A step's end is unknown: what do the surfaces serve?
    pub(super) async fn ask_surfaces(&self, journal: &mut Journal) -> Result<(), EngineError> {
        let surfaces = self.read_surfaces(journal).await?;
        let read = SurfacesRead { moment: Moment::Before, surfaces };
        journal.append(vec![Event::SurfacesRead(read)]).await
    }

    fn step(&self, side: Side, index: u32) -> Result<&DeployStep, EngineError> {
        let steps = self.pipeline().deploy.as_ref().map(|deploy| side.steps(deploy));
        let step = steps.and_then(|steps| steps.get(index as usize));
        step.ok_or_else(|| internal("the pipeline has no such deploy step"))
    }

    pub(super) fn checkout(&self, journal: &Journal) -> Result<PathBuf, EngineError> {
        let relative = Side::now(journal.state()).checkout(journal.state());
        Ok(self.absolute(relative.ok_or_else(|| internal("nothing was checked out"))?))
    }
}

fn interrupted() -> StepEnd {
    StepEnd {
        exit: None,
        outcome: PhaseOutcome::Interrupted,
        duration_ms: 0,
        detail: "nobody saw the answer to its request".to_owned(),
        output: None,
    }
}

/// The end of what was recorded to start, and never did.
pub(super) fn never_began() -> StepEnd {
    StepEnd {
        exit: None,
        outcome: PhaseOutcome::Cancelled,
        duration_ms: 0,
        detail: "was cancelled before it began".to_owned(),
        output: None,
    }
}

fn last_step(journal: &Journal) -> Result<&StepRecord, EngineError> {
    let record = Side::now(journal.state()).last_record(journal.state());
    record.ok_or_else(|| internal("no step was started"))
}

fn internal(what: &str) -> EngineError {
    EngineError::Internal { what: what.to_owned() }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
