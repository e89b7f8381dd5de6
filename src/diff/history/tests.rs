//! What a cycle leaves behind for the next one, case by case.

#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::diff::{Selection, Tested, compare, slower};
use crate::domain::change::tests::oracle;
use crate::domain::failure::{Blame, Failure, FailureClass};
use crate::domain::findings::{FlakyRate, Slower};
use crate::domain::names::Fingerprint;
use crate::domain::revision::Sha;

const CASES: usize = 3;

/// What a cycle of a made-up history did with one case.
#[derive(Debug, Clone)]
struct Run {
    outcome: Outcome,
    print: u8,
    definition: u8,
    duration_ms: u64,
}

/// One cycle of a made-up history; a case that is `None` was not planned.
#[derive(Debug, Clone)]
struct Cycle {
    void: bool,
    revision: u8,
    config: u8,
    runs: [Option<Run>; CASES],
}

fn run() -> impl Strategy<Value = Option<Run>> {
    let outcome = prop::sample::select(Outcome::ALL);
    let run = (outcome, 0_u8..2, 0_u8..8, prop_oneof![100_u64..130, 100_u64..900]);
    let run = run.prop_map(|(outcome, print, definition, duration_ms)| Run {
        outcome,
        print,
        // Definitions change seldom, or nothing could ever be called slower.
        definition: definition / 7,
        duration_ms,
    });
    prop::option::weighted(0.9, run)
}

fn cycle() -> impl Strategy<Value = Cycle> {
    let runs = [run(), run(), run()];
    (prop::bool::weighted(0.15), 0_u8..4, 0_u8..2, runs)
        .prop_map(|(void, revision, config, runs)| Cycle { void, revision, config, runs })
}

fn cycle_ref(cycles: &[Cycle], index: usize) -> CycleRef {
    let digit = char::from(b'a' + cycles[index].revision).to_string();
    let revision = Sha::parse(&digit.repeat(40)).unwrap();
    CycleRef { cycle: u32::try_from(index + 1).unwrap(), revision }
}

fn case_id(case: usize) -> CaseId {
    CaseId::parse(["first", "second", "third"][case]).unwrap()
}

fn results(cycle: &Cycle) -> Vec<CaseResult> {
    let planned = cycle.runs.iter().enumerate();
    let planned = planned.filter_map(|(case, run)| Some((case, run.as_ref()?)));
    planned.map(|(case, run)| result(case, run)).collect()
}

fn result(case: usize, run: &Run) -> CaseResult {
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
    let print = Fingerprint::new(1, &run.print.to_string());
    CaseResult {
        case: case_id(case),
        was: Vec::new(),
        outcome: run.outcome,
        duration_ms: run.duration_ms,
        attempts: 1,
        failure: run.outcome.is_failing().then_some((print, failure.into())),
        definition: run.definition.to_string().into(),
    }
}

