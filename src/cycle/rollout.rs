//! The steps that change an environment, one after another: those of the deploy, and those of the way
//! back. What an unknown end means (SPEC section 5) is decided here for both.

use jiff::{SignedDuration, Timestamp};

use super::next::Action;
use crate::domain::event::{Held, Moment, ResumeAs, RollbackPlanned, SurfacesRead};
use crate::domain::outcome::PhaseOutcome;
use crate::domain::spec::{Deploy, DeployStep};
use crate::domain::state::{CycleState, RollbackRecord, Stamped, StepRecord};

/// Steps to be done in order, as far as they got.
pub(super) struct Rollout<'a> {
    state: &'a CycleState,
    steps: &'a [DeployStep],
    /// Whether a step may be run again when nobody saw its end.
    idempotent: bool,
    records: &'a [StepRecord],
    surfaces: &'a [Stamped<SurfacesRead>],
    /// Where to, when it is the way back.
    back: Option<&'a RollbackRecord>,
}

/// What comes next in a rollout.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ahead {
    /// Something to do.
    Perform(Action),
    /// A person must be asked.
    Ask(Held),
    /// A person was asked and has not answered.
    Wait(Held),
    /// It is over, in this way.
    Over(PhaseOutcome),
}

impl<'a> Rollout<'a> {
    /// The deploy of the cycle's revision.
    pub(super) fn of_deploy(state: &'a CycleState, deploy: &'a Deploy) -> Self {
        Self {
            state,
            steps: &deploy.steps,
            idempotent: deploy.idempotent,
            records: &state.steps,
            surfaces: &state.surfaces,
            back: None,
        }
    }

    /// The way back: by steps of its own, or by the deploy's.
    pub(super) fn of_rollback(
        state: &'a CycleState,
        deploy: &'a Deploy,
        back: &'a RollbackRecord,
    ) -> Self {
        Self {
            state,
            steps: deploy.rollback_steps(),
            idempotent: deploy.idempotent,
            records: &back.steps,
            surfaces: &back.surfaces,
            back: Some(back),
        }
    }

