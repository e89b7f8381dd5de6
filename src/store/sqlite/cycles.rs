//! Reading cycles: their events, and the lists.

use futures_util::TryStreamExt;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use super::row::row_struct;
use crate::domain::event::Recorded;
use crate::domain::history::{Counts, CycleSummary};
use crate::domain::names::{EnvironmentName, PipelineName};
use crate::domain::outcome::{Phase, Trigger, TriggerKind, Verdict, VoidReason};
use crate::domain::revision::Revision;
use crate::store::codec;
use crate::store::{
    Baseline, CycleKey, CycleRow, PipelineRow, Result, StoreError, TrendRow, Which,
};

/// An event as it lies in its row, not yet decoded.
pub(super) struct RawEvent {
    seq: i64,
    at_us: i64,
    kind: String,
    version: u16,
    payload: String,
}

impl RawEvent {
    /// How much there is to decode.
    pub(super) fn bytes(&self) -> usize {
        self.payload.len()
    }
}

/// The first `limit` rows of a cycle's events after `after_seq`.
pub(super) async fn raw_events(
    db: &mut SqliteConnection,
    cycle: &CycleKey,
    after_seq: u64,
    limit: u32,
) -> Result<Vec<RawEvent>> {
    let rows = sqlx::query(
        "SELECT e.seq, e.at_us, e.kind, e.version, e.payload
         FROM pipeline p
         JOIN cycle c ON c.pipeline_id = p.id
         JOIN event e ON e.cycle_id = c.id
         WHERE p.name = ? AND c.number = ? AND c.expired_at_us IS NULL AND e.seq > ?
         ORDER BY e.seq LIMIT ?",
    )
    .bind(cycle.pipeline.as_str())
    .bind(cycle.cycle)
    .bind(i64::try_from(after_seq).unwrap_or(i64::MAX))
    .bind(limit)
    .fetch(&mut *db);
    let rows: Vec<RawEvent> =
        rows.map_err(StoreError::from).and_then(async |row| raw(&row)).try_collect().await?;
    if rows.is_empty() {
        refuse_expired(db, cycle).await?;
    }
    Ok(rows)
}

/// The events that say which cases a cycle plans, of all that it has. What the others hold is not read.
pub(super) async fn raw_plans(
    db: &mut SqliteConnection,
    cycle: &CycleKey,
) -> Result<Vec<RawEvent>> {
    let rows = sqlx::query(
        "SELECT e.seq, e.at_us, e.kind, e.version, e.payload
         FROM pipeline p
         JOIN cycle c ON c.pipeline_id = p.id
         JOIN event e ON e.cycle_id = c.id
         WHERE p.name = ? AND c.number = ? AND c.expired_at_us IS NULL
           AND e.kind IN ('suite_planned', 'cases_planned')
         ORDER BY e.seq",
    )
    .bind(cycle.pipeline.as_str())
    .bind(cycle.cycle)
    .fetch_all(db)
    .await?;
    rows.iter().map(raw).collect()
}

fn raw(row: &SqliteRow) -> Result<RawEvent> {
    Ok(RawEvent {
        seq: row.try_get(0)?,
        at_us: row.try_get(1)?,
        kind: row.try_get(2)?,
        version: row.try_get(3)?,
        payload: row.try_get(4)?,
    })
}

/// A cycle whose records are gone is not one that never had any.
async fn refuse_expired(db: &mut SqliteConnection, cycle: &CycleKey) -> Result<()> {
    let expired: Option<(i64, Option<String>)> = sqlx::query_as(
        "SELECT c.expired_at_us, c.report FROM pipeline p JOIN cycle c ON c.pipeline_id = p.id
         WHERE p.name = ? AND c.number = ? AND c.expired_at_us IS NOT NULL",
    )
    .bind(cycle.pipeline.as_str())
    .bind(cycle.cycle)
    .fetch_optional(db)
    .await?;
    match expired {
        Some((at, report)) => {
            Err(StoreError::Expired { cycle: cycle.clone(), at: instant(at)?, report })
        }
        None => Ok(()),
    }
}

/// Decodes events. Slow for big findings, so done away from the async threads.
pub(super) fn decode_events(cycle: &CycleKey, rows: Vec<RawEvent>) -> Result<Vec<Recorded>> {
    rows.into_iter()
        .map(|row| {
            let seq = row.seq.unsigned_abs();
            let event = codec::decode(&row.kind, row.version, &row.payload).map_err(|why| {
                StoreError::UnreadableEvent {
                    cycle: cycle.clone(),
                    seq,
                    kind: row.kind,
                    version: row.version,
                    why,
                }
            })?;
            Ok(Recorded { seq, at: instant(row.at_us)?, event })
        })
        .collect()
}

