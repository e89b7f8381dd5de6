//! Everything that can go wrong between us and a service, each with its own class.

use std::time::Duration;

use andon::domain::failure::FailureClass;

use crate::kit::{pipeline, run, run_with, with_cases};
use crate::server::{Asked, Frame, Reply, Server, closed_port, json, redirect};

fn service(asked: Asked) -> Reply {
    match asked.path.as_str() {
        "/hang" => Reply::Hang,
        "/stay" => Reply::Ws(None, vec![Frame::Stay]),
        "/reset" => Reply::Reset,
        "/short" => Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this".to_vec()),
        "/nothing" => Reply::Raw(Vec::new()),
        "/garbage" => Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
        "/drip" => Reply::Drip(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n".repeat(20),
            Duration::from_millis(5),
        ),
        "/announced" => {
            Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx".to_vec())
        }
        "/broken" => Reply::Raw(b"HTTP/1.1 500 X\r\nContent-Length: 99999999999\r\n\r\nx".to_vec()),
        "/headers" => {
            let many = "X-Header: value\r\n".repeat(10_000);
            Reply::Raw(format!("HTTP/1.1 200 OK\r\n{many}\r\n").into_bytes())
        }
        _ => json(200, "{}"),
    }
}

#[tokio::test]
async fn faults_of_the_network_are_told_apart() {
    let server = Server::start(service).await;
    let closed = closed_port().await;
    let cases = r#"
- id: refused
  steps: [{ http: { url: "http://127.0.0.1:CLOSED/" } }]
- id: dns
  steps: [{ http: { url: "http://no-such-host.invalid/" } }]
- id: hang
  timeout: 1s
  steps: [{ http: { url: "${base}/hang" } }]
- id: drip
  timeout: 1s
  steps: [{ http: { url: "${base}/drip" } }]
- id: reset
  steps: [{ http: { url: "${base}/reset" } }]
- id: short
  steps: [{ http: { url: "${base}/short" } }]
- id: nothing
  steps: [{ http: { url: "${base}/nothing" } }]
- id: garbage
  steps: [{ http: { url: "${base}/garbage" } }]
- id: announced
  steps: [{ http: { url: "${base}/announced" } }]
- id: broken
  steps: [{ http: { url: "${base}/broken" } }]
- id: broken_as_expected
  steps: [{ http: { url: "${base}/broken" }, expect: { status: 500 } }]
- id: broken_stream
  steps: [{ sse: { url: "${base}/broken" } }]
- id: broken_socket
  steps: [{ ws: { url: "${ws}/broken" } }]
- id: headers
  steps: [{ http: { url: "${base}/headers" } }]
- id: good
  steps: [{ http: { url: "${base}/good" } }]
"#;
    let ran = run(server.port, &cases.replace("CLOSED", &closed.to_string())).await;
    use FailureClass::{Assertion, Connection, Dns, HttpStatus, Timeout, WsRefused};
    ran.failed("refused", Connection, "refused the connection");
    ran.failed("dns", Dns, "no-such-host.invalid did not resolve");
    ran.failed("hang", Timeout, "within 1s (after ");
    ran.failed("hang", Timeout, "while waiting for the answer)");
    ran.failed("drip", Timeout, "no answer from 127.0.0.1");
    ran.failed("reset", Connection, "reset the connection");
    ran.failed("short", Connection, "cut the connection after 9 of 100 bytes of the body");
    ran.failed("nothing", Connection, "cut the connection");
    ran.failed("garbage", Connection, "does not speak HTTP");
    ran.failed("announced", Assertion, "larger than 16 MiB");
    ran.failed("broken", HttpStatus, "expected status 2xx, got 500; the body from ");
    assert_eq!(ran.failure("broken").actual.as_deref(), Some("500"));
    ran.failed("broken_as_expected", Assertion, "larger than 16 MiB");
    ran.failed("broken_stream", HttpStatus, "got 500; the body from ");
    ran.failed("broken_socket", WsRefused, "got status 500 at the handshake; the body from ");
    ran.failed("headers", Connection, "does not speak HTTP");
    ran.passed("good");
    assert!(ran.last("refused").evidence.exchanges[0].error.is_some());
    let short = &ran.last("short").evidence.exchanges[0];
    assert_eq!(short.body.as_ref().map(|body| body.text.as_str()), Some("only this"));
}

#[tokio::test(start_paused = true)]
async fn a_time_out_is_said_as_it_was_configured() {
    let server = Server::start(service).await;
    let cases = r#"
- id: of_the_case
  timeout: 10s
  steps:
    - ws: { url: "${ws}/stay", session: s }
      expect: { events: { by: $.type, within: 9s, none: [error] } }
    - http: { url: "${base}/hang" }
- id: of_the_step
  timeout: 10s
  steps: [{ http: { url: "${base}/hang" }, timeout: 2s }]
"#;
    let ran = run(server.port, cases).await;
    ran.failed("of_the_case", FailureClass::Timeout, "within 10s (after 1s, while waiting");
    ran.failed("of_the_step", FailureClass::Timeout, "within 2s (after 2s, while waiting");
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_the_cap() {
    let server = Server::start(|_| {
        let mut chunk = b"10000\r\n".to_vec();
        chunk.extend(vec![b'x'; 0x10000]);
        chunk.extend(b"\r\n");
        // The first repetition begins with a head; later ones are chunks that look alike.
        Reply::Endless(
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), chunk.repeat(400)]
                .concat(),
        )
    })
    .await;
    let ran = run(server.port, "- id: a\n  steps: [{ http: { url: \"${base}/\" } }]\n").await;
    ran.failed("a", FailureClass::Assertion, "larger than 16 MiB");
    let stored = ran.stored().len();
    assert!(stored < 20_000, "{stored} bytes were kept");
}

#[tokio::test]
async fn only_hosts_on_the_list_are_asked() {
    let server = Server::start(|asked: Asked| match asked.path.as_str() {
        "/away" => redirect(302, "http://localhost:1/"),
        _ => json(200, "{}"),
    })
    .await;
    let cases = r#"
- id: allowed
  steps: [{ http: { url: "${base}/" } }]
- id: elsewhere
  steps: [{ http: { url: "http://localhost:9/" } }]
- id: redirected
  steps: [{ http: { url: "${base}/away", follow: 3 } }]
- id: socket
  steps: [{ ws: { url: "ws://localhost:9/" } }]
"#;
    let text = format!("hosts: [127.0.0.1]\n{}", with_cases(server.port, cases));
    let ran = run_with(pipeline(&text, &[]), Default::default()).await;
    ran.passed("allowed");
    for case in ["elsewhere", "redirected", "socket"] {
        ran.errored(case, FailureClass::Setup, "host localhost is not one of the pipeline's hosts");
    }
}

#[tokio::test]
async fn a_connection_that_went_stale_is_no_failure() {
    // Each answer is followed by the end of the connection, which the head does not announce.
    let server =
        Server::start(|_| Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec()))
            .await;
    let steps = "    - http: { url: \"${base}/message\" }\n".repeat(20);
    let ran = run(server.port, &format!("- id: a\n  steps:\n{steps}")).await;
    ran.passed("a");
    assert_eq!(server.connections(), 20);
}
