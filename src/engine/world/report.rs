//! Report: the files of this cycle, the indexes, the investigations.
//!
//! A report that cannot be written never changes a verdict: the cycle says so and goes on, and
//! `andon report --rebuild` writes it later from the same records.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{World, phase_ended};
use crate::domain::errors::chain;
use crate::domain::event::{Event, ReportWritten};
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::engine::{EngineError, Journal, ReportFolder, indexes};
use crate::report::{self, ReportFile};

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

    fn write_files(&self, journal: &Journal) -> std::io::Result<ReportWritten> {
        let folder = self.report_folder(journal);
        let pipeline = Path::new(journal.key().pipeline.as_str());
        let mut markdown = None;
        for file in report::files(journal.state()) {
            folder.write(pipeline.join(&file.path), &file.bytes)?;
            if Path::new(&file.path).extension().is_some_and(|e| e == "md") {
                markdown = Some((file.path, hex::encode(Sha256::digest(&file.bytes))));
            }
        }
        self.write_investigations(journal)?;
        let (name, digest) =
            markdown.ok_or_else(|| std::io::Error::other("no Markdown was made"))?;
        let queued = &journal.state().queued;
        let path = format!("{}/{}/{name}", queued.definition.report_dir, queued.pipeline);
        Ok(ReportWritten { path, digest })
    }

    pub(super) fn report_folder(&self, journal: &Journal) -> ReportFolder {
        let named = Path::new(&journal.state().queued.definition.report_dir);
        ReportFolder::new(&self.setup.working_dir, named)
    }
}
