//! Each case of a cycle against its own last known result, under whatever id that was found.

use std::cell::OnceCell;
use std::collections::HashSet;

use super::{Compared, Comparison, Selection, figures, history, rename, slower};
use crate::domain::change::{Seen, change_of};
use crate::domain::findings::{Carried, CaseFinding, CaseResult};
use crate::domain::history::{CaseHead, CycleRef, Heads, KnownResult};
use crate::domain::names::CaseId;
use crate::domain::outcome::Change;

/// Compares each case with its own last known result, as `heads` hold it.
pub fn compare(comparison: &Comparison<'_>, heads: &Heads) -> Compared {
    let mut histories = Histories::of(comparison.results, heads);
    let mut cases = Vec::with_capacity(comparison.results.len());
    let mut new = Vec::new();
    for result in comparison.results {
        let history = histories.find(result);
        if history.is_none() {
            new.push(&result.case);
        }
        cases.push(compare_case(comparison.this, result, history));
    }
    let removed = histories.removed(comparison);
    let gone: Vec<&CaseId> = removed.iter().map(|head| &head.case).collect();
    let renames = rename::probable_renames(&gone, &new);
    cases.extend(removed.into_iter().map(removed_case));
    Compared { cases, renames }
}

/// The cases of a void or cancelled cycle: listed, never compared.
pub fn uncompared(results: &[CaseResult]) -> Vec<CaseFinding> {
    results.iter().map(bare_finding).collect()
}

/// The cases of a cycle that ended before its suite: none ran, and each carries what was known.
pub fn carried(results: &[CaseResult], heads: &Heads) -> Vec<CaseFinding> {
    let mut histories = Histories::of(results, heads);
    let carried = |result| {
        let history = histories.find(result);
        let known = history.as_ref().and_then(|history| history.head.known.as_ref());
        CaseFinding {
            change: Some(change_of(known.map(Seen::from), Some(Seen::from(result)))),
            before: known.map(|known| known.outcome),
            carried: known.map(carry),
            ..bare_finding(result)
        }
    };
    results.iter().map(carried).collect()
}

/// A head, and the earlier id under which it was found.
struct History<'a> {
    head: &'a CaseHead,
    known_as: Option<CaseId>,
}

/// Finds what is known of a case, also under its earlier ids, and what is left over.
struct Histories<'a> {
    results: &'a [CaseResult],
    heads: &'a Heads,
    /// The ids of the results: only made where one is looked for.
    planned: OnceCell<HashSet<&'a CaseId>>,
    taken: HashSet<&'a CaseId>,
    /// How many results were found under their own ids.
    found: usize,
}

impl<'a> Histories<'a> {
    fn of(results: &'a [CaseResult], heads: &'a Heads) -> Self {
        let (planned, taken) = (OnceCell::new(), HashSet::new());
        Self { results, heads, planned, taken, found: 0 }
    }

    fn is_planned(&self, case: &CaseId) -> bool {
        let ids = || self.results.iter().map(|result| &result.case).collect();
        self.planned.get_or_init(ids).contains(case)
    }

