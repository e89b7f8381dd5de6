//! Claimed fixes as rows, and the cases that show whether they hold.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::cycles::{corrupt, word};
use super::investigations;
use crate::domain::claim::{ClaimResult, ClaimSource, FixClaim};
use crate::domain::names::{CaseId, InvestigationId, PipelineName};
use crate::domain::revision::Sha;
use crate::store::{InvestigationClaims, InvestigationSeen, NewFixClaim, Result};

/// At most so many cases of a failure are remembered.
const MAX_CASES: usize = 1_000;

type ClaimRow = (u32, String, String, String, String, i64, String);

/// Every claim of a pipeline, by investigation, oldest first.
pub(super) async fn list(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
) -> Result<Vec<InvestigationClaims>> {
    let rows: Vec<ClaimRow> = sqlx::query_as(
        "SELECT c.number, c.revision, c.subject, c.claimed_by, c.source, c.claimed_at_us, c.result
         FROM pipeline p JOIN fix_claim c ON c.pipeline_id = p.id
         WHERE p.name = ? ORDER BY c.number, c.claimed_at_us, c.revision",
    )
    .bind(pipeline.as_str())
    .fetch_all(&mut *db)
    .await?;
    let mut found: BTreeMap<u32, Vec<FixClaim>> = BTreeMap::new();
    for row in rows {
        found.entry(row.0).or_default().push(claim(row)?);
    }
    let of =
        |(number, claims)| InvestigationClaims { id: InvestigationId::from_number(number), claims };
    Ok(found.into_iter().map(of).collect())
}

fn claim((_, commit, subject, by, source, at_us, result): ClaimRow) -> Result<FixClaim> {
    Ok(FixClaim {
        commit: Sha::parse(&commit).map_err(corrupt)?,
        subject,
        by,
        at: Timestamp::from_microsecond(at_us).map_err(corrupt)?,
        source: word("source", &source, ClaimSource::parse)?,
        result: word("result", &result, ClaimResult::parse)?,
    })
}

/// The cases in which a failure was seen since it was opened or came back.
pub(super) async fn cases(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    id: &InvestigationId,
) -> Result<Vec<CaseId>> {
    let text: Option<String> = sqlx::query_scalar(
        "SELECT i.cases FROM pipeline p JOIN investigation i ON i.pipeline_id = p.id
         WHERE p.name = ? AND i.number = ?",
    )
    .bind(pipeline.as_str())
    .bind(id.number())
    .fetch_optional(db)
    .await?;
    text.map_or_else(|| Ok(Vec::new()), |text| serde_json::from_str(&text).map_err(corrupt))
}

/// Adds a claim that a person makes, with the state that follows. One about the same commit stays as it
/// is. Answers whether there is such an investigation.
pub(super) async fn add(db: &mut SqliteConnection, wanted: &NewFixClaim) -> Result<bool> {
    let NewFixClaim { pipeline, id, claim, state } = wanted;
    let Some(pipeline_id) = investigations::pipeline_id(&mut *db, pipeline).await? else {
        return Ok(false);
    };
    if !investigations::set_state(&mut *db, pipeline_id, id, *state, 0).await? {
        return Ok(false);
    }
    put(db, pipeline_id, id, std::slice::from_ref(claim)).await?;
    Ok(true)
}

/// What a cycle leaves behind for an investigation besides its state.
pub(super) async fn put_seen(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    seen: &InvestigationSeen,
) -> Result<()> {
    put(&mut *db, pipeline_id, &seen.id, &seen.claims).await?;
    if seen.cases.is_empty() {
        return Ok(());
    }
    let known: Option<String> =
        sqlx::query_scalar("SELECT cases FROM investigation WHERE pipeline_id = ? AND number = ?")
            .bind(pipeline_id)
            .bind(seen.id.number())
            .fetch_optional(&mut *db)
            .await?;
    let Some(known) = known else { return Ok(()) };
    let mut cases: Vec<CaseId> = serde_json::from_str(&known).map_err(corrupt)?;
    let fresh: Vec<&CaseId> = seen.cases.iter().filter(|case| !cases.contains(case)).collect();
    let room = MAX_CASES.saturating_sub(cases.len());
    let added: Vec<CaseId> = fresh.into_iter().take(room).cloned().collect();
    if added.is_empty() {
        return Ok(());
    }
    cases.extend(added);
    let text = serde_json::to_string(&cases).map_err(corrupt)?;
    sqlx::query("UPDATE investigation SET cases = ? WHERE pipeline_id = ? AND number = ?")
        .bind(text)
        .bind(pipeline_id)
        .bind(seen.id.number())
        .execute(db)
        .await?;
    Ok(())
}

/// What was decided about a claim stays; a new word about it takes the place of an earlier one only
/// when it decides more.
async fn put(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    id: &InvestigationId,
    claims: &[FixClaim],
) -> Result<()> {
    for claim in claims {
        sqlx::query(
            "INSERT INTO fix_claim (pipeline_id, number, revision, subject, claimed_by, source,
                 claimed_at_us, result)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (pipeline_id, number, revision) DO UPDATE SET
                 subject = CASE WHEN subject = '' THEN excluded.subject ELSE subject END,
                 result = CASE WHEN excluded.result = 'open' THEN result ELSE excluded.result END",
        )
        .bind(pipeline_id)
        .bind(id.number())
        .bind(claim.commit.as_str())
        .bind(claim.subject.as_str())
        .bind(claim.by.as_str())
        .bind(claim.source.as_str())
        .bind(claim.at.as_microsecond())
        .bind(claim.result.to_string())
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}
