//! State → the next step. Pure: time is a parameter, and nothing is done here.

use jiff::{SignedDuration, Timestamp};

use crate::domain::event::{
    Event, Finished, Held, Moment, PhaseEnded, PhaseStarted, ResumeAs, SurfacesRead,
};
use crate::domain::outcome::{Phase, PhaseOutcome, Verdict};
use crate::domain::spec::{Deploy, Pipeline};
use crate::domain::state::{CycleState, PhaseRecord, StepRecord};

/// What the engine does next.
#[derive(Debug, Clone, PartialEq)]
pub enum NextStep {
    /// Append these events: nothing outside needs to be done for them.
    Record(Vec<Event>),
    /// Do something in the world, and append what came of it.
    Perform(Action),
    /// Wait for a person.
    Wait(Held),
    /// The cycle is over.
    Done,
}

/// Something to do in the world. Each is safe to ask for again after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Resolve the revision and lay its files out.
    Checkout,
    /// Start a deploy step, or take up the one that was started.
    DeployStep {
        /// Its position in the pipeline.
        index: u32,
        /// 1, or more when it is tried again.
        attempt: u32,
        /// Whether its start is recorded already: then it must not be started twice.
        recorded: bool,
    },
    /// A deploy step's end is unknown: ask the surfaces what they serve.
    AskSurfaces,
    /// Wait until the environment is ready.
    AwaitReady {
        /// The absolute deadline.
        deadline_at: Timestamp,
    },
    /// Run the cases that have no final result yet.
    RunSuite {
        /// The absolute deadline.
        deadline_at: Timestamp,
    },
    /// Compare, group, decide.
    Analyse,
    /// Write the report and the investigations.
    WriteReport,
    /// Store what is news, for whoever wants to know.
    Notify,
}

/// Names the next step of a cycle.
pub fn next_step(state: &CycleState, pipeline: &Pipeline, now: Timestamp) -> NextStep {
    if state.finished.is_some() {
        return NextStep::Done;
    }
    let Some(last) = state.phases.last() else {
        return start(Phase::Checkout, None);
    };
    match last.outcome {
        None => within(state, last, pipeline, now),
        Some(outcome) => after(state, last.phase, outcome, pipeline, now),
    }
}

/// A phase is running.
fn within(
    state: &CycleState,
    running: &PhaseRecord,
    pipeline: &Pipeline,
    now: Timestamp,
) -> NextStep {
    // What a phase does is cut short by whoever performs it; here only the phase boundary is drawn.
    let deadline_at = running.deadline_at.unwrap_or(now);
    match running.phase {
        Phase::Checkout if state.cancelled.is_some() => {
            end(running.phase, PhaseOutcome::Cancelled, running, now)
        }
        Phase::Checkout if state.resolved.is_some() => {
            end(running.phase, PhaseOutcome::Passed, running, now)
        }
        Phase::Checkout => NextStep::Perform(Action::Checkout),
        Phase::Deploy => within_deploy(state, running, pipeline, now),
        Phase::Ready if state.cancelled.is_some() => {
            end(running.phase, PhaseOutcome::Cancelled, running, now)
        }
        Phase::Ready => NextStep::Perform(Action::AwaitReady { deadline_at }),
        Phase::Suite if state.cancelled.is_some() && state.plan.is_none() => {
            end(running.phase, PhaseOutcome::Cancelled, running, now)
        }
        Phase::Suite => NextStep::Perform(Action::RunSuite { deadline_at }),
        Phase::Diff if state.findings.is_some() => {
            end(running.phase, PhaseOutcome::Passed, running, now)
        }
        Phase::Diff => NextStep::Perform(Action::Analyse),
        Phase::Report => NextStep::Perform(Action::WriteReport),
        Phase::Notify => NextStep::Perform(Action::Notify),
        Phase::Queued | Phase::Finished => finish(state, running, now),
    }
}

