//! `GET /pipelines/{pipeline}/investigations/{investigation}`: five whys as they stand in the report
//! folder, with what could be better about them, and who edited them here.

use std::collections::HashSet;

use axum::response::IntoResponse as _;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use minijinja::Value;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::frame::Frame;
use super::links::{Commits, linked};
use super::report::Link;
use super::{markdown, template};
use crate::domain::findings::InvestigationState;
use crate::engine::document_of;
use crate::investigation::{self, Lint, Lost};
use crate::store::{EditRow, InvestigationRow};
use crate::web::call::{Answer, Call};
use crate::web::problem::Problem;

/// So many edits are shown on a page.
const SHOWN_EDITS: u32 = 20;

#[derive(Serialize)]
struct Shown {
    links: Vec<Link>,
    html: Value,
    edit: String,
    /// Where it is closed; for one that is not.
    close: Option<String>,
    remarks: Vec<Remark>,
    edits: Vec<EditView>,
    older: Option<String>,
}

/// What could be better.
#[derive(Debug, Serialize)]
pub(super) struct Remark {
    place: String,
    says: String,
}

impl From<Lint> for Remark {
    fn from(lint: Lint) -> Self {
        Self { place: lint.place, says: lint.remark }
    }
}

impl Remark {
    /// That a text has lost parts of the tool.
    pub(super) fn of_lost(lost: &[Lost]) -> Option<Self> {
        (!lost.is_empty()).then(|| Self {
            place: "Andon's own parts".to_owned(),
            says: format!(
                "missing here: {}. They are put back when it is saved or closed, beside what people wrote",
                listed(lost)
            ),
        })
    }
}

/// The tool's parts, in words.
pub(super) fn listed(parts: &[Lost]) -> String {
    let words: Vec<String> = parts.iter().map(|part| part.label()).collect();
    words.join(", ")
}

/// What could be better about a document.
pub(super) fn remarks(text: &str) -> Vec<Remark> {
    investigation::lint(&investigation::parse(text)).into_iter().map(Remark::from).collect()
}

/// An edit in the history.
#[derive(Serialize)]
struct EditView {
    /// Where what it left is opened, where that is not what stands there now.
    left: Option<String>,
    /// Where what it found is opened, where no edit in the list left that.
    found: Option<String>,
    by: String,
    at: String,
    is_merged: bool,
    is_written: bool,
    added: u32,
    removed: u32,
    lines: Vec<LineView>,
}

/// A line that an edit changed, or that is around one.
#[derive(Debug, Serialize)]
pub(super) struct LineView {
    kind: &'static str,
    says: String,
}

impl LineView {
    /// The lines of an edit, as they are kept.
    pub(super) fn list(lines: &str) -> Vec<Self> {
        let line = |line: &str| {
            let mut rest = line.chars();
            let kind = match rest.next() {
                Some('+') => "added",
                Some('-') => "removed",
                Some('@') => "place",
                Some(_) | None => "around",
            };
            Self { kind, says: rest.as_str().to_owned() }
        };
        lines.lines().map(line).collect()
    }
}

impl EditView {
    /// Edits, the newest first; `now` is the digest of what stands there. Each version is opened in one
    /// place.
    fn list(edits: Vec<EditRow>, now: &str, edit: &str) -> Vec<Self> {
        let left: HashSet<String> = edits.iter().map(|edit| edit.after.clone()).collect();
        let view = |row: EditRow| Self {
            left: (row.after != now).then(|| format!("{edit}?from={}", row.position)),
            found: (row.before != now && !left.contains(&row.before))
                .then(|| format!("{edit}?before={}", row.position)),
            by: row.by,
            at: row.at.to_string(),
            is_merged: row.is_merged,
            is_written: row.is_written,
            added: row.added,
            removed: row.removed,
            lines: LineView::list(&row.lines),
        };
        edits.into_iter().map(view).collect()
    }
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    before: Option<u32>,
}

/// `GET /pipelines/{pipeline}/investigations/{investigation}`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let row = row_of(&call).await?;
    let asked: Asked = call.query()?;
    let text = text_of(&call, &row).await?;
    let (name, id) = (row.pipeline.clone(), row.id.to_string());
    let pipeline = format!("/pipelines/{name}");
    let here = format!("{pipeline}/investigations/{id}");
    let of = row.key();
    let mut edits = call.site.store().list_edits(&of, asked.before, SHOWN_EDITS + 1).await?;
    let commits = Commits::of(call.site.store(), &name, &text).await?;
    let has_older = edits.len() > SHOWN_EDITS as usize;
    edits.truncate(SHOWN_EDITS as usize);
    let oldest = edits.last().map(|edit| edit.position).filter(|_| has_older);
    let frame =
        Frame::of(&call, format!("{id} of {name}")).under(&[(name.as_str(), &pipeline), (&id, "")]);
    // Only what it is: which other parts it should have is not known here.
    let lost = investigation::lost(&text, &text);
    let cycle = |what, number| Link {
        text: format!("{what} in cycle {number}"),
        href: format!("{pipeline}/cycles/{number}"),
    };
    let own = Shown {
        html: rendered(&linked(&text, &pipeline, &commits), &pipeline),
        remarks: Remark::of_lost(&lost).into_iter().chain(remarks(&text)).collect(),
        links: vec![
            cycle("Opened", row.opened_in),
            cycle("Last seen", row.last_seen),
            Link { text: "Markdown".to_owned(), href: format!("{here}/document.md") },
        ],
        edit: format!("{here}/edit"),
        close: (state_of(&text, &row) != InvestigationState::Closed)
            .then(|| format!("{here}/close")),
        edits: EditView::list(edits, &hex::encode(Sha256::digest(&text)), &format!("{here}/edit")),
        older: oldest.map(|position| format!("{here}?before={position}#edits")),
    };
    Ok(template::page(StatusCode::OK, "investigation.html", &frame, &own))
}

/// What the document says: it counts, whatever the records hold, as long as it says something.
fn state_of(text: &str, row: &InvestigationRow) -> InvestigationState {
    investigation::meta_of(text).map_or(row.state, |meta| meta.state)
}

/// `GET …/document.md`
pub(in crate::web) async fn markdown(call: Call) -> Answer {
    let row = row_of(&call).await?;
    let text = text_of(&call, &row).await?;
    Ok(([(CONTENT_TYPE, "text/markdown; charset=utf-8")], text).into_response())
}

/// A document as HTML.
pub(super) fn rendered(text: &str, pipeline: &str) -> Value {
    Value::from_safe_string(markdown::html(text, &markdown::Place { pipeline }))
}

/// The investigation that a call is about.
pub(super) async fn row_of(call: &Call) -> Result<InvestigationRow, Problem> {
    let name = call.pipeline().await?;
    let given = call.parameter("investigation");
    let rows = call.site.store().list_investigations(Some(&name)).await?;
    rows.into_iter().find(|row| row.id.to_string() == given).ok_or_else(|| {
        Problem::not_found(format!("pipeline {name} has no investigation {given:?}"))
    })
}

async fn text_of(call: &Call, row: &InvestigationRow) -> Result<String, Problem> {
    let (folder, of, file) =
        (call.site.reports_of(&row.pipeline), row.pipeline.clone(), row.file());
    let reading = tokio::task::spawn_blocking(move || document_of(&folder, &of, &file).ok());
    reading.await.ok().flatten().ok_or_else(|| {
        Problem::not_found(format!("the document {} is not in the report folder", row.file()))
            .help("the next cycle that sees the failure writes it again")
    })
}
