//! The verdict of a cycle whose suite ran (SPEC section 5).

use crate::domain::names::CaseId;
use crate::domain::outcome::{Outcome, Verdict, VoidReason};
use crate::domain::spec::{FlakyPolicy, SuspiciousPolicy};

/// One planned case and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedOutcome {
    /// The case.
    pub case: CaseId,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it is in quarantine today, so that it does not decide.
    pub quarantined: bool,
    /// Whether it passed in a way that looks too good.
    pub suspicious: bool,
}

/// Everything that the verdict depends on.
#[derive(Debug, Clone)]
pub struct CycleFacts<'a> {
    /// Every planned case.
    pub cases: &'a [PlannedOutcome],
    /// What a flaky case means.
    pub flaky: FlakyPolicy,
    /// What a suspicious pass means.
    pub suspicious: SuspiciousPolicy,
    /// How many planned cases the pipeline expects.
    pub expected_cases: Option<u32>,
    /// Whether a surface served another revision during or after the suite than before it.
    pub revision_changed: bool,
    /// Whether a control failed.
    pub control_failed: bool,
}

/// The verdict, and the reason when it is void.
pub fn judge_cycle(facts: &CycleFacts<'_>) -> (Verdict, Option<VoidReason>) {
    if let Some(reason) = void_reason(facts) {
        return (Verdict::Void, Some(reason));
    }
    let deciding = || facts.cases.iter().filter(|case| !case.quarantined);
    if deciding().any(|case| is_red(case, facts)) {
        return (Verdict::Red, None);
    }
    if deciding().any(|case| case.outcome == Outcome::NotRun) {
        return (Verdict::Incomplete, None);
    }
    (Verdict::Green, None)
}

fn void_reason(facts: &CycleFacts<'_>) -> Option<VoidReason> {
    let tests = facts.cases.iter().filter(|case| !case.case.is_of_command());
    let planned = u32::try_from(tests.count()).unwrap_or(u32::MAX);
    if facts.expected_cases.is_some_and(|expected| expected != planned) {
        return Some(VoidReason::SuiteChanged);
    }
    if facts.revision_changed {
        return Some(VoidReason::RevisionChanged);
    }
    if facts.control_failed {
        return Some(VoidReason::ControlFailed);
    }
    // A suite that skipped everything showed nothing either, nor one whose every result is in
    // quarantine: no case that decides has spoken.
    let ran = facts.cases.iter().any(|case| case.outcome.is_known() && speaks(case));
    (!ran).then_some(VoidReason::NoResults)
}

/// Whether its result says something that decides. That a command is well again says nothing of what it
/// tests.
fn speaks(case: &PlannedOutcome) -> bool {
    !case.quarantined && (!case.case.is_of_command() || case.outcome.is_failing())
}

