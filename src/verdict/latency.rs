//! Percentiles over the runs of a case, by nearest rank: every figure is one that was measured.

use std::time::Duration;

use super::describe::{describe_bound, describe_duration};
use super::finding::Finding;
use crate::domain::evidence::Latencies;
use crate::domain::failure::FailureClass;
use crate::domain::spec::{DurationBound, Percentile};

/// The percentiles of some durations in microseconds; `None` without any.
pub fn percentiles(samples: &[u64]) -> Option<Latencies> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let at = |per_cent: usize| sorted[rank(sorted.len(), per_cent) - 1];
    Some(Latencies {
        samples: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
        min_us: *sorted.first()?,
        p50_us: at(50),
        p90_us: at(90),
        p95_us: at(95),
        p99_us: at(99),
        max_us: *sorted.last()?,
    })
}

/// The nearest rank, from 1: the smallest that at least so many of a hundred do not exceed.
fn rank(count: usize, per_cent: usize) -> usize {
    (count * per_cent).div_ceil(100).max(1)
}

/// Compares percentiles with their bounds.
pub fn judge_percentiles(
    bounds: &[(Percentile, DurationBound)],
    latencies: &Latencies,
) -> Result<(), Finding> {
    for (percentile, bound) in bounds {
        let measured = Duration::from_micros(value_of(*percentile, latencies));
        if !bound.ordering.holds(&measured, &bound.limit) {
            let subject = format!("latency {}", name_of(*percentile));
            let actual = format!("{} over {} runs", describe_duration(measured), latencies.samples);
            let wanted = describe_bound(*bound);
            return Err(Finding::service(FailureClass::Latency, subject, wanted, actual));
        }
    }
    Ok(())
}

fn value_of(percentile: Percentile, latencies: &Latencies) -> u64 {
    match percentile {
        Percentile::Min => latencies.min_us,
        Percentile::P50 => latencies.p50_us,
        Percentile::P90 => latencies.p90_us,
        Percentile::P95 => latencies.p95_us,
        Percentile::P99 => latencies.p99_us,
        Percentile::Max => latencies.max_us,
    }
}

fn name_of(percentile: Percentile) -> &'static str {
    match percentile {
        Percentile::Min => "min",
        Percentile::P50 => "p50",
        Percentile::P90 => "p90",
        Percentile::P95 => "p95",
        Percentile::P99 => "p99",
        Percentile::Max => "max",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::spec::Ordering;
    use proptest::prelude::*;

    #[test]
    fn ranks_are_the_nearest() {
        let hundred: Vec<u64> = (1..=100).rev().collect();
        let found = percentiles(&hundred).unwrap();
        assert_eq!((found.min_us, found.p50_us, found.p90_us), (1, 50, 90));
        assert_eq!((found.p95_us, found.p99_us, found.max_us), (95, 99, 100));
        let ten = percentiles(&[10, 20, 30, 40, 50, 60, 70, 80, 90, 100]).unwrap();
        assert_eq!((ten.p50_us, ten.p95_us, ten.p99_us), (50, 100, 100));
        let one = percentiles(&[7]).unwrap();
        assert_eq!((one.min_us, one.p50_us, one.max_us, one.samples), (7, 7, 7, 1));
        assert_eq!(percentiles(&[]), None);
    }

    #[test]
    fn a_broken_bound_names_percentile_and_sample_size() {
        let found = percentiles(&[1_000, 300_000]).unwrap();
        let below = |limit| DurationBound { ordering: Ordering::Less, limit };
        let good = [(Percentile::P50, below(Duration::from_millis(2)))];
        assert_eq!(judge_percentiles(&good, &found), Ok(()));
        let bad = [(Percentile::P95, below(Duration::from_millis(200)))];
        let message = judge_percentiles(&bad, &found).unwrap_err().into_failure().message;
        assert_eq!(message, "expected latency p95 < 200ms, got 300ms over 2 runs");
    }

    proptest! {
        #[test]
        fn percentiles_are_in_order_and_measured(samples in prop::collection::vec(any::<u64>(), 1..200)) {
            let l = percentiles(&samples).unwrap();
            let all = [l.min_us, l.p50_us, l.p90_us, l.p95_us, l.p99_us, l.max_us];
            prop_assert!(all.is_sorted());
            prop_assert!(all.iter().all(|value| samples.contains(value)));
        }
    }
}
