//! `expect` of a step: what must hold, and whether this kind of step can show it.

use crate::domain::spec::{Expect, Ordering, TlsExpect};
use crate::pipeline::check::any_status;
use crate::pipeline::faults::Span;
use crate::pipeline::read::events;
use crate::pipeline::read::matcher::{Subject, matcher};
use crate::pipeline::reader::{Cx, Fields, Shape};
use crate::pipeline::yaml::Node;

pub(crate) static EXPECT: Shape = Shape {
    name: "Expect",
    what: "`expect`",
    keys: &[
        "status",
        "header",
        "json",
        "body",
        "schema",
        "latency",
        "first_byte",
        "tls",
        "subprotocol",
        "events",
        "refused",
        "or_close",
        "close",
    ],
    elsewhere: &[
        ("headers", "did you mean `header`?"),
        ("capture", "`capture` stands beside `expect`, not in it"),
        ("eventually", "`eventually` stands beside `expect`, not in it"),
        ("text", "write `body: …` to expect a text"),
    ],
};

pub(crate) static TLS: Shape =
    Shape { name: "TlsExpect", what: "`tls`", keys: &["expires_in"], elsewhere: &[] };

/// What a step talks to, which decides what can be expected of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// One answer.
    Http,
    /// A stream of events.
    Sse,
    /// A WebSocket that the step opens.
    Socket,
    /// A WebSocket that an earlier step opened.
    Session,
}

/// Reads `expect`.
pub(crate) fn expect(cx: &mut Cx<'_>, node: &Node, target: Target) -> Expect {
    let fields = Fields::open(cx, node, &EXPECT);
    for key in EXPECT.keys {
        if let (Some(entry), Some(reason)) = (fields.entry(key), out_of_place(key, target)) {
            cx.error(entry.key_span, format!("`{key}` cannot be expected here")).help(reason);
        }
    }
    let either = fields.at_most_one(cx, &["close", "or_close"]);
    check_pairs(cx, &fields, either);
    let expect = Expect {
        status: fields.optional(cx, "status", |cx, node| matcher(cx, node, Subject::Status)),
        headers: fields
            .optional(cx, "header", |cx, node| {
                cx.free_map(node, |cx, entry| {
                    let name = cx.header_name(&entry.key, entry.key_span);
                    (name, matcher(cx, &entry.value, Subject::Text))
                })
            })
            .unwrap_or_default(),
        json: fields
            .optional(cx, "json", |cx, node| {
                cx.free_map(node, |cx, entry| {
                    let path = cx.json_path_key(entry);
                    (path, matcher(cx, &entry.value, Subject::Json))
                })
            })
            .unwrap_or_default(),
        body: fields.optional(cx, "body", |cx, node| matcher(cx, node, Subject::Text)),
        schema: fields.optional(cx, "schema", Cx::schema),
        latency: fields.optional(cx, "latency", step_bound),
        first_byte: fields.optional(cx, "first_byte", Cx::bound),
        tls: fields.optional(cx, "tls", tls),
        subprotocol: fields
            .optional(cx, "subprotocol", |cx, node| matcher(cx, node, Subject::Text)),
        events: fields.optional(cx, "events", |cx, node| events::events(cx, node, target)),
        refused: fields.optional(cx, "refused", events::refused),
        close: either.and_then(|key| fields.optional(cx, key, events::close)),
    };
    tell_any_status(cx, &expect, fields.key_span("status"));
    expect
}

fn step_bound(cx: &mut Cx<'_>, node: &Node) -> crate::domain::spec::DurationBound {
    if node.as_map().is_some() {
        cx.wrong_type(node, "a bound such as `\"< 2s\"`")
            .help("percentiles stand in the `expect` of the case, beside `repeat` or `parallel`");
        return crate::pipeline::reader::Placeholder::placeholder();
    }
    cx.bound(node)
}

fn tls(cx: &mut Cx<'_>, node: &Node) -> TlsExpect {
    let fields = Fields::open(cx, node, &TLS);
    TlsExpect {
        expires_in: fields
            .required(cx, "expires_in", |cx, node| cx.bound_like(node, Ordering::Greater)),
    }
}

/// Why something cannot be expected of a step.
fn out_of_place(key: &str, target: Target) -> Option<&'static str> {
    let is_socket = matches!(target, Target::Socket | Target::Session);
    match key {
        "events" if target == Target::Http => Some("events come on `ws` and `sse` steps"),
        "subprotocol" | "refused" | "or_close" | "close" if !is_socket => {
            Some("only a `ws` step can show that")
        }
        "status" | "header" | "subprotocol" | "tls" | "refused" | "or_close"
            if target == Target::Session =>
        {
            Some("the handshake was in the step that opened the session: expect it there")
        }
        "latency" if target == Target::Session => {
            Some("there is no handshake to measure: give `events` a `within` instead")
        }
        "body" | "schema" if target != Target::Http => {
            Some("there is no body but messages: use `json` or `events`")
        }
        "first_byte" if is_socket => Some("only `http` and `sse` steps have a first byte"),
        _ => None,
    }
}

fn check_pairs(cx: &mut Cx<'_>, fields: &Fields<'_>, either: Option<&'static str>) {
    let refused = fields.has("refused");
    let at = |key: &str| fields.key_span(key);
    if either == Some("or_close") && !refused {
        cx.error(at("or_close"), "`or_close` is the other way of `refused`, which is not there")
            .help("write `close: CODE` when the socket opens and is then closed");
    }
    if either == Some("close") && refused {
        cx.error(at("close"), "a socket that is refused is never closed")
            .help("write `or_close` when either of both will do");
    }
    if refused {
        for key in ["status", "json", "subprotocol", "events"] {
            if fields.has(key) {
                cx.error(at(key), format!("a socket that is refused has no `{key}`"))
                    .help("the status of the refusal stands in `refused: { status: … }`");
            }
        }
    }
}

/// A step that takes any status and looks at nothing else passes whatever happens; one that only
/// takes the time takes an error page for a fast answer.
fn tell_any_status(cx: &mut Cx<'_>, expect: &Expect, at: Span) {
    let Some(status) = &expect.status else { return };
    let looks_closer = !expect.headers.is_empty()
        || !expect.json.is_empty()
        || expect.body.as_ref().is_some_and(|body| !any_status::is_no_demand(body))
        || expect.schema.is_some()
        || expect.events.is_some()
        || expect.tls.is_some();
    if looks_closer || !any_status::accepts_any(status) {
        return;
    }
    let fault = if expect.latency.is_some() || expect.first_byte.is_some() {
        cx.warning(at, "every status is accepted, so a quick error page passes")
    } else {
        cx.error(at, "every status is accepted, so this step passes whatever happens")
    };
    fault.help("leave `status` out to expect 2xx, or say which ones are right");
}
