//! The merge: what the tool wrote last, the file as it is now, and what the tool has to say after
//! this cycle.

use super::anchor::{self, Piece};
use super::answers::{self, Answer};
use super::claims::{self, Before, Sighting};
use super::document::{self, AGAIN, Document, Meta, Slot};
use super::facts::{self, Facts, Known};
use super::questions::is_skeleton;
use crate::domain::claim::FixClaim;
use crate::domain::escape;
use crate::domain::findings::{
    CLOSED_BY, Countermeasure, InvestigationSnapshot, InvestigationState, LeftAsItIs, Why,
    WrittenPart,
};

/// At most so many characters of one block that people wrote go into a report.
const MAX_NOTE: usize = 4_000;
/// At most so many blocks.
const MAX_NOTES: usize = 12;

/// At most so many characters of what people wrote in one part go into the records.
const MAX_WRITTEN: usize = 64 << 10;

/// A document after a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// Its text.
    pub text: String,
    /// What the report shows of it.
    pub snapshot: InvestigationSnapshot,
    /// What people should know about the merge, one sentence each.
    pub warnings: Vec<String>,
}

/// Who closes a document, and why.
#[derive(Debug, Clone)]
pub struct Closing<'a> {
    /// The name of the person.
    pub by: &'a str,
    /// The day, as it shall stand in the text.
    pub on: jiff::civil::Date,
    /// Their words, where they said some.
    pub reason: Option<&'a str>,
}

/// Makes or renews the document of a failure that this cycle saw. Nothing that people wrote is lost;
/// doing it twice changes nothing.
pub fn update(existing: Option<&str>, facts: &Facts<'_>) -> Updated {
    let existing = existing.filter(|text| !text.trim().is_empty());
    let claims = claims::merge(facts.known.claims, &existing.map_or_else(Vec::new, claims_in));
    let facts = &Facts { known: Known { claims: &claims, ..facts.known }, ..*facts };
    let mut document = read(existing, facts);
    let made_anew = existing.is_none() && facts.opened_in < facts.state.queued.cycle;
    let mut warnings = existing.map_or_else(Vec::new, |_| warnings(&document));
    if made_anew {
        let restored = if document.human.is_empty() { "" } else { " with what people had written" };
        warnings.push(format!("its file was gone or empty, and was made anew{restored}"));
    }
    keep(&mut document, facts.state.queued.cycle);
    let meta = next_meta(&document, facts);
    write_tool_parts(&mut document, facts, &meta);
    document.meta = Some(meta);
    let snapshot = InvestigationSnapshot { made_anew, ..snapshot_of(&document, facts) };
    Updated { text: document::render(&document), snapshot, warnings }
}

/// What a report shows of a document that is left as it is, as far as it can be read.
pub fn left(shown: &str, why: LeftAsItIs, facts: &Facts<'_>) -> InvestigationSnapshot {
    let snapshot = update(Some(shown), facts).snapshot;
    InvestigationSnapshot { made_anew: false, left: Some(why), ..snapshot }
}

/// What a document is, by the comment in it.
pub fn meta_of(text: &str) -> Option<Meta> {
    text.lines().flat_map(anchor::pieces).find_map(|piece| match piece {
        Piece::Meta(meta) => Some(*meta),
        Piece::Begin(..) | Piece::End(_) | Piece::Text(_) => None,
    })
}

/// The cycle from which on a failure is gone, as its document says: by the comment that says what it is,
/// and where a person took that away, by the state in words, unless they touched that, too.
pub fn gone_in(text: &str) -> Option<u32> {
    let document = super::parse(text);
    match &document.meta {
        Some(meta) => meta.gone,
        None => document.tool.get(&Slot::Status).and_then(|lines| facts::gone_in(lines)),
    }
}

/// The fixes that a document says were claimed. Their subjects stay in git.
pub fn claims_in(text: &str) -> Vec<FixClaim> {
    claims_of(&super::parse(text))
}

pub(super) fn claims_of(document: &Document) -> Vec<FixClaim> {
    claims::read(document.tool.get(&Slot::Fixes).map_or(&[][..], Vec::as_slice))
}

/// The document as it is now; where anchors are gone, what the tool is about to write tells its
/// lines from those of people.
fn read(existing: Option<&str>, facts: &Facts<'_>) -> Document {
    let Some(text) = existing else {
        return restored(facts.known.last.map_or(&[][..], |last| &last.written));
    };
    let draft = super::parse(text);
    let meta = next_meta(&draft, facts);
    let rows = draft.tool.get(&Slot::Occurrences).map_or(&[][..], Vec::as_slice);
    let fresh = Slot::all().flat_map(|slot| facts::lines(slot, facts, &meta, rows));
    let fresh = fresh.chain(facts::kept_heading());
    let fresh = anchor::digests_of(fresh.filter(|line| !line.trim().is_empty()));
    document::parse(text, &fresh)
}

