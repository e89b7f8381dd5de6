//! The proxy against real sockets on loopback: what reaches the service, what the command sees, what is noted.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::dial::{Stream, Tls};
use super::*;
use crate::prove::Content;

/// A service that answers each connection's first request by its path, and remembers the heads.
struct Stub {
    address: SocketAddr,
    scheme: &'static str,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

const JSON: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
const MOVED: &str =
    "HTTP/1.1 302 Found\r\nLocation: http://ADDRESS/there\r\nContent-Length: 0\r\n\r\n";
const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
                      Content-Length: 9\r\n\r\ndata: 1\n\n";
/// Two messages, `a` and `b`, and a close.
const SOCKET: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\
                      \u{1}SOCKET";

async fn service() -> Stub {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let heads = Arc::clone(&asked);
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(talk(stream, address, Arc::clone(&heads)));
        }
    });
    Stub { address, scheme: "http", asked, serving }
}

async fn talk(mut stream: impl Stream, address: SocketAddr, heads: Arc<Mutex<Vec<String>>>) {
    let asked = head(&mut stream).await;
    let answer = match asked.split(' ').nth(1).unwrap_or_default() {
        "/json" => JSON,
        "/moved" => MOVED,
        "/events" => EVENTS,
        "/ws" => SOCKET,
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    };
    if !asked.is_empty() {
        heads.lock().unwrap().push(asked);
    }
    let answer = answer.replace("ADDRESS", &address.to_string()).into_bytes();
    let frames = [0x81, 1, b'a', 0x81, 1, b'b', 0x88, 0];
    let bytes = match answer.strip_suffix(b"\x01SOCKET") {
        Some(head) => [head, &frames].concat(),
        None => answer,
    };
    let _ = stream.write_all(&bytes).await;
    let _ = stream.flush().await;
    // Until the other side is done.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

/// The same behind TLS, with the only root that vouches for it.
async fn service_behind_tls() -> (Stub, Tls) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = names.self_signed(&key).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap());
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let heads = Arc::clone(&asked);
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, heads) = (acceptor.clone(), Arc::clone(&heads));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                talk(stream, address, heads).await;
            });
        }
    });
    (Stub { address, scheme: "https", asked, serving }, Tls::with(roots).unwrap())
}

impl Stub {
    fn asked(&self) -> Vec<String> {
        let first_lines = |head: &String| head.lines().next().unwrap_or_default().to_owned();
        self.asked.lock().unwrap().iter().map(first_lines).collect()
    }

    async fn behind(&self, fault: Option<Fault>) -> Proxy {
        self.behind_with(fault, None).await
    }

    async fn behind_with(&self, fault: Option<Fault>, tls: Option<Tls>) -> Proxy {
        let base = format!("{}://{}", self.scheme, self.address);
        let service = Service::of([("base_url", base.as_str())]);
        let started_at = Timestamp::UNIX_EPOCH;
        Proxy::start(Settings { fault, service, hosts: None, tls, started_at }).await.unwrap()
    }
}

/// Reads up to the end of a head; empty where the connection ended.
async fn head(stream: &mut (impl Stream + ?Sized)) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// Sends a head to the proxy; gives back all that it says to it, the connection being closed after.
async fn ask(proxy: &Proxy, request: &str) -> String {
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let request = format!("{request}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(request.as_bytes()).await;
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}

async fn get(proxy: &Proxy, path: &str) -> String {
    ask(proxy, &format!("GET {path} HTTP/1.1\r\nHost: {}", proxy.address())).await
}

/// Opens a WebSocket by the entrance; gives back what comes after the head, to the end.
async fn frames(proxy: &Proxy) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let request = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    let mut said = Vec::new();
    let mut chunk = [0; 64];
    // A close of the service is the last that is awaited.
    while !said.contains(&0x88) {
        match stream.read(&mut chunk).await {
            Ok(read @ 1..) => said.extend_from_slice(&chunk[..read]),
            Ok(0) | Err(_) => break,
        }
    }
    (answer, said)
}

