//! A request that was let in, and how handlers read it. What does not fit is a problem in words.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use http::request::Parts;
use http::{Request, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use super::access::Caller;
use super::problem::Problem;
use super::site::Site;
use crate::daemon::{Handle, Unserved};
use crate::domain::names::PipelineName;
use crate::store::{CycleRow, Which};

/// The body of a command is a few words.
const MAX_BODY: usize = 64 << 10;
/// So many names are offered where one is not there.
const MAX_LISTED: usize = 10;
/// A body must be here by then, however slowly it comes.
pub(super) const BODY_TIME: Duration = Duration::from_secs(30);

/// What a handler gives back.
pub(super) type Answer = Result<Response, Problem>;

/// Who was let in.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    /// Who calls; nobody that we know, where that is not asked.
    pub(super) caller: Option<Caller>,
    /// What the forms of this caller must carry.
    pub(super) form_key: String,
}

impl Admitted {
    /// Somebody with a token, or where none is needed.
    pub(super) fn by_token(caller: Caller, site: &Site) -> Self {
        Self { caller: Some(caller), form_key: site.form_key().to_owned() }
    }
}

/// What a form of a page sent.
#[derive(Debug)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// A field, without the space around it; `None` where it is empty.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A field as it was sent, if it was.
    pub(super) fn sent(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them, by name.
    pub(super) fn sent_all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether it is of a page of this session: only such a page knows the key that it must carry.
    pub(super) fn is_of(&self, key: &str) -> bool {
        !key.is_empty() && bool::from(self.raw("form_key").as_bytes().ct_eq(key.as_bytes()))
    }

    /// A field as it was sent.
    pub(super) fn raw(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// A request that was let in.
pub(crate) struct Call {
    pub(super) site: Site,
    /// Who calls; for a signed request nobody that we know.
    pub(super) caller: Option<Caller>,
    /// What the forms of this caller carry.
    pub(super) form_key: String,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) parts: Parts,
    body: Exclusive,
}

/// A body may go from thread to thread, but not be shared: nobody ever waits for this lock.
struct Exclusive(Mutex<Body>);

impl Call {
    /// A request that was let in.
    pub(super) fn new(
        site: Site,
        admitted: Admitted,
        parameters: Vec<(String, String)>,
        request: Request<Body>,
    ) -> Self {
        let (parts, body) = request.into_parts();
        let Admitted { caller, form_key } = admitted;
        Self { site, caller, form_key, parameters, parts, body: Exclusive(Mutex::new(body)) }
    }

    /// The body alone.
    pub(super) fn into_body(self) -> Body {
        self.body.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part of the path.
    pub(super) fn parameter(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// A header, as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    /// What follows the question mark.
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let query = Query::try_from_uri(&self.parts.uri);
        query.map(|Query(query)| query).map_err(|fault| {
            let text = fault.body_text();
            let why = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            Problem::bad_request(format!("the query does not fit: {why}"))
        })
    }

    /// The pipeline that the path names. It is served, or has cycles.
    pub(super) async fn pipeline(&self) -> Result<PipelineName, Problem> {
        self.pipeline_named(self.parameter("pipeline")).await
    }

    /// The pipeline of that name. It is served, or has cycles.
    pub(super) async fn pipeline_named(&self, given: &str) -> Result<PipelineName, Problem> {
        let unknown = || no_pipeline(given, self.site.handle());
        let name = PipelineName::parse(given).map_err(|_| unknown())?;
        let is_known = self.site.handle().pipelines().contains_key(&name)
            || self.site.store().find_cycle(&name, Which::Latest).await?.is_some();
        if is_known { Ok(name) } else { Err(unknown()) }
    }

    /// The cycle that the path names.
    pub(super) async fn cycle(&self) -> Result<CycleRow, Problem> {
        let name = self.pipeline().await?;
        let given = self.parameter("cycle");
        let which = match given {
            "latest" => Which::Latest,
            "finished" => Which::LatestFinished,
            number => Which::Number(number.parse().map_err(|_| {
                Problem::bad_request(format!("{number:?} is no cycle")).help(
                    "a cycle is a number, `latest`, or `finished` for the newest that is over",
                )
            })?),
        };
        let row = self.site.store().find_cycle(&name, which).await?;
        row.ok_or_else(|| Problem::not_found(format!("pipeline {name} has no cycle {given}")))
    }

    /// What a form of one of our pages sent.
    pub(super) async fn form(self) -> Result<Form, Problem> {
        let key = self.form_key.clone();
        let form = self.form_of_anybody().await?;
        if !form.is_of(&key) {
            let detail = "the form is not of a page of this session";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail)
                .help("go back, load the page again, and send it once more"));
        }
        Ok(form)
    }

    /// The same from somebody who is not known yet.
    pub(super) async fn form_of_anybody(self) -> Result<Form, Problem> {
        self.form_within(MAX_BODY).await
    }

    /// The same of at most so many bytes. Whose it is ([`Form::is_of`]) is for the caller to ask.
    pub(super) async fn form_within(self, limit: usize) -> Result<Form, Problem> {
        let body = collect(self.into_body(), limit).await?;
        let fields = url::form_urlencoded::parse(&body);
        Ok(Form(fields.into_owned().collect()))
    }

    /// The body, as JSON; an empty one counts as `{}`.
    pub(super) async fn json<T: DeserializeOwned>(self) -> Result<T, Problem> {
        let body = collect(self.into_body(), MAX_BODY).await?;
        let text: &[u8] = if body.trim_ascii().is_empty() { b"{}" } else { &body };
        // Without this a list would be read as the fields of the form, one after the other.
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err(Problem::bad_request("the body does not fit: it is no JSON object"));
        }
        serde_json::from_slice(text)
            .map_err(|fault| Problem::bad_request(format!("the body does not fit: {fault}")))
    }
}

