//! One case of the plan of a cycle, without reading the rest of what happened.

use sqlx::sqlite::SqliteConnection;

use crate::domain::event::{Event, PlannedCase};
use crate::domain::names::CaseId;
use crate::store::{CycleKey, Result, StoreError, codec};

/// An event that plans the case, not yet decoded.
pub(super) struct RawPlan {
    seq: i64,
    kind: String,
    version: u16,
    payload: String,
}

impl RawPlan {
    /// How much there is to decode.
    pub(super) fn bytes(&self) -> usize {
        self.payload.len()
    }
}

/// The event that planned a case in a cycle. A plan stands in JSON without spaces, and nothing but a case
/// has an `id` in it; so only the one event is read that is to be decoded.
pub(super) async fn find(
    db: &mut SqliteConnection,
    cycle: &CycleKey,
    case: &CaseId,
) -> Result<Option<RawPlan>> {
    let id = serde_json::to_string(case).expect("an id is a text");
    let row: Option<(i64, String, u16, String)> = sqlx::query_as(
        "SELECT e.seq, e.kind, e.version, e.payload
         FROM pipeline p
         JOIN cycle c ON c.pipeline_id = p.id
         JOIN event e ON e.cycle_id = c.id
         WHERE p.name = ? AND c.number = ? AND c.expired_at_us IS NULL
           AND e.kind IN ('suite_planned', 'cases_planned') AND instr(e.payload, ?) > 0
         ORDER BY e.seq LIMIT 1",
    )
    .bind(cycle.pipeline.as_str())
    .bind(cycle.cycle)
    .bind(format!("\"id\":{id}"))
    .fetch_optional(db)
    .await?;
    Ok(row.map(|(seq, kind, version, payload)| RawPlan { seq, kind, version, payload }))
}

/// Reads the case out of it.
pub(super) fn decode(cycle: &CycleKey, case: &CaseId, raw: RawPlan) -> Result<Option<PlannedCase>> {
    let event = codec::decode(&raw.kind, raw.version, &raw.payload).map_err(|why| {
        StoreError::UnreadableEvent {
            cycle: cycle.clone(),
            seq: raw.seq.unsigned_abs(),
            kind: raw.kind,
            version: raw.version,
            why,
        }
    })?;
    let cases = match event {
        Event::SuitePlanned(plan) => plan.cases,
        Event::CasesPlanned(joined) => joined.cases,
        _ => return Ok(None),
    };
    Ok(cases.into_iter().find(|planned| planned.id == *case))
}
