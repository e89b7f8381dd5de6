//! How to deploy, and when the environment is ready.

use std::time::Duration;

use crate::domain::outcome::Verdict;
use crate::domain::spec::{Command, Deploy, DeployAction, DeployStep, Ready, Rollback, Surface};
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::faults::Span;
use crate::pipeline::names::Scope;
use crate::pipeline::read::http;
use crate::pipeline::reader::{Cx, Fields, Placeholder, Shape};
use crate::pipeline::yaml::{Node, Value};

const DEFAULT_STEP_TIMEOUT: Duration = Duration::from_secs(15 * 60);
const DEFAULT_READY_TIMEOUT: Duration = Duration::from_secs(5 * 60);
const DEFAULT_EVERY: Duration = Duration::from_secs(2);
const DEFAULT_SUCCESSES: u32 = 3;

pub(crate) static DEPLOY: Shape = Shape {
    name: "Deploy",
    what: "`deploy`",
    keys: &["idempotent", "steps", "rollback"],
    elsewhere: &[
        ("run", "commands stand in `steps: [{ run: … }]`"),
        ("timeout", "`timeout` stands in each step"),
    ],
};

pub(crate) static DEPLOY_STEP: Shape = Shape {
    name: "DeployStep",
    what: "a deploy step",
    keys: &["name", "run", "http", "expect", "timeout", "retries", "env", "env_pass"],
    elsewhere: &[("command", "did you mean `run`?"), ("ws", "a deploy step is `run` or `http`")],
};

pub(crate) static ROLLBACK: Shape =
    Shape { name: "Rollback", what: "`rollback`", keys: &["when", "steps"], elsewhere: &[] };

pub(crate) static READY: Shape = Shape {
    name: "Ready",
    what: "`ready`",
    keys: &["timeout", "every", "successes", "revision", "checks"],
    elsewhere: &[
        ("interval", "did you mean `every`?"),
        ("surfaces", "did you mean `revision`?"),
        ("http", "requests stand in `checks: [{ http: … }]`"),
    ],
};

pub(crate) static SURFACE: Shape = Shape {
    name: "Surface",
    what: "a surface",
    keys: &["surface", "http", "value"],
    elsewhere: &[("name", "did you mean `surface`?"), ("json", "write `value: json $.revision`")],
};

/// Reads `deploy`.
pub(crate) fn deploy(cx: &mut Cx<'_>, node: &Node) -> Deploy {
    let fields = Fields::open(cx, node, &DEPLOY);
    if !fields.has("steps") {
        fields.missing(cx, "steps");
    }
    let deploy = Deploy {
        idempotent: fields.optional(cx, "idempotent", Cx::flag).unwrap_or(false),
        steps: fields.list(cx, "steps", step),
        rollback: fields.optional(cx, "rollback", rollback),
    };
    let is_list = fields.entry("steps").is_some_and(|e| matches!(e.value.value, Value::List(_)));
    if deploy.steps.is_empty() && is_list {
        cx.error(fields.key_span("steps"), "a deploy without steps deploys nothing")
            .help("remove `deploy` to test what is there");
    }
    deploy
}

fn rollback(cx: &mut Cx<'_>, node: &Node) -> Rollback {
    let words = [
        ("deploy_failed", Verdict::DeployFailed),
        ("not_ready", Verdict::NotReady),
        ("red", Verdict::Red),
    ];
    let fields = Fields::open(cx, node, &ROLLBACK);
    let when = fields.one_or_many(cx, "when", |cx, node| cx.word(node, &words));
    let when =
        if fields.has("when") { when } else { vec![Verdict::DeployFailed, Verdict::NotReady] };
    Rollback { when, steps: fields.list(cx, "steps", step) }
}

fn step(cx: &mut Cx<'_>, node: &Node) -> DeployStep {
    cx.in_scope(Scope::Step, |cx| {
        let fields = Fields::open(cx, node, &DEPLOY_STEP);
        let kind = fields.exactly_one(cx, &["run", "http"]);
        let action = action(cx, &fields, kind);
        let name = fields.optional(cx, "name", Cx::text);
        DeployStep {
            name: name.unwrap_or_else(|| title(&action)),
            timeout: fields.optional(cx, "timeout", Cx::duration).unwrap_or(DEFAULT_STEP_TIMEOUT),
            retries: fields
                .optional(cx, "retries", |cx, node| cx.count(node, 0..=100))
                .unwrap_or(0),
            env: fields.optional(cx, "env", Cx::env_map).unwrap_or_default(),
            env_pass: fields.one_or_many(cx, "env_pass", Cx::variable_name),
            action,
        }
    })
}

