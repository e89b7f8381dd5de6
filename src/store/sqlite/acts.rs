//! Who did what, as rows.

use async_trait::async_trait;

use super::SqliteStore;
use super::cycles::{corrupt, instant, word};
use super::row::row_struct;
use super::writer::Durability;
use crate::domain::names::PipelineName;
use crate::store::{Act, ActKind, ActRow, ActStore, Result};

/// Of what was done the newest ten thousand are kept, of sessions the newest thousand: whoever only logs in and out
/// pushes out nothing else.
const PRUNE: [&str; 2] = [
    "DELETE FROM act WHERE kind NOT IN ('log_in', 'log_out') AND id <= (
         SELECT id FROM act WHERE kind NOT IN ('log_in', 'log_out') ORDER BY id DESC LIMIT 1 OFFSET 10000)",
    "DELETE FROM act WHERE kind IN ('log_in', 'log_out') AND id <= (
         SELECT id FROM act WHERE kind IN ('log_in', 'log_out') ORDER BY id DESC LIMIT 1 OFFSET 1000)",
];

row_struct! {
    struct StoredAct {
        id: i64,
        at_us: i64,
        person: String,
        kind: String,
        pipeline: Option<String>,
        subject: Option<String>,
        detail: String,
    }
}

impl StoredAct {
    fn into_row(self) -> Result<ActRow> {
        let pipeline = self.pipeline.as_deref().map(PipelineName::parse);
        Ok(ActRow {
            id: self.id,
            act: Act {
                at: instant(self.at_us)?,
                person: self.person,
                kind: word("act", &self.kind, ActKind::parse)?,
                pipeline: pipeline.transpose().map_err(corrupt)?,
                subject: self.subject,
                detail: self.detail,
            },
        })
    }
}

#[async_trait]
impl ActStore for SqliteStore {
    async fn put_act(&self, act: Act) -> Result<()> {
        self.write(Durability::Full, move |db| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO act (at_us, person, kind, pipeline, subject, detail)
                     VALUES (?, ?, ?, ?, ?, ?)",
                )
                .bind(act.at.as_microsecond())
                .bind(&act.person)
                .bind(act.kind.as_str())
                .bind(act.pipeline.as_ref().map(PipelineName::as_str))
                .bind(&act.subject)
                .bind(&act.detail)
                .execute(&mut *db)
                .await?;
                for prune in PRUNE {
                    sqlx::query(prune).execute(&mut *db).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn list_acts(&self, before: Option<i64>, limit: u32) -> Result<Vec<ActRow>> {
        self.read(move |db| {
            Box::pin(async move {
                let rows: Vec<StoredAct> = sqlx::query_as(
                    "SELECT id, at_us, person, kind, pipeline, subject, detail FROM act
                     WHERE id < ? ORDER BY id DESC LIMIT ?",
                )
                .bind(before.unwrap_or(i64::MAX))
                .bind(limit)
                .fetch_all(db)
                .await?;
                rows.into_iter().map(StoredAct::into_row).collect()
            })
        })
        .await
    }
}
