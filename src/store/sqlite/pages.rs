//! Case results and case heads: pages of packed records, a row each.

use std::collections::{BTreeMap, HashMap};

use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;

use super::cycles::{self, corrupt};
use crate::domain::history::CaseHead;
use crate::domain::names::{CaseId, EnvironmentName, PipelineName};
use crate::store::packed::{bucket_of, head, page, result};
use crate::store::{CaseHistoryRow, CaseRow, CycleKey, Result, StoreError};

/// Encoded records by case, by bucket.
type Buckets<'a> = BTreeMap<u8, BTreeMap<&'a str, Vec<u8>>>;

/// Writes the results of a cycle in place of those it had.
pub(super) async fn put_results(
    db: &mut SqliteConnection,
    cycle_id: i64,
    cases: &[CaseRow],
) -> Result<()> {
    if cases.is_empty() {
        return Ok(());
    }
    sqlx::query("DELETE FROM case_page WHERE cycle_id = ?")
        .bind(cycle_id)
        .execute(&mut *db)
        .await?;
    let mut buckets = Buckets::new();
    for (position, row) in cases.iter().enumerate() {
        let bucket = buckets.entry(bucket_of(row.case.as_str())).or_default();
        bucket.insert(row.case.as_str(), result::encode(row, position));
    }
    let mut insert = QueryBuilder::new("INSERT INTO case_page (cycle_id, bucket, body) ");
    insert.push_values(&buckets, |mut row, (bucket, records)| {
        let records = records.iter().map(|(case, record)| (*case, record.as_slice()));
        row.push_bind(cycle_id).push_bind(*bucket).push_bind(page::encode(records));
    });
    insert.build().persistent(false).execute(db).await?;
    Ok(())
}

