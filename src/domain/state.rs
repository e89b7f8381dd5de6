//! The state of a cycle: what its events add up to. Only `cycle::apply` changes one.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::attempt::Attempt;
use super::event::{
    CancelRequested, CommandEnded, CommandStarted, ControlKind, ControlReading, ControlsRead,
    Finished, Held, Moment, NotRunReason, PlannedCase, Queued, ReportWritten, Resumed,
    RevisionResolved, RollbackPlanned, StepEnded, StepStarted, SuiteEnded, SuitePlanned,
    SurfaceReading, SurfacesRead,
};
use super::findings::Findings;
use super::names::CaseId;
use super::outcome::{Phase, PhaseOutcome};

/// A phase of a cycle, as far as it got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhaseRecord {
    /// Which.
    pub phase: Phase,
    /// How it ended; `None` while it runs.
    pub outcome: Option<PhaseOutcome>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it must be over.
    pub deadline_at: Option<Timestamp>,
    /// How long it took; 0 while it runs.
    pub duration_ms: u64,
    /// One sentence for people.
    pub detail: Option<String>,
}

/// A deploy step, as far as it got.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRecord {
    /// What was to be done.
    pub started: StepStarted,
    /// When.
    pub started_at: Timestamp,
    /// How it ended; `None` while it runs, or when nobody saw its end.
    pub ended: Option<StepEnded>,
}

/// A run of a command of the suite, as far as it got.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CommandRecord {
    /// What was to be done.
    pub started: CommandStarted,
    /// When.
    pub started_at: Timestamp,
    /// How it ended; `None` while it runs, or when nobody saw its end.
    pub ended: Option<CommandEnded>,
}

/// How a cycle went back to the last green revision, as far as it got. Its phase says how it ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RollbackRecord {
    /// Where to.
    pub planned: RollbackPlanned,
    /// Its steps so far.
    pub steps: Vec<StepRecord>,
    /// What the surfaces said, each time they were asked.
    pub surfaces: Vec<Stamped<SurfacesRead>>,
    /// What the readiness checks said, each time they were asked.
    pub checks: Vec<Stamped<ControlsRead>>,
}

/// A question that a person answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Why the cycle waited.
    pub held: Held,
    /// What the person said.
    pub resumed: Resumed,
}

/// Something that was recorded at an instant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stamped<T> {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: T,
}

/// Everything known about one cycle.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CycleState {
    /// The number of events folded so far; the next one has this plus one.
    pub seq: u64,
    /// How it began.
    pub queued: Queued,
    /// When.
    pub queued_at: Timestamp,
    /// The phases so far, in order; the last may be running.
    pub phases: Vec<PhaseRecord>,
    /// The revision.
    pub resolved: Option<RevisionResolved>,
    /// The deploy steps so far.
    pub steps: Vec<StepRecord>,
    /// What the surfaces said, each time they were asked.
    pub surfaces: Vec<Stamped<SurfacesRead>>,
    /// What checks and controls said, each time they were asked.
    pub controls: Vec<Stamped<ControlsRead>>,
    /// The plan of the suite.
    pub plan: Option<SuitePlanned>,
    /// Finished attempts by case, in order of their number.
    pub attempts: HashMap<CaseId, Vec<Attempt>>,
    /// The runs of the suite's commands so far.
    pub commands: Vec<CommandRecord>,
    /// The end of the suite.
    pub suite_ended: Option<SuiteEnded>,
    /// What was found out, and when the verdict was decided.
    pub findings: Option<Stamped<Arc<Findings>>>,
    /// The way back to the last green revision, once it is known.
    pub rollback: Option<RollbackRecord>,
    /// The report.
    pub report: Option<ReportWritten>,
    /// What people were asked and answered, as far as that is done with.
    pub decisions: Vec<Decision>,
    /// Why it waits for a person; or waited, and the answer still holds.
    pub held: Option<Held>,
    /// The answer. It counts for the step that was asked about and for no later one.
    pub resumed: Option<Resumed>,
    /// Who ended it.
    pub cancelled: Option<CancelRequested>,
    /// Its end.
    pub finished: Option<Stamped<Finished>>,
}

/// What a cycle that ended without a result left on its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deployed {
    /// Perhaps a part of its revision, perhaps all of it: its deploy began, and did not end well.
    InPart,
    /// Its deploy ended well, which proves nothing; no surface said what it serves.
    Unseen,
    /// Its deploy ended well, and a surface served another revision all the same.
    Another,
    /// Its revision: each surface that says what it serves served it.
    Served,
}

