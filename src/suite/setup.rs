//! What surrounds the cases: setup once before them, teardown always after them, and which cases a
//! failed setup takes with it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::env::RunEnv;
use super::iteration::{Finished, Iteration};
use super::lookup::Captures;
use crate::domain::evidence::Evidence;
use crate::domain::failure::{Blame, Failure, FailureClass};
use crate::domain::references::visit_case;
use crate::domain::spec::{Case, CaseGroup, Step};
use crate::probe::Deadline;

/// The most that all setup steps of one group may take, where they do not say otherwise.
const SETUP_TIMEOUT: Duration = Duration::from_secs(120);

/// What setup left behind.
#[derive(Default)]
pub(super) struct SetUp {
    /// What it captured, for every case of the suite.
    pub(super) captures: Arc<Captures>,
    /// What went wrong, by group.
    pub(super) broken: Vec<BrokenSetup>,
}

/// A group whose setup failed.
pub(super) struct BrokenSetup {
    group: usize,
    failure: Failure,
    /// Names that it should have captured and did not.
    missing: HashSet<String>,
    /// Whether a step that captures nothing failed or never ran: nobody can tell who needs it.
    takes_whole_group: bool,
    evidence: Evidence,
}

/// Runs the setup of every group, in order.
pub(super) async fn set_up(env: &RunEnv, groups: &[CaseGroup]) -> SetUp {
    let mut captures = Captures::new();
    let mut broken = Vec::new();
    for (group, spec) in groups.iter().enumerate().filter(|(_, spec)| !spec.setup.is_empty()) {
        let deadline = Deadline::after(SETUP_TIMEOUT);
        let mut iteration = Iteration::new(env, &captures, 0);
        let (mut result, mut done) = (Ok(()), 0);
        for step in &spec.setup {
            result = iteration.step(step, deadline).await;
            if result.is_err() {
                break;
            }
            done += 1;
        }
        let finished: Finished = iteration.finish(result).await;
        // Every case of the suite may show them, unlike what a case captures for itself.
        finished.learnt.iter().for_each(|value| env.evidencer().learn(value));
        if let Err(failure) = finished.result {
            broken.push(BrokenSetup::new(group, failure, &spec.setup[done..], finished.evidence));
        }
        captures.extend(finished.captures);
    }
    SetUp { captures: Arc::new(captures), broken }
}

impl BrokenSetup {
    /// `undone` are the step that failed and those after it.
    fn new(group: usize, failure: Failure, undone: &[Step], evidence: Evidence) -> Self {
        let missing = undone.iter().flat_map(|step| &step.capture);
        Self {
            group,
            failure,
            missing: missing.map(|capture| capture.name.clone()).collect(),
            takes_whole_group: undone.iter().any(|step| step.capture.is_empty()),
            evidence,
        }
    }

    /// One sentence for the report.
    pub(super) fn sentence(&self) -> String {
        let step = self.failure.step.as_deref().unwrap_or("a step");
        format!("setup step `{step}`: {}", self.failure.message)
    }
}

impl SetUp {
    /// Why a case cannot be measured, and the evidence of it, when setup took it along.
    pub(super) fn failure_of(&self, group: usize, case: &Case) -> Option<(Failure, Evidence)> {
        let broken = self.broken.iter().find(|broken| {
            (broken.takes_whole_group && broken.group == group) || uses_any(case, &broken.missing)
        })?;
        let failure = Failure {
            class: FailureClass::Setup,
            blame: Blame::Measurement,
            message: broken.sentence(),
            ..broken.failure.clone()
        };
        Some((failure, broken.evidence.clone()))
    }
}

fn uses_any(case: &Case, names: &HashSet<String>) -> bool {
    let mut used = false;
    visit_case(case, &mut |name| used |= names.contains(name));
    used
}

/// Runs the teardown of every group within `timeout` each, every step whatever became of the one
/// before; returns what went wrong, one sentence each.
pub(super) async fn tear_down(
    env: &RunEnv,
    groups: &[CaseGroup],
    captures: &Captures,
    timeout: Duration,
) -> Vec<String> {
    let mut failures = Vec::new();
    for spec in groups.iter().filter(|spec| !spec.teardown.is_empty()) {
        let deadline = Deadline::after(timeout);
        let mut iteration = Iteration::new(env, captures, 0);
        for step in &spec.teardown {
            if let Err(failure) = iteration.step(step, deadline).await {
                failures.push(format!("teardown step `{}`: {}", step.name, failure.message));
            }
        }
        iteration.finish(Ok(())).await;
    }
    failures
}