/// A phase has ended: which one follows?
fn after(
    state: &CycleState,
    phase: Phase,
    outcome: PhaseOutcome,
    pipeline: &Pipeline,
    now: Timestamp,
) -> NextStep {
    let goes_on = outcome.went_well() && state.cancelled.is_none();
    match phase {
        Phase::Queued => start(Phase::Checkout, None),
        Phase::Checkout | Phase::Deploy | Phase::Ready if !goes_on => start(Phase::Diff, None),
        Phase::Checkout if deploys(state, pipeline) => start(Phase::Deploy, None),
        Phase::Checkout => skip(Phase::Deploy, "not asked for, what is there is tested"),
        Phase::Deploy if asks_nothing(pipeline) => {
            skip(Phase::Ready, "the pipeline names no surface and no check")
        }
        Phase::Deploy => start(Phase::Ready, deadline(now, pipeline.ready.timeout)),
        Phase::Ready => match &pipeline.suite {
            Some(suite) => start(Phase::Suite, deadline(now, suite.timeout)),
            None => skip(Phase::Suite, "the pipeline has no suite"),
        },
        Phase::Suite => start(Phase::Diff, None),
        Phase::Diff => start(Phase::Report, None),
        Phase::Report if pipeline.notify.is_empty() => skip(Phase::Notify, "nobody to tell"),
        Phase::Report => start(Phase::Notify, None),
        Phase::Notify | Phase::Finished => finished(state),
    }
}

fn deploys(state: &CycleState, pipeline: &Pipeline) -> bool {
    state.queued.options.deploy && pipeline.deploy.is_some()
}

fn asks_nothing(pipeline: &Pipeline) -> bool {
    pipeline.ready.surfaces.is_empty() && pipeline.ready.checks.is_empty()
}

fn within_deploy(
    state: &CycleState,
    running: &PhaseRecord,
    pipeline: &Pipeline,
    now: Timestamp,
) -> NextStep {
    let Some(deploy) = &pipeline.deploy else {
        return end(Phase::Deploy, PhaseOutcome::Skipped, running, now);
    };
    let Some(last) = state.steps.last() else {
        return step_or_end(0, 1, deploy, running, state, now);
    };
    let (index, attempt) = (last.started.index, last.started.attempt);
    let Some(ended) = &last.ended else {
        return NextStep::Perform(Action::DeployStep { index, attempt, recorded: true });
    };
    let retries = deploy.steps.get(index as usize).map_or(0, |step| step.retries);
    match ended.outcome {
        PhaseOutcome::Passed | PhaseOutcome::Skipped => {
            step_or_end(index + 1, 1, deploy, running, state, now)
        }
        PhaseOutcome::Interrupted => after_interrupted(state, last, deploy, running, now),
        PhaseOutcome::Failed | PhaseOutcome::TimedOut if attempt <= retries => {
            step_or_end(index, attempt + 1, deploy, running, state, now)
        }
        outcome @ (PhaseOutcome::Failed
        | PhaseOutcome::TimedOut
        | PhaseOutcome::Cancelled
        | PhaseOutcome::Errored) => end(Phase::Deploy, outcome, running, now),
    }
}

fn step_or_end(
    index: u32,
    attempt: u32,
    deploy: &Deploy,
    running: &PhaseRecord,
    state: &CycleState,
    now: Timestamp,
) -> NextStep {
    if index as usize >= deploy.steps.len() {
        return end(Phase::Deploy, PhaseOutcome::Passed, running, now);
    }
    if state.cancelled.is_some() {
        return end(Phase::Deploy, PhaseOutcome::Cancelled, running, now);
    }
    NextStep::Perform(Action::DeployStep { index, attempt, recorded: false })
}

/// Nobody saw how the step ended (SPEC section 5): a person's word counts first; then what the
/// surfaces serve; then `idempotent`; else the cycle is held.
fn after_interrupted(
    state: &CycleState,
    last: &StepRecord,
    deploy: &Deploy,
    running: &PhaseRecord,
    now: Timestamp,
) -> NextStep {
    let (index, attempt) = (last.started.index, last.started.attempt);
    if let Some(resumed) = &state.resumed {
        return match resumed.decision {
            ResumeAs::Deployed => step_or_end(index + 1, 1, deploy, running, state, now),
            ResumeAs::Failed => end(Phase::Deploy, PhaseOutcome::Failed, running, now),
            ResumeAs::Rerun => step_or_end(index, attempt + 1, deploy, running, state, now),
        };
    }
    if state.cancelled.is_some() {
        return end(Phase::Deploy, PhaseOutcome::Interrupted, running, now);
    }
    if let Some(held) = &state.held {
        return NextStep::Wait(held.clone());
    }
    let asked = state.surfaces.iter().rev().find(|read| read.at >= last.started_at);
    match asked.map(|read| serves_wanted(&read.what)) {
        None => NextStep::Perform(Action::AskSurfaces),
        Some(true) => step_or_end(index + 1, 1, deploy, running, state, now),
        Some(false) if deploy.idempotent => {
            step_or_end(index, attempt + 1, deploy, running, state, now)
        }
        Some(false) => {
            let reason = format!(
                "nobody saw how deploy step {:?} ended, and the environment does not serve the revision",
                last.started.name
            );
            NextStep::Record(vec![Event::Held(Held { reason })])
        }
    }
}

