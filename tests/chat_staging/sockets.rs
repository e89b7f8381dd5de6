//! Sockets: the welcome, the conversation, and each knob that shows there.

use crate::client::{ALICE, BOB, Heard, KEY, Service, Socket, config, kinds, sign, token};
use crate::service::{AgentEvents, Config, WebsocketAuth};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const FIVE: [&str; 5] =
    ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"];

#[tokio::test]
async fn a_good_token_is_welcome_by_header_and_by_subprotocol() {
    let service = Service::start(config()).await;
    let by_header = ("authorization", format!("Bearer {}", token(ALICE)));
    let offered = ("sec-websocket-protocol", "jwt-auth".to_owned());
    let encoded = URL_SAFE_NO_PAD.encode(token(BOB));
    let by_protocol = ("sec-websocket-protocol", format!("jwt-auth, jwt.{encoded}"));
    for (path, headers, user) in
        [("/ws", vec![by_header, offered], ALICE), ("/api/v1/websocket", vec![by_protocol], BOB)]
    {
        let mut socket = service.socket(path, &headers).await.unwrap();
        assert_eq!(socket.protocol.as_deref(), Some("jwt-auth"));
        assert_eq!(socket.frame().await["type"], "handshake_validation");
        let welcome = socket.frame().await;
        assert_eq!(welcome["data"]["event"], "connection_established");
        assert_eq!(welcome["data"]["connection_ready"], true);
        assert_eq!(welcome["data"]["user_id"], user);
        assert_eq!(welcome["data"]["config"]["max_message_size"], 8192);
        socket.close().await;
    }
}

#[tokio::test]
async fn bad_tokens_get_an_error_and_1008() {
    let service = Service::start(config()).await;
    let far = 99_999_999_999_i64;
    for (bad, code) in [
        (None, "NO_TOKEN"),
        (Some(sign("other", &json!({ "sub": ALICE, "exp": far }))), "BAD_SIGNATURE"),
        (Some(sign(KEY, &json!({ "sub": ALICE, "exp": 1 }))), "EXPIRED_TOKEN"),
        (Some(sign(KEY, &json!({ "sub": "nobody", "exp": far }))), "UNKNOWN_USER"),
        (Some("nonsense".into()), "MALFORMED_TOKEN"),
    ] {
        let headers: Vec<_> =
            bad.iter().map(|bad| ("authorization", format!("Bearer {bad}"))).collect();
        let mut socket = service.socket("/ws", &headers).await.unwrap();
        let (frames, end) = socket.until_end().await;
        assert_eq!(kinds(&frames), ["error_message"], "{code}");
        assert_eq!(frames[0]["error_code"], code);
        assert_eq!(end, Heard::Closed(1008));
    }
}

#[tokio::test]
async fn messages_are_answered_by_their_type() {
    let service = Service::start(config()).await;
    let mut socket = service.welcomed(ALICE).await;
    for (message, reply) in [
        (json!({ "type": "ping", "id": 1 }), "pong"),
        (json!({ "type": "heartbeat", "id": 2 }), "heartbeat_ack"),
        (json!({ "type": "message", "id": 3, "content": "hello" }), "message_stored"),
        (json!({ "type": "dance", "id": 4 }), "ack"),
    ] {
        socket.say(message.clone()).await;
        let frame = socket.frame().await;
        assert_eq!((&frame["type"], &frame["correlation_id"]), (&json!(reply), &message["id"]));
    }
    socket.say(json!({ "type": "chat_message", "id": "c", "content": "Add 17 and 25" })).await;
    let frames = socket.frames_until("chat_reply").await;
    assert_eq!(kinds(&frames), ["message_stored", "chat_reply"]);
    assert!(frames[1]["data"]["content"].as_str().unwrap().contains("= 42."));
    let id = frames[0]["data"]["message_id"].as_str().unwrap();
    let read = service.get_as(ALICE, &format!("/api/messages/{id}")).await.json();
    assert_eq!(read["content"], "Add 17 and 25");
    socket.say(json!({ "type": "stream_request", "id": "s", "message": "Add 17 and 25" })).await;
    let frames = socket.frames_until("stream_end").await;
    assert!(frames.iter().filter(|frame| frame["type"] == "stream_chunk").count() >= 2);
}

