//! WebSocket steps: handshakes, refusals, events, sessions, closes.

use std::sync::Arc;
use std::time::Duration;

use andon::domain::evidence::Direction;
use andon::domain::failure::FailureClass;

use crate::kit::{Ran, Running, pipeline, run, run_with, with_cases};
use crate::server::{Asked, Frame, Reply, Server, json};

fn event(name: &str) -> Frame {
    Frame::Text(format!(r#"{{"type": "{name}", "run": "r1"}}"#))
}

fn foreign(name: &str) -> Frame {
    Frame::Text(format!(r#"{{"type": "{name}", "run": "other"}}"#))
}

fn service(asked: Asked) -> Reply {
    let open = |frames: Vec<Frame>| Reply::Ws(None, frames);
    match asked.path.as_str() {
        "/ws" if asked.header("authorization") != "Bearer good" => json(403, r#"{"error": "no"}"#),
        "/ws" => Reply::Ws(
            Some("jwt-auth".to_owned()),
            vec![
                Frame::Text(r#"{"type": "connected", "connection_id": "c-1"}"#.to_owned()),
                Frame::Echo,
                Frame::Echo,
                Frame::Stay,
            ],
        ),
        "/five" => open(vec![
            event("agent_started"),
            event("heartbeat"),
            event("agent_thinking"),
            event("tool_executing"),
            foreign("tool_completed"),
            event("tool_completed"),
            event("agent_completed"),
            Frame::Stay,
        ]),
        "/reordered" => open(vec![event("b"), event("a"), Frame::Close(1000, "")]),
        "/missing" => open(vec![event("a"), Frame::Close(1000, "")]),
        "/error" => open(vec![event("a"), event("error"), event("b"), Frame::Stay]),
        "/1008" => open(vec![event("error_message"), Frame::Close(1008, "policy")]),
        "/1011" => open(vec![event("a"), Frame::Close(1011, "internal")]),
        "/cut" => open(vec![event("a"), Frame::Drop]),
        "/flood" => open(vec![Frame::Flood(r#"{"type": "ping"}"#.to_owned())]),
        "/slow" => {
            open(vec![event("a"), Frame::Pause(Duration::from_secs(150)), event("b"), Frame::Stay])
        }
        "/frozen" => open(vec![event("a"), Frame::Freeze]),
        "/late-error" => open(vec![event("a"), event("b"), event("error"), Frame::Stay]),
        "/stay" => open(vec![Frame::Stay]),
        "/500" => json(500, r#"{"error": "broken"}"#),
        "/not-ws" => json(200, "{}"),
        "/hang" => Reply::Hang,
        _ => json(404, "{}"),
    }
}

async fn cases(text: &str) -> Ran {
    let server = Server::start(service).await;
    run(server.port, text).await
}

#[tokio::test]
async fn a_session_goes_on_over_steps() {
    let ran = cases(
        r#"
- id: chat
  steps:
    - name: open
      ws: { url: "${ws}/ws", headers: { Authorization: Bearer good }, subprotocol: jwt-auth, session: s }
      expect: { subprotocol: jwt-auth, latency: "< 10s", events: { by: $.type, within: 5s, all: [connected] } }
      capture: { connection: json $.connection_id }
    - name: ask
      ws: { session: s }
      send: { json: { type: hello, id: "${connection}" } }
      expect: { json: { $.type: hello, $.id: c-1 } }
    - name: ask again
      ws: { session: s }
      send: [{ text: "plain text" }]
      capture: { said: "regex 'pl(.*) text'" }
    - name: what it said
      http: { method: POST, url: "${base}/${said}" }
      expect: { status: 404 }
    - ws: { session: s }
      close: { code: 1000 }
- id: wrong_subprotocol
  steps:
    - ws: { url: "${ws}/ws", headers: { Authorization: Bearer good } }
      expect: { subprotocol: other }
- id: wrong_answer
  steps:
    - ws: { url: "${ws}/ws", headers: { Authorization: Bearer good } }
      send: { json: { type: hello } }
      expect: { json: { $.type: goodbye } }
      timeout: 1s
"#,
    )
    .await;
    ran.passed("chat");
    let evidence = &ran.last("chat").evidence;
    assert_eq!((evidence.exchanges_total, evidence.connections), (5, 2));
    assert!(evidence.exchanges[3].url.ends_with("/ain"));
    let open = &evidence.exchanges[0];
    assert_eq!((open.status, open.subprotocol.as_deref()), (Some(101), Some("jwt-auth")));
    assert_eq!(open.frames[0].event.as_deref(), Some("connected"));
    let ask = &evidence.exchanges[1];
    let directions: Vec<Direction> = ask.frames.iter().map(|frame| frame.direction).collect();
    assert_eq!(directions, [Direction::Sent, Direction::Received]);
    assert_eq!(evidence.events[0].came(), 1);
    ran.failed("wrong_subprotocol", FailureClass::Assertion, "expected subprotocol \"other\"");
    ran.failed(
        "wrong_answer",
        FailureClass::Assertion,
        "expected $.type \"goodbye\", got \"hello\"",
    );
    let repro = ran.failure("wrong_subprotocol").repro.as_deref().unwrap_or_default();
    assert!(repro.starts_with("andon probe ws://127.0.0.1:"), "{repro}");
    assert!(repro.contains("--header 'authorization: Bearer good'"), "{repro}");
}

#[tokio::test]
async fn five_events_in_order_of_one_run() {
    let ran = cases(
        r#"
- id: five
  steps:
    - ws: { url: "${ws}/five" }
      expect:
        events:
          by: $.type
          within: 10s
          ordered: true
          all: [agent_started, agent_thinking, tool_executing, tool_completed, agent_completed]
          none: [error]
          where: { $.run: r1 }
"#,
    )
    .await;
    ran.passed("five");
    let events = &ran.last("five").evidence.events[0];
    let names: Vec<&str> = events.seen.iter().map(|(name, _)| name.as_str()).collect();
    let wanted = [
        "agent_started",
        "heartbeat",
        "agent_thinking",
        "tool_executing",
        "tool_completed",
        "agent_completed",
    ];
    assert_eq!(names, wanted);
    assert_eq!((events.came(), events.ordered), (5, true));
}

#[tokio::test]
async fn events_go_wrong_in_different_ways() {
    let ran = cases(
        r#"
- id: reordered
  steps: [{ ws: { url: "${ws}/reordered" }, expect: { events: { by: $.type, within: 5s, ordered: true, all: [a, b] } } }]
- id: missing
  steps: [{ ws: { url: "${ws}/missing" }, expect: { events: { by: $.type, within: 5s, all: [a, b] } } }]
- id: late
  steps: [{ ws: { url: "${ws}/stay" }, expect: { events: { by: $.type, within: 30ms, all: [a] } } }]
- id: forbidden
  steps: [{ ws: { url: "${ws}/error" }, expect: { events: { by: $.type, within: 5s, all: [b], none: [error] } } }]
- id: foreign
  steps: [{ ws: { url: "${ws}/five" }, expect: { events: { by: $.type, within: 50ms, all: [agent_started], where: { $.run: r2 } } } }]
- id: none_only
  steps: [{ ws: { url: "${ws}/stay" }, expect: { events: { by: $.type, within: 20ms, none: [error] } } }]
- id: closed
  steps: [{ ws: { url: "${ws}/1011" }, expect: { events: { by: $.type, within: 5s, all: [a, b] } } }]
- id: cut
  steps: [{ ws: { url: "${ws}/cut" }, expect: { events: { by: $.type, within: 5s, all: [a, b] } } }]
- id: flood
  steps: [{ ws: { url: "${ws}/flood" }, expect: { events: { by: $.type, within: 1s, all: [a] } } }]
"#,
    )
    .await;
    use FailureClass::{Connection, EventOrder, MissingEvent, UnexpectedEvent, WsClose};
    ran.failed("reordered", EventOrder, "expected events in order a, b, got came: b, a");
    ran.failed(
        "missing",
        MissingEvent,
        "got 1 of 2 before the socket was closed with 1000: b missing",
    );
    ran.failed("late", MissingEvent, "got 0 of 1 within ");
    ran.failed("forbidden", UnexpectedEvent, "expected events no event error before b, got error");
    ran.failed("foreign", MissingEvent, "no event came");
    ran.passed("none_only");
    ran.failed("closed", WsClose, "got close 1011 (internal) after 1 of 2");
    ran.failed("cut", Connection, "without a close frame after 1 of 2");
    ran.failed("flood", MissingEvent, "0 of 1");
    let flood = &ran.last("flood").evidence.exchanges[0];
    assert!(flood.frames.len() <= 100 && flood.frames_total > 100);
    assert_eq!(ran.last("closed").evidence.exchanges[0].close.as_ref().map(|c| c.code), Some(1011));
    assert_eq!(ran.last("cut").evidence.exchanges[0].close.as_ref().map(|c| c.code), Some(1006));
    assert_eq!(ran.last("missing").evidence.events[0].missing, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_pinged_and_a_dead_one_noticed() {
    let server = Server::start(service).await;
    let cases = r#"
- id: slow
  timeout: 10m
  steps: [{ ws: { url: "${ws}/slow" }, expect: { events: { by: $.type, within: 5m, all: [a, b] } } }]
- id: frozen
  timeout: 10m
  steps: [{ ws: { url: "${ws}/frozen" }, expect: { events: { by: $.type, within: 5m, all: [a, b] } } }]
- id: impatient
  timeout: 10m
  steps: [{ ws: { url: "${ws}/frozen" }, expect: { events: { by: $.type, within: 30s, all: [a, b] } } }]
"#;
    let running = Running { timeout: Duration::from_secs(900), ..Running::default() };
    let ran = run_with(pipeline(&with_cases(server.port, cases), &[]), running).await;
    let kinds = |case: &str| -> Vec<String> {
        let frames = &ran.last(case).evidence.exchanges[0].frames;
        frames.iter().map(|frame| frame.kind.clone()).collect()
    };
    ran.passed("slow");
    assert!(!kinds("slow").iter().any(|kind| kind == "ping" || kind == "pong"));
    ran.failed("frozen", FailureClass::Connection, "answered none of 3 pings after 1 of 2");
    assert_eq!(kinds("frozen"), ["text", "ping", "ping", "ping"]);
    assert!(ran.last("frozen").duration_ms < 120_000);
    ran.failed("impatient", FailureClass::MissingEvent, "got 1 of 2 within 30s: b missing");
    assert_eq!(kinds("impatient"), ["text", "ping"]);
    let error = ran.last("impatient").evidence.exchanges[0].error.as_deref().unwrap_or_default();
    assert!(error.contains("did not answer a ping within 10s"), "{error}");
}

#[tokio::test]
async fn sockets_that_take_turns_to_open_are_open_at_the_same_time() {
    let all = Arc::new(tokio::sync::Barrier::new(250));
    let meet = move |_: Asked| {
        Reply::Ws(None, vec![Frame::Meet(Arc::clone(&all)), event("met"), Frame::Stay])
    };
    let server = Server::start(meet).await;
    let cases = r#"
- id: crowd
  timeout: 30s
  parallel: { times: 250, quorum: 250 }
  steps: [{ ws: { url: "${ws}/" }, expect: { events: { by: $.type, within: 30s, all: [met] } } }]
"#;
    let ran = run(server.port, cases).await;
    ran.passed("crowd");
    assert_eq!(ran.last("crowd").evidence.connections, 250);
}

#[tokio::test]
async fn forbidden_events_count_until_the_last_expected_one() {
    let ran = cases(
        r#"
- id: until_the_last
  steps:
    - ws: { url: "${ws}/late-error" }
      expect: { events: { by: $.type, within: 5s, all: [a, b], none: [error] } }
- id: for_a_while_after
  steps:
    - ws: { url: "${ws}/late-error", session: s }
      expect: { events: { by: $.type, within: 5s, all: [a, b] } }
    - ws: { session: s }
      expect: { events: { by: $.type, within: 5s, none: [error] } }
"#,
    )
    .await;
    ran.passed("until_the_last");
    ran.failed("for_a_while_after", FailureClass::UnexpectedEvent, "no event error, got error");
}

#[tokio::test]
async fn refusals_are_expected_or_not() {
    let ran = cases(
        r#"
- id: refused_as_expected
  steps: [{ ws: { url: "${ws}/ws" }, expect: { refused: { status: [401, 403] }, or_close: 1008 } }]
- id: closed_as_expected
  steps: [{ ws: { url: "${ws}/1008" }, expect: { refused: { status: [401, 403] }, or_close: 1008 } }]
- id: refused_otherwise
  steps: [{ ws: { url: "${ws}/500" }, expect: { refused: { status: [401, 403] }, or_close: 1008 } }]
- id: closed_otherwise
  steps: [{ ws: { url: "${ws}/1011" }, expect: { refused: { status: [401, 403] }, or_close: 1008 } }]
- id: let_in
  steps: [{ ws: { url: "${ws}/stay" }, expect: { refused: { status: 403 } } }]
- id: shut_out
  steps: [{ ws: { url: "${ws}/ws" }, expect: { events: { by: $.type, within: 5s, all: [connected] } } }]
- id: no_socket_there
  steps: [{ ws: { url: "${ws}/not-ws" } }]
- id: stalls
  timeout: 50ms
  steps: [{ ws: { url: "${ws}/hang" } }]
"#,
    )
    .await;
    use FailureClass::{Assertion, Timeout, WsClose, WsRefused};
    ran.passed("refused_as_expected");
    ran.passed("closed_as_expected");
    ran.failed("refused_otherwise", WsRefused, "got status 500");
    ran.failed("closed_otherwise", WsClose, "got close 1011 (internal)");
    ran.failed(
        "let_in",
        Assertion,
        "expected handshake refused with status 403, got an open socket",
    );
    ran.failed("shut_out", WsRefused, "expected an open socket, got status 403 at the handshake");
    ran.failed("no_socket_there", WsRefused, "got status 200");
    ran.failed("stalls", Timeout, "no answer");
    let body = &ran.last("shut_out").evidence.exchanges[0].body;
    assert_eq!(body.as_ref().map(|b| b.text.as_str()), Some(r#"{"error": "no"}"#));
}

#[tokio::test]
async fn three_hundred_sockets_live_side_by_side() {
    let ran = cases(
        r#"
- id: many
  timeout: 60s
  parallel: { times: 300, quorum: 300 }
  steps: [{ ws: { url: "${ws}/five" }, expect: { events: { by: $.type, within: 30s, ordered: true, all: [agent_started, agent_completed] } } }]
"#,
    )
    .await;
    ran.passed("many");
    assert_eq!(ran.last("many").evidence.connections, 300);
}
