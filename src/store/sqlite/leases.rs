//! Holds on environments as rows. Whoever compares and swaps first has it.

use sqlx::sqlite::SqliteConnection;

use super::cycles::{corrupt, instant};
use super::row::row_struct;
use crate::domain::names::{EnvironmentName, PipelineName};
use crate::store::{Claim, CycleKey, Holder, Lease, Owner, Result, StoreError};

row_struct! {
    struct LeaseRow {
        fence: i64,
        host: Option<String>,
        boot_id: Option<String>,
        pid: Option<u32>,
        started: Option<String>,
        taken_at_us: Option<i64>,
        pipeline: Option<String>,
        number: Option<u32>,
    }
}

/// Who holds an environment.
pub(super) async fn holder(
    db: &mut SqliteConnection,
    environment: &EnvironmentName,
) -> Result<Option<Holder>> {
    let row: Option<LeaseRow> = sqlx::query_as(
        "SELECT l.fence, l.host, l.boot_id, l.pid, l.started, l.taken_at_us,
                p.name AS pipeline, c.number
         FROM environment_lease l
         LEFT JOIN cycle c ON c.id = l.cycle_id
         LEFT JOIN pipeline p ON p.id = c.pipeline_id
         WHERE l.environment = ?",
    )
    .bind(environment.as_str())
    .fetch_optional(db)
    .await?;
    row.map_or(Ok(None), LeaseRow::into_holder)
}

impl LeaseRow {
    /// A row without a process is a free environment that was held before.
    fn into_holder(self) -> Result<Option<Holder>> {
        let (Some(pid), Some(host), Some(boot_id), Some(started), Some(taken_at_us)) =
            (self.pid, self.host, self.boot_id, self.started, self.taken_at_us)
        else {
            return Ok(None);
        };
        let cycle = match (self.pipeline, self.number) {
            (Some(pipeline), Some(number)) => {
                let pipeline = PipelineName::parse(&pipeline).map_err(corrupt)?;
                Some(CycleKey::new(pipeline, number))
            }
            (None, _) | (_, None) => None,
        };
        Ok(Some(Holder {
            owner: Owner { host, boot_id, pid, started },
            cycle,
            fence: self.fence.unsigned_abs(),
            taken_at: instant(taken_at_us)?,
        }))
    }
}

/// Takes an environment whose lease still is what the caller saw: free, or held with that fence.
/// Answers `None` when somebody was quicker.
pub(super) async fn take(
    db: &mut SqliteConnection,
    claim: &Claim,
    seen: Option<u64>,
) -> Result<Option<Lease>> {
    let now = holder(&mut *db, &claim.environment).await?;
    if now.map(|holder| holder.fence) != seen {
        return Ok(None);
    }
    let cycle_id = cycle_id(db, &claim.cycle).await?;
    let fence: i64 = sqlx::query_scalar(
        "INSERT INTO environment_lease
             (environment, fence, cycle_id, host, boot_id, pid, started, taken_at_us)
         VALUES (?, 1, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (environment) DO UPDATE SET fence = environment_lease.fence + 1,
             cycle_id = excluded.cycle_id, host = excluded.host, boot_id = excluded.boot_id,
             pid = excluded.pid, started = excluded.started, taken_at_us = excluded.taken_at_us
         RETURNING fence",
    )
    .bind(claim.environment.as_str())
    .bind(cycle_id)
    .bind(claim.owner.host.as_str())
    .bind(claim.owner.boot_id.as_str())
    .bind(claim.owner.pid)
    .bind(claim.owner.started.as_str())
    .bind(claim.at.as_microsecond())
    .fetch_one(db)
    .await?;
    Ok(Some(Lease { environment: claim.environment.clone(), fence: fence.unsigned_abs() }))
}

/// Gives an environment back; the fence stays, so that the next one is greater.
pub(super) async fn release(db: &mut SqliteConnection, lease: &Lease) -> Result<()> {
    let released = sqlx::query(
        "UPDATE environment_lease SET cycle_id = NULL, host = NULL, boot_id = NULL, pid = NULL,
             started = NULL, taken_at_us = NULL
         WHERE environment = ? AND fence = ? AND pid IS NOT NULL",
    )
    .bind(lease.environment.as_str())
    .bind(i64::try_from(lease.fence).unwrap_or(i64::MAX))
    .execute(db)
    .await?;
    if released.rows_affected() == 0 {
        return Err(StoreError::Fenced { environment: lease.environment.clone() });
    }
    Ok(())
}

async fn cycle_id(db: &mut SqliteConnection, cycle: &CycleKey) -> Result<i64> {
    sqlx::query_scalar(
        "SELECT c.id FROM cycle c JOIN pipeline p ON p.id = c.pipeline_id
         WHERE p.name = ? AND c.number = ?",
    )
    .bind(cycle.pipeline.as_str())
    .bind(cycle.cycle)
    .fetch_optional(db)
    .await?
    .ok_or_else(|| StoreError::UnknownCycle { cycle: cycle.clone() })
}
