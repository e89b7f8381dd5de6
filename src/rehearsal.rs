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
use crate::prove::{Applies, CaseProof, Fault, OwnNames, Proof, Shown, applies};
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

/// Shows of every native case whether it can fail. Commands are named, and not tried.
///
/// # Errors
/// When a variable has no value, or on a cancel.
pub async fn rehearse(
    given: Given,
    groups: &[CaseGroup],
    commands: Vec<String>,
    cancel: &CancellationToken,
) -> Result<Proof, RehearsalError> {
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
    Ok(Proof { cases: proofs.into_iter().map(|(_, proof)| proof).collect(), commands })
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
        if let Ended::Failed(reason) = self.perform(case, &own, None).await? {
            let why = || Shown::NotApplicable("nothing was tried".to_owned());
            let shown = Fault::ALL.map(|fault| (fault, why())).to_vec();
            return Ok(CaseProof { id, shown, not_tried: Some(reason) });
        }
        let own = &own;
        let trials = Fault::ALL.map(|fault| async move {
            let shown = match applies(fault, case, own) {
                Applies::No(reason) => Shown::NotApplicable(reason.to_owned()),
                Applies::Yes => match self.perform(case, own, Some(fault)).await? {
                    Ended::Passed => Shown::Missed,
                    Ended::Failed(_) => Shown::Detected,
                },
            };
            Ok::<_, RehearsalError>((fault, shown))
        });
        let shown = join_all(trials).await.into_iter().collect::<Result<_, _>>()?;
        Ok(CaseProof { id, shown, not_tried: None })
    }

    async fn perform(
        &self,
        case: &Case,
        own: &OwnNames,
        fault: Option<Fault>,
    ) -> Result<Ended, RehearsalError> {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        let trial = Trial { given: &self.given, setup: &self.setup, case, own, fault };
        Ok(trial.perform().await?)
    }
}
