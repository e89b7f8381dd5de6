//! A client that sends what it is told, byte for byte, and reads what comes back.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing that a test waits for may take longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A request to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    method: String,
    path: String,
    host: Option<String>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub(crate) fn get(path: &str) -> Ask {
    Ask {
        method: "GET".to_owned(),
        path: path.to_owned(),
        host: None,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// A form of a page, as a browser sends it.
pub(crate) fn send(path: &str, fields: &[(&str, &str)]) -> Ask {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let ask = Ask { method: "POST".to_owned(), body: body.into_bytes(), ..get(path) };
    ask.with("content-type", "application/x-www-form-urlencoded")
}

pub(crate) fn post(path: &str, body: impl AsRef<[u8]>) -> Ask {
    let body = body.as_ref().to_vec();
    Ask { method: "POST".to_owned(), body, ..get(path) }.with("content-type", "application/json")
}

impl Ask {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Another host than the one that is asked.
    pub(crate) fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    pub(crate) fn bytes(&self, address: SocketAddr) -> Vec<u8> {
        let host = self.host.clone().unwrap_or_else(|| address.to_string());
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.method != "GET" {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("connection: close\r\n\r\n");
        [head.into_bytes(), self.body.clone()].concat()
    }

    pub(crate) async fn of(self, address: SocketAddr) -> Reply {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that refuses early may stop reading.
        let _ = stream.write_all(&self.bytes(address)).await;
        read_reply(&mut stream).await
    }

    /// The same from a server that may hang up without an answer, as one that ends does.
    pub(crate) async fn perhaps_of(self, address: SocketAddr) -> Option<Reply> {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let _ = stream.write_all(&self.bytes(address)).await;
        let mut bytes = Vec::new();
        let reading = stream.read_to_end(&mut bytes);
        let _ = timeout(PATIENCE, reading).await.expect("an answer comes to its end");
        parse(&bytes)
    }
}

/// Reads until the other side closes.
pub(crate) async fn read_reply(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    let reading = stream.read_to_end(&mut bytes);
    let _ = timeout(PATIENCE, reading).await.expect("an answer comes to its end");
    parse(&bytes).unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&bytes)))
}

/// Reads until a text was seen.
pub(crate) async fn read_until(stream: &mut TcpStream, seen: &mut Vec<u8>, text: &str) {
    let wanted = text.as_bytes();
    let reading = async {
        while !seen.windows(wanted.len()).any(|window| window == wanted) {
            let count = stream.read_buf(seen).await.unwrap();
            assert!(count > 0, "closed before {text:?}: {:?}", String::from_utf8_lossy(seen));
        }
    };
    let waited = timeout(PATIENCE, reading).await;
    assert!(waited.is_ok(), "{text:?} does not come");
}

fn parse(bytes: &[u8]) -> Option<Reply> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let body = bytes[end + 4..].to_vec();
    let chunked =
        headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { unchunked(&body) } else { body };
    Some(Reply { status, headers, body })
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let digits = std::str::from_utf8(&rest[..end]).unwrap();
        let length = usize::from_str_radix(digits, 16).unwrap();
        let start = end + 2;
        if length == 0 || rest.len() < start + length {
            break;
        }
        body.extend_from_slice(&rest[start..start + length]);
        rest = &rest[start + length + 2..];
    }
    body
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A page as it is read: the templates write slashes as numbers.
    pub(crate) fn html(&self) -> String {
        self.text().replace("&#x2f;", "/")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|fault| panic!("{fault}: {} {}", self.status, self.text()))
    }

    /// A page with that status: HTML that brings nothing along from elsewhere and runs nothing of others.
    #[track_caller]
    pub(crate) fn page(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "text/html; charset=utf-8");
        let policy = self.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        let html = self.text();
        assert!(
            html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"),
            "{html}"
        );
        for within in [" style=\"", " onclick", "<style", "javascript:"] {
            assert!(!html.contains(within), "{within}: {html}");
        }
        self
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        if status >= 400 {
            let problem = self.json();
            assert_eq!(self.header("content-type"), "application/problem+json");
            assert_eq!(problem["status"], status, "{problem}");
            assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
        }
        self
    }
}
