//! Investigations: one document for each failure that lives, linked to its cluster.
//!
//! What people wrote is read before the verdict is recorded, so that the report shows it as it stood
//! then; the document itself is written with the report.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::World;
use super::claims::{Claimed, Claims, reopened};
use super::documents::{self, Existing};
use super::report::beside_the_runtime;
use crate::cluster::slug_of;
use crate::domain::claim::FixProgress;
use crate::domain::findings::{
    Cluster, Findings, InvestigationSnapshot, InvestigationState, OverdueMeasure,
};
use crate::domain::names::InvestigationId;
use crate::engine::numbering::least_investigation;
use crate::engine::{DocumentLock, EngineError, Journal, Progress, keep_written, load_state};
use crate::investigation::{self, Facts, Known};
use crate::store::{Adopted, CycleKey, DocumentKey, InvestigationRow, NewInvestigation};

/// At most so many clusters of one cycle get a document: worst first, the rest waits its turn.
const MAX_DOCUMENTS: usize = 25;
/// In at most so many documents of other failures, those seen last, and for so many countermeasures it
/// is looked whether one is overdue.
const MAX_LOOKED_AT: usize = 50;
const MAX_OVERDUE: usize = 20;
/// So many earlier cycles are looked into for what people had written, those seen last first.
const MAX_LOOKED_BACK: usize = 8;

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
        let rows = journal.store().list_investigations(Some(pipeline)).await?;
        let least = least_investigation(&self.report_folder(journal), pipeline);
        let mut unknown = self.unknown_documents(journal, findings, &rows);
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
        self.take_down(journal, findings, &linked, rows).await
    }

    /// Takes down what people wrote about the linked failures and which fixes they claim, with what this
    /// cycle says of those and of all others that are claimed. `rows` are the investigations before it.
    async fn take_down(
        &self,
        journal: &Journal,
        findings: &mut Findings,
        linked: &[InvestigationRow],
        mut rows: Vec<InvestigationRow>,
    ) -> Result<(), EngineError> {
        let last = last_snapshots(journal, linked, &rows).await?;
        let last_seen: HashMap<InvestigationId, u32> =
            rows.iter().map(|row| (row.id.clone(), row.last_seen)).collect();
        rows.retain(|row| !linked.iter().any(|other| other.id == row.id));
        let read_at = journal.now();
        let documents: Vec<Existing> = linked
            .iter()
            .map(|row| match self.read_document(journal, &row.file()) {
                Existing::Text(text) if text.trim().is_empty() => Existing::Absent,
                document => document,
            })
            .collect();
        let newest = newest_texts(journal, linked, &documents).await;
        let mut written = Claims::new();
        for (row, document) in linked.iter().zip(&documents) {
            if let Existing::Text(text) | Existing::Left { shown: text, .. } = document {
                written.insert(row.id.clone(), investigation::claims_in(text));
            }
        }
        let judged =
            self.judge_claims(journal, findings, Claimed { linked, others: &rows, written });
        let (known, fixes) = judged.await?;
        findings.fixes = fixes;
        findings.overdue = self.overdue(journal, rows);
        let mut read = Vec::new();
        let snapshots: Vec<_> = findings
            .clusters
            .iter()
            .zip(linked.iter().zip(&documents))
            .map(|(cluster, (row, document))| {
                let file = row.file();
                let facts = Facts {
                    id: &row.id,
                    file: &file,
                    opened_in: row.opened_in,
                    cluster,
                    findings,
                    state: journal.state(),
                    decided_at: journal.now(),
                    known: Known {
                        state: row.state,
                        reopened: row.reopened_in,
                        is_back: last_seen.get(&row.id).is_some_and(|seen| began(cluster) > *seen),
                        claims: known.get(&row.id).map_or(&[], Vec::as_slice),
                        last: last.get(&row.id),
                    },
                };
                match document {
                    Existing::Absent => made_anew(newest.get(&row.id).map(String::as_str), &facts),
                    Existing::Text(text) => {
                        let updated = investigation::update(Some(text), &facts);
                        read.push((row.key(), updated.text));
                        updated.snapshot
                    }
                    Existing::Left { why, shown } => {
                        read.extend(shown_document(shown).map(|text| (row.key(), text)));
                        investigation::left(shown, *why, &facts)
                    }
                }
            })
            .collect();
        findings.investigations = snapshots;
        keep_written(journal.store().as_ref(), read, read_at).await;
        Ok(())
    }

    /// What should have been done by now about failures that this cycle did not link: a failure that is
    /// gone may come back as long as nothing prevents it.
    fn overdue(&self, journal: &Journal, mut rows: Vec<InvestigationRow>) -> Vec<OverdueMeasure> {
        let today = jiff::tz::TimeZone::UTC.to_datetime(journal.now()).date();
        rows.retain(|row| row.state != InvestigationState::Closed);
        rows.sort_by_key(|row| std::cmp::Reverse(row.last_seen));
        let measures = rows.iter().take(MAX_LOOKED_AT).flat_map(|row| {
            let text = match self.read_document(journal, &row.file()) {
                Existing::Text(text) => text,
                Existing::Absent | Existing::Left { .. } => String::new(),
            };
            let of = |measure| OverdueMeasure { id: row.id.clone(), measure };
            investigation::overdue(&text, today).into_iter().map(of)
        });
        measures.take(MAX_OVERDUE).collect()
    }

    /// The documents of failures of this cycle that the store does not know, by fingerprint.
    fn unknown_documents(
        &self,
        journal: &Journal,
        findings: &Findings,
        known: &[InvestigationRow],
    ) -> HashMap<String, Adopted> {
        let pipeline = &journal.key().pipeline;
        let known: HashSet<&str> = known.iter().map(|row| row.fingerprint.as_str()).collect();
        let clusters = findings.clusters.iter().take(MAX_DOCUMENTS);
        let mut new = clusters.filter(|cluster| !known.contains(cluster.fingerprint.as_str()));
        if new.next().is_none() {
            return HashMap::new();
        }
        let mut found = documents::by_fingerprint(&self.report_folder(journal), pipeline);
        found.retain(|fingerprint, _| !known.contains(fingerprint.as_str()));
        found
    }

    /// Writes the documents of this cycle's failures.
    pub(super) fn write_investigations(&self, journal: &Journal) -> std::io::Result<()> {
        let Some(found) = &journal.state().findings else { return Ok(()) };
        let findings = &found.what;
        let _lock = DocumentLock::take(&self.report_folder(journal), &journal.key().pipeline)?;
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
                known: Known {
                    state: snapshot.state,
                    reopened: snapshot.reopened_in,
                    is_back: false,
                    claims: &snapshot.claims,
                    last: Some(snapshot),
                },
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
        self.write_progress(journal, findings)
    }

    /// Writes into the documents of other failures what this cycle said of their claimed fixes.
    fn write_progress(&self, journal: &Journal, findings: &Findings) -> std::io::Result<()> {
        for FixProgress { file, claims, state, .. } in &findings.fixes {
            let Existing::Text(text) = self.read_document(journal, file) else { continue };
            let reopened = reopened(*state, journal.key().cycle);
            if let Some(told) = investigation::record(&text, claims, *state, reopened) {
                self.report_folder(journal).write(document(journal, file), told.as_bytes())?;
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
        let mut rows = journal.store().list_investigations(Some(&journal.key().pipeline)).await?;
        rows.retain(|row| row.state != InvestigationState::Closed && !lives(&row.id));
        if !rows.is_empty() {
            let read_at = journal.now();
            let read = beside_the_runtime(|| self.note_gone(journal, &rows));
            keep_written(journal.store().as_ref(), read, read_at).await;
        }
        Ok(())
    }

    /// Gives back what the documents say.
    fn note_gone(
        &self,
        journal: &Journal,
        rows: &[InvestigationRow],
    ) -> Vec<(DocumentKey, String)> {
        let mut read = Vec::new();
        let _lock = match DocumentLock::take(&self.report_folder(journal), &journal.key().pipeline)
        {
            Ok(lock) => lock,
            Err(fault) => {
                tracing::warn!(%fault, "cannot note which failures are gone");
                return read;
            }
        };
        for row in rows {
            let text = match self.read_document(journal, &row.file()) {
                Existing::Text(text) => text,
                Existing::Left { shown, .. } => {
                    read.extend(shown_document(&shown).map(|text| (row.key(), text)));
                    continue;
                }
                Existing::Absent => continue,
            };
            if let Some(noted) = investigation::mark_gone(&text, journal.key().cycle) {
                let place = document(journal, &row.file());
                if let Err(fault) = self.report_folder(journal).write(place, noted.as_bytes()) {
                    tracing::warn!(%fault, id = %row.id, "cannot note that a failure is gone");
                }
            }
            read.push((row.key(), text));
        }
        read
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

/// What the records last held of the documents of the linked failures. `before` are the rows as they
/// were before this cycle: each knows in which cycle its document was last written.
async fn last_snapshots(
    journal: &Journal,
    linked: &[InvestigationRow],
    before: &[InvestigationRow],
) -> Result<HashMap<InvestigationId, InvestigationSnapshot>, EngineError> {
    let wanted: HashSet<&InvestigationId> = linked.iter().map(|row| &row.id).collect();
    let rows = before.iter().filter(|row| wanted.contains(&row.id));
    let cycles: BTreeSet<u32> = rows.map(|row| row.last_seen).collect();
    let mut found = HashMap::new();
    for cycle in cycles.into_iter().rev().take(MAX_LOOKED_BACK) {
        let key = CycleKey { cycle, ..journal.key().clone() };
        // A cycle that was cleared away, or whose records cannot be folded, holds nothing back.
        let state = match load_state(journal.store().as_ref(), &key).await {
            Ok(state) => state,
            Err(fault) => {
                tracing::warn!(%fault, cycle, "an earlier state of investigations is not read");
                continue;
            }
        };
        let snapshots = state.findings.iter().flat_map(|findings| &findings.what.investigations);
        for snapshot in snapshots.filter(|snapshot| wanted.contains(&snapshot.id)) {
            found.entry(snapshot.id.clone()).or_insert_with(|| snapshot.clone());
        }
    }
    Ok(found)
}

/// What can be shown of a file that is left as it is, where that is a document still: its words are the
/// newest, also in another coding. Any other bytes are nobody's.
fn shown_document(shown: &str) -> Option<String> {
    investigation::meta_of(shown).map(|_| shown.to_owned())
}

/// The newest texts that were kept of documents of which nothing is left.
async fn newest_texts(
    journal: &Journal,
    linked: &[InvestigationRow],
    documents: &[Existing],
) -> HashMap<InvestigationId, String> {
    let mut found = HashMap::new();
    let is_lost = |document: &Existing| matches!(document, Existing::Absent);
    for (row, _) in linked.iter().zip(documents).filter(|(_, document)| is_lost(document)) {
        match journal.store().newest_text(&row.key()).await {
            Ok(newest) => found.extend(newest.map(|newest| (row.id.clone(), newest.text))),
            Err(fault) => tracing::warn!(%fault, id = %row.id, "a kept text is not read"),
        }
    }
    found
}

/// A document of which nothing is left: what people wrote comes from the newest text that was kept of
/// it, else from the records of the cycle that saw its failure last.
fn made_anew(newest: Option<&str>, facts: &Facts<'_>) -> InvestigationSnapshot {
    let kept = newest.map(|text| investigation::update(Some(text), facts).snapshot);
    let known = Known { last: kept.as_ref().or(facts.known.last), ..facts.known };
    investigation::update(None, &Facts { known, ..*facts }).snapshot
}

/// The cycle since which these cases fail without a pass; 0 where nothing is known of that.
fn began(cluster: &Cluster) -> u32 {
    cluster.first_failing.as_ref().map_or(0, |first| first.cycle)
}

/// Where a document lies in the folder of the reports.
fn document(journal: &Journal, file: &str) -> PathBuf {
    Path::new(journal.key().pipeline.as_str()).join("investigations").join(file)
}