/// A document of which no file is left, with what the records hold of people's words.
fn restored(written: &[WrittenPart]) -> Document {
    let mut document = Document::default();
    for WrittenPart { part, text } in written {
        // The part before everything has no anchor, so no name that can be read back.
        let slot = Slot::parse(part).unwrap_or(Slot::Top);
        let lines = text.split('\n').map(anchor::harmless);
        document.human.entry(slot).or_default().extend(lines);
    }
    document
}

/// What people wrote, for the records. Empty forms are not theirs.
fn written(document: &Document) -> Vec<WrittenPart> {
    let is_theirs = |line: &String| !line.trim().is_empty() && !is_skeleton(line);
    let parts = Slot::all().filter(|slot| document.human_lines(*slot).iter().any(is_theirs));
    parts
        .map(|slot| WrittenPart {
            part: slot.to_string(),
            text: escape::clip(&document.human_lines(slot).join("\n"), MAX_WRITTEN).into_owned(),
        })
        .collect()
}

/// What people wrote in a text: what stands in a part of the tool is theirs, too.
pub fn written_in(text: &str) -> Vec<WrittenPart> {
    let mut document = super::parse(text);
    // Two texts with the same words come to the same, whenever the words were found.
    keep(&mut document, 0);
    written(&document)
}

/// A shorter text of a document from which as much can be restored: without the parts of the tool.
pub fn abridged(text: &str) -> String {
    let mut document = super::parse(text);
    let meta = document.meta.take();
    keep(&mut document, meta.as_ref().map_or(0, |meta| meta.reopened.unwrap_or(meta.opened)));
    document::render(&Document { meta, ..restored(&written(&document)) })
}

fn warnings(document: &Document) -> Vec<String> {
    let mut warnings = Vec::new();
    if document.meta.is_none() {
        warnings.push(
            "the comment that says what the document is was missing or changed; it was made anew"
                .to_owned(),
        );
    }
    if !document.unanchored.is_empty() {
        let parts: Vec<String> = document.unanchored.iter().map(ToString::to_string).collect();
        warnings.push(format!("anchors were missing and made anew: {}", parts.join(", ")));
    }
    match document.kept.len() {
        0 => {}
        1 => warnings
            .push("1 line that stood in Andon's parts was moved to “Kept from edits”".to_owned()),
        more => warnings.push(format!(
            "{more} lines that stood in Andon's parts were moved to “Kept from edits”"
        )),
    }
    warnings
}

/// Moves what people wrote inside the tool's parts to the appendix, with its origin.
pub(super) fn keep(document: &mut Document, cycle: u32) {
    let mut kept = std::mem::take(&mut document.kept);
    kept.sort_by_key(|kept| kept.from);
    let appendix = document.human.entry(Slot::Kept).or_default();
    let mut from = None;
    for kept in kept {
        if from != Some(kept.from) {
            from = Some(kept.from);
            let where_it_was = kept.from;
            appendix.extend([
                String::new(),
                format!("*From the part “{where_it_was}”, moved here in cycle {cycle}:*"),
                String::new(),
            ]);
        }
        appendix.push(kept.line);
    }
}

fn next_meta(document: &Document, facts: &Facts<'_>) -> Meta {
    let cycle = facts.state.queued.cycle;
    let before = document.meta.clone().unwrap_or_else(|| Meta {
        id: facts.id.clone(),
        fingerprint: String::new(),
        state: facts.known.state,
        opened: facts.opened_in,
        reopened: facts.known.reopened,
        gone: None,
    });
    let is_gone = match &document.meta {
        Some(meta) => meta.gone.is_some(),
        None => facts.known.is_back,
    };
    let was = Before { state: before.state, is_gone, is_answered: is_answered(document) };
    let state = claims::state_after(was, Sighting::Failing, facts.known.claims, cycle);
    let is_back = state == InvestigationState::Reopened && (state != before.state || is_gone);
    Meta {
        id: facts.id.clone(),
        fingerprint: facts.cluster.fingerprint.as_str().to_owned(),
        state,
        opened: before.opened,
        reopened: if is_back { Some(cycle) } else { before.reopened },
        gone: None,
    }
}

/// Whether a person wrote a cause: evidence alone is none.
fn is_answered(document: &Document) -> bool {
    let mut answers = (2..=AGAIN).flat_map(|number| answers_to(document, number));
    answers.any(|answer| !answer.claim.trim().is_empty())
}

fn answers_to(document: &Document, number: u8) -> Vec<Answer> {
    answers::answers(document.human_lines(Slot::Why(number)))
}

