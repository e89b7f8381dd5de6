//! State → the next step. Pure: time is a parameter, and nothing is done here.

use jiff::{SignedDuration, Timestamp};

use super::rollout::{Ahead, Rollout, without_steps};
use crate::domain::event::{Event, Finished, Held, PhaseEnded, PhaseStarted};
use crate::domain::outcome::{Phase, PhaseOutcome, Verdict};
use crate::domain::spec::Pipeline;
use crate::domain::state::{CycleState, PhaseRecord};

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
    /// Start a step of the deploy or of the way back, or take up the one that was started.
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
    /// Wait until the environment is ready with what was deployed, or gone back to.
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
    /// Find out which revision to go back to, and lay its files out.
    PlanRollback,
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
        Phase::Rollback => within_rollback(state, running, pipeline, now),
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
        Phase::Diff if goes_back(state, pipeline) => start(Phase::Rollback, None),
        Phase::Diff | Phase::Rollback => start(Phase::Report, None),
        Phase::Report if pipeline.notify.is_empty() && pipeline.report.publish.is_none() => {
            skip(Phase::Notify, "nobody to tell")
        }
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
        let ahead = without_steps(state, &state.steps);
        return go_on(ahead, |outcome| end(Phase::Deploy, outcome, running, now));
    };
    let rollout = Rollout::of_deploy(state, deploy);
    go_on(rollout.ahead(), |outcome| end_of_steps(Phase::Deploy, &rollout, outcome, running, now))
}

/// The end of a phase that consists of steps: one that went well in spite of an unknown end says so.
fn end_of_steps(
    phase: Phase,
    rollout: &Rollout<'_>,
    outcome: PhaseOutcome,
    running: &PhaseRecord,
    now: Timestamp,
) -> NextStep {
    let detail = if outcome == PhaseOutcome::Passed { rollout.doubt() } else { None };
    end_with(phase, outcome, detail, running, now)
}

/// Back to the last green revision, and only done when that serves again.
fn within_rollback(
    state: &CycleState,
    running: &PhaseRecord,
    pipeline: &Pipeline,
    now: Timestamp,
) -> NextStep {
    let Some(back) = &state.rollback else {
        return match state.cancelled {
            Some(_) => end(Phase::Rollback, PhaseOutcome::Cancelled, running, now),
            None => NextStep::Perform(Action::PlanRollback),
        };
    };
    let Some(deploy) = &pipeline.deploy else {
        let ahead = without_steps(state, &back.steps);
        return go_on(ahead, |outcome| end(Phase::Rollback, outcome, running, now));
    };
    let rollout = Rollout::of_rollback(state, deploy, back);
    go_on(rollout.ahead(), |outcome| {
        if outcome != PhaseOutcome::Passed || asks_nothing(pipeline) {
            return end_of_steps(Phase::Rollback, &rollout, outcome, running, now);
        }
        if state.cancelled.is_some() {
            return end(Phase::Rollback, PhaseOutcome::Cancelled, running, now);
        }
        let since = rollout.ended_at().unwrap_or(now);
        let deadline_at = deadline(since, pipeline.ready.timeout).unwrap_or(Timestamp::MAX);
        NextStep::Perform(Action::AwaitReady { deadline_at })
    })
}

/// Goes on with a rollout; when it is over, `over` says what comes then.
fn go_on(ahead: Ahead, over: impl FnOnce(PhaseOutcome) -> NextStep) -> NextStep {
    match ahead {
        Ahead::Perform(action) => NextStep::Perform(action),
        Ahead::Ask(held) => NextStep::Record(vec![Event::Held(held)]),
        Ahead::Wait(held) => NextStep::Wait(held),
        Ahead::Over(outcome) => over(outcome),
    }
}

/// Whether this cycle changed the environment, and its verdict is one after which the pipeline wants
/// the last green revision back.
fn goes_back(state: &CycleState, pipeline: &Pipeline) -> bool {
    let rollback = pipeline.deploy.as_ref().and_then(|deploy| deploy.rollback.as_ref());
    let verdict = state.findings.as_ref().map(|findings| findings.what.verdict);
    rollback.zip(verdict).is_some_and(|(rollback, verdict)| rollback.when.contains(&verdict))
        && state.cancelled.is_none()
        && !state.steps.is_empty()
        // A search deploys broken commits on purpose; the cycle that ends it goes back as any other.
        && !state.queued.options.is_question()
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
    end_with(phase, outcome, None, running, now)
}

