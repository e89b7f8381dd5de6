//! Edits of investigations as rows, and the texts that they begin with.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::cycles::instant;
use super::row::row_struct;
use super::writer::Durability;
use super::{SqliteStore, investigations};
use crate::store::{DocumentKey, EditEnd, EditRow, EditStore, KeptText, NewEdit, Result};

/// So many texts of one document are kept, those kept last.
const MAX_TEXTS: u32 = 100;

/// The newest text of a document. Two that were kept at the same time are told apart by the order in
/// which they were kept.
const NEWEST: &str =
    "SELECT t.digest, t.text FROM pipeline p JOIN document_text t ON t.pipeline_id = p.id
     WHERE p.name = ? AND t.number = ? AND TRIM(t.text, char(9, 10, 11, 12, 13, 32)) <> ''
     ORDER BY t.kept_at_us DESC, t.rowid DESC LIMIT 1";
/// A text that is kept once more takes the row that comes last.
const KEEP: &str =
    "INSERT OR REPLACE INTO document_text (pipeline_id, number, digest, text, kept_at_us)
     VALUES (?1, ?2, ?3, ?4, MAX(?5, COALESCE((SELECT kept_at_us FROM document_text
         WHERE pipeline_id = ?1 AND number = ?2 AND digest = ?3), ?5)))";
/// What a dropped edit began with is kept after what it would have made of it.
const KEEP_BEFORE: &str =
    "INSERT OR REPLACE INTO document_text (pipeline_id, number, digest, text, kept_at_us)
     SELECT t.pipeline_id, t.number, t.digest, t.text, MAX(t.kept_at_us, e.edited_at_us)
     FROM document_edit e JOIN document_text t
         ON t.pipeline_id = e.pipeline_id AND t.number = e.number AND t.digest = e.before
     WHERE e.pipeline_id = ? AND e.number = ? AND e.position = ? AND e.is_written = 0";

row_struct! {
    struct StoredEdit {
        position: u32,
        edited_by: String,
        edited_at_us: i64,
        before: String,
        after: String,
        is_merged: bool,
        added: u32,
        removed: u32,
        lines: String,
        is_written: bool,
    }
}

impl StoredEdit {
    fn into_row(self) -> Result<EditRow> {
        Ok(EditRow {
            position: self.position,
            by: self.edited_by,
            at: instant(self.edited_at_us)?,
            before: self.before,
            after: self.after,
            is_merged: self.is_merged,
            added: self.added,
            removed: self.removed,
            lines: self.lines,
            is_written: self.is_written,
        })
    }
}

#[async_trait]
impl EditStore for SqliteStore {
    async fn keep_text(&self, of: &DocumentKey, text: KeptText, at: Timestamp) -> Result<bool> {
        let of = of.clone();
        self.write(Durability::Full, move |db| {
            Box::pin(async move {
                let Some(pipeline) = known(&mut *db, &of).await? else { return Ok(false) };
                keep(db, pipeline, &of, &text, at).await?;
                Ok(true)
            })
        })
        .await
    }

    async fn keep_texts(&self, texts: Vec<(DocumentKey, KeptText)>, at: Timestamp) -> Result<()> {
        self.write(Durability::Full, move |db| {
            Box::pin(async move {
                for (of, text) in &texts {
                    if let Some(pipeline) = known(&mut *db, of).await? {
                        keep(&mut *db, pipeline, of, text, at).await?;
                    }
                }
                Ok(())
            })
        })
        .await
    }

    async fn kept_text(&self, of: &DocumentKey, digest: &str) -> Result<Option<String>> {
        let (of, digest) = (of.clone(), digest.to_owned());
        self.read(move |db| {
            Box::pin(async move {
                let text = sqlx::query_scalar(
                    "SELECT t.text FROM pipeline p JOIN document_text t ON t.pipeline_id = p.id
                     WHERE p.name = ? AND t.number = ? AND t.digest = ?",
                )
                .bind(of.pipeline.as_str())
                .bind(of.id.number())
                .bind(digest)
                .fetch_optional(db)
                .await?;
                Ok(text)
            })
        })
        .await
    }

    async fn newest_text(&self, of: &DocumentKey) -> Result<Option<KeptText>> {
        let of = of.clone();
        self.read(move |db| {
            Box::pin(async move {
                let found: Option<(String, String)> = sqlx::query_as(NEWEST)
                    .bind(of.pipeline.as_str())
                    .bind(of.id.number())
                    .fetch_optional(db)
                    .await?;
                Ok(found.map(|(digest, text)| KeptText { digest, text }))
            })
        })
        .await
    }

    async fn begin_edit(&self, of: &DocumentKey, edit: NewEdit) -> Result<Option<u32>> {
        let of = of.clone();
        self.write(Durability::Full, move |db| Box::pin(async move { begin(db, &of, &edit).await }))
            .await
    }

