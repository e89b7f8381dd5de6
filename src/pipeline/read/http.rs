//! Requests: `http`, `sse`, and the requests of checks and controls.

use crate::domain::spec::{
    BasicAuth, Body, Control, Expect, HttpRequest, MultipartPart, TlsOptions,
};
use crate::domain::template::Template;
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::names::Scope;
use crate::pipeline::read::expect::{self, Target};
use crate::pipeline::reader::{Cx, Fields, Placeholder, Shape};
use crate::pipeline::yaml::{Node, Value};

const BODIES: &[&str] = &["json", "form", "multipart", "text", "file"];
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

pub(crate) static HTTP: Shape = Shape {
    name: "Http",
    what: "a request",
    keys: &[
        "method",
        "url",
        "headers",
        "query",
        "json",
        "form",
        "multipart",
        "text",
        "file",
        "follow",
        "basic",
        "bearer",
        "insecure",
        "ca",
        "http2",
    ],
    elsewhere: &[
        ("body", "a request's body is one of `json`, `form`, `multipart`, `text` or `file`"),
        ("data", "a request's body is one of `json`, `form`, `multipart`, `text` or `file`"),
        ("status", "`status` stands under `expect`, beside the request"),
        ("expect", "`expect` stands beside the request, not in it"),
        ("timeout", "`timeout` stands beside the request, not in it"),
        ("auth", "use `basic: { username, password }` or `bearer: TOKEN`"),
        ("redirects", "write `follow: 5` to follow redirects"),
    ],
};

pub(crate) static BASIC: Shape = Shape {
    name: "Basic",
    what: "`basic`",
    keys: &["username", "password"],
    elsewhere: &[("user", "did you mean `username`?")],
};

pub(crate) static PART: Shape = Shape {
    name: "Part",
    what: "a part of a multipart body",
    keys: &["name", "text", "file", "content_type"],
    elsewhere: &[],
};

pub(crate) static CONTROL: Shape = Shape {
    name: "Control",
    what: "a check",
    keys: &["name", "http", "expect"],
    elsewhere: &[("url", "the address stands in `http: { url: … }`")],
};

impl Placeholder for HttpRequest {
    fn placeholder() -> Self {
        empty("GET", Template::placeholder())
    }
}

fn empty(method: &str, url: Template) -> HttpRequest {
    HttpRequest {
        method: method.to_owned(),
        url,
        headers: Vec::new(),
        query: Vec::new(),
        body: None,
        follow: 0,
        basic: None,
        bearer: None,
        tls: TlsOptions::default(),
        http2: false,
    }
}

/// Reads a request; a text is the address of a GET.
pub(crate) fn request(cx: &mut Cx<'_>, node: &Node) -> HttpRequest {
    if matches!(node.value, Value::Text(_)) {
        return empty("GET", cx.url(node, &["http", "https"]));
    }
    let fields = Fields::open(cx, node, &HTTP);
    let body = body(cx, &fields);
    let method = fields.optional(cx, "method", method);
    let default = if body.is_some() { "POST" } else { "GET" };
    fields.at_most_one(cx, &["basic", "bearer"]);
    HttpRequest {
        method: method.unwrap_or_else(|| default.to_owned()),
        url: fields.required(cx, "url", |cx, node| cx.url(node, &["http", "https"])),
        headers: fields.optional(cx, "headers", Cx::headers).unwrap_or_default(),
        query: fields.optional(cx, "query", Cx::template_map).unwrap_or_default(),
        body,
        follow: fields.optional(cx, "follow", |cx, node| cx.count(node, 0..=50)).unwrap_or(0),
        basic: fields.optional(cx, "basic", basic),
        bearer: fields.optional(cx, "bearer", Cx::filled_template),
        tls: tls_options(cx, &fields),
        http2: fields.optional(cx, "http2", Cx::flag).unwrap_or(false),
    }
}

/// Reads `insecure` and `ca`.
pub(crate) fn tls_options(cx: &mut Cx<'_>, fields: &Fields<'_>) -> TlsOptions {
    TlsOptions {
        insecure: fields.optional(cx, "insecure", Cx::flag).unwrap_or(false),
        ca: fields.optional(cx, "ca", Cx::path),
    }
}

fn method(cx: &mut Cx<'_>, node: &Node) -> String {
    let text = cx.text(node);
    let upper = text.to_ascii_uppercase();
    if METHODS.contains(&upper.as_str()) || text.is_empty() {
        return upper;
    }
    let near = cx.suggester.nearest(&upper, METHODS.iter().copied());
    let is_token = ::http::Method::from_bytes(upper.as_bytes()).is_ok();
    if let Some(near) = near {
        cx.warning(node.span, format!("unusual method {}", quoted(&upper)))
            .help(format!("did you mean `{near}`?"));
    } else if !is_token || upper == "CONNECT" {
        cx.error(node.span, format!("{} is not a method that can be sent", quoted(&upper)))
            .help(format!("for example {}", METHODS.join(", ")));
    }
    upper
}

fn basic(cx: &mut Cx<'_>, node: &Node) -> BasicAuth {
    let fields = Fields::open(cx, node, &BASIC);
    BasicAuth {
        username: fields.required(cx, "username", Cx::template),
        password: fields.required(cx, "password", Cx::template),
    }
}

fn body(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Option<Body> {
    let kind = fields.at_most_one(cx, BODIES)?;
    if kind == "json" {
        // JSON null is a body, so an empty value is none of our business here.
        return fields.entry("json").map(|entry| Body::Json(cx.json(&entry.value)));
    }
    let node = fields.node(cx, kind)?;
    Some(match kind {
        "form" => Body::Form(cx.template_map(node)),
        "multipart" => Body::Multipart(parts(cx, node)),
        "file" => Body::File(cx.path(node)),
        _ => Body::Text(cx.template(node)),
    })
}

/// A multipart body: a list of parts, or a map from names to texts.
fn parts(cx: &mut Cx<'_>, node: &Node) -> Vec<MultipartPart> {
    if matches!(node.value, Value::Map(_)) {
        return cx.free_map(node, |cx, entry| MultipartPart {
            name: entry.key.clone(),
            text: Some(cx.template(&entry.value)),
            file: None,
            content_type: None,
        });
    }
    cx.strict_list(node, |cx, node| {
        let fields = Fields::open(cx, node, &PART);
        fields.exactly_one(cx, &["text", "file"]);
        MultipartPart {
            name: fields.required(cx, "name", Cx::text),
            text: fields.optional(cx, "text", Cx::template),
            file: fields.optional(cx, "file", Cx::path),
            content_type: fields.optional(cx, "content_type", Cx::text),
        }
    })
}

/// Reads a readiness check or a control.
pub(crate) fn control(cx: &mut Cx<'_>, node: &Node) -> Control {
    cx.in_scope(Scope::Step, |cx| {
        let fields = Fields::open(cx, node, &CONTROL);
        let request = fields.required(cx, "http", request);
        let name = fields.optional(cx, "name", Cx::text);
        Control {
            name: name.unwrap_or_else(|| title(&request)),
            expect: optional_expect(cx, &fields),
            request,
        }
    })
}

/// Reads the `expect` beside a request.
pub(crate) fn optional_expect(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Expect {
    fields
        .optional(cx, "expect", |cx, node| expect::expect(cx, node, Target::Http))
        .unwrap_or_default()
}

/// What to call a request that has no name, with the address as written, so without secrets.
pub(crate) fn title(request: &HttpRequest) -> String {
    format!("{} {}", request.method, request.url.source())
}
