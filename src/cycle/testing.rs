//! A story of events for the tests of this module.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::attempt::Attempt;
use crate::domain::event::*;
use crate::domain::evidence::Evidence;
use crate::domain::failure::{Blame, Failure, FailureClass};
use crate::domain::findings::Findings;
use crate::domain::history::Counts;
use crate::domain::names::{CaseId, EnvironmentName, PipelineName};
use crate::domain::outcome::{Phase, PhaseOutcome, Trigger, TriggerKind, Verdict};
use crate::domain::revision::{Revision, Sha};
use crate::domain::spec::{
    Command, Cycles, Deploy, DeployAction, DeployStep, Extract, FlakyPolicy, HttpRequest, Pipeline,
    Priority, Ready, ReportSpec, Suite, Surface, SuspiciousPolicy, TlsOptions, Until,
};
use crate::domain::template::Template;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + second).unwrap()
}

pub(crate) fn record(events: Vec<Event>) -> Vec<Recorded> {
    let numbered = (1..).zip(events);
    numbered.map(|(seq, event)| Recorded { seq, at: at(seq as i64), event }).collect()
}

pub(crate) fn sha() -> Sha {
    Sha::parse("4f1c2aa000000000000000000000000000000001").unwrap()
}

pub(crate) fn started(phase: Phase) -> Event {
    Event::PhaseStarted(PhaseStarted { phase, deadline_at: None })
}

pub(crate) fn ended(phase: Phase, outcome: PhaseOutcome) -> Event {
    Event::PhaseEnded(PhaseEnded { phase, outcome, duration_ms: 5, detail: None })
}

pub(crate) fn queued() -> Event {
    Event::Queued(Box::new(Queued {
        pipeline: PipelineName::parse("chat").unwrap(),
        cycle: 1,
        environment: EnvironmentName::parse("staging").unwrap(),
        trigger: Trigger { kind: TriggerKind::Manual, detail: "by hand".to_owned() },
        requested: None,
        taken_together: vec![],
        definition: Definition {
            file: "chat.yaml".to_owned(),
            config_digest: "c".to_owned(),
            suite: Some("P1".to_owned()),
            suite_digest: Some("s".to_owned()),
            report_dir: "reports".to_owned(),
            impact: None,
            at_risk: None,
            not_acted_on: vec![],
            idempotent_deploy: false,
            andon: "0".to_owned(),
        },
        options: RunOptions { deploy: true, only: None, search_of: None },
        queued_by: None,
    }))
}

pub(crate) fn step_started(attempt: u32) -> Event {
    Event::StepStarted(StepStarted {
        index: 0,
        name: "Roll out".to_owned(),
        attempt,
        deadline_at: at(1000),
        run_dir: Some("runs/1".to_owned()),
    })
}

pub(crate) fn step_ended(attempt: u32, outcome: PhaseOutcome) -> Event {
    Event::StepEnded(StepEnded {
        index: 0,
        attempt,
        outcome,
        duration_ms: 1,
        detail: "exit 0".to_owned(),
        output: None,
    })
}

pub(crate) fn surfaces(moment: Moment, matches: bool) -> Event {
    let surface = SurfaceReading {
        surface: "api".to_owned(),
        served: Some("4f1c2aa".to_owned()),
        matches: Some(matches),
        reads: 1,
        after_ms: None,
        remote: None,
        error: None,
    };
    Event::SurfacesRead(SurfacesRead { moment, surfaces: vec![surface] })
}

pub(crate) fn resolved() -> Event {
    let revision = Revision {
        sha: sha(),
        subject: "s".to_owned(),
        author: "a".to_owned(),
        branch: None,
        time: at(0),
    };
    Event::RevisionResolved(RevisionResolved { revision, checkout: None, left_out: vec![] })
}

pub(crate) fn rollback_planned() -> Event {
    let sha = Sha::parse("0a0b0c0000000000000000000000000000000002").unwrap();
    let revision = Revision {
        sha,
        subject: "green".to_owned(),
        author: "a".to_owned(),
        branch: None,
        time: at(0),
    };
    Event::RollbackPlanned(RollbackPlanned { cycle: 1, revision, checkout: "c".to_owned() })
}

pub(crate) fn findings(verdict: Verdict) -> Event {
    Event::Analysed(Arc::new(Findings {
        version: 1,
        verdict,
        void_reason: None,
        reason: String::new(),
        counts: Counts::default(),
        baseline: None,
        cases: vec![],
        clusters: vec![],
        suspicious: vec![],
        renames: vec![],
        commits: None,
        chain: vec![],
        search: None,
        gave_up: None,
        investigations: vec![],
        fixes: vec![],
        overdue: vec![],
    }))
}

