//! Searches for the commit that broke a cycle: after each cycle that is over, the next step is stored as a
//! trigger that waits behind everything else.

use crate::domain::names::PipelineName;
use crate::domain::spec::Pipeline;
use crate::engine::{NoSearch, SearchState, World, cycles_to_search};
use crate::store::{NewTrigger, StoreError};

use super::cycle::{CycleError, Parts};

impl Parts {
    /// Stores the next step of the search that the records ask for, and drops one that is out of date.
    /// Harmless to ask again: a step has a key of its own for each cycle that it follows.
    pub(super) async fn decide_search(
        &self,
        pipeline: &Pipeline,
        world: &World,
    ) -> Result<(), CycleError> {
        let wanted = match pipeline.culprit.as_ref().filter(|culprit| culprit.search) {
            Some(_) => self.next_step_of_search(pipeline, world).await?,
            None => None,
        };
        self.drop_others(&pipeline.name, wanted.as_ref()).await?;
        if let Some(trigger) = wanted {
            self.handle.store().put_trigger(trigger, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn next_step_of_search(
        &self,
        pipeline: &Pipeline,
        world: &World,
    ) -> Result<Option<NewTrigger>, CycleError> {
        let store = self.handle.store();
        // The newest question goes first; an older one that is still open goes on after it.
        for cycle in cycles_to_search(store.as_ref(), &pipeline.name).await? {
            let state = match world.search(store.as_ref(), cycle).await {
                Ok(state) => state,
                Err(NoSearch::Engine(fault)) => return Err(fault.into()),
                Err(why) => {
                    tracing::info!("{}: no search of cycle {cycle}: {why}", pipeline.name);
                    continue;
                }
            };
            // One commit is its own culprit.
            if state.search.line.len() <= 2 && state.search.steps.is_empty() {
                continue;
            }
            if let Some(step) = trigger_of(pipeline, &state, self.clock.now()) {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    /// A step that waits is out of date once another cycle ran before it.
    async fn drop_others(
        &self,
        name: &PipelineName,
        wanted: Option<&NewTrigger>,
    ) -> Result<(), StoreError> {
        let store = self.handle.store();
        for waiting in store.waiting_triggers().await? {
            let is_step = waiting.pipeline == *name && waiting.options.search_of.is_some();
            let is_wanted = wanted.is_some_and(|wanted| {
                wanted.options == waiting.options && wanted.requested == waiting.requested
            });
            if is_step && !is_wanted {
                let why = "another step of the search is due";
                store.drop_trigger(waiting.id, why, self.clock.now()).await?;
            }
        }
        Ok(())
    }
}

fn trigger_of(
    pipeline: &Pipeline,
    state: &SearchState,
    now: jiff::Timestamp,
) -> Option<NewTrigger> {
    let (cause, requested, options) = state.next_cycle()?;
    Some(NewTrigger {
        pipeline: pipeline.name.clone(),
        environment: pipeline.environment.clone(),
        cause,
        requested: Some(requested.as_str().to_owned()),
        options,
        key: Some(format!("search of {} after {}", state.search.cycle, state.after)),
        not_before: now,
    })
}
