//! Carries out what `retention` decides.
//!
//! A cycle first expires in one durable step: from then on nobody reads its records. Only then its
//! folders and rows go, a few at a time; should the process die, the next pass goes on there.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::error::UpkeepError;
use super::folders;
use crate::domain::retention::Limits;
use crate::engine::StatePaths;
use crate::retention::{Pace, Plan, plan};
use crate::store::{CycleKey, Store};

/// Rows of one transaction: whoever writes waits no longer than for these.
const ROWS: u32 = 500;
/// Cycles that are looked at together.
const CYCLES: u32 = 100;
/// Pages that are given back together; a page has 4 KiB.
const PAGES: u32 = 500;
/// Unattended, others have the disk for so long between two transactions.
const BREATH: Duration = Duration::from_millis(5);
/// Messages and triggers are remembered at least so long, whatever the limits say: their keys keep
/// the same thing from being done twice.
const LEAST_MEMORY_DAYS: u32 = 90;

/// Lets cycles expire.
pub struct Pruner {
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// The state folder.
    pub paths: StatePaths,
    /// Who asks.
    pub pace: Pace,
    /// Fires when it has to come to an end: what is left is done another time.
    pub stop: CancellationToken,
}

/// What a pass did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// What was decided.
    pub plan: Plan,
    /// Messages and triggers that were forgotten.
    pub forgotten: u32,
    /// Pages that nothing uses and that could not be given back, because of the age of the file.
    pub unused_pages: u64,
}

impl Pruner {
    /// What would expire now. Measures what was not measured yet, and changes nothing else.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn plan(&self, limits: &Limits, now: Timestamp) -> Result<Plan, UpkeepError> {
        if limits.bytes.is_some() {
            self.measure().await?;
        }
        let yesterday = now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(now);
        let histories = self.store.retention_histories(yesterday).await?;
        Ok(plan(limits, now, self.pace, &histories))
    }

    /// One pass: what an earlier one left, then what is beyond the limits now.
    ///
    /// # Errors
    /// When the store refuses, or a folder cannot be removed.
    pub async fn prune(&self, limits: &Limits, now: Timestamp) -> Result<Pruned, UpkeepError> {
        self.clear().await?;
        let plan = self.plan(limits, now).await?;
        let keys: Vec<CycleKey> = plan
            .expire
            .iter()
            .map(|expiry| CycleKey::new(expiry.pipeline.clone(), expiry.cycle))
            .collect();
        for some in keys.chunks(ROWS as usize) {
            self.store.expire_cycles(some, now).await?;
            self.breathe().await;
        }
        self.clear().await?;
        let forgotten = self.forget(limits, now).await?;
        let unused_pages = self.give_back().await?;
        Ok(Pruned { plan, forgotten, unused_pages })
    }

    /// Measures cycles that are over, once each.
    async fn measure(&self) -> Result<(), UpkeepError> {
        let mut before = None;
        loop {
            let cycles = self.store.unmeasured_cycles(CYCLES).await?;
            // One that cannot be measured must not be asked for again and again.
            if cycles.is_empty() || before.as_ref() == cycles.first() || self.is_over() {
                return Ok(());
            }
            for cycle in &cycles {
                let beside = self.blocking(cycle, |paths, cycle| {
                    folders::of_cycle(paths, cycle)
                        .iter()
                        .map(|folder| folders::size_of(folder))
                        .sum()
                });
                self.store.measure_cycle(cycle, beside.await).await?;
                self.breathe().await;
            }
            before = cycles.into_iter().next();
        }
    }

    /// Removes what expired cycles still have.
    async fn clear(&self) -> Result<(), UpkeepError> {
        loop {
            let cycles = self.store.expiring_cycles(CYCLES).await?;
            if cycles.is_empty() {
                return Ok(());
            }
            for cycle in &cycles {
                if self.is_over() {
                    return Ok(());
                }
                self.blocking(cycle, folders::remove).await?;
                while !self.store.delete_expired(cycle, ROWS).await? {
                    self.breathe().await;
                }
                self.store.finish_expiry(cycle).await?;
                self.breathe().await;
            }
        }
    }

    async fn forget(&self, limits: &Limits, now: Timestamp) -> Result<u32, UpkeepError> {
        let Some(days) = limits.days else { return Ok(0) };
        let age = SignedDuration::from_hours(24 * i64::from(days.max(LEAST_MEMORY_DAYS)));
        let Ok(before) = now.checked_sub(age) else { return Ok(0) };
        let mut forgotten = 0;
        loop {
            let some = self.store.forget_ended(before, ROWS).await?;
            forgotten += some;
            if some < ROWS || self.is_over() {
                return Ok(forgotten);
            }
            self.breathe().await;
        }
    }

    async fn give_back(&self) -> Result<u64, UpkeepError> {
        let mut before = u64::MAX;
        loop {
            let left = self.store.give_back_space(PAGES).await?;
            if left == 0 || left >= before || self.is_over() {
                return Ok(left);
            }
            before = left;
            self.breathe().await;
        }
    }

    /// Work on files, away from the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        cycle: &CycleKey,
        work: impl FnOnce(&StatePaths, &CycleKey) -> T + Send + 'static,
    ) -> T {
        let (paths, cycle) = (self.paths.clone(), cycle.clone());
        let done = tokio::task::spawn_blocking(move || work(&paths, &cycle)).await;
        done.expect("work on files does not panic")
    }

    fn is_over(&self) -> bool {
        self.stop.is_cancelled()
    }

    async fn breathe(&self) {
        match self.pace {
            Pace::Unattended => tokio::time::sleep(BREATH).await,
            Pace::AtOnce => tokio::task::yield_now().await,
        }
    }
}

#[cfg(test)]
mod tests;