const CYCLE: &str = "SELECT p.name AS pipeline, c.number, c.environment, c.last_seq,
        c.trigger_kind, c.trigger_detail, c.requested, c.search_of, c.phase, c.held, c.verdict, c.void_reason,
        c.revision_info, c.suite, c.suite_digest, c.planned, c.passed, c.flaky, c.failed,
        c.errored, c.skipped, c.not_run, c.only_cases, c.suite_ms, c.report, c.queued_at_us, c.decided_at_us,
        c.finished_at_us, c.expired_at_us
    FROM pipeline p JOIN cycle c ON c.pipeline_id = p.id ";

row_struct! {
    /// A cycle's row as it lies in the table.
    struct StoredCycle {
        pipeline: String,
        number: u32,
        environment: String,
        last_seq: i64,
        trigger_kind: String,
        trigger_detail: String,
        requested: Option<String>,
        search_of: Option<u32>,
        phase: String,
        held: bool,
        verdict: Option<String>,
        void_reason: Option<String>,
        revision_info: Option<String>,
        suite: Option<String>,
        suite_digest: Option<String>,
        planned: u32,
        passed: u32,
        flaky: u32,
        failed: u32,
        errored: u32,
        skipped: u32,
        not_run: u32,
        only_cases: Option<String>,
        suite_ms: Option<i64>,
        report: Option<String>,
        queued_at_us: i64,
        decided_at_us: Option<i64>,
        finished_at_us: Option<i64>,
        expired_at_us: Option<i64>,
    }
}

impl StoredCycle {
    fn into_row(self) -> Result<CycleRow> {
        let counts = Counts {
            planned: self.planned,
            passed: self.passed,
            flaky: self.flaky,
            failed: self.failed,
            errored: self.errored,
            skipped: self.skipped,
            not_run: self.not_run,
        };
        let kind = word("trigger", &self.trigger_kind, TriggerKind::parse)?;
        let summary = CycleSummary {
            cycle: self.number,
            verdict: optional_word("verdict", self.verdict.as_deref(), Verdict::parse)?,
            trigger: format!("{kind}: {}", self.trigger_detail),
            revision: optional_revision(self.revision_info.as_deref())?,
            started_at: instant(self.queued_at_us)?,
            decided_at: self.decided_at_us.map(instant).transpose()?,
            suite_digest: self.suite_digest,
            counts,
            only: self.only_cases,
            suite_ms: self.suite_ms.map(i64::unsigned_abs),
        };
        Ok(CycleRow {
            pipeline: PipelineName::parse(&self.pipeline).map_err(corrupt)?,
            environment: EnvironmentName::parse(&self.environment).map_err(corrupt)?,
            summary,
            cause: Trigger { kind, detail: self.trigger_detail },
            requested: self.requested,
            search_of: self.search_of,
            phase: word("phase", &self.phase, Phase::parse)?,
            held: self.held,
            void_reason: optional_word("reason", self.void_reason.as_deref(), VoidReason::parse)?,
            suite: self.suite,
            report: self.report,
            finished_at: self.finished_at_us.map(instant).transpose()?,
            expired_at: self.expired_at_us.map(instant).transpose()?,
            last_seq: self.last_seq.unsigned_abs(),
        })
    }
}

/// Whether a list holds the cycles in which a search asked older commits.
#[derive(Clone, Copy)]
pub(super) enum Questions {
    In,
    Out,
}

pub(super) async fn find(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    which: Which,
) -> Result<Option<CycleRow>> {
    let condition = match which {
        Which::Number(_) => "AND c.number = ?",
        Which::Latest => "ORDER BY c.number DESC LIMIT 1",
        Which::LatestFinished => "AND c.finished_at_us IS NOT NULL ORDER BY c.number DESC LIMIT 1",
        Which::LatestAnswer => {
            "AND c.finished_at_us IS NOT NULL AND c.only_cases IS NULL
             ORDER BY c.number DESC LIMIT 1"
        }
    };
    let sql = format!("{CYCLE} WHERE p.name = ? {condition}");
    let mut query = sqlx::query_as(AssertSqlSafe(sql)).bind(pipeline.as_str());
    if let Which::Number(number) = which {
        query = query.bind(number);
    }
    let row: Option<StoredCycle> = query.fetch_optional(db).await?;
    row.map(StoredCycle::into_row).transpose()
}

/// The newest cycles before one. What a search asked older commits is no part of a trend.
pub(super) async fn list(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    before: u32,
    limit: u32,
    questions: Questions,
) -> Result<Vec<CycleRow>> {
    let condition = match questions {
        Questions::In => "",
        Questions::Out => "AND (c.search_of IS NULL OR c.only_cases IS NULL)",
    };
    let sql = format!(
        "{CYCLE} WHERE p.name = ? AND c.number < ? {condition} ORDER BY c.number DESC LIMIT ?"
    );
    let rows: Vec<StoredCycle> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(pipeline.as_str())
        .bind(before)
        .bind(limit)
        .fetch_all(db)
        .await?;
    rows.into_iter().map(StoredCycle::into_row).collect()
}

