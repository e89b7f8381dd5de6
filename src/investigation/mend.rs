//! What a text lost of the tool's own parts is put back, of the text that stood there before: without the
//! comment that says what it is, nobody could close the document. What people wrote stays: what has no
//! place of its own any more stands before everything, as in a cycle.

use std::collections::{BTreeMap, HashSet};

use super::anchor::{self, Piece};
use super::document::{self, Document, Meta, Slot};
use super::facts;
use super::update::{claims_of, keep};

/// A text with what it had lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// The text.
    pub text: String,
    /// What was put back of it.
    pub parts: Vec<Lost>,
}

/// What is the tool's own, and was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// The comment that says what the document is.
    Meta,
    /// A part with its comments.
    Part(Slot),
}

impl Lost {
    /// Reads the name that it has in an address.
    pub fn parse(name: &str) -> Option<Self> {
        if name == "meta" { Some(Self::Meta) } else { Slot::parse(name).map(Self::Part) }
    }

    /// What people call it.
    pub fn label(self) -> String {
        let word = match self {
            Self::Meta => "the comment that says what the document is",
            Self::Part(Slot::Why(number)) => return format!("why {number}"),
            Self::Part(Slot::Top) => "the beginning",
            Self::Part(Slot::Head) => "the title",
            Self::Part(Slot::Status) => "the state",
            Self::Part(Slot::Seen) => "what was seen",
            Self::Part(Slot::Commits) => "the commits between",
            Self::Part(Slot::Occurrences) => "the occurrences",
            Self::Part(Slot::Fixes) => "the claimed fixes",
            Self::Part(Slot::Actions) => "the heading of the countermeasures",
            Self::Part(Slot::Notes) => "the heading of the notes",
            Self::Part(Slot::Kept) => "the heading of what was kept",
        };
        word.to_owned()
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Meta => f.write_str("meta"),
            Self::Part(slot) => slot.fmt(f),
        }
    }
}

/// What a text has lost of the tool's parts that `before` has whole; the comment that says what it is, is
/// lost wherever it is not there.
pub fn lost(text: &str, before: &str) -> Vec<Lost> {
    let (now, then) = (Anchors::of(text), Anchors::of(before));
    let meta = (!now.has_meta).then_some(Lost::Meta);
    // What was kept from edits is people's, and goes with its heading when they take it away.
    let parts = then.whole.keys().filter(|slot| **slot != Slot::Kept);
    let parts = parts.filter(|slot| !now.whole.contains_key(slot)).copied().map(Lost::Part);
    meta.into_iter().chain(parts).collect()
}

/// Puts back what a text has lost of the tool's parts that `before` has. Where it does not say what it is,
/// it is what is `known`. `None` when it lost nothing.
pub fn mend(text: &str, before: &str, known: &Meta) -> Option<Mended> {
    let parts = lost(text, before);
    if parts.is_empty() {
        return None;
    }
    let then = super::parse(before);
    let mut document = document::parse(text, &digests(before, &then));
    document.crlf = document.crlf || then.crlf;
    let meta = document.meta.clone().unwrap_or_else(|| known.clone());
    for part in &parts {
        let Lost::Part(slot) = *part else { continue };
        document.tool.insert(slot, then.tool.get(&slot).cloned().unwrap_or_default());
    }
    keep(&mut document, meta.reopened.unwrap_or(meta.opened));
    if !document.human_lines(Slot::Kept).is_empty() {
        document.tool.insert(Slot::Kept, facts::kept_heading());
    }
    if then.meta.as_ref() != Some(&meta) {
        document.tool.insert(Slot::Status, facts::status(&meta, &claims_of(&document)));
    }
    document.meta = Some(meta);
    Some(Mended { text: document::render(&document), parts })
}

/// Of every line that the tool wrote before, whichever of its comments the text still has.
fn digests(before: &str, then: &Document) -> HashSet<anchor::LineDigest> {
    let lines = then.tool.values().flatten().cloned().chain(facts::kept_heading());
    let mut digests = anchor::digests_of(lines.filter(|line| !line.trim().is_empty()));
    digests.extend(Anchors::of(before).whole.into_values().flatten());
    digests
}

