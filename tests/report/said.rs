//! What a report must not say: a loss that nobody measured, an endpoint that nobody asked, a figure
//! that nobody knows; and that every failure has a section.

use std::sync::Arc;

use andon::domain::event::{CancelRequested, Moment, StepEnded};
use andon::domain::failure::{Blame, FailureClass, REQUEST_SUBJECT};
use andon::domain::findings::{FlakyRate, ProbableRename};
use andon::domain::history::{CycleRef, FailureChange};
use andon::domain::outcome::{Cause, Change, Outcome, Phase, PhaseOutcome, Verdict};
use andon::domain::state::{CycleState, Deployed};
use andon::report::{json::cycle_json, markdown};

use crate::cycles::{BASE, CASES, HEAD, Story, cluster, http_evidence, http_failure, id, sha};
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

/// One regressed case on a commit that is the only one since it was good.
fn one_commit() -> Story {
    let mut story = Story::new(7);
    let broken = CASES[4].0;
    story.resolve().deployed().ready().plan(&CASES).all_pass_but(&[broken]);
    let failure = http_failure("agents/execute", 500);
    story.attempt(broken, 1, Some(failure.clone()), http_evidence("agents/execute", 500));
    story.suite_ends(None, vec![]).stays(HEAD);
    story.found(broken, Outcome::Failed, Some(Outcome::Passed), Some(Change::Regressed));
    story.rest_still_passes();
    let mut cluster = cluster(7, "0a1b2c3d4e5f", "Status 500", failure, &[broken]);
    cluster.suspects.truncate(1);
    let range = cluster.commits.as_mut().unwrap();
    range.commits.truncate(1);
    range.total = 1;
    story.findings.clusters.push(cluster);
    story
}

fn first_to_do(report: &str) -> &str {
    report.lines().find(|line| line.starts_with("**Do first:** ")).unwrap()
}

fn red(mut story: Story) -> String {
    markdown::render(&story.decided(Verdict::Red, "1 case is failing"))
}

#[test]
fn no_commit_is_blamed_when_nothing_tells_which_revision_served() {
    let blamed = red(one_commit());
    assert!(first_to_do(&blamed).contains("Repair or revert"), "{blamed}");
    let mut story = one_commit();
    let cluster = &mut story.findings.clusters[0];
    (cluster.cause, cluster.commits) = (Cause::Unknown, None);
    cluster.suspects.clear();
    let report = red(story);
    let first = first_to_do(&report);
    assert!(first.contains("no commit can be blamed") && !first.contains("revert"), "{first}");
    assert!(report.contains("none: nothing tells which revision was served"), "{report}");
    let claim = report.lines().nth(2).unwrap();
    assert!(claim.contains("since this cycle: "), "{claim}");
}

#[test]
fn a_checkout_is_the_revision_when_commands_are_all_there_was() {
    let told = |of: &str| {
        let mut story = Story::new(7);
        story.resolve();
        if of == "asked" {
            story.controls(Moment::Before, None);
        }
        story.plan(&CASES).all_pass_but(&[]);
        let cases = &mut story.state.plan.as_mut().unwrap().cases;
        let run = if of == "mixed" { &mut cases[1..] } else { &mut cases[..] };
        run.iter_mut().for_each(|planned| planned.command = Some("unit".into()));
        story.state.queued.options.deploy = of != "left out";
        story.state.tested_its_revision()
    };
    assert!(told("checkout"));
    for environment in ["left out", "asked", "mixed"] {
        assert!(!told(environment), "{environment}");
    }
}

#[test]
fn a_step_forward_is_never_to_be_taken_back() {
    let mut story = one_commit();
    let (from, to) =
        (CycleRef { cycle: 6, revision: sha(BASE) }, CycleRef { cycle: 7, revision: sha(HEAD) });
    let cluster = &mut story.findings.clusters[0];
    cluster.first_failing = Some(CycleRef { cycle: 5, revision: sha(BASE) });
    cluster.failure_changed = Some(FailureChange { from, to });
    let report = red(story);
    let first = first_to_do(&report);
    assert!(first.contains("wrong: with `"), "{first}");
    let became =
        "the failure became “Status 500” (INV-0003); it had been another one since cycle 5";
    assert!(first.contains(became), "{first}");
    assert!(!report.to_lowercase().contains("revert"), "{report}");
}

#[test]
fn an_unsteady_case_is_run_again_before_its_commit_is_blamed() {
    let rated = |flaky| {
        let mut story = one_commit();
        let found = story.findings.cases.iter_mut().find(|found| found.case == id(CASES[4].0));
        found.unwrap().flaky_rate = Some(FlakyRate { flaky, of: 24 });
        red(story)
    };
    let report = rated(9);
    let first = first_to_do(&report);
    let again = "Run it again first: it was flaky in 9 of 24 runs. If it goes on: Repair or revert";
    assert!(first.contains(again), "{first}");
    assert!(!rated(1).contains("Run it again first"), "once is this very failure");
}

