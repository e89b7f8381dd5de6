//! Writing to a cycle: events, its list row, and everything that must become true with them.
//! Every function here runs within a transaction that its caller commits.

use jiff::Timestamp;
use sqlx::QueryBuilder;
use sqlx::Sqlite;
use sqlx::sqlite::SqliteConnection;

use super::chain::{self, Linked};
use super::pages::{self, Pages};
use super::row::row_struct;
use crate::domain::event::{Event, Queued, Recorded};
use crate::domain::findings::InvestigationState;
use crate::domain::history::CaseHead;
use crate::domain::names::{EnvironmentName, Fingerprint};
use crate::domain::revision::Sha;
use crate::store::chain::{Row, is_deploy_record};
use crate::store::codec::{self, StoredEvent};
use crate::store::projection::{RowPatch, patch_of};
use crate::store::{
    Append, CaseRow, CycleKey, InvestigationSeen, Lease, Projection, Result, StoreError,
};

/// Rows of one INSERT. More gain nothing and cost SQLite time to parse.
const CHUNK: usize = 200;

/// Events, numbered and encoded: ready to be written without further work.
pub(super) struct Prepared {
    pub recorded: Vec<Recorded>,
    /// One for each.
    pub stored: Vec<StoredEvent>,
    /// Those that get a link.
    pub deploy_records: Vec<Linked>,
}

impl Prepared {
    /// How much is to be written.
    pub(super) fn bytes(&self) -> usize {
        self.stored.iter().map(|event| event.payload.len()).sum()
    }
}

/// Numbers and encodes events. Slow for big findings, so done before the transaction begins.
pub(super) fn prepare(events: Vec<Event>, after: u64, at: Timestamp) -> Result<Prepared> {
    let at = to_microsecond(at)?;
    let stored: Vec<StoredEvent> = events.iter().map(encode).collect::<Result<_>>()?;
    let recorded = events.into_iter().zip(1..).map(|(event, place)| {
        let seq = after.saturating_add(place);
        Recorded { seq, at, event }
    });
    let recorded: Vec<Recorded> = recorded.collect();
    let deploy_records = recorded.iter().zip(&stored).filter(|(r, _)| is_deploy_record(&r.event));
    let linked = |(recorded, stored): (&Recorded, &StoredEvent)| Linked {
        seq: recorded.seq,
        content: Row::of(recorded, stored).digest(),
    };
    let deploy_records = deploy_records.map(linked).collect();
    Ok(Prepared { recorded, stored, deploy_records })
}

/// What became of the cases, packed. It takes about as long as encoding the findings, so both are
/// done at the same time.
pub(super) struct Packed {
    results: Pages,
    heads: Pages,
}

impl Packed {
    /// Packs results and heads, and lets go of them: those of a large suite are not held twice.
    pub(super) fn of(cases: Vec<CaseRow>, heads: Vec<CaseHead>) -> Self {
        Self { results: Pages::of_results(&cases), heads: Pages::of_heads(&heads) }
    }
}

fn encode(event: &Event) -> Result<StoredEvent> {
    codec::encode(event)
        .map_err(|error| StoreError::Unstorable { what: event.kind(), why: error.to_string() })
}

/// What is stored is what is returned: an instant with the precision of the column.
fn to_microsecond(at: Timestamp) -> Result<Timestamp> {
    Timestamp::from_microsecond(at.as_microsecond())
        .map_err(|error| StoreError::Unstorable { what: "instant", why: error.to_string() })
}

/// Creates the next cycle of a pipeline.
pub(super) async fn create_cycle(
    db: &mut SqliteConnection,
    mut queued: Queued,
    at: Timestamp,
) -> Result<(CycleKey, Recorded)> {
    let (pipeline_id, number): (i64, u32) = sqlx::query_as(
        "INSERT INTO pipeline (name, last_cycle) VALUES (?, MAX(?, 1))
         ON CONFLICT (name) DO UPDATE SET last_cycle = MAX(last_cycle + 1, excluded.last_cycle)
         RETURNING id, last_cycle",
    )
    .bind(queued.pipeline.as_str())
    .bind(queued.cycle)
    .fetch_one(&mut *db)
    .await?;
    queued.cycle = number;
    let key = CycleKey::new(queued.pipeline.clone(), number);
    let cycle_id: i64 = sqlx::query_scalar(
        "INSERT INTO cycle (pipeline_id, number, environment, last_seq, trigger_kind,
             trigger_detail, requested, only_cases, search_of, phase, queued_at_us)
         VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, 'queued', ?)
         RETURNING id",
    )
    .bind(pipeline_id)
    .bind(number)
    .bind(queued.environment.as_str())
    .bind(queued.trigger.kind.as_str())
    .bind(queued.trigger.detail.as_str())
    .bind(queued.requested.as_deref())
    .bind(queued.options.only.as_deref())
    .bind(queued.options.search_of)
    .bind(at.as_microsecond())
    .fetch_one(&mut *db)
    .await?;
    let prepared = prepare(vec![Event::Queued(Box::new(queued))], 0, at)?;
    let mut recorded = insert_events(db, cycle_id, prepared).await?;
    update_row(db, cycle_id, 1, &patch_of(&recorded)).await?;
    let first = recorded.pop().expect("one event was prepared");
    Ok((key, first))
}

