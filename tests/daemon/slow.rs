//! Clients that mean harm, or are slow (G3, I5, N2): nobody else is held up.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::client::{get, read_reply};
use crate::house::house;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_gets_an_error_and_nothing_hangs() {
    let house = house(&[]).await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(200_000));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(500));
    for (bytes, statuses) in [
        (long.as_str(), [431, 400]),
        (many.as_str(), [431, 400]),
        ("NONSENSE\r\n\r\n", [400, 400]),
        ("GET http://[ HTTP/1.1\r\n\r\n", [400, 400]),
        ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", [400, 400]),
    ] {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        let _ = stream.write_all(bytes.as_bytes()).await;
        let reply = read_reply(&mut stream).await;
        assert!(statuses.contains(&reply.status), "{} for {:.40}", reply.status, bytes);
    }
    // No host at all, or two: nobody can say whom it is for.
    for bytes in [
        "GET /api/v1/status HTTP/1.0\r\n\r\n",
        "GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        assert_eq!(read_reply(&mut stream).await.status, 421);
    }
    house.ask(get("/healthz")).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_a_hundred_that_send_nothing_hold_up_nobody() {
    let house = house(&[]).await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(b"POST /hooks/github HTTP/1.1\r\nhost: ").await.unwrap();
        idle.push(stream);
    }
    house.ask(get("/api/v1/status")).await.is(200);
    drop(idle);
    house.ask(get("/api/v1/status")).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_starts_nothing() {
    let house = house(&[]).await;
    let head = format!(
        "POST /api/v1/pipelines/chat/trigger HTTP/1.1\r\nhost: {}\r\ncontent-length: 100\r\n\r\n{{",
        house.address
    );
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
    assert!(house.store.waiting_triggers().await.unwrap().is_empty());
}

/// Sends a beginning, and waits for what the server makes of it. From then on time is virtual: it
/// passes as soon as nobody has anything to do.
async fn begun(address: std::net::SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    tokio::time::pause();
    let mut answer = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
    tokio::time::resume();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn g3_and_i5_a_request_that_does_not_come_to_its_end_is_let_go() {
    let house = house(&[]).await;
    let head = begun(house.address, "GET /healthz HTTP/1.1\r\nhost: loc").await;
    assert!(head.is_empty() || head.starts_with("HTTP/1.1 408"), "{head}");
    let signature = "00".repeat(32);
    let hook = format!(
        "POST /hooks/github HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\
         x-hub-signature-256: sha256={signature}\r\n\r\n{{"
    );
    let body = begun(house.address, &hook).await;
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    let trigger = "POST /api/v1/pipelines/chat/trigger HTTP/1.1\r\nhost: localhost\r\n\
                   content-length: 100\r\n\r\n{";
    let body = begun(house.address, trigger).await;
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
}