fn contents(traffic: &Traffic) -> Vec<Content> {
    traffic.exchanges.iter().map(|exchange| exchange.content).collect()
}

#[tokio::test]
async fn without_a_fault_all_goes_through_and_is_noted_by_its_kind() {
    let service = service().await;
    let proxy = service.behind(None).await;
    assert!(get(&proxy, "/json").await.ends_with("{\"a\":1}"));
    assert!(get(&proxy, "/events").await.contains("data: 1"));
    let absolute = format!("GET http://{}/plain HTTP/1.1", service.address);
    assert!(ask(&proxy, &absolute).await.ends_with("ok"));
    let (answer, said) = frames(&proxy).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert_eq!(said, [0x81, 1, b'a', 0x81, 1, b'b', 0x88, 0]);
    assert_eq!(service.asked().len(), 4);
    let host = format!("host: {}\r\n", service.address);
    let heads = service.asked.lock().unwrap().join("").to_ascii_lowercase();
    assert_eq!(heads.matches(&host).count(), 4, "the entrance is nobody's name: {heads}");
    let traffic = proxy.finish().await;
    assert_eq!(traffic.contacts, 4);
    let kinds = [
        Content::Json,
        Content::Events { any: true, json: false },
        Content::Plain,
        Content::Socket { messages: 2, json: false },
    ];
    assert_eq!(contents(&traffic), kinds);
    let statuses: Vec<_> = traffic.exchanges.iter().map(|exchange| exchange.status).collect();
    assert_eq!(statuses, [Some(200), Some(200), Some(200), Some(101)]);
    let hosts = traffic.exchanges.iter().map(|exchange| exchange.connection.host.as_str());
    assert!(hosts.eq([service.address.to_string().as_str(); 4]));
}

#[tokio::test]
async fn a_redirect_to_the_service_leads_to_the_entrance() {
    let service = service().await;
    let proxy = service.behind(None).await;
    let here = format!("http://{}/there", proxy.address());
    assert!(get(&proxy, "/moved").await.contains(&here));
    let absolute = format!("GET http://{}/moved HTTP/1.1", service.address);
    let there = format!("http://{}/there", service.address);
    assert!(ask(&proxy, &absolute).await.contains(&there), "whoever uses the address keeps it");
}

#[tokio::test]
async fn what_a_fault_answers_never_reaches_the_service() {
    let service = service().await;
    for (fault, answer) in [
        (Fault::Status500, "HTTP/1.1 500 "),
        (Fault::Status404, "HTTP/1.1 404 "),
        (Fault::EmptyJson, "HTTP/1.1 200 "),
        (Fault::Refused, ""),
    ] {
        let proxy = service.behind(Some(fault)).await;
        let absolute = format!("POST http://{}/json HTTP/1.1", service.address);
        for said in [get(&proxy, "/json").await, ask(&proxy, &absolute).await] {
            assert!(said.starts_with(answer), "{fault:?}: {said}");
            let is_json = said.to_ascii_lowercase().contains("content-type: application/json");
            assert_eq!(is_json, fault != Fault::Refused, "{said}");
            assert_eq!(said.ends_with("\r\n\r\n{}"), fault == Fault::EmptyJson, "{said}");
        }
        assert_eq!(contents(&proxy.finish().await), []);
    }
    assert_eq!(service.asked(), [""; 0]);
}

#[tokio::test]
async fn nobody_answers_until_the_run_ends() {
    let service = service().await;
    let proxy = service.behind(Some(Fault::NoAnswer)).await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"GET /json HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    let (_, traffic) = tokio::join!(stream.read_to_end(&mut said), proxy.finish());
    assert!(said.is_empty() && service.asked().is_empty());
    assert_eq!(traffic.exchanges, []);
}