fn end_with(
    phase: Phase,
    outcome: PhaseOutcome,
    detail: Option<String>,
    running: &PhaseRecord,
    now: Timestamp,
) -> NextStep {
    let took = now.duration_since(running.started_at).as_millis();
    let duration_ms = u64::try_from(took).unwrap_or(0);
    NextStep::Record(vec![Event::PhaseEnded(PhaseEnded { phase, outcome, duration_ms, detail })])
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
    use crate::domain::event::{
        CancelRequested, Moment, Recorded, ResumeAs, Resumed, SurfacesRead,
    };
    use crate::domain::spec::Rollback;

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

    /// What the end of a phase says beside its outcome.
    fn doubt(step: &NextStep) -> String {
        match step {
            NextStep::Record(events) => match events.as_slice() {
                [Event::PhaseEnded(ended)] => ended.detail.clone().unwrap_or_default(),
                other => panic!("no end: {other:?}"),
            },
            other => panic!("no end: {other:?}"),
        }
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

        let served = step_after(with(lost.clone(), vec![surfaces(Moment::Before, true)]));
        assert!(ends_deploy(&served, PhaseOutcome::Passed));
        assert_eq!(
            doubt(&served),
            "nobody saw how step \"Roll out\" ended; the environment serves the revision"
        );

        let other = with(lost, vec![surfaces(Moment::Before, false)]);
        let NextStep::Record(events) = step_after(other.clone()) else { panic!("not held") };
        let [Event::Held(Held { reason })] = events.as_slice() else { panic!("not held") };
        assert!(reason.ends_with("ended, and the environment does not serve the revision"));
        let held = with(other, events);
        assert!(matches!(step_after(held.clone()), NextStep::Wait(_)));

        let say = |decision| Event::Resumed(Resumed { decision, by: "ada".to_owned() });
        let deployed = with(held.clone(), vec![say(ResumeAs::Deployed)]);
        assert!(ends_deploy(&step_after(deployed.clone()), PhaseOutcome::Passed));
        assert!(doubt(&step_after(deployed)).ends_with("; ada says that it is done"));
        let failed = with(held.clone(), vec![say(ResumeAs::Failed)]);
        assert!(ends_deploy(&step_after(failed), PhaseOutcome::Failed));
        let rerun = with(held, vec![say(ResumeAs::Rerun)]);
        assert_eq!(step_after(rerun.clone()), perform(0, 2, false));
        let seen = with(rerun, vec![step_started(2), step_ended(2, PhaseOutcome::Passed)]);
        assert_eq!(doubt(&step_after(seen)), "");
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
    fn a_step_that_runs_is_taken_up_even_when_the_pipeline_lost_its_deploy() {
        let lost = Pipeline { deploy: None, ..pipeline() };
        let step_after = |events| next_step(&fold(record(events)).unwrap(), &lost, at(500));
        let cancel = Event::CancelRequested(CancelRequested { by: "ada".to_owned() });
        let running = with(deploying(), vec![step_started(1), cancel]);
        assert_eq!(step_after(running.clone()), perform(0, 1, true));
        for (outcome, ends_as) in [
            (PhaseOutcome::Passed, PhaseOutcome::Cancelled),
            (PhaseOutcome::Interrupted, PhaseOutcome::Interrupted),
            (PhaseOutcome::Failed, PhaseOutcome::Failed),
        ] {
            let ended = with(running.clone(), vec![step_ended(1, outcome)]);
            assert!(ends_deploy(&step_after(ended), ends_as), "{outcome}");
        }
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

    /// RELIABILITY A6.
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

    /// A red cycle up to the end of its diff, and a pipeline that goes back after such a one.
    fn red() -> (Vec<Event>, Pipeline) {
        let mut events: Vec<Event> = story().into_iter().take(18).collect();
        events.extend([findings(Verdict::Red), ended(Phase::Diff, PhaseOutcome::Passed)]);
        let mut pipeline = pipeline();
        let rollback = Rollback { when: vec![Verdict::Red], steps: vec![] };
        pipeline.deploy.as_mut().unwrap().rollback = Some(rollback);
        (events, pipeline)
    }

    fn going_back() -> (Vec<Event>, Pipeline) {
        let (events, pipeline) = red();
        (with(events, vec![started(Phase::Rollback), rollback_planned()]), pipeline)
    }

    fn next(events: Vec<Event>, pipeline: &Pipeline) -> NextStep {
        next_step(&fold(record(events)).unwrap(), pipeline, at(500))
    }

    fn ends_rollback(step: &NextStep, outcome: PhaseOutcome) -> bool {
        matches!(step, NextStep::Record(events) if matches!(events.as_slice(),
            [Event::PhaseEnded(e)] if e.phase == Phase::Rollback && e.outcome == outcome))
    }

    #[test]
    fn only_a_verdict_that_is_named_and_a_deploy_that_began_are_rolled_back() {
        let (events, mut pipeline) = red();
        assert_eq!(next(events.clone(), &pipeline), start(Phase::Rollback, None));
        let mut of_a_search = events.clone();
        if let Event::Queued(queued) = &mut of_a_search[0] {
            queued.options.search_of = Some(3);
            queued.options.only = Some("a".to_owned());
        }
        assert_eq!(next(of_a_search, &pipeline), start(Phase::Report, None));
        let untouched = vec![
            queued(),
            started(Phase::Checkout),
            ended(Phase::Checkout, PhaseOutcome::Failed),
            started(Phase::Diff),
            findings(Verdict::Red),
            ended(Phase::Diff, PhaseOutcome::Passed),
        ];
        assert_eq!(next(untouched, &pipeline), start(Phase::Report, None));
        pipeline.deploy.as_mut().unwrap().rollback.as_mut().unwrap().when = vec![Verdict::NotReady];
        assert_eq!(next(events, &pipeline), start(Phase::Report, None));
    }

    fn held_reason(step: NextStep) -> String {
        match step {
            NextStep::Record(events) => match events.as_slice() {
                [Event::Held(held)] => held.reason.clone(),
                other => panic!("not held: {other:?}"),
            },
            other => panic!("not held: {other:?}"),
        }
    }

    #[test]
    fn the_way_back_has_the_steps_the_rules_and_the_readiness_of_a_deploy() {
        let (mut events, pipeline) = going_back();
        assert_eq!(next(events.clone(), &pipeline), perform(0, 1, false));
        events.push(step_started(1));
        assert_eq!(next(events.clone(), &pipeline), perform(0, 1, true));

        let lost = with(events.clone(), vec![step_ended(1, PhaseOutcome::Interrupted)]);
        assert_eq!(next(lost.clone(), &pipeline), NextStep::Perform(Action::AskSurfaces));
        // What the surfaces said of the deploy says nothing about the way back.
        let unserved = with(lost.clone(), vec![surfaces(Moment::Before, false)]);
        let asked = held_reason(next(unserved, &pipeline));
        assert!(asked.contains("of the rollback to "), "{asked}");
        assert!(asked.contains("does not serve "), "{asked}");
        // Where nothing was asked, nobody said anything.
        let nothing = SurfacesRead { moment: Moment::Before, surfaces: Vec::new() };
        let unasked = with(lost, vec![Event::SurfacesRead(nothing)]);
        let asked = held_reason(next(unasked, &pipeline));
        assert!(asked.ends_with("and no surface says what the environment serves"), "{asked}");

        events.push(step_ended(1, PhaseOutcome::Passed));
        let (since, step) = (at(events.len() as i64 - 1), SignedDuration::from_millis(1));
        let deadline_at = since + step + SignedDuration::from_secs(300);
        let ready = NextStep::Perform(Action::AwaitReady { deadline_at });
        assert_eq!(next(events.clone(), &pipeline), ready);
        let over = with(events, vec![ended(Phase::Rollback, PhaseOutcome::Passed)]);
        assert_eq!(next(over, &pipeline), start(Phase::Report, None));
    }

    #[test]
    fn whoever_cancels_ends_the_way_back_where_it_is() {
        let cancel = || Event::CancelRequested(CancelRequested { by: "ada".to_owned() });
        let (events, pipeline) = red();
        let unplanned = with(events, vec![started(Phase::Rollback), cancel()]);
        assert!(ends_rollback(&next(unplanned, &pipeline), PhaseOutcome::Cancelled));
        let (events, pipeline) = going_back();
        let planned = with(events, vec![cancel()]);
        assert!(ends_rollback(&next(planned, &pipeline), PhaseOutcome::Cancelled));
    }

    #[test]
    fn what_a_person_said_of_one_unknown_end_says_nothing_of_the_next() {
        let say = |decision| Event::Resumed(Resumed { decision, by: "ada".to_owned() });
        let lost = |n| vec![step_started(n), step_ended(n, PhaseOutcome::Interrupted)];
        let held = vec![
            surfaces(Moment::Before, false),
            Event::Held(Held { reason: "?".to_owned() }),
            say(ResumeAs::Rerun),
        ];
        let again = with(with(with(deploying(), lost(1)), held), lost(2));
        assert_eq!(step_after(again), NextStep::Perform(Action::AskSurfaces));
    }
}
