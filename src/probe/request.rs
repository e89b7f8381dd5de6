//! Requests with everything filled in, ready to be sent.

use std::path::PathBuf;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use url::Url;

use super::answer::MAX_BODY_BYTES;
use super::fault::{Fault, FaultKind};
use crate::domain::spec::TlsOptions;

/// An HTTP request with everything filled in.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: RequestBody,
    pub(super) follow: u32,
    pub(super) tls: TlsOptions,
    pub(super) http2: bool,
}

/// A WebSocket handshake with everything filled in.
#[derive(Debug, Clone)]
pub struct WsRequest {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) subprotocols: Vec<String>,
    pub(super) tls: TlsOptions,
}

/// A body, files not read yet.
#[derive(Debug, Clone)]
pub(super) enum RequestBody {
    Empty,
    Bytes(Bytes),
    File(PathBuf),
    Multipart { boundary: String, parts: Vec<Part> },
}

/// One part of a multipart body.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) content: PartContent,
    pub(super) content_type: Option<String>,
}

/// What a part holds.
#[derive(Debug, Clone)]
pub(super) enum PartContent {
    Text(String),
    File(PathBuf),
}

impl Request {
    /// A plain GET, with the headers that every request has.
    pub fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: default_headers(),
            body: RequestBody::Empty,
            follow: 0,
            tls: TlsOptions::default(),
            http2: false,
        }
    }

    /// The address, for people; it may hold secrets.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

/// The headers that every request has where the step does not say otherwise.
pub(super) fn default_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    let agent = concat!("andon/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    // Evidence and expectations speak of the body as the service made it.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers
}

/// A header from texts.
pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Fault> {
    let bad = |what: String| Fault::new(FaultKind::BadRequest, what);
    let name = HeaderName::try_from(name)
        .map_err(|_| bad(format!("{name:?} cannot be the name of a header")))?;
    let value = HeaderValue::try_from(value).map_err(|_| {
        bad(format!("the value of header {name} has characters that none may have"))
    })?;
    Ok((name, value))
}

impl RequestBody {
    /// Its bytes; files are read now.
    pub(super) async fn load(&self) -> Result<Bytes, Fault> {
        match self {
            Self::Empty => Ok(Bytes::new()),
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::File(path) => read_file(path).await.map(Bytes::from),
            Self::Multipart { boundary, parts } => multipart(boundary, parts).await,
        }
    }
}

async fn multipart(boundary: &str, parts: &[Part]) -> Result<Bytes, Fault> {
    let mut out = Vec::new();
    for part in parts {
        let mut head =
            format!("--{boundary}\r\ncontent-disposition: form-data; name={}", quoted(&part.name));
        let content = match &part.content {
            PartContent::Text(text) => text.clone().into_bytes(),
            PartContent::File(path) => {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                head.push_str(&format!("; filename={}", quoted(&file)));
                read_file(path).await?
            }
        };
        if let Some(kind) = &part.content_type {
            head.push_str(&format!("\r\ncontent-type: {}", kind.replace(['\r', '\n'], " ")));
        }
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&content);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(Bytes::from(out))
}

/// A name as multipart headers write it (WHATWG HTML, 4.10.21.8).
fn quoted(text: &str) -> String {
    let text = text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    format!("\"{text}\"")
}

async fn read_file(path: &PathBuf) -> Result<Vec<u8>, Fault> {
    let bad = |fault: String| {
        let message = format!("body file {} cannot be used: {fault}", path.display());
        Fault::new(FaultKind::BadRequest, message)
    };
    let length = tokio::fs::metadata(path).await.map_err(|f| bad(f.to_string()))?.len();
    if length > MAX_BODY_BYTES as u64 {
        return Err(bad(format!("it has {length} bytes, more than {MAX_BODY_BYTES}")));
    }
    tokio::fs::read(path).await.map_err(|fault| bad(fault.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn multipart_bodies_are_framed() {
        let part = |name: &str, text: &str, kind: Option<&str>| Part {
            name: name.to_owned(),
            content: PartContent::Text(text.to_owned()),
            content_type: kind.map(str::to_owned),
        };
        let parts = vec![part("a", "1", None), part("b\"", "2", Some("text/plain"))];
        let body = RequestBody::Multipart { boundary: "XX".to_owned(), parts };
        let bytes = body.load().await.unwrap();
        let wanted = "--XX\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
            --XX\r\ncontent-disposition: form-data; name=\"b%22\"\r\ncontent-type: text/plain\r\n\r\n2\r\n--XX--\r\n";
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), wanted);
    }

    #[tokio::test]
    async fn a_missing_file_is_our_fault() {
        let fault = RequestBody::File("does-not-exist".into()).load().await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::BadRequest);
    }

    #[test]
    fn a_header_cannot_smuggle_another() {
        assert!(header("x-a", "1\r\nx-b: 2").is_err());
        assert!(header("x a", "1").is_err());
        assert!(header("x-a", "1").is_ok());
    }
}
