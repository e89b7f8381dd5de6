//! `retention` and `ballast` of `andon.yaml`.

use crate::domain::retention::Limits;
use crate::pipeline::reader::{Cx, Fields, Shape};
use crate::pipeline::yaml::{Node, Value};

pub(crate) static RETENTION: Shape = Shape {
    name: "Retention",
    what: "`retention`",
    keys: &["days", "cycles", "bytes"],
    elsewhere: &[("count", "did you mean `cycles`?"), ("size", "did you mean `bytes`?")],
};

/// A hundred years; nobody means more.
const MOST_DAYS: u32 = 36_500;
const MOST_CYCLES: u32 = 1_000_000;
const LEAST_BYTES: u64 = 1 << 20;
const MOST_BYTES: u64 = 1 << 50;
/// Less would not hold the end of a cycle.
const LEAST_BALLAST: u64 = 1 << 20;
const MOST_BALLAST: u64 = 1 << 40;

pub(crate) fn retention(cx: &mut Cx<'_>, node: &Node) -> Limits {
    let fields = Fields::open(cx, node, &RETENTION);
    let default = Limits::default();
    let days = |cx: &mut Cx<'_>, node: &Node| cx.count(node, 1..=MOST_DAYS);
    let cycles = |cx: &mut Cx<'_>, node: &Node| cx.count(node, 1..=MOST_CYCLES);
    let bytes = |cx: &mut Cx<'_>, node: &Node| cx.bytes_in(node, LEAST_BYTES..=MOST_BYTES);
    Limits {
        days: fields
            .optional(cx, "days", |cx, node| or_off(cx, node, days))
            .unwrap_or(default.days),
        cycles: fields
            .optional(cx, "cycles", |cx, node| or_off(cx, node, cycles))
            .unwrap_or(default.cycles),
        bytes: fields
            .optional(cx, "bytes", |cx, node| or_off(cx, node, bytes))
            .unwrap_or(default.bytes),
    }
}

/// The size of the ballast; `None` for `off`.
pub(crate) fn ballast(cx: &mut Cx<'_>, node: &Node) -> Option<u64> {
    or_off(cx, node, |cx, node| cx.bytes_in(node, LEAST_BALLAST..=MOST_BALLAST))
}

fn or_off<T>(
    cx: &mut Cx<'_>,
    node: &Node,
    read: impl FnOnce(&mut Cx<'_>, &Node) -> T,
) -> Option<T> {
    match &node.value {
        Value::Text(text) if text == "off" => None,
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Map(_) => Some(read(cx, node)),
    }
}
