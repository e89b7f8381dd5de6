//! The honest service over HTTP.

use crate::client::{ALICE, BOB, BYPASS, Service, bearer, config, sign, token};
use serde_json::{Value, json};

#[tokio::test]
async fn each_path_answers_as_documented_to_strangers() {
    let service = Service::start(config()).await;
    let expected: [(u16, &str, &[&str]); 4] = [
        (
            200,
            "GET",
            &[
                "/",
                "/version",
                "/auth/version",
                "/health",
                "/api/health",
                "/api/mcp/servers",
                "/api/mcp/config",
                "/api/mcp/status",
                "/api/mcp/tools",
                "/api/discovery/services",
                "/api/agents/status",
                "/api/agents/stream",
                "/api/messages",
                "/api/session",
                "/bench/json",
            ],
        ),
        (
            405,
            "GET",
            &[
                "/api/chat/stream",
                "/api/agents/start",
                "/api/agents/stop",
                "/api/agents/cancel",
                "/api/agents/execute",
            ],
        ),
        (
            401,
            "GET",
            &[
                "/api/threads",
                "/api/threads/x",
                "/api/threads/x/messages",
                "/api/threads/history",
                "/api/chat/messages",
                "/api/tools",
                "/api/config",
                "/api/messages/x",
                "/api/messages/search",
            ],
        ),
        (
            404,
            "GET",
            &[
                "/api/agents/config",
                "/api/agents/kill",
                "/api/settings",
                "/api/stream",
                "/api/status",
                "/api/tools/list",
                "/api/execute/tool",
                "/api/history",
                "/api/conversations",
                "/api/chat/threads",
                "/api/sessions",
                "/api/user/threads",
                "/api/me",
                "/api/events",
                "/api/websocket/events",
                "/api/notifications",
                "/api/results/partial",
                "/api/files/..%2f..%2fetc%2fpasswd",
            ],
        ),
    ];
    for (status, method, paths) in expected {
        for path in paths {
            let answer = service.send(method, path, &[], "").await;
            assert_eq!(answer.status, status, "{method} {path}");
            if status != 200 {
                assert!(answer.json()["error"].is_string(), "{path}: {}", answer.body);
            }
        }
    }
    assert_eq!(service.get("/ws").await.status, 426);
}

#[tokio::test]
async fn mistakes_get_their_status_and_a_json_error() {
    let service = Service::start(config()).await;
    let put = service.send("PUT", "/api/messages", &[], "{}").await;
    assert_eq!((put.status, put.json()["error"].clone()), (405, json!("method_not_allowed")));
    for (path, body, status) in [
        ("/api/agents/execute", json!({ "type": "triage" }), 422),
        ("/api/agents/execute", json!({ "type": "nobody", "message": "hi" }), 422),
        ("/api/agents/start", json!({ "agent": "data" }), 422),
        ("/api/agents/cancel", json!({}), 422),
        ("/api/agents/cancel", json!({ "run_id": "none" }), 404),
        ("/api/tools/execute", json!({}), 401),
        ("/api/chat/stream", json!({ "message": "hi" }), 401),
        ("/api/threads", json!({ "title": "hi" }), 401),
        ("/api/messages", json!({ "content": "hi" }), 401),
        ("/api/auth/login", json!({ "user": "nobody", "password": "x" }), 401),
        ("/api/auth/login", json!({}), 422),
    ] {
        let answer = service.post(path, body.clone()).await;
        assert_eq!(answer.status, status, "{path} {body}");
        assert!(answer.json()["error"].is_string(), "{path}");
    }
    let broken = service.send("POST", "/api/agents/execute", &[], "{").await;
    assert_eq!(broken.status, 400);
    let huge = json!({ "type": "triage", "message": "x".repeat(100_000) });
    assert_eq!(service.post("/api/agents/execute", huge).await.status, 400);
}

