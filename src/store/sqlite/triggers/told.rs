//! Of which commits a forge was told that they wait, and what became of them since.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use crate::domain::names::PipelineName;
use crate::domain::revision::Sha;
use crate::store::sqlite::cycles::corrupt;
use crate::store::sqlite::outbox;
use crate::store::sqlite::row::row_struct;
use crate::store::{NewMessage, Result, StoreError, ToldWaiting, TriggerId, WaitingMark, WaitsNow};

row_struct! {
    struct StoredTold {
        id: i64,
        pipeline: String,
        told_sha: String,
        requested: Option<String>,
        dropped: Option<String>,
        cycle: Option<u32>,
        revision: Option<String>,
        is_over: bool,
    }
}

impl StoredTold {
    fn into_told(self) -> Result<ToldWaiting> {
        let sha = |text: &str| Sha::parse(text).map_err(corrupt);
        let now = match (self.dropped, self.cycle) {
            (Some(why), _) => WaitsNow::Dropped { why },
            (None, Some(number)) => WaitsNow::Cycle {
                number,
                revision: self.revision.as_deref().map(sha).transpose()?,
                is_over: self.is_over,
            },
            (None, None) => WaitsNow::For(sha(self.requested.as_deref().unwrap_or_default())?),
        };
        Ok(ToldWaiting {
            trigger: TriggerId(self.id),
            pipeline: PipelineName::parse(&self.pipeline).map_err(corrupt)?,
            sha: sha(&self.told_sha)?,
            now,
        })
    }
}

/// All of which that was told, and nothing else since.
pub(super) async fn list(db: &mut SqliteConnection) -> Result<Vec<ToldWaiting>> {
    let rows: Vec<StoredTold> = sqlx::query_as(
        "SELECT t.id, p.name AS pipeline, t.told_sha, t.requested, t.dropped, t.cycle,
                -- A cycle of selected cases tells nobody of its revision.
                CASE WHEN c.only_cases IS NULL THEN c.revision END AS revision,
                c.finished_at_us IS NOT NULL AS is_over
         FROM trigger t
         JOIN pipeline p ON p.id = t.pipeline_id
         LEFT JOIN cycle c ON c.pipeline_id = t.pipeline_id AND c.number = t.cycle
         WHERE t.told_sha IS NOT NULL
         ORDER BY t.id",
    )
    .fetch_all(db)
    .await
    .map_err(StoreError::from)?;
    rows.into_iter().map(StoredTold::into_told).collect()
}

/// Writes marks, and the messages by which they become true.
pub(super) async fn mark(
    db: &mut SqliteConnection,
    marks: &[WaitingMark],
    messages: &[NewMessage],
    at: Timestamp,
) -> Result<()> {
    for mark in marks {
        sqlx::query("UPDATE trigger SET told_sha = ? WHERE id = ?")
            .bind(mark.sha.as_ref().map(Sha::as_str))
            .bind(mark.trigger.0)
            .execute(&mut *db)
            .await?;
    }
    outbox::put_all(db, messages, at).await?;
    Ok(())
}
