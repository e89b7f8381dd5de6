//! Live events: what a listener gets, in which order, and what it is told when it was too slow.

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::client::{Ask, get, read_until};
use crate::house::{House, finished, house, into_deploy};

/// A listener of server-sent events.
struct Listener {
    stream: TcpStream,
    seen: Vec<u8>,
}

impl Listener {
    async fn on(house: &House, ask: Ask) -> Self {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        let ask = ask.with("accept-encoding", "gzip");
        stream.write_all(&ask.bytes(house.address)).await.unwrap();
        let mut seen = Vec::new();
        read_until(&mut stream, &mut seen, "text/event-stream").await;
        read_until(&mut stream, &mut seen, "\r\n\r\n").await;
        let head = String::from_utf8_lossy(&seen).to_lowercase();
        assert!(!head.contains("content-encoding"), "what is compressed waits for more: {head}");
        Self { stream, seen }
    }

    async fn hears(&mut self, text: &str) {
        read_until(&mut self.stream, &mut self.seen, text).await;
    }

    /// The ids so far.
    fn ids(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.seen);
        text.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect()
    }
}

fn ids(range: std::ops::RangeInclusive<u64>) -> Vec<String> {
    range.map(|seq| format!("chat/1/{seq}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_hears_what_happens_from_now_on() {
    let house = house(&[]).await;
    let mut all = Listener::on(&house, get("/api/v1/events")).await;
    let mut of_shop = Listener::on(&house, get("/api/v1/events?pipeline=shop")).await;
    let key = house.begin_cycle("chat").await;
    house.append(&key, 1, into_deploy()).await;
    house.begin_cycle("shop").await;
    all.hears("id: shop/1/1").await;
    of_shop.hears("id: shop/1/1").await;
    let mut wanted = ids(1..=6);
    wanted.push("shop/1/1".to_owned());
    assert_eq!(all.ids(), wanted);
    assert_eq!(of_shop.ids(), ["shop/1/1"]);
    let text = String::from_utf8_lossy(&all.seen).into_owned();
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let first: Value = serde_json::from_str(data).unwrap();
    assert_eq!((&first["pipeline"], &first["seq"]), (&json!("chat"), &json!(1)));
    assert_eq!(first["event"]["kind"], "queued");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_to_a_pipeline_that_is_not_there() {
    let house = house(&[]).await;
    let refused = house.ask(get("/api/v1/events?pipeline=no-such")).await.is(404);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!(refused.json()["detail"], "there is no pipeline \"no-such\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cycle_is_told_whole_and_to_its_end_whenever_one_comes() {
    let house = house(&[]).await;
    let key = house.begin_cycle("chat").await;
    house.append(&key, 1, into_deploy()[..2].to_vec()).await;
    let path = "/api/v1/events?pipeline=chat&cycle=1";
    let mut listener = Listener::on(&house, get(path)).await;
    listener.hears("id: chat/1/3").await;
    house.append(&key, 3, into_deploy()[2..].to_vec()).await;
    house.append(&key, 6, vec![finished()]).await;
    listener.hears("event: over").await;
    listener.hears("\r\n0\r\n\r\n").await;
    assert_eq!(listener.ids(), ids(1..=7));
    // It comes back, after the end, and gets what it has not: then nothing more.
    let mut late = Listener::on(&house, get(path).with("last-event-id", "chat/1/5")).await;
    late.hears("\r\n0\r\n\r\n").await;
    assert_eq!(late.ids(), ids(6..=7));
    let mut after = Listener::on(&house, get(&format!("{path}&after=6"))).await;
    after.hears("\r\n0\r\n\r\n").await;
    assert_eq!(after.ids(), ids(7..=7));
    house.ask(get(path).with("last-event-id", "chat/1/7")).await.is(204);
    // Somebody who listens to all gets the rest of the cycle, and goes on.
    let mut all =
        Listener::on(&house, get("/api/v1/events").with("last-event-id", "chat/1/6")).await;
    house.begin_cycle("shop").await;
    all.hears("id: shop/1/1").await;
    assert_eq!(all.ids(), ["chat/1/7", "shop/1/1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let house = house(&[]).await;
    house.begin_cycle("chat").await;
    for path in ["?cycle=1", "?after=2", "?pipeline=chat&after=1", "?pipeline=Chat", "?cycl=1"] {
        house.ask(get(&format!("/api/v1/events{path}"))).await.is(400);
    }
    house.ask(get("/api/v1/events?pipeline=chat&cycle=2")).await.is(404);
    house.ask(get("/api/v1/events").with("last-event-id", "7")).await.is(400);
    house.ask(get("/api/v1/events/ws")).await.is(426);
}

#[tokio::test(flavor = "multi_thread")]
async fn n4_a_listener_that_is_too_slow_is_told_and_holds_up_nobody() {
    let house = house(&[]).await;
    let key = house.begin_cycle("chat").await;
    // Neither reads yet: one wants all that happens, the other one cycle.
    let mut all = Listener::on(&house, get("/api/v1/events")).await;
    let mut one = Listener::on(&house, get("/api/v1/events?pipeline=chat&cycle=1")).await;
    // More than sockets and the ring of events hold.
    let detail = "x".repeat(20_000);
    let note = crate::house::event(json!({ "kind": "held", "reason": detail }));
    for hundred in 0..20 {
        house.append(&key, 1 + hundred * 100, vec![note.clone(); 100]).await;
    }
    house.append(&key, 2_001, vec![finished()]).await;
    all.hears("event: missed").await;
    one.hears("event: over").await;
    assert_eq!(one.ids(), ids(1..=2_002));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_too_long_goes_out_without_its_content() {
    let house = house(&[]).await;
    let key = house.begin_cycle("chat").await;
    let mut listener = Listener::on(&house, get("/api/v1/events")).await;
    let long = crate::house::event(json!({ "kind": "held", "reason": "y".repeat(100_000) }));
    house.append(&key, 1, vec![long]).await;
    listener.hears("\"cut\":true").await;
    assert!(listener.seen.len() < 10_000, "{}", listener.seen.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_says_the_same() {
    let house = house(&[]).await;
    let key = house.begin_cycle("chat").await;
    let url = format!("ws://{}/api/v1/events/ws?pipeline=chat&cycle=1&after=0", house.address);
    let stream = TcpStream::connect(house.address).await.unwrap();
    let request = url.into_client_request().unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    house.append(&key, 1, into_deploy()).await;
    house.append(&key, 6, vec![finished()]).await;
    let mut heard: Vec<Value> = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(text) => heard.push(serde_json::from_str(&text).unwrap()),
            Message::Close(_) => break,
            _ => {}
        }
    }
    let kinds: Vec<_> = heard.iter().map(|message| message["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, [["event"; 7].as_slice(), &["over"]].concat());
    assert_eq!(heard[6]["id"], "chat/1/7");
    assert_eq!(heard[6]["data"]["event"]["kind"], "finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_with_the_server() {
    let house = house(&[]).await;
    let mut listener = Listener::on(&house, get("/api/v1/events")).await;
    house.shutdown.cancel();
    listener.hears("\r\n0\r\n\r\n").await;
    house.serving.await.unwrap();
    assert!(TcpStream::connect(house.address).await.is_err());
}