#[tokio::test]
async fn surfaces_report_the_revision() {
    let config = crate::service::Config { revision: "4f1c2aa".into(), ..config() };
    let service = Service::start(config).await;
    assert_eq!(service.get("/version").await.json()["revision"], "4f1c2aa");
    assert_eq!(service.get("/auth/version").await.json()["revision"], "4f1c2aa");
    assert!(service.get("/").await.body.contains(r#"data-build="4f1c2aa""#));
    assert_eq!(service.get("/health").await.header("x-revision"), Some("4f1c2aa"));
}

#[tokio::test]
async fn agents_and_tools_compute() {
    let service = Service::start(config()).await;
    let question = json!({ "type": "triage", "message": "Add 17 and 25 for nonce-1f" });
    let answer = service.post("/api/agents/execute", question).await.json();
    assert_eq!(answer["status"], "success");
    let response = answer["response"].as_str().unwrap();
    assert!(response.contains("nonce-1f") && response.contains("= 42."), "{response}");
    for agent in ["triage", "data", "optimization"] {
        let answer =
            service.post(&format!("/api/agents/{agent}"), json!({ "message": "one two" })).await;
        assert_eq!((answer.status, &answer.json()["agent"]), (200, &json!(agent)));
    }
    let tool = json!({ "tool": "calculator", "parameters": { "text": "17 25" } });
    let result = service.post_as(ALICE, "/api/tools/execute", tool).await.json();
    assert_eq!(result["result"]["sum"], 42);
    let unknown = json!({ "tool": "shell", "parameters": { "text": "" } });
    assert_eq!(service.post_as(ALICE, "/api/tools/execute", unknown).await.status, 422);
}

#[tokio::test]
async fn a_run_can_be_started_watched_and_cancelled() {
    let service = Service::start(config()).await;
    let order = json!({ "agent": "data", "message": "Wait 50 seconds" });
    let started = service.post("/api/agents/start", order).await.json();
    let run = started["run_id"].as_str().unwrap();
    let status = format!("/api/agents/status?run_id={run}");
    assert_eq!(service.get(&status).await.json()["status"], "running");
    assert_eq!(service.get("/api/agents/status").await.json()["active_runs"], 1);
    assert_eq!(service.post("/api/agents/cancel", json!({ "run_id": run })).await.status, 200);
    let mut last = Value::Null;
    for _ in 0..1_000 {
        last = service.get(&status).await.json()["status"].clone();
        if last != "running" {
            break;
        }
    }
    assert_eq!(last, "cancelled");
}

#[tokio::test]
async fn messages_and_threads_are_kept() {
    let service = Service::start(config()).await;
    let posted = service.post_as(ALICE, "/api/messages", json!({ "content": "kept" })).await;
    assert_eq!(posted.status, 201);
    let id = posted.json()["id"].as_str().unwrap().to_owned();
    let read = service.get_as(ALICE, &format!("/api/messages/{id}")).await.json();
    assert_eq!((&read["id"], &read["content"]), (&json!(id), &json!("kept")));

    let thread = service.post_as(ALICE, "/api/threads", json!({ "title": "talk" })).await.json();
    let thread = thread["id"].as_str().unwrap();
    assert!(service.get_as(ALICE, "/api/threads").await.body.contains(thread));
    let messages = format!("/api/threads/{thread}/messages");
    for content in ["one", "two", "three"] {
        let answer = service.post_as(ALICE, &messages, json!({ "content": content })).await;
        assert_eq!(answer.status, 201);
    }
    let all = service.get_as(ALICE, &messages).await.json();
    let contents: Vec<&Value> =
        all["items"].as_array().unwrap().iter().map(|m| &m["content"]).collect();
    assert_eq!(contents, ["one", "two", "three"]);
    let history = format!("/api/threads/history?thread_id={thread}&limit=2&page=");
    let first = service.get_as(ALICE, &format!("{history}1")).await.json();
    let second = service.get_as(ALICE, &format!("{history}2")).await.json();
    assert_eq!((&first["has_more"], first["items"].as_array().unwrap().len()), (&json!(true), 2));
    assert_eq!((&second["has_more"], &second["total"]), (&json!(false), &json!(3)));
    assert_eq!(second["items"][0]["content"], "three");
    assert_eq!(service.get_as(ALICE, &format!("{history}0")).await.status, 422);
}

#[tokio::test]
async fn users_see_only_their_own() {
    let service = Service::start(config()).await;
    let posted =
        service.post_as(ALICE, "/api/messages", json!({ "content": "secret" })).await.json();
    let (id, thread) = (posted["id"].as_str().unwrap(), posted["thread_id"].as_str().unwrap());
    for path in ["/api/messages", "/api/chat/messages", "/api/messages/search?q=secret"] {
        assert!(service.get_as(ALICE, path).await.body.contains("secret"), "{path}");
        assert!(!service.get_as(BOB, path).await.body.contains("secret"), "{path}");
    }
    assert_eq!(service.get_as(BOB, &format!("/api/messages/{id}")).await.status, 404);
    assert_eq!(service.get_as(BOB, &format!("/api/threads/{thread}")).await.status, 404);
    let write = service
        .post_as(BOB, &format!("/api/threads/{thread}/messages"), json!({ "content": "mine" }))
        .await;
    assert_eq!(write.status, 404);
    let spoof = [bearer(BOB), format!("X-User-ID: {ALICE}")];
    let spoofed = service.send("GET", "/api/messages", &spoof, "").await;
    assert!(!spoofed.body.contains("secret"));
}

#[tokio::test]
async fn sessions_go_on_by_cookie_and_by_header() {
    let service = Service::start(config()).await;
    let first = service.get("/api/session").await;
    let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let again =
        service.send("GET", "/api/session", &[format!("Cookie: {cookie}")], "").await.json();
    assert_eq!((&again["session_id"], &again["calls"]), (&first.json()["session_id"], &json!(2)));
    let named = ["X-Session-ID: my-own-session".to_owned()];
    service.send("GET", "/api/session", &named, "").await;
    let twice = service.send("GET", "/api/session", &named, "").await.json();
    assert_eq!((&twice["session_id"], &twice["calls"]), (&json!("my-own-session"), &json!(2)));
    let unknown = ["Cookie: chat_session=invented".to_owned()];
    let fresh = service.send("GET", "/api/session", &unknown, "").await.json();
    assert_ne!(fresh["session_id"], "invented");
}

#[tokio::test]
async fn the_token_mint_wants_its_key() {
    let service = Service::start(config()).await;
    let ask = json!({ "user": ALICE }).to_string();
    let good = [format!("X-E2E-Bypass-Key: {BYPASS}")];
    let minted = service.send("POST", "/auth/e2e/test-auth", &good, &ask).await.json();
    let header = format!("Authorization: Bearer {}", minted["access_token"].as_str().unwrap());
    assert_eq!(service.send("GET", "/api/threads", &[header], "").await.status, 200);
    let wrong = ["X-E2E-Bypass-Key: wrong".to_owned()];
    assert_eq!(service.send("POST", "/auth/e2e/test-auth", &wrong, &ask).await.status, 401);
    assert_eq!(service.send("POST", "/auth/e2e/test-auth", &[], &ask).await.status, 401);
}

#[tokio::test]
async fn bad_tokens_are_refused_over_http() {
    let service = Service::start(config()).await;
    let far = 99_999_999_999_i64;
    for bad in [
        sign("another key", &json!({ "sub": ALICE, "exp": far })),
        sign(crate::client::KEY, &json!({ "sub": "nobody", "exp": far })),
        sign(crate::client::KEY, &json!({ "sub": ALICE, "exp": 1 })),
        sign(crate::client::KEY, &json!({ "sub": ALICE })),
        sign(crate::client::KEY, &json!({ "sub": ALICE, "exp": far, "iss": "somebody" })),
        "x".repeat(5_000),
    ] {
        let header = [format!("Authorization: Bearer {bad}")];
        assert_eq!(service.send("GET", "/api/threads", &header, "").await.status, 401, "{bad}");
    }
    let header = [format!("Authorization: Bearer {}", token(ALICE))];
    assert_eq!(service.send("GET", "/api/threads", &header, "").await.status, 200);
}

#[tokio::test]
async fn without_a_key_every_token_is_refused() {
    let service = Service::start(crate::service::Config::default()).await;
    let empty = sign("", &json!({ "sub": ALICE, "exp": 99_999_999_999_i64 }));
    let header = [format!("Authorization: Bearer {empty}")];
    assert_eq!(service.send("GET", "/api/threads", &header, "").await.status, 401);
}

#[tokio::test]
async fn searching_is_limited_and_the_rest_is_not() {
    let service = Service::start(config()).await;
    let mut statuses = Vec::new();
    let mut refused = None;
    for _ in 0..21 {
        let answer = service.get_as(ALICE, "/api/messages/search?q=x").await;
        statuses.push(answer.status);
        refused = Some(answer);
    }
    let refused = refused.unwrap();
    assert!(statuses[..20].iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(refused.header("x-ratelimit-limit"), Some("20"));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));
    assert_eq!(service.get_as(BOB, "/api/messages/search?q=x").await.status, 200);
    assert_eq!(service.get_as(ALICE, "/api/threads").await.status, 200);
}
