//! Requests.

use schemars::JsonSchema;

use super::scalar::{Address, Json, Path, Template, TemplateMap};

/// A request: a map, or the address of a GET alone.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
pub(super) enum Request {
    Get(Address),
    Full(Box<Http>),
}

/// A request. At most one body: `json`, `form`, `multipart`, `text` or `file`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Http {
    /// Every method. Default: `GET`, with a body `POST`.
    #[schemars(extend("examples" = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]))]
    method: Option<String>,
    /// The address, http or https.
    url: Address,
    /// Headers.
    headers: Option<TemplateMap>,
    /// Query parameters, added to those of the address and encoded when sent.
    query: Option<TemplateMap>,
    /// A JSON body, with its content type.
    json: Option<Json>,
    /// A body of form fields.
    form: Option<TemplateMap>,
    /// A multipart body: parts, or texts by name.
    multipart: Option<Multipart>,
    /// A body of plain text.
    text: Option<Template>,
    /// A body from a file.
    file: Option<Path>,
    /// How many redirects to follow; 0 shows them as answers.
    #[schemars(range(min = 0, max = 50), extend("default" = 0))]
    follow: Option<u32>,
    /// Log in with user and password.
    basic: Option<Basic>,
    /// Log in with a token.
    bearer: Option<Template>,
    /// Take any certificate. The report says so.
    #[schemars(extend("default" = false))]
    insecure: Option<bool>,
    /// Trust the certificates of this PEM file too.
    ca: Option<Path>,
    /// Speak HTTP/2 and nothing else.
    #[schemars(extend("default" = false))]
    http2: Option<bool>,
}

/// User and password.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Basic {
    /// The user.
    username: Template,
    /// The password.
    password: Template,
}

/// A multipart body: parts, or texts by name.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum Multipart {
    Parts(Vec<Part>),
    Texts(std::collections::BTreeMap<String, Template>),
}

/// One part of a multipart body: `text` or `file`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Part {
    /// The field's name.
    name: String,
    /// Its value.
    text: Option<Template>,
    /// The file that is its value.
    file: Option<Path>,
    /// Its content type.
    content_type: Option<String>,
}
