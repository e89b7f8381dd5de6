//! `GET /audit`: who had what done by the pages and the API, newest first.

use http::StatusCode;
use serde::Serialize;

use super::frame::Frame;
use super::template;
use crate::web::api::acts::asked;
use crate::web::call::{Answer, Call};
use crate::web::forms::ActForm;

#[derive(Serialize)]
struct Page {
    acts: Vec<Line>,
    older: Option<i64>,
    is_newest: bool,
}

#[derive(Serialize)]
struct Line {
    act: ActForm,
    /// Where what it was done to is shown.
    href: Option<String>,
}

/// `GET /audit`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let listed = asked(&call).await?;
    let is_newest = !call.parts.uri.query().is_some_and(|query| query.contains("before="));
    let line = |act: ActForm| Line { href: address(&act), act };
    let own =
        Page { acts: listed.acts.into_iter().map(line).collect(), older: listed.older, is_newest };
    let frame = Frame::of(&call, "Who did what").under(&[("Who did what", "")]);
    Ok(template::page(StatusCode::OK, "audit.html", &frame, &own))
}

/// A cycle and an investigation have pages of their own; a trigger is on the page of its pipeline.
fn address(act: &ActForm) -> Option<String> {
    let pipeline = act.pipeline.as_deref()?;
    let subject = act.subject.as_deref().unwrap_or("");
    let page = match subject.split_once(' ') {
        Some(("cycle", number)) => format!("/cycles/{number}"),
        None if subject.starts_with("INV-") => format!("/investigations/{subject}"),
        Some(_) | None => String::new(),
    };
    Some(format!("/pipelines/{pipeline}{page}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_leads_to_what_it_was_done_to() {
        for (pipeline, subject, leads) in [
            (Some("shop"), Some("cycle 3"), Some("/pipelines/shop/cycles/3")),
            (Some("shop"), Some("INV-0002"), Some("/pipelines/shop/investigations/INV-0002")),
            (Some("shop"), Some("trigger 9"), Some("/pipelines/shop")),
            (None, None, None),
        ] {
            let act = ActForm {
                id: 1,
                at: String::new(),
                person: String::new(),
                kind: String::new(),
                pipeline: pipeline.map(str::to_owned),
                subject: subject.map(str::to_owned),
                detail: String::new(),
            };
            assert_eq!(address(&act).as_deref(), leads);
        }
    }
}
