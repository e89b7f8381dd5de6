//! What a case's recent runs say about it: how often it is at odds with itself, and whether a
//! duration is out of the ordinary.

use crate::domain::findings::{FlakyRate, Slower};
use crate::domain::history::{RECENT_RUNS, RecentRun};
use crate::domain::outcome::Outcome;

/// So many earlier passes are needed before a duration can be out of the ordinary.
const MIN_PASSES: usize = 5;
/// A duration must exceed the slowest earlier pass by so much …
const MIN_EXCESS_MS: u64 = 100;
/// … and the median by this factor.
const MIN_FACTOR: u64 = 2;

/// How often a case was at odds with itself over its last fifty known runs, this one (`now`)
/// included; `None` when it never was.
pub(super) fn flaky_rate(earlier: &[RecentRun], now: Option<RecentRun>) -> Option<FlakyRate> {
    let room = RECENT_RUNS - usize::from(now.is_some());
    let kept = &earlier[earlier.len().saturating_sub(room)..];
    let runs = || kept.iter().chain(now.as_ref());
    // Nearly every case is always good or always failing: then there is nothing to count.
    if runs().all(|run| run.outcome == Outcome::Passed)
        || runs().all(|run| run.outcome.is_failing())
    {
        return None;
    }
    let good_on = |key: u32| runs().any(|run| run.revision_key == key && is_good(run.outcome));
    let at_odds = runs().filter(|run| match run.outcome {
        Outcome::Flaky => true,
        Outcome::Failed | Outcome::Errored => good_on(run.revision_key),
        Outcome::Passed | Outcome::NotRun | Outcome::Skipped => false,
    });
    let flaky = count(at_odds.count());
    (flaky > 0).then(|| FlakyRate { flaky, of: count(runs().count()) })
}

/// The figures, when a pass took longer than the earlier passes explain: at least 100 ms longer
/// than the slowest of them and more than twice their median, out of five or more.
pub(super) fn slower(earlier: &[RecentRun], duration_ms: u64) -> Option<Slower> {
    let passes = || earlier.iter().filter(|run| is_good(run.outcome));
    let max_ms = u64::from(passes().map(|run| run.duration_ms).max()?);
    if duration_ms < max_ms.saturating_add(MIN_EXCESS_MS) {
        return None;
    }
    let mut durations: Vec<u32> = passes().map(|run| run.duration_ms).collect();
    if durations.len() < MIN_PASSES {
        return None;
    }
    durations.sort_unstable();
    let median_ms = u64::from(durations[durations.len() / 2]);
    (duration_ms > median_ms.saturating_mul(MIN_FACTOR)).then(|| Slower {
        median_ms,
        max_ms,
        samples: count(durations.len()),
    })
}

/// `passed` or `flaky`.
pub(super) fn is_good(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Passed | Outcome::Flaky => true,
        Outcome::Failed | Outcome::Errored | Outcome::NotRun | Outcome::Skipped => false,
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(revision_key: u32, outcome: Outcome, duration_ms: u32) -> RecentRun {
        RecentRun { cycle: 1, revision_key, duration_ms, outcome }
    }

    #[test]
    fn a_case_is_flaky_by_its_own_word_or_by_contradiction_on_one_revision() {
        use Outcome::{Errored, Failed, Flaky, Passed};
        type Row<'a> = (&'a [(u32, Outcome)], Option<(u32, u32)>);
        let table: &[Row<'_>] = &[
            (&[], None),
            (&[(1, Passed), (1, Passed)], None),
            (&[(1, Failed), (1, Failed)], None),
            // Another revision explains another result.
            (&[(1, Passed), (2, Failed), (3, Passed)], None),
            (&[(1, Passed), (1, Failed)], Some((1, 2))),
            (&[(1, Errored), (2, Passed), (1, Passed)], Some((1, 3))),
            (&[(1, Failed), (1, Passed), (1, Failed), (1, Passed)], Some((2, 4))),
            (&[(1, Passed), (2, Flaky)], Some((1, 2))),
            (&[(1, Flaky), (1, Failed)], Some((2, 2))),
        ];
        for (runs, expected) in table {
            let runs: Vec<RecentRun> = runs.iter().map(|(key, o)| run(*key, *o, 1)).collect();
            let expected = expected.map(|(flaky, of)| FlakyRate { flaky, of });
            assert_eq!(flaky_rate(&runs, None), expected, "{runs:?}");
            if let Some((now, earlier)) = runs.split_last() {
                assert_eq!(flaky_rate(earlier, Some(*now)), expected, "{runs:?}");
            }
        }
    }

    #[test]
    fn only_the_last_fifty_runs_count() {
        let mut runs = vec![run(1, Outcome::Flaky, 1)];
        runs.extend((0..49).map(|_| run(1, Outcome::Passed, 1)));
        let passed = run(1, Outcome::Passed, 1);
        assert_eq!(flaky_rate(&runs, None), Some(FlakyRate { flaky: 1, of: 50 }));
        assert_eq!(flaky_rate(&runs, Some(passed)), None);
        runs[1].outcome = Outcome::Flaky;
        assert_eq!(flaky_rate(&runs, Some(passed)), Some(FlakyRate { flaky: 1, of: 50 }));
    }

    #[test]
    fn slower_needs_history_a_margin_and_a_factor() {
        let passes = |durations: &[u32]| -> Vec<RecentRun> {
            durations.iter().map(|ms| run(1, Outcome::Passed, *ms)).collect()
        };
        let steady = passes(&[100, 110, 90, 120, 100]);
        assert_eq!(slower(&steady, 300), Some(Slower { median_ms: 100, max_ms: 120, samples: 5 }));
        assert_eq!(slower(&steady, 219), None, "within 100 ms of the slowest");
        assert_eq!(slower(&passes(&[300; 5]), 500), None, "less than twice the median");
        assert_eq!(slower(&passes(&[100; 4]), 900), None, "too few");
        assert_eq!(slower(&[], 900), None);
        let mut failures = passes(&[100; 5]);
        failures[0].outcome = Outcome::Failed;
        assert_eq!(slower(&failures, 900), None, "a failure is no earlier pass");
    }
}