fn is_red(case: &PlannedOutcome, facts: &CycleFacts<'_>) -> bool {
    match case.outcome {
        Outcome::Failed | Outcome::Errored => true,
        Outcome::Flaky if facts.flaky == FlakyPolicy::Fail => true,
        Outcome::Flaky | Outcome::Passed => {
            case.suspicious && facts.suspicious == SuspiciousPolicy::Fail
        }
        Outcome::NotRun | Outcome::Skipped => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn case(outcome: Outcome) -> PlannedOutcome {
        let case = CaseId::parse("a").unwrap();
        PlannedOutcome { case, outcome, quarantined: false, suspicious: false }
    }

    fn facts(cases: &[PlannedOutcome]) -> CycleFacts<'_> {
        CycleFacts {
            cases,
            flaky: FlakyPolicy::Pass,
            suspicious: SuspiciousPolicy::Warn,
            expected_cases: None,
            revision_changed: false,
            control_failed: false,
        }
    }

    #[test]
    fn verdicts_of_outcomes() {
        use Outcome::{Errored, Failed, Flaky, NotRun, Passed, Skipped};
        let table: &[(&[Outcome], Verdict)] = &[
            (&[Passed], Verdict::Green),
            (&[Passed, Flaky, Skipped], Verdict::Green),
            (&[Passed, Failed], Verdict::Red),
            (&[Passed, Errored], Verdict::Red),
            (&[Passed, NotRun], Verdict::Incomplete),
            (&[Failed, NotRun], Verdict::Red),
            (&[NotRun, NotRun], Verdict::Void),
            (&[Skipped], Verdict::Void),
            (&[], Verdict::Void),
        ];
        for (outcomes, verdict) in table {
            let cases: Vec<PlannedOutcome> = outcomes.iter().copied().map(case).collect();
            assert_eq!(judge_cycle(&facts(&cases)).0, *verdict, "{outcomes:?}");
        }
    }

    #[test]
    fn quarantine_does_not_decide() {
        let mut failing = case(Outcome::Failed);
        failing.quarantined = true;
        let mut missing = case(Outcome::NotRun);
        missing.quarantined = true;
        let cases = [case(Outcome::Passed), failing, missing];
        assert_eq!(judge_cycle(&facts(&cases)), (Verdict::Green, None));
    }

    #[test]
    fn a_suite_in_quarantine_shows_nothing() {
        let mut failing = case(Outcome::Failed);
        failing.quarantined = true;
        let cases = [failing];
        let void = (Verdict::Void, Some(VoidReason::NoResults));
        assert_eq!(judge_cycle(&facts(&cases)), void);
    }

    #[test]
    fn policies_turn_green_into_red() {
        let flaky = [case(Outcome::Flaky)];
        let strict = CycleFacts { flaky: FlakyPolicy::Fail, ..facts(&flaky) };
        assert_eq!(judge_cycle(&strict).0, Verdict::Red);
        let mut good = case(Outcome::Passed);
        good.suspicious = true;
        let cases = [good];
        assert_eq!(judge_cycle(&facts(&cases)).0, Verdict::Green);
        let strict = CycleFacts { suspicious: SuspiciousPolicy::Fail, ..facts(&cases) };
        assert_eq!(judge_cycle(&strict).0, Verdict::Red);
    }

    #[test]
    fn what_makes_a_cycle_void() {
        let cases = [case(Outcome::Failed)];
        let void = |facts: CycleFacts<'_>| judge_cycle(&facts).1.unwrap();
        let base = facts(&cases);
        let changed = CycleFacts { expected_cases: Some(2), ..base.clone() };
        assert_eq!(void(changed), VoidReason::SuiteChanged);
        let moved = CycleFacts { revision_changed: true, ..base.clone() };
        assert_eq!(void(moved), VoidReason::RevisionChanged);
        let control = CycleFacts { control_failed: true, ..base.clone() };
        assert_eq!(void(control), VoidReason::ControlFailed);
        assert_eq!(void(facts(&[])), VoidReason::NoResults);
        let right = CycleFacts { expected_cases: Some(1), ..base };
        assert_eq!(judge_cycle(&right), (Verdict::Red, None));
    }

    proptest! {
        #[test]
        fn green_means_that_something_passed_and_nothing_failed(
            picks in prop::collection::vec(0usize..Outcome::ALL.len(), 0..12),
        ) {
            let cases: Vec<PlannedOutcome> =
                picks.into_iter().map(|i| case(Outcome::ALL[i])).collect();
            let (verdict, void) = judge_cycle(&facts(&cases));
            let count = |f: fn(Outcome) -> bool| cases.iter().filter(|c| f(c.outcome)).count();
            prop_assert_eq!(verdict == Verdict::Void, void.is_some());
            if verdict == Verdict::Green {
                prop_assert_eq!(count(Outcome::is_failing), 0);
                prop_assert!(count(Outcome::is_known) > 0);
            }
            if count(Outcome::is_failing) > 0 {
                prop_assert_eq!(verdict, Verdict::Red);
            }
        }
    }
}
