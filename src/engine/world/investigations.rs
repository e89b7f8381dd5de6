//! Investigations: one document for each failure that lives, linked to its cluster.
//!
//! What people wrote is read before the verdict is recorded, so that the report shows it as it stood
//! then; the document itself is written with the report.

use std::path::{Path, PathBuf};

use super::World;
use crate::cluster::slug_of;
use crate::domain::findings::{Findings, InvestigationState};
use crate::domain::names::InvestigationId;
use crate::engine::numbering::least_investigation;
use crate::engine::{EngineError, Journal, Progress};
use crate::investigation::{self, Facts};
use crate::store::{InvestigationRow, NewInvestigation};

/// At most so many clusters of one cycle get a document: worst first, the rest waits its turn.
const MAX_DOCUMENTS: usize = 25;
/// A longer document is not read: it is not ours.
const MAX_DOCUMENT_BYTES: u64 = 4 << 20;

impl World {
    /// Gives each of the worst clusters its investigation, and takes down what people wrote.
    pub(super) async fn link_investigations(
        &self,
        journal: &Journal,
        findings: &mut Findings,
    ) -> Result<(), EngineError> {
        if !findings.verdict.has_valid_suite() {
            return Ok(());
        }
        let (pipeline, cycle) = (&journal.key().pipeline, journal.key().cycle);
        let least = least_investigation(&self.report_folder(journal), pipeline);
        let mut linked: Vec<InvestigationRow> = Vec::new();
        for cluster in findings.clusters.iter().take(MAX_DOCUMENTS) {
            let wanted = NewInvestigation {
                pipeline: pipeline.clone(),
                fingerprint: cluster.fingerprint.clone(),
                slug: slug_of(&cluster.title),
                cycle,
                least,
            };
            linked.push(journal.store().allocate_investigation(wanted).await?);
        }
        for (cluster, row) in findings.clusters.iter_mut().zip(&linked) {
            cluster.investigation = Some(row.id.clone());
        }
        let snapshots: Vec<_> = findings
            .clusters
            .iter()
            .zip(&linked)
            .map(|(cluster, row)| {
                let file = row.file();
                let existing = self.read_document(journal, &file);
                let facts = Facts {
                    id: &row.id,
                    file: &file,
                    opened_in: row.opened_in,
                    cluster,
                    findings,
                    state: journal.state(),
                    decided_at: journal.now(),
                };
                investigation::update(existing.as_deref(), &facts).snapshot
            })
            .collect();
        findings.investigations = snapshots;
        Ok(())
    }

    /// Writes the documents of this cycle's failures.
    pub(super) fn write_investigations(&self, journal: &Journal) -> std::io::Result<()> {
        let Some(found) = &journal.state().findings else { return Ok(()) };
        let findings = &found.what;
        for snapshot in &findings.investigations {
            let cluster =
                findings.clusters.iter().find(|c| c.investigation.as_ref() == Some(&snapshot.id));
            let Some(cluster) = cluster else { continue };
            let existing = self.read_document(journal, &snapshot.file);
            let facts = Facts {
                id: &snapshot.id,
                file: &snapshot.file,
                opened_in: snapshot.opened_in,
                cluster,
                findings,
                state: journal.state(),
                decided_at: found.at,
            };
            let updated = investigation::update(existing.as_deref(), &facts);
            for warning in &updated.warnings {
                let text = format!("{}: {warning}", snapshot.id);
                journal.observer().on(Progress::Note { text: &text });
            }
            if existing.as_deref() != Some(updated.text.as_str()) {
                let place = document(journal, &snapshot.file);
                self.report_folder(journal).write(place, updated.text.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Notes in the documents of failures that this cycle did not see, though it ran every case, that
    /// they are gone; a later return is then a reopening.
    pub(super) async fn mark_gone(&self, journal: &Journal) -> Result<(), EngineError> {
        let Some(found) = &journal.state().findings else { return Ok(()) };
        let findings = &found.what;
        let ran_all = findings.counts.not_run == 0 && journal.state().queued.options.only.is_none();
        if !findings.verdict.has_valid_suite() || !ran_all {
            return Ok(());
        }
        let lives = |id: &InvestigationId| {
            findings.clusters.iter().any(|cluster| cluster.investigation.as_ref() == Some(id))
        };
        for row in journal.store().list_investigations(Some(&journal.key().pipeline)).await? {
            if row.state == InvestigationState::Closed || lives(&row.id) {
                continue;
            }
            let Some(text) = self.read_document(journal, &row.file()) else { continue };
            let Some(noted) = investigation::mark_gone(&text, journal.key().cycle) else {
                continue;
            };
            let place = document(journal, &row.file());
            if let Err(fault) = self.report_folder(journal).write(place, noted.as_bytes()) {
                tracing::warn!(%fault, id = %row.id, "cannot note that a failure is gone");
            }
        }
        Ok(())
    }

    fn read_document(&self, journal: &Journal, file: &str) -> Option<String> {
        let (folder, place) = (self.report_folder(journal), document(journal, file));
        if let Err(fault) = folder.check(&place) {
            tracing::warn!(%fault, file, "an investigation is not read");
            return None;
        }
        read_capped(&folder.path_of(place))
    }
}

/// Where a document lies in the folder of the reports.
fn document(journal: &Journal, file: &str) -> PathBuf {
    Path::new(journal.key().pipeline.as_str()).join("investigations").join(file)
}

/// A document as text; bytes that are none are shown as such rather than lost.
fn read_capped(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(MAX_DOCUMENT_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
