//! The stories that the golden files tell.

use andon::domain::event::{Moment, NotRunReason, StoppedBy};
use andon::domain::findings::{FlakyRate, InvestigationState, ProbableRename, Slower, Suspicious};
use andon::domain::history::CycleRef;
use andon::domain::names::InvestigationId;
use andon::domain::outcome::{Change, Outcome, Phase, PhaseOutcome, Verdict, VoidReason};
use andon::domain::state::CycleState;
use andon::investigation::{self, Facts, Known};

use crate::cycles::*;

const AUTH: [&str; 4] = [
    "test_001_websocket_connection",
    "test_002_websocket_authentication",
    "test_003_websocket_message_send",
    "test_025_critical_event_delivery",
];

/// The first cycle of a pipeline: everything passes.
pub fn first_green() -> CycleState {
    let mut story = Story::new(1);
    story
        .resolve()
        .deployed()
        .ready()
        .plan(&CASES)
        .all_pass_but(&["test_025_critical_event_delivery"]);
    let mut evidence = ws_evidence();
    evidence.events = came_as_planned("test_025_critical_event_delivery");
    story.attempt("test_025_critical_event_delivery", 2_300, None, evidence);
    story.suite_ends(None, vec![]).stays(HEAD);
    for (case, _, _) in CASES {
        story.found(case, Outcome::Passed, None, Some(Change::NewPassing));
    }
    story.decided(Verdict::Green, "all 10 cases passed")
}

/// The auth story without its investigation.
pub fn auth_broken_story() -> Story {
    let mut story = Story::new(7);
    story.state.queued.taken_together = vec![sha(OTHER)];
    story.resolve().deployed().ready().plan(&CASES);
    story.all_pass_but(&[&AUTH[..], &["test_005_agent_discovery"]].concat());
    for case in AUTH {
        for _ in 0..2 {
            let mut evidence = ws_evidence();
            if case.starts_with("test_025") {
                evidence.events.push(events_seen(0));
            }
            story.attempt(case, 512, Some(ws_failure()), evidence);
        }
    }
    for _ in 0..2 {
        let failure = Some(http_failure("mcp/servers", 404));
        story.attempt("test_005_agent_discovery", 88, failure, http_evidence("mcp/servers", 404));
    }
    story.suite_ends(None, vec![]).stays(HEAD);
    for case in AUTH {
        story.found(case, Outcome::Failed, Some(Outcome::Passed), Some(Change::Regressed));
    }
    story.found(
        "test_005_agent_discovery",
        Outcome::Failed,
        Some(Outcome::Passed),
        Some(Change::Regressed),
    );
    let fixed = story.found(
        "test_015_thread_history",
        Outcome::Passed,
        Some(Outcome::Failed),
        Some(Change::Fixed),
    );
    fixed.first_failing = Some(CycleRef { cycle: 4, revision: sha(BASE) });
    story.rest_still_passes();
    story.baseline(9, 1);
    let mut socket = cluster(
        7,
        "0a1b2c3d4e5f",
        "Socket closed with 1008 after the handshake",
        ws_failure(),
        &AUTH,
    );
    socket.first_seen_cycle = 2;
    socket.times_seen = 3;
    let mut gone = cluster(
        7,
        "5f4e3d2c1b0a",
        "Status 404 instead of 200",
        http_failure("mcp/servers", 404),
        &["test_005_agent_discovery"],
    );
    gone.investigation = Some(InvestigationId::from_number(4));
    story.findings.clusters = vec![socket, gone];
    story
}

/// What people had written about the socket, and closed, before it came back.
pub fn closed_document(story: &Story) -> String {
    let text = document(story, None);
    let text = text
        .replacen("- Claim:", "- Claim: the factory drops the context when the token has no tenant", 1)
        .replacen("  - Evidence:", "  - Evidence: auth.log 2026-10-30 14:07", 1)
        .replacen("| | | | | | | |", "| Contract test for tokens without tenant | detect | lin | 2026-11-06 | P1 | | `test_002` |", 1);
    let text = format!("{text}\nThe gateway team knows about this.\n");
    let closing = investigation::Closing {
        by: "ada",
        on: "2026-10-31".parse().unwrap(),
        reason: Some("fixed by 1be77d0"),
    };
    investigation::close(&text, &closing).unwrap()
}

pub fn document(story: &Story, existing: Option<&str>) -> String {
    investigation::update(existing, &facts(story, 0)).text
}

pub fn facts(story: &Story, cluster: usize) -> Facts<'_> {
    let cluster = &story.findings.clusters[cluster];
    Facts {
        opened_in: story.state.queued.cycle,
        id: cluster.investigation.as_ref().unwrap(),
        file: "INV-0003-socket-closed-1008.md",
        cluster,
        findings: &story.findings,
        state: &story.state,
        decided_at: at("2026-11-23T14:05:00Z"),
        known: Known::NOTHING,
    }
}

