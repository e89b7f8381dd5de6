//! The report: the state of a cycle as Markdown, JSON, JUnit and pictures.
//!
//! Everything here is a pure function of the recorded events, so a report written again has the same
//! bytes, and no two parts can tell different figures. Nothing here reads a clock or a file, and
//! nothing here decides: verdict, changes and clusters come with the state.

pub mod chart;
pub mod index;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod terminal;
pub mod verify;
pub mod view;
pub mod words;

pub use json::{CycleJson, cycle_json};
pub use verify::{Contradiction, verify};

use crate::domain::state::CycleState;
use view::View;

/// A cycle of at most so many cases is written as indented JSON, for people who read differences.
const MAX_INDENTED: usize = 1_000;

/// One file of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
    /// Its path within the folder of its pipeline's reports, with `/` between folders.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Everything to write for a cycle, one after the other, so that no two need be held at once; the
/// Markdown comes last, so that what it names is there.
pub fn files(state: &CycleState) -> impl Iterator<Item = ReportFile> {
    let view = View::of(state);
    let makers = [chart_file, json_file, junit_file, markdown_file];
    makers.into_iter().filter_map(move |make| make(&view))
}

fn chart_file(view: &View<'_>) -> Option<ReportFile> {
    let points = chart::points(view);
    let path = chart::file_name(view.state.queued.cycle);
    (points.len() > 1).then(|| ReportFile { path, bytes: chart::render(&points).into_bytes() })
}

fn json_file(view: &View<'_>) -> Option<ReportFile> {
    let path = format!("{}.json", view.file_stem());
    Some(ReportFile { path, bytes: json_bytes(view) })
}

fn junit_file(view: &View<'_>) -> Option<ReportFile> {
    let path = format!("{}.junit.xml", view.file_stem());
    Some(ReportFile { path, bytes: junit::render_view(view).into_bytes() })
}

fn markdown_file(view: &View<'_>) -> Option<ReportFile> {
    let path = format!("{}.md", view.file_stem());
    Some(ReportFile { path, bytes: markdown::render_view(view).into_bytes() })
}

/// # Panics
/// Never: the form holds nothing that JSON cannot, and memory takes what is written.
fn json_bytes(view: &View<'_>) -> Vec<u8> {
    let json = json::written(view);
    let mut bytes = if view.cases.len() > MAX_INDENTED {
        serde_json::to_vec(&json).expect("the form is plain data")
    } else {
        serde_json::to_vec_pretty(&json).expect("the form is plain data")
    };
    bytes.push(b'\n');
    bytes
}
