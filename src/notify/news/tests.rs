//! What is news: tables of cycles and those before them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::cycle::{fold, testing};
use crate::domain::event::{Event, PlannedCase, Quarantined, RollbackPlanned};
use crate::domain::outcome::Outcome;
use crate::domain::search::{SearchCause, SearchEnding, SearchResult};
use crate::domain::spec::{Forge, ForgeRepo, SlackNotify, WebhookNotify};
use crate::domain::state::{RollbackRecord, Stamped};
use crate::domain::template::Template;

const SHA: &str = "4f1c2aa000000000000000000000000000000001";

fn slack(on: &[NewsKind]) -> Notify {
    let url = Template::parse("${secret.slack}").unwrap();
    Notify { channel: NotifyChannel::Slack(SlackNotify { url }), on: on.to_vec() }
}

fn webhook() -> Notify {
    let url = Template::literal("https://example.com/hook");
    let hook = WebhookNotify { url, secret: None };
    Notify { channel: NotifyChannel::Webhook(hook), on: vec![] }
}

fn status() -> Notify {
    let token = Template::parse("${secret.gh}").unwrap();
    let repo = "acme/chat".to_owned();
    let status = ForgeRepo { forge: Forge::Github, repo, token, api: None };
    // A filter of a status does not count.
    Notify { channel: NotifyChannel::CommitStatus(status), on: vec![NewsKind::Culprit] }
}

fn pipeline(notify: Vec<Notify>) -> Pipeline {
    Pipeline { notify, ..testing::pipeline() }
}

/// A cycle that ended so.
fn cycle(verdict: Verdict, changes: &[(&str, Change)]) -> CycleState {
    let mut state = fold(testing::record(testing::story())).unwrap();
    let Event::Analysed(findings) = testing::findings(verdict) else { panic!("not findings") };
    let mut findings = Arc::unwrap_or_clone(findings);
    let id = |case: &str| CaseId::parse(case).unwrap();
    findings.cases = changes
        .iter()
        .map(|(case, change)| CaseFinding {
            case: id(case),
            outcome: Some(if is_anew(*change) { Outcome::Failed } else { Outcome::Passed }),
            change: Some(*change),
            before: None,
            said_before: None,
            duration_ms: 1,
            attempts: 1,
            carried: None,
            definition_changed: false,
            known_as: None,
            fingerprint: None,
            last_good: None,
            first_failing: None,
            age: 0,
            flaky_rate: None,
            slower: None,
            failure_changed: None,
        })
        .collect();
    let planned = state.plan.as_ref().unwrap().cases[0].clone();
    let plan = state.plan.as_mut().unwrap();
    plan.cases =
        changes.iter().map(|(case, _)| PlannedCase { id: id(case), ..planned.clone() }).collect();
    state.findings = Some(Stamped { at: testing::at(30), what: Arc::new(findings) });
    state
}

fn earlier(verdict: Verdict) -> Earlier {
    Earlier { verdict, void_reason: None, only_some: false }
}

/// The headline of a cycle after others, newest first.
fn headline(state: &CycleState, before: &[Verdict]) -> Option<Headline> {
    let before: Vec<Earlier> = before.iter().copied().map(earlier).collect();
    let findings = Arc::clone(&state.findings.as_ref().unwrap().what);
    what_changed(state, &findings, &before).map(|news| news.headline)
}

