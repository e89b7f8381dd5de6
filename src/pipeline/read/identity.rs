//! Variables, secrets and identities.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::spec::{
    Identity, IdentityKind, JwtAlgorithm, JwtSpec, LoginSpec, SecretSource, SecretSpec,
};
use crate::domain::template::{JsonTemplate, Template};
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::faults::Span;
use crate::pipeline::names::Scope;
use crate::pipeline::read::http;
use crate::pipeline::reader::{Cx, Fields, Shape};
use crate::pipeline::yaml::{Entry, Node};

const DEFAULT_EXPIRY_MS: i64 = 15 * 60 * 1_000;
/// The most that a variable may hold once it is filled in, in bytes.
const MAX_VAR_BYTES: usize = 1024 * 1024;
/// The most for which addresses that use the variable are checked.
const MAX_PLAIN_BYTES: usize = 2_000;

pub(crate) static SECRET: Shape = Shape {
    name: "Secret",
    what: "a secret",
    keys: &["env", "file", "command"],
    elsewhere: &[(
        "value",
        "a secret never stands in a file that is committed: use `env`, `file` or `command`",
    )],
};

pub(crate) static IDENTITY: Shape =
    Shape { name: "Identity", what: "an identity", keys: &["jwt", "login"], elsewhere: &[] };

pub(crate) static JWT: Shape = Shape {
    name: "Jwt",
    what: "`jwt`",
    keys: &["algorithm", "key", "claims", "header", "expires_in"],
    elsewhere: &[("secret", "did you mean `key`?"), ("alg", "did you mean `algorithm`?")],
};

pub(crate) static LOGIN: Shape = Shape {
    name: "Login",
    what: "`login`",
    keys: &["http", "token", "expires_in"],
    elsewhere: &[("url", "the address stands in `http: { url: … }`")],
};

/// Makes the names of vars, secrets and identities known before anything that uses them is read.
pub(crate) fn declare(cx: &mut Cx<'_>, root: &Node) {
    let keys = |section: &str| -> Vec<String> {
        let entries = root.get(section).and_then(Node::as_map).unwrap_or_default();
        entries.iter().map(|entry| entry.key.clone()).collect()
    };
    cx.names.secrets.extend(keys("secrets"));
    cx.names.identities.extend(keys("identities"));
}

/// Reads `vars`. Each is known to those after it.
pub(crate) fn vars(cx: &mut Cx<'_>, node: &Node) -> Vec<(String, JsonTemplate)> {
    cx.in_scope(Scope::Vars, |cx| {
        cx.free_map(node, |cx, entry| {
            cx.check_name(entry, "the name of a variable");
            let value = cx.json(&entry.value);
            note_var(cx, entry, &value);
            (entry.key.clone(), value)
        })
    })
}

/// Makes a variable known to what follows: its size, and its value where nothing needs to run for it.
fn note_var(cx: &mut Cx<'_>, entry: &Entry, value: &JsonTemplate) {
    let mut size = value.source().to_string().len();
    value.for_each_reference(&mut |name| {
        size = size.saturating_add(cx.names.var_sizes.get(name).copied().unwrap_or(0));
    });
    if size > MAX_VAR_BYTES {
        // One variable may hold another twice, that one a third twice …: that doubles at every step.
        cx.error(entry.key_span, format!("`{}` would be longer than 1 MiB", entry.key));
        size = 0;
    } else if size <= MAX_PLAIN_BYTES {
        let plain = &cx.names.plain_vars;
        if let Ok(known) = value.render(&|name: &str| plain.get(name).cloned()) {
            cx.names.plain_vars.insert(entry.key.clone(), known);
        }
    }
    cx.names.var_sizes.insert(entry.key.clone(), size);
    cx.names.vars.insert(entry.key.clone());
}

/// Reads `secrets`.
pub(crate) fn secrets(cx: &mut Cx<'_>, node: &Node) -> Vec<SecretSpec> {
    cx.free_map(node, |cx, entry| {
        cx.check_name(entry, "the name of a secret");
        SecretSpec { name: entry.key.clone(), source: secret_source(cx, &entry.value) }
    })
}

