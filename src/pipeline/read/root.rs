//! The whole pipeline file.

use std::path::Path;
use std::sync::Arc;

use crate::domain::names::{EnvironmentName, PipelineName};
use crate::domain::spec::Pipeline;
use crate::domain::template::Template;
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::digest;
use crate::pipeline::read::{deploy, http, identity, news, suite, watch};
use crate::pipeline::reader::{Cx, Fields, Placeholder, Shape};
use crate::pipeline::yaml::{Node, Value};

pub(crate) static PIPELINE: Shape = Shape {
    name: "PipelineFile",
    what: "a pipeline",
    keys: &[
        "version",
        "name",
        "description",
        "environment",
        "hosts",
        "vars",
        "secrets",
        "identities",
        "watch",
        "schedule",
        "deploy",
        "ready",
        "controls",
        "suite",
        "cycles",
        "culprit",
        "report",
        "notify",
        "alarm",
    ],
    elsewhere: &[
        ("cases", "cases stand in `suite: { cases: … }` or in a file that the suite includes"),
        ("include", "`include` stands in `suite`"),
        ("checks", "`checks` stands in `ready`"),
        ("rollback", "`rollback` stands in `deploy`"),
        ("quarantine", "`quarantine` stands in `suite`"),
        ("steps", "`steps` stands in `deploy`, or in a case of the suite"),
    ],
};

impl Placeholder for PipelineName {
    fn placeholder() -> Self {
        Self::parse("pipeline").expect("the word is a pipeline's name")
    }
}

impl Placeholder for EnvironmentName {
    fn placeholder() -> Self {
        Self::parse("environment").expect("the word is an environment's name")
    }
}

/// Reads a pipeline with all files that it includes.
pub(crate) fn pipeline(cx: &mut Cx<'_>, root: &Node, path: &Path) -> Pipeline {
    let fields = Fields::open(cx, root, &PIPELINE);
    identity::declare(cx, root);
    version(cx, &fields);
    let name = name(cx, &fields, path);
    // Variables first: what follows refers to them.
    let vars = fields.optional(cx, "vars", identity::vars).unwrap_or_default();
    let mut pipeline = Pipeline {
        environment: fields
            .optional(cx, "environment", environment)
            .unwrap_or_else(|| environment_of(&name)),
        name,
        description: fields.optional(cx, "description", Cx::text),
        hosts: fields.has("hosts").then(|| fields.few(cx, "hosts", 500, host)),
        vars,
        secrets: fields.optional(cx, "secrets", identity::secrets).unwrap_or_default(),
        identities: fields.optional(cx, "identities", identity::identities).unwrap_or_default(),
        watch: fields.optional(cx, "watch", watch::watch),
        schedules: watch::schedules(cx, &fields),
        deploy: fields.optional(cx, "deploy", deploy::deploy),
        ready: fields.optional(cx, "ready", deploy::ready).unwrap_or_else(deploy::ready_at_once),
        controls: fields.few(cx, "controls", 100, http::control),
        suite: fields.optional(cx, "suite", suite::suite).map(Arc::new),
        cycles: fields.optional(cx, "cycles", news::cycles).unwrap_or_else(news::default_cycles),
        culprit: fields.optional(cx, "culprit", news::culprit),
        report: fields.optional(cx, "report", news::report).unwrap_or_else(news::default_report),
        notify: fields.few(cx, "notify", 100, news::notify),
        alarm: fields.optional(cx, "alarm", news::alarm),
        file: path.to_owned(),
        config_digest: String::new(),
    };
    check_parts(cx, &fields, &pipeline);
    pipeline.config_digest = digest::of_config(&pipeline);
    pipeline
}

fn version(cx: &mut Cx<'_>, fields: &Fields<'_>) {
    if !fields.has("version") {
        fields.missing(cx, "version");
        return;
    }
    let Some(node) = fields.node(cx, "version") else { return };
    let is_one = matches!(&node.value, Value::Number(number) if number.as_u64() == Some(1));
    if !is_one {
        cx.wrong_type(node, "`1`").help("write `version: 1`: there is no other version yet");
    }
}

