//! Case results and case heads: pages of packed records, a row each.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;

use super::cycles::{self, corrupt};
use crate::domain::history::CaseHead;
use crate::domain::names::{CaseId, EnvironmentName, PipelineName};
use crate::domain::retention::Reference;
use crate::store::packed::page::PageWriter;
use crate::store::packed::{bucket_of, head, page, result};
use crate::store::{CaseHistoryRow, CaseRow, CycleKey, Result, StoreError};

/// Pages to be written, by bucket: packed before a transaction begins, since that takes time.
#[derive(Default)]
pub(super) struct Pages(Vec<(u8, Vec<u8>)>);

impl Pages {
    /// The pages of a cycle's results.
    pub(super) fn of_results(rows: &[CaseRow]) -> Self {
        Self::of(rows, |row| &row.case, result::encode)
    }

    /// Pages of heads, with nothing in them but these.
    pub(super) fn of_heads(heads: &[CaseHead]) -> Self {
        Self::of(heads, |head| &head.case, |out, head, _| head::encode(out, head))
    }

    /// `encode` also gets the place of the record among all. The last record of a case counts.
    fn of<T>(
        records: &[T],
        case_of: impl Fn(&T) -> &CaseId,
        encode: impl Fn(&mut Vec<u8>, &T, usize),
    ) -> Self {
        let mut buckets: BTreeMap<u8, Vec<(&CaseId, usize)>> = BTreeMap::new();
        for (place, record) in records.iter().enumerate() {
            let case = case_of(record);
            buckets.entry(bucket_of(case.as_str())).or_default().push((case, place));
        }
        let pages = buckets.into_iter().map(|(bucket, mut places)| {
            places.sort_unstable();
            let mut page = PageWriter::begin();
            for same_case in places.chunk_by(|(one, _), (other, _)| one == other) {
                let (case, place) = same_case[same_case.len() - 1];
                page.put(case.as_str(), |out| encode(out, &records[place], place));
            }
            (bucket, page.finished())
        });
        Self(pages.collect())
    }
}

/// Writes the results of a cycle in place of those it had.
pub(super) async fn put_results(
    db: &mut SqliteConnection,
    cycle_id: i64,
    Pages(pages): Pages,
) -> Result<()> {
    if pages.is_empty() {
        return Ok(());
    }
    sqlx::query("DELETE FROM case_page WHERE cycle_id = ?")
        .bind(cycle_id)
        .execute(&mut *db)
        .await?;
    let mut insert = QueryBuilder::new("INSERT INTO case_page (cycle_id, bucket, body) ");
    insert.push_values(pages, |mut row, (bucket, page)| {
        row.push_bind(cycle_id).push_bind(bucket).push_bind(page);
    });
    insert.build().persistent(false).execute(db).await?;
    Ok(())
}

/// Writes heads in place of those that their cases had.
pub(super) async fn put_heads(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    environment: &str,
    Pages(pages): Pages,
) -> Result<()> {
    for (bucket, new) in pages {
        let before: Option<Vec<u8>> = sqlx::query_scalar(
            "SELECT body FROM head_page WHERE pipeline_id = ? AND environment = ? AND bucket = ?",
        )
        .bind(pipeline_id)
        .bind(environment)
        .bind(bucket)
        .fetch_optional(&mut *db)
        .await?;
        let body = match before {
            None => new,
            Some(before) => page::merge(&before, new)
                .ok_or_else(|| corrupt(format_args!("page {bucket} of case heads")))?,
        };
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

/// What the heads of a pipeline refer to, page by page: of a hundred thousand cases few cycles remain.
pub(super) async fn references(
    db: &mut SqliteConnection,
    pipeline_id: i64,
) -> Result<BTreeSet<Reference>> {
    let mut stored =
        sqlx::query_scalar::<_, Vec<u8>>("SELECT body FROM head_page WHERE pipeline_id = ?")
            .bind(pipeline_id)
            .fetch(db);
    let mut found = BTreeSet::new();
    while let Some(page) = stored.try_next().await? {
        for head in decode_heads(&[page])? {
            let known = head.known.as_ref().map(|known| known.at.cycle);
            let named = [&head.last_good, &head.first_failing].into_iter().flatten();
            let to = named.map(|at| at.cycle).chain(known);
            found.extend(to.map(|to| Reference { planned_in: head.planned_in, to }));
        }
        tokio::task::yield_now().await;
    }
    Ok(found)
}

/// Reads heads out of their pages. Slow for many, so done away from the async threads.
pub(super) fn decode_heads(pages: &[Vec<u8>]) -> Result<Vec<CaseHead>> {
    let pages = pages.iter().map(|page| records(page)).collect::<Result<Vec<_>>>()?;
    let mut shared = head::Shared::default();
    let mut heads = Vec::with_capacity(pages.iter().map(Vec::len).sum());
    for (case, record) in pages.into_iter().flatten() {
        let case = CaseId::parse(case).map_err(corrupt)?;
        let head =
            head::decode(case.clone(), record, &mut shared).ok_or_else(|| unreadable(&case))?;
        heads.push(head);
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
        asked_by_search_of: cycle.search_of.filter(|_| cycle.is_question()),
        environment: cycle.environment,
        verdict: cycle.summary.verdict,
        revision: cycle.summary.revision,
        started_at: cycle.summary.started_at,
        suite_digest: cycle.summary.suite_digest,
        result,
    })
}

fn records(page: &[u8]) -> Result<page::Records<'_>> {
    page::decode(page).ok_or_else(|| corrupt("a page of cases cannot be read"))
}

fn unreadable(case: &CaseId) -> StoreError {
    corrupt(format_args!("the record of case {case} cannot be read"))
}