#[tokio::test]
async fn nonsense_is_named_large_messages_are_dropped_and_five_errors_end_it() {
    let service = Service::start(config()).await;
    let mut socket = service.welcomed(ALICE).await;
    let large = json!({ "type": "ping", "filler": "x".repeat(9_000) });
    socket.say(large).await;
    for _ in 0..5 {
        socket.say_text("no json").await;
        assert_eq!(socket.frame().await["error_code"], "FORMAT_ERROR");
    }
    assert_eq!(socket.hear().await, Heard::Closed(1011));
}

#[tokio::test]
async fn more_than_a_hundred_messages_a_minute_are_refused() {
    let service = Service::start(config()).await;
    let mut socket = service.welcomed(ALICE).await;
    for _ in 0..100 {
        socket.say(json!({ "type": "ping" })).await;
        assert_eq!(socket.frame().await["type"], "pong");
    }
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.frame().await["error_code"], "RATE_LIMITED");
}

/// Starts an agent; the run it got and the frames up to `last`.
async fn run_agent(socket: &mut Socket, last: &str) -> (String, Vec<Value>) {
    socket
        .say(json!({ "type": "start_agent", "id": "r", "message": "Add 17 and 25 for nonce" }))
        .await;
    let mut frames = socket.frames_until(last).await;
    let ack = frames.remove(0);
    assert_eq!((&ack["type"], &ack["data"]["status"]), (&json!("ack"), &json!("accepted")));
    (ack["data"]["run_id"].as_str().unwrap().to_owned(), frames)
}

async fn run_with(agent_events: AgentEvents, last: &str) -> (String, Vec<Value>) {
    let service = Service::start(Config { agent_events, ..config() }).await;
    run_agent(&mut service.welcomed(ALICE).await, last).await
}

#[tokio::test]
async fn a_run_shows_five_events_and_its_real_answer() {
    let service = Service::start(config()).await;
    let mut socket = service.welcomed(ALICE).await;
    let (run, frames) = run_agent(&mut socket, "agent_completed").await;
    assert_eq!(kinds(&frames), FIVE);
    assert!(frames.iter().all(|frame| frame["data"]["run_id"] == run.as_str()));
    assert!(frames.iter().all(|frame| frame["correlation_id"] == "r"));
    assert_eq!(frames[3]["data"]["result"]["sum"], 42);
    let path = format!("/api/agents/status?run_id={run}");
    let status = service.get_as(ALICE, &path).await.json();
    assert_eq!(status["status"], "completed");
    assert_eq!(status["response"], frames[4]["data"]["final_response"]);
    assert_eq!(service.get_as(BOB, &path).await.status, 404);
}

#[tokio::test]
async fn agent_events_missing() {
    let missing = vec!["tool_completed".to_owned()];
    let (_, frames) =
        run_with(AgentEvents { missing, ..Default::default() }, "agent_completed").await;
    assert_eq!(
        kinds(&frames),
        ["agent_started", "agent_thinking", "tool_executing", "agent_completed"]
    );
}

#[tokio::test]
async fn agent_events_reordered() {
    let faults = AgentEvents { reordered: true, ..Default::default() };
    let (_, frames) = run_with(faults, "agent_completed").await;
    assert_eq!(kinds(&frames)[2..4], ["tool_completed", "tool_executing"]);
}

#[tokio::test]
async fn agent_events_duplicated() {
    let faults = AgentEvents { duplicated: true, ..Default::default() };
    let (_, frames) = run_with(faults, "agent_completed").await;
    assert_eq!(kinds(&frames)[..2], ["agent_started", "agent_started"]);
}

#[tokio::test]
async fn agent_events_from_another_run() {
    let faults = AgentEvents { from_another_run: true, ..Default::default() };
    let (run, frames) = run_with(faults, "agent_completed").await;
    assert_eq!(kinds(&frames), FIVE);
    assert!(frames.iter().all(|frame| frame["data"]["run_id"] != run.as_str()));
}

#[tokio::test]
async fn agent_events_none_leaves_heartbeats() {
    let faults = AgentEvents { none: true, ..Default::default() };
    let (_, frames) = run_with(faults, "heartbeat").await;
    assert_eq!(kinds(&frames), ["heartbeat"]);
}

#[tokio::test]
async fn agent_events_faked_are_nobodys_work() {
    let faults = AgentEvents { faked: true, ..Default::default() };
    let service = Service::start(Config { agent_events: faults, ..config() }).await;
    let mut socket = service.welcomed(ALICE).await;
    let (run, frames) = run_agent(&mut socket, "agent_completed").await;
    assert_eq!(kinds(&frames), FIVE);
    assert!(!frames[4]["data"]["final_response"].as_str().unwrap().contains("nonce"));
    let status = service.get_as(ALICE, &format!("/api/agents/status?run_id={run}")).await;
    assert_eq!(status.status, 404);
}

