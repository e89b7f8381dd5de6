//! The one sentence that says what a verdict rests on. Pure: records in, words out.

use crate::domain::event::{ControlKind, Moment};
use crate::domain::findings::CaseFinding;
use crate::domain::history::Counts;
use crate::domain::outcome::{Change, Phase, PhaseOutcome, Verdict, VoidReason};
use crate::domain::state::{CycleState, Deployed};

/// What was decided.
pub struct Judged<'a> {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is void.
    pub void_reason: Option<VoidReason>,
    /// How the planned cases ended.
    pub counts: Counts,
    /// What the comparison says of each.
    pub cases: &'a [CaseFinding],
}

/// The sentence, without its full stop.
pub fn reason(state: &CycleState, judged: &Judged<'_>) -> String {
    match judged.verdict {
        Verdict::Green => green(judged),
        Verdict::Red => red(judged),
        Verdict::Incomplete => incomplete(state, judged),
        Verdict::Void => void(state, judged),
        Verdict::DeployFailed => failed_phase(state),
        Verdict::NotReady => not_ready(state),
        Verdict::Superseded => "a newer commit took its place before it began".to_owned(),
        Verdict::Cancelled => {
            let by = state.cancelled.as_ref().map_or("somebody", |cancelled| cancelled.by.as_str());
            format!("cancelled by {by} in its {} phase{}", cancelled_in(state), left(state))
        }
    }
}

/// What is on the environment now, as far as a cycle that came to no result can say.
fn left(state: &CycleState) -> String {
    let environment = &state.queued.environment;
    let (Some(left), Some(resolved)) = (state.left_deployed(), &state.resolved) else {
        return String::new();
    };
    let sha = resolved.revision.sha.short();
    match left {
        Deployed::InPart => format!(": {environment} may have {sha} in whole or in part"),
        Deployed::Unseen => {
            format!(": {sha} was deployed to {environment}, and nobody saw what that serves")
        }
        Deployed::Another => {
            format!(": {sha} was deployed to {environment}, which still served another revision")
        }
        Deployed::Served => format!(": {environment} serves {sha}, of which nothing is known"),
    }
}

fn count_of(judged: &Judged<'_>, changes: &[Change]) -> usize {
    judged.cases.iter().filter(|case| case.change.is_some_and(|c| changes.contains(&c))).count()
}

fn green(judged: &Judged<'_>) -> String {
    let fixed = count_of(judged, &[Change::Fixed]);
    let mut parts = vec!["every case that decides the verdict passed".to_owned()];
    if judged.counts.failing() > 0 {
        parts.push(format!("{} failing in quarantine", judged.counts.failing()));
    }
    if judged.counts.flaky > 0 {
        parts.push(format!("{} only after a failed attempt", judged.counts.flaky));
    }
    if fixed > 0 {
        parts.push(format!("{fixed} fixed"));
    }
    parts.join(", ")
}

fn red(judged: &Judged<'_>) -> String {
    let failing = judged.counts.failing();
    if failing == 0 {
        return "a flaky or suspicious pass counts as a failure in this pipeline".to_owned();
    }
    let kinds = [
        (count_of(judged, &[Change::Regressed]), "regressed"),
        (count_of(judged, &[Change::NewFailing]), "failing from their first run on"),
        (count_of(judged, &[Change::ChangedFailure]), "failing in another way than before"),
        (count_of(judged, &[Change::StillFailing]), "failing as before"),
        (count_of(judged, &[Change::Fixed]), "fixed"),
    ];
    let told: Vec<String> =
        kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let cases = if failing == 1 {
        "1 case is failing".to_owned()
    } else {
        format!("{failing} cases are failing")
    };
    // A question to an older commit is compared with nothing.
    if told.is_empty() { cases } else { format!("{cases}: {}", told.join(", ")) }
}

fn incomplete(state: &CycleState, judged: &Judged<'_>) -> String {
    let stopped = state.suite_ended.as_ref().and_then(|ended| ended.stopped_by);
    let why = stopped.map_or_else(String::new, |by| format!(" (the suite ended early: {by})"));
    let cases = cases(judged.counts.not_run);
    format!("nothing that ran is failing, but {cases} did not run{why}")
}

fn cases(count: u32) -> String {
    if count == 1 { "1 case".to_owned() } else { format!("{count} cases") }
}

