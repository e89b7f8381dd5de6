//! Server-sent events, read as they come.

use crate::client::{ALICE, Service, bearer, config, within};
use crate::service::Config;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

const QUESTION: &str = "Add 17 and 25 for nonce";

/// Reads until `text` has been seen `times` times or the stream ends; what was read.
async fn read_until(stream: &mut TcpStream, text: &str, times: usize) -> String {
    within(read_on(stream, text, times)).await
}

async fn read_on(stream: &mut TcpStream, text: &str, times: usize) -> String {
    let mut read = String::new();
    let mut buffer = [0_u8; 1024];
    while read.matches(text).count() < times {
        let length = stream.read(&mut buffer).await.unwrap();
        if length == 0 {
            break;
        }
        read.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    read
}

#[tokio::test]
async fn an_answer_comes_in_chunks_and_ends() {
    let service = Service::start(config()).await;
    let body = json!({ "message": QUESTION, "stream": true }).to_string();
    for (path, headers) in
        [("/api/agents/stream", vec![]), ("/api/chat/stream", vec![bearer(ALICE)])]
    {
        let answer = service.send("POST", path, &headers, &body).await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{path}");
        assert!(answer.body.matches("event: chunk").count() >= 2, "{}", answer.body);
        assert_eq!(answer.body.matches("event: end").count(), 1, "{}", answer.body);
        assert!(answer.body.contains("nonce"), "{}", answer.body);
    }
}

#[tokio::test]
async fn events_tick_and_end_by_themselves() {
    let service = Service::start(Config { event_ticks: 3, ..config() }).await;
    let answer = service.get("/api/events/stream").await;
    assert_eq!(answer.body.matches("event: tick").count(), 3);
}

#[tokio::test]
async fn endless_sse_goes_on_without_an_end() {
    let endless = Config { event_ticks: 3, endless_sse: true, ..config() };
    let service = Service::start(endless).await;
    let mut ticks = service.open_stream("GET", "/api/events/stream", &[], "").await;
    let read = read_until(&mut ticks, "event: tick", 10).await;
    assert!(read.matches("event: tick").count() >= 10);
    let body = json!({ "message": QUESTION }).to_string();
    let mut chunks = service.open_stream("POST", "/api/agents/stream", &[], &body).await;
    let read = read_until(&mut chunks, "…", 3).await;
    assert!(read.contains('…') && !read.contains("event: end"));
}

#[tokio::test]
async fn a_stopping_service_ends_its_streams() {
    let service = Service::start(Config { endless_sse: true, ..config() }).await;
    let mut ticks = service.open_stream("GET", "/api/events/stream", &[], "").await;
    read_until(&mut ticks, "event: tick", 1).await;
    drop(service);
    read_until(&mut ticks, "never said", 1).await;
}
