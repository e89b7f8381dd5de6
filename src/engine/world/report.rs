//! Report: the files of this cycle, the indexes, the investigations.
//!
//! A report that cannot be written never changes a verdict: the cycle says so and goes on, and
//! `andon report --rebuild` writes it later from the same records.

use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{World, phase_ended};
use crate::domain::errors::chain;
use crate::domain::event::{Event, ReportWritten};
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::engine::{EngineError, Journal, ReportFolder, indexes};
use crate::report::view::View;
use crate::report::{self, Draft, ReportFile};

impl World {
    pub(super) async fn write_report(&self, journal: &mut Journal) -> Result<(), EngineError> {
        let events = match self.write_files(journal) {
            Ok(written) => {
                let event = Event::ReportWritten(written);
                vec![event, phase_ended(journal, Phase::Report, PhaseOutcome::Passed, None)]
            }
            Err(fault) => {
                let detail = Some(format!("the report could not be written: {}", chain(&fault)));
                vec![phase_ended(journal, Phase::Report, PhaseOutcome::Errored, detail)]
            }
        };
        journal.append(events).await?;
        self.mark_gone(journal).await?;
        let folder = self.report_folder(journal);
        let pages = indexes(journal.store().as_ref(), &journal.key().pipeline).await?;
        for ReportFile { path, bytes } in pages {
            if let Err(fault) = folder.write(&path, &bytes) {
                tracing::warn!(%fault, path, "cannot write an index");
            }
        }
        Ok(())
    }

    fn write_files(&self, journal: &Journal) -> io::Result<ReportWritten> {
        let folder = self.report_folder(journal);
        let place = Path::new(journal.key().pipeline.as_str());
        let view = View::of(journal.state());
        let markdown = write_drafts(&folder, place, report::drafts(&view).collect())?;
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

/// Writes the files of a cycle side by side, and the Markdown, which names them, when they are there.
fn write_drafts(
    folder: &ReportFolder,
    place: &Path,
    mut drafts: Vec<Draft<'_, '_>>,
) -> io::Result<ReportFile> {
    let last = drafts.pop().ok_or_else(|| io::Error::other("no Markdown was made"))?;
    let markdown = std::thread::scope(|scope| {
        let write = |draft: Draft<'_, '_>| {
            folder.write_with(place.join(&draft.path), |out| draft.write_to(out))
        };
        let others: Vec<_> =
            drafts.into_iter().map(|draft| scope.spawn(move || write(draft))).collect();
        let markdown = last.finished();
        for other in others {
            other.join().unwrap_or_else(|_| Err(io::Error::other("the writer of a file ended")))?;
        }
        markdown
    })?;
    folder.write(place.join(&markdown.path), &markdown.bytes)?;
    Ok(markdown)
}