fn action(cx: &mut Cx<'_>, fields: &Fields<'_>, kind: Option<&'static str>) -> DeployAction {
    let useless: &[(&str, &str)] = match kind {
        Some("run") => &[("expect", "a command is judged by its exit code")],
        Some(_) => &[
            ("env", "only commands have an environment"),
            ("env_pass", "only commands have an environment"),
        ],
        None => &[],
    };
    for (key, reason) in useless {
        if let Some(entry) = fields.entry(key) {
            cx.error(entry.key_span, format!("`{key}` has no effect here")).help(*reason);
        }
    }
    match kind {
        Some("http") => DeployAction::Http {
            request: Box::new(fields.required(cx, "http", http::request)),
            expect: Box::new(http::optional_expect(cx, fields)),
        },
        Some(_) => DeployAction::Run(fields.required(cx, "run", Cx::command)),
        None => DeployAction::Run(Command::placeholder()),
    }
}

/// What to call a step that has no name.
fn title(action: &DeployAction) -> String {
    match action {
        DeployAction::Run(Command::Shell(text)) => {
            let line = text.trim().lines().next().unwrap_or_default();
            let mut words: Vec<&str> = line.split_whitespace().take(5).collect();
            if line.split_whitespace().nth(5).is_some() {
                words.push("…");
            }
            words.join(" ")
        }
        DeployAction::Run(Command::Argv(argv)) => {
            argv.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(" ")
        }
        DeployAction::Http { request, .. } => http::title(request),
    }
}

/// Reads `ready`.
pub(crate) fn ready(cx: &mut Cx<'_>, node: &Node) -> Ready {
    let fields = Fields::open(cx, node, &READY);
    let surfaces = fields.few(cx, "revision", 100, surface);
    tell_twins(cx, &surfaces);
    let ready = Ready {
        timeout: fields.optional(cx, "timeout", Cx::duration).unwrap_or(DEFAULT_READY_TIMEOUT),
        every: fields.optional(cx, "every", Cx::duration).unwrap_or(DEFAULT_EVERY),
        successes: fields
            .optional(cx, "successes", |cx, node| cx.count(node, 1..=1_000))
            .unwrap_or(DEFAULT_SUCCESSES),
        surfaces: surfaces.into_iter().map(|(surface, _)| surface).collect(),
        checks: fields.few(cx, "checks", 100, http::control),
    };
    let least = ready.every.saturating_mul(ready.successes.saturating_sub(1));
    if least >= ready.timeout {
        let at = fields.key_span(if fields.has("timeout") { "timeout" } else { "successes" });
        let round = crate::pipeline::values::duration_text;
        cx.error(at, "it can never be ready in time").help(format!(
            "{} successes every {} take {} at least, and the timeout is {}",
            ready.successes,
            round(ready.every),
            round(least),
            round(ready.timeout)
        ));
    }
    ready
}

/// What holds where a pipeline has no `ready`.
pub(crate) fn ready_at_once() -> Ready {
    Ready {
        timeout: DEFAULT_READY_TIMEOUT,
        every: DEFAULT_EVERY,
        successes: DEFAULT_SUCCESSES,
        surfaces: Vec::new(),
        checks: Vec::new(),
    }
}

fn surface(cx: &mut Cx<'_>, node: &Node) -> (Surface, Span) {
    cx.in_scope(Scope::Step, |cx| {
        let fields = Fields::open(cx, node, &SURFACE);
        let surface = Surface {
            name: fields.required(cx, "surface", Cx::text),
            request: fields.required(cx, "http", http::request),
            value: fields.required(cx, "value", Cx::extract),
        };
        (surface, fields.value_span("surface"))
    })
}

fn tell_twins(cx: &mut Cx<'_>, surfaces: &[(Surface, Span)]) {
    for (number, (surface, at)) in surfaces.iter().enumerate() {
        let twin = surfaces[..number].iter().find(|(other, _)| other.name == surface.name);
        if let Some((_, first)) = twin.filter(|_| !surface.name.is_empty()) {
            cx.error(*at, format!("two surfaces are named {}", quoted(&surface.name)))
                .related(*first, "first here");
        }
    }
}
