//! Has the past expire while the daemon runs: a pass now and then, bit by bit.

use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::cycle::Parts;
use crate::domain::errors::chain;
use crate::domain::retention::Limits;
use crate::retention::Pace;
use crate::upkeep::Pruner;

/// The first pass comes when the start is over: nothing is urgent about the past.
const FIRST: Duration = Duration::from_secs(30);
/// Then one comes each hour.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Makes passes until `shutdown` fires.
pub(super) async fn run(parts: &Parts, limits: Limits, shutdown: &CancellationToken) {
    let mut sleep = FIRST;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(sleep) => {}
        }
        pass(parts, &limits, parts.clock.now(), shutdown).await;
        sleep = EVERY;
    }
}

/// One pass; what goes wrong is told and tried again with the next.
pub(super) async fn pass(
    parts: &Parts,
    limits: &Limits,
    now: Timestamp,
    shutdown: &CancellationToken,
) {
    let pruner = Pruner {
        store: std::sync::Arc::clone(parts.handle.store()),
        paths: parts.paths.clone(),
        pace: Pace::Unattended,
        stop: shutdown.clone(),
    };
    match pruner.prune(limits, now).await {
        Ok(pruned) if pruned.plan.expire.is_empty() => {}
        Ok(pruned) => {
            let (expired, deferred) = (pruned.plan.expire.len(), pruned.plan.deferred);
            tracing::info!(expired, deferred, "cycles beyond the limits of `retention` expired");
        }
        Err(fault) => tracing::error!("the past could not be pruned: {}", chain(&fault)),
    }
}