    async fn end_edit(&self, of: &DocumentKey, position: u32, end: EditEnd) -> Result<()> {
        const WRITTEN: &str = "UPDATE document_edit SET is_written = 1
             WHERE pipeline_id = ? AND number = ? AND position = ?";
        const DROPPED: &str = "DELETE FROM document_edit
             WHERE pipeline_id = ? AND number = ? AND position = ? AND is_written = 0";
        let of = of.clone();
        self.write(Durability::Full, move |db| {
            Box::pin(async move {
                let Some(pipeline) = known(&mut *db, &of).await? else { return Ok(()) };
                let statements: &[&'static str] = match end {
                    EditEnd::Written => &[WRITTEN],
                    EditEnd::Dropped => &[KEEP_BEFORE, DROPPED],
                };
                let number = of.id.number();
                for sql in statements {
                    let statement = sqlx::query(*sql).bind(pipeline).bind(number).bind(position);
                    statement.execute(&mut *db).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn list_edits(
        &self,
        of: &DocumentKey,
        before: Option<u32>,
        limit: u32,
    ) -> Result<Vec<EditRow>> {
        let of = of.clone();
        self.read(move |db| Box::pin(async move { list(db, &of, before, limit).await })).await
    }
}

/// The pipeline of an investigation that is there.
async fn known(db: &mut SqliteConnection, of: &DocumentKey) -> Result<Option<i64>> {
    let Some(pipeline) = investigations::pipeline_id(&mut *db, &of.pipeline).await? else {
        return Ok(None);
    };
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT pipeline_id FROM investigation WHERE pipeline_id = ? AND number = ?",
    )
    .bind(pipeline)
    .bind(of.id.number())
    .fetch_optional(db)
    .await?;
    Ok(found)
}

async fn keep(
    db: &mut SqliteConnection,
    pipeline: i64,
    of: &DocumentKey,
    kept: &KeptText,
    at: Timestamp,
) -> Result<()> {
    let number = of.id.number();
    sqlx::query(KEEP)
        .bind(pipeline)
        .bind(number)
        .bind(&kept.digest)
        .bind(&kept.text)
        .bind(at.as_microsecond())
        .execute(&mut *db)
        .await?;
    sqlx::query(
        "DELETE FROM document_text WHERE pipeline_id = ?1 AND number = ?2 AND digest IN
             (SELECT digest FROM document_text WHERE pipeline_id = ?1 AND number = ?2
              ORDER BY kept_at_us DESC, rowid DESC LIMIT -1 OFFSET ?3)",
    )
    .bind(pipeline)
    .bind(number)
    .bind(MAX_TEXTS)
    .execute(db)
    .await?;
    Ok(())
}

async fn begin(db: &mut SqliteConnection, of: &DocumentKey, edit: &NewEdit) -> Result<Option<u32>> {
    let Some(pipeline) = known(&mut *db, of).await? else { return Ok(None) };
    for text in [&edit.before, &edit.after] {
        keep(&mut *db, pipeline, of, text, edit.at).await?;
    }
    let position: u32 = sqlx::query_scalar(
        "INSERT INTO document_edit (pipeline_id, number, position, edited_by, edited_at_us, before,
                                    after, is_merged, added, removed, lines)
         SELECT ?1, ?2, COALESCE(MAX(position), 0) + 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
         FROM document_edit WHERE pipeline_id = ?1 AND number = ?2
         RETURNING position",
    )
    .bind(pipeline)
    .bind(of.id.number())
    .bind(&edit.by)
    .bind(edit.at.as_microsecond())
    .bind(&edit.before.digest)
    .bind(&edit.after.digest)
    .bind(edit.is_merged)
    .bind(edit.added)
    .bind(edit.removed)
    .bind(&edit.lines)
    .fetch_one(db)
    .await?;
    Ok(Some(position))
}

async fn list(
    db: &mut SqliteConnection,
    of: &DocumentKey,
    before: Option<u32>,
    limit: u32,
) -> Result<Vec<EditRow>> {
    let rows: Vec<StoredEdit> = sqlx::query_as(
        "SELECT e.position, e.edited_by, e.edited_at_us, e.before, e.after, e.is_merged, e.added,
                e.removed, e.lines, e.is_written
         FROM pipeline p JOIN document_edit e ON e.pipeline_id = p.id
         WHERE p.name = ? AND e.number = ? AND e.position < ?
         ORDER BY e.position DESC LIMIT ?",
    )
    .bind(of.pipeline.as_str())
    .bind(of.id.number())
    .bind(before.unwrap_or(u32::MAX))
    .bind(limit)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(StoredEdit::into_row).collect()
}
