//! The report of a cycle: rendered, as Markdown, and its picture. Made from the records, as the file in
//! the report folder is.

use axum::response::IntoResponse as _;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use minijinja::Value;
use serde::Serialize;

use super::frame::Frame;
use super::{markdown as rendering, template};
use crate::report::view::View;
use crate::report::{Kind, chart, drafts};
use crate::store::CycleRow;
use crate::web::api::cycles::state_of;
use crate::web::call::{Answer, Call};
use crate::web::problem::Problem;

#[derive(Serialize)]
pub(super) struct Document {
    pub(super) links: Vec<Link>,
    pub(super) html: Value,
}

#[derive(Serialize)]
pub(super) struct Link {
    pub(super) text: String,
    pub(super) href: String,
}

/// `GET …/report`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let row = call.cycle().await?;
    let text = made(&call, &row, Kind::Markdown).await?;
    let (name, cycle) = (&row.pipeline, row.summary.cycle);
    let pipeline = format!("/pipelines/{name}");
    let here = format!("{pipeline}/cycles/{cycle}");
    let title = format!("Report of cycle {cycle}");
    let frame = Frame::of(&call, format!("{title} of {name}")).under(&[
        (name.as_str(), &pipeline),
        (&format!("Cycle {cycle}"), &here),
        ("Report", ""),
    ]);
    let api = format!("/api/v1{here}");
    let place = rendering::Place { pipeline: &pipeline };
    let own = Document {
        html: Value::from_safe_string(rendering::html(&text, &place)),
        links: vec![
            Link { text: "Markdown".to_owned(), href: format!("{here}/report.md") },
            Link { text: "JSON".to_owned(), href: api },
        ],
    };
    Ok(template::page(StatusCode::OK, "document.html", &frame, &own))
}

/// `GET …/report.md`
pub(in crate::web) async fn markdown(call: Call) -> Answer {
    let row = call.cycle().await?;
    let text = made(&call, &row, Kind::Markdown).await?;
    Ok(([(CONTENT_TYPE, "text/markdown; charset=utf-8")], text).into_response())
}

/// `GET …/trend.svg`
pub(in crate::web) async fn picture(call: Call) -> Answer {
    let row = call.cycle().await?;
    let state = state_of(&call.site, &row).await?;
    let svg = chart::render(&chart::points(&View::of(&state)));
    Ok(([(CONTENT_TYPE, "image/svg+xml")], svg).into_response())
}

async fn made(call: &Call, row: &CycleRow, kind: Kind) -> Result<String, Problem> {
    if row.summary.decided_at.is_none() {
        return Err(Problem::not_found(format!("{} is not over: it has no report yet", row.key())));
    }
    let state = state_of(&call.site, row).await?;
    let making = tokio::task::spawn_blocking(move || {
        let view = View::of(&state);
        let draft = drafts(&view).find(|draft| draft.kind == kind);
        let file = draft.and_then(|draft| draft.finished().ok());
        file.and_then(|file| String::from_utf8(file.bytes).ok())
    });
    making
        .await
        .ok()
        .flatten()
        .ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the report cannot be made"))
}