fn write_tool_parts(document: &mut Document, facts: &Facts<'_>, meta: &Meta) {
    let rows = document.tool.get(&Slot::Occurrences).cloned().unwrap_or_default();
    for slot in Slot::all() {
        let lines = match slot {
            // A question that somebody answered is never worded anew.
            Slot::Why(number @ 2..) if is_asked_and_answered(document, number) => {
                asked(document, number)
            }
            Slot::Kept if document.human_lines(slot).is_empty() => Vec::new(),
            Slot::Kept => facts::kept_heading(),
            Slot::Top
            | Slot::Head
            | Slot::Status
            | Slot::Seen
            | Slot::Commits
            | Slot::Occurrences
            | Slot::Fixes
            | Slot::Why(_)
            | Slot::Actions
            | Slot::Notes => facts::lines(slot, facts, meta, &rows),
        };
        document.tool.insert(slot, lines);
    }
}

fn is_asked_and_answered(document: &Document, number: u8) -> bool {
    let heading = format!("### Why {number}. ");
    let lines = document.tool.get(&Slot::Why(number));
    let is_asked = lines.is_some_and(|lines| lines.iter().any(|line| line.starts_with(&heading)));
    is_asked && !answers_to(document, number).is_empty()
}

/// The lines of a question as it was asked, in their shape.
fn asked(document: &Document, number: u8) -> Vec<String> {
    let lines = document.tool.get(&Slot::Why(number)).map_or(&[][..], Vec::as_slice);
    let heading = format!("### Why {number}. ");
    let mut shaped: Vec<String> = Vec::new();
    for start in ["## Why ", &heading, "*Look at: "] {
        if let Some(line) = lines.iter().find(|line| line.starts_with(start)) {
            if !shaped.is_empty() {
                shaped.push(String::new());
            }
            shaped.push(line.clone());
        }
    }
    shaped
}

fn question_in(lines: &[String]) -> Option<&str> {
    lines.iter().find_map(|line| line.strip_prefix("### Why ")?.split_once(". ").map(|(_, q)| q))
}

/// What a report shows of a document that was not renewed in this cycle.
pub fn snapshot(text: &str, file: &str) -> Option<InvestigationSnapshot> {
    let document = super::parse(text);
    let meta = document.meta.clone()?;
    let title = document.tool.get(&Slot::Head).and_then(|lines| lines.first());
    let title = title.and_then(|line| line.split_once(": ")).map_or("", |(_, title)| title);
    let (version, digest) = meta.fingerprint.strip_prefix('v')?.split_once('-')?;
    let fingerprint = crate::domain::names::Fingerprint::new(version.parse().ok()?, digest);
    let observed = document.tool.get(&Slot::Why(1)).and_then(|lines| lines.last()).cloned();
    Some(InvestigationSnapshot {
        id: meta.id.clone(),
        file: file.to_owned(),
        title: title.to_owned(),
        fingerprint,
        state: meta.state,
        opened_in: meta.opened,
        reopened_in: meta.reopened,
        whys: whys(&document, observed.unwrap_or_default()),
        countermeasures: answers::countermeasures(document.human_lines(Slot::Actions)).0,
        claims: claims_of(&document),
        notes: notes(&document),
        written: written(&document),
        occurrences: facts::occurrence_rows(document.tool.get(&Slot::Occurrences)),
        made_anew: false,
        left: None,
    })
}

fn snapshot_of(document: &Document, facts: &Facts<'_>) -> InvestigationSnapshot {
    let meta = document.meta.as_ref();
    let attempts = facts.cluster.cases.iter().flat_map(|case| facts.state.attempts_of(case));
    let all = attempts.clone().count();
    let failing = attempts.filter(|attempt| attempt.failure.is_some()).count();
    let example = &facts.cluster.example;
    let observed =
        format!("{} ({failing} of {all} attempts)", example.message.trim_end_matches('.'));
    InvestigationSnapshot {
        id: facts.id.clone(),
        file: facts.file.to_owned(),
        title: facts.cluster.title.clone(),
        fingerprint: facts.cluster.fingerprint.clone(),
        state: meta.map_or(InvestigationState::New, |meta| meta.state),
        opened_in: meta.map_or(facts.opened_in, |meta| meta.opened),
        reopened_in: meta.and_then(|meta| meta.reopened),
        whys: whys(document, observed),
        countermeasures: answers::countermeasures(document.human_lines(Slot::Actions)).0,
        claims: facts.known.claims.to_vec(),
        notes: notes(document),
        written: written(document),
        occurrences: facts::occurrence_rows(document.tool.get(&Slot::Occurrences)),
        made_anew: false,
        left: None,
    }
}

