//! A branch that moved: its cursor, its commits and its trigger, together.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::{commits, cursors, pipeline_id, waiting};
use crate::domain::outcome::Trigger;
use crate::domain::revision::Sha;
use crate::store::sqlite::cycles::corrupt;
use crate::store::sqlite::row::row_struct;
use crate::store::{Movement, Result, StoreError, TriggerId};

/// At most so many commits are listed as taken together, the newest; each keeps a row of its own
/// that says which cycle covers it.
const MAX_TAKEN_TOGETHER: usize = 1_000;

row_struct! {
    /// The trigger of a branch that waits.
    struct WaitingRow {
        id: i64,
        requested: String,
        taken_together: String,
    }
}

/// Takes a movement, unless the cursor is not where its maker saw it.
pub(super) async fn put(db: &mut SqliteConnection, movement: &Movement) -> Result<bool> {
    let pipeline_id = pipeline_id(&mut *db, &movement.pipeline).await?;
    if cursors::of_branch(&mut *db, pipeline_id, &movement.branch).await? != movement.from {
        return Ok(false);
    }
    cursors::put_branch(&mut *db, pipeline_id, &movement.branch, movement.to.as_ref(), movement.at)
        .await?;
    let waiting = waiting_of(&mut *db, pipeline_id, &movement.branch).await?;
    match (&movement.to, &movement.run) {
        (None, _) => {
            commits::remember(&mut *db, pipeline_id, movement, None).await?;
            if let Some(row) = waiting {
                drop_deleted(db, &row, &movement.branch, movement.at).await?;
            }
        }
        (Some(_), None) => {
            commits::remember(db, pipeline_id, movement, None).await?;
        }
        (Some(_), Some((sha, cause))) => {
            run_for(db, pipeline_id, movement, waiting, sha, cause).await?;
        }
    }
    Ok(true)
}

async fn drop_deleted(
    db: &mut SqliteConnection,
    row: &WaitingRow,
    branch: &str,
    at: Timestamp,
) -> Result<()> {
    let why = format!("branch {branch} was deleted");
    waiting::drop(db, TriggerId(row.id), &why, at).await?;
    Ok(())
}

/// Moves the branch's trigger on to a commit, or makes it.
async fn run_for(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    movement: &Movement,
    waiting: Option<WaitingRow>,
    sha: &Sha,
    cause: &Trigger,
) -> Result<()> {
    let (id, mut taken) = match waiting {
        Some(row) => (row.id, row.into_taken()?),
        None => (insert(&mut *db, pipeline_id, movement, sha, cause).await?, Vec::new()),
    };
    taken.extend(commits::remember(&mut *db, pipeline_id, movement, Some(TriggerId(id))).await?);
    let taken = newest_others(taken, sha);
    move_on(db, id, movement, sha, cause, &taken).await
}

impl WaitingRow {
    /// What it took together before, and what it was for itself.
    fn into_taken(self) -> Result<Vec<Sha>> {
        let mut taken = waiting::shas_of(&self.taken_together)?;
        taken.push(Sha::parse(&self.requested).map_err(corrupt)?);
        Ok(taken)
    }
}

/// Each commit once, in order, without the one that is run for.
fn newest_others(taken: Vec<Sha>, sha: &Sha) -> Vec<Sha> {
    let mut seen = std::collections::HashSet::new();
    let mut others: Vec<Sha> =
        taken.into_iter().filter(|other| other != sha && seen.insert(other.clone())).collect();
    let surplus = others.len().saturating_sub(MAX_TAKEN_TOGETHER);
    others.drain(..surplus);
    others
}

async fn waiting_of(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    branch: &str,
) -> Result<Option<WaitingRow>> {
    let row = sqlx::query_as(
        "SELECT id, requested, taken_together FROM trigger
         WHERE pipeline_id = ? AND branch = ? AND cycle IS NULL AND dropped IS NULL",
    )
    .bind(pipeline_id)
    .bind(branch)
    .fetch_optional(db)
    .await?;
    Ok(row)
}

async fn insert(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    movement: &Movement,
    sha: &Sha,
    cause: &Trigger,
) -> Result<i64> {
    let id = sqlx::query_scalar(
        "INSERT INTO trigger (pipeline_id, environment, kind, detail, requested, branch, deploy,
             created_at_us, not_before_us)
         VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)
         RETURNING id",
    )
    .bind(pipeline_id)
    .bind(movement.environment.as_str())
    .bind(cause.kind.as_str())
    .bind(cause.detail.as_str())
    .bind(sha.as_str())
    .bind(movement.branch.as_str())
    .bind(movement.at.as_microsecond())
    .bind(movement.not_before.as_microsecond())
    .fetch_one(db)
    .await?;
    Ok(id)
}

/// Writes what the trigger is for now. When it was first stored stays.
async fn move_on(
    db: &mut SqliteConnection,
    id: i64,
    movement: &Movement,
    sha: &Sha,
    cause: &Trigger,
    taken: &[Sha],
) -> Result<()> {
    let taken = serde_json::to_string(taken)
        .map_err(|error| StoreError::Unstorable { what: "commits", why: error.to_string() })?;
    sqlx::query(
        "UPDATE trigger SET environment = ?, kind = ?, detail = ?, requested = ?,
             taken_together = ?, not_before_us = ?
         WHERE id = ?",
    )
    .bind(movement.environment.as_str())
    .bind(cause.kind.as_str())
    .bind(cause.detail.as_str())
    .bind(sha.as_str())
    .bind(taken)
    .bind(movement.not_before.as_microsecond())
    .bind(id)
    .execute(db)
    .await?;
    Ok(())
}