fn name(cx: &mut Cx<'_>, fields: &Fields<'_>, path: &Path) -> PipelineName {
    if fields.has("name") {
        return fields.required(cx, "name", |cx, node| {
            let text = cx.text(node);
            if text.is_empty() {
                return PipelineName::placeholder();
            }
            PipelineName::parse(&text).unwrap_or_else(|fault| {
                let noted = cx.error(node.span, fault.to_string());
                if let Some(slug) = slug(&text) {
                    noted.help(format!("for example `{slug}`"));
                }
                PipelineName::placeholder()
            })
        });
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    PipelineName::parse(&stem).unwrap_or_else(|_| {
        let message =
            format!("`name` is missing, and the file's name {} cannot be one", quoted(&stem));
        let noted = cx.error(fields.at, message);
        if let Some(slug) = slug(&stem) {
            noted.help(format!("for example `name: {slug}`"));
        }
        PipelineName::placeholder()
    })
}

/// A pipeline's name made of another text.
fn slug(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-");
    PipelineName::parse(&slug).ok().map(|name| name.to_string())
}

fn environment(cx: &mut Cx<'_>, node: &Node) -> EnvironmentName {
    let text = cx.text(node);
    if text.trim().is_empty() {
        return EnvironmentName::placeholder();
    }
    EnvironmentName::parse(&text).unwrap_or_else(|fault| {
        cx.error(node.span, fault.to_string());
        EnvironmentName::placeholder()
    })
}

fn environment_of(name: &PipelineName) -> EnvironmentName {
    EnvironmentName::parse(name.as_str()).expect("a pipeline's name is a narrower grammar")
}

/// A host of the allow-list: a name, an address, or `*.` and a name.
fn host(cx: &mut Cx<'_>, node: &Node) -> Template {
    let template = cx.filled_template(node);
    let is_plain = |text: &&str| !text.contains("${") && !text.trim().is_empty();
    let Some(text) = node.as_text().filter(is_plain) else { return template };
    if text.contains("://") || text.contains('/') {
        cx.error(node.span, format!("{} is an address, not a host", quoted(text)))
            .help("write the host alone, as in `staging.example.com`");
        return template;
    }
    let bare = text.strip_prefix("*.").unwrap_or(text);
    let is_ip = bare.trim_matches(['[', ']']).parse::<core::net::IpAddr>().is_ok();
    let has_port =
        !is_ip && bare.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port {
        cx.error(node.span, format!("{} has a port", quoted(text)))
            .help("hosts are allowed whatever the port: write the host alone");
    } else if !is_ip && (bare.contains('*') || url::Host::parse(bare).is_err()) {
        cx.error(node.span, format!("{} is not a host", quoted(text)))
            .help("write a name, an address, or `*.` and a name");
    }
    template
}

/// What the parts of a pipeline say about each other.
fn check_parts(cx: &mut Cx<'_>, fields: &Fields<'_>, pipeline: &Pipeline) {
    let deploys = pipeline.deploy.is_some();
    if pipeline.ready.surfaces.is_empty() && (deploys || fields.has("ready")) {
        let key = if fields.has("ready") { "ready" } else { "deploy" };
        let help = "give `ready.revision` a surface that says which revision it serves";
        cx.warning(fields.key_span(key), "nothing proves which revision serves").help(help);
    }
    if !deploys && pipeline.suite.is_none() && !cx.faults.has_errors() {
        cx.error(fields.at, "the pipeline has neither `deploy` nor `suite`, so it does nothing");
    }
    if !pipeline.schedules.is_empty() && pipeline.watch.is_none() && deploys {
        let deploying = pipeline.schedules.iter().any(|schedule| schedule.deploy);
        if deploying {
            cx.error(
                fields.key_span("schedule"),
                "a schedule deploys, but `watch` names no repository",
            )
            .help("give the pipeline `watch: { repo: … }`, or the schedule `deploy: false`");
        }
    }
    if pipeline.culprit.as_ref().is_some_and(|culprit| culprit.search) && !deploys {
        cx.warning(
            fields.key_span("culprit"),
            "a culprit search deploys commits, but there is no `deploy`",
        );
    }
}
