//! Whence the tool's parts of a document come that an edit, or an editor on the machine, took from it.

use super::{EditError, Editing, computed};
use crate::investigation::{self, Lost, Mended, Meta};
use crate::store::InvestigationRow;

/// In so many edits a text is looked for that still had the tool's parts.
const LOOKED_AT: u32 = 100;

/// What a document is that does not say so itself: what the records say, and what the first of these texts
/// tells that they do not, that the failure is gone. It does not count once a later cycle concerned it:
/// then it may have come back.
pub fn known_of(row: &InvestigationRow, texts: &[&str]) -> Meta {
    let gone = texts.iter().find_map(|text| investigation::gone_in(text));
    Meta {
        id: row.id.clone(),
        fingerprint: row.fingerprint.as_str().to_owned(),
        state: row.state,
        opened: row.opened_in,
        reopened: row.reopened_in,
        gone: gone.filter(|cycle| *cycle >= row.last_seen),
    }
}

/// Whence comes what a text has lost of the tool's parts.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// A text that has them, as far as there is one.
    text: String,
    /// What the document is.
    known: Meta,
}

impl Source {
    /// A text with what it had lost of the tool's parts; `None` when it lost nothing.
    pub(super) fn mended(&self, text: &str) -> Option<Mended> {
        investigation::mend(text, &self.text, &self.known)
    }
}

impl Editing {
    /// A text that says what it is: the one that was read, or what is made of it where it does not.
    pub(super) async fn whole(&self, text: &str) -> Result<String, EditError> {
        if investigation::meta_of(text).is_some() {
            return Ok(text.to_owned());
        }
        let source = self.source(text, None).await?;
        let text = text.to_owned();
        computed(move || source.mended(&text).map_or(text, |mended| mended.text)).await
    }

    /// What would be put back of the tool's parts if this text, which began with that one, were saved.
    ///
    /// # Errors
    /// When the document cannot be read, or the store refuses.
    pub async fn lost(&self, text: &str, base: &str) -> Result<Vec<Lost>, EditError> {
        let theirs = self.read().await?;
        let base = self.store.kept_text(&self.key(), base).await?;
        let source = self.source(&theirs.text, base.as_deref()).await?;
        let text = text.to_owned();
        computed(move || investigation::lost(&text, &source.text)).await
    }

    /// Whence the tool's parts come that a text has lost: the file, where it still says what it is, else
    /// what the edit began with, else the newest text of the history that does. What people did to a
    /// file on the machine is in the way of no edit so.
    pub(super) async fn source(
        &self,
        theirs: &str,
        base: Option<&str>,
    ) -> Result<Source, EditError> {
        if let Some(known) = investigation::meta_of(theirs) {
            return Ok(Source { text: theirs.to_owned(), known });
        }
        let has_meta = |text: &&str| investigation::meta_of(text).is_some();
        let text = match base.filter(has_meta) {
            Some(base) => base.to_owned(),
            None => self.newest_whole().await?.unwrap_or_else(|| theirs.to_owned()),
        };
        let known = known_of(&self.row, &[theirs, &text]);
        Ok(Source { text, known })
    }

    async fn newest_whole(&self) -> Result<Option<String>, EditError> {
        for edit in self.store.list_edits(&self.key(), None, LOOKED_AT).await? {
            for digest in [edit.after, edit.before] {
                let text = self.store.kept_text(&self.key(), &digest).await?;
                if let Some(text) = text.filter(|text| investigation::meta_of(text).is_some()) {
                    return Ok(Some(text));
                }
            }
        }
        Ok(None)
    }
}
