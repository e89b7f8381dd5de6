//! A document as slots in a fixed order: in each, what the tool wrote and what people wrote after it.

use std::collections::{BTreeMap, HashSet};

use super::anchor::{self, LineDigest, Piece};
use super::facts::is_occurrence;
use super::questions::{is_skeleton, skeleton};
use super::unfilled::unfilled;
use crate::domain::findings::InvestigationState;
use crate::domain::names::InvestigationId;

/// One part of a document. The order is the order on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Before everything: the tool writes nothing here.
    Top,
    /// The title.
    Head,
    /// The state.
    Status,
    /// Symptom, expected and actual, first bad and last good.
    Seen,
    /// The commits between.
    Commits,
    /// The cycles in which it was seen.
    Occurrences,
    /// The fixes that were claimed, where there is one.
    Fixes,
    /// A why, by its number; 1 is the observation, 7 is asked when it came back.
    Why(u8),
    /// Countermeasures.
    Actions,
    /// Whatever else people want to write.
    Notes,
    /// What people wrote where the tool writes.
    Kept,
}

/// The number of the last why that is always asked.
pub const LAST_WHY: u8 = 6;
/// The number of the why that is asked when a failure came back.
pub const AGAIN: u8 = 7;

impl Slot {
    /// Every slot, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        let before = [
            Self::Top,
            Self::Head,
            Self::Status,
            Self::Seen,
            Self::Commits,
            Self::Occurrences,
            Self::Fixes,
        ];
        let whys = (1..=AGAIN).map(Self::Why);
        before.into_iter().chain(whys).chain([Self::Actions, Self::Notes, Self::Kept])
    }

    /// Reads the name that stands in an anchor.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|slot| *slot != Self::Top && slot.to_string() == name)
    }

    /// How the heading begins by which the slot is known when its anchor is gone.
    fn heading(self) -> Option<&'static str> {
        match self {
            Self::Top | Self::Status => None,
            Self::Head => Some("# INV-"),
            Self::Seen => Some("## What was seen"),
            Self::Commits => Some("## Commits between"),
            Self::Occurrences => Some("## Occurrences"),
            Self::Fixes => Some("## Fixes that were claimed"),
            Self::Why(1) => Some("## Why did it happen"),
            Self::Why(2) => Some("### Why 2."),
            Self::Why(3) => Some("### Why 3."),
            Self::Why(4) => Some("### Why 4."),
            Self::Why(5) => Some("## Why did earlier checks"),
            Self::Why(6) => Some("## Why did it reach"),
            Self::Why(_) => Some("## Why did it come back"),
            Self::Actions => Some("## Countermeasures"),
            Self::Notes => Some("## Notes"),
            Self::Kept => Some("## Kept from edits"),
        }
    }

    /// Whether the slot stands in the document even when nothing is in it.
    fn is_standing(self) -> bool {
        match self {
            Self::Top | Self::Fixes | Self::Kept | Self::Why(AGAIN) => false,
            Self::Head
            | Self::Status
            | Self::Seen
            | Self::Commits
            | Self::Occurrences
            | Self::Why(_)
            | Self::Actions
            | Self::Notes => true,
        }
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Top => f.write_str("top"),
            Self::Head => f.write_str("head"),
            Self::Status => f.write_str("status"),
            Self::Seen => f.write_str("seen"),
            Self::Commits => f.write_str("commits"),
            Self::Occurrences => f.write_str("occurrences"),
            Self::Fixes => f.write_str("fixes"),
            Self::Why(number) => write!(f, "why-{number}"),
            Self::Actions => f.write_str("countermeasures"),
            Self::Notes => f.write_str("notes"),
            Self::Kept => f.write_str("kept"),
        }
    }
}

/// What a document is, in the comment at its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Its id.
    pub id: InvestigationId,
    /// The fingerprint it is about.
    pub fingerprint: String,
    /// Its state.
    pub state: InvestigationState,
    /// The cycle that opened it.
    pub opened: u32,
    /// The cycle in which it came back.
    pub reopened: Option<u32>,
    /// The cycle in which its cases passed again.
    pub gone: Option<u32>,
}