fn serves_wanted(read: &SurfacesRead) -> bool {
    read.moment == Moment::Before
        && !read.surfaces.is_empty()
        && read.surfaces.iter().all(|surface| surface.matches == Some(true))
}

fn deadline(now: Timestamp, timeout: std::time::Duration) -> Option<Timestamp> {
    let timeout = SignedDuration::try_from(timeout).ok()?;
    Some(now.checked_add(timeout).unwrap_or(Timestamp::MAX))
}

fn start(phase: Phase, deadline_at: Option<Timestamp>) -> NextStep {
    NextStep::Record(vec![Event::PhaseStarted(PhaseStarted { phase, deadline_at })])
}

fn skip(phase: Phase, why: &str) -> NextStep {
    let started = PhaseStarted { phase, deadline_at: None };
    let ended = PhaseEnded {
        phase,
        outcome: PhaseOutcome::Skipped,
        duration_ms: 0,
        detail: Some(why.to_owned()),
    };
    NextStep::Record(vec![Event::PhaseStarted(started), Event::PhaseEnded(ended)])
}

fn end(phase: Phase, outcome: PhaseOutcome, running: &PhaseRecord, now: Timestamp) -> NextStep {
    let took = now.duration_since(running.started_at).as_millis();
    let duration_ms = u64::try_from(took).unwrap_or(0);
    NextStep::Record(vec![Event::PhaseEnded(PhaseEnded {
        phase,
        outcome,
        duration_ms,
        detail: None,
    })])
}

fn finish(state: &CycleState, running: &PhaseRecord, now: Timestamp) -> NextStep {
    match end(running.phase, PhaseOutcome::Skipped, running, now) {
        NextStep::Record(mut events) => {
            events.extend(verdict_event(state));
            NextStep::Record(events)
        }
        other => other,
    }
}

fn finished(state: &CycleState) -> NextStep {
    NextStep::Record(verdict_event(state))
}

