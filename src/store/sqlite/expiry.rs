//! Cycles that expire, and what is forgotten with time.

use std::collections::BTreeSet;
use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::cycles::{corrupt, instant, optional_word, word};
use super::row::row_struct;
use super::writer::Durability;
use super::{SqliteStore, pages, space};
use crate::domain::findings::InvestigationState;
use crate::domain::names::{EnvironmentName, PipelineName};
use crate::domain::outcome::Verdict;
use crate::domain::retention::{KeptCycle, PipelineHistory};
use crate::domain::revision::Sha;
use crate::store::{CycleKey, Refusals, Result, StoreError, UpkeepStore};

#[async_trait]
impl UpkeepStore for SqliteStore {
    async fn retention_histories(&self, yesterday: Timestamp) -> Result<Vec<PipelineHistory>> {
        self.read(move |db| Box::pin(histories(db, yesterday))).await
    }

    async fn unmeasured_cycles(&self, limit: u32) -> Result<Vec<CycleKey>> {
        const UNMEASURED: &str = "SELECT p.name, c.number FROM cycle c
             JOIN pipeline p ON p.id = c.pipeline_id
             WHERE c.expired_at_us IS NULL AND c.bytes IS NULL AND c.finished_at_us IS NOT NULL
             ORDER BY c.id LIMIT ?";
        self.read(move |db| Box::pin(keys(db, UNMEASURED, limit))).await
    }

    async fn measure_cycle(&self, cycle: &CycleKey, beside: u64) -> Result<()> {
        let cycle = cycle.clone();
        self.write(Durability::Batched, move |db| {
            Box::pin(async move { measure(db, &cycle, beside).await })
        })
        .await
    }

    async fn expire_cycles(&self, cycles: &[CycleKey], at: Timestamp) -> Result<u32> {
        let cycles = cycles.to_vec();
        self.write(Durability::Full, move |db| {
            Box::pin(async move { expire(db, &cycles, at).await })
        })
        .await
    }

    async fn expiring_cycles(&self, limit: u32) -> Result<Vec<CycleKey>> {
        const EXPIRING: &str = "SELECT p.name, c.number FROM expiring x
             JOIN cycle c ON c.id = x.cycle_id JOIN pipeline p ON p.id = c.pipeline_id
             ORDER BY c.id LIMIT ?";
        self.read(move |db| Box::pin(keys(db, EXPIRING, limit))).await
    }

    async fn delete_expired(&self, cycle: &CycleKey, rows: u32) -> Result<bool> {
        let cycle = cycle.clone();
        // Should the power fail it is done again: nobody reads these rows any more.
        self.write(Durability::Batched, move |db| {
            Box::pin(async move { delete(db, &cycle, rows).await })
        })
        .await
    }

    async fn finish_expiry(&self, cycle: &CycleKey) -> Result<()> {
        let cycle = cycle.clone();
        self.write(Durability::Batched, move |db| {
            Box::pin(async move {
                let id = expired_id(&mut *db, &cycle).await?;
                sqlx::query("DELETE FROM expiring WHERE cycle_id = ?").bind(id).execute(db).await?;
                Ok(())
            })
        })
        .await
    }

    async fn forget_ended(&self, before: Timestamp, rows: u32) -> Result<u32> {
        self.write(Durability::Batched, move |db| Box::pin(forget(db, before, rows))).await
    }

    async fn give_back_space(&self, pages: u32) -> Result<u64> {
        let writer = self.writer.as_ref().ok_or(StoreError::ReadOnly)?;
        writer.maintain(move |db| Box::pin(space::give_back(db, pages))).await
    }

    async fn compact(&self) -> Result<()> {
        let writer = self.writer.as_ref().ok_or(StoreError::ReadOnly)?;
        writer.maintain(|db| Box::pin(space::compact(db))).await
    }

    async fn back_up(&self, to: &Path) -> Result<()> {
        let to = to.to_owned();
        self.read(move |db| Box::pin(async move { space::back_up(db, &to).await })).await
    }

    async fn try_writing(&self, at: Timestamp) -> Result<()> {
        self.write(Durability::Full, move |db| Box::pin(space::try_writing(db, at))).await
    }

    fn refusals(&self) -> Refusals {
        self.refusals.clone()
    }
}

