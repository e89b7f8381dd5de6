//! Rollback: which revision to go back to. Its steps and its readiness are those of a deploy.

use std::sync::Arc;

use super::rollout::Side;
use super::{World, phase_ended};
use crate::domain::errors::chain;
use crate::domain::event::{Event, Recorded, RollbackPlanned};
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::domain::revision::Revision;
use crate::engine::{EngineError, Journal};
use crate::git;
use crate::store::Baseline;

impl World {
    /// The last green revision, laid out; or why there is no way back.
    pub(super) async fn plan_rollback(&self, journal: &mut Journal) -> Result<(), EngineError> {
        let Some((cycle, revision)) = self.last_green(journal).await? else {
            return skipped(journal, "no cycle was green before").await;
        };
        let tested = Side::Deploy.revision(journal.state());
        if tested.is_some_and(|tested| tested.sha == revision.sha) {
            let why = format!("the last green revision (cycle {cycle}) is the one that is there");
            return skipped(journal, &why).await;
        }
        let event = match self.laid_out_for_rollback(journal, &revision).await {
            Ok(checkout) => Event::RollbackPlanned(RollbackPlanned { cycle, revision, checkout }),
            Err(fault) => {
                let why = format!("{} (cycle {cycle}): {}", revision.sha.short(), chain(&*fault));
                let why = Some(self.masker.mask(&why));
                phase_ended(journal, Phase::Rollback, PhaseOutcome::Failed, why)
            }
        };
        journal.append(vec![event]).await
    }

    /// The newest green cycle whose revision is known to have been there: deployed by that cycle, or
    /// named by a surface.
    async fn last_green(&self, journal: &Journal) -> Result<Option<(u32, Revision)>, EngineError> {
        let queued = &journal.state().queued;
        let (pipeline, environment) = (&queued.pipeline, &queued.environment);
        let (store, mut before) = (journal.store(), queued.cycle);
        loop {
            let green = store.find_baseline(pipeline, environment, before, Baseline::Green).await?;
            let Some(row) = green else { return Ok(None) };
            let deployed = match store.load_page(&row.key(), 0, 1).await?.into_iter().next() {
                Some(Recorded { event: Event::Queued(queued), .. }) => queued.options.deploy,
                _ => false,
            };
            let is_proven = deployed || !self.pipeline().ready.surfaces.is_empty();
            match row.summary.revision {
                Some(revision) if is_proven => return Ok(Some((row.summary.cycle, revision))),
                _ => before = row.summary.cycle,
            }
        }
    }

    async fn laid_out_for_rollback(
        &self,
        journal: &Journal,
        revision: &Revision,
    ) -> Result<String, Arc<git::Error>> {
        let key = journal.key();
        let done = self.lay_out(&key.pipeline, key.cycle, &revision.sha).await?;
        Ok(done.checkout)
    }
}

async fn skipped(journal: &mut Journal, why: &str) -> Result<(), EngineError> {
    let why = Some(why.to_owned());
    let ended = phase_ended(journal, Phase::Rollback, PhaseOutcome::Skipped, why);
    journal.append(vec![ended]).await
}