/// A case as it is planned.
pub(crate) fn planned_case(id: &str) -> PlannedCase {
    PlannedCase {
        id: CaseId::parse(id).unwrap(),
        was: vec![],
        name: "one".to_owned(),
        area: None,
        priority: Priority::P1,
        owner: None,
        impact: None,
        digest: "d".into(),
        quarantine: None,
        events: vec![],
        command: None,
    }
}

/// An attempt of a case that passes or fails.
pub(crate) fn case_attempt(id: &str, number: u32, fails: bool) -> Event {
    let failure = Failure {
        class: FailureClass::Reported,
        blame: Blame::Service,
        message: "wrong".to_owned(),
        step: None,
        expected: None,
        actual: None,
        subject: None,
        repro: None,
    };
    Event::AttemptFinished(Box::new(Attempt {
        case: CaseId::parse(id).unwrap(),
        number,
        started_at: at(20),
        duration_ms: 3,
        failure: fails.then(|| Arc::new(failure)),
        skipped: None,
        evidence: Evidence::default(),
    }))
}

/// A green cycle with one case, from beginning to end.
pub(crate) fn story() -> Vec<Event> {
    let plan = SuitePlanned {
        name: "P1".to_owned(),
        digest: "s".to_owned(),
        cases: vec![planned_case("test_001")],
        expected_cases: None,
        flaky: FlakyPolicy::Pass,
        suspicious: SuspiciousPolicy::Warn,
        deadline_at: at(1000),
    };
    let suite_end = SuiteEnded {
        stopped_by: None,
        not_run: vec![],
        setup_failures: vec![],
        teardown_failures: vec![],
        retries_withheld: None,
        duration_ms: 4,
    };
    vec![
        queued(),
        started(Phase::Checkout),
        resolved(),
        ended(Phase::Checkout, PhaseOutcome::Passed),
        started(Phase::Deploy),
        step_started(1),
        step_ended(1, PhaseOutcome::Passed),
        ended(Phase::Deploy, PhaseOutcome::Passed),
        started(Phase::Ready),
        surfaces(Moment::Before, true),
        ended(Phase::Ready, PhaseOutcome::Passed),
        started(Phase::Suite),
        Event::SuitePlanned(Box::new(plan)),
        case_attempt("test_001", 1, false),
        Event::SuiteEnded(suite_end),
        surfaces(Moment::After, true),
        ended(Phase::Suite, PhaseOutcome::Passed),
        started(Phase::Diff),
        findings(Verdict::Green),
        ended(Phase::Diff, PhaseOutcome::Passed),
        started(Phase::Report),
        ended(Phase::Report, PhaseOutcome::Passed),
        started(Phase::Notify),
        ended(Phase::Notify, PhaseOutcome::Skipped),
        Event::Finished(Finished { verdict: Verdict::Green, void_reason: None }),
    ]
}

fn surface() -> Surface {
    let request = HttpRequest {
        method: "GET".to_owned(),
        url: Template::literal("http://127.0.0.1/version"),
        headers: vec![],
        query: vec![],
        body: None,
        follow: 0,
        basic: None,
        bearer: None,
        tls: TlsOptions::default(),
        http2: false,
    };
    Surface { name: "api".to_owned(), request, value: Extract::Body }
}

/// A pipeline with one deploy step and an empty suite.
pub(crate) fn pipeline() -> Pipeline {
    let step = DeployStep {
        name: "Roll out".to_owned(),
        action: DeployAction::Run(Command::Shell("true".to_owned())),
        timeout: Duration::from_secs(900),
        retries: 1,
        env: vec![],
        env_pass: vec![],
    };
    Pipeline {
        name: PipelineName::parse("chat").unwrap(),
        description: None,
        environment: EnvironmentName::parse("staging").unwrap(),
        hosts: None,
        vars: vec![],
        secrets: vec![],
        identities: vec![],
        watch: None,
        schedules: vec![],
        deploy: Some(Deploy { idempotent: false, steps: vec![step], rollback: None }),
        ready: Ready {
            timeout: Duration::from_secs(300),
            every: Duration::from_secs(2),
            successes: 3,
            surfaces: vec![surface()],
            checks: vec![],
        },
        controls: vec![],
        suite: Some(Arc::new(Suite {
            name: "P1".to_owned(),
            timeout: Duration::from_secs(1200),
            concurrency: 4,
            retries: 1,
            flaky: FlakyPolicy::Pass,
            suspicious: SuspiciousPolicy::Warn,
            expected_cases: None,
            groups: vec![],
            commands: vec![],
            quarantine: vec![],
            digest: "s".to_owned(),
        })),
        cycles: Cycles { until: Until::Once, max: 5, no_progress: 3, pause: Duration::ZERO },
        culprit: None,
        report: ReportSpec { dir: None, impact: None, at_risk: None, publish: None },
        notify: vec![],
        alarm: None,
        file: PathBuf::from("chat.yaml"),
        config_digest: "c".to_owned(),
    }
}