/// The cycles of a search, in order.
pub(super) async fn of_search(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    cycle: u32,
) -> Result<Vec<CycleRow>> {
    let sql = format!("{CYCLE} WHERE p.name = ? AND c.search_of = ? ORDER BY c.number");
    let query = sqlx::query_as(AssertSqlSafe(sql)).bind(pipeline.as_str()).bind(cycle);
    let rows: Vec<StoredCycle> = query.fetch_all(db).await?;
    rows.into_iter().map(StoredCycle::into_row).collect()
}

pub(super) async fn open(
    db: &mut SqliteConnection,
    environment: Option<&EnvironmentName>,
) -> Result<Vec<CycleRow>> {
    let mut query = sqlx::query_as(AssertSqlSafe(open_sql(environment)));
    if let Some(environment) = environment {
        query = query.bind(environment.as_str());
    }
    let rows: Vec<StoredCycle> = query.fetch_all(db).await?;
    rows.into_iter().map(StoredCycle::into_row).collect()
}

/// With the plus the order is no reason to walk over all cycles there ever were, by their ids: the few
/// open ones have an index, and are put in order once they are found.
fn open_sql(environment: Option<&EnvironmentName>) -> String {
    let condition = if environment.is_some() { "AND c.environment = ?" } else { "" };
    format!("{CYCLE} WHERE c.finished_at_us IS NULL {condition} ORDER BY +c.id")
}

pub(super) async fn find_baseline(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    environment: &EnvironmentName,
    before: u32,
    baseline: Baseline,
) -> Result<Option<CycleRow>> {
    // The words stand here, not in parameters, so that the partial index applies. A cycle that is
    // not over yet may have its verdict already; it counts when it is over.
    let verdicts = match baseline {
        Baseline::Valid => {
            "c.verdict IN ('green', 'red', 'incomplete')
             AND (c.search_of IS NULL OR c.only_cases IS NULL)"
        }
        Baseline::Whole => "c.verdict IN ('green', 'red', 'incomplete') AND c.only_cases IS NULL",
        Baseline::Green => {
            "c.verdict IN ('green', 'red', 'incomplete') AND c.verdict = 'green' AND c.only_cases IS NULL"
        }
    };
    let sql = format!(
        "{CYCLE} WHERE p.name = ? AND c.environment = ? AND c.number < ? AND {verdicts}
         AND c.finished_at_us IS NOT NULL AND c.expired_at_us IS NULL
         ORDER BY c.number DESC LIMIT 1"
    );
    let row: Option<StoredCycle> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(pipeline.as_str())
        .bind(environment.as_str())
        .bind(before)
        .fetch_optional(db)
        .await?;
    row.map(StoredCycle::into_row).transpose()
}

/// The newest cycles of an environment whose suite is valid and whose results are still there, oldest
/// first. What a search asked older commits is none of them.
pub(super) async fn newest_valid(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    environment: &EnvironmentName,
    limit: u32,
) -> Result<Vec<CycleRow>> {
    // The words stand here for the sake of the partial index.
    let sql = format!(
        "{CYCLE} WHERE p.name = ? AND c.environment = ? AND c.verdict IN ('green', 'red', 'incomplete')
         AND (c.search_of IS NULL OR c.only_cases IS NULL) AND c.expired_at_us IS NULL
         ORDER BY c.number DESC LIMIT ?"
    );
    let rows: Vec<StoredCycle> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(pipeline.as_str())
        .bind(environment.as_str())
        .bind(limit)
        .fetch_all(db)
        .await?;
    rows.into_iter().rev().map(StoredCycle::into_row).collect()
}

/// Pipelines that ever had a cycle, by name, each with its newest unless that has expired. One that
/// is only watched so far is not among them.
pub(super) async fn list_pipelines(db: &mut SqliteConnection) -> Result<Vec<PipelineRow>> {
    let mut latest = newest_cycles(db).await?.into_iter().peekable();
    let names: Vec<(String, u32)> =
        sqlx::query_as("SELECT name, last_cycle FROM pipeline WHERE last_cycle > 0 ORDER BY name")
            .fetch_all(db)
            .await?;
    names
        .into_iter()
        .map(|(name, cycles)| {
            let pipeline = PipelineName::parse(&name).map_err(corrupt)?;
            let latest = latest.next_if(|row| row.pipeline == pipeline);
            Ok(PipelineRow { pipeline, cycles, latest })
        })
        .collect()
}