/// Reads where a secret comes from.
pub(crate) fn secret_source(cx: &mut Cx<'_>, node: &Node) -> SecretSource {
    let fields = Fields::open(cx, node, &SECRET);
    let source = fields.exactly_one(cx, SECRET.keys).and_then(|kind| {
        let node = fields.node(cx, kind)?;
        Some(match kind {
            "env" => SecretSource::Env(cx.text(node)),
            "file" => SecretSource::File(cx.path(node)),
            _ => SecretSource::Command(cx.argv(node)),
        })
    });
    source.unwrap_or_else(|| SecretSource::Env(String::new()))
}

/// Reads `identities`.
pub(crate) fn identities(cx: &mut Cx<'_>, node: &Node) -> Vec<Identity> {
    let mut uses: BTreeMap<String, Vec<(String, Span)>> = BTreeMap::new();
    let identities = cx.in_scope(Scope::Identity, |cx| {
        cx.free_map(node, |cx, entry| {
            cx.check_name(entry, "the name of an identity");
            let identity = Identity { name: entry.key.clone(), kind: kind(cx, entry) };
            let used = std::mem::take(&mut cx.names.identity_uses);
            uses.insert(entry.key.clone(), used);
            identity
        })
    });
    tell_circles(cx, &uses);
    identities
}

fn kind(cx: &mut Cx<'_>, entry: &Entry) -> IdentityKind {
    let fields = Fields::open(cx, &entry.value, &IDENTITY);
    let kind = fields.exactly_one(cx, IDENTITY.keys).and_then(|kind| {
        let node = fields.node(cx, kind)?;
        Some(match kind {
            "jwt" => IdentityKind::Jwt(jwt(cx, node)),
            _ => IdentityKind::Login(Box::new(login(cx, node))),
        })
    });
    kind.unwrap_or_else(|| {
        IdentityKind::Jwt(JwtSpec {
            algorithm: JwtAlgorithm::HS256,
            key: Template::literal(""),
            claims: Vec::new(),
            header: Vec::new(),
            expires_in_ms: 0,
        })
    })
}

fn jwt(cx: &mut Cx<'_>, node: &Node) -> JwtSpec {
    let fields = Fields::open(cx, node, &JWT);
    let algorithms = [
        ("HS256", JwtAlgorithm::HS256),
        ("HS384", JwtAlgorithm::HS384),
        ("HS512", JwtAlgorithm::HS512),
    ];
    let json_map = |cx: &mut Cx<'_>, node: &Node| {
        cx.free_map(node, |cx, entry| (entry.key.clone(), cx.json(&entry.value)))
    };
    JwtSpec {
        algorithm: fields
            .optional(cx, "algorithm", |cx, node| cx.word(node, &algorithms))
            .unwrap_or(JwtAlgorithm::HS256),
        key: fields.required(cx, "key", Cx::filled_template),
        claims: fields.optional(cx, "claims", json_map).unwrap_or_default(),
        header: fields.optional(cx, "header", json_map).unwrap_or_default(),
        expires_in_ms: fields
            .optional(cx, "expires_in", Cx::signed_duration_ms)
            .unwrap_or(DEFAULT_EXPIRY_MS),
    }
}

fn login(cx: &mut Cx<'_>, node: &Node) -> LoginSpec {
    let fields = Fields::open(cx, node, &LOGIN);
    LoginSpec {
        request: fields.required(cx, "http", http::request),
        token: fields.required(cx, "token", Cx::extract),
        expires_in: fields.optional::<Duration>(cx, "expires_in", Cx::duration),
    }
}

/// An identity whose token needs its own token can never be had.
fn tell_circles(cx: &mut Cx<'_>, uses: &BTreeMap<String, Vec<(String, Span)>>) {
    for (name, used) in uses {
        for (other, at) in used {
            if reaches(uses, other, name) {
                let message = format!("the token of {} needs itself", quoted(name));
                cx.error(*at, message)
                    .help("use a secret, or another identity that does not lead back here");
            }
        }
    }
}

fn reaches(uses: &BTreeMap<String, Vec<(String, Span)>>, from: &str, to: &str) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            let used = uses.get(name).map(Vec::as_slice).unwrap_or_default();
            next.extend(used.iter().map(|(other, _)| other.as_str()));
        }
    }
    false
}
