//! Steps on a WebSocket: open, send, close, and the sessions that steps of a case share.

use std::collections::BTreeMap;

use crate::domain::spec::{WsClose, WsMessage, WsOpen, WsStep};
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::faults::Span;
use crate::pipeline::read::http::tls_options;
use crate::pipeline::reader::{Cx, Fields, Shape};
use crate::pipeline::yaml::{Node, Value};

pub(crate) static WS: Shape = Shape {
    name: "Ws",
    what: "`ws`",
    keys: &["url", "headers", "subprotocol", "session", "insecure", "ca"],
    elsewhere: &[
        ("send", "`send` stands beside `ws`, not in it"),
        ("close", "`close` stands beside `ws`, not in it"),
        ("expect", "`expect` stands beside `ws`, not in it"),
        ("timeout", "`timeout` stands beside `ws`, not in it"),
        ("subprotocols", "did you mean `subprotocol`? It takes a list too"),
    ],
};

pub(crate) static MESSAGE: Shape =
    Shape { name: "Message", what: "a message", keys: &["json", "text"], elsewhere: &[] };

pub(crate) static CLOSE: Shape =
    Shape { name: "Close", what: "`close`", keys: &["code", "reason"], elsewhere: &[] };

/// The sockets that the steps of a case have opened under a name.
#[derive(Debug, Default)]
pub(crate) struct Sessions(BTreeMap<String, Session>);

#[derive(Debug, Clone, Copy)]
struct Session {
    opened: Span,
    closed: Option<Span>,
}

impl Sessions {
    fn open(&mut self, cx: &mut Cx<'_>, name: &str, at: Span) {
        if let Some(Session { opened, closed: None }) = self.0.get(name) {
            cx.error(at, format!("the session {} is open already", quoted(name)))
                .help("leave out `url` to go on with it, or give this one another name")
                .related(*opened, "opened here");
        }
        self.0.insert(name.to_owned(), Session { opened: at, closed: None });
    }

    fn go_on(&self, cx: &mut Cx<'_>, name: &str, at: Span) {
        match self.0.get(name) {
            Some(Session { closed: None, .. }) => {}
            Some(Session { closed: Some(closed), .. }) => {
                cx.error(at, format!("the session {} is closed by then", quoted(name)))
                    .related(*closed, "closed here");
            }
            None => {
                let near = cx.suggester.nearest(name, self.0.keys().map(String::as_str));
                let message =
                    format!("no earlier step of the case opens the session {}", quoted(name));
                let fault = cx.error(at, message);
                if let Some(near) = near {
                    fault.help(format!("did you mean `{near}`?"));
                }
                fault.help("the step that opens it has `url` and `session`");
            }
        }
    }

    fn close(&mut self, name: &str, at: Span) {
        if let Some(session) = self.0.get_mut(name) {
            session.closed = Some(at);
        }
    }
}

/// What stands beside `ws` in its step.
pub(crate) struct Beside {
    pub(crate) send: Vec<WsMessage>,
    pub(crate) close: Option<(WsClose, Span)>,
}

/// Reads `ws`.
pub(crate) fn ws(cx: &mut Cx<'_>, node: &Node, beside: Beside, sessions: &mut Sessions) -> WsStep {
    let fields = Fields::open(cx, node, &WS);
    let open = if fields.has("url") {
        Some(WsOpen {
            url: fields.required(cx, "url", |cx, node| cx.url(node, &["ws", "wss"])),
            headers: fields.optional(cx, "headers", Cx::headers).unwrap_or_default(),
            subprotocols: fields.one_or_many(cx, "subprotocol", Cx::filled_template),
            tls: tls_options(cx, &fields),
        })
    } else {
        only_with_url(cx, &fields);
        None
    };
    let session = fields.optional(cx, "session", Cx::text);
    let at = fields.key_span("session");
    match (&session, &open) {
        (Some(name), Some(_)) => sessions.open(cx, name, at),
        (Some(name), None) => sessions.go_on(cx, name, at),
        (None, Some(_)) => {}
        (None, None) => {
            if node.as_map().is_some() {
                cx.error(
                    node.span,
                    "`ws` needs `url` to open a socket, or `session` to go on with one",
                );
            }
        }
    }
    if let (Some(name), Some((_, closed))) = (&session, &beside.close) {
        sessions.close(name, *closed);
    }
    WsStep { session, open, send: beside.send, close: beside.close.map(|(close, _)| close) }
}

fn only_with_url(cx: &mut Cx<'_>, fields: &Fields<'_>) {
    for key in ["headers", "subprotocol", "insecure", "ca"] {
        if let Some(entry) = fields.entry(key) {
            cx.error(entry.key_span, format!("`{key}` has no effect without `url`"))
                .help("it belongs to the step that opens the socket");
        }
    }
}

/// Reads `send`: a message or a list of them.
pub(crate) fn messages(cx: &mut Cx<'_>, node: &Node) -> Vec<WsMessage> {
    if matches!(&node.value, Value::List(items) if items.is_empty()) {
        cx.error(node.span, "there is nothing to send");
    }
    cx.list(node, |cx, node| {
        if node.as_text().is_some() {
            cx.wrong_type(node, "`{ text: … }` or `{ json: … }`");
            return WsMessage::Text(crate::domain::template::Template::literal(""));
        }
        let fields = Fields::open(cx, node, &MESSAGE);
        match fields.exactly_one(cx, &["json", "text"]).and_then(|key| fields.entry(key)) {
            Some(entry) if entry.key == "json" => WsMessage::Json(cx.json(&entry.value)),
            Some(entry) => WsMessage::Text(cx.template(&entry.value)),
            None => WsMessage::Text(crate::domain::template::Template::literal("")),
        }
    })
}

/// Reads `close`: a map, or the code alone.
pub(crate) fn close(cx: &mut Cx<'_>, node: &Node) -> WsClose {
    if matches!(node.value, Value::Number(_)) {
        return WsClose { code: code(cx, node), reason: None };
    }
    let fields = Fields::open(cx, node, &CLOSE);
    let reason = fields.optional(cx, "reason", |cx, node| {
        if node.as_text().is_some_and(|text| text.len() > 123) {
            cx.error(
                node.span,
                "the reason is longer than 123 bytes, the most that a close frame holds",
            );
        }
        cx.template(node)
    });
    WsClose { code: fields.optional(cx, "code", code).unwrap_or(1000), reason }
}

/// A close code that may be sent (RFC 6455, section 7.4).
fn code(cx: &mut Cx<'_>, node: &Node) -> u16 {
    let Value::Number(number) = &node.value else {
        cx.wrong_type(node, "a close code such as `1000`");
        return 1000;
    };
    let code = number.as_u64().and_then(|code| u16::try_from(code).ok());
    match code.filter(|code| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)) {
        Some(code) => code,
        None => {
            cx.error(node.span, format!("`{number}` is not a close code that may be sent"))
                .help("use 1000 to 1003, 1007 to 1014, or 3000 to 4999");
            1000
        }
    }
}
