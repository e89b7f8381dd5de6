//! Edits of investigations: who changed what, and the texts that edits begin with. Plain data and the
//! trait; the documents themselves are files, and what an edit may do is decided by `engine`.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
use crate::domain::names::{InvestigationId, PipelineName};

/// Which document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentKey {
    /// The pipeline of its investigation.
    pub pipeline: PipelineName,
    /// Its investigation.
    pub id: InvestigationId,
}

/// A text of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptText {
    /// What it is known by.
    pub digest: String,
    /// The text.
    pub text: String,
}

/// An edit that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEdit {
    /// Who edits.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What stands there.
    pub before: KeptText,
    /// What is to stand there.
    pub after: KeptText,
    /// Whether somebody else changed it since it was opened.
    pub is_merged: bool,
    /// How many lines are added.
    pub added: u32,
    /// How many are taken away.
    pub removed: u32,
    /// The lines, as they are shown.
    pub lines: String,
}

/// What became of an edit that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditEnd {
    /// It is in the file.
    Written,
    /// It is not, and never was.
    Dropped,
}

/// An edit in the history of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditRow {
    /// Its place, from 1.
    pub position: u32,
    /// Who edited.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The digest of what stood there.
    pub before: String,
    /// The digest of what took its place.
    pub after: String,
    /// Whether somebody else had changed it since it was opened.
    pub is_merged: bool,
    /// How many lines were added.
    pub added: u32,
    /// How many were taken away.
    pub removed: u32,
    /// The lines, as they are shown.
    pub lines: String,
    /// Whether it is known to be in the file: else whoever wrote it ended before it could say so.
    pub is_written: bool,
}

/// A store that remembers edits.
#[async_trait]
pub trait EditStore: Send + Sync {
    /// Keeps a text; of one document the newest hundred are kept. Answers whether there is such an
    /// investigation.
    async fn keep_text(&self, of: &DocumentKey, text: KeptText, at: Timestamp) -> Result<bool>;

    /// Keeps several texts, one after the other and all or none. Those of investigations that are not
    /// there are left out.
    async fn keep_texts(&self, texts: Vec<(DocumentKey, KeptText)>, at: Timestamp) -> Result<()>;

    /// A text that was kept.
    async fn kept_text(&self, of: &DocumentKey, digest: &str) -> Result<Option<String>>;

    /// The text of a document that was kept last; one that is blank counts for none.
    async fn newest_text(&self, of: &DocumentKey) -> Result<Option<KeptText>>;

    /// Remembers an edit before it is written, with both of its texts, and gives its position. `None`
    /// when there is no such investigation.
    async fn begin_edit(&self, of: &DocumentKey, edit: NewEdit) -> Result<Option<u32>>;

    /// Says what became of it. Where it was dropped, what stood there before is the newest text again.
    async fn end_edit(&self, of: &DocumentKey, position: u32, end: EditEnd) -> Result<()>;

    /// The newest `limit` edits of a document before a position, newest first.
    async fn list_edits(
        &self,
        of: &DocumentKey,
        before: Option<u32>,
        limit: u32,
    ) -> Result<Vec<EditRow>>;
}
