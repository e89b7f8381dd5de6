//! Cases, and the defaults that a file gives its cases.

use std::time::Duration;

use crate::domain::spec::{Case, DurationBound, Percentile, Priority, Shape as CaseShape};
use crate::pipeline::digest;
use crate::pipeline::faults::Span;
use crate::pipeline::names::Scope;
use crate::pipeline::read::step;
use crate::pipeline::reader::{Cx, Fields, Shape};
use crate::pipeline::yaml::{Node, Value};

/// The deadline of one attempt where neither case nor defaults give one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The most that may run side by side or after another in one attempt.
const MAX_TIMES: u32 = 10_000;

pub(crate) static CASE: Shape = Shape {
    name: "Case",
    what: "a case",
    keys: &[
        "id", "was", "name", "area", "priority", "owner", "impact", "timeout", "needs", "parallel",
        "repeat", "expect", "steps",
    ],
    elsewhere: &[
        ("http", "requests stand in `steps: [ … ]`"),
        ("ws", "sockets stand in `steps: [ … ]`"),
        ("sse", "streams stand in `steps: [ … ]`"),
        ("capture", "`capture` stands in a step"),
        ("retries", "`retries` stands in the suite of the pipeline"),
        ("run", "tests that another tool runs stand in `suite.commands` of the pipeline"),
    ],
};

pub(crate) static DEFAULTS: Shape = Shape {
    name: "Defaults",
    what: "`defaults`",
    keys: &["timeout", "area", "priority", "owner", "impact"],
    elsewhere: &[("retries", "`retries` stands in the suite of the pipeline")],
};

pub(crate) static PARALLEL: Shape = Shape {
    name: "Parallel",
    what: "`parallel`",
    keys: &["times", "quorum"],
    elsewhere: &[("every", "`every` belongs to `repeat`")],
};

pub(crate) static REPEAT: Shape = Shape {
    name: "Repeat",
    what: "`repeat`",
    keys: &["times", "every"],
    elsewhere: &[("quorum", "`quorum` belongs to `parallel`; every run of `repeat` must pass")],
};

pub(crate) static CASE_EXPECT: Shape = Shape {
    name: "CaseExpect",
    what: "`expect` of a case",
    keys: &["latency"],
    elsewhere: &[
        ("status", "what is expected of an answer stands in the step"),
        ("json", "what is expected of an answer stands in the step"),
        ("header", "what is expected of an answer stands in the step"),
        ("body", "what is expected of an answer stands in the step"),
        ("events", "events are expected in the step"),
    ],
};

/// What a file says of all its cases.
#[derive(Debug, Clone, Default)]
pub(crate) struct Defaults {
    timeout: Option<Duration>,
    area: Option<String>,
    priority: Option<Priority>,
    owner: Option<String>,
    impact: Option<String>,
}

/// A case and where its parts stand, for the checks that look at all cases.
pub(crate) struct PlacedCase {
    pub(crate) case: Case,
    pub(crate) id_at: Span,
    pub(crate) was_at: Vec<Span>,
    pub(crate) needs_at: Vec<Span>,
}

/// Reads `defaults`.
pub(crate) fn defaults(cx: &mut Cx<'_>, node: &Node) -> Defaults {
    let fields = Fields::open(cx, node, &DEFAULTS);
    Defaults {
        timeout: fields.optional(cx, "timeout", Cx::duration),
        area: fields.optional(cx, "area", Cx::text),
        priority: fields.optional(cx, "priority", priority),
        owner: fields.optional(cx, "owner", Cx::text),
        impact: fields.optional(cx, "impact", Cx::text),
    }
}

/// Reads `P1` … `P6`.
pub(crate) fn priority(cx: &mut Cx<'_>, node: &Node) -> Priority {
    node.as_text().and_then(Priority::parse).unwrap_or_else(|| {
        let number = match &node.value {
            Value::Number(number) => number.as_u64().filter(|n| (1..=6).contains(n)),
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => None,
        };
        let fault = cx.wrong_type(node, "a priority from `P1` to `P6`");
        if let Some(number) = number {
            fault.help(format!("write `P{number}`"));
        }
        Priority::P1
    })
}

