//! Keeping the store small and safe: cycles that expire, what is forgotten with time, space that is
//! given back, copies. Plain data and the trait; which cycles expire is decided by `retention`.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::{CycleKey, Result};
use crate::domain::retention::PipelineHistory;

/// Rings when the disk took nothing of what was to be written, whoever wrote. Clones share the bell.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Notify>);

impl Refusals {
    /// The disk refused something.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Waits until it rang since the last wait. For one listener.
    pub async fn rung(&self) {
        self.0.notified().await;
    }
}

/// A store that is looked after.
///
/// Whatever deletes does so in small transactions, so that nobody who writes waits for long.
#[async_trait]
pub trait UpkeepStore: Send + Sync {
    /// The cycles of every pipeline that have not expired, and what must not expire with them;
    /// what expired since `yesterday` is counted.
    async fn retention_histories(&self, yesterday: Timestamp) -> Result<Vec<PipelineHistory>>;

    /// The oldest `limit` cycles that are over, kept, and not measured yet.
    async fn unmeasured_cycles(&self, limit: u32) -> Result<Vec<CycleKey>>;

    /// Notes what a cycle takes: what the store has of it and `beside` it (its logs). It must be over.
    async fn measure_cycle(&self, cycle: &CycleKey, beside: u64) -> Result<()>;

    /// From now on these cycles have expired: nobody reads their records any more. Those that are
    /// open, or gone, are passed over. Answers how many expired.
    async fn expire_cycles(&self, cycles: &[CycleKey], at: Timestamp) -> Result<u32>;

    /// The first `limit` expired cycles of which something may still be there.
    async fn expiring_cycles(&self, limit: u32) -> Result<Vec<CycleKey>>;

    /// Deletes up to `rows` rows of an expired cycle. Answers whether all are gone.
    async fn delete_expired(&self, cycle: &CycleKey, rows: u32) -> Result<bool>;

    /// Nothing is left of an expired cycle but its row.
    async fn finish_expiry(&self, cycle: &CycleKey) -> Result<()>;

    /// Deletes up to `rows` messages that were dealt with, and triggers that nothing refers to any
    /// more, of before that instant. Answers how many it deleted.
    async fn forget_ended(&self, before: Timestamp, rows: u32) -> Result<u32>;

    /// Gives up to `pages` free pages back to the file system. Answers how many remain.
    async fn give_back_space(&self, pages: u32) -> Result<u64>;

    /// Rewrites the whole database so that nothing in it is unused; others wait so long.
    async fn compact(&self) -> Result<()>;

    /// Writes a copy to a file that is not there yet: everything that was acknowledged before, and no
    /// half of anything. Others go on meanwhile.
    async fn back_up(&self, to: &Path) -> Result<()>;

    /// Writes a mark that says nothing: whether there is room.
    async fn try_writing(&self, at: Timestamp) -> Result<()>;

    /// Rings with every write that is refused for want of room.
    fn refusals(&self) -> Refusals;
}
