//! Report: the files of this cycle, the indexes, the investigations.
//!
//! A report that cannot be written never changes a verdict: the cycle says so and goes on, and
//! `andon report --rebuild` writes it later from the same records.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{World, phase_ended};
use crate::domain::errors::chain;
use crate::domain::event::{Event, ReportWritten};
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::engine::{Beside, EngineError, Journal, ReportFolder, indexes, put_all};
use crate::report::view::View;
use crate::report::{self, Draft, ReportFile};

/// So much of a JSON file that is there already is read, to learn whose it is.
const MAX_JSON_BYTES: u64 = 1 << 30;

impl World {
    pub(super) async fn write_report(&self, journal: &mut Journal) -> Result<(), EngineError> {
        let pages = indexes(journal.store().as_ref(), &journal.key().pipeline).await?;
        let events = match beside_the_runtime(|| self.write_files(journal, pages)) {
            Ok(written) => {
                let event = Event::ReportWritten(written);
                vec![event, phase_ended(journal, Phase::Report, PhaseOutcome::Passed, None)]
            }
            Err(fault) => {
                let detail = Some(format!("the report could not be written: {}", chain(&fault)));
                vec![phase_ended(journal, Phase::Report, PhaseOutcome::Errored, detail)]
            }
        };
        self.mark_gone(journal).await?;
        journal.note(events)
    }

    /// Writes everything side by side: each file waits for the disk.
    fn write_files(&self, journal: &Journal, pages: Vec<ReportFile>) -> io::Result<ReportWritten> {
        let folder = self.report_folder(journal);
        let view = View::of(journal.state());
        let pipeline = Path::new(journal.key().pipeline.as_str());
        let markdown = std::thread::scope(|scope| {
            let pages = scope.spawn(|| write_indexes(&folder, pages));
            let json = pipeline.join(format!("{}.json", view.file_stem()));
            let markdown = refuse_foreign(&folder, &json, &view)
                .and_then(|()| write_drafts(&folder, pipeline, report::drafts(&view).collect()));
            pages.join().map_err(|_| io::Error::other("the writer of the indexes ended"))?;
            markdown
        })?;
        self.write_investigations(journal)?;
        let queued = &journal.state().queued;
        let path =
            format!("{}/{}/{}", queued.definition.report_dir, queued.pipeline, markdown.path);
        let digest = hex::encode(Sha256::digest(&markdown.bytes));
        Ok(ReportWritten { path, digest })
    }

    pub(super) fn report_folder(&self, journal: &Journal) -> ReportFolder {
        let named = Path::new(&journal.state().queued.definition.report_dir);
        ReportFolder::new(&self.setup.working_dir, named)
    }
}

/// A report is never changed after its cycle ended: one of the same number that another state folder
/// made stays. Only its JSON says whose it is.
fn refuse_foreign(folder: &ReportFolder, json: &Path, view: &View<'_>) -> io::Result<()> {
    #[derive(serde::Deserialize)]
    struct Begun {
        started_at: String,
    }
    let Ok(file) = File::open(folder.path_of(json)) else { return Ok(()) };
    let reader = BufReader::new(file.take(MAX_JSON_BYTES));
    let Ok(Begun { started_at }) = serde_json::from_reader(reader) else { return Ok(()) };
    if started_at == view.started_at().to_string() {
        return Ok(());
    }
    let path = folder.path_of(json);
    Err(io::Error::other(format!(
        "{} belongs to another cycle of this number, which began at {started_at}, and is left as it \
         is; move it away, then `andon report {} {} --rebuild` writes this one",
        path.display(),
        view.state.queued.pipeline,
        view.state.queued.cycle,
    )))
}

/// Writes the files of a cycle side by side and puts them there together, the Markdown last: it names
/// the others.
fn write_drafts(
    folder: &ReportFolder,
    pipeline: &Path,
    mut drafts: Vec<Draft<'_, '_>>,
) -> io::Result<ReportFile> {
    let last = drafts.pop().ok_or_else(|| io::Error::other("no Markdown was made"))?;
    let (markdown, files) = std::thread::scope(|scope| {
        let write = |draft: Draft<'_, '_>| {
            folder.write_beside(pipeline.join(&draft.path), |out| draft.write_to(out))
        };
        let others: Vec<_> =
            drafts.into_iter().map(|draft| scope.spawn(move || write(draft))).collect();
        let markdown = last.finished()?;
        let place = pipeline.join(&markdown.path);
        let last = folder.write_beside(place, |out| out.write_all(&markdown.bytes));
        let others = others.into_iter().map(|other| {
            other.join().unwrap_or_else(|_| Err(io::Error::other("the writer of a file ended")))
        });
        let files: Vec<Beside> = others.chain([last]).collect::<io::Result<_>>()?;
        io::Result::Ok((markdown, files))
    })?;
    put_all(files)?;
    Ok(markdown)
}

/// Writes the indexes. Nobody waits for their folders to be durable: a power cut may bring the ones
/// before them back, whole, and the next cycle writes them anew.
fn write_indexes(folder: &ReportFolder, pages: Vec<ReportFile>) {
    for ReportFile { path, bytes } in pages {
        let written = folder.write_beside(&path, |out| out.write_all(&bytes));
        if let Err(fault) = written.and_then(Beside::put) {
            tracing::warn!(%fault, path, "cannot write an index");
        }
    }
}

/// Does what waits for the disk without keeping the other tasks of this thread waiting. (A runtime of
/// one thread, as tests have it, has nobody who could take them over.)
pub(super) fn beside_the_runtime<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