    /// When the last step ended, as far as the records say.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        let last = self.records.last()?;
        let took = i64::try_from(last.ended.as_ref()?.duration_ms).unwrap_or(i64::MAX);
        last.started_at.checked_add(SignedDuration::from_millis(took)).ok()
    }

    /// What comes next.
    pub(super) fn ahead(&self) -> Ahead {
        let Some(last) = self.records.last() else { return self.step_or_end(0, 1) };
        let (index, attempt) = (last.started.index, last.started.attempt);
        let Some(ended) = &last.ended else {
            return Ahead::Perform(Action::DeployStep { index, attempt, recorded: true });
        };
        let retries = self.steps.get(index as usize).map_or(0, |step| step.retries);
        match ended.outcome {
            PhaseOutcome::Passed | PhaseOutcome::Skipped => self.step_or_end(index + 1, 1),
            PhaseOutcome::Interrupted => self.after_interrupted(last),
            PhaseOutcome::Failed | PhaseOutcome::TimedOut if attempt <= retries => {
                self.step_or_end(index, attempt + 1)
            }
            outcome @ (PhaseOutcome::Failed
            | PhaseOutcome::TimedOut
            | PhaseOutcome::Cancelled
            | PhaseOutcome::Errored) => Ahead::Over(outcome),
        }
    }

    /// Whose end nobody saw, where the steps are taken as done all the same, and on whose word.
    pub(super) fn doubt(&self) -> Option<String> {
        let unseen = |step: &&StepRecord| {
            step.ended.as_ref().is_some_and(|ended| ended.outcome == PhaseOutcome::Interrupted)
        };
        let done_again = |step: &StepRecord| {
            let later = self.records.iter().rev();
            later
                .take_while(|record| *record != step)
                .any(|r| r.started.index == step.started.index)
        };
        let step = self.records.iter().rev().filter(unseen).find(|step| !done_again(step))?;
        let unknown = format!("nobody saw how step {:?} ended", step.started.name);
        if self.records.last() != Some(step) {
            return Some(unknown);
        }
        Some(match &self.state.resumed {
            Some(resumed) => format!("{unknown}; {} says that it is done", resumed.by),
            None => format!("{unknown}; the environment serves the revision"),
        })
    }

    fn step_or_end(&self, index: u32, attempt: u32) -> Ahead {
        if index as usize >= self.steps.len() {
            return Ahead::Over(PhaseOutcome::Passed);
        }
        if self.state.cancelled.is_some() {
            return Ahead::Over(PhaseOutcome::Cancelled);
        }
        Ahead::Perform(Action::DeployStep { index, attempt, recorded: false })
    }

    /// Nobody saw how the step ended: a person's word counts first; then what the surfaces serve;
    /// then `idempotent`; else the cycle is held.
    fn after_interrupted(&self, last: &StepRecord) -> Ahead {
        let (index, attempt) = (last.started.index, last.started.attempt);
        if let Some(resumed) = &self.state.resumed {
            return match resumed.decision {
                ResumeAs::Deployed => self.step_or_end(index + 1, 1),
                ResumeAs::Failed => Ahead::Over(PhaseOutcome::Failed),
                ResumeAs::Rerun => self.step_or_end(index, attempt + 1),
            };
        }
        if self.state.cancelled.is_some() {
            return Ahead::Over(PhaseOutcome::Interrupted);
        }
        if let Some(held) = &self.state.held {
            return Ahead::Wait(held.clone());
        }
        let asked = self.surfaces.iter().rev().find(|read| read.at >= last.started_at);
        let Some(read) = asked.map(|read| &read.what) else {
            return Ahead::Perform(Action::AskSurfaces);
        };
        if serves_wanted(read) {
            return self.step_or_end(index + 1, 1);
        }
        if self.idempotent {
            return self.step_or_end(index, attempt + 1);
        }
        Ahead::Ask(Held { reason: self.unknown_end(last, read) })
    }

    /// What a person is told who must find out how a step ended. The way back is called what it is:
    /// who takes it for the deploy answers for the wrong revision.
    fn unknown_end(&self, last: &StepRecord, read: &SurfacesRead) -> String {
        let name = &last.started.name;
        let (step, wanted) = match self.back.map(|back| &back.planned) {
            None => (format!("deploy step {name:?}"), "the revision".to_owned()),
            Some(RollbackPlanned { cycle, revision, .. }) => {
                let to = revision.sha.short();
                (format!("step {name:?} of the rollback to {to} (cycle {cycle})"), to.to_owned())
            }
        };
        let seen = if read.surfaces.is_empty() {
            "no surface says what the environment serves".to_owned()
        } else {
            format!("the environment does not serve {wanted}")
        };
        format!("nobody saw how {step} ended, and {seen}")
    }
}

/// What comes next where nobody can say any more which steps there are: the pipeline is gone.
pub(super) fn without_steps(state: &CycleState, records: &[StepRecord]) -> Ahead {
    let nothing_more = match state.cancelled {
        Some(_) => PhaseOutcome::Cancelled,
        None => PhaseOutcome::Skipped,
    };
    let Some(last) = records.last() else { return Ahead::Over(nothing_more) };
    match &last.ended {
        // What runs out there is taken up whatever the pipeline says by now.
        None => Ahead::Perform(Action::DeployStep {
            index: last.started.index,
            attempt: last.started.attempt,
            recorded: true,
        }),
        Some(ended) if ended.outcome.went_well() => Ahead::Over(nothing_more),
        Some(ended) => Ahead::Over(ended.outcome),
    }
}

fn serves_wanted(read: &SurfacesRead) -> bool {
    read.moment == Moment::Before
        && !read.surfaces.is_empty()
        && read.surfaces.iter().all(|surface| surface.matches == Some(true))
}
