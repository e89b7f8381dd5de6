//! The proxy against real sockets on loopback.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

fn settings() -> Settings {
    Settings { hosts: None, access: Access::Loopback, started_at: Timestamp::UNIX_EPOCH }
}

async fn proxy() -> Proxy {
    Proxy::start(settings()).await.unwrap()
}

/// A host that takes one connection after the other and hands each to `talk`.
async fn host<T, F>(talk: T) -> (SocketAddr, JoinHandle<()>)
where
    T: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream));
        }
    });
    (address, serving)
}

/// Reads up to the end of a head.
async fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap() == 0 {
            break;
        }
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// Answers every request with the head that it came with.
async fn mirror(mut stream: TcpStream) {
    loop {
        let asked = head(&mut stream).await;
        if asked.is_empty() {
            return;
        }
        let length = asked.len();
        let answer =
            format!("HTTP/1.1 200 OK\r\nX-Mine: 1\r\nContent-Length: {length}\r\n\r\n{asked}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn echo(mut stream: TcpStream) {
    let mut buffer = vec![0; 4096];
    while let Ok(read) = stream.read(&mut buffer).await
        && read > 0
    {
        stream.write_all(&buffer[..read]).await.unwrap();
    }
}

/// Sends a head to the proxy and reads the head of the answer.
async fn ask(proxy: &Proxy, request: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    (head(&mut stream).await, stream)
}

async fn body(stream: &mut TcpStream, length: usize) -> String {
    let mut text = vec![0; length];
    stream.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

fn length(answer: &str) -> usize {
    let value = answer.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    value.unwrap().parse().unwrap()
}

#[tokio::test]
async fn plain_requests_are_passed_on_without_what_concerns_the_proxy() {
    let (address, _serving) = host(mirror).await;
    let proxy = proxy().await;
    let request = format!(
        "GET http://{address}/a?b=1 HTTP/1.1\r\nHost: elsewhere.example\r\nX-Case: Kept\r\nX-Hop: 1\r\n\
         Proxy-Connection: keep-alive\r\nConnection: x-hop\r\nProxy-Authorization: Basic x\r\n\r\n"
    );
    let (answer, mut stream) = ask(&proxy, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("X-Mine: 1"), "{answer}");
    let seen = body(&mut stream, length(&answer)).await;
    let lines: Vec<&str> = seen.trim_end().split("\r\n").collect();
    assert_eq!(lines[0], "GET /a?b=1 HTTP/1.1");
    let host_line = format!("Host: {address}");
    let mut rest = lines[1..].to_vec();
    rest.sort_unstable();
    assert_eq!(rest, [host_line.as_str(), "X-Case: Kept"]);
    // The next request of the client goes over the same connection.
    let again = format!("GET http://{address}/again HTTP/1.1\r\n\r\n");
    stream.write_all(again.as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    assert!(body(&mut stream, length(&answer)).await.starts_with("GET /again "));
    let observed = proxy.finish().await;
    let host = &observed.hosts[0];
    assert_eq!(host.host, address.to_string());
    assert_eq!(host.addresses, [address.ip()]);
    assert_eq!((host.totals.connections, host.totals.requests), (1, 2));
    assert!(host.totals.bytes_sent > 0 && host.totals.bytes_received > host.totals.bytes_sent);
    assert_eq!(observed.connections[0].bytes_sent, host.totals.bytes_sent);
}

#[tokio::test]
async fn a_host_that_closed_its_connection_is_connected_to_again() {
    let once = |mut stream: TcpStream| async move {
        head(&mut stream).await;
        let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
    };
    let (address, _serving) = host(once).await;
    let proxy = proxy().await;
    let request = format!("GET http://{address}/ HTTP/1.1\r\n\r\n");
    let (first, mut stream) = ask(&proxy, &request).await;
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let second = head(&mut stream).await;
    assert!(second.starts_with("HTTP/1.1 200"), "{second}");
    assert_eq!(proxy.finish().await.hosts[0].totals.connections, 2);
}

#[tokio::test]
async fn a_message_leaves_with_one_framing() {
    let (address, _serving) = host(mirror).await;
    let proxy = proxy().await;
    let request = format!(
        "POST http://{address}/ HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    let (answer, mut stream) = ask(&proxy, &request).await;
    if answer.starts_with("HTTP/1.1 200") {
        let seen = body(&mut stream, length(&answer)).await.to_ascii_lowercase();
        let framings =
            seen.matches("content-length:").count() + seen.matches("transfer-encoding:").count();
        assert_eq!(framings, 1, "{seen}");
    } else {
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}

#[tokio::test]
async fn a_tunnel_passes_bytes_as_they_are_and_counts_them() {
    let (address, _serving) = host(echo).await;
    let proxy = proxy().await;
    // Some bytes come before the client can know that the tunnel stands.
    let request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\nearly");
    let (answer, mut stream) = ask(&proxy, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(body(&mut stream, 5).await, "early");
    let large = vec![7; 3 << 20];
    let (mut reads, mut writes) = stream.split();
    let mut back = vec![0; large.len()];
    let (sent, received) = tokio::join!(
        async {
            writes.write_all(&large).await?;
            writes.shutdown().await
        },
        reads.read_exact(&mut back)
    );
    sent.unwrap();
    received.unwrap();
    assert!(back == large);
    assert_eq!(reads.read(&mut [0]).await.unwrap(), 0);
    let observed = proxy.finish().await;
    let all = large.len() as u64 + 5;
    let totals = observed.hosts[0].totals;
    assert_eq!((totals.connections, totals.requests), (1, 0));
    assert_eq!((totals.bytes_sent, totals.bytes_received), (all, all));
    let connection = &observed.connections[0];
    assert!(!connection.active.is_empty() && connection.began_at <= connection.active[0].from);
    assert!(connection.active.last().unwrap().to <= connection.ended_at);
}

#[tokio::test]
async fn an_upgrade_by_a_plain_request_becomes_a_passage() {
    let upgrade = |mut stream: TcpStream| async move {
        let asked = head(&mut stream).await.to_ascii_lowercase();
        assert!(
            asked.contains("upgrade: websocket") && asked.contains("connection: upgrade"),
            "{asked}"
        );
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst";
        stream.write_all(answer).await.unwrap();
        echo(stream).await;
    };
    let (address, _serving) = host(upgrade).await;
    let proxy = proxy().await;
    let request = format!(
        "GET http://{address}/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
    let (answer, mut stream) = ask(&proxy, &request).await;
    let lower = answer.to_ascii_lowercase();
    assert!(lower.starts_with("http/1.1 101") && lower.contains("upgrade: websocket"), "{answer}");
    assert_eq!(body(&mut stream, 5).await, "first");
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(body(&mut stream, 5).await, "hello");
    let observed = proxy.finish().await;
    assert_eq!(observed.hosts[0].totals.connections, 1);
    assert_eq!(observed.hosts[0].totals.bytes_received, 77 + 5 + 5);
}

#[tokio::test]
async fn the_end_of_the_run_ends_idle_tunnels() {
    let (address, _serving) = host(echo).await;
    let proxy = proxy().await;
    let (_, mut stream) = ask(&proxy, &format!("CONNECT {address} HTTP/1.1\r\n\r\n")).await;
    stream.write_all(b"x").await.unwrap();
    assert_eq!(body(&mut stream, 1).await, "x");
    let observed = proxy.finish().await;
    assert_eq!(observed.hosts[0].totals.bytes_received, 1);
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn what_the_pipeline_does_not_allow_is_refused_and_recorded() {
    let (address, _serving) = host(echo).await;
    let hosts = Some(HostList::new(["staging.example".to_owned()]));
    let proxy = Proxy::start(Settings { hosts, ..settings() }).await.unwrap();
    for request in [
        format!("CONNECT {address} HTTP/1.1\r\n\r\n"),
        format!("GET http://{address}/ HTTP/1.1\r\n\r\n"),
    ] {
        let (answer, _stream) = ask(&proxy, &request).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    let observed = proxy.finish().await;
    assert_eq!((observed.hosts[0].totals.refused, observed.hosts[0].totals.connections), (2, 0));
    assert!(observed.connections.is_empty());
}

#[tokio::test]
async fn only_who_has_the_credential_gets_through_where_one_is_asked_for() {
    let (address, _serving) = host(mirror).await;
    let proxy = Proxy::start(Settings { access: Access::Credential, ..settings() }).await.unwrap();
    let request = |more: &str| format!("GET http://{address}/ HTTP/1.1\r\n{more}\r\n");
    let (answer, _stream) = ask(&proxy, &request("")).await;
    assert!(answer.starts_with("HTTP/1.1 407"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("proxy-authenticate: basic"), "{answer}");
    let environment = proxy.environment();
    let url = &environment.iter().find(|(name, _)| *name == "https_proxy").unwrap().1;
    let (user, rest) = url.strip_prefix("http://").unwrap().split_once(':').unwrap();
    let password = rest.split_once('@').unwrap().0;
    let right = format!("Proxy-Authorization: {}\r\n", headers::basic(user, password));
    let (answer, _stream) = ask(&proxy, &request(&right)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let wrong = format!("Proxy-Authorization: {}\r\n", headers::basic(user, "guess"));
    let (answer, _stream) = ask(&proxy, &request(&wrong)).await;
    assert!(answer.starts_with("HTTP/1.1 407"), "{answer}");
    assert_eq!(proxy.finish().await.turned_away, 2);
}

#[tokio::test]
async fn what_cannot_be_done_is_said_plainly() {
    let proxy = proxy().await;
    // Nobody listens there any more.
    let gone = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        listener.local_addr().unwrap()
    };
    let own = proxy.address();
    for (request, status) in [
        (format!("CONNECT {gone} HTTP/1.1\r\n\r\n"), "502"),
        (format!("GET http://{gone}/ HTTP/1.1\r\n\r\n"), "502"),
        (format!("CONNECT {own} HTTP/1.1\r\n\r\n"), "508"),
        ("CONNECT example.com HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".to_owned(), "400"),
        ("GET https://a.example/ HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("GET http://user:secret@a.example/ HTTP/1.1\r\n\r\n".to_owned(), "400"),
        (format!("GET http://a.example/ HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(70_000)), "431"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
    ] {
        let (answer, _stream) = ask(&proxy, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{}: {answer}", &request[..20]);
    }
    let observed = proxy.finish().await;
    assert_eq!(observed.hosts[0].totals.failed, 2);
}

#[tokio::test]
async fn names_are_looked_up() {
    let (address, _serving) = host(echo).await;
    let proxy = proxy().await;
    let request = format!("CONNECT LocalHost:{} HTTP/1.1\r\n\r\n", address.port());
    let (answer, _stream) = ask(&proxy, &request).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let observed = proxy.finish().await;
    assert_eq!(observed.hosts[0].host, format!("localhost:{}", address.port()));
    assert_eq!(observed.hosts[0].addresses, [address.ip()]);
}

#[tokio::test]
async fn a_command_learns_of_it_by_the_usual_variables() {
    let proxy = proxy().await;
    let environment = proxy.environment();
    let value = |name: &str| {
        environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    };
    let url = format!("http://{}", proxy.address());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"] {
        assert_eq!(value(name), Some(url.as_str()), "{name}");
    }
    assert_eq!(value("NO_PROXY"), Some(""));
}
