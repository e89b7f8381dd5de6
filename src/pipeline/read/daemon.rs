//! `andon.yaml`.

use core::net::SocketAddr;

use url::Url;

use crate::domain::spec::SecretSource;
use crate::pipeline::daemon::{
    ApiToken, DEFAULT_BALLAST, DaemonSettings, InboundWebhook, LogFormat, Role,
};
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::read::identity::secret_source;
use crate::pipeline::read::retention::{ballast, retention};
use crate::pipeline::reader::{Cx, Fields, Shape};
use crate::pipeline::yaml::Node;

pub(crate) static DAEMON: Shape = Shape {
    name: "DaemonFile",
    what: "`andon.yaml`",
    keys: &[
        "listen",
        "hosts",
        "public_url",
        "pipelines",
        "state",
        "reports",
        "database",
        "max_cycles",
        "retention",
        "ballast",
        "log_format",
        "tokens",
        "webhooks",
    ],
    elsewhere: &[
        ("port", "the port stands in `listen: 127.0.0.1:7070`"),
        ("watch", "`watch` stands in a pipeline"),
        ("notify", "`notify` stands in a pipeline"),
    ],
};

pub(crate) static TOKEN: Shape = Shape {
    name: "Token",
    what: "an entry of `tokens`",
    keys: &["name", "role", "token"],
    elsewhere: &[("env", "write `token: { env: NAME }`")],
};

pub(crate) static HOOKS: Shape = Shape {
    name: "Webhooks",
    what: "`webhooks`",
    keys: &["github", "gitlab", "gitea", "bitbucket", "generic"],
    elsewhere: &[],
};

/// Reads `andon.yaml`.
pub(crate) fn daemon(cx: &mut Cx<'_>, root: &Node) -> DaemonSettings {
    let fields = Fields::open(cx, root, &DAEMON);
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let settings = DaemonSettings {
        listen: fields.optional(cx, "listen", listen).flatten(),
        hosts: fields.few(cx, "hosts", 100, host),
        public_url: fields.optional(cx, "public_url", public_url).flatten(),
        pipelines: fields.optional(cx, "pipelines", Cx::path),
        state: fields.optional(cx, "state", Cx::path),
        reports: fields.optional(cx, "reports", Cx::path),
        database: fields.optional(cx, "database", database),
        max_cycles: fields.optional(cx, "max_cycles", |cx, node| cx.count(node, 1..=1_000)),
        retention: fields.optional(cx, "retention", retention).unwrap_or_default(),
        ballast: fields.optional(cx, "ballast", ballast).unwrap_or(Some(DEFAULT_BALLAST)),
        log_format: fields.optional(cx, "log_format", |cx, node| cx.word(node, &formats)),
        tokens: fields.few(cx, "tokens", 1_000, token),
        webhooks: fields.optional(cx, "webhooks", webhooks).unwrap_or_default(),
    };
    let is_public = settings.listen.is_some_and(|address| !address.ip().is_loopback());
    if is_public && settings.tokens.is_empty() {
        cx.error(fields.key_span("listen"), "this address can be reached from outside, and there are no `tokens`")
            .help("give `tokens: [{ name, role: read | trigger | admin, token: { env: NAME } }]`, or listen on 127.0.0.1");
    }
    settings
}

fn listen(cx: &mut Cx<'_>, node: &Node) -> Option<SocketAddr> {
    let text = cx.text(node);
    let address = text.replace("localhost:", "127.0.0.1:").parse();
    if address.is_err() && !text.is_empty() {
        cx.error(node.span, format!("{} is not an address to listen on", quoted(&text)))
            .help("write an IP address and a port, as in `127.0.0.1:7070` or `[::1]:7070`");
    }
    address.ok()
}

/// Where people reach the pages.
fn public_url(cx: &mut Cx<'_>, node: &Node) -> Option<Url> {
    let text = cx.text(node);
    let url = Url::parse(&text).ok().filter(|url| {
        let is_web = matches!(url.scheme(), "https" | "http") && url.has_host();
        let is_plain = url.query().is_none() && url.fragment().is_none();
        is_web && is_plain && url.username().is_empty() && url.password().is_none()
    });
    if url.is_none() && !text.is_empty() {
        cx.error(node.span, format!("{} is no address of pages", quoted(&text)))
            .help("write what stands in the browser, as in `https://andon.example.com`");
    }
    url
}

/// A name without scheme, port and path: what a browser sends in front of the port.
fn host(cx: &mut Cx<'_>, node: &Node) -> String {
    let text = cx.text(node);
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if !text.is_empty() && !text.bytes().all(fits) {
        cx.error(node.span, format!("{} is not the name of a host", quoted(&text)))
            .help("write the name alone, as in `andon.example.com`");
    }
    text
}

fn database(cx: &mut Cx<'_>, node: &Node) -> String {
    let text = cx.text(node);
    let is_file =
        text.strip_prefix("sqlite:").is_some_and(|file| !file.trim_matches('/').is_empty());
    if !text.is_empty() && !is_file {
        cx.error(
            node.span,
            "not a database that this version reads: it keeps records in SQLite alone",
        )
        .help("write `sqlite:FILE`, or leave it out for the one in the state folder");
    }
    text
}

fn token(cx: &mut Cx<'_>, node: &Node) -> ApiToken {
    let roles = [("read", Role::Read), ("trigger", Role::Trigger), ("admin", Role::Admin)];
    let fields = Fields::open(cx, node, &TOKEN);
    for key in ["role", "token"] {
        if !fields.has(key) {
            fields.missing(cx, key);
        }
    }
    ApiToken {
        name: fields.required(cx, "name", Cx::text),
        role: fields.optional(cx, "role", |cx, node| cx.word(node, &roles)).unwrap_or(Role::Read),
        token: fields
            .optional(cx, "token", secret_source)
            .unwrap_or_else(|| SecretSource::Env(String::new())),
    }
}

fn webhooks(cx: &mut Cx<'_>, node: &Node) -> Vec<InboundWebhook> {
    let fields = Fields::open(cx, node, &HOOKS);
    let present: Vec<&str> = HOOKS.keys.iter().copied().filter(|key| fields.has(key)).collect();
    present
        .into_iter()
        .map(|kind| {
            let secrets = fields.few(cx, kind, 10, secret_source);
            if secrets.len() > 2 {
                cx.error(fields.key_span(kind), "more than two secrets")
                    .help("two are live while one replaces the other");
            }
            InboundWebhook { kind: kind.to_owned(), secrets }
        })
        .collect()
}