async fn service_with(websocket_auth: WebsocketAuth) -> Service {
    Service::start(Config { websocket_auth, ..config() }).await
}

#[tokio::test]
async fn websocket_auth_refuse_1008() {
    let service = service_with(WebsocketAuth::Refuse1008).await;
    let (frames, end) = service.socket_of(ALICE).await.until_end().await;
    assert_eq!((kinds(&frames), end), (vec!["error_message"], Heard::Closed(1008)));
}

#[tokio::test]
async fn websocket_auth_refuse_403() {
    let service = service_with(WebsocketAuth::Refuse403).await;
    let headers = [("authorization", format!("Bearer {}", token(ALICE)))];
    assert_eq!(service.socket("/ws", &headers).await.err(), Some(403));
}

#[tokio::test]
async fn websocket_auth_close_1011_after_first() {
    let service = service_with(WebsocketAuth::Close1011AfterFirst).await;
    let (frames, end) = service.socket_of(ALICE).await.until_end().await;
    assert_eq!((kinds(&frames), end), (vec!["handshake_validation"], Heard::Closed(1011)));
}

#[tokio::test]
async fn websocket_auth_close_1000_at_once() {
    let service = service_with(WebsocketAuth::Close1000AtOnce).await;
    let (frames, end) = service.socket_of(ALICE).await.until_end().await;
    assert_eq!((frames.len(), end), (0, Heard::Closed(1000)));
}

#[tokio::test]
async fn websocket_auth_stall_never_answers() {
    let service = service_with(WebsocketAuth::Stall).await;
    tokio::select! {
        biased;
        _ = service.socket("/ws", &[]) => panic!("the handshake was answered"),
        health = service.get("/health") => assert_eq!(health.status, 200),
    }
}

#[tokio::test]
async fn websocket_auth_accept_anyone() {
    let service = service_with(WebsocketAuth::AcceptAnyone).await;
    let mut socket = service.socket("/ws", &[]).await.unwrap();
    let frames = socket.frames_until("system_message").await;
    assert_eq!(frames.len(), 2);
}

#[tokio::test]
async fn welcome_may_be_left_out() {
    let service = Service::start(Config { welcome: false, ..config() }).await;
    let mut socket = service.socket_of(ALICE).await;
    assert_eq!(socket.frame().await["type"], "handshake_validation");
    socket.say(json!({ "type": "ping" })).await;
    assert_eq!(socket.frame().await["type"], "pong");
}

#[tokio::test]
async fn connection_cap_counts_open_sockets_of_one_user() {
    let service = Service::start(Config { connection_cap: 2, ..config() }).await;
    let first = service.welcomed(ALICE).await;
    let mut second = service.welcomed(ALICE).await;
    let (frames, end) = service.socket_of(ALICE).await.until_end().await;
    assert_eq!((&frames[0]["error_code"], end), (&json!("CONNECTION_LIMIT"), Heard::Closed(1008)));
    service.welcomed(BOB).await.close().await;
    first.close().await;
    service.welcomed(ALICE).await.close().await;
    second.say(json!({ "type": "ping" })).await;
    assert_eq!(second.frame().await["type"], "pong");
}

#[tokio::test]
async fn leak_sessions_never_gives_a_place_back() {
    let leaking = Config { connection_cap: 1, leak_sessions: true, ..config() };
    let service = Service::start(leaking).await;
    service.welcomed(ALICE).await.close().await;
    let (_, end) = service.socket_of(ALICE).await.until_end().await;
    assert_eq!(end, Heard::Closed(1008));
}

#[tokio::test]
async fn a_stopping_service_says_goodbye() {
    let service = Service::start(config()).await;
    let mut socket = service.welcomed(ALICE).await;
    drop(service);
    assert_eq!(socket.hear().await, Heard::Closed(1001));
}

#[tokio::test]
async fn the_bench_socket_sends_five_events_to_many() {
    let service = Service::start(config()).await;
    let clients = (0..50).map(|_| async {
        let mut socket = service.socket("/bench/ws", &[]).await.unwrap();
        let frames = socket.frames_until("agent_completed").await;
        socket.close().await;
        frames
    });
    for frames in futures_util::future::join_all(clients).await {
        assert_eq!(kinds(&frames), FIVE);
    }
    assert_eq!(service.get("/bench/json?delay_ms=1").await.json()["status"], "ok");
}
