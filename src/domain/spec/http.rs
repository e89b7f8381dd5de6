//! Requests and sockets as a step describes them.

use std::path::PathBuf;

use serde::Serialize;

use crate::domain::template::{JsonTemplate, Template};

/// One HTTP request.
#[derive(Debug, Clone, Serialize)]
pub struct HttpRequest {
    /// The method, upper case, a valid token.
    pub method: String,
    /// The address.
    pub url: Template,
    /// Headers, names in lower case, in the order written.
    pub headers: Vec<(String, Template)>,
    /// Query parameters, appended to the address's own, percent-encoded when sent.
    pub query: Vec<(String, Template)>,
    /// The body.
    pub body: Option<Body>,
    /// How many redirects to follow; 0 shows them as answers.
    pub follow: u32,
    /// `Authorization: Basic …`.
    pub basic: Option<BasicAuth>,
    /// `Authorization: Bearer …`.
    pub bearer: Option<Template>,
    /// TLS.
    pub tls: TlsOptions,
    /// Ask for HTTP/2 alone: by ALPN over TLS, with prior knowledge without.
    pub http2: bool,
}

/// The body of a request.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// JSON, with its content type.
    Json(JsonTemplate),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(String, Template)>),
    /// `multipart/form-data`.
    Multipart(Vec<MultipartPart>),
    /// Plain text.
    Text(Template),
    /// The bytes of a file (absolute path; read when the step runs).
    File(PathBuf),
}

/// One part of a multipart body.
#[derive(Debug, Clone, Serialize)]
pub struct MultipartPart {
    /// The field's name.
    pub name: String,
    /// Its value, when it is a text.
    pub text: Option<Template>,
    /// Its value, when it is a file.
    pub file: Option<PathBuf>,
    /// Its content type.
    pub content_type: Option<String>,
}

/// User name and password.
#[derive(Debug, Clone, Serialize)]
pub struct BasicAuth {
    /// The user.
    pub username: Template,
    /// The password.
    pub password: Template,
}

/// How TLS is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct TlsOptions {
    /// Take any certificate. The report says so.
    pub insecure: bool,
    /// Trust the certificates of this PEM file too (absolute path).
    pub ca: Option<PathBuf>,
}

/// One server-sent stream.
#[derive(Debug, Clone, Serialize)]
pub struct SseRequest {
    /// The request that opens it.
    pub request: HttpRequest,
}

/// A step on a WebSocket. It opens a socket, or goes on with a session, or both send and close.
#[derive(Debug, Clone, Serialize)]
pub struct WsStep {
    /// Under which name later steps of the case find the socket; `None` closes it after the step.
    pub session: Option<String>,
    /// How to open it; `None` goes on with the session.
    pub open: Option<WsOpen>,
    /// Messages to send, in order.
    pub send: Vec<WsMessage>,
    /// Close it at the end of the step.
    pub close: Option<WsClose>,
}

/// How to open a WebSocket.
#[derive(Debug, Clone, Serialize)]
pub struct WsOpen {
    /// The address, `ws://` or `wss://`.
    pub url: Template,
    /// Headers of the handshake, names in lower case.
    pub headers: Vec<(String, Template)>,
    /// Subprotocols to offer.
    pub subprotocols: Vec<Template>,
    /// TLS.
    pub tls: TlsOptions,
}

/// A message to send.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WsMessage {
    /// JSON in a text frame.
    Json(JsonTemplate),
    /// A text frame.
    Text(Template),
}

/// How to close a WebSocket.
#[derive(Debug, Clone, Serialize)]
pub struct WsClose {
    /// The close code, default 1000.
    pub code: u16,
    /// The reason.
    pub reason: Option<Template>,
}
