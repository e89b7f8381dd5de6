//! What became of the way back to the last green revision, in one sentence: for the head of a report
//! and for news. It knows no markup; whoever asks says how text from outside is made harmless and how a
//! commit is named.

use super::words;
use crate::domain::event::{StepEnded, SurfaceReading};
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::domain::revision::Sha;
use crate::domain::state::{CycleState, RollbackRecord, StepRecord};

/// So many surfaces are named.
const MAX_SURFACES: usize = 4;

/// The sentence, without markup of its own; `None` when nothing was to be rolled back, or it goes on.
pub fn in_plain_words(state: &CycleState) -> Option<String> {
    told(state, str::to_owned, |sha| sha.short().to_owned())
}

/// The sentence; `None` when nothing was to be rolled back, or it goes on.
pub fn told(
    state: &CycleState,
    harmless: impl Fn(&str) -> String,
    short: impl Fn(&Sha) -> String,
) -> Option<String> {
    let phase = state.phase_record(Phase::Rollback)?;
    let outcome = phase.outcome?;
    let environment = harmless(state.queued.environment.as_str());
    let why = |nothing: &str| phase.detail.as_deref().map_or(nothing.to_owned(), &harmless);
    let Some(back) = &state.rollback else {
        return Some(match outcome {
            PhaseOutcome::Skipped => {
                format!("{environment} was not rolled back: {}.", why("there was no need"))
            }
            PhaseOutcome::Passed
            | PhaseOutcome::Failed
            | PhaseOutcome::TimedOut
            | PhaseOutcome::Cancelled
            | PhaseOutcome::Interrupted
            | PhaseOutcome::Errored => {
                format!("{environment} could not be rolled back: {}.", why(outcome.as_str()))
            }
        });
    };
    let target = format!("{} (cycle {})", short(&back.planned.revision.sha), back.planned.cycle);
    Some(match outcome {
        PhaseOutcome::Passed | PhaseOutcome::Skipped => went_back(&environment, &target, back),
        PhaseOutcome::Failed
        | PhaseOutcome::TimedOut
        | PhaseOutcome::Cancelled
        | PhaseOutcome::Interrupted
        | PhaseOutcome::Errored => {
            let why = failed_step(back)
                .map(|(step, ended)| {
                    let (name, detail) = (&step.started.name, &ended.detail);
                    format!("step “{}”: {}", harmless(name), harmless(detail))
                })
                .unwrap_or_else(|| why(&outcome.as_str().replace('_', " ")));
            let seen = last_served(back, &harmless, &short);
            format!("Rolling {environment} back to {target} did not succeed ({why}): {seen}.")
        }
    })
}

fn went_back(environment: &str, target: &str, back: &RollbackRecord) -> String {
    let is_proven = back.surfaces.last().is_some_and(|read| {
        let all = &read.what.surfaces;
        !all.is_empty() && all.iter().all(|surface| surface.matches == Some(true))
    });
    if is_proven {
        format!("{environment} was rolled back to {target} and serves it.")
    } else {
        format!(
            "{environment} was rolled back to {target}, as far as its steps say: no surface names a revision."
        )
    }
}

/// What the surfaces said last on the way back; else that nobody asked them.
fn last_served(
    back: &RollbackRecord,
    harmless: impl Fn(&str) -> String,
    short: impl Fn(&Sha) -> String,
) -> String {
    let last = back.surfaces.last().map_or(&[][..], |read| &read.what.surfaces);
    let said = |reading: &SurfaceReading| {
        let name = harmless(&reading.surface);
        match &reading.served {
            Some(served) => {
                let served =
                    Sha::parse(served).map_or_else(|_| harmless(served), |sha| short(&sha));
                format!("{name} served {served} when last asked")
            }
            None => format!("{name} did not say what it serves when last asked"),
        }
    };
    let said: Vec<String> = last.iter().take(MAX_SURFACES).map(said).collect();
    if said.is_empty() {
        "nothing proves what it serves now".to_owned()
    } else {
        words::list(&said)
    }
}

/// What nobody saw the end of in a cycle that is held: the deploy, or the way back. Who is asked must
/// not take the one for the other.
pub fn unknown_rollout(state: &CycleState) -> String {
    match state.rollback.as_ref().map(|back| &back.planned) {
        None => "the deploy".to_owned(),
        Some(planned) => {
            format!("the rollback to {} (cycle {})", planned.revision.sha.short(), planned.cycle)
        }
    }
}

/// The step that ended the way back.
pub fn failed_step(back: &RollbackRecord) -> Option<(&StepRecord, &StepEnded)> {
    let last = back.steps.last()?;
    let ended = last.ended.as_ref()?;
    (!ended.outcome.went_well()).then_some((last, ended))
}
