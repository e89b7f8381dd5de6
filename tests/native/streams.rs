//! Server-sent streams: read no longer than they must be.

use std::time::Duration;

use andon::domain::failure::FailureClass;

use crate::kit::run;
use crate::server::{Asked, Reply, Server, json};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

fn service(asked: Asked) -> Reply {
    let whole = |text: &str| Reply::Raw(format!("{HEAD}{text}").into_bytes());
    match asked.path.as_str() {
        "/chunks" => whole(
            "event: chunk\ndata: {\"n\": 1}\n\nevent: chunk\ndata: {\"n\": 2}\n\nevent: end\ndata: {}\n\n",
        ),
        // A stream that a client which waits for the end never finishes.
        "/endless" => Reply::Drip(
            format!("{HEAD}{}", "data: tick\n\n".repeat(100_000)).into_bytes(),
            Duration::from_micros(10),
        ),
        "/silent" => Reply::Stall(HEAD.as_bytes().to_vec()),
        "/long" => whole(&format!("data: {}\n\n", "x".repeat(2 << 20))),
        _ => json(405, "{}"),
    }
}

#[tokio::test]
async fn streams_are_judged_event_by_event() {
    let server = Server::start(service).await;
    let ran = run(
        server.port,
        r#"
- id: chunks
  steps:
    - sse: { url: "${base}/chunks" }
      expect: { first_byte: "< 10s", header: { content-type: text/event-stream }, events: { by: event, within: 10s, ordered: true, all: [chunk, chunk, end] } }
      capture: { n: json $.n }
    - sse: { url: "${base}/chunks?${n}" }
      expect: { status: 405 }
- id: by_data
  steps: [{ sse: { url: "${base}/chunks" }, expect: { events: { by: $.n, within: 10s, all: ["1", "2"] } } }]
- id: endless
  steps: [{ sse: { url: "${base}/endless" }, expect: { events: { by: event, within: 20s, all: [message, message] } } }]
- id: missing
  steps: [{ sse: { url: "${base}/chunks" }, expect: { events: { by: event, within: 10s, all: [chunk, done] } } }]
- id: silent
  steps: [{ sse: { url: "${base}/silent" }, expect: { events: { by: event, within: 1500ms, all: [chunk] } } }]
- id: refused
  steps: [{ sse: { url: "${base}/other" }, expect: { events: { by: event, within: 10s, all: [chunk] } } }]
- id: long
  steps: [{ sse: { url: "${base}/long" }, expect: { events: { by: event, within: 10s, all: [chunk] } } }]
"#,
    )
    .await;
    use FailureClass::{Connection, HttpStatus, MissingEvent};
    ran.passed("chunks");
    ran.passed("by_data");
    ran.passed("endless");
    let frames = &ran.last("chunks").evidence.exchanges[0].frames;
    assert_eq!(frames[0].event.as_deref(), Some("chunk"));
    assert_eq!(frames[0].payload.text, "{\"n\": 1}");
    assert_eq!(ran.last("endless").evidence.exchanges[0].frames_total, 2);
    ran.failed("missing", MissingEvent, "got 1 of 2 before the stream ended: done missing");
    ran.failed("silent", MissingEvent, "got 0 of 1");
    ran.failed("refused", HttpStatus, "expected status 2xx, got 405");
    ran.failed("long", Connection, "an event is longer than 1 MiB");
    let repro = ran.failure("missing").repro.as_deref().unwrap_or_default();
    assert!(repro.starts_with("andon probe --sse http://127.0.0.1:"), "{repro}");
}
