//! Webhooks of forges. A hook is a hint to look at the remote now, and nothing more: what the
//! remote says decides. So nothing is taken from its body but which pipelines it may concern.

mod address;
mod payload;
mod secrets;
mod signature;
mod spool;

use http::StatusCode;

pub use address::Address;
pub use payload::{Payload, PayloadError};
pub use secrets::HookSecrets;
pub use signature::{Check, Forge, Rejected};

use super::call::{Answer, Call, json};
use super::forms::HookForm;
use super::problem::Problem;
use super::site::Site;
use crate::daemon::Served;
use crate::domain::names::PipelineName;
use spool::Spooled;

/// A push of a forge may list many commits; GitHub's own limit is the same.
const MAX_BODY: usize = 25 << 20;

/// `POST /hooks/{forge}[/{pipeline}]`
pub(super) async fn receive(call: Call) -> Answer {
    let site = call.site.clone();
    let absent = || Problem::not_found("no secret is configured for a webhook of this kind");
    let forge = Forge::parse(call.parameter("forge")).ok_or_else(absent)?;
    let received = of(forge, call).await;
    let result = match &received {
        Ok(_) => "accepted",
        Err(problem) => result_word(problem.status()),
    };
    site.counters().hook(forge.as_str(), result);
    received
}

fn result_word(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "forged",
        StatusCode::NOT_FOUND => "not_configured",
        StatusCode::SERVICE_UNAVAILABLE => "not_stored",
        _ => "not_understood",
    }
}

async fn of(forge: Forge, call: Call) -> Answer {
    let secrets = call.site.hooks();
    let absent = "no secret is configured for a webhook of this kind";
    let live = secrets.of(forge).ok_or_else(|| Problem::not_found(absent))?;
    // Whoever has no signature at all is not read to the end.
    let mut check = Check::begin(forge, &call.parts.headers, live)?;
    let (site, headers) = (call.site.clone(), call.parts.headers.clone());
    let named = call.parameters.iter().find(|(name, _)| name == "pipeline");
    let named = named.map(|(_, name)| name.clone());
    let spooled = Spooled::read(call.into_body(), MAX_BODY, |chunk| check.update(chunk)).await?;
    check.finish()?;
    if forge.is_ping(&headers) {
        return json(StatusCode::OK, &HookForm { pipelines: Vec::new(), note: None });
    }
    if !is_json(&headers) {
        return Err(Problem::bad_request("the body is not JSON")
            .help("choose `application/json` as the content type in the settings of the webhook"));
    }
    let payload = spooled.parse().await?;
    let chosen = match named {
        Some(name) => vec![named_pipeline(&site, &name)?],
        None => concerned(&site, &payload),
    };
    let why = format!("a webhook of {forge}");
    for name in &chosen {
        site.store().request_look(name, &why, site.now()).await?;
    }
    if !chosen.is_empty() {
        site.handle().look_soon();
    }
    let note = chosen.is_empty().then(|| "no pipeline watches this repository".to_owned());
    let pipelines = chosen.iter().map(ToString::to_string).collect();
    json(StatusCode::ACCEPTED, &HookForm { pipelines, note })
}

/// Senders that say no type at all are believed to send what they should.
fn is_json(headers: &http::HeaderMap) -> bool {
    let Some(kind) = headers.get(http::header::CONTENT_TYPE) else { return true };
    let kind = kind.to_str().unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

fn named_pipeline(site: &Site, given: &str) -> Result<PipelineName, Problem> {
    let pipelines = site.handle().pipelines();
    let name = PipelineName::parse(given).ok().filter(|name| pipelines.contains_key(name));
    let name = name.ok_or_else(|| Problem::not_found(format!("there is no pipeline {given:?}")))?;
    if pipelines[&name].pipeline.watch.is_none() {
        return Err(Problem::unprocessable(format!("pipeline {name} watches no repository")));
    }
    Ok(name)
}

/// The pipelines that watch the repository of a payload.
fn concerned(site: &Site, payload: &Payload) -> Vec<PipelineName> {
    let is_concerned = |served: &Served| {
        let watch = served.pipeline.watch.as_ref();
        watch.is_some_and(|watch| payload.is_about(&Address::parse(&watch.repo)))
    };
    let pipelines = site.handle().pipelines();
    let concerned = pipelines.iter().filter(|(_, served)| is_concerned(served));
    concerned.map(|(name, _)| name.clone()).collect()
}