async fn keys(db: &mut SqliteConnection, sql: &'static str, limit: u32) -> Result<Vec<CycleKey>> {
    let rows: Vec<(String, u32)> = sqlx::query_as(sql).bind(limit).fetch_all(db).await?;
    let key = |(name, number): (String, u32)| {
        Ok(CycleKey::new(PipelineName::parse(&name).map_err(corrupt)?, number))
    };
    rows.into_iter().map(key).collect()
}

async fn histories(
    db: &mut SqliteConnection,
    yesterday: Timestamp,
) -> Result<Vec<PipelineHistory>> {
    let pipelines: Vec<(i64, String)> =
        sqlx::query_as("SELECT id, name FROM pipeline ORDER BY name").fetch_all(&mut *db).await?;
    let mut histories = Vec::with_capacity(pipelines.len());
    for (id, name) in pipelines {
        histories.push(PipelineHistory {
            pipeline: PipelineName::parse(&name).map_err(corrupt)?,
            kept: kept(&mut *db, id).await?,
            expired_since_yesterday: expired_since(&mut *db, id, yesterday).await?,
            references: pages::references(&mut *db, id).await?,
            investigated: investigated(&mut *db, id).await?,
        });
    }
    Ok(histories)
}

row_struct! {
    struct StoredKept {
        number: u32,
        environment: String,
        verdict: Option<String>,
        is_whole: bool,
        revision: Option<String>,
        finished_at_us: Option<i64>,
        bytes: Option<i64>,
    }
}

async fn kept(db: &mut SqliteConnection, pipeline_id: i64) -> Result<Vec<KeptCycle>> {
    let rows: Vec<StoredKept> = sqlx::query_as(
        "SELECT number, environment, verdict, only_cases IS NULL AS is_whole, revision,
                finished_at_us, bytes
         FROM cycle WHERE pipeline_id = ? AND expired_at_us IS NULL ORDER BY number",
    )
    .bind(pipeline_id)
    .fetch_all(db)
    .await?;
    let kept = |row: StoredKept| {
        Ok(KeptCycle {
            cycle: row.number,
            environment: EnvironmentName::parse(&row.environment).map_err(corrupt)?,
            verdict: optional_word("verdict", row.verdict.as_deref(), Verdict::parse)?,
            is_whole: row.is_whole,
            revision: row.revision.map(|sha| Sha::parse(&sha).map_err(corrupt)).transpose()?,
            finished_at: row.finished_at_us.map(instant).transpose()?,
            bytes: row.bytes.map(i64::unsigned_abs),
        })
    };
    rows.into_iter().map(kept).collect()
}

async fn expired_since(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    since: Timestamp,
) -> Result<u32> {
    let count = sqlx::query_scalar(
        "SELECT count(*) FROM cycle WHERE pipeline_id = ? AND expired_at_us > ?",
    )
    .bind(pipeline_id)
    .bind(since.as_microsecond())
    .fetch_one(db)
    .await?;
    Ok(count)
}

/// The cycles that open investigations name.
async fn investigated(db: &mut SqliteConnection, pipeline_id: i64) -> Result<BTreeSet<u32>> {
    let rows: Vec<(String, u32, Option<u32>, u32)> = sqlx::query_as(
        "SELECT state, opened_in, reopened_in, last_seen FROM investigation WHERE pipeline_id = ?",
    )
    .bind(pipeline_id)
    .fetch_all(db)
    .await?;
    let mut named = BTreeSet::new();
    for (state, opened_in, reopened_in, last_seen) in rows {
        if word("state", &state, InvestigationState::parse)?.is_open() {
            named.extend([Some(opened_in), reopened_in, Some(last_seen)].into_iter().flatten());
        }
    }
    Ok(named)
}

/// What an event takes beside its payload, about.
const ROW_BYTES: u32 = 64;