fn void(state: &CycleState, judged: &Judged<'_>) -> String {
    match judged.void_reason {
        Some(VoidReason::RevisionChanged) => changed_surface(state),
        Some(VoidReason::ControlFailed) => failed_control(state),
        Some(VoidReason::SuiteChanged) => {
            let expected = state.plan.as_ref().and_then(|plan| plan.expected_cases).unwrap_or(0);
            let cases = if judged.counts.planned == 1 { "case" } else { "cases" };
            format!(
                "the suite has {} {cases}, the pipeline expects {expected}",
                judged.counts.planned
            )
        }
        Some(VoidReason::NoResults) | None if state.plan.is_none() => {
            "the pipeline has no suite, so nothing was tested".to_owned()
        }
        Some(VoidReason::NoResults) | None => "no case ran to a result".to_owned(),
    }
}

fn changed_surface(state: &CycleState) -> String {
    let before = state.surfaces.iter().rev().find(|read| read.what.moment == Moment::Before);
    let later = state.surfaces.iter().filter(|read| read.what.moment != Moment::Before);
    for read in later {
        for now in &read.what.surfaces {
            let then = before
                .and_then(|b| b.what.surfaces.iter().find(|s| s.surface == now.surface))
                .and_then(|surface| surface.served.as_deref());
            if then != now.served.as_deref() {
                return format!(
                    "surface {} served {} before the suite and {} {} it",
                    now.surface,
                    then.unwrap_or("nothing"),
                    now.served.as_deref().unwrap_or("nothing"),
                    read.what.moment,
                );
            }
        }
    }
    "a surface served another revision than before the suite".to_owned()
}

fn failed_control(state: &CycleState) -> String {
    match state.failed_reading(ControlKind::Control) {
        Some((moment, reading)) => {
            let why = reading.failure.as_deref().unwrap_or_default();
            format!(
                "control {} failed {moment} the suite ({why}), so the service is not to blame",
                reading.name
            )
        }
        None => "a control failed".to_owned(),
    }
}

fn failed_phase(state: &CycleState) -> String {
    let failed = state.phases.iter().find(|record| record.outcome.is_some_and(|o| !o.went_well()));
    let Some(record) = failed else { return "the deploy failed".to_owned() };
    if record.phase == Phase::Checkout {
        let detail = record.detail.as_deref().unwrap_or("the revision could not be laid out");
        return format!("nothing was deployed: {detail}");
    }
    let last = state.steps.iter().rev().find(|step| step.ended.is_some());
    match last.and_then(|step| Some((step, step.ended.as_ref()?))) {
        Some((step, ended)) => {
            format!("deploy step {:?} {}", step.started.name, ending(ended.outcome, &ended.detail))
        }
        None => {
            format!("the deploy phase {}", record.outcome.map_or("failed", PhaseOutcome::as_str))
        }
    }
}

/// How a step ended, as the rest of a sentence. The detail of an end that somebody saw is one
/// (`exited with code 1`); that of another is a sentence of its own.
fn ending(outcome: PhaseOutcome, detail: &str) -> String {
    match outcome {
        PhaseOutcome::Interrupted => format!("was interrupted: {detail}"),
        PhaseOutcome::Errored => format!("could not be run: {detail}"),
        PhaseOutcome::Passed
        | PhaseOutcome::Failed
        | PhaseOutcome::Skipped
        | PhaseOutcome::TimedOut
        | PhaseOutcome::Cancelled => detail.to_owned(),
    }
}

fn not_ready(state: &CycleState) -> String {
    let record = state.phase_record(Phase::Ready);
    let detail = record.and_then(|record| record.detail.as_deref());
    detail.unwrap_or("the environment never became ready").to_owned()
}

fn cancelled_in(state: &CycleState) -> Phase {
    let cancelled =
        state.phases.iter().find(|record| record.outcome == Some(PhaseOutcome::Cancelled));
    cancelled.map_or_else(
        || {
            state
                .phases
                .iter()
                .rev()
                .map(|r| r.phase)
                .find(|p| *p < Phase::Diff)
                .unwrap_or(Phase::Queued)
        },
        |record| record.phase,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_case_is_no_cases() {
        assert_eq!((cases(1).as_str(), cases(23).as_str()), ("1 case", "23 cases"));
    }

    #[test]
    fn the_end_of_a_step_ends_a_sentence() {
        let gone = "its supervisor is gone and nobody saw how it ended";
        assert_eq!(ending(PhaseOutcome::Interrupted, gone), format!("was interrupted: {gone}"));
        assert_eq!(ending(PhaseOutcome::Failed, "exited with code 1"), "exited with code 1");
    }
}
