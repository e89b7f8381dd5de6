//! Which cycles are the columns of a grid: the newest valid ones, as many as may be read. And, before anything of them
//! is read: what has no column, in words, and by what a browser knows that nothing changed. Decides; the list of
//! cycles is all that it asks the store for.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use crate::domain::names::{EnvironmentName, PipelineName};
use crate::domain::outcome::Verdict;
use crate::report::words;
use crate::store::{CycleRow, Result, Store};
use crate::web::pages::assets;

/// Of a large suite fewer cycles are read: so many results.
const RESULTS: u64 = 400_000;
/// The form of the data: another one when the same cycles are told otherwise.
const FORM: u32 = 1;
/// But so many at least.
const LEAST: usize = 10;

/// The columns.
#[derive(Debug)]
pub(super) struct Columns {
    /// Oldest first.
    cycles: Vec<CycleRow>,
    /// Whether older ones have valid suites, too.
    more: bool,
    most: usize,
}

impl Columns {
    /// The newest valid cycles of an environment, at most so many.
    pub(super) async fn choose(
        store: &dyn Store,
        pipeline: &PipelineName,
        environment: &EnvironmentName,
        most: u32,
    ) -> Result<Self> {
        let listed = store.valid_cycles(pipeline, environment, most.saturating_add(1)).await?;
        Ok(Self::of(listed, usize::try_from(most).unwrap_or(usize::MAX)))
    }

    /// As many of these, which are all there are or one more than at most, as may be read.
    fn of(mut listed: Vec<CycleRow>, most: usize) -> Self {
        let planned = listed.iter().rev().map(|row| row.summary.counts.planned);
        let count = affordable(planned, most);
        let left_out = listed.len() - count;
        listed.drain(..left_out);
        Self { cycles: listed, more: left_out > 0, most }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.cycles.len()).unwrap_or(u32::MAX)
    }

    /// What changes whenever the grid does: what it is made of, in the form that this program gives it and that script
    /// reads.
    pub(super) fn validator(&self, says: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(env!("CARGO_PKG_VERSION"));
        hash.update(FORM.to_be_bytes());
        hash.update(assets::address("grid.js"));
        hash.update(says);
        for row in &self.cycles {
            hash.update(row.environment.as_str());
            hash.update(row.summary.cycle.to_be_bytes());
            hash.update(row.last_seq.to_be_bytes());
        }
        // Weak: compressed it is other bytes.
        format!("W/\"{}\"", hex::encode(&hash.finalize()[..12]))
    }

    /// What has no column, of these newest cycles and of those before all columns; empty where nothing is left out.
    pub(super) fn says(&self, newest_first: &[CycleRow]) -> String {
        let mut says = Vec::new();
        says.extend(self.says_skipped(newest_first));
        says.extend(self.says_older());
        says.join(" ")
    }

    fn says_skipped(&self, newest_first: &[CycleRow]) -> Option<String> {
        let shown: BTreeSet<u32> = self.cycles.iter().map(|row| row.summary.cycle).collect();
        let environment = self.cycles.first().map(|row| &row.environment)?;
        let is_skipped = |row: &&CycleRow| !shown.contains(&row.summary.cycle);
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for row in newest_first.iter().filter(is_skipped) {
            if let Some(reason) = reason(row, environment) {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        let all: u64 = reasons.values().sum();
        if all == 0 {
            return None;
        }
        let reasons: Vec<String> =
            reasons.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        Some(format!(
            "A column is a cycle with a valid suite: of the newest {} {all} {} none ({}).",
            words::count(newest_first.len(), "cycle", "cycles"),
            if all == 1 { "has" } else { "have" },
            reasons.join(", "),
        ))
    }

    fn says_older(&self) -> Option<String> {
        let newest = words::count(self.cycles.len(), "is shown", "are shown");
        let why = if self.cycles.len() < self.most { ", as the suite is large" } else { "" };
        self.more.then(|| format!("Older ones are left out: the newest {newest}{why}."))
    }
}

/// Why a cycle is no column; `None` for one of which nothing is known yet, or that just became one.
fn reason(row: &CycleRow, environment: &EnvironmentName) -> Option<String> {
    let verdict = row.summary.verdict?;
    if row.environment != *environment {
        return Some("of another environment".to_owned());
    }
    if row.is_question() {
        return Some("asked by a search".to_owned());
    }
    if row.expired_at.is_some() {
        return Some("expired".to_owned());
    }
    (!Verdict::has_valid_suite(verdict)).then(|| verdict.as_str().replace('_', " "))
}

/// How many cycles are read of those that planned so many cases each, newest first.
fn affordable(planned: impl Iterator<Item = u32>, most: usize) -> usize {
    let mut results = 0_u64;
    let fits = planned.take(most).enumerate().take_while(|(place, planned)| {
        results += u64::from(*planned);
        *place < LEAST || results <= RESULTS
    });
    fits.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_cycles_are_read_as_their_results_allow() {
        for (planned, most, cycles) in [
            (vec![], 200, 0),
            (vec![25; 30], 200, 30),
            (vec![25; 300], 200, 200),
            (vec![2_000; 300], 200, 200),
            (vec![2_001; 300], 200, 199),
            (vec![100_000; 300], 200, 10),
            (vec![100_000; 3], 200, 3),
            // Only what is read counts: a suite that was large once, and one that is since.
            ([vec![100; 150], vec![100_000; 50]].concat(), 200, 153),
            ([vec![100_000; 1], vec![100; 300]].concat(), 200, 200),
        ] {
            assert_eq!(affordable(planned.iter().copied(), most), cycles, "{planned:?}");
        }
    }
}