/// A line that a person put or changed where the tool writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where it stood.
    pub from: Slot,
    /// The line.
    pub line: String,
}

/// A document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// What it is; `None` when the comment is gone or was touched.
    pub meta: Option<Meta>,
    /// The lines that the tool wrote, as they were found.
    pub tool: BTreeMap<Slot, Vec<String>>,
    /// The lines that people wrote after them.
    pub human: BTreeMap<Slot, Vec<String>>,
    /// Lines of people that were found inside a part of the tool.
    pub kept: Vec<Kept>,
    /// Parts of the tool whose anchors were gone.
    pub unanchored: Vec<Slot>,
    /// Whether lines end with CR LF.
    pub crlf: bool,
}

impl Document {
    /// What people wrote in a slot, without blank lines around it.
    pub fn human_lines(&self, slot: Slot) -> &[String] {
        trimmed(self.human.get(&slot).map_or(&[][..], Vec::as_slice))
    }
}

/// Reads a document. `fresh` holds the digests of what the tool is about to write: lines like those
/// are the tool's even where an anchor is gone.
pub fn parse(text: &str, fresh: &HashSet<LineDigest>) -> Document {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = &*unfilled(text);
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let pieces: Vec<Piece<'_>> = lines.flat_map(anchor::pieces).collect();
    let mut reader = Reader::new(&pieces, fresh);
    reader.document.crlf = text.contains("\r\n");
    for (at, piece) in pieces.iter().enumerate() {
        reader.take(at, piece, &pieces);
    }
    reader.document
}

/// How far the lines that come next can be trusted to be the tool's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Between both anchors of a part.
    Inside,
    /// After a beginning whose end is gone: the tool's as long as they are known.
    Fading,
    /// What people wrote.
    Outside,
}

struct Reader {
    document: Document,
    known: HashSet<LineDigest>,
    anchored: HashSet<Slot>,
    slot: Slot,
    mode: Mode,
    /// Whether the slot has lost an anchor, so that stray lines of the tool may stand in it.
    is_frayed: bool,
}

impl Reader {
    fn new(pieces: &[Piece<'_>], fresh: &HashSet<LineDigest>) -> Self {
        let mut known = fresh.clone();
        let mut anchored = HashSet::new();
        for piece in pieces {
            if let Piece::Begin(slot, digests) = piece {
                known.extend(digests);
                anchored.insert(*slot);
            }
        }
        Self {
            document: Document::default(),
            known,
            anchored,
            slot: Slot::Top,
            mode: Mode::Outside,
            is_frayed: false,
        }
    }

    fn take(&mut self, at: usize, piece: &Piece<'_>, pieces: &[Piece<'_>]) {
        match piece {
            Piece::Begin(slot, _) => {
                let is_whole = ends_before_the_next(&pieces[at + 1..], *slot);
                self.enter(*slot, if is_whole { Mode::Inside } else { Mode::Fading });
                self.is_frayed = !is_whole;
            }
            Piece::End(_) => {
                self.mode = Mode::Outside;
                if let Some(lines) = self.document.tool.get_mut(&self.slot) {
                    lines.pop_if(|line| line.is_empty());
                }
            }
            // A second one says the same or less: it holds nothing that a person wrote.
            Piece::Meta(meta) => {
                self.document.meta.get_or_insert_with(|| (**meta).clone());
            }
            Piece::Text(line) => self.text(line),
        }
    }

    /// A slot is entered again when a person doubled it: what follows joins what was there.
    fn enter(&mut self, slot: Slot, mode: Mode) {
        self.slot = slot;
        self.mode = mode;
        self.document.tool.entry(slot).or_default();
        if let Some(lines) = self.document.human.get_mut(&slot) {
            lines.push(String::new());
        }
    }

