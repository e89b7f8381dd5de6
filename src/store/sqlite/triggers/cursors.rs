//! Where watched branches and schedules are, and which remotes are to be looked at.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::{pipeline_id, waiting};
use crate::domain::names::PipelineName;
use crate::domain::revision::Sha;
use crate::store::sqlite::cycles::{corrupt, instant};
use crate::store::{Cursor, NewTrigger, PutTrigger, Result, TriggerId};

/// The commit that a branch pointed to. A branch never seen has none, as one that was deleted.
pub(super) async fn of_branch(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    branch: &str,
) -> Result<Option<Sha>> {
    let sha: Option<Option<String>> =
        sqlx::query_scalar("SELECT sha FROM branch_cursor WHERE pipeline_id = ? AND branch = ?")
            .bind(pipeline_id)
            .bind(branch)
            .fetch_optional(db)
            .await?;
    sha.flatten().map(|sha| Sha::parse(&sha).map_err(corrupt)).transpose()
}

pub(super) async fn put_branch(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    branch: &str,
    sha: Option<&Sha>,
    since: Timestamp,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO branch_cursor (pipeline_id, branch, sha, since_us) VALUES (?, ?, ?, ?)
         ON CONFLICT (pipeline_id, branch) DO UPDATE
             SET sha = excluded.sha, since_us = excluded.since_us",
    )
    .bind(pipeline_id)
    .bind(branch)
    .bind(sha.map(Sha::as_str))
    .bind(since.as_microsecond())
    .execute(db)
    .await?;
    Ok(())
}

/// All branches of a pipeline that were ever seen, by name.
pub(super) async fn of_branches(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
) -> Result<Vec<Cursor>> {
    let rows: Vec<(String, Option<String>, i64)> = sqlx::query_as(
        "SELECT b.branch, b.sha, b.since_us
         FROM branch_cursor b JOIN pipeline p ON p.id = b.pipeline_id
         WHERE p.name = ? ORDER BY b.branch",
    )
    .bind(pipeline.as_str())
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(branch, sha, since_us)| {
            let sha = sha.map(|sha| Sha::parse(&sha).map_err(corrupt)).transpose()?;
            Ok(Cursor { branch, sha, since: instant(since_us)? })
        })
        .collect()
}

/// Moves a schedule's cursor forward and stores the trigger with it.
pub(super) async fn put_scheduled(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    schedule: &str,
    due: Timestamp,
    trigger: Option<&NewTrigger>,
) -> Result<Option<TriggerId>> {
    let pipeline_id = pipeline_id(&mut *db, pipeline).await?;
    let moved = sqlx::query(
        "INSERT INTO schedule_cursor (pipeline_id, schedule, due_at_us) VALUES (?, ?, ?)
         ON CONFLICT (pipeline_id, schedule) DO UPDATE SET due_at_us = excluded.due_at_us
             WHERE schedule_cursor.due_at_us < excluded.due_at_us",
    )
    .bind(pipeline_id)
    .bind(schedule)
    .bind(due.as_microsecond())
    .execute(&mut *db)
    .await?;
    let Some(trigger) = trigger.filter(|_| moved.rows_affected() > 0) else { return Ok(None) };
    match waiting::put(db, trigger, due).await? {
        PutTrigger::New(id) | PutTrigger::Known { id, .. } => Ok(Some(id)),
    }
}

pub(super) async fn of_schedule(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    schedule: &str,
) -> Result<Option<Timestamp>> {
    let due: Option<i64> = sqlx::query_scalar(
        "SELECT s.due_at_us FROM schedule_cursor s JOIN pipeline p ON p.id = s.pipeline_id
         WHERE p.name = ? AND s.schedule = ?",
    )
    .bind(pipeline.as_str())
    .bind(schedule)
    .fetch_optional(db)
    .await?;
    due.map(instant).transpose()
}

/// Counts up what is wanted: a look that has begun may have missed what this one is for.
pub(super) async fn request_look(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    why: &str,
    at: Timestamp,
) -> Result<()> {
    let pipeline_id = pipeline_id(&mut *db, pipeline).await?;
    sqlx::query(
        "INSERT INTO look (pipeline_id, wanted, why, wanted_at_us) VALUES (?, 1, ?, ?)
         ON CONFLICT (pipeline_id) DO UPDATE SET wanted = look.wanted + 1, why = excluded.why,
             wanted_at_us = excluded.wanted_at_us",
    )
    .bind(pipeline_id)
    .bind(why)
    .bind(at.as_microsecond())
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn wanted_looks(db: &mut SqliteConnection) -> Result<Vec<(PipelineName, i64)>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT p.name, l.wanted FROM look l JOIN pipeline p ON p.id = l.pipeline_id
         WHERE l.wanted > l.done ORDER BY p.name",
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(name, number)| Ok((PipelineName::parse(&name).map_err(corrupt)?, number)))
        .collect()
}

/// Nothing is done that was not wanted, whatever number is given.
pub(super) async fn finish_look(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    number: i64,
) -> Result<()> {
    sqlx::query(
        "UPDATE look SET done = MAX(done, MIN(?, wanted))
         WHERE pipeline_id = (SELECT id FROM pipeline WHERE name = ?)",
    )
    .bind(number)
    .bind(pipeline.as_str())
    .execute(db)
    .await?;
    Ok(())
}
