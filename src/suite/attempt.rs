//! One attempt of a case: its steps once, side by side, or one after another.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::env::RunEnv;
use super::iteration::{Finished, Iteration};
use super::lookup::Captures;
use super::seal::seal_failure;
use crate::domain::attempt::Attempt;
use crate::domain::evidence::Evidence;
use crate::domain::failure::{Blame, Failure, FailureClass};
use crate::domain::spec::{Case, Shape, Suite};
use crate::probe::Deadline;
use crate::verdict::{Finding, judge_percentiles, percentiles};

/// A case within a suite that many tasks share.
#[derive(Clone)]
pub(super) struct CaseRef {
    pub(super) suite: Arc<Suite>,
    pub(super) group: usize,
    pub(super) position: usize,
}

impl CaseRef {
    pub(super) fn get(&self) -> &Case {
        &self.suite.groups[self.group].cases[self.position]
    }
}

/// What one run through the steps came to.
struct Run {
    index: u32,
    result: Result<(), Failure>,
    evidence: Evidence,
    took_us: u64,
}

/// Runs an attempt of a case to its end.
pub(super) async fn run_attempt(
    env: RunEnv,
    case_ref: CaseRef,
    setup: Arc<Captures>,
    number: u32,
) -> Attempt {
    let case = case_ref.get();
    let started_at = env.shared.clock.now();
    let started = Instant::now();
    let deadline = Deadline::from(started, case.timeout);
    let (result, mut evidence, samples) = match case.shape {
        Shape::Once => {
            let run = run_once(&env, case, &setup, 0, deadline).await;
            (run.result, run.evidence, vec![run.took_us])
        }
        Shape::Parallel { times, quorum } => {
            run_parallel(&env, &case_ref, &setup, (times, quorum), deadline).await
        }
        Shape::Repeat { times, every } => {
            run_repeat(&env, case, &setup, (times, every), deadline).await
        }
    };
    if !matches!(case.shape, Shape::Once) || !case.latency.is_empty() {
        evidence.latencies = percentiles(&samples).map(Box::new);
    }
    let failure = result.err().or_else(|| {
        let finding = judge_percentiles(&case.latency, evidence.latencies.as_ref()?).err()?;
        Some(seal_failure(&env, finding, "all runs", None))
    });
    Attempt {
        case: case.id.clone(),
        number,
        started_at,
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        failure: failure.map(Arc::new),
        skipped: None,
        evidence,
    }
}

async fn run_once(
    env: &RunEnv,
    case: &Case,
    setup: &Captures,
    index: u32,
    deadline: Deadline,
) -> Run {
    let started = Instant::now();
    let mut iteration = Iteration::new(env, setup, index);
    let result = iteration.run(&case.steps, deadline).await;
    let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let Finished { result, evidence, .. } = iteration.finish(result).await;
    Run { index, result, evidence, took_us }
}

type Runs = (Result<(), Failure>, Evidence, Vec<u64>);

async fn run_parallel(
    env: &RunEnv,
    case_ref: &CaseRef,
    setup: &Arc<Captures>,
    (times, quorum): (u32, u32),
    deadline: Deadline,
) -> Runs {
    let mut tasks = JoinSet::new();
    for index in 0..times {
        let (env, case_ref, setup) = (env.clone(), case_ref.clone(), Arc::clone(setup));
        tasks.spawn(async move { run_once(&env, case_ref.get(), &setup, index, deadline).await });
    }
    let (mut evidence, mut samples) = (Evidence::default(), Vec::new());
    let (mut passed, mut first): (u32, Option<(u32, Failure)>) = (0, None);
    while let Some(joined) = tasks.join_next().await {
        // A task that panicked is a defect of ours: it did not pass, and the rest tells.
        let Ok(run) = joined else { continue };
        evidence.absorb(run.evidence);
        samples.push(run.took_us);
        match run.result {
            Ok(()) => passed += 1,
            Err(failure) if first.as_ref().is_none_or(|(index, _)| run.index < *index) => {
                first = Some((run.index, failure));
            }
            Err(_) => {}
        }
    }
    let result = match first {
        _ if passed >= quorum => Ok(()),
        Some((index, failure)) => {
            let message = format!(
                "{passed} of {times} runs side by side passed, {quorum} must; run {index}: {}",
                failure.message
            );
            Err(Failure { message, ..failure })
        }
        None => Err(defect(env, "a run side by side")),
    };
    (result, evidence, samples)
}

async fn run_repeat(
    env: &RunEnv,
    case: &Case,
    setup: &Captures,
    (times, every): (u32, Duration),
    deadline: Deadline,
) -> Runs {
    let (mut evidence, mut samples) = (Evidence::default(), Vec::new());
    for index in 0..times {
        if index > 0 {
            sleep_until(deadline.at.min(Instant::now() + every)).await;
        }
        let run = run_once(env, case, setup, index, deadline).await;
        evidence.absorb(run.evidence);
        samples.push(run.took_us);
        if let Err(failure) = run.result {
            let message = format!("run {} of {times}: {}", index + 1, failure.message);
            return (Err(Failure { message, ..failure }), evidence, samples);
        }
    }
    (Ok(()), evidence, samples)
}

/// A defect of Andon, never of the service.
pub(super) fn defect(env: &RunEnv, what: &str) -> Failure {
    let message = format!("a defect in Andon: {what} ended without a result");
    let finding = Finding::measurement(FailureClass::Setup, "runner", "a result", "none");
    Failure { blame: Blame::Measurement, ..seal_failure(env, finding.saying(message), what, None) }
}