#[tokio::test]
async fn messages_and_events_are_what_these_two_change() {
    let service = service().await;
    let proxy = service.behind(Some(Fault::WsClose1011)).await;
    let (_, said) = frames(&proxy).await;
    assert_eq!(said, [0x81, 1, b'a', 0x88, 2, 0x03, 0xf3]);
    assert!(get(&proxy, "/events").await.contains("data: 1"));
    assert!(get(&proxy, "/json").await.ends_with("{\"a\":1}"));
    drop(proxy);
    let proxy = service.behind(Some(Fault::EventsMissing)).await;
    let (answer, said) = frames(&proxy).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert_eq!(said, [0x88, 0]);
    let stream = get(&proxy, "/events").await;
    assert!(stream.starts_with("HTTP/1.1 200") && !stream.contains("data:"), "{stream}");
    assert!(get(&proxy, "/json").await.ends_with("{\"a\":1}"));
}

#[tokio::test]
async fn every_event_of_an_empty_stream_is_empty() {
    let service = service().await;
    let proxy = service.behind(Some(Fault::EmptyJson)).await;
    let request =
        format!("GET /events HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream", proxy.address());
    let stream = ask(&proxy, &request).await;
    assert!(stream.to_ascii_lowercase().contains("content-type: text/event-stream"), "{stream}");
    let (_, events) = stream.split_once("\r\n\r\n").unwrap();
    assert!(events.split_terminator("\n\n").all(|event| event == "data: {}"), "{events}");
    assert_eq!(service.asked(), [""; 0]);
}

#[tokio::test]
async fn every_message_of_an_empty_socket_is_empty() {
    let service = service().await;
    let proxy = service.behind(Some(Fault::EmptyJson)).await;
    let url = format!("ws://{}/ws", proxy.address());
    let stream = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;
    for _ in 0..2 {
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("{}"));
        socket.send(Message::text("hello")).await.unwrap();
    }
    assert_eq!(service.asked(), [""; 0]);
}

