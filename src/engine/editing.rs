//! An edit of an investigation by somebody who has it open for a while, as with a page. What others (a
//! person, a cycle, an editor on the machine) made of the file meanwhile is brought together with it;
//! where both changed the same lines nothing is written, and a person decides. What the tool's own parts
//! lost on the way is put back, so that a document stays one that can be renewed and closed.
//!
//! Each text that an edit began with, and each that came of one, is kept in the store before the file is
//! written, so that nothing of anybody is lost.

mod source;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use source::Source;
pub use source::known_of;

use super::document_lock::DocumentLock;
use super::report_folder::ReportFolder;
use super::world::{NoDocument, document_of};
use crate::domain::findings::{InvestigationState, LeftAsItIs};
use crate::investigation::merge::{Merge, merge, merge_without_base, with_endings_of};
use crate::investigation::{self, Closing, Lost, changes};
use crate::store::{DocumentKey, EditEnd, InvestigationRow, KeptText, NewEdit, Store, StoreError};

/// The longest text that is edited so.
pub const MAX_EDITED: usize = 256 << 10;
/// Of so many lines at most: comparing more would take long.
const MAX_LINES: usize = 10_000;
/// So often is tried again what somebody else got in the way of.
const TRIES: u32 = 20;

/// A document that can be edited.
#[derive(Clone)]
pub struct Editing {
    store: Arc<dyn Store>,
    folder: ReportFolder,
    row: InvestigationRow,
}

/// An edit.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The digest of the text that it began with.
    pub base: String,
    /// What it made of it; lines may end as they like.
    pub text: String,
    /// Who edits.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What became of an edit.
#[derive(Debug)]
pub enum Saved {
    /// It changes nothing.
    Unchanged {
        /// What it would have taken of the tool's parts.
        put_back: Vec<Lost>,
    },
    /// It is in the file.
    Written {
        /// Whether somebody else had changed it meanwhile.
        is_merged: bool,
        /// What it had lost of the tool's parts.
        put_back: Vec<Lost>,
    },
    /// Somebody else changed the same lines: nothing is written.
    Clashed(Box<Clashed>),
}

/// An edit that waits for a person's decisions.
#[derive(Debug)]
pub struct Clashed {
    /// Where, and what both made of it.
    pub merge: Merge,
    /// The three texts, by their digests.
    pub of: ThreeTexts,
}

/// What clashed, by the digests of the texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreeTexts {
    /// What both began with.
    pub base: String,
    /// What is in the file.
    pub theirs: String,
    /// What the edit made of it.
    pub mine: String,
}