/// Five cases regressed by an auth change; an earlier investigation comes back.
pub fn auth_broken() -> CycleState {
    let mut story = auth_broken_story();
    let closed = closed_document(&story);
    let reopened = investigation::update(Some(&closed), &facts(&story, 0)).snapshot;
    let mut fresh = investigation::update(None, &facts(&story, 1)).snapshot;
    fresh.file = "INV-0004-status-404.md".into();
    assert_eq!(reopened.state, InvestigationState::Reopened);
    story.findings.investigations = vec![reopened, fresh];
    story.decided(Verdict::Red, "5 cases that decide are failing")
}

/// The suite's time is over after two of ten cases.
pub fn timeout() -> CycleState {
    let mut story = Story::new(8);
    story.resolve().deployed().ready().plan(&CASES);
    story.passes(CASES[0].0).passes(CASES[1].0);
    let rest: Vec<(&str, NotRunReason)> = CASES[2..]
        .iter()
        .map(|(case, _, _)| match *case {
            "test_003_websocket_message_send" => {
                (*case, NotRunReason::BlockedBy { case: id(CASES[9].0) })
            }
            case if case == CASES[4].0 => {
                (case, NotRunReason::Timeout { running_ms: Some(41_200) })
            }
            case => (case, NotRunReason::Timeout { running_ms: None }),
        })
        .collect();
    story.suite_ends(Some(StoppedBy::Timeout), rest).stays(HEAD);
    story.found(CASES[0].0, Outcome::Passed, Some(Outcome::Passed), Some(Change::StillPassing));
    story.found(CASES[1].0, Outcome::Passed, Some(Outcome::Passed), Some(Change::StillPassing));
    for (case, _, _) in &CASES[2..] {
        story.carried(case, Outcome::Passed);
    }
    story.baseline(10, 0);
    story.decided(Verdict::Incomplete, "8 of 10 cases did not run")
}

/// The deploy's script fails.
pub fn deploy_failed() -> CycleState {
    let mut story = Story::new(9);
    story.resolve();
    let output = "Building image …\npushing api:4f1c2aa\n\u{1b}[31mdenied: token expired\u{1b}[0m\n<script>alert(1)</script> @everyone\n";
    story.step(PhaseOutcome::Failed, "exit 3", output);
    story.phase(Phase::Deploy, PhaseOutcome::Failed, 192_000, Some("step 1 of 1 failed"));
    story.surfaces(Moment::Before, BASE, BASE);
    story.suite_unreached(&CASES, Phase::Deploy);
    story.baseline(10, 0);
    story.findings.baseline = None;
    story.decided(Verdict::DeployFailed, "deploy step Roll out failed: exit 3")
}

/// The deploy says that it worked, and the old revision goes on serving.
pub fn not_ready() -> CycleState {
    let mut story = Story::new(10);
    story.resolve().deployed().surfaces(Moment::Before, BASE, HEAD);
    story.phase(Phase::Ready, PhaseOutcome::TimedOut, 300_000, Some("the deadline passed"));
    story.suite_unreached(&CASES, Phase::Ready);
    story.decided(Verdict::NotReady, "api never served the revision")
}

/// Somebody else deploys while the suite runs.
pub fn void() -> CycleState {
    let mut story = Story::new(11);
    story.resolve().deployed().ready().plan(&CASES).all_pass_but(&[CASES[4].0]);
    story.attempt(
        CASES[4].0,
        90,
        Some(http_failure("agents/execute", 503)),
        http_evidence("agents/execute", 503),
    );
    story.suite_ends(None, vec![]).stays(OTHER);
    for (case, _, _) in CASES {
        let outcome = if case == CASES[4].0 { Outcome::Failed } else { Outcome::Passed };
        story.found(case, outcome, Some(Outcome::Passed), None);
    }
    story.void(VoidReason::RevisionChanged)
}