#[test]
fn people_are_told_of_changes_only() {
    use Change::{ChangedFailure, Fixed, NewFailing, Regressed, StillFailing, StillPassing};
    use Headline::{Cleared, Kept, PartlyFixed, Recovered};
    use Verdict::{Cancelled, DeployFailed, Green, Incomplete, NotReady, Red, Superseded, Void};
    const DEPLOY: Obstacle = Obstacle::DeployFailed;
    let told = Headline::Regressed;
    let still: &[(&str, Change)] = &[("a", StillFailing)];
    /// What it is, the cycle's verdict and changes, the verdicts before it, what is told.
    type Row<'a> = (&'a str, Verdict, &'a [(&'a str, Change)], &'a [Verdict], Option<Headline>);
    let table: &[Row<'_>] = &[
        ("a good beginning", Green, &[], &[], None),
        ("a bad beginning", Red, &[("a", NewFailing)], &[], Some(told)),
        ("the first failure", Red, &[("a", Regressed)], &[Green], Some(told)),
        ("the same", Red, still, &[Red, Green], None),
        ("another case", Red, &[("a", StillFailing), ("b", Regressed)], &[Red], Some(told)),
        ("another reason", Red, &[("a", ChangedFailure)], &[Red], Some(told)),
        ("fewer", Red, &[("a", StillFailing), ("b", Fixed)], &[Red], Some(PartlyFixed)),
        ("others", Red, &[("a", Regressed), ("b", Fixed)], &[Red], Some(told)),
        ("recovery", Green, &[("a", Fixed)], &[Red], Some(Recovered)),
        ("still good", Green, &[("a", StillPassing)], &[Green, Red], None),
        ("flaky counts as failing here", Red, &[("a", StillPassing)], &[Green], Some(told)),
        ("and still does", Red, &[("a", StillPassing)], &[Red], None),
        ("no deploy", DeployFailed, &[], &[Green], Some(Kept(DEPLOY))),
        ("again none", DeployFailed, &[], &[DeployFailed, Green], None),
        (
            "not ready after no deploy",
            NotReady,
            &[],
            &[DeployFailed],
            Some(Kept(Obstacle::NotReady)),
        ),
        ("deploys again", Green, &[], &[DeployFailed, Green], Some(Recovered)),
        ("deploys again, red as before", Red, still, &[DeployFailed, Red], Some(Cleared(DEPLOY))),
        ("deploys again, red now", Red, &[("a", Regressed)], &[DeployFailed, Green], Some(told)),
        ("void", Void, &[], &[Green], Some(Kept(Obstacle::Void(None)))),
        ("void again", Void, &[], &[Void], None),
        ("too little ran", Incomplete, &[], &[Red], Some(Kept(Obstacle::Incomplete))),
        ("what was cancelled is passed over", Red, still, &[Cancelled, Superseded, Red], None),
        ("so is a green before it", Green, &[], &[Cancelled, Green], None),
        ("cancelled", Cancelled, &[], &[Green], None),
    ];
    for (what, verdict, changes, before, expected) in table {
        assert_eq!(headline(&cycle(*verdict, changes), before), *expected, "{what}");
    }
}

#[test]
fn another_reason_to_be_void_is_another_news() {
    let mut state = cycle(Verdict::Void, &[]);
    let mut findings = Arc::unwrap_or_clone(state.findings.take().unwrap().what);
    findings.void_reason = Some(VoidReason::ControlFailed);
    let same = Earlier { void_reason: findings.void_reason, ..earlier(Verdict::Void) };
    assert_eq!(what_changed(&state, &findings, &[same]), None);
    let news = what_changed(&state, &findings, &[earlier(Verdict::Void)]).unwrap();
    assert_eq!(news.headline.word(), "void");
}

#[test]
fn a_selection_says_nothing_and_neither_does_a_question_of_a_search() {
    let state = cycle(Verdict::Green, &[]);
    let findings = Arc::clone(&state.findings.as_ref().unwrap().what);
    let selection = Earlier { only_some: true, ..earlier(Verdict::Red) };
    assert_eq!(what_changed(&state, &findings, &[selection, earlier(Verdict::Green)]), None);
}

#[test]
fn a_case_in_quarantine_is_no_news() {
    let mut state = cycle(Verdict::Red, &[("a", Change::StillFailing), ("b", Change::Regressed)]);
    let until = "2026-12-31".parse().unwrap();
    let (owner, reason) = ("ada".to_owned(), "known".to_owned());
    state.plan.as_mut().unwrap().cases[1].quarantine =
        Some(Quarantined { owner, reason, until, expired: false });
    assert_eq!(headline(&state, &[Verdict::Red]), None);
}

#[test]
fn a_cycle_that_was_held_is_told_to_go_on() {
    let mut state = cycle(Verdict::Green, &[]);
    state.held = Some(Held { reason: "nobody knows".to_owned() });
    assert_eq!(headline(&state, &[Verdict::Green]), Some(Headline::Recovered));
}

fn told(pipeline: &Pipeline, state: &CycleState, before: &[Verdict]) -> Vec<NewMessage> {
    let before: Vec<Earlier> = before.iter().copied().map(earlier).collect();
    finished(pipeline, state, &before)
}