/// The comments of the tool in a text.
struct Anchors {
    has_meta: bool,
    /// The parts that begin and end, with the digests of their lines.
    whole: BTreeMap<Slot, Vec<anchor::LineDigest>>,
}

impl Anchors {
    fn of(text: &str) -> Self {
        let mut anchors = Self { has_meta: false, whole: BTreeMap::new() };
        let mut open = None;
        for piece in text.lines().flat_map(anchor::pieces) {
            match piece {
                Piece::Meta(_) => anchors.has_meta = true,
                Piece::Begin(slot, digests) => open = Some((slot, digests)),
                Piece::End(slot) => {
                    let begun = open.take().filter(|(begun, _)| *begun == slot);
                    anchors.whole.extend(begun);
                }
                Piece::Text(_) => {}
            }
        }
        anchors
    }
}

/// What people wrote in one text of a document, with the tool's parts as another has them: a cycle may
/// have seen more since. The text itself where those are the same.
pub fn words_in(version: &str, now: &str) -> String {
    let present = super::parse(now);
    let mut document = document::parse(version, &digests(now, &present));
    if document.meta == present.meta && document.tool == present.tool && document.kept.is_empty() {
        return version.to_owned();
    }
    let cycle = present.meta.as_ref().map_or(0, |meta| meta.reopened.unwrap_or(meta.opened));
    keep(&mut document, cycle);
    let mut tool = present.tool;
    if document.human_lines(Slot::Kept).is_empty() {
        tool.remove(&Slot::Kept);
    } else {
        tool.insert(Slot::Kept, facts::kept_heading());
    }
    let poured = Document { meta: present.meta, tool, crlf: present.crlf, ..document };
    document::render(&poured)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::domain::findings::InvestigationState;
    use crate::domain::names::InvestigationId;
    use crate::investigation::{Closing, close, meta_of};

    fn known() -> Meta {
        Meta {
            id: InvestigationId::from_number(1),
            fingerprint: "v1-aabbccddeeff".to_owned(),
            state: InvestigationState::New,
            opened: 1,
            reopened: None,
            gone: None,
        }
    }

    fn whole() -> String {
        let lines = |slot: Slot| -> Vec<String> {
            let text = match slot {
                Slot::Head => "# INV-0001: GET /one answers 500",
                Slot::Status => return facts::status(&known(), &[]),
                Slot::Seen => "## What was seen\n\nExpected 200, got 500.",
                Slot::Commits => "## Commits between",
                Slot::Occurrences => "## Occurrences\n\n| cycle | revision |\n|---|---|\n| 1 | a |",
                Slot::Why(1) => {
                    "## Why did it happen\n\n### Why 1. Observed in cycle 1\n\nIt said so."
                }
                Slot::Why(2) => "### Why 2. Why does the endpoint answer with this status?",
                Slot::Why(3) => "### Why 3. What in the commits since leads to that?",
                Slot::Why(4) => "### Why 4. Why was that possible?",
                Slot::Why(5) => "## Why did earlier checks not catch it\n\n### Why 5. Which?",
                Slot::Why(6) => "## Why did it reach staging\n\n### Why 6. How?",
                Slot::Actions => "## Countermeasures",
                Slot::Notes => "## Notes",
                _ => "",
            };
            text.lines().map(str::to_owned).collect()
        };
        let tool = Slot::all().filter(|slot| *slot != Slot::Top).map(|slot| (slot, lines(slot)));
        let (tool, meta) = (tool.collect(), Some(known()));
        document::render(&Document { meta, tool, ..Document::default() })
    }

    #[test]
    fn a_text_without_any_of_the_tools_parts_gets_them_back() {
        let mended = mend("hello\n", &whole(), &known()).unwrap();
        assert_eq!(
            mended.text,
            whole().replacen("<!-- andon:begin head", "hello\n\n<!-- andon:begin head", 1)
        );
        assert_eq!(mended.parts.first(), Some(&Lost::Meta));
        assert!(mended.parts.contains(&Lost::Part(Slot::Occurrences)), "{:?}", mended.parts);
        assert_eq!(mend(&mended.text, &whole(), &known()), None, "once is enough");
        let on = jiff::civil::date(2026, 11, 27);
        assert!(close(&mended.text, &Closing { by: "ada", on, reason: None }).is_some());
    }

    #[test]
    fn only_what_is_lost_is_put_back_and_lines_of_the_tool_are_known() {
        let answered = whole().replacen("- Claim:", "- Claim: the cache", 1);
        assert_eq!(mend(&answered, &whole(), &known()), None, "its words are a person's");
        // All comments are taken away, as by an editor that removes them; the rest stays.
        let bare: Vec<&str> = answered.lines().filter(|line| !line.starts_with("<!--")).collect();
        let mended = mend(&bare.join("\n"), &answered, &known()).unwrap();
        assert_eq!(mended.text, answered);
        // One end is gone.
        let cut = answered.replacen("<!-- andon:end seen -->\n", "", 1);
        let mended = mend(&cut, &answered, &known()).unwrap();
        assert_eq!((mended.parts, mended.text), (vec![Lost::Part(Slot::Seen)], answered.clone()));
        // The comment that says what it is was touched, and stays as a person's text.
        let touched = answered.replacen("state=new", "state=done", 1);
        let mended = mend(&touched, &answered, &known()).unwrap();
        assert_eq!((mended.parts, meta_of(&mended.text)), (vec![Lost::Meta], Some(known())));
        assert!(mended.text.contains("state=done"), "{}", mended.text);
        // Nothing is known of it but what the records say.
        let mended = mend("hello\n", "was broken before", &known()).unwrap();
        assert_eq!(meta_of(&mended.text), Some(known()));
        // Lines end as they did.
        let crlf = mend("hello", &whole().replace('\n', "\r\n"), &known()).unwrap().text;
        assert_eq!(crlf.matches('\n').count(), crlf.matches("\r\n").count());
    }

    #[test]
    fn what_was_kept_from_edits_may_be_taken_away() {
        let kept =
            whole() + "\n<!-- andon:begin kept lines=- -->\n<!-- andon:end kept -->\n\nold\n";
        assert_eq!(lost(&whole(), &kept), []);
    }

    #[test]
    fn names_of_what_was_lost_are_read_back() {
        for part in
            Slot::all().filter(|slot| *slot != Slot::Top).map(Lost::Part).chain([Lost::Meta])
        {
            assert_eq!(Lost::parse(&part.to_string()), Some(part));
            assert!(!part.label().is_empty());
        }
        assert_eq!(Lost::parse("call us"), None);
    }

    #[test]
    fn the_words_of_an_older_text_come_without_what_the_tool_wrote_there() {
        let old = whole().replacen("- Claim:", "- Claim: the cache", 1);
        let now = whole().replacen("- Claim:", "- Claim: the proxy", 1).replacen(
            "state=new",
            "state=analysed",
            1,
        );
        assert_eq!(words_in(&old, &whole()), old, "to the last byte");
        let poured = words_in(&old, &now);
        assert_eq!(poured, now.replace("the proxy", "the cache"));
        // Without any comment, as one that was shortened or broken.
        let poured = words_in("hello\n", &now);
        assert!(poured.contains("\nhello\n") && meta_of(&poured) == meta_of(&now), "{poured}");
        assert!(!poured.contains("the proxy"), "{poured}");
    }

    proptest! {
        /// Whatever lines are taken away, doubled or put in: a line of a person is there afterwards, and
        /// the document can be closed.
        #[test]
        fn no_line_of_a_person_is_lost(
            gone in proptest::collection::hash_set(0_usize..60, 0..60),
            mine in proptest::collection::vec((0_usize..60, "[a-z]{3,8}( [a-z]{2,5})?"), 0..6),
        ) {
            let before = whole();
            let mut text = String::new();
            for (at, line) in before.lines().enumerate() {
                for (_, word) in mine.iter().filter(|(place, _)| *place == at) {
                    text.push_str(&format!("{word} of mine\n"));
                }
                if !gone.contains(&at) {
                    text.push_str(&format!("{line}\n"));
                }
            }
            let after = mend(&text, &before, &known()).map_or(text.clone(), |mended| mended.text);
            for line in text.lines().filter(|line| line.ends_with(" of mine")) {
                prop_assert!(after.contains(line), "{line:?} in {after}");
            }
            prop_assert!(meta_of(&after).is_some());
            prop_assert_eq!(lost(&after, &before), []);
            prop_assert_eq!(mend(&after, &before, &known()), None);
        }
    }
}
