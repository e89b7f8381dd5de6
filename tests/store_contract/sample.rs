//! Cycles and events to put into a store.

use andon::domain::attempt::Attempt;
use andon::domain::event::{
    Definition, Event, Finished, PlannedCase, Queued, RevisionResolved, RunOptions, SuitePlanned,
};
use andon::domain::evidence::Evidence;
use andon::domain::findings::{FINDINGS_VERSION, Findings};
use andon::domain::history::{CaseHead, Counts, CycleRef, KnownResult, RecentRun};
use andon::domain::names::{CaseId, EnvironmentName, Fingerprint, PipelineName};
use andon::domain::outcome::{Outcome, Trigger, TriggerKind, Verdict};
use andon::domain::revision::{Revision, Sha};
use andon::domain::spec::{FlakyPolicy, Priority, SuspiciousPolicy};
use andon::store::{
    Acquisition, Append, CaseRow, Claim, CycleKey, Lease, Liveness, NewInvestigation, Owner,
    Projection, Store,
};
use jiff::Timestamp;

pub fn pipeline(name: &str) -> PipelineName {
    PipelineName::parse(name).unwrap()
}

pub fn environment(name: &str) -> EnvironmentName {
    EnvironmentName::parse(name).unwrap()
}

pub fn case(name: &str) -> CaseId {
    CaseId::parse(name).unwrap()
}

pub fn fingerprint(name: &str) -> Fingerprint {
    Fingerprint::new(1, name)
}

/// An instant, by seconds.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

pub fn sha(digit: char) -> Sha {
    Sha::parse(&digit.to_string().repeat(40)).unwrap()
}

pub fn revision(digit: char) -> Revision {
    Revision {
        sha: sha(digit),
        subject: format!("commit {digit}"),
        author: "Ada".to_owned(),
        branch: Some("main".to_owned()),
        time: at(-60),
    }
}

pub fn queued(name: &str, environment_name: &str) -> Queued {
    Queued {
        pipeline: pipeline(name),
        cycle: 0,
        environment: environment(environment_name),
        trigger: Trigger { kind: TriggerKind::Manual, detail: "asked for by ada".to_owned() },
        requested: Some("main".to_owned()),
        taken_together: Vec::new(),
        definition: Definition {
            file: "pipelines/chat.yaml".to_owned(),
            config_digest: "c0ffee".to_owned(),
            suite: Some("P1".to_owned()),
            suite_digest: Some("0123456789ab".to_owned()),
            report_dir: "reports".to_owned(),
            impact: None,
            at_risk: None,
            not_acted_on: Vec::new(),
            idempotent_deploy: false,
            andon: "0.1.0".to_owned(),
        },
        options: RunOptions { deploy: true, only: None, search_of: None },
        queued_by: None,
    }
}

pub fn resolved(digit: char) -> Event {
    Event::RevisionResolved(RevisionResolved {
        revision: revision(digit),
        checkout: None,
        left_out: Vec::new(),
    })
}

/// A case with the digest of what it does; `command` where one runs it.
pub fn planned_case(name: &str, digest: &str, command: Option<&str>) -> PlannedCase {
    PlannedCase {
        id: case(name),
        was: vec![case("of-earlier")],
        name: format!("says \"id\":\"{name}\""),
        area: None,
        priority: Priority::P1,
        owner: None,
        impact: None,
        digest: digest.into(),
        quarantine: None,
        events: vec![],
        command: command.map(Into::into),
    }
}

pub fn planned(digest: &str) -> Event {
    Event::SuitePlanned(Box::new(SuitePlanned {
        name: "P1".to_owned(),
        digest: digest.to_owned(),
        cases: Vec::new(),
        expected_cases: None,
        flaky: FlakyPolicy::Pass,
        suspicious: SuspiciousPolicy::Warn,
        deadline_at: at(600),
    }))
}

pub fn attempt(name: &str, number: u32) -> Event {
    Event::AttemptFinished(Box::new(Attempt {
        case: case(name),
        number,
        started_at: at(10),
        duration_ms: 12,
        failure: None,
        skipped: None,
        evidence: Evidence::default(),
    }))
}