fn whys(document: &Document, observed: String) -> Vec<Why> {
    let mut whys = vec![Why { number: 1, question: observed, answers: Vec::new() }];
    for number in 2..=AGAIN {
        let question = document.tool.get(&Slot::Why(number)).and_then(|lines| question_in(lines));
        let answers: Vec<String> = answers_to(document, number)
            .iter()
            .map(|answer| escape::clip(&answer.text(), MAX_NOTE).into_owned())
            .collect();
        if let Some(question) = question {
            whys.push(Why { number: u32::from(number), question: question.to_owned(), answers });
        }
    }
    whys
}

/// Whatever people wrote that is neither an answer nor a countermeasure.
fn notes(document: &Document) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for slot in Slot::all() {
        let text = match slot {
            Slot::Why(2..) => continue,
            Slot::Actions => answers::countermeasures(document.human_lines(slot)).1.join("\n"),
            Slot::Top
            | Slot::Head
            | Slot::Status
            | Slot::Seen
            | Slot::Commits
            | Slot::Occurrences
            | Slot::Fixes
            | Slot::Why(_)
            | Slot::Notes
            | Slot::Kept => document.human_lines(slot).join("\n"),
        };
        if !text.trim().is_empty() {
            notes.push(escape::clip(&text, MAX_NOTE).into_owned());
        }
    }
    if notes.len() > MAX_NOTES {
        let more = notes.len() - MAX_NOTES;
        notes.truncate(MAX_NOTES);
        notes.push(format!("({more} more blocks in the document)"));
    }
    notes
}

/// The open countermeasures of a document whose day has passed.
pub fn overdue(text: &str, today: jiff::civil::Date) -> Vec<Countermeasure> {
    let document = super::parse(text);
    let (mut measures, _) = answers::countermeasures(document.human_lines(Slot::Actions));
    measures.retain(|measure| measure.is_open() && measure.due_on().is_some_and(|due| due < today));
    measures
}

/// Notes that a failure was not seen in a cycle that ran every case, and since then. `None` when the
/// text is no document, or says so already.
pub fn mark_gone(text: &str, cycle: u32) -> Option<String> {
    change(text, |_, meta| {
        if meta.gone.is_some() || meta.state == InvestigationState::Closed {
            return false;
        }
        meta.gone = Some(cycle);
        true
    })
}

/// A document whose failure is gone and that somebody answered since. `None` when its state says so, when a cycle will
/// say so that sees the failure, and when the text is no document.
pub fn answered(text: &str) -> Option<String> {
    change(text, |document, meta| {
        let is_new = meta.state == InvestigationState::New && meta.gone.is_some();
        let is_news = is_new && is_answered(document);
        if is_news {
            meta.state = InvestigationState::Analysed;
        }
        is_news
    })
}

/// Closes a document with the words of a person. `None` when the text is no document, or is closed.
pub fn close(text: &str, closing: &Closing<'_>) -> Option<String> {
    change(text, |document, meta| {
        if meta.state == InvestigationState::Closed {
            return false;
        }
        meta.state = InvestigationState::Closed;
        let by = escape::text(closing.by);
        let notes = document.human.entry(Slot::Notes).or_default();
        while notes.last().is_some_and(|line| line.trim().is_empty()) {
            notes.pop();
        }
        let reason =
            closing.reason.map_or_else(String::new, |reason| format!(": {}", escape::text(reason)));
        notes.extend([String::new(), format!("{CLOSED_BY}{by} on {}{reason}", closing.on)]);
        true
    })
}

/// Writes claims and the state that follows from them where no cycle renews the document: a fix was
/// claimed, or a cycle without the failure judged one. `None` when the text is no document, or says so
/// already.
pub fn record(
    text: &str,
    claims: &[FixClaim],
    state: InvestigationState,
    reopened: Option<u32>,
) -> Option<String> {
    let written = change(text, |document, meta| {
        let merged = claims::merge(claims, &claims_of(document));
        let lines = claims::lines(&merged).iter().map(|line| anchor::harmless(line)).collect();
        document.tool.insert(Slot::Fixes, lines);
        meta.state = state;
        meta.reopened = reopened.or(meta.reopened);
        true
    })?;
    (written != text).then_some(written)
}

/// Changes the head of a document and nothing else.
fn change(text: &str, edit: impl FnOnce(&mut Document, &mut Meta) -> bool) -> Option<String> {
    let mut document = super::parse(text);
    let mut meta = document.meta.clone()?;
    if !edit(&mut document, &mut meta) {
        return None;
    }
    keep(&mut document, meta.reopened.unwrap_or(meta.opened));
    let status = facts::status(&meta, &claims_of(&document));
    document.tool.insert(Slot::Status, status);
    document.meta = Some(meta);
    Some(document::render(&document))
}