impl CycleState {
    /// What it left; `None` where it deployed nothing.
    pub fn left_deployed(&self) -> Option<Deployed> {
        let deploy = self.phase_record(Phase::Deploy)?;
        self.resolved.as_ref()?;
        match deploy.outcome {
            // Nothing was to be deployed.
            Some(PhaseOutcome::Skipped) => return None,
            Some(PhaseOutcome::Passed) => {}
            _ => return (!self.steps.is_empty()).then_some(Deployed::InPart),
        }
        let said = self.surfaces.last().map_or(&[][..], |read| &read.what.surfaces);
        let is = |wanted: Option<bool>| move |it: &SurfaceReading| it.matches == wanted;
        Some(if said.iter().any(is(Some(false))) {
            Deployed::Another
        } else if !said.is_empty() && said.iter().all(is(Some(true))) {
            Deployed::Served
        } else {
            Deployed::Unseen
        })
    }

    /// The phase that runs now, or the last one that did.
    pub fn phase(&self) -> Phase {
        if self.finished.is_some() {
            return Phase::Finished;
        }
        self.phases.last().map_or(Phase::Queued, |record| record.phase)
    }

    /// The record of a phase, if it began.
    pub fn phase_record(&self, phase: Phase) -> Option<&PhaseRecord> {
        self.phases.iter().rev().find(|record| record.phase == phase)
    }

    /// The phase that runs now, if one does.
    pub fn running(&self) -> Option<Phase> {
        self.phases.last().filter(|record| record.outcome.is_none()).map(|record| record.phase)
    }

    /// Every step that was started, of the deploy and then of the rollback.
    pub fn all_steps(&self) -> impl Iterator<Item = (Phase, &StepRecord)> {
        let back = self.rollback.iter().flat_map(|rollback| &rollback.steps);
        let deploy = self.steps.iter().map(|step| (Phase::Deploy, step));
        deploy.chain(back.map(|step| (Phase::Rollback, step)))
    }

    /// Whether a step may still begin or go on, of the deploy or of the way back.
    pub fn may_run_steps(&self) -> bool {
        self.finished.is_none() && self.phase() <= Phase::Rollback
    }

    /// Whether anything tells that what was tested is the cycle's revision: it was deployed, a surface
    /// said that it serves, or its checkout is what was tested. Else the results are of whatever the
    /// environment served.
    pub fn tested_its_revision(&self) -> bool {
        let mut readings = self.surfaces.iter().flat_map(|read| &read.what.surfaces);
        let said = readings.any(|reading| reading.matches == Some(true));
        !self.steps.is_empty() || said || self.tested_its_checkout()
    }

    /// Whether commands in a checkout of the revision are all there was: no case asked an environment,
    /// and neither did a surface or a check. A deploy that was left out had one.
    fn tested_its_checkout(&self) -> bool {
        let asked_nothing = self.surfaces.is_empty() && self.controls.is_empty();
        let are_commands = |planned: &[PlannedCase]| {
            !planned.is_empty() && planned.iter().all(|planned| planned.command.is_some())
        };
        self.queued.options.deploy && asked_nothing && are_commands(self.planned())
    }

    /// The first reading of that kind that failed, and when it was taken: what a verdict that rests on
    /// it names, wherever it is told.
    pub fn failed_reading(&self, kind: ControlKind) -> Option<(Moment, &ControlReading)> {
        self.controls.iter().find_map(|read| failure_in(&read.what, kind))
    }

    /// The last reading of that kind that failed, of those that are taken until they pass.
    pub fn last_failed_reading(&self, kind: ControlKind) -> Option<(Moment, &ControlReading)> {
        self.controls.iter().rev().find_map(|read| failure_in(&read.what, kind))
    }

    /// What a person is asked right now. One who was asked and has answered, or ended the cycle, is
    /// asked no longer.
    pub fn waiting_for(&self) -> Option<&Held> {
        let is_open = self.resumed.is_none() && self.cancelled.is_none() && self.may_run_steps();
        self.held.as_ref().filter(|_| is_open)
    }

    /// Whether it ever waited for a person.
    pub fn was_held(&self) -> bool {
        self.held.is_some() || !self.decisions.is_empty()
    }

    /// The planned cases, in order.
    pub fn planned(&self) -> &[PlannedCase] {
        self.plan.as_ref().map_or(&[], |plan| &plan.cases)
    }

    /// The runs of one command, in the order in which they began.
    pub fn runs_of<'a>(&'a self, command: &'a str) -> impl Iterator<Item = &'a CommandRecord> {
        self.commands.iter().filter(move |record| *record.started.run.command == *command)
    }

    /// The attempts of a case, in order.
    pub fn attempts_of(&self, case: &CaseId) -> &[Attempt] {
        self.attempts.get(case).map_or(&[], Vec::as_slice)
    }

    /// Why a planned case did not run, as far as the end of the suite said.
    pub fn not_run_reason(&self, case: &CaseId) -> Option<&NotRunReason> {
        let ended = self.suite_ended.as_ref()?;
        ended.not_run.iter().find(|entry| entry.case == *case).map(|entry| &entry.reason)
    }
}

fn failure_in(read: &ControlsRead, kind: ControlKind) -> Option<(Moment, &ControlReading)> {
    let failed = read.readings.iter().find(|reading| reading.failure.is_some());
    failed.filter(|_| read.of == kind).map(|reading| (read.moment, reading))
}
