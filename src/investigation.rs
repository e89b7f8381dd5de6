//! The five-whys document of one fingerprint (SPEC section 9): evidence that the tool fills in, and
//! what people wrote, merged so that nothing a person wrote is ever lost.
//!
//! The document is Markdown that people edit wherever they like. Anchors (HTML comments) bound the
//! parts that the tool writes again after each cycle; all else belongs to people and is never
//! touched. Each anchor carries a digest of every line that the tool wrote, so a line that a person
//! put or changed inside a tool's part is recognised and moved to an appendix instead of being
//! overwritten. Nothing here reads a file or a clock, and nothing here writes a cause.

mod anchor;
mod answers;
mod changes;
pub mod claims;
mod document;
mod facts;
mod lines;
mod links;
mod lint;
mod mend;
pub mod merge;
mod questions;
mod sheet;
mod unfilled;
mod update;

pub use answers::{Answer, Confidence};
pub use changes::{Changes, changes};
pub use claims::{Sighting, named_in_trailer};
pub use document::{Document, Kept, Meta, Slot};
pub use facts::{Facts, Known};
pub use links::{CommitLink, Fate, commits_told, linked};
pub use lint::{Lint, lint};
pub use mend::{Lost, Mended, lost, mend, words_in};
pub use sheet::{ActionSheet, Field, Sheet, WhySheet};
pub use update::{
    Closing, Updated, abridged, answered, claims_in, close, gone_in, left, mark_gone, meta_of,
    overdue, record, snapshot, update, written_in,
};

/// Reads a document, whatever people did to it. Nothing of it is lost: what has no place of its own
/// is among [`Document::kept`].
pub fn parse(text: &str) -> Document {
    document::parse(text, &std::collections::HashSet::new())
}

/// Writes a document, anchors and all.
pub fn render(document: &Document) -> String {
    document::render(document)
}
