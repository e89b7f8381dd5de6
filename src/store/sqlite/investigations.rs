//! Five-whys documents as rows: their number, their failure, their state.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::cycles::{corrupt, word};
use super::fingerprints;
use super::row::row_struct;
use crate::domain::findings::InvestigationState;
use crate::domain::names::{Fingerprint, InvestigationId, PipelineName};
use crate::store::{InvestigationRow, NewInvestigation, Result};

const INVESTIGATION: &str = "SELECT p.name AS pipeline, i.number, i.fingerprint, i.slug, i.state,
        i.opened_in, i.reopened_in, i.last_seen
    FROM pipeline p JOIN investigation i ON i.pipeline_id = p.id ";

row_struct! {
    struct StoredInvestigation {
        pipeline: String,
        number: u32,
        fingerprint: String,
        slug: String,
        state: String,
        opened_in: u32,
        reopened_in: Option<u32>,
        last_seen: u32,
    }
}

impl StoredInvestigation {
    fn into_row(self) -> Result<InvestigationRow> {
        Ok(InvestigationRow {
            pipeline: PipelineName::parse(&self.pipeline).map_err(corrupt)?,
            id: InvestigationId::from_number(self.number),
            fingerprint: fingerprints::parse(&self.fingerprint)?,
            slug: self.slug,
            state: word("state", &self.state, InvestigationState::parse)?,
            opened_in: self.opened_in,
            reopened_in: self.reopened_in,
            last_seen: self.last_seen,
        })
    }
}

pub(super) async fn find(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    fingerprint: &Fingerprint,
) -> Result<Option<InvestigationRow>> {
    let sql = format!("{INVESTIGATION} WHERE p.name = ? AND i.fingerprint = ?");
    let row: Option<StoredInvestigation> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(pipeline.as_str())
        .bind(fingerprint.as_str())
        .fetch_optional(db)
        .await?;
    row.map(StoredInvestigation::into_row).transpose()
}

pub(super) async fn list(
    db: &mut SqliteConnection,
    pipeline: Option<&PipelineName>,
) -> Result<Vec<InvestigationRow>> {
    let condition = if pipeline.is_some() { "WHERE p.name = ?" } else { "" };
    let sql = format!("{INVESTIGATION} {condition} ORDER BY p.name, i.number");
    let mut query = sqlx::query_as(AssertSqlSafe(sql));
    if let Some(pipeline) = pipeline {
        query = query.bind(pipeline.as_str());
    }
    let rows: Vec<StoredInvestigation> = query.fetch_all(db).await?;
    rows.into_iter().map(StoredInvestigation::into_row).collect()
}

/// The investigation of a failure, opened if there is none.
pub(super) async fn allocate(
    db: &mut SqliteConnection,
    wanted: &NewInvestigation,
) -> Result<InvestigationRow> {
    let NewInvestigation { pipeline, fingerprint, slug, cycle, least, adopts } = wanted;
    if let Some(row) = find(&mut *db, pipeline, fingerprint).await? {
        return Ok(row);
    }
    let adopted = match adopts {
        Some(there) if is_free(&mut *db, pipeline, there.number).await? => Some(there),
        Some(_) | None => None,
    };
    // An older document keeps its number, and the next new one comes after it, too.
    let (pipeline_id, last): (i64, u32) = sqlx::query_as(
        "INSERT INTO pipeline (name, last_investigation) VALUES (?1, MAX(?2, 1))
         ON CONFLICT (name) DO UPDATE SET
             last_investigation = MAX(last_investigation + ?3, excluded.last_investigation)
         RETURNING id, last_investigation",
    )
    .bind(pipeline.as_str())
    .bind(adopted.map_or(*least, |there| there.number))
    .bind(u32::from(adopted.is_none()))
    .fetch_one(&mut *db)
    .await?;
    let number = adopted.map_or(last, |there| there.number);
    let slug = adopted.map_or(slug, |there| &there.slug);
    let opened_in = adopted.map_or(*cycle, |there| there.opened_in.min(*cycle));
    let state = InvestigationState::New;
    sqlx::query(
        "INSERT INTO investigation
             (pipeline_id, number, fingerprint, slug, state, opened_in, last_seen)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(pipeline_id)
    .bind(number)
    .bind(fingerprint.as_str())
    .bind(slug.as_str())
    .bind(state.as_str())
    .bind(opened_in)
    .bind(cycle)
    .execute(db)
    .await?;
    Ok(InvestigationRow {
        pipeline: pipeline.clone(),
        id: InvestigationId::from_number(number),
        fingerprint: fingerprint.clone(),
        slug: slug.clone(),
        state,
        opened_in,
        reopened_in: None,
        last_seen: *cycle,
    })
}

/// Whether no investigation of the pipeline has that number.
async fn is_free(db: &mut SqliteConnection, pipeline: &PipelineName, number: u32) -> Result<bool> {
    let taken: Option<u32> = sqlx::query_scalar(
        "SELECT i.number FROM pipeline p JOIN investigation i ON i.pipeline_id = p.id
         WHERE p.name = ? AND i.number = ?",
    )
    .bind(pipeline.as_str())
    .bind(number)
    .fetch_optional(db)
    .await?;
    Ok(taken.is_none())
}

/// Sets the state; whether there is such an investigation. The cycle in which it came back is that
/// of the change to `reopened`, not of the cycles in which it stays so.
pub(super) async fn set_state(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    id: &InvestigationId,
    state: InvestigationState,
    cycle: u32,
) -> Result<bool> {
    let updated = sqlx::query(
        "UPDATE investigation SET
             reopened_in = CASE WHEN ?1 = 'reopened' AND state <> 'reopened' THEN ?2
                                ELSE reopened_in END,
             state = ?1, last_seen = MAX(last_seen, ?2)
         WHERE pipeline_id = ?3 AND number = ?4",
    )
    .bind(state.as_str())
    .bind(cycle)
    .bind(pipeline_id)
    .bind(id.number())
    .execute(db)
    .await?;
    Ok(updated.rows_affected() > 0)
}

pub(super) async fn pipeline_id(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
) -> Result<Option<i64>> {
    let id = sqlx::query_scalar("SELECT id FROM pipeline WHERE name = ?")
        .bind(pipeline.as_str())
        .fetch_optional(db)
        .await?;
    Ok(id)
}
