//! Expected events, refusals, and closes of sockets.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::spec::{CloseExpect, EventName, EventsExpect, RefusedExpect};
use crate::domain::template::Template;
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::read::expect::Target;
use crate::pipeline::read::matcher::{CONDITIONS, Subject, matcher};
use crate::pipeline::reader::{Cx, Fields, Shape};
use crate::pipeline::yaml::{Node, Value};

/// How long events and closes are waited for where the file does not say.
pub(crate) const DEFAULT_WITHIN: Duration = Duration::from_secs(10);

pub(crate) static EVENTS: Shape = Shape {
    name: "Events",
    what: "`events`",
    keys: &["by", "within", "ordered", "all", "none", "where"],
    elsewhere: &[("timeout", "did you mean `within`?"), ("any", "list what must come under `all`")],
};

pub(crate) static REFUSED: Shape =
    Shape { name: "Refused", what: "`refused`", keys: &["status"], elsewhere: &[] };

pub(crate) static CLOSE_EXPECT: Shape = Shape {
    name: "CloseExpect",
    what: "an expected close",
    keys: &["code", "within"],
    elsewhere: &[("reason", "the reason of a close cannot be expected, only its code")],
};

/// Reads `events`.
pub(crate) fn events(cx: &mut Cx<'_>, node: &Node, target: Target) -> EventsExpect {
    let fields = Fields::open(cx, node, &EVENTS);
    let by = fields.optional(cx, "by", |cx, node| event_name(cx, node, target));
    if by.is_none() && !fields.has("by") && target != Target::Sse {
        fields.missing(cx, "by");
    }
    if !fields.has("all") && !fields.has("none") && node.as_map().is_some() {
        cx.error(fields.at, "`events` needs `all` or `none`")
            .label("as it stands, nothing is expected to come or to stay away");
    }
    let all = fields.one_or_many(cx, "all", Cx::filled_template);
    let none = fields.one_or_many(cx, "none", Cx::filled_template);
    let says_something = fields.has("all") || fields.has("none");
    if says_something && all.is_empty() && none.is_empty() && node.as_map().is_some() {
        cx.error(fields.at, "`events` expects nothing: its lists are empty")
            .help("name an event that must come (`all`) or must stay away (`none`)");
    }
    let wanted: BTreeSet<&str> = all.iter().map(Template::source).collect();
    for name in none.iter().map(Template::source).filter(|name| wanted.contains(name)) {
        let at = fields.key_span("none");
        cx.error(at, format!("{} must come and must not come", quoted(name)));
    }
    EventsExpect {
        by: by.unwrap_or(EventName::SseEvent),
        within: fields.optional(cx, "within", Cx::duration).unwrap_or(DEFAULT_WITHIN),
        ordered: fields.optional(cx, "ordered", Cx::flag).unwrap_or(false),
        all,
        none,
        filter: fields
            .optional(cx, "where", |cx, node| {
                cx.free_map(node, |cx, entry| {
                    let path = cx.json_path_key(entry);
                    (path, matcher(cx, &entry.value, Subject::Json))
                })
            })
            .unwrap_or_default(),
    }
}

fn event_name(cx: &mut Cx<'_>, node: &Node, target: Target) -> EventName {
    let text = cx.text(node);
    match text.as_str() {
        "event" if target == Target::Sse => EventName::SseEvent,
        "event" => {
            cx.error(node.span, "messages of a WebSocket have no `event` field of their own")
                .help("say where the name stands in the message, as in `by: $.type`");
            EventName::SseEvent
        }
        "" => EventName::SseEvent,
        path => EventName::Json(cx.json_path(path.trim_start_matches("json "), node.span)),
    }
}

/// Reads `refused`: `true`, a status, a list of them, or a map with `status`.
pub(crate) fn refused(cx: &mut Cx<'_>, node: &Node) -> RefusedExpect {
    match &node.value {
        Value::Bool(true) => RefusedExpect { status: None },
        Value::Bool(false) => {
            cx.error(node.span, "`refused: false` says nothing")
                .help("leave it out: a socket that opens is expected anyway");
            RefusedExpect { status: None }
        }
        Value::Map(_) => {
            let fields = Fields::open(cx, node, &REFUSED);
            let status =
                fields.optional(cx, "status", |cx, node| matcher(cx, node, Subject::Status));
            RefusedExpect { status }
        }
        Value::Null | Value::Number(_) | Value::Text(_) | Value::List(_) => {
            RefusedExpect { status: Some(matcher(cx, node, Subject::Status)) }
        }
    }
}

/// Reads `close` or `or_close`: a code, a list of codes, a matcher, or a map with `code` and `within`.
pub(crate) fn close(cx: &mut Cx<'_>, node: &Node) -> CloseExpect {
    let is_matcher = node.as_map().is_none_or(|entries| {
        !entries.is_empty() && entries.iter().all(|e| CONDITIONS.contains(&e.key.as_str()))
    });
    if is_matcher {
        let code = matcher(cx, node, Subject::CloseCode);
        return CloseExpect { code, within: DEFAULT_WITHIN };
    }
    let fields = Fields::open(cx, node, &CLOSE_EXPECT);
    CloseExpect {
        code: fields.required(cx, "code", |cx, node| matcher(cx, node, Subject::CloseCode)),
        within: fields.optional(cx, "within", Cx::duration).unwrap_or(DEFAULT_WITHIN),
    }
}
