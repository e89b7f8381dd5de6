//! Splits the tests of a command into parts that take about as long as each other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a test without a past is taken to need: as long as the average of the others, or this where
/// none has one.
const UNKNOWN_MS: u64 = 1_000;

/// Splits tests, each with what it took the last time, into `parts`: the longest first, each to the part
/// with the least so far. The order within a part is the one they came in. The same input always gives
/// the same parts.
pub fn split<'a>(tests: &[(&'a str, Option<u64>)], parts: usize) -> Vec<Vec<&'a str>> {
    let known: Vec<u64> = tests.iter().filter_map(|(_, took)| *took).collect();
    let average = known.iter().sum::<u64>().checked_div(known.len() as u64).unwrap_or(UNKNOWN_MS);
    let mut order: Vec<(usize, u64)> = tests
        .iter()
        .enumerate()
        .map(|(place, (_, took))| (place, took.unwrap_or(average).max(1)))
        .collect();
    order.sort_by_key(|(place, took)| (Reverse(*took), *place));
    let mut least: BinaryHeap<Reverse<(u64, usize)>> =
        (0..parts.max(1)).map(|part| Reverse((0, part))).collect();
    let mut split = vec![Vec::new(); parts.max(1)];
    for (place, took) in order {
        let Some(Reverse((sum, part))) = least.pop() else { break };
        split[part].push(place);
        least.push(Reverse((sum.saturating_add(took), part)));
    }
    let named = |mut places: Vec<usize>| {
        places.sort_unstable();
        places.into_iter().map(|place| tests[place].0).collect()
    };
    split.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_are_spread_and_the_order_is_kept() {
        let tests = [("a", Some(10)), ("long", Some(100)), ("b", Some(60)), ("c", Some(50))];
        assert_eq!(split(&tests, 2), [vec!["a", "long"], vec!["b", "c"]]);
        assert_eq!(split(&[("a", None), ("b", None), ("c", None)], 3), [["a"], ["b"], ["c"]]);
        assert_eq!(split(&[("a", None)], 3), [vec!["a"], vec![], vec![]]);
    }

    proptest! {
        #[test]
        fn each_test_is_in_one_part_and_no_part_is_overlong(
            took in prop::collection::vec(prop::option::of(0u64..1_000), 0..60), parts in 1usize..8,
        ) {
            let names: Vec<String> = (0..took.len()).map(|n| n.to_string()).collect();
            let tests: Vec<(&str, Option<u64>)> =
                names.iter().map(String::as_str).zip(took.iter().copied()).collect();
            let split = split(&tests, parts);
            let mut all: Vec<&str> = split.iter().flatten().copied().collect();
            all.sort_unstable();
            let mut wanted: Vec<&str> = names.iter().map(String::as_str).collect();
            wanted.sort_unstable();
            prop_assert_eq!(all, wanted);
            if took.iter().all(Option::is_some) {
                let of = |part: &Vec<&str>| -> u64 {
                    part.iter().map(|name| took[name.parse::<usize>().unwrap_or(0)].unwrap_or(0).max(1)).sum()
                };
                let sums: Vec<u64> = split.iter().map(of).collect();
                let (most, least) = (sums.iter().max().copied(), sums.iter().min().copied());
                let longest = took.iter().flatten().max().copied().unwrap_or(0).max(1);
                prop_assert!(most.unwrap_or(0) - least.unwrap_or(0) <= longest);
            }
        }
    }
}
