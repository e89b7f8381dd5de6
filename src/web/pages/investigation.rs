//! `GET /pipelines/{pipeline}/investigations/{investigation}`: five whys as they stand in the report folder.

use http::StatusCode;
use minijinja::Value;

use super::frame::Frame;
use super::report::{Document, Link};
use super::{markdown, template};
use crate::engine::document_of;
use crate::web::call::{Answer, Call};
use crate::web::problem::Problem;

/// `GET /pipelines/{pipeline}/investigations/{investigation}`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let name = call.pipeline().await?;
    let given = call.parameter("investigation");
    let rows = call.site.store().list_investigations(Some(&name)).await?;
    let row = rows.into_iter().find(|row| row.id.to_string() == given).ok_or_else(|| {
        Problem::not_found(format!("pipeline {name} has no investigation {given:?}"))
    })?;
    let (folder, file, of) = (call.site.reports_of(&name), row.file(), name.clone());
    let reading = tokio::task::spawn_blocking(move || document_of(&folder, &of, &file));
    let text = reading.await.ok().flatten().ok_or_else(|| {
        Problem::not_found(format!("the document {} is not in the report folder", row.file()))
            .help("the next cycle that sees the failure writes it again")
    })?;
    let pipeline = format!("/pipelines/{name}");
    let place = markdown::Place { pipeline: &pipeline };
    let own = Document {
        html: Value::from_safe_string(markdown::html(&text, &place)),
        links: vec![
            Link { text: "Opened in", href: format!("{pipeline}/cycles/{}", row.opened_in) },
            Link { text: "Last seen in", href: format!("{pipeline}/cycles/{}", row.last_seen) },
        ],
    };
    let id = row.id.to_string();
    let frame =
        Frame::of(&call, format!("{id} of {name}")).under(&[(name.as_str(), &pipeline), (&id, "")]);
    Ok(template::page(StatusCode::OK, "document.html", &frame, &own))
}
