//! Triggers as rows: stored once for each key, started or dropped once.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::pipeline_id;
use crate::domain::event::{Queued, Recorded, RunOptions};
use crate::domain::names::{EnvironmentName, PipelineName};
use crate::domain::outcome::{Trigger, TriggerKind};
use crate::domain::revision::Sha;
use crate::store::sqlite::append;
use crate::store::sqlite::cycles::{corrupt, instant, word};
use crate::store::sqlite::row::row_struct;
use crate::store::{
    CycleKey, NewTrigger, PutTrigger, Result, StoreError, TriggerId, WaitingTrigger,
};

const WAITING: &str = "SELECT t.id, p.name AS pipeline, t.environment, t.kind, t.detail,
        t.requested, t.branch, t.taken_together, t.deploy, t.only_cases, t.search_of, t.created_at_us,
        t.not_before_us
    FROM trigger t JOIN pipeline p ON p.id = t.pipeline_id
    WHERE t.cycle IS NULL AND t.dropped IS NULL";

row_struct! {
    struct StoredTrigger {
        id: i64,
        pipeline: String,
        environment: String,
        kind: String,
        detail: String,
        requested: Option<String>,
        branch: Option<String>,
        taken_together: String,
        deploy: bool,
        only_cases: Option<String>,
        search_of: Option<u32>,
        created_at_us: i64,
        not_before_us: i64,
    }
}

impl StoredTrigger {
    fn into_waiting(self) -> Result<WaitingTrigger> {
        let kind = word("trigger", &self.kind, TriggerKind::parse)?;
        Ok(WaitingTrigger {
            id: TriggerId(self.id),
            pipeline: PipelineName::parse(&self.pipeline).map_err(corrupt)?,
            environment: EnvironmentName::parse(&self.environment).map_err(corrupt)?,
            cause: Trigger { kind, detail: self.detail },
            requested: self.requested,
            branch: self.branch,
            taken_together: shas_of(&self.taken_together)?,
            options: RunOptions {
                deploy: self.deploy,
                only: self.only_cases,
                search_of: self.search_of,
            },
            created_at: instant(self.created_at_us)?,
            not_before: instant(self.not_before_us)?,
        })
    }
}

/// Reads a list of commits.
pub(super) fn shas_of(json: &str) -> Result<Vec<Sha>> {
    serde_json::from_str(json).map_err(corrupt)
}

/// Stores a trigger unless one with its key is known.
pub(super) async fn put(
    db: &mut SqliteConnection,
    trigger: &NewTrigger,
    at: Timestamp,
) -> Result<PutTrigger> {
    let pipeline_id = pipeline_id(&mut *db, &trigger.pipeline).await?;
    if let Some(key) = &trigger.key
        && let Some(known) = with_key(&mut *db, pipeline_id, key).await?
    {
        let (id, cycle, requested, deploy, only, search_of) = known;
        let options = RunOptions { deploy, only, search_of };
        let asks_the_same = requested == trigger.requested && options == trigger.options;
        return Ok(PutTrigger::Known { id: TriggerId(id), cycle, asks_the_same });
    }
    let id = sqlx::query_scalar(
        "INSERT INTO trigger (pipeline_id, environment, kind, detail, requested, deploy,
             only_cases, search_of, key, created_at_us, not_before_us)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         RETURNING id",
    )
    .bind(pipeline_id)
    .bind(trigger.environment.as_str())
    .bind(trigger.cause.kind.as_str())
    .bind(trigger.cause.detail.as_str())
    .bind(trigger.requested.as_deref())
    .bind(trigger.options.deploy)
    .bind(trigger.options.only.as_deref())
    .bind(trigger.options.search_of)
    .bind(trigger.key.as_deref())
    .bind(at.as_microsecond())
    .bind(trigger.not_before.as_microsecond())
    .fetch_one(db)
    .await?;
    Ok(PutTrigger::New(TriggerId(id)))
}

async fn with_key(db: &mut SqliteConnection, pipeline_id: i64, key: &str) -> Result<Option<Keyed>> {
    let sql = "SELECT id, cycle, requested, deploy, only_cases, search_of FROM trigger
               WHERE pipeline_id = ? AND key = ?";
    Ok(sqlx::query_as(sql).bind(pipeline_id).bind(key).fetch_optional(db).await?)
}

/// A trigger that was found by its key: its id, its cycle, and what it asks for.
type Keyed = (i64, Option<u32>, Option<String>, bool, Option<String>, Option<u32>);

/// All that wait, oldest first.
pub(super) async fn list(db: &mut SqliteConnection) -> Result<Vec<WaitingTrigger>> {
    let sql = format!("{WAITING} ORDER BY t.id");
    let rows: Vec<StoredTrigger> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(db).await?;
    rows.into_iter().map(StoredTrigger::into_waiting).collect()
}

/// Makes the cycle of a trigger that waits, and of those that it answers, too.
pub(super) async fn start(
    db: &mut SqliteConnection,
    trigger: TriggerId,
    joined: &[TriggerId],
    mut queued: Queued,
    at: Timestamp,
) -> Result<Option<(CycleKey, Recorded)>> {
    let Some(waiting) = find(&mut *db, trigger).await? else { return Ok(None) };
    if waiting.pipeline != queued.pipeline {
        let why = format!("it belongs to {}, not to {}", waiting.pipeline, queued.pipeline);
        return Err(StoreError::Unstorable { what: "the cycle of a trigger", why });
    }
    // The branch may have moved on since the caller looked: the row says what the cycle is for.
    queued.trigger = waiting.cause;
    queued.requested = waiting.requested;
    queued.options = waiting.options;
    queued.taken_together = waiting.taken_together;
    let mut answered = vec![trigger];
    for other in joined {
        let other = find(&mut *db, *other).await?;
        // One whose branch has moved on since the caller looked waits on, for its new commit.
        let is_answered = |other: &WaitingTrigger| {
            other.pipeline == waiting.pipeline
                && (other.requested == queued.requested
                    || other.requested.is_none()
                    || queued.requested.is_none())
        };
        let Some(other) = other.filter(is_answered) else { continue };
        queued.taken_together.extend(other.taken_together);
        answered.push(other.id);
    }
    let (cycle, first) = append::create_cycle(&mut *db, queued, at).await?;
    for trigger in answered {
        sqlx::query("UPDATE trigger SET cycle = ?, ended_at_us = ? WHERE id = ?")
            .bind(cycle.cycle)
            .bind(at.as_microsecond())
            .bind(trigger.0)
            .execute(&mut *db)
            .await?;
    }
    Ok(Some((cycle, first)))
}

async fn find(db: &mut SqliteConnection, trigger: TriggerId) -> Result<Option<WaitingTrigger>> {
    let sql = format!("{WAITING} AND t.id = ?");
    let row: Option<StoredTrigger> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(trigger.0).fetch_optional(db).await?;
    row.map(StoredTrigger::into_waiting).transpose()
}

/// Drops a trigger that waits; whether it did.
pub(super) async fn drop(
    db: &mut SqliteConnection,
    trigger: TriggerId,
    why: &str,
    at: Timestamp,
) -> Result<bool> {
    let dropped = sqlx::query(
        "UPDATE trigger SET dropped = ?, ended_at_us = ?
         WHERE id = ? AND cycle IS NULL AND dropped IS NULL",
    )
    .bind(why)
    .bind(at.as_microsecond())
    .bind(trigger.0)
    .execute(db)
    .await?;
    Ok(dropped.rows_affected() > 0)
}
