//! Steps of cases.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::expect::Expect;
use super::request::Request;
use super::scalar::{Address, Duration, Extract, Json, OneOrMany, Path, Template, TemplateMap};

/// A step: exactly one of `http`, `ws` and `sse`, and what must hold of it.
#[derive(JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("oneOf" = [{"required": ["http"]}, {"required": ["ws"]}, {"required": ["sse"]}])
)]
pub(super) struct Step {
    /// For people.
    name: Option<String>,
    /// A request.
    http: Option<Request>,
    /// Something on a WebSocket.
    ws: Option<Ws>,
    /// A stream of server-sent events, read no longer than it must.
    sse: Option<Request>,
    /// With `ws`: a message or a list of them.
    send: Option<OneOrMany<Message>>,
    /// With `ws`: close the socket at the end of the step.
    close: Option<CloseText>,
    /// What must hold.
    expect: Option<Expect>,
    /// What later steps of the case want to know, by name.
    capture: Option<BTreeMap<String, Extract>>,
    /// Again until the expectations hold.
    eventually: Option<EventuallyText>,
    /// The step's own deadline, within the case's.
    timeout: Option<Duration>,
}

/// A WebSocket: `url` opens one, `session` alone goes on with one that an earlier step of the case opened.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = [{"required": ["url"]}, {"required": ["session"]}]))]
struct Ws {
    /// The address, ws or wss.
    url: Option<Address>,
    /// Headers of the handshake.
    headers: Option<TemplateMap>,
    /// Subprotocols to offer.
    subprotocol: Option<OneOrMany<Template>>,
    /// Under which name later steps of the case find the socket.
    session: Option<String>,
    /// Take any certificate. The report says so.
    #[schemars(extend("default" = false))]
    insecure: Option<bool>,
    /// Trust the certificates of this PEM file too.
    ca: Option<Path>,
}

/// A message: exactly one of these.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))]
struct Message {
    /// JSON in a text frame.
    json: Option<Json>,
    /// A text frame.
    text: Option<Template>,
}

/// A close code, or a map.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum CloseText {
    Code(#[schemars(range(min = 1000, max = 4999))] u16),
    Full(Close),
}

/// How to close a WebSocket.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Close {
    /// The close code.
    #[schemars(range(min = 1000, max = 4999), extend("default" = 1000))]
    code: Option<u16>,
    /// The reason, at most 123 bytes.
    reason: Option<Template>,
}

/// For how long, or a map.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum EventuallyText {
    Within(Duration),
    Full(Eventually),
}

/// Again until the expectations hold.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Eventually {
    /// For so long.
    within: Duration,
    /// With so much time between two tries.
    #[schemars(extend("default" = "500ms"))]
    every: Option<Duration>,
}