/// Opens a tunnel to a host and says something in it; gives back what comes, to the end.
async fn within_tunnel(proxy: &Proxy, host: &str, first: &[u8]) -> String {
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let connect = format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    stream.write_all(connect.as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    if !answer.starts_with("HTTP/1.1 200") {
        return answer;
    }
    let _ = stream.write_all(first).await;
    // Whoever speaks HTTP says in the head that this was all.
    if first != IN_THE_CLEAR {
        let _ = stream.shutdown().await;
    }
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}

const IN_THE_CLEAR: &[u8] = b"GET /json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const TLS: &[u8] = b"\x16\x03\x01/json \r\n\r\n";

#[tokio::test]
async fn a_tunnel_in_the_clear_is_like_any_request_and_tls_is_left_alone() {
    let service = service().await;
    let host = service.address.to_string();
    let proxy = service.behind(None).await;
    assert!(within_tunnel(&proxy, &host, IN_THE_CLEAR).await.ends_with("{\"a\":1}"));
    // It answers whatever begins a line with a path.
    assert!(within_tunnel(&proxy, &host, TLS).await.contains("200 OK"));
    let entrance = proxy.address().to_string();
    assert!(within_tunnel(&proxy, &entrance, IN_THE_CLEAR).await.ends_with("{\"a\":1}"));
    let kinds = [Content::Json, Content::Sealed, Content::Json];
    assert_eq!(contents(&proxy.finish().await), kinds);

    let asked = service.asked().len();
    let proxy = service.behind(Some(Fault::Status500)).await;
    assert!(within_tunnel(&proxy, &host, IN_THE_CLEAR).await.starts_with("HTTP/1.1 500"));
    assert_eq!(within_tunnel(&proxy, &host, TLS).await, "", "it is closed, not changed");
    assert_eq!(service.asked().len(), asked);
    // Nobody's fault but its own: a host that is not the service's.
    let other = self::service().await;
    let other_host = other.address.to_string();
    assert!(within_tunnel(&proxy, &other_host, TLS).await.contains("200 OK"));
    assert!(within_tunnel(&proxy, &other_host, IN_THE_CLEAR).await.contains("200 OK"));
}

/// What nobody could change within TLS, once the command comes by the entrance.
#[tokio::test]
async fn a_service_behind_tls_has_an_entrance_in_the_clear() {
    let (service, tls) = service_behind_tls().await;
    let proxy = service.behind_with(None, Some(tls.clone())).await;
    assert!(get(&proxy, "/json").await.ends_with("{\"a\":1}"));
    let (_, said) = frames(&proxy).await;
    assert_eq!(said, [0x81, 1, b'a', 0x81, 1, b'b', 0x88, 0]);
    let kinds = [Content::Json, Content::Socket { messages: 2, json: false }];
    assert_eq!(contents(&proxy.finish().await), kinds);
    let proxy = service.behind_with(Some(Fault::WsClose1011), Some(tls.clone())).await;
    assert_eq!(frames(&proxy).await.1, [0x81, 1, b'a', 0x88, 2, 0x03, 0xf3]);
    let asked = service.asked().len();
    let proxy = service.behind_with(Some(Fault::EmptyJson), Some(tls)).await;
    assert!(get(&proxy, "/json").await.ends_with("\r\n\r\n{}"));
    assert_eq!(service.asked().len(), asked);
    // Nobody whom the machine does not trust vouches for it.
    let stranger = Tls::with(rustls::RootCertStore::empty()).unwrap();
    let proxy = service.behind_with(None, Some(stranger)).await;
    assert!(get(&proxy, "/json").await.starts_with("HTTP/1.1 502"));
    let unreached = proxy.finish().await.unreached;
    let whys: Vec<_> = unreached.iter().map(|unreached| unreached.why.as_str()).collect();
    assert!(
        matches!(whys.as_slice(), [why] if why.starts_with("no TLS with 127.0.0.1:")),
        "{whys:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_reached_is_said_and_is_no_exchange() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let service = service().await;
    let proxy = service.behind(None).await;
    let said = ask(&proxy, &format!("GET http://{gone}/ HTTP/1.1")).await;
    assert!(said.starts_with("HTTP/1.1 502") && said.contains("andon's proxy"), "{said}");
    let said = within_tunnel(&proxy, &gone.to_string(), b"").await;
    assert!(said.starts_with("HTTP/1.1 502"), "{said}");
    let said = ask(&proxy, "GET https://a.example/ HTTP/1.1").await;
    assert!(said.starts_with("HTTP/1.1 400"), "{said}");
    let traffic = proxy.finish().await;
    assert_eq!(contents(&traffic), []);
    let [unreached] = traffic.unreached.as_slice() else { panic!("{:?}", traffic.unreached) };
    assert_eq!(unreached.host, gone.to_string());
    assert_eq!(unreached.why, format!("no connection to {gone}: connection refused"));

    let settings = Settings {
        fault: None,
        service: Service::default(),
        hosts: Some(HostList::new(["staging.example".to_owned()])),
        tls: None,
        started_at: Timestamp::UNIX_EPOCH,
    };
    let proxy = Proxy::start(settings).await.unwrap();
    let said = ask(&proxy, &format!("GET http://{}/ HTTP/1.1", service.address)).await;
    assert!(said.starts_with("HTTP/1.1 403"), "{said}");
    assert!(said.contains("not one of the pipeline's hosts"), "{said}");
    assert!(get(&proxy, "/").await.starts_with("HTTP/1.1 400"), "no entrance without an address");
    assert_eq!(service.asked(), [""; 0]);
}

#[tokio::test]
async fn a_command_is_led_here_by_every_variable_that_has_the_address() {
    let service = service().await;
    let proxy = service.behind(None).await;
    let base = format!("http://{}", service.address);
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut variables = vec![
        own("ANDON_VAR_BASE_URL", &base),
        own("API", &format!("{base}/v1")),
        own("OTHER", "http://other.example/"),
    ];
    proxy.lead_here(&mut variables);
    let value = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap()
    };
    let here = format!("http://{}", proxy.address());
    assert_eq!(value("ANDON_VAR_BASE_URL"), here);
    assert_eq!(value("API"), format!("{here}/v1"));
    assert_eq!(value("OTHER"), "http://other.example/");
    assert_eq!(
        (value("HTTPS_PROXY"), value("http_proxy"), value("NO_PROXY")),
        (&*here, &*here, "")
    );
}
