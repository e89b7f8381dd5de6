//! Expectations and matchers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::scalar::{Bound, Duration, Json, OneOrMany, Template};

/// What must hold of a step. Without `status`, 2xx (http, sse) or an open socket (ws) is expected.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Expect {
    /// The status; a list means one of them.
    status: Option<Matcher>,
    /// Headers by name.
    header: Option<BTreeMap<String, Matcher>>,
    /// Values by JSONPath: within a JSON body, or within any one message of a socket step.
    json: Option<BTreeMap<String, Matcher>>,
    /// The body as text.
    body: Option<Matcher>,
    /// The whole body against a JSON Schema: a file, or the schema itself.
    schema: Option<SchemaText>,
    /// The whole exchange; on a WebSocket the handshake.
    latency: Option<Bound>,
    /// From the request to the first byte of the body, or the first event.
    first_byte: Option<Bound>,
    /// The certificate.
    tls: Option<TlsExpect>,
    /// The subprotocol that the server chose.
    subprotocol: Option<Matcher>,
    /// Events on a socket or stream.
    events: Option<Events>,
    /// The handshake is refused: `true`, a status, or a map.
    refused: Option<RefusedText>,
    /// With `refused`: or the server closes the socket with this code.
    or_close: Option<CloseText>,
    /// The server closes the socket with this code.
    close: Option<CloseText>,
}

/// The certificate.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct TlsExpect {
    /// Time until it expires.
    expires_in: Bound,
}

/// Events that must come, and events that must not: `all`, `none` or both.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = [{"required": ["all"]}, {"required": ["none"]}]))]
struct Events {
    /// What an event's name is: a JSONPath within the message, or `event` for the field of a server-sent event.
    #[schemars(extend("examples" = ["$.type", "event"]))]
    by: Option<String>,
    /// The deadline, from the step's start.
    #[schemars(extend("default" = "10s"))]
    within: Option<Duration>,
    /// Whether they must come in the order listed; others may stand between them.
    #[schemars(extend("default" = false))]
    ordered: Option<bool>,
    /// Names that must come. The same name twice must come twice.
    all: Option<OneOrMany<Template>>,
    /// Names that must not come before the last of `all`, or before `within` where `all` is empty. The step ends with the last of `all`:
    /// to watch for longer, let a next step on the same session name only `none`.
    none: Option<OneOrMany<Template>>,
    /// Only messages that match count.
    #[schemars(rename = "where")]
    filter: Option<BTreeMap<String, Matcher>>,
}

/// `true`, a status, or a map.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum RefusedText {
    Any(#[schemars(extend("const" = true))] bool),
    Status(OneOrMany<u16>),
    Full(Refused),
}

/// A handshake that must be refused.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Refused {
    /// The status of the refusal. Default: any but 101.
    status: Option<Matcher>,
}

/// A code, a list of codes, a matcher, or a map.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum CloseText {
    Code(OneOrMany<u16>),
    Full(CloseExpect),
    Matcher(Box<Conditions>),
}

/// A socket that the server must close.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct CloseExpect {
    /// The close code.
    code: Matcher,
    /// By then, from the end of the handshake and of what the step sends.
    #[schemars(extend("default" = "10s"))]
    within: Option<Duration>,
}

/// A JSON Schema: the path of its file, or the schema itself.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum SchemaText {
    File(String),
    Inline(BTreeMap<String, serde_json::Value>),
    Always(bool),
}

/// A bare value means equals; a map that has none but conditions means all of them.
pub(super) struct Matcher;

impl JsonSchema for Matcher {
    fn schema_name() -> Cow<'static, str> {
        "Matcher".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let conditions = generator.subschema_for::<Conditions>();
        json_schema!({
            "description": "A bare value means equals; a map that has none but conditions means all of them.",
            "anyOf": [conditions, true]
        })
    }
}

/// Conditions that must all hold of one value.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1))]
struct Conditions {
    /// The same JSON value; numbers by value.
    equals: Option<Json>,
    /// The value is there, and the inner matcher does not hold of it.
    not: Option<Box<Matcher>>,
    /// A text holds this text, a list this element, a map this key.
    contains: Option<Json>,
    /// A text matches this regular expression (searched, not anchored; linear time).
    matches: Option<String>,
    /// The value is there, or is not. null is there.
    exists: Option<bool>,
    /// The value has this JSON type.
    #[schemars(extend("enum" = ["string", "number", "integer", "boolean", "array", "object", "null"]))]
    r#type: Option<String>,
    /// The value equals one of these.
    #[schemars(length(min = 1))]
    one_of: Option<Vec<Json>>,
    /// The number is less.
    #[schemars(rename = "<")]
    less: Option<Template>,
    /// The number is at most this.
    #[schemars(rename = "<=")]
    at_most: Option<Template>,
    /// The number is greater.
    #[schemars(rename = ">")]
    greater: Option<Template>,
    /// The number is at least this.
    #[schemars(rename = ">=")]
    at_least: Option<Template>,
    /// The number of characters, elements or keys fits.
    length: Option<Box<Matcher>>,
    /// Every element of the list fits.
    each: Option<Box<Matcher>>,
    /// The value fits a JSON Schema.
    schema: Option<SchemaText>,
}