/// A pipeline that is not there. A broken file is the reason where its name fits; else it may be, as nobody knows
/// which name such a file has inside.
fn no_pipeline(given: &str, handle: &Handle) -> Problem {
    let (shown, unserved): (String, _) = (given.chars().take(80).collect(), handle.unserved());
    if let Some(file) = unserved.iter().find(|file| file.is_named(given)) {
        return Problem::not_found(format!("there is no pipeline {shown:?}: {file}"))
            .help("`andon check` shows every fault");
    }
    let pipelines = handle.pipelines();
    let mut help = match pipelines.len() {
        0 => "no pipeline is served".to_owned(),
        _ => format!("served: {}", listed(pipelines.keys().map(ToString::to_string))),
    };
    if !unserved.is_empty() {
        let files = listed(unserved.iter().map(Unserved::file_name));
        help.push_str(&format!("; broken and not served: {files} (`andon check` says why)"));
    }
    Problem::not_found(format!("there is no pipeline {shown:?}")).help(help)
}

/// The first names, and how many more there are.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(MAX_LISTED);
    let mut text = names.take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Reads a body that must be small.
async fn collect(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut stream = body.into_data_stream();
    let mut collected = Vec::new();
    let reading = async {
        while let Some(chunk) = stream.next().await {
            let chunk: Bytes = chunk.map_err(|fault| cut_off(&fault))?;
            if collected.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            collected.extend_from_slice(&chunk);
        }
        Ok(collected)
    };
    tokio::time::timeout(BODY_TIME, reading).await.unwrap_or_else(|_| Err(too_slow()))
}

/// 400: the body ended before its end.
pub(super) fn cut_off(fault: &axum::Error) -> Problem {
    Problem::bad_request(format!("the body could not be read: {fault}"))
}

/// 413.
pub(super) fn too_large(limit: usize) -> Problem {
    let detail = format!("the body has more than {limit} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// 408.
pub(super) fn too_slow() -> Problem {
    let detail = format!("the body did not come within {} seconds", BODY_TIME.as_secs());
    Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
}

/// 200 with JSON.
pub(super) fn ok(value: &impl Serialize) -> Answer {
    json(StatusCode::OK, value)
}

/// JSON with a status.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value).expect("what is sent is plain data");
    Ok((status, [(http::header::CONTENT_TYPE, "application/json")], body).into_response())
}
