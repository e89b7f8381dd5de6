//! Cycles to write about, made by small builders: each story is a pipeline that somebody could have.

use std::collections::HashMap;

use andon::domain::attempt::Attempt;
use andon::domain::commit::{CommitInfo, CommitRange};
use andon::domain::event::{
    ControlKind, ControlReading, ControlsRead, Definition, Moment, NotRun, NotRunReason,
    PlannedCase, PlannedEvents, Quarantined, Queued, RevisionResolved, RunOptions, StepEnded,
    StepStarted, StoppedBy, SuiteEnded, SuitePlanned, SurfaceReading, SurfacesRead,
};
use andon::domain::evidence::{
    CloseSeen, Direction, EventsSeen, Evidence, Excerpt, Exchange, Frame, Protocol, Timings,
    TlsSeen,
};
use andon::domain::failure::{Blame, Failure, FailureClass};
use andon::domain::findings::{Carried, CaseFinding, Cluster, FINDINGS_VERSION, Findings};
use andon::domain::history::{Counts, CycleRef, CycleSummary};
use andon::domain::names::{CaseId, EnvironmentName, Fingerprint, InvestigationId, PipelineName};
use andon::domain::outcome::{
    Cause, Change, Outcome, Phase, PhaseOutcome, Trigger, TriggerKind, Verdict, VoidReason,
};
use andon::domain::revision::{Revision, Sha};
use andon::domain::spec::{FlakyPolicy, Priority, SuspiciousPolicy};
use andon::domain::state::{CycleState, PhaseRecord, Stamped, StepRecord};
use jiff::{SignedDuration, Timestamp};

/// The P1 suite in short: id, area, what it costs when it fails.
pub const CASES: [(&str, &str, &str); 10] = [
    ("test_001_websocket_connection", "WebSocket", "Nobody can open the chat"),
    ("test_002_websocket_authentication", "WebSocket", "Nobody can open the chat"),
    ("test_003_websocket_message_send", "WebSocket", "Messages do not reach the server"),
    ("test_005_agent_discovery", "Agents", "Users find no agent"),
    ("test_007_agent_execution", "Agents", "No agent can be started"),
    ("test_012_message_persistence", "Messages", "Conversations are lost on reload"),
    ("test_015_thread_history", "Messages", "Old threads cannot be read"),
    ("test_018_rate_limiting", "Limits", "One user can slow down all"),
    ("test_023_streaming", "Agents", "Answers come all at once"),
    ("test_025_critical_event_delivery", "Agents", "Users see no progress"),
];

pub const HEAD: &str = "4f1c2aa0b1c2d3e4f5061728394a5b6c7d8e9f00";
pub const BASE: &str = "9b0d3e1a2b3c4d5e6f708192a3b4c5d6e7f80911";
pub const OTHER: &str = "c0ffee4c0ffee4c0ffee4c0ffee4c0ffee4c0ffe";

pub fn sha(text: &str) -> Sha {
    Sha::parse(text).unwrap()
}