/// Reads one case.
pub(crate) fn case(cx: &mut Cx<'_>, node: &Node, defaults: &Defaults, scope: Scope) -> PlacedCase {
    let fields = Fields::open(cx, node, &CASE);
    let id = fields.required(cx, "id", Cx::case_id);
    let (was, was_at) = ids(cx, &fields, "was");
    let (needs, needs_at) = ids(cx, &fields, "needs");
    let name = fields.optional(cx, "name", Cx::text);
    let own = |cx: &mut Cx<'_>, key, default: &Option<String>| {
        fields.optional(cx, key, Cx::text).or_else(|| default.clone())
    };
    let mut case = Case {
        was,
        name: name.unwrap_or_else(|| id.to_string()),
        area: own(cx, "area", &defaults.area),
        priority: fields
            .optional(cx, "priority", priority)
            .or(defaults.priority)
            .unwrap_or(Priority::P1),
        owner: own(cx, "owner", &defaults.owner),
        impact: own(cx, "impact", &defaults.impact),
        timeout: fields
            .optional(cx, "timeout", Cx::duration)
            .or(defaults.timeout)
            .unwrap_or(DEFAULT_TIMEOUT),
        needs,
        shape: shape(cx, &fields),
        latency: fields.optional(cx, "expect", case_expect).unwrap_or_default(),
        steps: case_steps(cx, &fields, scope),
        digest: String::new(),
        id,
    };
    warn_of_lone_percentiles(cx, &fields, &case);
    case.digest = digest::of_case(&case, cx.faults.path(node.span.file));
    PlacedCase { case, id_at: fields.value_span("id"), was_at, needs_at }
}

fn ids(
    cx: &mut Cx<'_>,
    fields: &Fields<'_>,
    key: &'static str,
) -> (Vec<crate::domain::names::CaseId>, Vec<Span>) {
    fields.one_or_many(cx, key, |cx, node| (cx.case_id(node), node.span)).into_iter().unzip()
}

fn case_steps(
    cx: &mut Cx<'_>,
    fields: &Fields<'_>,
    scope: Scope,
) -> Vec<crate::domain::spec::Step> {
    if !fields.has("steps") {
        fields.missing(cx, "steps");
        return Vec::new();
    }
    let Some(node) = fields.node(cx, "steps") else { return Vec::new() };
    let steps = step::steps(cx, node, scope);
    if steps.is_empty() && matches!(node.value, Value::List(_)) {
        cx.error(fields.key_span("steps"), "a case without steps tests nothing");
    }
    steps
}

fn shape(cx: &mut Cx<'_>, fields: &Fields<'_>) -> CaseShape {
    match fields.at_most_one(cx, &["parallel", "repeat"]) {
        Some("parallel") => fields.optional(cx, "parallel", parallel),
        Some(_) => fields.optional(cx, "repeat", repeat),
        None => None,
    }
    .unwrap_or(CaseShape::Once)
}

fn times(cx: &mut Cx<'_>, node: &Node) -> u32 {
    cx.count(node, 1..=MAX_TIMES)
}

fn parallel(cx: &mut Cx<'_>, node: &Node) -> CaseShape {
    if matches!(node.value, Value::Number(_)) {
        let times = times(cx, node);
        return CaseShape::Parallel { times, quorum: times };
    }
    let fields = Fields::open(cx, node, &PARALLEL);
    let times = fields.required(cx, "times", times);
    let quorum = fields.optional(cx, "quorum", |cx, node| {
        let quorum = cx.count(node, 1..=MAX_TIMES);
        if quorum > times {
            cx.error(node.span, format!("{quorum} of {times} can never pass"))
                .help(format!("`quorum` is at most `times`, here {times}"));
        }
        quorum
    });
    CaseShape::Parallel { times, quorum: quorum.unwrap_or(times) }
}

fn repeat(cx: &mut Cx<'_>, node: &Node) -> CaseShape {
    if matches!(node.value, Value::Number(_)) {
        return CaseShape::Repeat { times: times(cx, node), every: Duration::ZERO };
    }
    let fields = Fields::open(cx, node, &REPEAT);
    CaseShape::Repeat {
        times: fields.required(cx, "times", times),
        every: fields.optional(cx, "every", Cx::pause).unwrap_or(Duration::ZERO),
    }
}

/// Reads `expect` of a case: bounds on percentiles over its runs; a bare bound holds for every run.
fn case_expect(cx: &mut Cx<'_>, node: &Node) -> Vec<(Percentile, DurationBound)> {
    let fields = Fields::open(cx, node, &CASE_EXPECT);
    let bounds = fields.optional(cx, "latency", |cx, node| {
        if !matches!(node.value, Value::Map(_)) {
            return vec![(Percentile::Max, cx.bound(node))];
        }
        let bounds =
            cx.free_map(node, |cx, entry| Some((cx.percentile(entry)?, cx.bound(&entry.value))));
        bounds.into_iter().flatten().collect()
    });
    bounds.unwrap_or_default()
}

fn warn_of_lone_percentiles(cx: &mut Cx<'_>, fields: &Fields<'_>, case: &Case) {
    let has_percentile = case.latency.iter().any(|(percentile, _)| *percentile != Percentile::Max);
    if case.shape == CaseShape::Once && has_percentile {
        cx.warning(fields.key_span("expect"), "percentiles of a single run are all the same")
            .help("give the case `repeat` or `parallel`");
    }
}