/// Green, with a flaky case, a skipped one, one in quarantine and a pass that looks too good.
pub fn unsteady() -> CycleState {
    let mut story = Story::new(12);
    story
        .resolve()
        .deployed()
        .ready()
        .plan(&CASES)
        .quarantine("test_018_rate_limiting", "2026-12-01");
    story.all_pass_but(&[
        "test_018_rate_limiting",
        "test_023_streaming",
        "test_012_message_persistence",
    ]);
    let failure = Some(http_failure("limits", 429));
    story.attempt("test_018_rate_limiting", 90, failure, http_evidence("limits", 429));
    let failure = Some(http_failure("stream", 503));
    story.attempt("test_023_streaming", 90, failure, http_evidence("stream", 503));
    let mut evidence = http_evidence("stream", 200);
    evidence.events.push(events_seen(5));
    story.attempt("test_023_streaming", 2_100, None, evidence);
    story.suite_ends(None, vec![]).stays(HEAD);
    let held = story.found(
        "test_018_rate_limiting",
        Outcome::Failed,
        Some(Outcome::Failed),
        Some(Change::StillFailing),
    );
    held.age = 4;
    held.first_failing = Some(CycleRef { cycle: 9, revision: sha(BASE) });
    let flaky = story.found(
        "test_023_streaming",
        Outcome::Flaky,
        Some(Outcome::Passed),
        Some(Change::StillPassing),
    );
    flaky.flaky_rate = Some(FlakyRate { flaky: 3, of: 50 });
    story.found(
        "test_012_message_persistence",
        Outcome::Skipped,
        Some(Outcome::Passed),
        Some(Change::Skipped),
    );
    let slow = story.found(
        "test_007_agent_execution",
        Outcome::Passed,
        Some(Outcome::Passed),
        Some(Change::StillPassing),
    );
    slow.duration_ms = 4_200;
    slow.slower = Some(Slower {
        median_ms: 480,
        max_ms: 900,
        samples: 34,
        runs: 3,
        now_ms: 4_100,
        chance_ppm: 129,
    });
    story.rest_still_passes().baseline(9, 1);
    let mut limits = cluster(
        12,
        "aa00bb11cc22",
        "Status 429 instead of 200",
        http_failure("limits", 429),
        &["test_018_rate_limiting"],
    );
    limits.first_failing = Some(CycleRef { cycle: 9, revision: sha(BASE) });
    limits.first_seen_cycle = 9;
    limits.times_seen = 4;
    limits.investigation = None;
    story.findings.clusters = vec![limits];
    story.findings.suspicious = vec![Suspicious {
        case: id("test_005_agent_discovery"),
        why: "passed in 0 ms with no connection to the target".into(),
    }];
    story.state.queued.definition.not_acted_on =
        vec!["schedule: no cycle starts by the clock".into()];
    story.decided(Verdict::Green, "every case that decides passed")
}

/// The suite itself changed: a case renamed, one redefined, one that nobody can tell.
pub fn renamed() -> CycleState {
    let mut story = Story::new(13);
    story.resolve().deployed().ready().plan(&CASES).all_pass_but(&[CASES[3].0]);
    story.attempt(
        CASES[3].0,
        90,
        Some(http_failure("mcp/servers", 500)),
        http_evidence("mcp/servers", 500),
    );
    story.suite_ends(None, vec![]).stays(HEAD);
    story
        .found(CASES[0].0, Outcome::Passed, Some(Outcome::Passed), Some(Change::StillPassing))
        .known_as = Some(id("test_ws_connect"));
    story
        .found(CASES[3].0, Outcome::Failed, Some(Outcome::Passed), Some(Change::Regressed))
        .definition_changed = true;
    story.found(CASES[6].0, Outcome::Passed, None, Some(Change::NewPassing));
    story.rest_still_passes().baseline(10, 0);
    let counts = story.findings.counts;
    let removed = story.found(
        "test_015_history",
        Outcome::Passed,
        Some(Outcome::Passed),
        Some(Change::Removed),
    );
    removed.outcome = None;
    story.findings.counts = counts;
    story.findings.renames =
        vec![ProbableRename { from: id("test_015_history"), to: id(CASES[6].0) }];
    story.findings.baseline.as_mut().unwrap().suite_digest = Some("00aa11bb22cc".into());
    let mut changed = cluster(
        13,
        "5f4e3d2c1b0a",
        "Status 500 instead of 200",
        http_failure("mcp/servers", 500),
        &[CASES[3].0],
    );
    changed.cause = andon::domain::outcome::Cause::Suite;
    changed.because = "the case's own definition changed".into();
    story.findings.clusters = vec![changed];
    story.decided(Verdict::Red, "1 case that decides is failing")
}

/// A person stops the suite.
pub fn cancelled() -> CycleState {
    let mut story = Story::new(14);
    story.resolve().deployed().ready().plan(&CASES).passes(CASES[0].0);
    let rest = CASES[1..].iter().map(|(case, _, _)| (*case, NotRunReason::Cancelled)).collect();
    story.suite_ends(Some(StoppedBy::Cancelled), rest);
    story.state.cancelled = Some(andon::domain::event::CancelRequested { by: "SIGINT".into() });
    story.found(CASES[0].0, Outcome::Passed, Some(Outcome::Passed), None);
    for (case, _, _) in &CASES[1..] {
        story.found(case, Outcome::NotRun, Some(Outcome::Passed), None);
    }
    story.decided(Verdict::Cancelled, "cancelled by SIGINT")
}

pub fn all() -> Vec<(&'static str, CycleState)> {
    vec![
        ("first-green", first_green()),
        ("auth-broken", auth_broken()),
        ("timeout", timeout()),
        ("deploy-failed", deploy_failed()),
        ("not-ready", not_ready()),
        ("void", void()),
        ("unsteady", unsteady()),
        ("renamed", renamed()),
        ("cancelled", cancelled()),
        ("two-of-twenty-five", crate::bundled::two_of_twenty_five()),
        ("environment-broke", crate::bundled::environment_broke()),
        ("missing-endpoints", crate::bundled::missing_endpoints()),
    ]
}