pub fn id(text: &str) -> CaseId {
    CaseId::parse(text).unwrap()
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn revision(text: &str, subject: &str, author: &str) -> Revision {
    Revision {
        sha: sha(text),
        subject: subject.into(),
        author: author.into(),
        branch: Some("main".into()),
        time: at("2026-11-23T13:55:00Z"),
    }
}

pub fn head() -> Revision {
    revision(HEAD, "auth: new context factory", "lin")
}

pub fn base() -> Revision {
    revision(BASE, "thread paging", "ada")
}

/// A cycle under construction.
pub struct Story {
    pub state: CycleState,
    pub findings: Findings,
    clock: Timestamp,
}

fn suite_ended(
    stopped_by: Option<StoppedBy>,
    not_run: Vec<NotRun>,
    duration_ms: u64,
) -> SuiteEnded {
    SuiteEnded {
        stopped_by,
        not_run,
        setup_failures: vec![],
        teardown_failures: vec![],
        retries_withheld: None,
        duration_ms,
    }
}

impl Story {
    /// Cycle `number` on [`HEAD`], queued at a fixed time.
    pub fn new(number: u32) -> Self {
        let clock = at("2026-11-23T14:00:00Z");
        let queued = Queued {
            pipeline: PipelineName::parse("chat-staging").unwrap(),
            cycle: number,
            environment: EnvironmentName::parse("staging").unwrap(),
            trigger: Trigger { kind: TriggerKind::Commit, detail: "main moved to 4f1c2aa".into() },
            requested: Some("main".into()),
            taken_together: vec![],
            queued_by: None,
            definition: Definition {
                file: "pipelines/chat-staging.yaml".into(),
                config_digest: "a1b2c3d4e5f6".into(),
                suite: Some("P1".into()),
                suite_digest: Some("51d2aa00bb11".into()),
                report_dir: "reports".into(),
                impact: Some("Users cannot chat".into()),
                at_risk: Some("$120K MRR".into()),
                not_acted_on: vec![],
                idempotent_deploy: false,
                andon: "0.1.0".into(),
            },
            options: RunOptions { deploy: true, only: None, search_of: None },
        };
        let state = CycleState {
            seq: 1,
            queued,
            queued_at: clock,
            phases: vec![],
            resolved: None,
            steps: vec![],
            surfaces: vec![],
            controls: vec![],
            plan: None,
            attempts: HashMap::new(),
            commands: vec![],
            suite_ended: None,
            findings: None,
            rollback: None,
            report: None,
            decisions: Vec::new(),
            held: None,
            resumed: None,
            cancelled: None,
            finished: None,
        };
        Self { state, findings: empty_findings(), clock }
    }

    pub fn phase(
        &mut self,
        phase: Phase,
        outcome: PhaseOutcome,
        ms: i64,
        detail: Option<&str>,
    ) -> &mut Self {
        self.state.phases.push(PhaseRecord {
            phase,
            outcome: Some(outcome),
            started_at: self.clock,
            deadline_at: None,
            duration_ms: ms as u64,
            detail: detail.map(str::to_owned),
        });
        self.clock += SignedDuration::from_millis(ms);
        self
    }

    pub fn resolve(&mut self) -> &mut Self {
        self.phase(Phase::Checkout, PhaseOutcome::Passed, 412, Some("214 files"));
        self.state.resolved = Some(RevisionResolved {
            revision: head(),
            checkout: Some("checkouts/x".into()),
            left_out: vec![],
        });
        self
    }

    pub fn step(&mut self, outcome: PhaseOutcome, detail: &str, output: &str) -> &mut Self {
        self.state.steps.push(StepRecord {
            started: StepStarted {
                index: 0,
                name: "Roll out".into(),
                attempt: 1,
                deadline_at: self.clock + SignedDuration::from_mins(10),
                run_dir: Some("runs/1".into()),
            },
            started_at: self.clock,
            ended: Some(StepEnded {
                index: 0,
                attempt: 1,
                outcome,
                duration_ms: 192_000,
                detail: detail.into(),
                output: (!output.is_empty()).then(|| Excerpt::of(output, output.len() as u64)),
            }),
        });
        self
    }

    pub fn deployed(&mut self) -> &mut Self {
        self.step(PhaseOutcome::Passed, "exit 0", "rolled out\n");
        self.phase(Phase::Deploy, PhaseOutcome::Passed, 192_000, None);
        self
    }

    pub fn surfaces(&mut self, moment: Moment, api: &str, web: &str) -> &mut Self {
        let reading = |surface: &str, served: &str, after_ms: u64| SurfaceReading {
            surface: surface.into(),
            served: Some(served.into()),
            matches: Some(served == HEAD),
            reads: 3,
            after_ms: (moment == Moment::Before && served == HEAD).then_some(after_ms),
            remote: Some("203.0.113.7:443".into()),
            error: None,
        };
        self.state.surfaces.push(Stamped {
            at: self.clock,
            what: SurfacesRead {
                moment,
                surfaces: vec![reading("api", api, 9_000), reading("web", web, 31_000)],
            },
        });
        self
    }

    pub fn controls(&mut self, moment: Moment, failure: Option<&str>) -> &mut Self {
        self.state.controls.push(Stamped {
            at: self.clock,
            what: ControlsRead {
                of: ControlKind::Control,
                moment,
                readings: vec![ControlReading {
                    name: "our own network".into(),
                    failure: failure.map(str::to_owned),
                    remote: Some("198.51.100.9:443".into()),
                }],
            },
        });
        self
    }

    pub fn ready(&mut self) -> &mut Self {
        self.surfaces(Moment::Before, HEAD, HEAD).controls(Moment::Before, None);
        self.phase(Phase::Ready, PhaseOutcome::Passed, 31_000, None)
    }

    pub fn plan(&mut self, cases: &[(&str, &str, &str)]) -> &mut Self {
        let cases = cases
            .iter()
            .map(|(case, area, impact)| PlannedCase {
                command: None,
                id: id(case),
                was: vec![],
                name: case.replace('_', " "),
                area: Some((*area).into()),
                priority: Priority::P1,
                owner: Some("chat-team".into()),
                impact: Some((*impact).into()),
                digest: "d1".into(),
                quarantine: None,
                events: planned_events(case),
            })
            .collect();
        self.state.plan = Some(SuitePlanned {
            name: "P1".into(),
            digest: "51d2aa00bb11".into(),
            cases,
            expected_cases: None,
            flaky: FlakyPolicy::Pass,
            suspicious: SuspiciousPolicy::Warn,
            deadline_at: self.clock + SignedDuration::from_mins(20),
        });
        self
    }

    pub fn quarantine(&mut self, case: &str, until: &str) -> &mut Self {
        let plan = self.state.plan.as_mut().unwrap();
        let planned = plan.cases.iter_mut().find(|planned| planned.id == id(case)).unwrap();
        planned.quarantine = Some(Quarantined {
            owner: "ada".into(),
            reason: "rate limiter being replaced".into(),
            until: until.parse().unwrap(),
            expired: false,
        });
        self
    }

    pub fn attempt(
        &mut self,
        case: &str,
        ms: u64,
        failure: Option<Failure>,
        evidence: Evidence,
    ) -> &mut Self {
        let case = id(case);
        let attempts = self.state.attempts.entry(case.clone()).or_default();
        attempts.push(Attempt {
            case,
            number: attempts.len() as u32 + 1,
            started_at: self.clock,
            duration_ms: ms,
            failure: failure.map(Into::into),
            skipped: None,
            evidence,
        });
        self
    }

    pub fn passes(&mut self, case: &str) -> &mut Self {
        let mut evidence = http_evidence("health", 200);
        evidence.events = came_as_planned(case);
        self.attempt(case, 480, None, evidence)
    }

    pub fn all_pass_but(&mut self, others: &[&str]) -> &mut Self {
        for (case, _, _) in CASES.iter().filter(|(case, _, _)| !others.contains(case)) {
            self.passes(case);
        }
        self
    }

    pub fn suite_ends(
        &mut self,
        stopped_by: Option<StoppedBy>,
        not_run: Vec<(&str, NotRunReason)>,
    ) -> &mut Self {
        let not_run =
            not_run.into_iter().map(|(case, reason)| NotRun { case: id(case), reason }).collect();
        self.state.suite_ended = Some(suite_ended(stopped_by, not_run, 58_000));
        self.phase(Phase::Suite, PhaseOutcome::Passed, 58_000, None)
    }

    /// The cycle ended in that phase: every case of the plan carries what was known.
    pub fn suite_unreached(&mut self, cases: &[(&str, &str, &str)], phase: Phase) -> &mut Self {
        self.plan(cases);
        let not_run = |(case, _, _): &(&str, _, _)| {
            let reason = NotRunReason::NotReached { phase };
            NotRun { case: id(case), reason }
        };
        self.state.suite_ended = Some(suite_ended(None, cases.iter().map(not_run).collect(), 0));
        for (case, _, _) in cases {
            self.carried(case, Outcome::Passed);
        }
        self
    }

    pub fn stays(&mut self, api: &str) -> &mut Self {
        self.surfaces(Moment::After, api, HEAD).controls(Moment::After, None)
    }

    /// The finding of one case; counts follow.
    pub fn found(
        &mut self,
        case: &str,
        outcome: Outcome,
        before: Option<Outcome>,
        change: Option<Change>,
    ) -> &mut CaseFinding {
        self.findings.counts.add(outcome);
        let attempts = self.state.attempts_of(&id(case)).len() as u32;
        let is_failing = outcome.is_failing();
        let number = self.state.queued.cycle;
        self.findings.cases.push(CaseFinding {
            case: id(case),
            outcome: Some(outcome),
            change,
            before,
            said_before: None,
            duration_ms: if attempts > 0 { 480 } else { 0 },
            attempts,
            carried: None,
            definition_changed: false,
            known_as: None,
            fingerprint: is_failing.then(|| Fingerprint::new(1, "0a1b2c3d4e5f")),
            last_good: is_failing.then(|| CycleRef { cycle: number - 1, revision: sha(BASE) }),
            first_failing: is_failing.then(|| CycleRef { cycle: number, revision: sha(HEAD) }),
            failure_changed: None,
            age: u32::from(is_failing),
            flaky_rate: None,
            slower: None,
        });
        self.findings.cases.last_mut().unwrap()
    }

    pub fn carried(&mut self, case: &str, outcome: Outcome) {
        let number = self.state.queued.cycle;
        let found = self.found(case, Outcome::NotRun, Some(outcome), Some(Change::NotRun));
        found.carried =
            Some(Carried { from: CycleRef { cycle: number - 1, revision: sha(BASE) }, outcome });
    }

    pub fn rest_still_passes(&mut self) -> &mut Self {
        let planned: Vec<CaseId> =
            self.state.planned().iter().map(|case| case.id.clone()).collect();
        for case in planned {
            if self.findings.cases.iter().all(|found| found.case != case) {
                self.found(
                    case.as_str(),
                    Outcome::Passed,
                    Some(Outcome::Passed),
                    Some(Change::StillPassing),
                );
            }
        }
        self
    }

    pub fn baseline(&mut self, passed: u32, failed: u32) -> &mut Self {
        let number = self.state.queued.cycle;
        let summary = |cycle: u32, verdict: Verdict, passed: u32, failed: u32| CycleSummary {
            only: None,
            cycle,
            verdict: Some(verdict),
            trigger: "schedule: nightly".into(),
            revision: Some(base()),
            started_at: at("2026-11-22T02:30:00Z"),
            decided_at: Some(at("2026-11-22T02:34:10Z")),
            suite_digest: Some("51d2aa00bb11".into()),
            counts: Counts { planned: passed + failed, passed, failed, ..Counts::default() },
            suite_ms: Some(62_000),
        };
        let verdict = if failed > 0 { Verdict::Red } else { Verdict::Green };
        self.findings.baseline = Some(summary(number - 1, verdict, passed, failed));
        self.findings.chain = vec![
            summary(number - 3, Verdict::Green, passed + failed, 0),
            summary(number - 2, Verdict::Void, 0, 0),
            summary(number - 1, verdict, passed, failed),
        ];
        self.findings.commits = Some(commits());
        self
    }

    /// The verdict is decided; the story is told.
    pub fn decided(&mut self, verdict: Verdict, reason: &str) -> CycleState {
        self.findings.verdict = verdict;
        self.findings.reason = reason.into();
        self.state.findings = Some(Stamped { at: self.clock, what: self.findings.clone().into() });
        self.state.clone()
    }

    pub fn void(&mut self, why: VoidReason) -> CycleState {
        self.findings.void_reason = Some(why);
        self.decided(Verdict::Void, "the results belong to no revision")
    }
}

fn empty_findings() -> Findings {
    Findings {
        version: FINDINGS_VERSION,
        verdict: Verdict::Green,
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
    }
}

pub fn commits() -> CommitRange {
    let commit = |text: &str, subject: &str, author: &str, files: &[&str]| CommitInfo {
        sha: sha(text),
        subject: subject.into(),
        author: author.into(),
        time: at("2026-11-23T13:55:00Z"),
        files: files.iter().map(|file| (*file).to_owned()).collect(),
        files_total: files.len(),
    };
    CommitRange {
        commits: vec![
            commit(
                HEAD,
                "auth: new context factory",
                "lin",
                &["auth/context.py", "ws/handlers.py"],
            ),
            commit(
                "77aa012a77aa012a77aa012a77aa012a77aa012a",
                "bump deps",
                "bot",
                &["poetry.lock"],
            ),
            commit(OTHER, "readme", "ada", &["README.md"]),
        ],
        total: 3,
    }
}

fn tls() -> TlsSeen {
    TlsSeen {
        version: "TLSv1.3".into(),
        server_name: "api.staging.example.com".into(),
        subject: "*.staging.example.com".into(),
        issuer: "Example CA".into(),
        days_left: 61,
        seconds_left: 61 * 86_400,
        verified: true,
    }
}

fn exchange(step: &str, protocol: Protocol, url: &str) -> Exchange {
    let mut exchange = Exchange::begin(step, protocol, "GET", url);
    exchange.remote = Some("203.0.113.7:443".into());
    exchange.tls = Some(Box::new(tls()));
    exchange.version = Some("HTTP/1.1".into());
    exchange.timings = Timings {
        resolve_us: Some(1_200),
        connect_us: Some(3_400),
        tls_us: Some(8_000),
        first_byte_us: Some(21_000),
        total_us: 41_000,
    };
    exchange.bytes_sent = 412;
    exchange
}

pub fn http_evidence(step: &str, status: u16) -> Evidence {
    let url = format!("https://api.staging.example.com/api/{step}?page=1");
    let mut exchange = exchange(step, Protocol::Http, &url);
    exchange.status = Some(status);
    exchange.bytes_received = 91;
    let body = "{\"detail\":\"Not Found\"}";
    exchange.body = (status >= 400).then(|| Excerpt::of(body, body.len() as u64));
    let mut evidence = Evidence::default();
    evidence.record(exchange);
    evidence
}

pub fn http_failure(step: &str, status: u16) -> Failure {
    Failure {
        class: FailureClass::HttpStatus,
        blame: Blame::Service,
        message: format!("expected status 200, got {status}"),
        step: Some(step.into()),
        expected: Some("200".into()),
        actual: Some(status.to_string()),
        subject: Some("status".into()),
        repro: Some(format!(
            "curl -sS -i 'https://api.staging.example.com/api/{step}' -H \"Authorization: Bearer $TOKEN\""
        )),
    }
}

pub fn ws_failure() -> Failure {
    Failure {
        class: FailureClass::WsClose,
        blame: Blame::Service,
        message: "closed with 1008 (user context must be a UserExecutionContext), expected event `connected`".into(),
        step: Some("handshake".into()),
        expected: Some("event `connected` within 5 s".into()),
        actual: Some("close 1008 after 41 ms".into()),
        subject: Some("close code".into()),
        repro: Some("andon probe 'wss://api.staging.example.com/ws' --header \"Authorization: Bearer $TOKEN\" --subprotocol jwt-auth".into()),
    }
}

pub fn ws_evidence() -> Evidence {
    let mut socket = exchange("handshake", Protocol::Ws, "wss://api.staging.example.com/ws");
    socket.status = Some(101);
    socket.subprotocol = Some("jwt-auth".into());
    socket.close = Some(CloseSeen {
        code: 1008,
        reason: "user context must be a UserExecutionContext".into(),
        at_ms: 41,
    });
    let hello = "{\"type\":\"hello\"}";
    socket.record_frame(Frame {
        at_ms: 12,
        direction: Direction::Received,
        kind: "text".into(),
        event: Some("hello".into()),
        payload: Excerpt::of(hello, hello.len() as u64),
    });
    socket.record_frame(Frame {
        at_ms: 41,
        direction: Direction::Received,
        kind: "close".into(),
        event: None,
        payload: Excerpt::of("1008", 4),
    });
    let mut evidence = Evidence::default();
    evidence.record(socket);
    evidence
}

pub const EVENTS: [&str; 5] =
    ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"];

/// What the steps of a case wait for.
fn planned_events(case: &str) -> Vec<PlannedEvents> {
    let wait = |step: &str, all: &[&str], none: &[&str]| PlannedEvents {
        step: step.into(),
        all: all.iter().map(|event| (*event).into()).collect(),
        none: none.iter().map(|event| (*event).into()).collect(),
    };
    match case {
        "test_001_websocket_connection" => {
            vec![
                wait("handshake", &["hello"], &[]),
                wait("pings", &["pong", "pong"], &[]),
                wait("more pings", &["pong", "pong"], &[]),
            ]
        }
        "test_025_critical_event_delivery" => {
            vec![wait("handshake", &["hello"], &[]), wait("agent run", &EVENTS, &["error"])]
        }
        _ => vec![],
    }
}

pub fn came_as_planned(case: &str) -> Vec<EventsSeen> {
    let all_came = |planned: PlannedEvents| EventsSeen {
        step: planned.step,
        seen: planned.all.iter().cloned().zip([40, 120, 900, 1_450, 2_010]).collect(),
        expected: planned.all,
        ..events_seen(5)
    };
    planned_events(case).into_iter().map(all_came).collect()
}

pub fn events_seen(came: usize) -> EventsSeen {
    EventsSeen {
        step: "agent run".into(),
        expected: EVENTS.map(str::to_owned).to_vec(),
        ordered: true,
        seen: EVENTS[..came]
            .iter()
            .zip([40, 120, 900, 1_450, 2_010])
            .map(|(e, ms)| ((*e).to_owned(), ms))
            .collect(),
        missing: EVENTS[came..].iter().map(|event| (*event).to_owned()).collect(),
        forbidden: vec![],
        out_of_order: false,
    }
}

pub fn cluster(
    number: u32,
    digest: &str,
    title: &str,
    example: Failure,
    cases: &[&str],
) -> Cluster {
    Cluster {
        fingerprint: Fingerprint::new(1, digest),
        class: example.class,
        title: title.into(),
        example,
        cases: cases.iter().map(|case| id(case)).collect(),
        cause: Cause::Code,
        because: "the revision changed; suite, pipeline and surfaces did not".into(),
        first_seen_cycle: number,
        times_seen: 1,
        last_good: Some(CycleRef { cycle: number - 1, revision: sha(BASE) }),
        first_failing: Some(CycleRef { cycle: number, revision: sha(HEAD) }),
        failure_changed: None,
        suspects: commits().commits.iter().map(|commit| commit.sha.clone()).collect(),
        commits: Some(commits()),
        culprit: None,
        searched: None,
        investigation: Some(InvestigationId::from_number(3)),
    }
}