pub fn findings(verdict: Verdict, counts: Counts) -> Findings {
    Findings {
        version: FINDINGS_VERSION,
        verdict,
        void_reason: None,
        reason: "because".to_owned(),
        counts,
        baseline: None,
        cases: Vec::new(),
        clusters: Vec::new(),
        suspicious: Vec::new(),
        renames: Vec::new(),
        commits: None,
        chain: Vec::new(),
        search: None,
        gave_up: None,
        investigations: Vec::new(),
        fixes: Vec::new(),
        overdue: Vec::new(),
    }
}

pub fn analysed(verdict: Verdict, counts: Counts) -> Event {
    Event::Analysed(findings(verdict, counts).into())
}

pub fn finished(verdict: Verdict) -> Event {
    Event::Finished(Finished { verdict, void_reason: None })
}

/// An append without a hold and without a projection.
pub fn append(cycle: &CycleKey, expected_seq: u64, events: Vec<Event>) -> Append {
    Append {
        cycle: cycle.clone(),
        expected_seq,
        lease: None,
        events,
        at: at(20),
        projection: Projection::default(),
    }
}

/// A cycle that only exists.
pub async fn new_cycle(store: &dyn Store, name: &str, environment_name: &str) -> CycleKey {
    store.create_cycle(queued(name, environment_name), at(0)).await.unwrap().0
}

/// A wish for the investigation of a failure.
pub fn wanted(pipeline: &PipelineName, failure: &str, slug: &str, cycle: u32) -> NewInvestigation {
    NewInvestigation {
        pipeline: pipeline.clone(),
        fingerprint: fingerprint(failure),
        slug: slug.to_owned(),
        cycle,
        least: 1,
        adopts: None,
    }
}

/// A cycle that is over.
pub async fn ended_cycle(
    store: &dyn Store,
    name: &str,
    environment_name: &str,
    verdict: Verdict,
) -> CycleKey {
    let cycle = new_cycle(store, name, environment_name).await;
    store.append(append(&cycle, 1, vec![resolved('a'), finished(verdict)])).await.unwrap();
    cycle
}

pub fn owner(pid: u32) -> Owner {
    Owner {
        host: "build-1".to_owned(),
        boot_id: "b007".to_owned(),
        pid,
        started: "12345".to_owned(),
    }
}

pub fn claim(cycle: &CycleKey, environment_name: &str, pid: u32) -> Claim {
    Claim {
        environment: environment(environment_name),
        owner: owner(pid),
        cycle: cycle.clone(),
        at: at(5),
    }
}

/// Takes an environment that is free, or whose holder is judged so.
pub async fn acquire(store: &dyn Store, claim: Claim, judged: Liveness) -> Option<Lease> {
    match store.acquire_environment(claim, &|_: &Owner| judged).await.unwrap() {
        Acquisition::Acquired { lease, .. } => Some(lease),
        Acquisition::Busy(_) => None,
    }
}

pub fn case_row(name: &str, outcome: Outcome) -> CaseRow {
    CaseRow {
        case: case(name),
        outcome: Some(outcome),
        change: None,
        duration_ms: 40,
        attempts: 1,
        fingerprint: None,
    }
}

pub fn head(name: &str, cycle: u32) -> CaseHead {
    let seen = CycleRef { cycle, revision: sha('a') };
    CaseHead {
        case: case(name),
        planned_in: cycle,
        last_outcome: Outcome::Passed,
        known: Some(KnownResult {
            at: seen.clone(),
            outcome: Outcome::Passed,
            fingerprint: None,
            said: None,
            definition: "0123456789ab".into(),
            config: "ba9876543210".into(),
        }),
        last_good: Some(seen),
        first_failing: None,
        failing_for: 0,
        failure_changed: None,
        flaked_as: None,
        causes: Vec::new(),
        recent: vec![RecentRun {
            cycle,
            revision_key: RecentRun::key_of(&sha('a')),
            duration_ms: 40,
            outcome: Outcome::Passed,
        }],
    }
}
