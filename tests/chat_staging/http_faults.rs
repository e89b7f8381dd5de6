//! Each knob that shows over HTTP.

use crate::client::{ALICE, BOB, BYPASS, Service, bearer, config, token_of_age};
use crate::service::{
    Agents, Config, Health, Isolation, Lag, LimitScope, MessageOrder, RateLimit, RevisionSwap,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test]
async fn reported_revision_lies_on_every_surface() {
    let lie =
        Config { revision: "true1".into(), reported_revision: Some("false".into()), ..config() };
    let service = Service::start(lie).await;
    assert_eq!(service.get("/version").await.json()["revision"], "false");
    assert_eq!(service.get("/auth/version").await.json()["revision"], "false");
    assert!(service.get("/").await.body.contains(r#"data-build="false""#));
}

#[tokio::test]
async fn swap_revision_changes_what_serves_in_the_middle() {
    let swap = RevisionSwap { after_requests: 1, revision: "second".into() };
    let swapping = Config { revision: "first".into(), swap_revision: Some(swap), ..config() };
    let service = Service::start(swapping).await;
    service.get("/api/health").await;
    for _ in 0..3 {
        assert_eq!(service.get("/version").await.json()["revision"], "first");
    }
    service.get("/api/health").await;
    assert_eq!(service.get("/version").await.json()["revision"], "second");
    assert_eq!(service.get("/health").await.header("x-revision"), Some("second"));
}

#[tokio::test]
async fn auth_lagging_shows_on_the_auth_surface_only() {
    let lag = Lag { revision: "old".into(), for_ms: None };
    let service = Service::start(Config { auth_lagging: Some(lag), ..config() }).await;
    assert_eq!(service.get("/auth/version").await.json()["revision"], "old");
    assert_ne!(service.get("/version").await.json()["revision"], "old");
    let over = Lag { revision: "old".into(), for_ms: Some(0) };
    let service = Service::start(Config { auth_lagging: Some(over), ..config() }).await;
    assert_ne!(service.get("/auth/version").await.json()["revision"], "old");
}

#[tokio::test]
async fn ready_after_ms_answers_503_until_then() {
    let service = Service::start(Config { ready_after_ms: 3_600_000, ..config() }).await;
    for path in ["/health", "/version", "/api/messages"] {
        assert_eq!(service.get(path).await.status, 503, "{path}");
    }
    assert_eq!(service.get("/health").await.json()["startup_in_progress"], true);
    let service = Service::start(Config { ready_after_ms: 100, ..config() }).await;
    let mut status = 0;
    for _ in 0..10_000 {
        status = service.get("/health").await.status;
        if status == 200 {
            break;
        }
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn health_may_be_degraded_or_unhealthy() {
    let service = Service::start(Config { health: Health::Degraded, ..config() }).await;
    let answer = service.get("/health").await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("degraded")));
    let service = Service::start(Config { health: Health::Unhealthy, ..config() }).await;
    let answer = service.get("/api/health").await;
    assert_eq!((answer.status, &answer.json()["status"]), (503, &json!("unhealthy")));
    assert_eq!(answer.json()["startup_failed"], true);
}

#[tokio::test]
async fn all_status_500_breaks_everything() {
    let service = Service::start(Config { all_status_500: true, ..config() }).await;
    for path in ["/health", "/version", "/api/mcp/servers", "/no/such/path"] {
        assert_eq!(service.get(path).await.status, 500, "{path}");
    }
}

#[tokio::test]
async fn missing_endpoints_answer_404() {
    let missing = vec!["/api/mcp/servers".into(), "/api/agents/*".into()];
    let service = Service::start(Config { missing_endpoints: missing, ..config() }).await;
    assert_eq!(service.get("/api/mcp/servers").await.status, 404);
    assert_eq!(service.get("/api/agents/status").await.status, 404);
    assert_eq!(service.get("/api/mcp/config").await.status, 200);
}

#[tokio::test]
async fn latency_ms_delays_every_answer() {
    let service = Service::start(Config { latency_ms: 50, ..config() }).await;
    let began = Instant::now();
    assert_eq!(service.get("/health").await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn rate_limit_may_cover_everything_or_nothing() {
    let tight = RateLimit { scope: LimitScope::Everything, burst: 1, ..RateLimit::default() };
    let service = Service::start(Config { rate_limit: tight, ..config() }).await;
    assert_eq!(service.get("/health").await.status, 200);
    assert_eq!(service.get("/health").await.status, 429);
    let off = RateLimit { scope: LimitScope::Off, burst: 1, ..RateLimit::default() };
    let service = Service::start(Config { rate_limit: off, ..config() }).await;
    for _ in 0..3 {
        let answer = service.get_as(ALICE, "/api/messages/search?q=x").await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, None));
    }
}

#[tokio::test]
async fn rate_limits_end_after_their_pause() {
    let short = RateLimit { burst: 1, pause_ms: 50, ..RateLimit::default() };
    let service = Service::start(Config { rate_limit: short, ..config() }).await;
    let search = "/api/messages/search?q=x";
    assert_eq!(service.get_as(ALICE, search).await.status, 200);
    assert_eq!(service.get_as(ALICE, search).await.status, 429);
    let mut status = 0;
    for _ in 0..10_000 {
        status = service.get_as(ALICE, search).await.status;
        if status == 200 {
            break;
        }
    }
    assert_eq!(status, 200);
}

#[tokio::test]
async fn bypass_key_rejected_refuses_the_right_key() {
    let service = Service::start(Config { bypass_key_rejected: true, ..config() }).await;
    let key = [format!("X-E2E-Bypass-Key: {BYPASS}")];
    let ask = json!({ "user": ALICE }).to_string();
    assert_eq!(service.send("POST", "/auth/e2e/test-auth", &key, &ask).await.status, 401);
}

#[tokio::test]
async fn token_lifetime_s_ends_tokens_early() {
    let service = Service::start(Config { token_lifetime_s: Some(60), ..config() }).await;
    let status = async |age_s| {
        let header = [format!("Authorization: Bearer {}", token_of_age(ALICE, age_s))];
        service.send("GET", "/api/threads", &header, "").await.status
    };
    assert_eq!((status(0).await, status(100).await), (200, 401));
    let key = [format!("X-E2E-Bypass-Key: {BYPASS}")];
    let ask = json!({ "user": ALICE }).to_string();
    let minted = service.send("POST", "/auth/e2e/test-auth", &key, &ask).await.json();
    assert_eq!(minted["expires_in"], 60);
}

#[tokio::test]
async fn isolation_may_leak_or_trust_a_header() {
    let service = Service::start(Config { isolation: Isolation::Leaks, ..config() }).await;
    let secret = json!({ "content": "secret" });
    let id = service.post_as(ALICE, "/api/messages", secret.clone()).await.json()["id"].clone();
    assert!(service.get_as(BOB, "/api/messages").await.body.contains("secret"));
    let path = format!("/api/messages/{}", id.as_str().unwrap());
    assert_eq!(service.get_as(BOB, &path).await.status, 200);

    let service = Service::start(Config { isolation: Isolation::TrustsHeader, ..config() }).await;
    service.post_as(ALICE, "/api/messages", secret).await;
    assert!(!service.get_as(BOB, "/api/messages").await.body.contains("secret"));
    let spoof = [bearer(BOB), format!("X-User-ID: {ALICE}")];
    assert!(service.send("GET", "/api/messages", &spoof, "").await.body.contains("secret"));
}

#[tokio::test]
async fn message_order_shows_in_the_thread() {
    for (order, expected) in [
        (MessageOrder::Kept, vec!["1", "2", "3"]),
        (MessageOrder::Reversed, vec!["3", "2", "1"]),
        (MessageOrder::Duplicated, vec!["1", "1", "2", "2", "3", "3"]),
        (MessageOrder::Lossy, vec!["1", "2"]),
    ] {
        let service = Service::start(Config { message_order: order, ..config() }).await;
        let thread = service.post_as(ALICE, "/api/threads", json!({ "title": "t" })).await.json();
        let path = format!("/api/threads/{}/messages", thread["id"].as_str().unwrap());
        for content in ["1", "2", "3"] {
            let answer = service.post_as(ALICE, &path, json!({ "content": content })).await;
            assert_eq!(answer.status, 201);
        }
        let read = service.get_as(ALICE, &path).await.json();
        let items = read["items"].as_array().unwrap();
        let contents: Vec<&Value> = items.iter().map(|item| &item["content"]).collect();
        assert_eq!(contents, expected, "{order:?}");
    }
}

#[tokio::test]
async fn agents_may_answer_from_a_can_or_degraded() {
    let question = json!({ "type": "triage", "message": "Add 17 and 25 for nonce" });
    let service = Service::start(Config { agents: Agents::Canned, ..config() }).await;
    let answer = service.post("/api/agents/execute", question.clone()).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("success")));
    let response = answer.json()["response"].as_str().unwrap().to_owned();
    assert!(!response.contains("nonce") && !response.contains("42"), "{response}");
    let service = Service::start(Config { agents: Agents::Degraded, ..config() }).await;
    let answer = service.post("/api/agents/triage", question).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("degraded")));
    assert_eq!(answer.json()["fallback"], true);
}

#[tokio::test]
async fn forget_sessions_gives_a_new_one_each_time() {
    let service = Service::start(Config { forget_sessions: true, ..config() }).await;
    let named = ["X-Session-ID: my-own-session".to_owned()];
    let first = service.send("GET", "/api/session", &named, "").await.json();
    let second = service.send("GET", "/api/session", &named, "").await.json();
    assert_ne!(first["session_id"], second["session_id"]);
    assert_eq!(second["calls"], 1);
}
