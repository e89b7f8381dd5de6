//! Steps of cases, of setup and of teardown.

use std::time::Duration;

use crate::domain::spec::{Action, Capture, Eventually, SseRequest, Step, WsStep};
use crate::pipeline::names::Scope;
use crate::pipeline::read::expect::{self, Target};
use crate::pipeline::read::http;
use crate::pipeline::read::ws::{self, Beside, Sessions};
use crate::pipeline::reader::{Cx, Fields, Placeholder, Shape};
use crate::pipeline::values::{LONGEST, SHORTEST};
use crate::pipeline::yaml::{Entry, Node};

const ACTIONS: &[&str] = &["http", "ws", "sse"];

pub(crate) static STEP: Shape = Shape {
    name: "Step",
    what: "a step",
    keys: &[
        "name",
        "http",
        "ws",
        "sse",
        "send",
        "close",
        "expect",
        "capture",
        "eventually",
        "timeout",
    ],
    elsewhere: &[
        ("run", "native cases run no commands: use `suite.commands`, or a deploy step"),
        ("url", "the address stands in `http: { url: … }`, `ws: { url: … }` or `sse: { url: … }`"),
        ("status", "`status` stands under `expect`"),
        ("repeat", "`repeat` stands in the case, beside `steps`"),
        ("parallel", "`parallel` stands in the case, beside `steps`"),
    ],
};

pub(crate) static EVENTUALLY: Shape = Shape {
    name: "Eventually",
    what: "`eventually`",
    keys: &["within", "every"],
    elsewhere: &[("timeout", "did you mean `within`?")],
};

/// Reads steps in their order, so that each knows what those before it captured and opened.
pub(crate) fn steps(cx: &mut Cx<'_>, node: &Node, scope: Scope) -> Vec<Step> {
    cx.in_scope(scope, |cx| {
        cx.names.start_case();
        let mut sessions = Sessions::default();
        let mut number = 0;
        cx.strict_list(node, |cx, node| {
            number += 1;
            step(cx, node, number, &mut sessions)
        })
    })
}

fn step(cx: &mut Cx<'_>, node: &Node, number: usize, sessions: &mut Sessions) -> Step {
    let fields = Fields::open(cx, node, &STEP);
    let kind = fields.exactly_one(cx, ACTIONS);
    let name = fields.optional(cx, "name", Cx::text);
    let (action, target) = action(cx, &fields, kind, sessions);
    let expect = fields.optional(cx, "expect", |cx, node| expect::expect(cx, node, target));
    let capture =
        fields.optional(cx, "capture", |cx, node| cx.free_map(node, capture)).unwrap_or_default();
    warn_of_no_effect(cx, &fields, &action);
    let eventually = fields.optional(cx, "eventually", eventually);
    if let (Some(_), Target::Session | Target::Socket) = (&eventually, target) {
        cx.error(fields.key_span("eventually"), "`eventually` repeats requests, not sockets")
            .help("give `events` a longer `within`");
    }
    Step {
        name: name.unwrap_or_else(|| format!("step {number} ({})", kind.unwrap_or("?"))),
        action,
        expect: expect.unwrap_or_default(),
        capture,
        eventually,
        timeout: fields.optional(cx, "timeout", Cx::duration),
    }
}

fn action(
    cx: &mut Cx<'_>,
    fields: &Fields<'_>,
    kind: Option<&'static str>,
    sessions: &mut Sessions,
) -> (Action, Target) {
    let is_ws = kind == Some("ws");
    if !is_ws && kind.is_some() {
        for key in ["send", "close"] {
            if let Some(entry) = fields.entry(key) {
                cx.error(entry.key_span, format!("`{key}` has no effect without `ws`"));
            }
        }
    }
    let send = fields.optional(cx, "send", ws::messages).unwrap_or_default();
    let close_at = fields.key_span("close");
    let close = fields.optional(cx, "close", ws::close).map(|close| (close, close_at));
    match kind.and_then(|kind| Some((kind, fields.node(cx, kind)?))) {
        Some(("ws", node)) => {
            let step = ws::ws(cx, node, Beside { send, close }, sessions);
            let target = if step.open.is_some() { Target::Socket } else { Target::Session };
            (Action::Ws(Box::new(step)), target)
        }
        Some(("sse", node)) => {
            let request = http::request(cx, node);
            (Action::Sse(Box::new(SseRequest { request })), Target::Sse)
        }
        Some((_, node)) => (Action::Http(Box::new(http::request(cx, node))), Target::Http),
        None => (Action::Http(Box::new(Placeholder::placeholder())), Target::Http),
    }
}

/// A step on an open socket that neither sends nor expects nor closes does nothing.
fn warn_of_no_effect(cx: &mut Cx<'_>, fields: &Fields<'_>, action: &Action) {
    let Action::Ws(step) = action else { return };
    let WsStep { open, send, close, .. } = step.as_ref();
    let idle = open.is_none() && send.is_empty() && close.is_none();
    if idle && !fields.has("expect") && !fields.has("capture") {
        cx.warning(fields.at, "this step does nothing")
            .help("give it `send`, `expect`, `capture` or `close`");
    }
}

fn capture(cx: &mut Cx<'_>, entry: &Entry) -> Capture {
    cx.check_name(entry, "the name of what is captured");
    if cx.names.vars.contains(&entry.key) {
        cx.warning(entry.key_span, format!("`{}` hides the variable of that name", entry.key))
            .help("choose another name");
    }
    cx.names.capture(&entry.key, entry.key_span);
    Capture { name: entry.key.clone(), from: cx.extract(&entry.value) }
}

fn eventually(cx: &mut Cx<'_>, node: &Node) -> Eventually {
    let every = Duration::from_millis(500);
    if node.as_text().is_some() {
        return Eventually { within: cx.duration(node), every };
    }
    let fields = Fields::open(cx, node, &EVENTUALLY);
    Eventually {
        within: fields.required(cx, "within", Cx::duration),
        every: fields
            .optional(cx, "every", |cx, node| cx.duration_in(node, SHORTEST..=LONGEST))
            .unwrap_or(every),
    }
}
