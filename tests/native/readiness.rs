//! Readiness: which revision every surface serves, told apart from what else may be wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use andon::domain::revision::Sha;
use andon::readiness::{
    ReadyOutcome, ReadyPlan, ReadyReport, check_controls, read_surfaces, wait_ready,
};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::kit::{SHA, env_of, now, pipeline};
use crate::server::{Asked, Reply, Server, json};

const OLD: &str = "0a1b2c3000000000000000000000000000000009";

fn text(port: u16) -> String {
    format!(
        r#"
vars: {{ base: "http://127.0.0.1:{port}" }}
ready:
  timeout: 5s
  every: 10ms
  successes: 3
  revision:
    - surface: api
      http: {{ url: "${{base}}/version" }}
      value: json $.revision
    - surface: web
      http: {{ url: "${{base}}/" }}
      value: regex 'data-build="([0-9a-f]+)"'
  checks:
    - name: health
      http: {{ url: "${{base}}/health" }}
      expect: {{ status: 200, json: {{ $.status: healthy }} }}
controls:
  - name: good
    http: {{ url: "${{base}}/health" }}
  - name: bad
    http: {{ url: "${{base}}/none" }}
suite: {{ cases: [{{ id: a, steps: [{{ http: {{ url: "${{base}}/" }} }}] }}] }}
"#
    )
}

async fn wait(
    script: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    timeout: Duration,
) -> (ReadyReport, Server, Vec<u32>) {
    let server = Server::start(move |asked| {
        script(&asked).unwrap_or_else(|| match asked.path.as_str() {
            "/version" => json(200, &format!(r#"{{"revision": "{SHA}"}}"#)),
            "/" => json(200, r#"<html data-build="4f1c2aa">"#),
            "/health" => json(200, r#"{"status": "healthy"}"#),
            _ => json(404, "{}"),
        })
    })
    .await;
    let pipeline = pipeline(&text(server.port), &[]);
    let env = env_of(&pipeline);
    let wanted = Sha::parse(SHA).expect("it is one");
    let plan = ReadyPlan {
        ready: &pipeline.ready,
        wanted: Some(&wanted),
        env: &env,
        started_at: now(),
        deadline_at: now() + SignedDuration::try_from(timeout).expect("it is short"),
    };
    let mut held = Vec::new();
    let report =
        wait_ready(plan, &mut |round| held.push(round.held), &CancellationToken::new()).await;
    (report, server, held)
}

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(800);

/// RELIABILITY B7: three rounds, each on connections of its own.
#[tokio::test]
async fn ready_means_three_rounds_on_fresh_connections() {
    let (report, server, held) = wait(|_| None, LONG).await;
    assert_eq!(report.outcome, ReadyOutcome::Ready, "{}", report.reason);
    assert_eq!((report.rounds, held), (3, vec![1, 2, 3]));
    assert_eq!(server.connections(), 9, "each question has a connection of its own");
    let api = &report.surfaces[0];
    assert_eq!((api.served.as_deref(), api.matches, api.reads), (Some(SHA), Some(true), 3));
    assert!(api.after_ms.is_some() && api.remote.is_some());
    assert_eq!(report.surfaces[1].served.as_deref(), Some("4f1c2aa"));
}

#[tokio::test]
async fn a_failed_round_begins_the_count_again() {
    let (report, _, held) =
        wait(|asked| (asked.path == "/health" && asked.times == 2).then(|| json(503, "{}")), LONG)
            .await;
    assert_eq!((report.outcome, held), (ReadyOutcome::Ready, vec![1, 0, 1, 2, 3]));
}

/// RELIABILITY B7: two replicas that take turns are `mixed`.
#[tokio::test]
async fn what_is_wrong_is_told_apart() {
    let old = |asked: &Asked| {
        (asked.path == "/version").then(|| json(200, &format!(r#"{{"revision": "{OLD}"}}"#)))
    };
    let (report, ..) = wait(old, SHORT).await;
    assert_eq!(report.outcome, ReadyOutcome::TimedOut);
    assert_eq!(report.reason, "api serves 0a1b2c3, wanted 4f1c2aa");
    assert_eq!(report.surfaces[0].matches, Some(false));

    let turns = Arc::new(AtomicU32::new(0));
    let mixed = move |asked: &Asked| {
        let odd =
            asked.path == "/version" && turns.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        odd.then(|| json(200, &format!(r#"{{"revision": "{OLD}"}}"#)))
    };
    let (report, ..) = wait(mixed, SHORT).await;
    assert!(report.reason.contains("api is mixed"), "{}", report.reason);

    let silent = |asked: &Asked| (asked.path == "/version").then(|| json(200, "{}"));
    let (report, ..) = wait(silent, SHORT).await;
    assert_eq!(report.reason, "api: it answered, but says no revision: nothing at $.revision");

    let starting =
        |asked: &Asked| (asked.path != "/").then(|| json(503, r#"{"status": "starting"}"#));
    let (report, ..) = wait(starting, SHORT).await;
    assert_eq!(
        report.reason,
        "api: expected status 2xx, got 503; check health: expected status 200, got 503"
    );

    let degraded =
        |asked: &Asked| (asked.path == "/health").then(|| json(200, r#"{"status": "degraded"}"#));
    let (report, ..) = wait(degraded, SHORT).await;
    assert_eq!(report.reason, "check health: expected $.status \"healthy\", got \"degraded\"");

    let (report, ..) = wait(|asked| (asked.path == "/").then_some(Reply::Hang), SHORT).await;
    assert_eq!(report.outcome, ReadyOutcome::TimedOut);
    assert!(
        report.reason.starts_with("web: expected an answer, got: no answer"),
        "{}",
        report.reason
    );
}

#[tokio::test]
async fn surfaces_and_controls_are_asked_once() {
    let server = Server::start(|asked: Asked| match asked.path.as_str() {
        "/version" => json(200, &format!(r#"{{"revision": "{OLD}"}}"#)),
        "/health" => json(200, "{}"),
        _ => json(404, "{}"),
    })
    .await;
    let pipeline = pipeline(&text(server.port), &[]);
    let env = env_of(&pipeline);
    let readings = read_surfaces(&env, &pipeline.ready.surfaces, None).await;
    assert_eq!((readings[0].served.as_deref(), readings[0].matches), (Some(OLD), None));
    assert_eq!(readings[1].error.as_deref(), Some("expected status 2xx, got 404"));
    let controls = check_controls(&env, &pipeline.controls).await;
    assert_eq!(controls[0].failure, None);
    assert_eq!(controls[1].failure.as_deref(), Some("expected status 2xx, got 404"));
    assert!(controls[1].remote.is_some());
}

#[tokio::test]
async fn a_cancel_ends_the_wait() {
    let server = Server::start(|_| Reply::Hang).await;
    let pipeline = pipeline(&text(server.port), &[]);
    let env = env_of(&pipeline);
    let cancel = CancellationToken::new();
    cancel.cancel();
    let plan = ReadyPlan {
        ready: &pipeline.ready,
        wanted: None,
        env: &env,
        started_at: now(),
        deadline_at: now() + SignedDuration::from_secs(60),
    };
    let report = wait_ready(plan, &mut |_| {}, &cancel).await;
    assert_eq!(
        (report.outcome, report.reason.as_str()),
        (ReadyOutcome::Cancelled, "it was never asked")
    );
}
