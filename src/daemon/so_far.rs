//! What became of the cases of a suite that runs, as far as it is known, for whoever watches. Lives as long
//! as the cycle runs here; the truth is in the ledger, of which this is what comes after a reader's look.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::domain::attempt::Attempt;
use crate::domain::failure::Failure;
use crate::domain::names::CaseId;
use crate::domain::outcome::Outcome;
use crate::verdict::judge_case;

/// A case whose suite runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CaseSoFar {
    /// What its attempts, or its tool, say so far; more attempts may follow.
    pub outcome: Option<Outcome>,
    /// How long its latest attempt took.
    pub duration_ms: u64,
    /// Why its latest attempt failed, where it did.
    pub failure: Option<Arc<Failure>>,
    /// The number of the attempt that runs now, where one does.
    pub running: Option<u32>,
}

impl CaseSoFar {
    /// What the attempts in the ledger say; `None` where there are none.
    pub fn of(attempts: &[Attempt]) -> Option<Self> {
        let last = attempts.last()?;
        Some(Self {
            outcome: Some(judge_case(attempts)),
            duration_ms: last.duration_ms,
            failure: last.failure.clone(),
            running: None,
        })
    }
}

/// What changed of the cases of a suite since somebody looked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Turned {
    /// What is to be asked for next.
    pub tick: u64,
    /// The cases, in the order in which they changed last.
    pub cases: Vec<(CaseId, CaseSoFar)>,
    /// How many of all are failing so far.
    pub failing: u32,
}

/// The cases of a suite that runs. Each change has a number, so that a reader gets what it does not know.
#[derive(Debug, Default)]
pub(super) struct SoFar {
    tick: u64,
    cases: HashMap<CaseId, (u64, CaseSoFar)>,
    /// The latest change of each case.
    order: BTreeMap<u64, CaseId>,
    failing: u32,
}

impl SoFar {
    /// An attempt began.
    pub(super) fn began(&mut self, case: &CaseId, attempt: u32) {
        self.change(case, |known| known.running = Some(attempt));
    }

    /// An attempt is in the ledger; these are all of its case.
    pub(super) fn ended(&mut self, case: &CaseId, attempts: &[Attempt]) {
        if let Some(now) = CaseSoFar::of(attempts) {
            self.change(case, |known| *known = now);
        }
    }

    /// The tool that runs a case has written what became of it.
    pub(super) fn reported(&mut self, case: &CaseId, outcome: Outcome, duration_ms: u64) {
        let says = Some(outcome);
        if self.cases.get(case).is_some_and(|(_, known)| known.outcome == says) {
            return;
        }
        self.change(case, |known| {
            *known = CaseSoFar { outcome: says, duration_ms, ..CaseSoFar::default() };
        });
    }

    /// What changed after that number, at most so much. A number of an earlier process is none of ours:
    /// then all of it did.
    pub(super) fn since(&self, tick: u64, most: usize) -> Turned {
        let after = if tick > self.tick { 0 } else { tick };
        let changed = self.order.range(after + 1..).take(most);
        let cases = changed.clone().filter_map(|(_, case)| {
            let (_, known) = self.cases.get(case)?;
            Some((case.clone(), known.clone()))
        });
        let cases: Vec<_> = cases.collect();
        let is_cut = cases.len() == most;
        let told = changed.last().map_or(self.tick, |(tick, _)| *tick);
        Turned { tick: if is_cut { told } else { self.tick }, cases, failing: self.failing }
    }

    fn change(&mut self, case: &CaseId, how: impl FnOnce(&mut CaseSoFar)) {
        self.tick += 1;
        let (at, known) = self.cases.entry(case.clone()).or_default();
        self.order.remove(at);
        *at = self.tick;
        let is_failing = |known: &CaseSoFar| known.outcome.is_some_and(Outcome::is_failing);
        let before = u32::from(is_failing(known));
        how(known);
        self.failing = self.failing - before + u32::from(is_failing(known));
        self.order.insert(self.tick, case.clone());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn case(name: &str) -> CaseId {
        CaseId::parse(name).unwrap()
    }

    fn told(turned: &Turned) -> Vec<(&str, Option<Outcome>, Option<u32>)> {
        turned.cases.iter().map(|(id, it)| (id.as_str(), it.outcome, it.running)).collect()
    }

    #[test]
    fn each_reader_gets_the_latest_of_what_it_does_not_know() {
        let mut so_far = SoFar::default();
        so_far.began(&case("a"), 1);
        so_far.began(&case("b"), 1);
        let first = so_far.since(0, 10);
        assert_eq!(told(&first), [("a", None, Some(1)), ("b", None, Some(1))]);
        so_far.reported(&case("a"), Outcome::Passed, 5);
        assert_eq!(told(&so_far.since(first.tick, 10)), [("a", Some(Outcome::Passed), None)]);
        // Whoever comes late gets each case once.
        let late = so_far.since(0, 10);
        assert_eq!(told(&late), [("b", None, Some(1)), ("a", Some(Outcome::Passed), None)]);
        let nothing = Turned { tick: late.tick, cases: vec![], failing: 0 };
        assert_eq!(so_far.since(late.tick, 10), nothing);
        so_far.reported(&case("a"), Outcome::Failed, 5);
        assert_eq!(so_far.since(late.tick, 10).failing, 1);
        so_far.reported(&case("a"), Outcome::Flaky, 5);
        assert_eq!(so_far.since(late.tick, 10).failing, 0);
    }

    #[test]
    fn what_is_cut_comes_with_the_next_question() {
        let mut so_far = SoFar::default();
        for name in ["a", "b", "c"] {
            so_far.began(&case(name), 1);
        }
        let some = so_far.since(0, 2);
        assert_eq!(told(&some).len(), 2);
        assert_eq!(told(&so_far.since(some.tick, 2)), [("c", None, Some(1))]);
    }

    #[test]
    fn what_a_tool_says_again_is_no_news_and_a_number_of_another_process_is_none() {
        let mut so_far = SoFar::default();
        so_far.reported(&case("a"), Outcome::Failed, 1);
        let first = so_far.since(0, 10);
        so_far.reported(&case("a"), Outcome::Failed, 1);
        assert!(so_far.since(first.tick, 10).cases.is_empty());
        assert_eq!(so_far.since(first.tick + 99, 10).cases.len(), 1);
    }
}