/// Why a document is not edited.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// There is no file.
    #[error("the document {0} is not in the report folder")]
    Absent(String),
    /// Its file is nothing to merge with.
    #[error("the document {file} cannot be edited here: its file {}", why.matter())]
    Left {
        /// The file.
        file: String,
        /// What is the matter with it.
        why: LeftAsItIs,
    },
    /// It is, or would be, too long.
    #[error("a document of more than {} KiB or {MAX_LINES} lines cannot be edited here", MAX_EDITED >> 10)]
    TooLong,
    /// It holds what no text holds.
    #[error("the text holds a character (NUL) that no text file may hold")]
    NotText,
    /// An edit would leave nothing.
    #[error("the text is empty")]
    Emptied,
    /// What an edit began with is not kept any more.
    #[error("what this edit began with is not kept any more")]
    Forgotten,
    /// Nobody needs to close it.
    #[error("{0} is closed already")]
    Closed(String),
    /// Others change it all the time.
    #[error("the document was changed by others again and again")]
    Busy,
    /// The file could not be read or written.
    #[error("the document could not be written")]
    Io(#[from] io::Error),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an edit comes to, before it is written.
enum Made {
    Nothing { put_back: Vec<Lost> },
    Text { after: KeptText, is_merged: bool, put_back: Vec<Lost> },
    Clash { merge: Merge, mine: KeptText },
}

impl Editing {
    /// Of the document of an investigation, in the folder where its reports are.
    pub fn of(store: Arc<dyn Store>, folder: ReportFolder, row: InvestigationRow) -> Self {
        Self { store, folder, row }
    }

    /// The text as it is now, kept so that an edit can begin with it.
    ///
    /// # Errors
    /// When there is no text that can be edited here, or the store refuses.
    pub async fn open(&self, at: Timestamp) -> Result<KeptText, EditError> {
        let now = self.read().await?;
        if !self.store.keep_text(&self.key(), now.clone(), at).await? {
            return Err(EditError::Absent(self.row.file()));
        }
        Ok(now)
    }

    /// A text that was kept.
    ///
    /// # Errors
    /// When it is not kept any more, or the store refuses.
    pub async fn kept(&self, digest: &str) -> Result<String, EditError> {
        self.store.kept_text(&self.key(), digest).await?.ok_or(EditError::Forgotten)
    }

    /// Saves an edit, with what others changed since it began.
    ///
    /// # Errors
    /// When it cannot be saved here; then the file is as it was.
    pub async fn save(&self, edit: Edit) -> Result<Saved, EditError> {
        check(&edit.text)?;
        if edit.text.trim().is_empty() {
            return Err(EditError::Emptied);
        }
        let base = self.store.kept_text(&self.key(), &edit.base).await?;
        for _ in 0..TRIES {
            let theirs = self.read().await?;
            let source = self.source(&theirs.text, base.as_deref()).await?;
            let made = made(base.clone(), theirs.clone(), source, &edit).await?;
            let (after, is_merged, put_back) = match made {
                Made::Nothing { put_back } => {
                    // Another try may have kept what it began with: what is in the file is the newest.
                    self.store.keep_text(&self.key(), theirs, edit.at).await?;
                    return Ok(Saved::Unchanged { put_back });
                }
                Made::Text { after, is_merged, put_back } => (after, is_merged, put_back),
                Made::Clash { merge, mine } => {
                    return self.clashed(&edit, merge, theirs, mine).await;
                }
            };
            let state = investigation::meta_of(&after.text).map(|meta| meta.state);
            if self.write(&edit, theirs, after, is_merged).await? {
                if self.row.state == InvestigationState::New
                    && state == Some(InvestigationState::Analysed)
                {
                    self.record(InvestigationState::Analysed).await?;
                }
                return Ok(Saved::Written { is_merged, put_back });
            }
        }
        Err(EditError::Busy)
    }

    /// Closes the investigation, in its document and in the store.
    ///
    /// # Errors
    /// When it is closed already, or cannot be written. Closing again finishes what was begun.
    pub async fn close(
        &self,
        by: String,
        reason: Option<String>,
        at: Timestamp,
    ) -> Result<(), EditError> {
        let on = TimeZone::UTC.to_datetime(at).date();
        for _ in 0..TRIES {
            let theirs = self.read().await?;
            let closing = Closing { by: &by, on, reason: reason.as_deref() };
            let whole = self.whole(&theirs.text).await?;
            let Some(text) = investigation::close(&whole, &closing) else {
                self.store.keep_text(&self.key(), theirs, at).await?;
                if self.row.state == InvestigationState::Closed {
                    return Err(EditError::Closed(self.row.id.to_string()));
                }
                // Whoever wrote it ended before the records knew.
                return self.record(InvestigationState::Closed).await;
            };
            let after = kept(text.clone());
            let edit = Edit { base: theirs.digest.clone(), text, by: by.clone(), at };
            if self.write(&edit, theirs, after, false).await? {
                return self.record(InvestigationState::Closed).await;
            }
        }
        Err(EditError::Busy)
    }

    async fn record(&self, state: InvestigationState) -> Result<(), EditError> {
        let (pipeline, id, seen) = (&self.row.pipeline, &self.row.id, self.row.last_seen);
        self.store.set_investigation_state(pipeline, id, state, seen).await?;
        Ok(())
    }

    /// What clashed, again: the same texts come to the same.
    ///
    /// # Errors
    /// When one of the texts is not kept any more.
    pub async fn clash_of(&self, of: &ThreeTexts) -> Result<Merge, EditError> {
        let base = self.store.kept_text(&self.key(), &of.base).await?;
        let (theirs, mine) = (self.kept(&of.theirs).await?, self.kept(&of.mine).await?);
        computed(move || merged(base.as_deref(), &theirs, &mine)).await
    }

    async fn clashed(
        &self,
        edit: &Edit,
        merge: Merge,
        theirs: KeptText,
        mine: KeptText,
    ) -> Result<Saved, EditError> {
        let of = ThreeTexts {
            base: edit.base.clone(),
            theirs: theirs.digest.clone(),
            mine: mine.digest.clone(),
        };
        // The newest is the one that is in the file.
        let texts = [mine, theirs].map(|text| (self.key(), text));
        self.store.keep_texts(texts.into(), edit.at).await?;
        Ok(Saved::Clashed(Box::new(Clashed { merge, of })))
    }

    /// Writes the file, unless it is another than `theirs` by now.
    async fn write(
        &self,
        edit: &Edit,
        theirs: KeptText,
        after: KeptText,
        is_merged: bool,
    ) -> Result<bool, EditError> {
        let (expected, text) = (theirs.digest.clone(), after.text.clone());
        let wanted = after.digest.clone();
        let (theirs, after, told) = computed(move || {
            let told = changes(&theirs.text, &after.text);
            (theirs, after, told)
        })
        .await?;
        let begun = NewEdit {
            by: edit.by.clone(),
            at: edit.at,
            before: theirs,
            after,
            is_merged,
            added: told.added,
            removed: told.removed,
            lines: told.shown,
        };
        let position = self.store.begin_edit(&self.key(), begun).await?;
        let position = position.ok_or_else(|| EditError::Absent(self.row.file()))?;
        let this = self.clone();
        let written = computed(move || this.put(&expected, &text)).await.and_then(|it| it);
        let is_there = match &written {
            Ok(is_there) => *is_there,
            // A disk that refuses to sync may have the text all the same.
            Err(_) => self.read().await.is_ok_and(|now| now.digest == wanted),
        };
        let end = if is_there { EditEnd::Written } else { EditEnd::Dropped };
        if let Err(fault) = self.store.end_edit(&self.key(), position, end).await {
            // It is in the file or it is not; only the history is not sure of it.
            tracing::error!(%fault, id = %self.row.id, "the end of an edit could not be recorded");
        }
        written
    }

    fn put(&self, expected: &str, text: &str) -> Result<bool, EditError> {
        let _lock = DocumentLock::take(&self.folder, &self.row.pipeline)?;
        if self.read_now()?.digest != expected {
            return Ok(false);
        }
        self.folder.write(self.place(), text.as_bytes())?;
        Ok(true)
    }

    async fn read(&self) -> Result<KeptText, EditError> {
        let this = self.clone();
        computed(move || this.read_now()).await?
    }

    fn read_now(&self) -> Result<KeptText, EditError> {
        let file = self.row.file();
        let text = match document_of(&self.folder, &self.row.pipeline, &file) {
            Ok(text) => text,
            Err(NoDocument::Absent) => return Err(EditError::Absent(file)),
            Err(NoDocument::Left(why)) => return Err(EditError::Left { file, why }),
        };
        check(&text)?;
        Ok(kept(text))
    }

    fn key(&self) -> DocumentKey {
        self.row.key()
    }

    fn place(&self) -> PathBuf {
        PathBuf::from(self.row.pipeline.as_str()).join("investigations").join(self.row.file())
    }
}

/// A text as it is kept.
pub(super) fn kept(text: String) -> KeptText {
    KeptText { digest: hex::encode(Sha256::digest(&text)), text }
}

fn check(text: &str) -> Result<(), EditError> {
    if text.contains('\0') {
        return Err(EditError::NotText);
    }
    // A browser ends each line with two characters, which are one end.
    let crlf = text.matches("\r\n").count();
    let ends = text.bytes().filter(|byte| matches!(byte, b'\n' | b'\r')).count() - crlf;
    let is_long = text.len() - crlf > MAX_EDITED || ends > MAX_LINES;
    if is_long { Err(EditError::TooLong) } else { Ok(()) }
}

async fn made(
    base: Option<String>,
    theirs: KeptText,
    source: Source,
    edit: &Edit,
) -> Result<Made, EditError> {
    let edited = edit.text.clone();
    computed(move || {
        let began = base.as_deref().unwrap_or(&theirs.text);
        let mine = with_endings_of(began, &edited);
        let is_changed = mine != began && mine != theirs.text;
        // A file that lost what says what it is gets that back, as the page says, also by such a save.
        if !is_changed && source.mended(&theirs.text).is_none() {
            return Ok(Made::Nothing { put_back: Vec::new() });
        }
        let is_merged = is_changed && base.as_ref() != Some(&theirs.text);
        let after = if !is_changed {
            theirs.text.clone()
        } else if is_merged {
            let merge = merged(base.as_deref(), &theirs.text, &mine);
            match merge.settled(&[]) {
                None => return Ok(Made::Clash { merge, mine: kept(mine) }),
                Some(after) => after,
            }
        } else {
            mine
        };
        let (after, put_back) = match source.mended(&after) {
            Some(mended) => (mended.text, mended.parts),
            None => (after, Vec::new()),
        };
        if after == theirs.text {
            return Ok(Made::Nothing { put_back });
        }
        // Of a failure that is gone there may be no cycle any more that says so.
        let after = investigation::answered(&after).unwrap_or(after);
        check(&after)?;
        Ok(Made::Text { after: kept(after), is_merged, put_back })
    })
    .await?
}

fn merged(base: Option<&str>, theirs: &str, mine: &str) -> Merge {
    match base {
        Some(base) => merge(base, theirs, mine),
        None => merge_without_base(theirs, mine),
    }
}

/// Runs what computes, or waits for a disk, where it holds nobody up.
async fn computed<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, EditError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|fault| EditError::Io(io::Error::other(fault)))
}