    fn text(&mut self, line: &str) {
        // Where every comment was taken away, each part is known by its heading.
        let begins_another = self.mode == Mode::Fading && self.lost_slot(line).is_some();
        if self.mode == Mode::Outside || begins_another {
            self.outside(line);
            return;
        }
        if line.trim().is_empty() {
            // Without it a paragraph behind a table would be a row of that.
            if self.mode == Mode::Inside
                && let Some(lines) = self.document.tool.get_mut(&self.slot)
                && lines.last().is_some_and(|line| !line.is_empty())
            {
                lines.push(String::new());
            }
            return;
        }
        if self.is_tools(line) {
            self.tool(line);
        } else if self.mode == Mode::Inside {
            if !is_skeleton(line) {
                self.document.kept.push(Kept { from: self.slot, line: line.to_owned() });
            }
        } else {
            self.mode = Mode::Outside;
            self.human(line);
        }
    }

    fn outside(&mut self, line: &str) {
        if let Some(slot) = self.lost_slot(line) {
            self.document.unanchored.push(slot);
            self.enter(slot, Mode::Fading);
            self.is_frayed = true;
            self.text(line);
        } else if self.is_frayed && line.contains(char::is_alphanumeric) && self.is_tools(line) {
            self.tool(line);
        } else {
            self.human(line);
        }
    }

    /// The slot that a heading belongs to whose anchor is gone.
    fn lost_slot(&self, line: &str) -> Option<Slot> {
        let is_lost = |slot: &Slot| {
            !self.anchored.contains(slot)
                && !self.document.tool.contains_key(slot)
                && slot.heading().is_some_and(|heading| line.starts_with(heading))
        };
        line.starts_with('#').then(|| Slot::all().find(is_lost)).flatten()
    }

    fn is_tools(&self, line: &str) -> bool {
        self.known.contains(&anchor::digest(line))
            || (self.slot == Slot::Occurrences && is_occurrence(line))
    }

    fn tool(&mut self, line: &str) {
        self.document.tool.entry(self.slot).or_default().push(line.trim_end().to_owned());
    }

    fn human(&mut self, line: &str) {
        self.document.human.entry(self.slot).or_default().push(line.to_owned());
    }
}

/// Whether the end of a slot comes before any other beginning.
fn ends_before_the_next(pieces: &[Piece<'_>], slot: Slot) -> bool {
    pieces
        .iter()
        .find_map(|piece| match piece {
            Piece::End(ended) => Some(*ended == slot),
            Piece::Begin(..) => Some(false),
            Piece::Meta(_) | Piece::Text(_) => None,
        })
        .unwrap_or(false)
}

/// Writes a document: each slot's part of the tool between its anchors, then what people wrote.
pub fn render(document: &Document) -> String {
    let mut blocks: Vec<String> = document.meta.iter().map(anchor::header).collect();
    for slot in Slot::all() {
        let human = region(document, slot);
        let tool = document.tool.get(&slot).map_or(&[][..], Vec::as_slice);
        let has_text = !tool.is_empty() || !human.is_empty();
        if slot != Slot::Top && (has_text || slot.is_standing()) {
            let mut lines = vec![anchor::begin(slot, tool)];
            lines.extend(tool.iter().cloned());
            lines.push(anchor::end(slot));
            blocks.push(lines.join("\n"));
        }
        if !human.is_empty() {
            blocks.push(human.join("\n"));
        }
    }
    let mut text = blocks.join("\n\n");
    text.push('\n');
    if document.crlf { text.replace('\n', "\r\n") } else { text }
}

/// What people wrote in a slot; where they wrote nothing and are asked to, the empty form.
fn region(document: &Document, slot: Slot) -> Vec<String> {
    let lines = document.human_lines(slot);
    let is_asked = slot.is_standing() || document.tool.get(&slot).is_some_and(|t| !t.is_empty());
    let nothing_written = lines.iter().all(|line| line.trim().is_empty() || is_skeleton(line));
    if is_asked && nothing_written {
        return skeleton(slot).iter().map(|line| (*line).to_owned()).collect();
    }
    lines.to_vec()
}

fn trimmed(lines: &[String]) -> &[String] {
    let is_blank = |line: &String| line.trim().is_empty();
    let Some(first) = lines.iter().position(|line| !is_blank(line)) else { return &[] };
    let last = lines.iter().rposition(|line| !is_blank(line)).unwrap_or(first);
    &lines[first..=last]
}