/// Writes heads in place of those that their cases had.
pub(super) async fn put_heads(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    environment: &str,
    heads: &[CaseHead],
) -> Result<()> {
    let mut buckets: BTreeMap<u8, Vec<&CaseHead>> = BTreeMap::new();
    for head in heads {
        buckets.entry(bucket_of(head.case.as_str())).or_default().push(head);
    }
    // Page by page, so that never more than one is in memory twice.
    for (bucket, heads) in buckets {
        let before: Option<Vec<u8>> = sqlx::query_scalar(
            "SELECT body FROM head_page WHERE pipeline_id = ? AND environment = ? AND bucket = ?",
        )
        .bind(pipeline_id)
        .bind(environment)
        .bind(bucket)
        .fetch_optional(&mut *db)
        .await?;
        let body = merge(before.as_deref(), &heads)
            .ok_or_else(|| corrupt(format_args!("page {bucket} of case heads")))?;
        sqlx::query(
            "INSERT INTO head_page (pipeline_id, environment, bucket, body) VALUES (?, ?, ?, ?)
             ON CONFLICT (pipeline_id, environment, bucket) DO UPDATE SET body = excluded.body",
        )
        .bind(pipeline_id)
        .bind(environment)
        .bind(bucket)
        .bind(body)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// A page with new heads in it; `None` when the old one cannot be read.
fn merge(before: Option<&[u8]>, heads: &[&CaseHead]) -> Option<Vec<u8>> {
    let new: Vec<(&str, Vec<u8>)> =
        heads.iter().map(|head| (head.case.as_str(), head::encode(head))).collect();
    let before = before.map_or(Some(page::Records::new()), page::decode)?;
    let mut records: BTreeMap<&str, &[u8]> = before.into_iter().collect();
    records.extend(new.iter().map(|(case, record)| (*case, record.as_slice())));
    Some(page::encode(records))
}

/// The pages of heads of a pipeline in an environment.
pub(super) async fn head_pages(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    environment: &EnvironmentName,
) -> Result<Vec<Vec<u8>>> {
    let pages = sqlx::query_scalar(
        "SELECT h.body FROM pipeline p JOIN head_page h ON h.pipeline_id = p.id
         WHERE p.name = ? AND h.environment = ?",
    )
    .bind(pipeline.as_str())
    .bind(environment.as_str())
    .fetch_all(db)
    .await?;
    Ok(pages)
}

/// Reads heads out of their pages. Slow for many, so done away from the async threads.
pub(super) fn decode_heads(pages: &[Vec<u8>]) -> Result<HashMap<CaseId, CaseHead>> {
    let pages = pages.iter().map(|page| records(page)).collect::<Result<Vec<_>>>()?;
    let mut shared = head::Shared::default();
    let mut heads = HashMap::with_capacity(pages.iter().map(Vec::len).sum());
    for (case, record) in pages.into_iter().flatten() {
        let case = CaseId::parse(case).map_err(corrupt)?;
        let head =
            head::decode(case.clone(), record, &mut shared).ok_or_else(|| unreadable(&case))?;
        heads.insert(case, head);
    }
    Ok(heads)
}

/// The pages of results of a cycle.
pub(super) async fn result_pages(
    db: &mut SqliteConnection,
    cycle: &CycleKey,
) -> Result<Vec<Vec<u8>>> {
    let pages = sqlx::query_scalar(
        "SELECT r.body FROM pipeline p
         JOIN cycle c ON c.pipeline_id = p.id
         JOIN case_page r ON r.cycle_id = c.id
         WHERE p.name = ? AND c.number = ?",
    )
    .bind(cycle.pipeline.as_str())
    .bind(cycle.cycle)
    .fetch_all(db)
    .await?;
    Ok(pages)
}

/// Reads results out of their pages, in the order in which they were appended.
pub(super) fn decode_results(pages: &[Vec<u8>]) -> Result<Vec<CaseRow>> {
    let mut rows = Vec::new();
    for page in pages {
        for (case, record) in records(page)? {
            let case = CaseId::parse(case).map_err(corrupt)?;
            rows.push(result::decode(case.clone(), record).ok_or_else(|| unreadable(&case))?);
        }
    }
    rows.sort_unstable_by_key(|(position, _)| *position);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// Cycles looked at in one go for the history of a case: bounds what is in memory.
const CYCLES_AT_ONCE: u32 = 64;

/// The latest results of a case: of each cycle, the one page is read that would have it.
pub(super) async fn history(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    case: &CaseId,
    limit: u32,
) -> Result<Vec<CaseHistoryRow>> {
    let bucket = bucket_of(case.as_str());
    let wanted = limit as usize;
    let mut found: Vec<CaseHistoryRow> = Vec::new();
    let mut before = u32::MAX;
    while found.len() < wanted {
        let pages = pages_before(&mut *db, pipeline, bucket, before).await?;
        let Some((oldest, _)) = pages.last() else { break };
        before = *oldest;
        for (number, page) in &pages {
            let records = records(page)?;
            let Ok(place) = records.binary_search_by_key(&case.as_str(), |(case, _)| *case) else {
                continue;
            };
            let record = records[place].1;
            let (_, result) =
                result::decode(case.clone(), record).ok_or_else(|| unreadable(case))?;
            found.push(history_row(&mut *db, pipeline, *number, result).await?);
            if found.len() == wanted {
                break;
            }
        }
    }
    Ok(found)
}

async fn pages_before(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    bucket: u8,
    before: u32,
) -> Result<Vec<(u32, Vec<u8>)>> {
    let pages = sqlx::query_as(
        "SELECT c.number, r.body FROM pipeline p
         JOIN cycle c ON c.pipeline_id = p.id
         JOIN case_page r ON r.cycle_id = c.id AND r.bucket = ?
         WHERE p.name = ? AND c.number < ?
         ORDER BY c.number DESC LIMIT ?",
    )
    .bind(bucket)
    .bind(pipeline.as_str())
    .bind(before)
    .bind(CYCLES_AT_ONCE)
    .fetch_all(db)
    .await?;
    Ok(pages)
}

async fn history_row(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    number: u32,
    result: CaseRow,
) -> Result<CaseHistoryRow> {
    let which = crate::store::Which::Number(number);
    let cycle = cycles::find(db, pipeline, which)
        .await?
        .ok_or_else(|| corrupt(format_args!("cycle {number} of {pipeline} has no row")))?;
    Ok(CaseHistoryRow {
        cycle: number,
        environment: cycle.environment,
        verdict: cycle.summary.verdict,
        revision: cycle.summary.revision,
        started_at: cycle.summary.started_at,
        result,
    })
}

fn records(page: &[u8]) -> Result<page::Records<'_>> {
    page::decode(page).ok_or_else(|| corrupt("a page of cases cannot be read"))
}

fn unreadable(case: &CaseId) -> StoreError {
    corrupt(format_args!("the record of case {case} cannot be read"))
}
