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
use crate::store::Baseline;
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
        let (key, store, environment) = (journal.key(), journal.store(), &queued.environment);
        let heads = store.case_heads(&key.pipeline, environment).await?;
        let whole_before =
            store.find_baseline(&key.pipeline, environment, key.cycle, Baseline::Whole).await?;
        let since = whole_before.map_or(0, |row| row.summary.cycle);
        let only = queued.options.only.as_deref();
        let wanted = |id: &CaseId| only.is_none_or(|only| selects(only, id.as_str()));
        let native: HashSet<&CaseId> =
            suite.cases().flat_map(|case| std::iter::once(&case.id).chain(&case.was)).collect();
        let cases: Vec<PlannedCase> = latest(&native, &heads, since)
            .into_iter()
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

/// The cases that are not native, by id, as far as the last whole cycle or a later one of some cases planned them.
fn latest<'a>(native: &HashSet<&CaseId>, heads: &'a [CaseHead], since: u32) -> Vec<&'a CaseHead> {
    let is_there = |head: &&CaseHead| {
        let is_foreign = !native.contains(&head.case) && !head.case.is_of_command();
        is_foreign && head.planned_in >= since
    };
    let mut there: Vec<&CaseHead> = heads.iter().filter(is_there).collect();
    there.sort_by(|a, b| a.case.cmp(&b.case));
    there
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cycle_of_some_cases_makes_the_suite_no_smaller() {
        let head = |case: &str, planned_in| CaseHead {
            planned_in,
            ..CaseHead::never_seen(CaseId::parse(case).unwrap())
        };
        let heads = [head("b", 4), head("a", 3), head("gone", 2), head("native", 4)];
        let native = CaseId::parse("native").unwrap();
        let ids = |since| {
            let found = latest(&HashSet::from([&native]), &heads, since);
            found.into_iter().map(|head| head.case.to_string()).collect::<Vec<_>>()
        };
        // 3 was the last whole one, 4 ran `b` alone.
        assert_eq!(ids(3), ["a", "b"]);
        assert_eq!(ids(0), ["a", "b", "gone"]);
    }
}
