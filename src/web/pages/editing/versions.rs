//! An older version of an investigation, opened in the form of the whole text: it is seen before it is
//! saved, and saved as any other edit.

use http::StatusCode;
use serde::Serialize;

use super::{Asked, Desk};
use crate::investigation::{changes, words_in};
use crate::store::KeptText;
use crate::web::pages::investigation::LineView;
use crate::web::problem::Problem;

/// What the form of a version says of it.
#[derive(Debug, Serialize)]
pub(super) struct Version {
    /// Who made the edit.
    by: String,
    /// When.
    at: String,
    /// Whether it is what that edit found, and not what it left.
    is_before: bool,
    /// What saving it would change.
    lines: Vec<LineView>,
}

impl Asked {
    /// The position of an edit, and whether the text is wanted that stood there before it.
    fn version(&self) -> Option<(u32, bool)> {
        self.from.map(|position| (position, false)).or(self.before.map(|position| (position, true)))
    }
}

impl Desk {
    /// The text of the version that is asked for, with Andon's own parts as they are now.
    pub(super) async fn version(
        &self,
        asked: &Asked,
        now: &KeptText,
    ) -> Result<Option<(Version, String)>, Problem> {
        let Some((position, is_before)) = asked.version() else { return Ok(None) };
        let (store, of) = (self.site.store(), self.row.key());
        let edits = store.list_edits(&of, position.checked_add(1), 1).await?;
        let edit = edits.into_iter().find(|edit| edit.position == position);
        let edit = edit.ok_or_else(|| {
            Problem::not_found(format!("{} has no edit {position} here", self.row.id))
                .help("its page lists its edits")
        })?;
        let digest = if is_before { &edit.before } else { &edit.after };
        let kept = store.kept_text(&of, digest).await?;
        let kept = kept.ok_or_else(|| {
            Problem::new(StatusCode::GONE, "the text of that version is not kept any more")
                .help("of a document the newest hundred texts are kept; its file may have older ones in git")
        })?;
        let now = now.text.clone();
        // A long text takes a while.
        let looking = tokio::task::spawn_blocking(move || {
            let text = words_in(&kept, &now);
            (LineView::list(&changes(&now, &text).shown), text)
        });
        let (lines, text) = looking.await.map_err(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the version cannot be looked at")
        })?;
        let version = Version { by: edit.by, at: edit.at.to_string(), is_before, lines };
        Ok(Some((version, text)))
    }
}