    /// An earlier id counts only while nobody else answers to it: a case that is still planned
    /// keeps its own history, and one history goes to one case.
    fn find(&mut self, result: &'a CaseResult) -> Option<History<'a>> {
        if let Some(head) = self.heads.get(&result.case) {
            self.found += 1;
            return Some(History { head, known_as: None });
        }
        let free = |id: &&CaseId| !self.is_planned(id) && !self.taken.contains(id);
        let (earlier, head) = result
            .was
            .iter()
            .filter_map(|id| Some((id, self.heads.get(id)?)))
            .find(|(id, _)| free(id))?;
        self.taken.insert(earlier);
        Some(History { head, known_as: Some(earlier.clone()) })
    }

    /// Heads of cases that were planned before and are not now, by id.
    fn removed(&self, comparison: &Comparison<'_>) -> Vec<&'a CaseHead> {
        let (Selection::Whole, Some(since)) = (comparison.selection, comparison.last_whole) else {
            return Vec::new();
        };
        // Ids are planned once, so each head was found by a case of its own.
        if self.found == self.heads.list().len() {
            return Vec::new();
        }
        let earlier_ids: HashSet<&CaseId> =
            self.results.iter().flat_map(|result| &result.was).collect();
        let gone = self.heads.list().iter().filter(|head| {
            head.planned_in >= since
                // It is planned only where it has something to say.
                && !head.case.is_of_command()
                && !self.is_planned(&head.case)
                && !earlier_ids.contains(&head.case)
        });
        let mut gone: Vec<&CaseHead> = gone.collect();
        gone.sort_unstable_by(|a, b| a.case.cmp(&b.case));
        gone
    }
}

fn compare_case(this: &CycleRef, result: &CaseResult, history: Option<History<'_>>) -> CaseFinding {
    let mut finding = bare_finding(result);
    let Some(History { head, known_as }) = history else {
        finding.change = Some(change_of(None, Some(Seen::from(result))));
        finding.flaky_rate = figures::flaky_rate(&[], history::run_of(result, this));
        add_series(&mut finding, result, this, None);
        return finding;
    };
    let known = head.known.as_ref();
    finding.change = Some(change_of(known.map(Seen::from), Some(Seen::from(result))));
    finding.before = known.map(|known| known.outcome);
    if finding.change == Some(Change::ChangedFailure) {
        finding.said_before = known.and_then(|known| known.said.clone());
    }
    finding.definition_changed = history::is_redefined(head, result);
    finding.known_as = known_as;
    // What another definition gave contradicts nothing, and says nothing about how long this one takes.
    let earlier = if finding.definition_changed { &[][..] } else { &head.recent };
    finding.flaky_rate = figures::flaky_rate(earlier, history::run_of(result, this));
    if figures::is_good(result.outcome) {
        finding.slower = slower::slower(earlier, result.duration_ms);
    }
    if !result.outcome.is_known() {
        finding.carried = known.map(carry);
    }
    add_series(&mut finding, result, this, Some(head));
    finding
}

/// Since when it has been failing, and when it was last good.
fn add_series(
    finding: &mut CaseFinding,
    result: &CaseResult,
    this: &CycleRef,
    head: Option<&CaseHead>,
) {
    let Some(change) = finding.change else { return };
    match change {
        Change::NewFailing | Change::Regressed => {
            finding.last_good = head.and_then(|head| head.last_good.clone());
            finding.first_failing = Some(this.clone());
            finding.age = 1;
        }
        Change::StillFailing | Change::ChangedFailure => {
            finding.last_good = head.and_then(|head| head.last_good.clone());
            finding.first_failing = head.and_then(|head| head.first_failing.clone());
            finding.failure_changed =
                head.and_then(|head| history::failure_change(head, result, this));
            finding.age = head.map_or(0, |head| head.failing_for) + 1;
        }
        Change::Fixed => {
            finding.first_failing = head.and_then(|head| head.first_failing.clone());
        }
        Change::NotRun
        | Change::Skipped
        | Change::Removed
        | Change::NewPassing
        | Change::StillPassing => {}
    }
}

fn carry(known: &KnownResult) -> Carried {
    Carried { from: known.at.clone(), outcome: known.outcome }
}

fn bare_finding(result: &CaseResult) -> CaseFinding {
    CaseFinding {
        case: result.case.clone(),
        outcome: Some(result.outcome),
        change: None,
        before: None,
        said_before: None,
        duration_ms: result.duration_ms,
        attempts: result.attempts,
        carried: None,
        definition_changed: false,
        known_as: None,
        fingerprint: Seen::from(result).fingerprint.cloned(),
        last_good: None,
        first_failing: None,
        failure_changed: None,
        age: 0,
        flaky_rate: None,
        slower: None,
    }
}

fn removed_case(head: &CaseHead) -> CaseFinding {
    CaseFinding {
        case: head.case.clone(),
        outcome: None,
        change: Some(change_of(head.known.as_ref().map(Seen::from), None)),
        before: head.known.as_ref().map(|known| known.outcome),
        said_before: None,
        duration_ms: 0,
        attempts: 0,
        carried: None,
        definition_changed: false,
        known_as: None,
        fingerprint: None,
        last_good: None,
        first_failing: None,
        failure_changed: None,
        age: 0,
        flaky_rate: None,
        slower: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use super::*;
    use crate::diff::{Tested, advance_all};
    use crate::domain::failure::{Blame, Failure, FailureClass};
    use crate::domain::findings::Slower;
    use crate::domain::names::Fingerprint;
    use crate::domain::outcome::Outcome;
    use crate::domain::revision::Sha;

    fn id(text: &str) -> CaseId {
        CaseId::parse(text).unwrap()
    }

    fn result(case: &str, outcome: Outcome) -> CaseResult {
        let failure = Failure {
            class: FailureClass::Assertion,
            blame: Blame::Service,
            message: "no".to_owned(),
            step: None,
            expected: None,
            actual: None,
            subject: None,
            repro: None,
        };
        CaseResult {
            case: id(case),
            was: Vec::new(),
            outcome,
            duration_ms: 100,
            attempts: u32::from(outcome.is_known()),
            failure: outcome.is_failing().then(|| (Fingerprint::new(1, "a"), failure.into())),
            definition: "d1".into(),
        }
    }

    fn renamed(case: &str, was: &[&str]) -> CaseResult {
        let was = was.iter().map(|earlier| id(earlier)).collect();
        CaseResult { was, ..result(case, Outcome::Passed) }
    }

    /// A pipeline that runs one cycle after another, each on a revision of its own.
    #[derive(Default)]
    struct Loop {
        cycle: u32,
        heads: HashMap<CaseId, CaseHead>,
        last_whole: Option<u32>,
    }

    impl Loop {
        fn run(&mut self, results: &[CaseResult]) -> Compared {
            self.run_selected(results, Selection::Whole)
        }

        fn known(&self) -> Heads {
            Heads::from(self.heads.values().cloned().collect::<Vec<_>>())
        }

        fn run_selected(&mut self, results: &[CaseResult], selection: Selection) -> Compared {
            self.cycle += 1;
            let revision = Sha::parse(&format!("{:040x}", u128::from(self.cycle) << 96)).unwrap();
            let this = CycleRef { cycle: self.cycle, revision };
            let comparison = Comparison {
                this: &this,
                config_digest: &"c".into(),
                results,
                last_whole: self.last_whole,
                selection,
                tested: Tested::Revision,
            };
            let heads = self.known();
            let compared = super::compare(&comparison, &heads);
            let advanced = advance_all(&comparison, &compared.cases, heads);
            self.heads.extend(advanced.into_iter().map(|head| (head.case.clone(), head)));
            if selection == Selection::Whole {
                self.last_whole = Some(self.cycle);
            }
            compared
        }
    }

    fn changes(compared: &Compared) -> Vec<(&str, Change)> {
        compared.cases.iter().map(|case| (case.case.as_str(), case.change.unwrap())).collect()
    }

    #[test]
    fn a_cycle_that_timed_out_hides_nothing() {
        let mut pipeline = Loop::default();
        pipeline.run(&[result("a", Outcome::Passed), result("b", Outcome::Failed)]);
        let cut = pipeline.run(&[result("a", Outcome::NotRun), result("b", Outcome::NotRun)]);
        assert_eq!(changes(&cut), [("a", Change::NotRun), ("b", Change::NotRun)]);
        let carried = cut.cases[0].carried.as_ref().unwrap();
        assert_eq!((carried.from.cycle, carried.outcome), (1, Outcome::Passed));
        let after = pipeline.run(&[result("a", Outcome::Failed), result("b", Outcome::Failed)]);
        assert_eq!(changes(&after), [("a", Change::Regressed), ("b", Change::StillFailing)]);
        assert_eq!(after.cases[0].last_good.as_ref().unwrap().cycle, 1);
        assert_eq!(after.cases[1].first_failing.as_ref().unwrap().cycle, 1);
        assert_eq!(after.cases[1].age, 2, "the cycle that did not run it does not count");
        assert_eq!(after.cases[0].carried, None);
    }

    #[test]
    fn a_failure_that_became_another_one_is_remembered_as_long_as_it_lasts() {
        let in_way = |print: &str| {
            let mut failing = result("a", Outcome::Failed);
            failing.failure.as_mut().unwrap().0 = Fingerprint::new(1, print);
            failing
        };
        let mut pipeline = Loop::default();
        let changed = |compared: Compared| {
            let finding = &compared.cases[0];
            let between = finding.failure_changed.as_ref();
            let between = between.map(|changed| (changed.from.cycle, changed.to.cycle));
            (finding.first_failing.as_ref().map(|first| first.cycle), between)
        };
        pipeline.run(&[result("a", Outcome::Passed)]);
        assert_eq!(changed(pipeline.run(&[in_way("a")])), (Some(2), None));
        assert_eq!(changed(pipeline.run(&[in_way("b")])), (Some(2), Some((2, 3))));
        pipeline.run(&[result("a", Outcome::NotRun)]);
        assert_eq!(changed(pipeline.run(&[in_way("b")])), (Some(2), Some((2, 3))));
        assert_eq!(changed(pipeline.run(&[in_way("a")])), (Some(2), Some((5, 6))));
        assert_eq!(changed(pipeline.run(&[result("a", Outcome::Passed)])).1, None);
        assert_eq!(changed(pipeline.run(&[in_way("a")])), (Some(8), None));
    }

    #[test]
    fn a_removed_case_is_reported_once() {
        let mut pipeline = Loop::default();
        pipeline.run(&[result("stays", Outcome::Passed), result("goes", Outcome::Failed)]);
        let gone = pipeline.run(&[result("stays", Outcome::Passed)]);
        assert_eq!(changes(&gone), [("stays", Change::StillPassing), ("goes", Change::Removed)]);
        assert_eq!((gone.cases[1].outcome, gone.cases[1].before), (None, Some(Outcome::Failed)));
        let later = pipeline.run(&[result("stays", Outcome::Passed)]);
        assert_eq!(changes(&later), [("stays", Change::StillPassing)]);
        let back =
            pipeline.run(&[result("stays", Outcome::Passed), result("goes", Outcome::Passed)]);
        assert_eq!(changes(&back)[1], ("goes", Change::Fixed), "its history was kept");
    }

    #[test]
    fn a_cycle_of_some_cases_says_nothing_about_the_others() {
        let mut pipeline = Loop::default();
        pipeline.run(&[result("a", Outcome::Passed), result("b", Outcome::Passed)]);
        let part = pipeline.run_selected(&[result("a", Outcome::Failed)], Selection::Part);
        assert_eq!(changes(&part), [("a", Change::Regressed)]);
        // Removed meanwhile: it was last planned before the partial cycle, which is the baseline.
        let whole = pipeline.run(&[result("a", Outcome::Failed)]);
        assert_eq!(changes(&whole), [("a", Change::StillFailing), ("b", Change::Removed)]);
    }

    #[test]
    fn history_survives_a_rename() {
        let mut pipeline = Loop::default();
        pipeline.run(&[result("old", Outcome::Failed)]);
        let moved = pipeline.run(&[renamed("new", &["older", "old"])]);
        assert_eq!(changes(&moved), [("new", Change::Fixed)]);
        assert_eq!(moved.cases[0].known_as, Some(id("old")));
        assert_eq!(moved.renames, []);
        let later = pipeline.run(&[renamed("new", &["older", "old"])]);
        assert_eq!(changes(&later), [("new", Change::StillPassing)]);
        assert_eq!(later.cases[0].known_as, None);
    }

    #[test]
    fn an_earlier_id_that_somebody_else_answers_to_is_not_taken() {
        let mut pipeline = Loop::default();
        pipeline.run(&[result("old", Outcome::Failed)]);
        let split = pipeline.run(&[renamed("one", &["old"]), renamed("two", &["old"])]);
        assert_eq!(changes(&split), [("one", Change::Fixed), ("two", Change::NewPassing)]);
        let mut pipeline = Loop::default();
        pipeline.run(&[result("old", Outcome::Failed)]);
        let copied = pipeline.run(&[renamed("copy", &["old"]), result("old", Outcome::Failed)]);
        assert_eq!(changes(&copied), [("copy", Change::NewPassing), ("old", Change::StillFailing)]);
    }

    #[test]
    fn a_probable_rename_is_offered_but_not_assumed() {
        let mut pipeline = Loop::default();
        pipeline.run(&[result("login_with_password", Outcome::Failed)]);
        let moved = pipeline.run(&[result("login_with_passwords", Outcome::Failed)]);
        assert_eq!(
            changes(&moved),
            [
                ("login_with_passwords", Change::NewFailing),
                ("login_with_password", Change::Removed)
            ]
        );
        assert_eq!(moved.renames[0].from, id("login_with_password"));
        assert_eq!(moved.renames[0].to, id("login_with_passwords"));
    }

    #[test]
    fn another_definition_weakens_the_comparison() {
        let mut pipeline = Loop::default();
        for _ in 0..9 {
            pipeline.run(&[result("a", Outcome::Passed)]);
        }
        let slow = CaseResult { duration_ms: 900, ..result("a", Outcome::Passed) };
        let mut again = || pipeline.run(std::slice::from_ref(&slow)).cases.remove(0);
        assert_eq!((again().slower, again().slower), (None, None));
        let found = again();
        let figures = |s: Slower| (s.runs, s.now_ms, s.median_ms, s.max_ms, s.samples);
        assert_eq!(found.slower.map(figures), Some((3, 900, 100, 100, 9)));
        assert!(!found.definition_changed);
        let other = CaseResult { definition: "d2".into(), duration_ms: 5_000, ..slow };
        let found = pipeline.run(&[other]).cases.remove(0);
        assert!(found.definition_changed);
        assert_eq!(found.slower, None, "other steps may take longer");
    }

    #[test]
    fn a_cycle_that_never_reached_its_suite_carries_what_was_known() {
        let mut pipeline = Loop::default();
        pipeline.run(&[result("old", Outcome::Failed), result("gone", Outcome::Passed)]);
        let planned = [
            CaseResult { was: vec![id("old")], ..result("now", Outcome::NotRun) },
            result("new", Outcome::NotRun),
        ];
        let cases = carried(&planned, &pipeline.known());
        let told: Vec<_> = cases
            .iter()
            .map(|case| (case.case.as_str(), case.change, case.before, case.carried.as_ref()))
            .collect();
        let failed = Carried {
            from: pipeline.heads[&id("old")].known.clone().unwrap().at,
            outcome: Outcome::Failed,
        };
        assert_eq!(
            told,
            [
                ("now", Some(Change::NotRun), Some(Outcome::Failed), Some(&failed)),
                ("new", Some(Change::NotRun), None, None),
            ]
        );
    }

    #[test]
    fn a_void_cycle_is_listed_without_comparison() {
        let cases = uncompared(&[result("a", Outcome::Failed)]);
        assert_eq!((cases[0].change, cases[0].outcome), (None, Some(Outcome::Failed)));
        assert_eq!(cases[0].first_failing, None);
    }
}