#[test]
fn failing_cases_that_are_gone_are_no_silent_green() {
    let mut story = Story::new(7);
    story.resolve().deployed().ready().plan(&CASES).all_pass_but(&[]);
    story.suite_ends(None, vec![]).stays(HEAD).rest_still_passes();
    let counts = story.findings.counts;
    let before =
        [("test_a", Outcome::Failed), ("test_b", Outcome::Errored), ("test_c", Outcome::Passed)];
    for (case, before) in before {
        story.found(case, Outcome::Passed, Some(before), Some(Change::Removed)).outcome = None;
    }
    story.findings.counts = counts;
    let mut all = story.decided(Verdict::Green, "every case that decides passed");
    let report = markdown::render(&all);
    let gone = "2 cases that were failing are no longer planned: `test_a` and `test_b`";
    let (top, rest) = report.split_once("## Summary").unwrap();
    assert!(top.contains(&format!("**{gone}**.")), "{top}");
    let impact = format!("Nothing that the suite still covers is known to be broken, but {gone}.");
    assert!(rest.contains(&impact), "{rest}");
    assert!(rest.contains(&format!("{gone}. If that is meant, close")), "{rest}");
    let rename = ProbableRename { from: id("test_a"), to: id(CASES[0].0) };
    Arc::make_mut(&mut all.findings.as_mut().unwrap().what).renames.push(rename);
    let report = markdown::render(&all);
    assert!(report.contains("1 case that was failing is no longer planned: `test_b`"), "{report}");
}

#[test]
fn a_failure_under_a_new_name_is_probably_an_old_one() {
    let mut story = one_commit();
    let counts = story.findings.counts;
    let before = Some(Outcome::Failed);
    story.found("test_old", Outcome::Passed, before, Some(Change::Removed)).outcome = None;
    story.findings.counts = counts;
    story.findings.renames = vec![ProbableRename { from: id("test_old"), to: id(CASES[4].0) }];
    let cluster = &mut story.findings.clusters[0];
    (cluster.cause, cluster.last_good, cluster.commits) = (Cause::Unknown, None, None);
    cluster.suspects.clear();
    let report = red(story);
    let told = format!(
        "`{}` is probably `test_old`, which was failing before (`was: [test_old]` keeps its history)",
        CASES[4].0
    );
    assert!(first_to_do(&report).contains(&told), "{report}");
    assert!(!report.contains("nobody ever saw"), "{report}");
}

/// That a deploy ended well proves nothing: what the surfaces served counts.
#[test]
fn a_cancelled_cycle_says_what_it_left_on_its_environment() {
    let cancelled = |tell: &dyn Fn(&mut Story)| {
        let mut story = Story::new(7);
        story.resolve();
        tell(&mut story);
        story.suite_unreached(&CASES, Phase::Deploy);
        story.state.cancelled = Some(CancelRequested { by: "ada".into() });
        story.decided(Verdict::Cancelled, "cancelled by ada in its deploy phase")
    };
    let ended = |story: &mut Story| {
        story.phase(Phase::Deploy, PhaseOutcome::Cancelled, 192_000, None);
    };
    let in_part = cancelled(&|story| {
        story.step(PhaseOutcome::Cancelled, "was cancelled", "");
        ended(story);
    });
    assert_eq!(in_part.left_deployed(), Some(Deployed::InPart));
    let report = markdown::render(&in_part);
    assert!(report.contains("**Cancelled by ada in its deploy phase.**"), "{report}");
    assert!(report.contains("Nobody knows what staging serves: `andon run"), "{report}");
    assert_eq!(cancelled(&ended).left_deployed(), None, "no step had begun");
    let skipped = cancelled(&|story| {
        story.phase(Phase::Deploy, PhaseOutcome::Skipped, 0, None);
        story.surfaces(Moment::Before, BASE, HEAD);
    });
    assert_eq!(skipped.left_deployed(), None, "nothing was to be deployed");
    let unseen = cancelled(&|story| {
        story.deployed();
    });
    assert_eq!(unseen.left_deployed(), Some(Deployed::Unseen));
    let another = cancelled(&|story| {
        story.deployed().surfaces(Moment::Before, BASE, HEAD);
    });
    assert_eq!(another.left_deployed(), Some(Deployed::Another));
    let served = cancelled(&|story| {
        story.deployed().surfaces(Moment::Before, HEAD, HEAD);
    });
    assert_eq!(served.left_deployed(), Some(Deployed::Served));
    assert!(markdown::render(&served).contains("Run it again when it is wanted"));
}
