//! Rollback: which revision to go back to. Its steps and its readiness are those of a deploy.

use std::sync::Arc;

use super::rollout::Side;
use super::{World, phase_ended};
use crate::domain::errors::chain;
use crate::domain::event::{Event, RollbackPlanned};
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::domain::revision::Revision;
use crate::engine::{EngineError, Journal};
use crate::git;
use crate::store::Baseline;

impl World {
    /// The last green revision, laid out; or why there is no way back.
    pub(super) async fn plan_rollback(&self, journal: &mut Journal) -> Result<(), EngineError> {
        let queued = &journal.state().queued;
        let green = journal
            .store()
            .find_baseline(&queued.pipeline, &queued.environment, queued.cycle, Baseline::Green)
            .await?;
        let green = green.map(|row| row.summary);
        let Some((cycle, revision)) = green.and_then(|row| Some((row.cycle, row.revision?))) else {
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
