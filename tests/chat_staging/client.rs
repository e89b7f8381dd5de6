//! A running service and the plainest clients for it, sharing no code with what they test.

use crate::service::{Config, serve};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{SinkExt, StreamExt};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

pub const KEY: &str = "key of the tests";
pub const BYPASS: &str = "bypass of the tests";
pub const ALICE: &str = "staging-e2e-user-001";
pub const BOB: &str = "staging-e2e-user-002";
/// No test waits longer for anything that must come.
const DEADLINE: Duration = Duration::from_secs(20);

/// A configuration with the keys of the tests and no pauses.
pub fn config() -> Config {
    Config {
        jwt_key: KEY.into(),
        bypass_key: BYPASS.into(),
        settle_ms: 0,
        agent_step_ms: 1,
        chunk_ms: 0,
        event_tick_ms: 1,
        ..Config::default()
    }
}

/// Signs any claims.
pub fn sign(key: &str, claims: &Value) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// A token that is good for an hour, issued `age_s` seconds ago.
pub fn token_of_age(user: &str, age_s: i64) -> String {
    let now = jiff::Timestamp::now().as_second();
    sign(KEY, &json!({ "sub": user, "iat": now - age_s, "exp": now + 3600 }))
}

pub fn token(user: &str) -> String {
    token_of_age(user, 0)
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// A service on a port of its own, ended when dropped.
pub struct Service {
    pub address: SocketAddr,
    stop: CancellationToken,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Service {
    pub async fn start(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move { serve(listener, config, stopped).await.unwrap() });
        Self { address, stop }
    }

    /// One request on a connection of its own. `headers` are whole lines.
    pub async fn send(&self, method: &str, path: &str, headers: &[String], body: &str) -> Answer {
        send(self.address, method, path, headers, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub async fn get_as(&self, user: &str, path: &str) -> Answer {
        self.send("GET", path, &[bearer(user)], "").await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &[], &body.to_string()).await
    }

    pub async fn post_as(&self, user: &str, path: &str, body: Value) -> Answer {
        self.send("POST", path, &[bearer(user)], &body.to_string()).await
    }

    /// A connection on which a request was written and nothing read yet.
    pub async fn open_stream(
        &self,
        method: &str,
        path: &str,
        headers: &[String],
        body: &str,
    ) -> TcpStream {
        write_request(self.address, method, path, headers, body).await
    }

    /// A socket, or the status that refused it.
    pub async fn socket(
        &self,
        path: &str,
        headers: &[(&'static str, String)],
    ) -> Result<Socket, u16> {
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, answer)) => {
                let protocol = answer.headers().get("sec-websocket-protocol").cloned();
                let protocol = protocol.map(|value| value.to_str().unwrap().to_owned());
                Ok(Socket { inner: socket, protocol })
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("no handshake: {other}"),
        }
    }

    pub async fn socket_of(&self, user: &str) -> Socket {
        self.socket("/ws", &[("authorization", format!("Bearer {}", token(user)))]).await.unwrap()
    }

    /// A socket that has been welcomed.
    pub async fn welcomed(&self, user: &str) -> Socket {
        let mut socket = self.socket_of(user).await;
        assert_eq!(socket.frame().await["type"], "handshake_validation");
        assert_eq!(socket.frame().await["type"], "system_message");
        socket
    }
}

pub fn bearer(user: &str) -> String {
    format!("Authorization: Bearer {}", token(user))
}

pub async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[String],
    body: &str,
) -> Answer {
    let mut stream = write_request(address, method, path, headers, body).await;
    let mut bytes = Vec::new();
    within(stream.read_to_end(&mut bytes)).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

async fn write_request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[String],
    body: &str,
) -> TcpStream {
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for line in headers {
        request.push_str(line);
        request.push_str("\r\n");
    }
    if !body.is_empty() {
        request.push_str(&format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        ));
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
    stream
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("it comes in time")
}

/// What a socket gave.
#[derive(Debug, PartialEq)]
pub enum Heard {
    Frame(Value),
    Closed(u16),
    Cut,
}

pub struct Socket {
    inner: WebSocketStream<TcpStream>,
    pub protocol: Option<String>,
}

impl Socket {
    pub async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    pub async fn say_text(&mut self, text: &str) {
        within(self.inner.send(Message::text(text))).await.unwrap();
    }

    pub async fn hear(&mut self) -> Heard {
        loop {
            match within(self.inner.next()).await {
                Some(Ok(Message::Text(text))) => {
                    return Heard::Frame(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(Some(frame)))) => return Heard::Closed(frame.code.into()),
                Some(Ok(Message::Close(None))) => return Heard::Closed(1005),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Cut,
            }
        }
    }

    pub async fn frame(&mut self) -> Value {
        match self.hear().await {
            Heard::Frame(frame) => frame,
            other => panic!("expected a frame, got {other:?}"),
        }
    }

    /// The next frames up to the first of this type, that one included.
    pub async fn frames_until(&mut self, kind: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self.frame().await;
            let last = frame["type"] == kind;
            frames.push(frame);
            if last {
                return frames;
            }
        }
    }

    /// Everything up to the end: the frames, and how it ended.
    pub async fn until_end(&mut self) -> (Vec<Value>, Heard) {
        let mut frames = Vec::new();
        loop {
            match self.hear().await {
                Heard::Frame(frame) => frames.push(frame),
                end => return (frames, end),
            }
        }
    }

    /// Says goodbye and waits until the other side has, too.
    pub async fn close(mut self) {
        within(self.inner.close(None)).await.unwrap();
        while !matches!(self.hear().await, Heard::Closed(_) | Heard::Cut) {}
    }
}

/// The `type` of each frame.
pub fn kinds(frames: &[Value]) -> Vec<&str> {
    frames.iter().map(|frame| frame["type"].as_str().unwrap()).collect()
}
