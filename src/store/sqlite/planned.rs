//! One case of the plan of a cycle, without reading the rest of what happened, and without decoding the rest of the plan.

use futures_util::TryStreamExt as _;
use memchr::memmem::Finder;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use crate::domain::event::PlannedCase;
use crate::domain::names::CaseId;
use crate::store::{CycleKey, Result, StoreError, codec};

/// A case as a cycle planned it.
///
/// A plan stands in JSON without spaces, its cases begin with their `id`, and nothing else in it does; quotes within texts
/// are escaped, so that none looks like one. It is searched here: SQLite goes through a text letter by letter.
pub(super) async fn find(
    db: &mut SqliteConnection,
    cycle: &CycleKey,
    case: &CaseId,
) -> Result<Option<PlannedCase>> {
    let id = serde_json::to_string(case).expect("an id is a text");
    let begins = format!("{{\"id\":{id}");
    let begins = Finder::new(&begins);
    let mut plans = sqlx::query(
        "SELECT e.seq, e.kind, e.version, e.payload
         FROM pipeline p
         JOIN cycle c ON c.pipeline_id = p.id
         JOIN event e ON e.cycle_id = c.id
         WHERE p.name = ? AND c.number = ? AND c.expired_at_us IS NULL
           AND e.kind IN ('suite_planned', 'cases_planned')
         ORDER BY e.seq",
    )
    .bind(cycle.pipeline.as_str())
    .bind(cycle.cycle)
    .fetch(db);
    while let Some(row) = plans.try_next().await? {
        let payload: &str = row.try_get(3)?;
        let Some(at) = begins.find(payload.as_bytes()) else { continue };
        let version: u16 = row.try_get(2)?;
        let unreadable = |kind, seq: i64, why| StoreError::UnreadableEvent {
            cycle: cycle.clone(),
            seq: seq.unsigned_abs(),
            kind,
            version,
            why,
        };
        return match codec::decode_planned_case(version, &payload[at..]) {
            Ok(planned) => Ok(Some(planned)),
            Err(why) => Err(unreadable(row.try_get(1)?, row.try_get(0)?, why)),
        };
    }
    Ok(None)
}
