//! What a report must not say: a loss that nobody measured, an endpoint that nobody asked, a figure
//! that nobody knows; and that every failure has a section.

use std::sync::Arc;

use andon::domain::event::StepEnded;
use andon::domain::failure::{Blame, FailureClass, REQUEST_SUBJECT};
use andon::domain::findings::FlakyRate;
use andon::domain::outcome::{Change, Outcome, PhaseOutcome, Verdict};
use andon::domain::state::CycleState;
use andon::report::{json::cycle_json, markdown};

use crate::cycles::{CASES, HEAD, Story, cluster, http_evidence, http_failure, sha};
use crate::stories;

/// One case is errored: its request could not be made.
fn unmeasured() -> CycleState {
    let mut story = Story::new(7);
    let broken = CASES[4].0;
    let mut failure = http_failure("agents/execute", 0);
    (failure.class, failure.blame) = (FailureClass::Setup, Blame::Measurement);
    failure.message = "the request could not be made: ftp: is not a scheme".into();
    failure.subject = Some(REQUEST_SUBJECT.into());
    let mut evidence = http_evidence("agents/execute", 500);
    evidence.exchanges[0].status = None;
    story.resolve().deployed().ready().plan(&CASES).all_pass_but(&[broken]);
    story.attempt(broken, 1, Some(failure.clone()), evidence);
    story.suite_ends(None, vec![]).stays(HEAD);
    let passed = Some(Outcome::Passed);
    let found = story.found(broken, Outcome::Errored, passed, Some(Change::Regressed));
    // It passed on this very revision: this failure alone is at odds with that.
    found.flaky_rate = Some(FlakyRate { flaky: 1, of: 2 });
    found.last_good.as_mut().unwrap().revision = sha(HEAD);
    story.rest_still_passes();
    let title = "The request could not be made";
    story.findings.clusters.push(cluster(7, "0a1b2c3d4e5f", title, failure, &[broken]));
    story.decided(Verdict::Red, "1 case is failing")
}

#[test]
fn what_could_not_be_measured_is_no_loss_no_missing_endpoint_and_no_flake() {
    let report = markdown::render(&unmeasured());
    let first = report.lines().nth(2).unwrap();
    assert!(first.starts_with("**Not measured since this cycle (`4f1c2aa`): "), "{first}");
    assert!(report.contains("**What it costs:** not measured; if it is broken: No agent can be"));
    let impact = "P1: **not measured**; if it is broken: No agent can be started (1 case errored)";
    assert!(report.contains(impact), "{report}");
    let (_, infrastructure) = report.split_once("## Missing infrastructure").unwrap();
    assert!(infrastructure.trim_start().starts_with("None:"), "{infrastructure}");
    assert!(!report.contains("## Flaky"), "this very failure is no history");
}

#[test]
fn the_last_report_of_a_loop_that_gave_up_says_so_on_top_and_what_begins_it_anew() {
    let mut state = unmeasured();
    assert!(!markdown::render(&state).contains("The loop ends"));
    let stamped = state.findings.as_mut().unwrap();
    let why = "given up after 5 cycles of one revision";
    Arc::make_mut(&mut stamped.what).gave_up = Some(why.to_owned());
    let report = markdown::render(&state);
    let (top, _) = report.split_once("## Summary").unwrap();
    let told = format!(
        "**The loop ends here:** {why}. A new commit, a schedule or `andon trigger chat-staging` begins it anew."
    );
    assert!(top.contains(&told), "{top}");
    let json = cycle_json(&state);
    assert_eq!(json["gave_up"], why);
}

#[test]
fn every_failure_has_a_section_the_worst_open_the_others_folded() {
    let mut story = Story::new(7);
    let failing: Vec<&str> = CASES[..5].iter().map(|(case, _, _)| *case).collect();
    story.resolve().deployed().ready().plan(&CASES).all_pass_but(&failing);
    for (at, case) in failing.iter().enumerate() {
        let failure = http_failure(case, 500);
        story.attempt(case, 90, Some(failure.clone()), http_evidence(case, 500));
        story.found(case, Outcome::Failed, Some(Outcome::Passed), Some(Change::Regressed));
        let title = format!("Failure <{at}>");
        let digest = format!("{at:012x}");
        story.findings.clusters.push(cluster(7, &digest, &title, failure, &[case]));
    }
    story.suite_ends(None, vec![]).stays(HEAD).rest_still_passes();
    let report = markdown::render(&story.decided(Verdict::Red, "5 cases are failing"));
    assert_eq!(report.matches("Repeat by hand:").count(), 5, "{report}");
    assert_eq!(report.matches("| Evidence | ").count(), 5);
    let folded = "<details>\n<summary>5 · <code>Failure &lt;4&gt;</code> — 1 case</summary>";
    assert!(report.contains(folded), "{report}");
    assert!(!report.contains("more failures with"), "nothing is left to count");
}

#[test]
fn what_hung_when_the_time_was_over_is_named_first() {
    let report = markdown::render(&stories::timeout());
    let hangs = format!("Find what hangs: when the suite's time was over, `{}` was", CASES[4].0);
    assert!(report.contains(&hangs), "{report}");
    let row = format!("| `{}` | **was running for 41 s** when", CASES[4].0);
    let (_, not_run) = report.split_once("## Not run").unwrap();
    let first = not_run.lines().find(|line| line.starts_with("| `")).unwrap();
    assert!(first.starts_with(&row), "{first}");
}

#[test]
fn nobody_knows_how_long_a_step_took_whose_end_nobody_saw() {
    let mut state = stories::deploy_failed();
    let ended: &mut StepEnded = state.steps[0].ended.as_mut().unwrap();
    (ended.outcome, ended.duration_ms) = (PhaseOutcome::Interrupted, 0);
    let report = markdown::render(&state);
    assert!(!report.contains("after 0 ms"), "{report}");
    assert!(report.contains("| – | **interrupted**: "), "{report}");
    state.steps[0].ended.as_mut().unwrap().output = None;
    let report = markdown::render(&state);
    assert!(report.contains("wrote was recorded before its end was lost."), "{report}");
    assert!(!report.contains("left no output"), "{report}");
}