/// Of each pipeline the newest cycle, and the last green one of the whole suite among the newest
/// `among`; by pipeline, newest first.
pub(super) async fn newest_and_green(
    db: &mut SqliteConnection,
    among: u32,
) -> Result<Vec<CycleRow>> {
    let sql = format!(
        "{CYCLE} WHERE c.number IN (
             SELECT MAX(n.number) FROM cycle n WHERE n.pipeline_id = p.id
                 AND (n.search_of IS NULL OR n.only_cases IS NULL)
             UNION
             SELECT MAX(l.number) FROM (
                 SELECT n.number, n.verdict, n.only_cases FROM cycle n
                 WHERE n.pipeline_id = p.id ORDER BY n.number DESC LIMIT ?) l
             WHERE l.verdict = 'green' AND l.only_cases IS NULL)
         ORDER BY p.name, c.number DESC"
    );
    let rows: Vec<StoredCycle> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(among).fetch_all(db).await?;
    rows.into_iter().map(StoredCycle::into_row).collect()
}

/// The cycles of a JSON list of keys; by pipeline and number.
pub(super) async fn find_all(db: &mut SqliteConnection, keys: String) -> Result<Vec<CycleRow>> {
    let sql = AssertSqlSafe(find_all_sql());
    let rows: Vec<StoredCycle> = sqlx::query_as(sql).bind(keys).fetch_all(db).await?;
    rows.into_iter().map(StoredCycle::into_row).collect()
}

fn find_all_sql() -> String {
    format!(
        "{CYCLE} WHERE c.id IN (
             SELECT w.id FROM json_each(?) k
             CROSS JOIN pipeline q ON q.name = k.value ->> 'pipeline'
             CROSS JOIN cycle w ON w.pipeline_id = q.id AND w.number = k.value ->> 'cycle')
         ORDER BY p.name, c.number"
    )
}

row_struct! {
    /// A cycle in short. Each column costs as much as the next, times a hundred pipelines.
    struct StoredTrend {
        pipeline: String,
        number: u32,
        verdict: Option<String>,
        planned: u32,
        good: u32,
        is_part: bool,
        is_question: bool,
    }
}

impl StoredTrend {
    fn into_row(self) -> Result<TrendRow> {
        Ok(TrendRow {
            pipeline: PipelineName::parse(&self.pipeline).map_err(corrupt)?,
            cycle: self.number,
            verdict: optional_word("verdict", self.verdict.as_deref(), Verdict::parse)?,
            planned: self.planned,
            good: self.good,
            is_part: self.is_part,
            is_question: self.is_question,
        })
    }
}

const RECENT: &str =
    "SELECT p.name AS pipeline, c.number, c.verdict, c.planned, c.passed + c.flaky AS good,
        c.only_cases IS NOT NULL AS is_part,
        c.search_of IS NOT NULL AND c.only_cases IS NOT NULL AS is_question
    FROM pipeline p JOIN cycle c ON c.pipeline_id = p.id
    WHERE c.number IN (
        SELECT n.number FROM cycle n WHERE n.pipeline_id = p.id ORDER BY n.number DESC LIMIT ?)
    ORDER BY p.name, c.number DESC";

/// The newest cycles of each pipeline, in short; by pipeline, newest first.
pub(super) async fn recent_cycles(db: &mut SqliteConnection, limit: u32) -> Result<Vec<TrendRow>> {
    let rows: Vec<StoredTrend> = sqlx::query_as(RECENT).bind(limit).fetch_all(db).await?;
    rows.into_iter().map(StoredTrend::into_row).collect()
}

async fn newest_cycles(db: &mut SqliteConnection) -> Result<Vec<CycleRow>> {
    let sql = format!(
        "{CYCLE} WHERE c.number = (SELECT MAX(n.number) FROM cycle n WHERE n.pipeline_id = p.id
             AND (n.search_of IS NULL OR n.only_cases IS NULL))
         ORDER BY p.name"
    );
    let rows: Vec<StoredCycle> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(db).await?;
    rows.into_iter().map(StoredCycle::into_row).collect()
}

pub(super) fn optional_revision(json: Option<&str>) -> Result<Option<Revision>> {
    json.map(|json| serde_json::from_str(json).map_err(corrupt)).transpose()
}

pub(super) fn instant(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(corrupt)
}

pub(super) fn word<T>(what: &str, text: &str, parse: fn(&str) -> Option<T>) -> Result<T> {
    parse(text).ok_or_else(|| StoreError::Damaged { detail: format!("{what} {text:?} is unknown") })
}

pub(super) fn optional_word<T>(
    what: &str,
    text: Option<&str>,
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>> {
    text.map(|text| word(what, text, parse)).transpose()
}

/// A value in a row that no version of ours writes.
pub(super) fn corrupt(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged { detail: error.to_string() }
}

#[cfg(test)]
mod tests;
