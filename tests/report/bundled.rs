//! Stories of the bundled suite: its own 25 cases, with their own words for what a failure costs.

use std::sync::LazyLock;

use andon::domain::event::{NotRunReason, StoppedBy};
use andon::domain::failure::Failure;
use andon::domain::history::CycleRef;
use andon::domain::names::InvestigationId;
use andon::domain::outcome::{Cause, Change, Outcome, Verdict};
use andon::domain::state::CycleState;

use crate::cycles::*;

/// Id, area and impact of each case of `pipelines/suites/p1.yaml`, which every story here keeps up with.
pub static P1: LazyLock<Vec<(&'static str, &'static str, &'static str)>> = LazyLock::new(|| {
    let text = include_str!("../../pipelines/suites/p1.yaml");
    let of = |key: &str| -> Vec<&'static str> {
        text.lines().filter_map(|line| line.trim().strip_prefix(key)).map(str::trim).collect()
    };
    let (ids, areas, impacts) = (of("- id:"), of("area:"), of("impact:"));
    assert_eq!((ids.len(), areas.len(), impacts.len()), (25, 25, 25));
    ids.into_iter().zip(areas).zip(impacts).map(|((id, area), impact)| (id, area, impact)).collect()
});

/// The whole id of case `number`.
fn case(number: usize) -> &'static str {
    P1[number - 1].0
}

/// The story that Andon comes from: of 25 planned cases two ran, one of them failed, and a stream that was
/// waited for to its end ate the suite's time. By hand it was reported as a rate.
pub fn two_of_twenty_five() -> CycleState {
    let mut story = Story::new(8);
    story.resolve().deployed().ready().plan(&P1);
    story.passes(case(1));
    story.attempt(case(2), 512, Some(ws_failure()), ws_evidence());
    let why = |id: &str| match id == case(23) {
        true => NotRunReason::Timeout { running_ms: Some(286_000) },
        false => NotRunReason::Timeout { running_ms: None },
    };
    let rest = P1[2..].iter().map(|(id, _, _)| (*id, why(id))).collect();
    story.suite_ends(Some(StoppedBy::Timeout), rest).stays(HEAD);
    story.found(case(1), Outcome::Passed, Some(Outcome::Passed), Some(Change::StillPassing));
    story.found(case(2), Outcome::Failed, Some(Outcome::Passed), Some(Change::Regressed));
    for number in 3..=25 {
        let last = if matches!(number, 5 | 17) { Outcome::Failed } else { Outcome::Passed };
        story.carried(case(number), last);
    }
    story.baseline(23, 2);
    let title = "Socket closed with 1008: user context must be a UserExecutionContext";
    story.findings.clusters = vec![cluster(8, "0a1b2c3d4e5f", title, ws_failure(), &[case(2)])];
    story.decided(Verdict::Red, "1 case that decides is failing")
}

/// What each endpoint answered, and the case that needs it.
const ENDPOINTS: [(usize, &str, u16); 5] = [
    (5, "mcp/servers", 404),
    (6, "mcp/config", 404),
    (9, "agents/status", 405),
    (10, "mcp/tools", 501),
    (15, "messages/history", 503),
];

/// Endpoints that the suite needs are not there: routes were lost with one commit.
pub fn missing_endpoints() -> CycleState {
    let mut story = Story::new(9);
    story.resolve().deployed().ready().plan(&P1);
    let failing: Vec<usize> = ENDPOINTS.iter().map(|(number, _, _)| *number).collect();
    for number in (1..=25).filter(|number| !failing.contains(number)) {
        story.passes(case(number));
    }
    for (number, path, status) in ENDPOINTS {
        story.attempt(
            case(number),
            88,
            Some(http_failure(path, status)),
            http_evidence(path, status),
        );
        story.found(case(number), Outcome::Failed, Some(Outcome::Passed), Some(Change::Regressed));
    }
    story.suite_ends(None, vec![]).stays(HEAD).rest_still_passes().baseline(25, 0);
    let clusters = ENDPOINTS.iter().enumerate().map(|(at, (number, path, status))| {
        let title = format!("GET /api/{path} answered {status}, expected 200");
        let failure: Failure = http_failure(path, *status);
        let mut cluster = cluster(9, &format!("{at:012x}"), &title, failure, &[case(*number)]);
        cluster.investigation = Some(InvestigationId::from_number(at as u32 + 4));
        cluster
    });
    story.findings.clusters = clusters.collect();
    story.decided(Verdict::Red, "5 cases that decide are failing")
}

/// Nothing of ours changed, and yet a case fails: the model behind the agents is out of reach.
pub fn environment_broke() -> CycleState {
    let mut story = Story::new(10);
    story.resolve().deployed().ready().plan(&P1);
    for number in (1..=25).filter(|number| !matches!(number, 7 | 8)) {
        story.passes(case(number));
    }
    for number in [7, 8] {
        let failure = Some(http_failure("agents/execute", 504));
        story.attempt(case(number), 30_000, failure, http_evidence("agents/execute", 504));
        story.found(case(number), Outcome::Failed, Some(Outcome::Passed), Some(Change::Regressed));
    }
    story.suite_ends(None, vec![]).stays(HEAD).rest_still_passes().baseline(25, 0);
    let same = story.state.resolved.as_ref().map(|resolved| resolved.revision.clone());
    story.findings.baseline.as_mut().unwrap().revision = same;
    story.findings.commits = None;
    let title = "POST /api/agents/execute answered 504, expected 200";
    let failure = http_failure("agents/execute", 504);
    let mut gone = cluster(10, "00aa00bb00cc", title, failure, &[case(7), case(8)]);
    gone.cause = Cause::Environment;
    gone.because =
        "the revision, the suite and the pipeline are those of cycle 9, where it was good".into();
    (gone.suspects, gone.commits) = (vec![], None);
    gone.last_good = Some(CycleRef { cycle: 9, revision: sha(HEAD) });
    story.findings.clusters = vec![gone];
    story.decided(Verdict::Red, "2 cases that decide are failing")
}