/// The whole history of one case up to a cycle, read anew each time: what heads must agree with.
struct Naive<'a> {
    cycles: &'a [Cycle],
    /// Valid cycles that ran the case to a known result, before the one that is compared.
    known: Vec<(usize, &'a Run)>,
    now: (usize, &'a Run),
}

impl<'a> Naive<'a> {
    fn of(cycles: &'a [Cycle], index: usize, case: usize) -> Option<Self> {
        let now = (index, cycles[index].runs[case].as_ref()?);
        let earlier = cycles[..index].iter().enumerate().filter(|(_, cycle)| !cycle.void);
        let known = earlier
            .filter_map(|(at, cycle)| Some((at, cycle.runs[case].as_ref()?)))
            .filter(|(_, run)| !matches!(run.outcome, Outcome::NotRun | Outcome::Skipped))
            .collect();
        Some(Self { cycles, known, now })
    }

    fn last(&self) -> Option<&(usize, &'a Run)> {
        self.known.last()
    }

    fn failing(run: &Run) -> bool {
        matches!(run.outcome, Outcome::Failed | Outcome::Errored)
    }

    /// The unbroken series of failures at the end of what is known before now.
    fn series(&self) -> Vec<usize> {
        let back = self.known.iter().rev().take_while(|(_, run)| Self::failing(run));
        let mut series: Vec<usize> = back.map(|(at, _)| *at).collect();
        series.reverse();
        series
    }

    fn last_good(&self) -> Option<CycleRef> {
        let good = self.known.iter().rev().find(|(_, run)| !Self::failing(run));
        good.map(|(at, _)| cycle_ref(self.cycles, *at))
    }

    fn flaky_rate(&self) -> Option<FlakyRate> {
        let mut runs = self.of_this_definition().to_vec();
        if !matches!(self.now.1.outcome, Outcome::NotRun | Outcome::Skipped) {
            runs.push(self.now);
        }
        let runs = &runs[runs.len().saturating_sub(50)..];
        let at_odds = |(at, run): &&(usize, &Run)| {
            run.outcome == Outcome::Flaky
                || Self::failing(run)
                    && runs.iter().any(|(other, run)| {
                        self.cycles[*other].revision == self.cycles[*at].revision
                            && !Self::failing(run)
                    })
        };
        let flaky = runs.iter().filter(at_odds).count();
        let count = |n: usize| u32::try_from(n).unwrap();
        (flaky > 0).then(|| FlakyRate { flaky: count(flaky), of: count(runs.len()) })
    }

    /// The known runs since the case was defined as it is now.
    fn of_this_definition(&self) -> &[(usize, &'a Run)] {
        let same = |(_, run): &&(usize, &Run)| run.definition == self.now.1.definition;
        let count = self.known.iter().rev().take_while(same).count();
        &self.known[self.known.len() - count..]
    }

    /// Whether the figures are those that were asked of the right runs; what they must be has its own
    /// tests.
    fn slower(&self) -> Option<Slower> {
        let same = self.of_this_definition();
        let recent: Vec<RecentRun> = same[same.len().saturating_sub(50)..]
            .iter()
            .filter(|(_, run)| !Self::failing(run))
            .map(|(_, run)| RecentRun {
                cycle: 1,
                revision_key: 1,
                duration_ms: run.duration_ms as u32,
                outcome: run.outcome,
            })
            .collect();
        let passed = matches!(self.now.1.outcome, Outcome::Passed | Outcome::Flaky);
        passed.then(|| slower::slower(&recent, self.now.1.duration_ms)).flatten()
    }

    fn check(&self, found: &CaseFinding) -> Result<(), TestCaseError> {
        let before = self.last().map(|(_, run)| run.outcome);
        let same = self.last().is_none_or(|(_, run)| run.print == self.now.1.print);
        prop_assert_eq!(
            vec![found.change.unwrap()],
            oracle(before, Some(self.now.1.outcome), same)
        );
        prop_assert_eq!(found.before, before);
        let known = matches!(self.now.1.outcome, Outcome::NotRun | Outcome::Skipped);
        let carried = self.last().filter(|_| known);
        prop_assert_eq!(
            found.carried.as_ref().map(|c| (c.from.clone(), c.outcome)),
            carried.map(|(at, run)| (cycle_ref(self.cycles, *at), run.outcome))
        );
        let definition_changed =
            self.last().is_some_and(|(_, run)| run.definition != self.now.1.definition);
        prop_assert_eq!(found.definition_changed, definition_changed);
        prop_assert_eq!(found.flaky_rate, self.flaky_rate());
        prop_assert_eq!(found.slower, self.slower());
        self.check_series(found)
    }

    fn check_series(&self, found: &CaseFinding) -> Result<(), TestCaseError> {
        let series = self.series();
        if Self::failing(self.now.1) {
            let first = series.first().copied().unwrap_or(self.now.0);
            prop_assert_eq!(found.first_failing.clone(), Some(cycle_ref(self.cycles, first)));
            prop_assert_eq!(found.age as usize, series.len() + 1);
            prop_assert_eq!(found.last_good.clone(), self.last_good());
        } else {
            let good = matches!(self.now.1.outcome, Outcome::Passed | Outcome::Flaky);
            let ended = series.first().filter(|_| good);
            let ended = ended.map(|first| cycle_ref(self.cycles, *first));
            prop_assert_eq!(found.first_failing.clone(), ended);
            prop_assert_eq!((found.age, found.last_good.clone()), (0, None));
        }
        Ok(())
    }
}

/// Cases that the valid cycle before this one planned and this one does not.
fn removed(cycles: &[Cycle], index: usize) -> Vec<CaseId> {
    let Some(before) = cycles[..index].iter().rev().find(|cycle| !cycle.void) else {
        return Vec::new();
    };
    (0..CASES)
        .filter(|case| before.runs[*case].is_some() && cycles[index].runs[*case].is_none())
        .map(case_id)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn heads_agree_with_the_whole_history(cycles in prop::collection::vec(cycle(), 1..80)) {
        let mut heads: HashMap<CaseId, CaseHead> = HashMap::new();
        let mut last_whole = None;
        for (index, cycle) in cycles.iter().enumerate().filter(|(_, cycle)| !cycle.void) {
            let this = cycle_ref(&cycles, index);
            let results = results(cycle);
            let comparison = Comparison {
                this: &this,
                config_digest: &cycle.config.to_string().into(),
                results: &results,
                last_whole,
                selection: Selection::Whole,
                tested: Tested::Revision,
            };
            let known = Heads::from(heads.values().cloned().collect::<Vec<_>>());
            let found = compare(&comparison, &known).cases;
            let (planned, gone) = found.split_at(results.len());
            let naive = (0..CASES).filter_map(|case| Naive::of(&cycles, index, case));
            for (naive, finding) in naive.zip(planned) {
                naive.check(finding)?;
            }
            let gone: Vec<CaseId> = gone.iter().map(|finding| finding.case.clone()).collect();
            prop_assert_eq!(gone, removed(&cycles, index));
            let advanced = advance_all(&comparison, &found, known);
            prop_assert!(advanced.iter().all(|head| head.recent.len() <= RECENT_RUNS));
            heads.extend(advanced.into_iter().map(|head| (head.case.clone(), head)));
            last_whole = Some(this.cycle);
        }
    }
}

/// A history in short: revision, configuration, definition, outcome of each run; the causes of
/// what the last one brought.
#[test]
fn causes_are_told_apart() {
    use Cause::{Code, Config, Environment, Flake, Suite, Unknown};
    use Outcome::{Errored, Failed, Flaky, NotRun, Passed};
    type Step = (u8, u8, u8, Outcome);
    let table: &[(&[Step], &[Cause])] = &[
        (&[(1, 1, 1, Failed)], &[Unknown]),
        (&[(1, 1, 1, NotRun), (2, 1, 1, Failed)], &[Unknown]),
        (&[(1, 1, 1, Passed), (2, 1, 1, Failed)], &[Code]),
        (&[(1, 1, 1, Passed), (1, 1, 2, Failed)], &[Suite]),
        (&[(1, 1, 1, Passed), (1, 2, 1, Failed)], &[Config]),
        (&[(1, 1, 1, Passed), (1, 1, 1, Errored)], &[Environment]),
        (&[(1, 1, 1, Passed), (2, 2, 2, Failed)], &[Suite, Config, Code]),
        // A revision that was good is not to blame when it comes back.
        (&[(1, 1, 1, Passed), (2, 1, 1, Passed), (1, 1, 1, Failed)], &[Environment]),
        (&[(1, 1, 1, Failed), (1, 1, 1, Passed), (1, 1, 1, Failed)], &[Flake]),
        (&[(1, 1, 1, Flaky), (1, 1, 1, Failed)], &[Flake]),
        (&[(1, 1, 1, Flaky), (2, 1, 1, Failed)], &[Code]),
        // A failure that goes on keeps the causes of its beginning.
        (&[(1, 1, 1, Passed), (2, 1, 1, Failed), (2, 2, 2, Failed)], &[Code]),
        (&[(1, 1, 1, Passed), (2, 1, 1, Failed), (3, 1, 1, NotRun)], &[Code]),
        (&[(1, 1, 1, Passed), (2, 1, 1, Failed), (3, 1, 1, Passed)], &[]),
    ];
    for (steps, expected) in table {
        assert_eq!(causes_after_steps(steps), *expected, "{steps:?}");
    }
}

fn causes_after_steps(steps: &[(u8, u8, u8, Outcome)]) -> Vec<Cause> {
    let mut head: Option<CaseHead> = None;
    for (cycle, (revision, config, definition, outcome)) in (1..).zip(steps) {
        let revision = Sha::parse(&revision.to_string().repeat(40)).unwrap();
        let run = Run { outcome: *outcome, print: 0, definition: *definition, duration_ms: 1 };
        let this = CycleRef { cycle, revision };
        head = Some(advance(
            head,
            &result(0, &run),
            &this,
            &config.to_string().into(),
            Tested::Revision,
        ));
    }
    head.unwrap().causes
}

#[test]
fn another_failure_has_causes_of_its_own() {
    let run = |print, outcome| Run { outcome, print, definition: 1, duration_ms: 1 };
    let at =
        |cycle, digit: &str| CycleRef { cycle, revision: Sha::parse(&digit.repeat(40)).unwrap() };
    let head = advance(
        None,
        &result(0, &run(0, Outcome::Passed)),
        &at(1, "1"),
        &"c".into(),
        Tested::Revision,
    );
    let head = advance(
        Some(head),
        &result(0, &run(0, Outcome::Failed)),
        &at(2, "2"),
        &"c".into(),
        Tested::Revision,
    );
    assert_eq!(head.causes, [Cause::Code]);
    let head = advance(
        Some(head),
        &result(0, &run(1, Outcome::Failed)),
        &at(3, "2"),
        &"d".into(),
        Tested::Revision,
    );
    assert_eq!(head.causes, [Cause::Config]);
    assert_eq!((head.failing_for, head.first_failing.unwrap().cycle), (2, 2));
}

#[test]
fn a_commit_is_never_to_blame_when_nothing_tells_what_was_served() {
    let run = |outcome, definition| Run { outcome, print: 0, definition, duration_ms: 1 };
    let at =
        |cycle, digit: &str| CycleRef { cycle, revision: Sha::parse(&digit.repeat(40)).unwrap() };
    let table: &[(&str, u8, &str, Tested, &[Cause])] = &[
        ("2", 1, "c", Tested::Revision, &[Cause::Code]),
        ("2", 1, "c", Tested::WhateverServed, &[Cause::Unknown]),
        ("1", 1, "c", Tested::WhateverServed, &[Cause::Environment]),
        ("2", 2, "c", Tested::WhateverServed, &[Cause::Suite]),
        ("2", 1, "d", Tested::WhateverServed, &[Cause::Config]),
    ];
    for (revision, definition, config, tested, expected) in table {
        let (good, bad) = (run(Outcome::Passed, 1), run(Outcome::Failed, *definition));
        let head = advance(None, &result(0, &good), &at(1, "1"), &"c".into(), *tested);
        let bad = result(0, &bad);
        let head = advance(Some(head), &bad, &at(2, revision), &(*config).into(), *tested);
        assert_eq!(head.causes, *expected, "{revision} {definition} {config} {tested:?}");
    }
}

/// A case that failed on a revision that was also good fails in the same way on the next commit.
#[test]
fn a_known_flake_is_not_blamed_on_the_next_commit() {
    let run = |outcome, print| Run { outcome, print, definition: 1, duration_ms: 1 };
    let at = |cycle, digit: u32| CycleRef {
        cycle,
        revision: Sha::parse(&digit.to_string().repeat(40)).unwrap(),
    };
    let after = |how_many_good: u32, prints: &[u8], revision: u32| {
        let mut head: Option<CaseHead> = None;
        let mut cycle = 0;
        let mut add = |revision, run: &Run| {
            cycle += 1;
            let result = result(0, run);
            let this = at(cycle, revision);
            head = Some(advance(head.take(), &result, &this, &"c".into(), Tested::Revision));
        };
        for _ in 0..3 {
            add(1, &run(Outcome::Passed, 0));
            add(1, &run(Outcome::Failed, 0));
        }
        (0..how_many_good).for_each(|_| add(1, &run(Outcome::Passed, 0)));
        prints.iter().for_each(|print| add(revision, &run(Outcome::Failed, *print)));
        head.unwrap().causes
    };
    use Cause::{Code, Flake};
    let table: &[(u32, &[u8], &[Cause])] = &[
        (1, &[0], &[Flake, Code]),
        // 3 of 7 three times in a row is still chance; four times is not.
        (1, &[0, 0, 0], &[Flake, Code]),
        (1, &[0, 0, 0, 0], &[Code]),
        (1, &[1], &[Code]),
        // Too seldom to explain anything.
        (44, &[0], &[Flake, Code]),
        (46, &[0], &[Code]),
    ];
    for (good, prints, expected) in table {
        assert_eq!(after(*good, prints, 2), *expected, "{good} {prints:?}");
    }
}
