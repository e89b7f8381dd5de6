//! Investigations: one document for each failure that lives, linked to its cluster.
//!
//! What people wrote is read before the verdict is recorded, so that the report shows it as it stood
//! then; the document itself is written with the report.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::World;
use super::documents::{self, Existing};
use crate::cluster::slug_of;
use crate::domain::findings::{Findings, InvestigationState};
use crate::domain::names::InvestigationId;
use crate::engine::numbering::least_investigation;
use crate::engine::{EngineError, Journal, Progress};
use crate::investigation::{self, Facts};
use crate::store::{Adopted, InvestigationRow, NewInvestigation};

/// At most so many clusters of one cycle get a document: worst first, the rest waits its turn.
const MAX_DOCUMENTS: usize = 25;

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
        let mut unknown = self.unknown_documents(journal, findings).await?;
        let mut linked: Vec<InvestigationRow> = Vec::new();
        for cluster in findings.clusters.iter().take(MAX_DOCUMENTS) {
            let adopts = unknown.remove(cluster.fingerprint.as_str());
            let number = adopts.as_ref().map(|there| there.number);
            let wanted = NewInvestigation {
                pipeline: pipeline.clone(),
                fingerprint: cluster.fingerprint.clone(),
                slug: slug_of(&cluster.title),
                cycle,
                least,
                adopts,
            };
            let row = journal.store().allocate_investigation(wanted).await?;
            if number == Some(row.id.number()) {
                let told = "its file was in the report folder already, and goes on";
                let text = format!("{}: {told}", row.id);
                journal.observer().on(Progress::Note { text: &text });
            }
            linked.push(row);
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
                let facts = Facts {
                    id: &row.id,
                    file: &file,
                    opened_in: row.opened_in,
                    cluster,
                    findings,
                    state: journal.state(),
                    decided_at: journal.now(),
                };
                match self.read_document(journal, &file) {
                    Existing::Absent => investigation::update(None, &facts).snapshot,
                    Existing::Text(text) => investigation::update(Some(&text), &facts).snapshot,
                    Existing::Left { why, shown } => investigation::left(&shown, why, &facts),
                }
            })
            .collect();
        findings.investigations = snapshots;
        Ok(())
    }

    /// The documents of failures of this cycle that the store does not know, by fingerprint.
    async fn unknown_documents(
        &self,
        journal: &Journal,
        findings: &Findings,
    ) -> Result<HashMap<String, Adopted>, EngineError> {
        let pipeline = &journal.key().pipeline;
        let known = journal.store().list_investigations(Some(pipeline)).await?;
        let known: HashSet<&str> = known.iter().map(|row| row.fingerprint.as_str()).collect();
        let clusters = findings.clusters.iter().take(MAX_DOCUMENTS);
        let mut new = clusters.filter(|cluster| !known.contains(cluster.fingerprint.as_str()));
        if new.next().is_none() {
            return Ok(HashMap::new());
        }
        let mut found = documents::by_fingerprint(&self.report_folder(journal), pipeline);
        found.retain(|fingerprint, _| !known.contains(fingerprint.as_str()));
        Ok(found)
    }

    /// Writes the documents of this cycle's failures.
    pub(super) fn write_investigations(&self, journal: &Journal) -> std::io::Result<()> {
        let Some(found) = &journal.state().findings else { return Ok(()) };
        let findings = &found.what;
        for snapshot in &findings.investigations {
            let cluster =
                findings.clusters.iter().find(|c| c.investigation.as_ref() == Some(&snapshot.id));
            let Some(cluster) = cluster else { continue };
            let existing = match self.read_document(journal, &snapshot.file) {
                Existing::Absent => None,
                Existing::Text(text) => Some(text),
                Existing::Left { why, .. } => {
                    let text = format!("{}: its file {}", snapshot.id, why.words());
                    journal.observer().on(Progress::Note { text: &text });
                    continue;
                }
            };
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
            let Existing::Text(text) = self.read_document(journal, &row.file()) else { continue };
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

    fn read_document(&self, journal: &Journal, file: &str) -> Existing {
        let (folder, place) = (self.report_folder(journal), document(journal, file));
        if let Err(fault) = folder.check(&place) {
            tracing::warn!(%fault, file, "an investigation is not read");
            // A link in its place is replaced; what it points to stays.
            return Existing::Absent;
        }
        documents::read(&folder.path_of(place))
    }
}

/// Where a document lies in the folder of the reports.
fn document(journal: &Journal, file: &str) -> PathBuf {
    Path::new(journal.key().pipeline.as_str()).join("investigations").join(file)
}