#[test]
fn each_channel_is_told_what_it_wants_to_hear() {
    use NewsKind::{DeployFailed, Fixed, Regressed};
    let both = cycle(Verdict::Red, &[("a", Change::Regressed), ("b", Change::Fixed)]);
    let first = cycle(Verdict::Red, &[("a", Change::Regressed)]);
    let table: &[(&CycleState, &[NewsKind], usize)] = &[
        (&first, &[], 1),
        (&first, &[Regressed], 1),
        (&first, &[Fixed, DeployFailed], 0),
        (&both, &[Fixed], 1),
        (&both, &[DeployFailed], 0),
    ];
    for (state, on, expected) in table {
        let messages = told(&pipeline(vec![slack(on)]), state, &[Verdict::Red]);
        assert_eq!(messages.len(), *expected, "{on:?}");
    }
}

#[test]
fn a_key_is_the_same_each_time_and_of_one_channel() {
    let pipeline = pipeline(vec![slack(&[]), webhook(), slack(&[NewsKind::Regressed])]);
    let state = cycle(Verdict::Red, &[("a", Change::Regressed)]);
    let once = told(&pipeline, &state, &[Verdict::Green]);
    assert_eq!(once, told(&pipeline, &state, &[Verdict::Green]));
    let keys: Vec<&str> = once.iter().map(|message| message.key.as_str()).collect();
    assert_eq!(keys.len(), 2, "the same channel twice is told once: {keys:?}");
    assert!(keys[0].starts_with("chat/1/regressed/slack "), "{keys:?}");
    assert!(keys[1].starts_with("chat/1/regressed/webhook "), "{keys:?}");
    let body: Value = serde_json::from_str(&once[1].body).unwrap();
    assert_eq!((&body["event"], &body["json"]["cycle"]), (&"regressed".into(), &1.into()));
    assert!(once.iter().all(|message| message.topic.is_none() && !message.body.contains("secret")));
}

/// State and description of the one status among messages.
fn the_status(messages: &[NewMessage]) -> (String, String) {
    let [message] = messages else { panic!("not one: {messages:?}") };
    assert_eq!(message.topic.as_deref(), Some(&*format!("{SHA} andon/chat")));
    let body: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!((&body["sha"], &body["context"]), (&SHA.into(), &"andon/chat".into()));
    let text = |key: &str| body[key].as_str().unwrap().to_owned();
    (text("state"), text("description"))
}

#[test]
fn no_verdict_leaves_a_commit_without_an_end() {
    let pipeline = pipeline(vec![status()]);
    for verdict in Verdict::ALL {
        // The second of its kind: no news for people, but an end for the commit.
        let messages = told(&pipeline, &cycle(*verdict, &[]), &[*verdict]);
        let (state, description) = the_status(&messages);
        assert_ne!(state, "pending");
        assert!(description.starts_with(verdict.as_str()), "{description}");
        assert!(description.chars().count() <= 140);
    }
}

