//! One case of the plan of a cycle, without reading the rest of what happened, or of the plan.

use sqlx::sqlite::SqliteConnection;

use crate::domain::event::PlannedCase;
use crate::domain::names::CaseId;
use crate::store::{CycleKey, Result, StoreError, codec};

/// So many characters of a plan are read from where the case begins. One that goes on behind them is read to the
/// end of the plan.
const PIECE: i64 = 16 << 10;

/// An event that plans the case, from where the case begins.
struct RawPlan {
    seq: i64,
    kind: String,
    version: u16,
    from_case: String,
}

/// A case as a cycle planned it.
pub(super) async fn find(
    db: &mut SqliteConnection,
    cycle: &CycleKey,
    case: &CaseId,
) -> Result<Option<PlannedCase>> {
    for most in [PIECE, i64::MAX] {
        let Some(raw) = read(db, cycle, case, most).await? else { return Ok(None) };
        match codec::decode_planned_case(raw.version, &raw.from_case) {
            Ok(None) if most == PIECE => {}
            Ok(None) => return Err(unreadable(cycle, raw, "the case has no end".to_owned())),
            Ok(planned) => return Ok(planned),
            Err(why) => return Err(unreadable(cycle, raw, why)),
        }
    }
    Ok(None)
}

/// A plan stands in JSON without spaces, its cases begin with their `id`, and nothing else in it does. Quotes within
/// texts are escaped, so that none looks like one.
async fn read(
    db: &mut SqliteConnection,
    cycle: &CycleKey,
    case: &CaseId,
    most: i64,
) -> Result<Option<RawPlan>> {
    let id = serde_json::to_string(case).expect("an id is a text");
    let row: Option<(i64, String, u16, String)> = sqlx::query_as(
        "SELECT e.seq, e.kind, e.version, substr(e.payload, instr(e.payload, ?1), ?2)
         FROM pipeline p
         JOIN cycle c ON c.pipeline_id = p.id
         JOIN event e ON e.cycle_id = c.id
         WHERE p.name = ?3 AND c.number = ?4 AND c.expired_at_us IS NULL
           AND e.kind IN ('suite_planned', 'cases_planned') AND instr(e.payload, ?1) > 0
         ORDER BY e.seq LIMIT 1",
    )
    .bind(format!("{{\"id\":{id}"))
    .bind(most)
    .bind(cycle.pipeline.as_str())
    .bind(cycle.cycle)
    .fetch_optional(db)
    .await?;
    Ok(row.map(|(seq, kind, version, from_case)| RawPlan { seq, kind, version, from_case }))
}

fn unreadable(cycle: &CycleKey, raw: RawPlan, why: String) -> StoreError {
    StoreError::UnreadableEvent {
        cycle: cycle.clone(),
        seq: raw.seq.unsigned_abs(),
        kind: raw.kind,
        version: raw.version,
        why,
    }
}
