//! Runs native cases against a made-up service within this process: first an ideal one, then the same
//! with one fault at a time.
//!
//! What the service answers, and which faults concern a case, is decided by `prove`; the case is run and
//! judged by `suite`, as in a cycle. Nothing here reaches a network, reads a secret or stores anything.

mod given;
mod run;
mod service;
mod socket;
mod stage;

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use given::Given;

use crate::domain::spec::{Case, CaseGroup, Step};
use crate::prove::{Aim, Applies, CaseProof, Fault, OwnNames, Shown, aims, applies};
use crate::suite::EnvError;
use run::{Ended, Trial};

/// So many runs go on at the same time; most of them wait.
const AT_ONCE: usize = 16;

/// A rehearsal that came to no end.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// A variable without a value.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// Somebody asked us to end.
    #[error("the rehearsal was cancelled")]
    Cancelled,
    /// A defect of ours.
    #[error("a rehearsal came to no result")]
    Defect(#[from] tokio::task::JoinError),
}

/// Shows of every native case whether it can fail, in the order written.
///
/// # Errors
/// When a variable has no value, or on a cancel.
pub async fn rehearse(
    given: Given,
    groups: &[CaseGroup],
    cancel: &CancellationToken,
) -> Result<Vec<CaseProof>, RehearsalError> {
    let hall = Arc::new(Hall {
        given,
        setup: groups.iter().flat_map(|group| group.setup.clone()).collect(),
        turns: Semaphore::new(AT_ONCE),
    });
    let mut tasks = JoinSet::new();
    for (place, case) in groups.iter().flat_map(|group| &group.cases).enumerate() {
        let (hall, case) = (Arc::clone(&hall), case.clone());
        tasks.spawn(async move { (place, hall.prove(&case).await) });
    }
    let mut proofs = Vec::new();
    loop {
        let joined = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(RehearsalError::Cancelled),
            joined = tasks.join_next() => joined,
        };
        let Some(joined) = joined else { break };
        let (place, proof) = joined?;
        proofs.push((place, proof?));
    }
    proofs.sort_by_key(|(place, _)| *place);
    Ok(proofs.into_iter().map(|(_, proof)| proof).collect())
}

/// What the trials of all cases share.
struct Hall {
    given: Given,
    setup: Vec<Step>,
    turns: Semaphore,
}

impl Hall {
    async fn prove(&self, case: &Case) -> Result<CaseProof, RehearsalError> {
        let own = OwnNames::of(self.given.vars(), self.setup.iter(), case);
        let id = case.id.clone();
        if let Ended::Failed(reason) = self.perform(case, &own, None, Aim::Everywhere).await? {
            let what = "no service that it passes with could be made up";
            return Ok(CaseProof::not_tried(id, format!("{what}: {reason}")));
        }
        let own = &own;
        let trials = Fault::ALL.map(|fault| self.try_fault(case, own, fault));
        let tried: Vec<_> = join_all(trials).await.into_iter().collect::<Result<_, _>>()?;
        let unnoticed = Fault::ALL.into_iter().zip(tried.iter().map(|(_, at)| at.clone()));
        let unnoticed = unnoticed.filter(|(_, steps)| !steps.is_empty()).collect();
        let shown = Fault::ALL.into_iter().zip(tried.into_iter().map(|(shown, _)| shown));
        Ok(CaseProof { id, shown: shown.collect(), unnoticed, not_tried: None })
    }

    /// What became of a case under a fault, and the steps that did not notice it for themselves.
    async fn try_fault(
        &self,
        case: &Case,
        own: &OwnNames,
        fault: Fault,
    ) -> Result<(Shown, Vec<String>), RehearsalError> {
        if let Applies::No(reason) = applies(fault, case, own) {
            return Ok((Shown::NotApplicable(reason.to_owned()), Vec::new()));
        }
        let trials = aims(fault, case).into_iter().map(|aim| async move {
            let ended = self.perform(case, own, Some(fault), aim).await?;
            Ok::<_, RehearsalError>((aim, ended))
        });
        let ended: Vec<_> = join_all(trials).await.into_iter().collect::<Result<_, _>>()?;
        let passed: Vec<Aim> =
            ended.into_iter().filter(|(_, e)| *e == Ended::Passed).map(|(aim, _)| aim).collect();
        let steps = passed.iter().filter_map(|aim| match aim {
            Aim::Everywhere => None,
            Aim::Step(place) => case.steps.get(*place).map(|step| step.name.clone()),
        });
        let shown = if passed.is_empty() { Shown::Detected } else { Shown::Missed };
        Ok((shown, steps.collect()))
    }

    async fn perform(
        &self,
        case: &Case,
        own: &OwnNames,
        fault: Option<Fault>,
        aim: Aim,
    ) -> Result<Ended, RehearsalError> {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        let trial = Trial { given: &self.given, setup: &self.setup, case, own, fault, aim };
        Ok(trial.perform().await?)
    }
}
