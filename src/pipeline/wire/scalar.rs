//! Texts with a grammar, and values that may stand alone or in a list.

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// A duration: a whole number and a unit, `500ms`, `30s`, `5m`, `2h` or `1d`; several units as in `1h30m`.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^([0-9]+(ms|s|m|h|d))+$", "examples" = ["500ms", "30s", "5m", "2h", "1d"]))]
pub(super) struct Duration(String);

/// A duration that may be negative: `15m`, `-1h`.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^-?([0-9]+(ms|s|m|h|d))+$", "examples" = ["15m", "-1h"]))]
pub(super) struct SignedDuration(String);

/// A bound on a duration: `< 2s`, `<= 800ms`, `> 14d`.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^\\s*(<=|>=|<|>)\\s*([0-9]+(ms|s|m|h|d))+\\s*$", "examples" = ["< 2s", "> 14d"]))]
pub(super) struct Bound(String);

/// A text in which `${name}` is replaced when the step runs; `$$` is a dollar sign. Known names: vars,
/// `secret.NAME`, `identity.NAME.token`, `env.NAME`, `revision.sha`, `revision.short`, `revision.branch`, `cycle`,
/// `pipeline`, `environment`, `uuid`, `now`, `unix_time`, `random`, `index`, and what setup or an earlier step of
/// the case captured.
#[derive(JsonSchema)]
#[schemars(extend("type" = ["string", "number", "boolean"]))]
pub(super) struct Template(String);

/// An address; `${name}` is replaced when the step runs.
#[derive(JsonSchema)]
#[schemars(extend("examples" = ["${base_url}/health", "https://staging.example.com/"]))]
pub(super) struct Address(String);

/// A text or a number, taken as it is written.
#[derive(JsonSchema)]
#[schemars(extend("type" = ["string", "number", "boolean"]))]
pub(super) struct Plain(String);

/// A JSONPath (RFC 9535): `$.items[0].id`.
#[derive(JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[schemars(extend("pattern" = "^\\$", "examples" = ["$.items[0].id"]))]
pub(super) struct JsonPath(String);

/// A pattern: `*` stands for any characters but `/`, `**` for any, `?` for one, `[a-z]` for one of a set, `{a,b}`
/// for one of several.
#[derive(JsonSchema)]
#[schemars(extend("examples" = ["release/*", "docs/**", "*.md"]))]
pub(super) struct Glob(String);

/// A path, relative to the file in which it stands.
#[derive(JsonSchema)]
pub(super) struct Path(String);

/// Where a value stands in an answer: `json $.path`, `header NAME`, `body`, `regex 'PATTERN'` (its first group, or
/// the whole match) or `status`. On sockets: in the first message that has it.
#[derive(JsonSchema)]
#[schemars(extend(
    "pattern" = "^(json .+|header .+|regex .+|body|status)$",
    "examples" = ["json $.id", "header X-Revision", "body", "regex 'build ([0-9a-f]{7,40})'", "status"]
))]
pub(super) struct Extract(String);

/// A command: a text is given to `sh -c` as it stands (`${name}` is never replaced in it), a list is a program
/// and its arguments.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Command {
    Shell(String),
    Argv(Vec<Plain>),
}

/// How much a case matters: `P1` (most) to `P6`.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^[Pp][1-6]$"))]
pub(super) struct Priority(String);

/// One value, or a list of them.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// Texts by name; a list gives a name several values.
pub(super) type TemplateMap = BTreeMap<String, OneOrMany<Template>>;

/// Any JSON value; `${name}` is replaced in its texts, and a text that is one reference alone keeps the type of
/// what it refers to.
#[derive(JsonSchema)]
pub(super) struct Json(serde_json::Value);
