//! What is being rolled out now: the cycle's revision, or the one that it goes back to.

use crate::domain::outcome::Phase;
use crate::domain::revision::Revision;
use crate::domain::spec::{Deploy, DeployStep};
use crate::domain::state::{CycleState, StepRecord};

/// Which way a cycle changes the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// To the revision that it tests.
    Deploy,
    /// Back to the last green one.
    Rollback,
}

impl Side {
    /// The side on which the cycle is now.
    pub(super) fn now(state: &CycleState) -> Self {
        match state.running() {
            Some(Phase::Rollback) => Self::Rollback,
            _ => Self::Deploy,
        }
    }

    /// The phase that does it.
    pub(super) fn phase(self) -> Phase {
        match self {
            Self::Deploy => Phase::Deploy,
            Self::Rollback => Phase::Rollback,
        }
    }

    /// The revision, once it is known.
    pub(super) fn revision(self, state: &CycleState) -> Option<&Revision> {
        match self {
            Self::Deploy => state.resolved.as_ref().map(|resolved| &resolved.revision),
            Self::Rollback => state.rollback.as_ref().map(|back| &back.planned.revision),
        }
    }

    /// The folder with its files, relative to the state folder.
    pub(super) fn checkout(self, state: &CycleState) -> Option<&str> {
        match self {
            Self::Deploy => state.resolved.as_ref()?.checkout.as_deref(),
            Self::Rollback => state.rollback.as_ref().map(|back| back.planned.checkout.as_str()),
        }
    }

    /// The steps that do it.
    pub(super) fn steps(self, deploy: &Deploy) -> &[DeployStep] {
        match self {
            Self::Deploy => &deploy.steps,
            Self::Rollback => deploy.rollback_steps(),
        }
    }

    /// The step that was started last.
    pub(super) fn last_record(self, state: &CycleState) -> Option<&StepRecord> {
        match self {
            Self::Deploy => state.steps.last(),
            Self::Rollback => state.rollback.as_ref()?.steps.last(),
        }
    }
}
