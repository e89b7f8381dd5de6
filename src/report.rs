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
mod matrix;
pub mod rollback;
pub mod terminal;
pub mod verify;
pub mod view;
pub mod words;

pub use json::{CycleJson, SearchJson, cycle_json};
pub use markdown::comment;
pub use verify::{Contradiction, verify};

use std::io::{self, Write};

use serde::Serialize as _;
use serde_json::ser::{CompactFormatter, PrettyFormatter, Serializer};

use json::Seen;
use view::View;

/// A report of more cases is not recounted when it is written.
const MAX_RECOUNTED: usize = 20_000;
/// A cycle of at most so many cases is written as indented JSON, for people who read differences.
const MAX_INDENTED: usize = 1_000;

/// Large files are handed on in pieces of so many bytes.
const PIECE: usize = 128 * 1024;

/// One file, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
    /// Its path within the folder of its pipeline's reports, with `/` between folders.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// One file of a cycle's report, made while it is written: that of a large suite is larger than
/// everything else in memory.
pub struct Draft<'v, 'a> {
    /// Its path within the folder of its pipeline's reports, with `/` between folders.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    view: &'v View<'a>,
}

/// The files of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The trend as a picture; only beside earlier cycles.
    Chart,
    /// Everything, for programs.
    Json,
    /// The cases, for tools that read JUnit.
    Junit,
    /// The report itself.
    Markdown,
}

/// Everything to write for a cycle; the Markdown comes last, so that what it names is there.
pub fn drafts<'v, 'a>(view: &'v View<'a>) -> impl Iterator<Item = Draft<'v, 'a>> {
    let kinds = [Kind::Chart, Kind::Json, Kind::Junit, Kind::Markdown];
    let has_chart = chart::points(view).len() > 1;
    let wanted = kinds.into_iter().filter(move |kind| *kind != Kind::Chart || has_chart);
    wanted.map(move |kind| Draft { path: path_of(view, kind), kind, view })
}

fn path_of(view: &View<'_>, kind: Kind) -> String {
    let stem = view.file_stem();
    match kind {
        Kind::Chart => chart::file_name(view.state.queued.cycle),
        Kind::Json => format!("{stem}.json"),
        Kind::Junit => format!("{stem}.junit.xml"),
        Kind::Markdown => format!("{stem}.md"),
    }
}

impl Draft<'_, '_> {
    /// Makes the file. The same records give the same bytes.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.kind {
            Kind::Chart => out.write_all(chart::render(&chart::points(self.view)).as_bytes()),
            Kind::Json => write_json(self.view, out),
            Kind::Junit => junit::write(self.view, out),
            Kind::Markdown => out.write_all(markdown::render_view(self.view).as_bytes()),
        }
    }

    /// The whole file in memory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn finished(&self) -> io::Result<ReportFile> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes)?;
        Ok(ReportFile { path: self.path.clone(), bytes })
    }
}

/// A report that contradicts itself is a defect of ours, and worse than none. A very large one is only
/// recounted by `report --verify`: its JSON is never whole in memory here.
fn refuse_contradictions(view: &View<'_>) -> io::Result<()> {
    if view.cases.len() > MAX_RECOUNTED {
        return Ok(());
    }
    match verify(&CycleJson::of(view.state), None).into_iter().next() {
        None => Ok(()),
        Some(Contradiction { place, what }) => Err(io::Error::other(format!(
            "it contradicts itself ({place}: {what}) and is not written"
        ))),
    }
}

fn write_json(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let json = json::written(view);
    refuse_contradictions(view)?;
    // A hundred writes for each case, most of a byte or two: what takes them must be known when this
    // is compiled, not be looked up for each.
    let mut out = io::BufWriter::with_capacity(PIECE, out);
    if view.cases.len() > MAX_INDENTED {
        let compact = Seen(CompactFormatter);
        json.serialize(&mut Serializer::with_formatter(&mut out, compact))?;
    } else {
        let indented = Seen(PrettyFormatter::new());
        json.serialize(&mut Serializer::with_formatter(&mut out, indented))?;
    }
    out.write_all(b"\n")?;
    out.flush()
}
