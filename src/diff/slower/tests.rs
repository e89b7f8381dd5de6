//! Tables, an independent count, and simulations whose figures are printed (`--nocapture`).

#![allow(clippy::unwrap_used, clippy::print_stdout)] // The figures of a simulation are printed.

use proptest::prelude::*;

use super::*;
use crate::domain::outcome::Outcome;

fn passes(durations: &[u64]) -> Vec<RecentRun> {
    let run = |(at, ms): (usize, &u64)| RecentRun {
        cycle: at as u32 + 1,
        revision_key: 7,
        duration_ms: *ms as u32,
        outcome: Outcome::Passed,
    };
    durations.iter().enumerate().map(run).collect()
}

fn asked_of(earlier: &[u64], now: u64) -> Option<(u32, u64, u64, u32)> {
    let found = slower(&passes(earlier), now)?;
    Some((found.runs, found.now_ms, found.median_ms, found.samples))
}

#[test]
fn what_it_takes_to_be_slower() {
    let steady = [600, 640, 580, 610, 600, 590, 620, 600, 605];
    let with = |more: &[u64]| [&steady[..], more].concat();
    assert_eq!(asked_of(&steady, 1_900), None, "one pass after nine is no evidence");
    assert_eq!(asked_of(&with(&[1_900]), 1_800), None, "nor are two after nine");
    assert_eq!(asked_of(&with(&[1_900, 1_800]), 2_000), Some((3, 1_900, 600, 9)));
    assert_eq!(asked_of(&with(&[1_900, 610]), 2_000), None, "in between it was fast");
    assert_eq!(asked_of(&with(&[690, 680]), 695), None, "sure, and nobody would notice");
    let twenty = [&steady[..], &steady[..], &[600]].concat();
    assert_eq!(asked_of(&[&twenty[..], &[1_900]].concat(), 1_800), Some((2, 1_800, 600, 19)));
    assert_eq!(asked_of(&[600; 48], 9_000), None);
    assert_eq!(asked_of(&[600; 49], 9_000), Some((1, 9_000, 600, 49)));
    assert_eq!(asked_of(&[], 9_000), None);
}

#[test]
fn an_outlier_of_long_ago_does_not_hide_what_is_slower_now() {
    let mut long = vec![600; 40];
    long[3] = 30_000;
    let found = slower(&passes(&[&long[..], &[1_900, 1_950]].concat()), 2_000).unwrap();
    assert_eq!((found.runs, found.max_ms, found.median_ms), (3, 30_000, 600));
}

#[test]
fn failures_and_other_definitions_are_no_history() {
    let mut runs = passes(&[&[600; 7][..], &[1_900, 1_800]].concat());
    assert!(slower(&runs, 2_000).is_some());
    runs[0].outcome = Outcome::Failed;
    assert_eq!(slower(&runs, 2_000), None);
    runs[0].outcome = Outcome::Passed;
    runs[0].revision_key = RecentRun::REDEFINED;
    assert_eq!(slower(&runs, 2_000), None);
}

/// The share of all choices of `k` positions whose durations beat as many others: by pairs, not by ranks.
fn by_pairs(before: &[u64], latest: &[u64]) -> u32 {
    let all = [before, latest].concat();
    let won = |chosen: &[usize]| -> i64 {
        let others = (0..all.len()).filter(|at| !chosen.contains(at));
        others
            .flat_map(|other| chosen.iter().map(move |at| (*at, other)))
            .map(|(at, other)| all[at].cmp(&all[other]) as i64)
            .sum()
    };
    let mut choices: Vec<Vec<usize>> = vec![vec![]];
    for _ in latest {
        choices = choices
            .iter()
            .flat_map(|chosen| {
                let from = chosen.last().map_or(0, |last| last + 1);
                (from..all.len()).map(move |at| [&chosen[..], &[at]].concat())
            })
            .collect();
    }
    let real = won(&(before.len()..all.len()).collect::<Vec<_>>());
    let hits = choices.iter().filter(|chosen| won(chosen) >= real).count();
    (hits * 1_000_000).div_ceil(choices.len()) as u32
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_chance_is_the_share_of_orders(
        before in prop::collection::vec(0_u64..30, 1..14),
        latest in prop::collection::vec(0_u64..30, 1..4),
    ) {
        prop_assert_eq!(chance(&before, &latest), by_pairs(&before, &latest));
    }

    /// Slower still is never less slow, and the unit of the durations does not matter.
    #[test]
    fn a_longer_pass_is_never_less_likely_to_be_told(
        earlier in prop::collection::vec(1_u64..5_000, 0..50),
        now in 0_u64..20_000,
        more in 0_u64..20_000,
    ) {
        if slower(&passes(&earlier), now).is_some() {
            prop_assert!(slower(&passes(&earlier), now + more).is_some());
        }
    }
}

/// A generator of its own: the same figures on every machine.
struct Noise(u64);

impl Noise {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Around 600 ms: steady, skewed, or with one in ten far off.
    fn duration(&mut self, shape: &str) -> u64 {
        let normal = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        let ms = match shape {
            "steady" => 600.0 * (1.0 + 0.1 * normal),
            "skewed" => 600.0 * (0.6 * normal).exp(),
            _ if self.unit() < 0.1 => 600.0 * (3.0 + 10.0 * self.unit()),
            _ => 600.0 * (1.0 + 0.1 * normal),
        };
        ms.max(1.0) as u64
    }
}

/// The share of series in which the last pass is called slower, when the last `slow` passes take `factor`
/// times as long.
fn told(shape: &str, earlier: usize, slow: usize, factor: u64) -> f64 {
    const SERIES: usize = 4_000;
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let called = (0..SERIES)
        .filter(|_| {
            let mut series: Vec<u64> =
                (0..earlier + slow.max(1)).map(|_| noise.duration(shape)).collect();
            let from = series.len() - slow;
            series[from..].iter_mut().for_each(|ms| *ms *= factor);
            let now = series.pop().unwrap();
            slower(&passes(&series), now).is_some()
        })
        .count();
    called as f64 / SERIES as f64
}

#[test]
fn noise_is_rarely_called_slower_and_what_is_slower_is_soon_told() {
    // Where many passes take twice the median anyway, three times as long is told later.
    for (shape, least_told) in [("steady", 0.99), ("skewed", 0.5), ("outliers", 0.7)] {
        for earlier in [9, 19, 49] {
            let false_alarms = told(shape, earlier, 0, 1);
            println!("{shape}, {earlier} passes: false alarms {:.2} %", 100.0 * false_alarms);
            assert!(false_alarms <= 0.035, "{shape} {earlier}: {false_alarms}");
        }
        let (after_two, after_three) = (told(shape, 30, 2, 3), told(shape, 30, 3, 3));
        println!(
            "{shape}, three times as slow after 30 passes: told by the second {:.1} %, by the third {:.1} %",
            100.0 * after_two,
            100.0 * after_three
        );
        assert!(after_three >= least_told, "{shape}: {after_three}");
    }
    assert_eq!(told("steady", 9, 0, 1), 0.0, "a tenth more or less is below the least effect");
}
