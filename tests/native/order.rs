//! Between the cases: needs, setup and teardown, deadlines, cancels, what was run before.

use std::time::Duration;

use andon::domain::event::{NotRunReason, StoppedBy};
use andon::domain::failure::FailureClass;
use andon::domain::names::CaseId;
use andon::domain::outcome::Outcome;
use tokio_util::sync::CancellationToken;

use crate::kit::{Ran, Running, head, only, pipeline, run, run_with, with_cases};
use crate::server::{Asked, Reply, Server, json};

fn service(asked: Asked) -> Reply {
    match asked.path.as_str() {
        "/bad" => json(500, "{}"),
        "/token" => json(200, r#"{"access_token": "a-token-from-setup"}"#),
        "/hang" => Reply::Hang,
        _ => json(200, "{}"),
    }
}

fn not_run(ran: &Ran) -> Vec<(String, NotRunReason)> {
    ran.end.not_run.iter().map(|n| (n.case.to_string(), n.reason.clone())).collect()
}

fn blocked_by(case: &str) -> NotRunReason {
    NotRunReason::BlockedBy { case: CaseId::parse(case).expect("an id") }
}

#[tokio::test]
async fn what_needs_a_failing_case_does_not_run() {
    let server = Server::start(service).await;
    let cases = r#"
- id: base
  steps: [{ http: { url: "${base}/bad" } }]
- id: above
  needs: [base]
  steps: [{ http: { url: "${base}/" } }]
- id: top
  needs: [above]
  steps: [{ http: { url: "${base}/" } }]
- id: alone
  steps: [{ http: { url: "${base}/" } }]
"#;
    let ran = run(server.port, cases).await;
    assert_eq!(ran.outcome("base"), Outcome::Failed);
    assert_eq!(ran.outcome("above"), Outcome::NotRun);
    ran.passed("alone");
    assert_eq!(
        not_run(&ran),
        [("above".to_owned(), blocked_by("base")), ("top".to_owned(), blocked_by("above"))]
    );
    // Asked for one case, those that it needs come along.
    let running = Running { selection: only(&["above"]), ..Running::default() };
    let ran = run_with(pipeline(&with_cases(server.port, cases), &[]), running).await;
    assert_eq!(ran.started, [("base".to_owned(), 1)]);
    assert_eq!(not_run(&ran), [("above".to_owned(), blocked_by("base"))]);
}

const SUITE: &str = r#"
suite: s
setup:
  - name: log in
    http: { method: POST, url: "${base}/SETUP", json: {} }
    capture: { token: json $.access_token }
teardown:
  - http: { method: DELETE, url: "${base}/teardown?${token}" }
cases:
  - id: uses_it
    steps: [{ http: { url: "${base}/one", headers: { Authorization: "Bearer ${token}" } } }]
  - id: does_not
    steps: [{ http: { url: "${base}/two" } }]
"#;

async fn with_setup(server: &Server, suite: &str) -> Ran {
    let text = format!("{}suite:\n  retries: 1\n  include: [s.yaml]\n", head(server.port));
    run_with(pipeline(&text, &[("s.yaml", suite)]), Running::default()).await
}

#[tokio::test]
async fn setup_runs_once_and_teardown_always() {
    let server = Server::start(service).await;
    let ran = with_setup(&server, &SUITE.replace("SETUP", "token")).await;
    ran.passed("uses_it");
    ran.passed("does_not");
    assert_eq!(server.asked("/one")[0].header("authorization"), "Bearer a-token-from-setup");
    assert_eq!(server.asked("/token").len(), 1);
    assert_eq!(server.asked("/teardown?a-token-from-setup").len(), 1);
    assert!(ran.end.setup_failures.is_empty() && ran.end.teardown_failures.is_empty());
    assert!(!ran.stored().contains("a-token-from-setup"), "a captured token shows");
}

#[tokio::test]
async fn a_failed_setup_takes_only_those_that_use_it() {
    let server = Server::start(service).await;
    let ran = with_setup(&server, &SUITE.replace("SETUP", "bad")).await;
    ran.errored(
        "uses_it",
        FailureClass::Setup,
        "setup step `log in`: expected status 2xx, got 500",
    );
    assert_eq!(ran.of("uses_it").len(), 1, "trying again would not help");
    ran.passed("does_not");
    assert_eq!(ran.end.setup_failures.len(), 1);
    assert!(ran.end.teardown_failures[0].contains("nothing gave `${token}` a value"));
    // A step that captures nothing is needed by who knows whom: the whole group goes with it.
    let blunt =
        SUITE.replace("SETUP", "bad").replace("    capture: { token: json $.access_token }\n", "");
    let blunt = blunt.replace("?${token}", "").replace("Bearer ${token}", "none");
    let ran = with_setup(&server, &blunt).await;
    ran.errored("uses_it", FailureClass::Setup, "setup step");
    ran.errored("does_not", FailureClass::Setup, "setup step");
}

#[tokio::test]
async fn a_deadline_keeps_what_is_final() {
    let server = Server::start(service).await;
    let cases = r#"
- id: quick
  steps: [{ http: { url: "${base}/" } }]
- id: stuck
  timeout: 60s
  steps: [{ http: { url: "${base}/hang" } }]
- id: waits
  needs: [stuck]
  steps: [{ http: { url: "${base}/" } }]
"#;
    let text = with_cases(server.port, cases);
    let running = Running { timeout: Duration::from_millis(1_500), ..Running::default() };
    let ran = run_with(pipeline(&text, &[]), running).await;
    ran.passed("quick");
    assert_eq!(ran.end.stopped_by, Some(StoppedBy::Timeout));
    let left = not_run(&ran);
    let [(stuck, ran_for), (waits, why)] = &left[..] else { panic!("{left:?}") };
    assert_eq!((stuck.as_str(), waits.as_str()), ("stuck", "waits"));
    assert!(matches!(ran_for, NotRunReason::Timeout { running_ms: Some(_) }), "{ran_for:?}");
    assert_eq!(*why, NotRunReason::Timeout { running_ms: None });

    let cancel = CancellationToken::new();
    let running = Running { cancel: cancel.clone(), ..Running::default() };
    let server_seen = server.asked.clone();
    tokio::spawn(async move {
        // Only once the stuck case has really begun for the second time.
        while server_seen.lock().expect("fine").iter().filter(|a| a.path == "/hang").count() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    });
    let ran = run_with(pipeline(&text, &[]), running).await;
    assert_eq!(ran.end.stopped_by, Some(StoppedBy::Cancelled));
    assert!(not_run(&ran).contains(&("stuck".to_owned(), NotRunReason::Cancelled)));
}

#[tokio::test]
async fn finished_attempts_are_never_run_again() {
    let server = Server::start(service).await;
    let cases = r#"
- id: a
  steps: [{ http: { url: "${base}/a" } }]
- id: b
  needs: [a]
  steps: [{ http: { url: "${base}/b" } }]
"#;
    let text = with_cases(server.port, cases);
    let first =
        run_with(pipeline(&text, &[]), Running { selection: only(&["a"]), ..Running::default() })
            .await;
    let running = Running { finished: first.attempts, ..Running::default() };
    let second = run_with(pipeline(&text, &[]), running).await;
    assert_eq!(second.started, [("b".to_owned(), 1)]);
    second.passed("b");
    assert_eq!((server.asked("/a").len(), server.asked("/b").len()), (1, 1));
    assert!(second.end.not_run.is_empty());
}

#[tokio::test]
async fn an_outage_is_not_tried_again() {
    let server = Server::start(service).await;
    let mut cases = String::new();
    for at in 0..10 {
        let path = if at < 3 { "bad" } else { "good" };
        cases.push_str(&format!(
            "- id: c{at}\n  steps: [{{ http: {{ url: \"${{base}}/{path}\" }} }}]\n"
        ));
    }
    let text = with_cases(server.port, &cases).replace("retries: 0", "retries: 2");
    let ran = run_with(pipeline(&text, &[]), Running::default()).await;
    assert_eq!(ran.attempts.len(), 10);
    let why = ran.end.retries_withheld.as_deref().unwrap_or_default();
    assert!(why.starts_with("3 of 10 cases were failing"), "{why}");
    let text = text.replace(
        "c2\n      steps: [{ http: { url: \"${base}/bad",
        "c2\n      steps: [{ http: { url: \"${base}/good",
    );
    let ran = run_with(pipeline(&text, &[]), Running::default()).await;
    assert_eq!(ran.attempts.len(), 10 + 2 * 2);
    assert_eq!(ran.outcome("c0"), Outcome::Failed);
}
