//! Whether a case takes longer than its history explains.
//!
//! Durations on a staging are few, skewed, and have outliers, so nothing is assumed of their shape: the
//! latest one, two or three passes are held against those before by the exact one-sided test of Mann and
//! Whitney (H. B. Mann, D. R. Whitney, "On a Test of Whether one of Two Random Variables is Stochastically
//! Larger than the Other", Annals of Mathematical Statistics 18, 1947; with middle ranks for ties). It
//! counts in how many of all orders of the same durations the latest would rank at least as high. And
//! a difference must be large enough to matter to somebody, however sure it is.

use crate::domain::findings::Slower;
use crate::domain::history::RecentRun;

use super::figures::is_good;

/// One way to ask: how many of the latest passes, and how unlikely they must be, in a million.
struct Question {
    runs: usize,
    max_ppm: u32,
}

/// Together they call noise slower in at most 35 of 1,000 runs of a case, and the least effect makes that
/// far fewer. A single pass can only be told once 49 came before it, two in a row after 19, three after 7.
const QUESTIONS: [Question; 3] = [
    Question { runs: 3, max_ppm: 10_000 },
    Question { runs: 2, max_ppm: 5_000 },
    Question { runs: 1, max_ppm: 20_000 },
];
/// The median must have grown by so much …
const MIN_EXCESS_MS: u64 = 100;
/// … and by this share, in percent.
const MIN_GROWTH: u64 = 50;

/// The figures, when a pass of `duration_ms` and perhaps those right before it took longer than the
/// earlier ones explain. `earlier` is oldest first; only passes of the present definition count.
pub(super) fn slower(earlier: &[RecentRun], duration_ms: u64) -> Option<Slower> {
    let passes =
        earlier.iter().filter(|run| is_good(run.outcome) && run.is_of_present_definition());
    let mut durations: Vec<u64> = passes.map(|run| u64::from(run.duration_ms)).collect();
    durations.push(duration_ms);
    // Nearly every duration is like the one before: nothing is sorted for those.
    let fastest = durations.iter().min()?;
    if duration_ms < fastest.saturating_add(MIN_EXCESS_MS) {
        return None;
    }
    QUESTIONS.iter().find_map(|question| asked(&durations, question))
}

fn asked(durations: &[u64], question: &Question) -> Option<Slower> {
    let (before, latest) = durations.split_at(durations.len().checked_sub(question.runs)?);
    let (before, latest) = (sorted(before), sorted(latest));
    let max_ms = *before.last()?;
    // Of an even number the upper middle then and the lower middle now: the smaller difference.
    let (median_ms, now_ms) = (before[before.len() / 2], latest[(latest.len() - 1) / 2]);
    let least = (median_ms + MIN_EXCESS_MS).max(median_ms + median_ms * MIN_GROWTH / 100);
    if now_ms < least {
        return None;
    }
    let chance_ppm = chance(&before, &latest);
    (chance_ppm <= question.max_ppm).then(|| Slower {
        median_ms,
        max_ms,
        samples: count(before.len()),
        runs: count(latest.len()),
        now_ms,
        chance_ppm,
    })
}

/// In how many of a million orders the latest would rank at least as high, rounded up.
fn chance(before: &[u64], latest: &[u64]) -> u32 {
    let all = sorted(&[before, latest].concat());
    // Twice the middle rank, so that ties stay whole numbers.
    let rank = |ms: &u64| {
        let below = all.partition_point(|other| other < ms);
        below + all.partition_point(|other| other <= ms) + 1
    };
    let ranks: Vec<usize> = all.iter().map(rank).collect();
    let reached = latest.iter().map(rank).sum();
    let hits = at_least(&ranks, latest.len(), reached);
    let orders = at_least(&ranks, latest.len(), 0);
    u32::try_from((hits * 1_000_000).div_ceil(orders.max(1))).unwrap_or(u32::MAX)
}

/// How many choices of `picks` of the ranks, which are sorted, add up to at least `sum`.
fn at_least(ranks: &[usize], picks: usize, sum: usize) -> u64 {
    if picks == 0 {
        return u64::from(sum == 0);
    }
    if picks == 1 {
        return (ranks.len() - ranks.partition_point(|rank| *rank < sum)) as u64;
    }
    (0..ranks.len())
        .map(|first| at_least(&ranks[first + 1..], picks - 1, sum.saturating_sub(ranks[first])))
        .sum()
}

fn sorted(durations: &[u64]) -> Vec<u64> {
    let mut durations = durations.to_vec();
    durations.sort_unstable();
    durations
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