#[test]
fn the_requests_of_every_commit_of_a_cycle_hear_of_it() {
    let comment = |on: &[NewsKind]| {
        let Notify { channel: NotifyChannel::CommitStatus(at), .. } = status() else { panic!() };
        Notify { channel: NotifyChannel::PullRequestComment(at), on: on.to_vec() }
    };
    let mut state = cycle(Verdict::Green, &[("a", Change::StillPassing)]);
    let other = "5f1c2aa000000000000000000000000000000002";
    state.queued.taken_together = vec![Sha::parse(other).unwrap(), Sha::parse(SHA).unwrap()];
    let every = told(&pipeline(vec![comment(&[])]), &state, &[Verdict::Green]);
    let of: Vec<String> = every
        .iter()
        .map(|message| {
            let body: Value = serde_json::from_str(&message.body).unwrap();
            assert_eq!((&body["of"], &body["about_cycle"]), (&"chat".into(), &1.into()));
            assert!(body["text"].as_str().unwrap().starts_with("### CYCLE 1: chat"), "{body}");
            body["sha"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(of, [SHA, other], "a cycle that is as before, too; each commit once");
    let topics: Vec<_> = every.iter().map(|message| message.topic.clone().unwrap()).collect();
    assert_eq!(topics, [format!("{SHA} comment"), format!("{other} comment")]);
    // Those that want to hear of news only do.
    let filtered = pipeline(vec![comment(&[NewsKind::Fixed])]);
    assert_eq!(told(&filtered, &state, &[Verdict::Green]), []);
    assert_eq!(told(&filtered, &state, &[Verdict::Red]).len(), 2);
}

/// RELIABILITY A5: who waits for a person is told of.
#[test]
fn a_commit_is_pending_when_its_cycle_begins_and_in_error_while_it_is_held() {
    let pipeline = pipeline(vec![slack(&[]), status()]);
    let state = cycle(Verdict::Green, &[]);
    let sha = Sha::parse(SHA).unwrap();
    let (word, _) = the_status(&started(&pipeline, &state.queued, &sha));
    assert_eq!(word, "pending");
    let messages = held(&pipeline, &state, &Held { reason: "nobody knows".to_owned() });
    assert!(messages[0].key.starts_with("chat/1/held-1/slack "), "{:?}", messages[0].key);
    let (word, description) = the_status(&messages[1..]);
    assert_eq!((word.as_str(), &description[..4]), ("error", "held"));
}

#[test]
fn who_must_find_out_what_became_of_a_rollback_is_not_asked_about_the_deploy() {
    let mut state = cycle(Verdict::Red, &[]);
    let held = Held { reason: "nobody knows".to_owned() };
    let hint = |state: &CycleState| Notice::held(state, &held).facts.pop().unwrap();
    assert!(hint(&state).starts_with("find out what became of the deploy, "));
    let revision = state.resolved.as_ref().unwrap().revision.clone();
    let told =
        format!("find out what became of the rollback to {} (cycle 2)", revision.sha.short());
    let planned = RollbackPlanned { cycle: 2, revision, checkout: "checkouts/2".to_owned() };
    let (steps, surfaces, checks) = (Vec::new(), Vec::new(), Vec::new());
    state.rollback = Some(RollbackRecord { planned, steps, surfaces, checks });
    assert!(hint(&state).starts_with(&told), "{}", hint(&state));
}

#[test]
fn a_commit_that_never_was_resolved_is_known_by_what_was_asked_for() {
    let mut state = cycle(Verdict::DeployFailed, &[]);
    state.resolved = None;
    state.queued.requested = Some("main".to_owned());
    let pipeline = pipeline(vec![status()]);
    assert!(told(&pipeline, &state, &[]).is_empty());
    state.queued.requested = Some(SHA.to_owned());
    assert_eq!(the_status(&told(&pipeline, &state, &[])).0, "failure");
}

#[test]
fn a_selection_of_cases_tells_nobody() {
    let mut state = cycle(Verdict::Red, &[("a", Change::Regressed)]);
    state.queued.options.only = Some("a".to_owned());
    let pipeline = pipeline(vec![slack(&[]), status()]);
    assert!(told(&pipeline, &state, &[]).is_empty());
    assert!(started(&pipeline, &state.queued, &Sha::parse(SHA).unwrap()).is_empty());
}

#[test]
fn what_a_search_found_is_news_of_its_own() {
    let mut state = cycle(Verdict::Red, &[("a", Change::StillFailing)]);
    let found = SearchResult {
        cycle: 5,
        culprit: Some(Sha::parse(&"4f1c2aa".repeat(6)[..40]).unwrap()),
        cause: SearchCause::Code,
        confidence: 0.9991,
        deploys: 6,
        steps: vec![],
        ending: SearchEnding::Found,
        because: "its cases pass on 1a2b3c4 and fail on 4f1c2aa".to_owned(),
        failures: vec![],
    };
    let stamped = state.findings.as_mut().unwrap();
    Arc::make_mut(&mut stamped.what).search = Some(found);
    let told =
        |on: &[NewsKind]| finished(&pipeline(vec![slack(on)]), &state, &[earlier(Verdict::Red)]);
    let messages = told(&[NewsKind::Culprit]);
    assert_eq!(messages.len(), 1);
    assert!(messages[0].body.contains("4f1c2aa broke cycle 5"), "{}", messages[0].body);
    assert!(messages[0].body.contains("99.9 % sure, after 6 deploys"), "{}", messages[0].body);
    assert!(told(&[NewsKind::Regressed]).is_empty(), "nothing else is new");
}