fn verdict_event(state: &CycleState) -> Vec<Event> {
    let (verdict, void_reason) = state
        .findings
        .as_ref()
        .map_or((Verdict::Cancelled, None), |f| (f.what.verdict, f.what.void_reason));
    vec![Event::Finished(Finished { verdict, void_reason })]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::{self, *};
    use super::super::{apply, fold};
    use super::*;
    use crate::domain::event::{CancelRequested, Recorded, Resumed};

    fn step_after(events: Vec<Event>) -> NextStep {
        next_step(&fold(record(events)).unwrap(), &pipeline(), at(500))
    }

    fn deploying() -> Vec<Event> {
        story().into_iter().take(5).collect()
    }

    fn with(mut events: Vec<Event>, more: Vec<Event>) -> Vec<Event> {
        events.extend(more);
        events
    }

    fn perform(index: u32, attempt: u32, recorded: bool) -> NextStep {
        NextStep::Perform(Action::DeployStep { index, attempt, recorded })
    }

    fn ends_deploy(step: &NextStep, outcome: PhaseOutcome) -> bool {
        matches!(step, NextStep::Record(events) if matches!(events.as_slice(),
            [Event::PhaseEnded(e)] if e.phase == Phase::Deploy && e.outcome == outcome))
    }

    #[test]
    fn a_started_step_is_taken_up_never_started_again() {
        assert_eq!(step_after(deploying()), perform(0, 1, false));
        assert_eq!(step_after(with(deploying(), vec![step_started(1)])), perform(0, 1, true));
    }

    #[test]
    fn a_failed_step_is_retried_as_often_as_the_pipeline_says() {
        let failed = |n| vec![step_started(n), step_ended(n, PhaseOutcome::Failed)];
        assert_eq!(step_after(with(deploying(), failed(1))), perform(0, 2, false));
        let twice = with(with(deploying(), failed(1)), failed(2));
        assert!(ends_deploy(&step_after(twice), PhaseOutcome::Failed));
    }

    #[test]
    fn an_unknown_end_is_asked_about_then_held_and_only_a_person_decides() {
        let lost =
            with(deploying(), vec![step_started(1), step_ended(1, PhaseOutcome::Interrupted)]);
        assert_eq!(step_after(lost.clone()), NextStep::Perform(Action::AskSurfaces));

        let served = with(lost.clone(), vec![surfaces(Moment::Before, true)]);
        assert!(ends_deploy(&step_after(served), PhaseOutcome::Passed));

        let other = with(lost, vec![surfaces(Moment::Before, false)]);
        let NextStep::Record(events) = step_after(other.clone()) else { panic!("not held") };
        assert_eq!(events[0].kind(), "held");
        let held = with(other, events);
        assert!(matches!(step_after(held.clone()), NextStep::Wait(_)));

        let say = |decision| Event::Resumed(Resumed { decision, by: "ada".to_owned() });
        let deployed = with(held.clone(), vec![say(ResumeAs::Deployed)]);
        assert!(ends_deploy(&step_after(deployed), PhaseOutcome::Passed));
        let failed = with(held.clone(), vec![say(ResumeAs::Failed)]);
        assert!(ends_deploy(&step_after(failed), PhaseOutcome::Failed));
        let rerun = with(held, vec![say(ResumeAs::Rerun)]);
        assert_eq!(step_after(rerun), perform(0, 2, false));
    }

    #[test]
    fn an_idempotent_deploy_is_run_again_after_an_unknown_end() {
        let mut pipeline = pipeline();
        pipeline.deploy.as_mut().unwrap().idempotent = true;
        let events = vec![
            step_started(1),
            step_ended(1, PhaseOutcome::Interrupted),
            surfaces(Moment::Before, false),
        ];
        let state = fold(record(with(deploying(), events))).unwrap();
        assert_eq!(next_step(&state, &pipeline, at(500)), perform(0, 2, false));
    }

    #[test]
    fn a_failed_phase_leads_straight_to_the_diff() {
        let failed = with(deploying(), vec![ended(Phase::Deploy, PhaseOutcome::Failed)]);
        assert_eq!(step_after(failed), start(Phase::Diff, None));
    }

    #[test]
    fn a_cancelled_cycle_starts_nothing_new() {
        let cancel = Event::CancelRequested(CancelRequested { by: "SIGINT".to_owned() });
        let before_step = with(deploying(), vec![cancel.clone()]);
        assert!(ends_deploy(&step_after(before_step), PhaseOutcome::Cancelled));
        let after_deploy: Vec<Event> = with(story().into_iter().take(8).collect(), vec![cancel]);
        assert_eq!(step_after(after_deploy), start(Phase::Diff, None));
    }

    #[test]
    fn deadlines_are_instants_from_when_the_phase_starts() {
        let events: Vec<Event> = story().into_iter().take(11).collect();
        let expected = PhaseStarted { phase: Phase::Suite, deadline_at: Some(at(500 + 1200)) };
        assert_eq!(step_after(events), NextStep::Record(vec![Event::PhaseStarted(expected)]));
    }

    #[test]
    fn recorded_steps_alone_never_loop() {
        // From every prefix of the story, steps that need nothing from outside come to a halt.
        for length in 1..=story().len() {
            let mut state = fold(record(story().into_iter().take(length).collect())).unwrap();
            for round in 0.. {
                assert!(round < 10, "prefix of {length} loops");
                let NextStep::Record(events) = next_step(&state, &pipeline(), at(500)) else {
                    break;
                };
                for event in events {
                    let recorded = Recorded { seq: state.seq + 1, at: testing::at(500), event };
                    apply(&mut state, recorded).unwrap();
                }
            }
        }
    }
}
