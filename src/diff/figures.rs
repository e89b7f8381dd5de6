//! What a case's recent runs say about it: how often it is at odds with itself.

use crate::domain::findings::FlakyRate;
use crate::domain::history::{RECENT_RUNS, RecentRun};
use crate::domain::outcome::Outcome;

/// How often a case was at odds with itself over its last fifty known runs, this one (`now`)
/// included; `None` when it never was.
pub(super) fn flaky_rate(earlier: &[RecentRun], now: Option<RecentRun>) -> Option<FlakyRate> {
    counted(earlier, now).map(|it| it.rate)
}

/// How often a case was at odds with itself, and when last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flakiness {
    /// How often, as reports count it (SPEC section 6, `flaky_rate`).
    pub rate: FlakyRate,
    /// The latest cycle in which it was.
    pub last_in: u32,
}

/// What the latest known runs of a case, oldest first, say of it; `None` when it never was at odds with itself.
pub fn flakiness(recent: &[RecentRun]) -> Option<Flakiness> {
    counted(recent, None)
}

fn counted(earlier: &[RecentRun], now: Option<RecentRun>) -> Option<Flakiness> {
    let room = RECENT_RUNS - usize::from(now.is_some());
    let kept = &earlier[earlier.len().saturating_sub(room)..];
    let kept = || kept.iter().filter(|run| run.is_of_present_definition());
    let runs = || kept().chain(now.as_ref());
    // Nearly every case is always good or always failing: then there is nothing to count.
    if runs().all(|run| run.outcome == Outcome::Passed)
        || runs().all(|run| run.outcome.is_failing())
    {
        return None;
    }
    let good_on = |key: u32| runs().any(|run| run.revision_key == key && is_good(run.outcome));
    let at_odds = || {
        runs().filter(|run| match run.outcome {
            Outcome::Flaky => true,
            Outcome::Failed | Outcome::Errored => good_on(run.revision_key),
            Outcome::Passed | Outcome::NotRun | Outcome::Skipped => false,
        })
    };
    let last_in = at_odds().next_back()?.cycle;
    let rate = FlakyRate { flaky: count(at_odds().count()), of: count(runs().count()) };
    Some(Flakiness { rate, last_in })
}

/// Whether so many failures in a row are no surprise after these runs, as often as the case was at odds
/// with itself in them.
pub(super) fn explains(before: &[RecentRun], failures: u32) -> bool {
    /// What happens by chance less often than this is news.
    const SURPRISE: f64 = 0.05;
    let rate = flaky_rate(before, None).filter(|rate| rate.is_habit());
    rate.is_some_and(|FlakyRate { flaky, of }| {
        let rate = f64::from(flaky) / f64::from(of);
        rate.powf(f64::from(failures)) >= SURPRISE
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
            // What the case was before somebody changed it is no contradiction.
            (&[(RecentRun::REDEFINED, Failed), (1, Passed)], None),
            (&[(RecentRun::REDEFINED, Flaky), (1, Failed), (1, Passed)], Some((1, 2))),
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
    fn only_what_a_case_often_does_is_no_surprise() {
        use Outcome::{Failed, Passed};
        // At odds so often, of so many runs; then so many failures in a row.
        for (flaky, of, failures, expected) in [
            (9, 24, 1, true),
            (9, 24, 3, true),
            (9, 24, 4, false),
            (2, 40, 1, true),
            (2, 41, 1, false),
            (1, 2, 1, false),
            (0, 24, 1, false),
        ] {
            let runs = (0..of).map(|n| run(1, if n < flaky { Failed } else { Passed }, 1));
            let runs: Vec<RecentRun> = runs.collect();
            assert_eq!(explains(&runs, failures), expected, "{flaky} of {of}, {failures}");
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
    fn when_a_case_was_at_odds_last_is_known() {
        use Outcome::{Failed, Flaky, Passed};
        let runs = |list: &[(u32, Outcome)]| -> Vec<RecentRun> {
            let of = |(cycle, (key, outcome)): (u32, &(u32, Outcome))| RecentRun {
                cycle,
                ..run(*key, *outcome, 1)
            };
            (1..).zip(list).map(of).collect()
        };
        let told = |list: &[(u32, Outcome)]| {
            flakiness(&runs(list)).map(|it| (it.rate.flaky, it.rate.of, it.last_in))
        };
        assert_eq!(told(&[(1, Passed), (2, Failed)]), None);
        assert_eq!(told(&[(1, Flaky), (1, Passed), (2, Failed)]), Some((1, 3, 1)));
        // The failure on the revision that was good is the one, not that on the next.
        assert_eq!(told(&[(1, Passed), (1, Failed), (2, Failed)]), Some((1, 3, 2)));
        let mut long = vec![(1, Flaky)];
        long.extend(std::iter::repeat_n((1, Passed), RECENT_RUNS));
        assert_eq!(told(&long), None);
    }
}