async fn measure(db: &mut SqliteConnection, cycle: &CycleKey, beside: u64) -> Result<()> {
    sqlx::query(
        "UPDATE cycle SET bytes = ?1
             + (SELECT COALESCE(SUM(octet_length(payload) + ?2), 0) FROM event
                WHERE cycle_id = cycle.id)
             + (SELECT COALESCE(SUM(octet_length(body) + ?2), 0) FROM case_page
                WHERE cycle_id = cycle.id)
         WHERE number = ?3 AND pipeline_id = (SELECT id FROM pipeline WHERE name = ?4)
             AND finished_at_us IS NOT NULL AND expired_at_us IS NULL",
    )
    .bind(i64::try_from(beside).unwrap_or(i64::MAX / 2))
    .bind(ROW_BYTES)
    .bind(cycle.cycle)
    .bind(cycle.pipeline.as_str())
    .execute(db)
    .await?;
    Ok(())
}

async fn expire(db: &mut SqliteConnection, cycles: &[CycleKey], at: Timestamp) -> Result<u32> {
    let mut expired = 0;
    for cycle in cycles {
        let id: Option<i64> = sqlx::query_scalar(
            "UPDATE cycle SET expired_at_us = ?
             WHERE number = ? AND pipeline_id = (SELECT id FROM pipeline WHERE name = ?)
                 AND finished_at_us IS NOT NULL AND expired_at_us IS NULL
             RETURNING id",
        )
        .bind(at.as_microsecond())
        .bind(cycle.cycle)
        .bind(cycle.pipeline.as_str())
        .fetch_optional(&mut *db)
        .await?;
        let Some(id) = id else { continue };
        sqlx::query("INSERT INTO expiring (cycle_id) VALUES (?)")
            .bind(id)
            .execute(&mut *db)
            .await?;
        expired += 1;
    }
    Ok(expired)
}

async fn expired_id(db: &mut SqliteConnection, cycle: &CycleKey) -> Result<i64> {
    sqlx::query_scalar(
        "SELECT c.id FROM pipeline p JOIN cycle c ON c.pipeline_id = p.id
         WHERE p.name = ? AND c.number = ? AND c.expired_at_us IS NOT NULL",
    )
    .bind(cycle.pipeline.as_str())
    .bind(cycle.cycle)
    .fetch_optional(db)
    .await?
    .ok_or_else(|| StoreError::UnknownCycle { cycle: cycle.clone() })
}

/// Deletes rows of one kind, then of the next; whether there were fewer than asked for.
async fn delete(db: &mut SqliteConnection, cycle: &CycleKey, rows: u32) -> Result<bool> {
    let id = expired_id(&mut *db, cycle).await?;
    let mut left = u64::from(rows);
    for sql in [
        "DELETE FROM event WHERE rowid IN (SELECT rowid FROM event WHERE cycle_id = ? LIMIT ?)",
        "DELETE FROM case_page
         WHERE rowid IN (SELECT rowid FROM case_page WHERE cycle_id = ? LIMIT ?)",
    ] {
        let limit = i64::try_from(left).unwrap_or(i64::MAX);
        let deleted = sqlx::query(sql).bind(id).bind(limit).execute(&mut *db).await?;
        left = left.saturating_sub(deleted.rows_affected());
    }
    Ok(left > 0)
}

/// Messages that arrived or never will, and triggers that became cycles long ago. A trigger that was
/// dropped keeps its key, so that nobody stores it again; one that a commit names tells its fate.
async fn forget(db: &mut SqliteConnection, before: Timestamp, rows: u32) -> Result<u32> {
    let mut deleted = 0;
    for sql in [
        "DELETE FROM outbox WHERE id IN
             (SELECT id FROM outbox WHERE ended_at_us < ? ORDER BY ended_at_us LIMIT ?)",
        "DELETE FROM trigger WHERE id IN
             (SELECT t.id FROM trigger t WHERE t.ended_at_us < ?
                  AND (t.key IS NULL OR t.cycle IS NOT NULL)
                  AND NOT EXISTS (SELECT 1 FROM told_commit o WHERE o.trigger_id = t.id)
                  AND NOT EXISTS (SELECT 1 FROM seen_commit s WHERE s.trigger_id = t.id)
              ORDER BY t.ended_at_us LIMIT ?)",
    ] {
        let limit = rows.saturating_sub(deleted);
        let done =
            sqlx::query(sql).bind(before.as_microsecond()).bind(limit).execute(&mut *db).await?;
        deleted += u32::try_from(done.rows_affected()).unwrap_or(u32::MAX);
    }
    Ok(deleted)
}
