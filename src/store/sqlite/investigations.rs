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
    let NewInvestigation { pipeline, fingerprint, slug, cycle, least } = wanted;
    if let Some(row) = find(&mut *db, pipeline, fingerprint).await? {
        return Ok(row);
    }
    let (pipeline_id, number): (i64, u32) = sqlx::query_as(
        "INSERT INTO pipeline (name, last_investigation) VALUES (?, MAX(?, 1))
         ON CONFLICT (name) DO UPDATE SET
             last_investigation = MAX(last_investigation + 1, excluded.last_investigation)
         RETURNING id, last_investigation",
    )
    .bind(pipeline.as_str())
    .bind(least)
    .fetch_one(&mut *db)
    .await?;
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
    .bind(cycle)
    .bind(cycle)
    .execute(db)
    .await?;
    Ok(InvestigationRow {
        pipeline: pipeline.clone(),
        id: InvestigationId::from_number(number),
        fingerprint: fingerprint.clone(),
        slug: slug.clone(),
        state,
        opened_in: *cycle,
        reopened_in: None,
        last_seen: *cycle,
    })
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