row_struct! {
    /// What an append needs to know of its cycle.
    struct Target {
        id: i64,
        pipeline_id: i64,
        environment: String,
        last_seq: i64,
        fence: Option<i64>,
        held_by_cycle: Option<i64>,
        is_held: bool,
    }
}

/// Appends events and their projection.
pub(super) async fn append(
    db: &mut SqliteConnection,
    request: &Append,
    mut prepared: Prepared,
    packed: Packed,
) -> Result<Vec<Recorded>> {
    let target = find_target(db, &request.cycle).await?;
    admit(&target, request)?;
    let records = std::mem::take(&mut prepared.deploy_records);
    let (pipeline_id, cycle) = (target.pipeline_id, &request.cycle);
    chain::put(db, &target.environment, pipeline_id, cycle, &records).await?;
    let recorded = insert_events(db, target.id, prepared).await?;
    let last_seq = request.expected_seq + recorded.len() as u64;
    update_row(db, target.id, last_seq, &patch_of(&recorded)).await?;
    pages::put_results(db, target.id, packed.results).await?;
    pages::put_heads(db, target.pipeline_id, &target.environment, packed.heads).await?;
    project(db, &target, request.cycle.cycle, &request.projection, request.at).await?;
    Ok(recorded)
}

async fn find_target(db: &mut SqliteConnection, cycle: &CycleKey) -> Result<Target> {
    sqlx::query_as(
        "SELECT c.id, c.pipeline_id, c.environment, c.last_seq,
                l.fence, l.cycle_id AS held_by_cycle, l.pid IS NOT NULL AS is_held
         FROM pipeline p
         JOIN cycle c ON c.pipeline_id = p.id
         LEFT JOIN environment_lease l ON l.environment = c.environment
         WHERE p.name = ? AND c.number = ? AND c.expired_at_us IS NULL",
    )
    .bind(cycle.pipeline.as_str())
    .bind(cycle.cycle)
    .fetch_optional(db)
    .await?
    .ok_or_else(|| StoreError::UnknownCycle { cycle: cycle.clone() })
}

/// Whether the append may happen, as the cycle and its environment stand.
fn admit(target: &Target, request: &Append) -> Result<()> {
    if !is_entitled(target, request.lease.as_ref()) {
        let environment = EnvironmentName::parse(&target.environment)
            .map_err(|error| StoreError::Damaged { detail: error.to_string() })?;
        return Err(StoreError::Fenced { environment });
    }
    let found = target.last_seq.unsigned_abs();
    if found != request.expected_seq {
        let cycle = request.cycle.clone();
        return Err(StoreError::Conflict { cycle, expected: request.expected_seq, found });
    }
    Ok(())
}

fn is_entitled(target: &Target, lease: Option<&Lease>) -> bool {
    match lease {
        Some(lease) => {
            target.is_held
                && lease.environment.as_str() == target.environment
                && target.fence.map(i64::unsigned_abs) == Some(lease.fence)
        }
        // Without a hold only a cycle may be written to that nobody works on.
        None => !(target.is_held && target.held_by_cycle == Some(target.id)),
    }
}

async fn insert_events(
    db: &mut SqliteConnection,
    cycle_id: i64,
    prepared: Prepared,
) -> Result<Vec<Recorded>> {
    let Prepared { recorded, stored, deploy_records: _ } = prepared;
    let mut stored = stored.into_iter();
    for chunk in recorded.chunks(CHUNK) {
        let mut insert =
            QueryBuilder::new("INSERT INTO event (cycle_id, seq, at_us, kind, version, payload) ");
        let rows = chunk.iter().zip(stored.by_ref().take(chunk.len()));
        insert.push_values(rows, |mut row, (recorded, stored)| {
            row.push_bind(cycle_id)
                .push_bind(to_integer(recorded.seq))
                .push_bind(recorded.at.as_microsecond())
                .push_bind(recorded.event.kind())
                .push_bind(stored.version)
                .push_bind(stored.payload);
        });
        run(db, insert, chunk.len()).await?;
    }
    Ok(recorded)
}

