//! What a cycle that never reached its suite would have run, as far as earlier cycles tell.

use std::collections::HashSet;

use super::today;
use crate::domain::event::PlannedCase;
use crate::domain::history::CaseHead;
use crate::domain::names::CaseId;
use crate::domain::spec::Suite;
use crate::engine::world::World;
use crate::engine::world::suite::{planned_reported, planned_whole};
use crate::engine::{EngineError, Journal};
use crate::verdict::selects;

impl World {
    /// The tests that the suite's command reported when it last did. Of several commands nobody knows
    /// which test was whose, so each is named as a whole, as is one that never reported anything.
    pub(in crate::engine::world) async fn reported_before(
        &self,
        journal: &Journal,
        suite: &Suite,
    ) -> Result<Vec<PlannedCase>, EngineError> {
        let today = today(journal);
        let whole = suite.commands.iter().map(|command| planned_whole(suite, command, today));
        let [command] = suite.commands.as_slice() else { return Ok(whole.collect()) };
        let queued = &journal.state().queued;
        let heads =
            journal.store().case_heads(&journal.key().pipeline, &queued.environment).await?;
        let only = queued.options.only.as_deref();
        let wanted = |id: &CaseId| only.is_none_or(|only| selects(only, id.as_str()));
        let cases: Vec<PlannedCase> = latest(suite, &heads)
            .filter(|head| wanted(&head.case))
            .map(|head| {
                let (id, name) = (head.case.clone(), head.case.to_string());
                let digest = head.known.as_ref().map(|known| known.definition.clone());
                let digest = digest.unwrap_or_else(|| command.digest.as_str().into());
                planned_reported(suite, command, id, name, digest, today)
            })
            .collect();
        Ok(if cases.is_empty() { whole.collect() } else { cases })
    }
}

/// The cases that are not native, as the last cycle that had any planned them.
fn latest<'a>(suite: &Suite, heads: &'a [CaseHead]) -> impl Iterator<Item = &'a CaseHead> {
    let native: HashSet<&CaseId> =
        suite.cases().flat_map(|case| std::iter::once(&case.id).chain(&case.was)).collect();
    let foreign = |head: &&CaseHead| !native.contains(&head.case) && !head.case.is_of_command();
    let foreign: Vec<&CaseHead> = heads.iter().filter(foreign).collect();
    let last = foreign.iter().map(|head| head.planned_in).max();
    foreign.into_iter().filter(move |head| Some(head.planned_in) == last)
}
