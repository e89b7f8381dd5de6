//! Compares two runs that another tool reported: which case of one is which of the other, and what became
//! of each.
//!
//! Cases are matched by their whole key first (suite path, class name, name, project), the file telling those
//! apart that share one. What is left over on both sides is matched by class name and normalised name where
//! those are unique: a suite that was renamed, a time in a name. What is then left is new, or was removed; of a
//! run that is not whole, nothing was removed: what is missing did not run.
//!
//! What it must not do: read files, or compare cycles (`diff`).

mod pairing;

use crate::domain::change::{Seen, change_of};
use crate::domain::identity::Place;
use crate::domain::names::Fingerprint;
use crate::domain::outcome::{Change, Outcome};

/// One case of a run.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Where it stands: an index into the places of its side.
    pub place: u32,
    /// Its name.
    pub name: &'a str,
    /// The file it stands in.
    pub file: Option<&'a str>,
    /// What became of it.
    pub outcome: Outcome,
}

/// Whether a run is a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every case that there is was reported.
    Whole,
    /// It was cut short: what is missing did not run.
    Part,
}

/// A run.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Where cases stand.
    pub places: &'a [Place],
    /// The cases, one an identity.
    pub rows: &'a [Row<'a>],
    /// Whether they are all.
    pub extent: Extent,
}

/// How a case of one run was found in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// By its key.
    Exact,
    /// By its class name and normalised name.
    Alike,
    /// It is in one run only.
    None,
}

/// What became of one case. The indexes are those of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// The row before.
    pub before: Option<u32>,
    /// The row now.
    pub now: Option<u32>,
    /// How the two were matched.
    pub matched: Match,
    /// The change.
    pub change: Change,
}

/// Tells what the failures of two rows are, for those that are failing on both sides: the row before, the
/// row now.
pub type Fingerprints<'f> = &'f mut dyn FnMut(u32, u32) -> (Fingerprint, Fingerprint);

/// Compares two runs: the cases of the later one in its order, then those that only the earlier one has.
pub fn compare(before: &Side<'_>, now: &Side<'_>, fingerprints: Fingerprints<'_>) -> Vec<Compared> {
    pairing::pair(before, now)
        .into_iter()
        .map(|(earlier, later, matched)| {
            let change = change(before, now, earlier, later, fingerprints);
            Compared { before: earlier, now: later, matched, change }
        })
        .collect()
}

fn change(
    before: &Side<'_>,
    now: &Side<'_>,
    earlier: Option<u32>,
    later: Option<u32>,
    fingerprints: Fingerprints<'_>,
) -> Change {
    let outcome = |side: &Side<'_>, at: u32| side.rows[at as usize].outcome;
    let was = earlier.map(|at| outcome(before, at));
    let is = match (later, now.extent) {
        (Some(at), _) => Some(outcome(now, at)),
        (None, Extent::Part) => Some(Outcome::NotRun),
        (None, Extent::Whole) => None,
    };
    let failing = |outcome: Option<Outcome>| outcome.is_some_and(Outcome::is_failing);
    let known = match (earlier, later) {
        (Some(earlier), Some(later)) if failing(was) && failing(is) => {
            Some(fingerprints(earlier, later))
        }
        _ => None,
    };
    let seen = |outcome: Option<Outcome>, fingerprint| {
        outcome.map(|outcome| Seen { outcome, fingerprint })
    };
    let (then, today) = known.as_ref().map(|(then, today)| (then, today)).unzip();
    change_of(seen(was, then), seen(is, today))
}

/// How many cases changed in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([u64; Change::ALL.len()]);

impl Counts {
    /// Counts them.
    pub fn of(compared: &[Compared]) -> Self {
        let mut counts = Self::default();
        for one in compared {
            counts.0[position(one.change)] += 1;
        }
        counts
    }

    /// How many changed so.
    pub fn get(&self, change: Change) -> u64 {
        self.0[position(change)]
    }
}

fn position(change: Change) -> usize {
    let found = Change::ALL.iter().position(|one| *one == change);
    found.expect("every change is one of all")
}

#[cfg(test)]
mod tests;