async fn update_row(
    db: &mut SqliteConnection,
    cycle_id: i64,
    last_seq: u64,
    patch: &RowPatch,
) -> Result<()> {
    let revision = patch.revision.as_ref();
    let revision_info = revision
        .map(serde_json::to_string)
        .transpose()
        .map_err(|error| StoreError::Unstorable { what: "revision", why: error.to_string() })?;
    let counts = patch.counts;
    let count = |pick: fn(&crate::domain::history::Counts) -> u32| counts.as_ref().map(pick);
    sqlx::query(
        "UPDATE cycle SET last_seq = ?,
             phase = COALESCE(?, phase), held = COALESCE(?, held),
             revision = COALESCE(?, revision), revision_info = COALESCE(?, revision_info),
             suite = COALESCE(?, suite), suite_digest = COALESCE(?, suite_digest),
             suite_ms = COALESCE(?, suite_ms),
             planned = COALESCE(?, planned), passed = COALESCE(?, passed),
             flaky = COALESCE(?, flaky), failed = COALESCE(?, failed),
             errored = COALESCE(?, errored), skipped = COALESCE(?, skipped),
             not_run = COALESCE(?, not_run),
             verdict = COALESCE(?, verdict), void_reason = COALESCE(?, void_reason),
             decided_at_us = COALESCE(decided_at_us, ?),
             report = COALESCE(?, report), finished_at_us = COALESCE(?, finished_at_us)
         WHERE id = ?",
    )
    .bind(to_integer(last_seq))
    .bind(patch.phase.map(|phase| phase.as_str()))
    .bind(patch.held)
    .bind(revision.map(|revision| revision.sha.as_str().to_owned()))
    .bind(revision_info)
    .bind(patch.suite.as_deref())
    .bind(patch.suite_digest.as_deref())
    .bind(patch.suite_ms.map(to_integer))
    .bind(count(|c| c.planned))
    .bind(count(|c| c.passed))
    .bind(count(|c| c.flaky))
    .bind(count(|c| c.failed))
    .bind(count(|c| c.errored))
    .bind(count(|c| c.skipped))
    .bind(count(|c| c.not_run))
    .bind(patch.verdict.map(|verdict| verdict.as_str()))
    .bind(patch.void_reason.map(|reason| reason.as_str()))
    .bind(patch.decided_at.map(|at| at.as_microsecond()))
    .bind(patch.report.as_deref())
    .bind(patch.finished_at.map(|at| at.as_microsecond()))
    .bind(cycle_id)
    .execute(db)
    .await?;
    Ok(())
}

/// Everything else of a projection.
async fn project(
    db: &mut SqliteConnection,
    target: &Target,
    cycle: u32,
    projection: &Projection,
    at: Timestamp,
) -> Result<()> {
    count_fingerprints(db, target.pipeline_id, cycle, &projection.fingerprints).await?;
    put_culprits(db, target.pipeline_id, &projection.culprits).await?;
    put_investigations(db, target.pipeline_id, cycle, &projection.investigations).await?;
    super::outbox::put_all(db, &projection.messages, at).await.map(|_| ())
}

async fn count_fingerprints(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    cycle: u32,
    fingerprints: &[Fingerprint],
) -> Result<()> {
    for chunk in fingerprints.chunks(CHUNK) {
        let mut insert = QueryBuilder::new(
            "INSERT INTO fingerprint (pipeline_id, fingerprint, first_cycle, last_cycle, times) ",
        );
        insert.push_values(chunk, |mut row, fingerprint| {
            row.push_bind(pipeline_id)
                .push_bind(fingerprint.as_str())
                .push_bind(cycle)
                .push_bind(cycle)
                .push("1");
        });
        insert.push(
            " ON CONFLICT (pipeline_id, fingerprint) DO UPDATE
                  SET last_cycle = excluded.last_cycle, times = fingerprint.times + 1
                  WHERE fingerprint.last_cycle < excluded.last_cycle",
        );
        run(db, insert, chunk.len()).await?;
    }
    Ok(())
}

async fn put_culprits(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    culprits: &[(Fingerprint, Sha)],
) -> Result<()> {
    for (fingerprint, culprit) in culprits {
        sqlx::query("UPDATE fingerprint SET culprit = ? WHERE pipeline_id = ? AND fingerprint = ?")
            .bind(culprit.as_str())
            .bind(pipeline_id)
            .bind(fingerprint.as_str())
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

async fn put_investigations(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    cycle: u32,
    investigations: &[InvestigationSeen],
) -> Result<()> {
    for seen in investigations {
        // The last cycle that it concerned is one that saw the failure.
        let is_seen = !seen.cases.is_empty() || seen.state == InvestigationState::Reopened;
        let concerned = if is_seen { cycle } else { 0 };
        super::investigations::set_state(db, pipeline_id, &seen.id, seen.state, concerned).await?;
        super::claims::put_seen(db, pipeline_id, seen).await?;
    }
    Ok(())
}

async fn run(
    db: &mut SqliteConnection,
    mut insert: QueryBuilder<Sqlite>,
    rows: usize,
) -> Result<()> {
    // Only full chunks come again with the same text.
    insert.build().persistent(rows == CHUNK).execute(db).await?;
    Ok(())
}

/// SQLite's integers are signed. Counts and milliseconds beyond 292 million years are cut.
fn to_integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
