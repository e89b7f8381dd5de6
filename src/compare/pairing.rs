//! Which case of one run is which of the other.
//!
//! What it must not do: look at outcomes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::domain::identity::{Place, normalised};

use super::{Match, Row, Side};

/// A row before, a row now.
pub(super) type Pair = (Option<u32>, Option<u32>, Match);

/// No row.
const NONE: u32 = u32::MAX;

/// Pairs all rows: those of `now` in their order, then what is left of `before` in its own.
pub(super) fn pair(before: &Side<'_>, now: &Side<'_>) -> Vec<Pair> {
    let mut pairs = exact(before, now);
    let mut taken = vec![false; before.rows.len()];
    for (earlier, _, _) in &pairs {
        if let Some(earlier) = earlier {
            taken[*earlier as usize] = true;
        }
    }
    alike(before, now, &mut pairs, &mut taken);
    let left = (0..).zip(&taken).filter(|(_, taken)| !**taken);
    pairs.extend(left.map(|(earlier, _)| (Some(earlier), None, Match::None)));
    pairs
}

/// The rows of `now` with those that have the same key.
fn exact(before: &Side<'_>, now: &Side<'_>) -> Vec<Pair> {
    let mut rows = Keyed::of(before);
    let places = translated(now.places, before.places);
    let find = |(later, row): (u32, &Row<'_>)| {
        let earlier = places[row.place as usize].and_then(|place| rows.take(place, row));
        let matched = if earlier.is_some() { Match::Exact } else { Match::None };
        (earlier, Some(later), matched)
    };
    (0..).zip(now.rows).map(find).collect()
}

/// For each place of one side that of the other that equals it.
fn translated(of: &[Place], to: &[Place]) -> Vec<Option<u32>> {
    let known: HashMap<&Place, u32> = to.iter().zip(0..).collect();
    of.iter().map(|place| known.get(place).copied()).collect()
}

/// The rows of a side by their key; several of one key hang together.
struct Keyed<'a> {
    rows: &'a [Row<'a>],
    first: HashMap<(u32, &'a str), u32>,
    next: Vec<u32>,
    taken: Vec<bool>,
}

impl<'a> Keyed<'a> {
    fn of(side: &Side<'a>) -> Self {
        let mut first = HashMap::with_capacity(side.rows.len());
        let mut next = vec![NONE; side.rows.len()];
        // From the last to the first, so that each chain is in the order of the run.
        for (at, row) in side.rows.iter().enumerate().rev() {
            next[at] = first.insert((row.place, row.name), at as u32).unwrap_or(NONE);
        }
        Self { rows: side.rows, first, next, taken: vec![false; side.rows.len()] }
    }

    /// The row of that key, given out once: of several the one of the same file, else the first.
    fn take(&mut self, place: u32, like: &Row<'_>) -> Option<u32> {
        let mut at = *self.first.get(&(place, like.name))?;
        let mut found = None;
        while at != NONE {
            if !self.taken[at as usize] {
                found = found.or(Some(at));
                if self.rows[at as usize].file == like.file {
                    found = Some(at);
                    break;
                }
            }
            at = self.next[at as usize];
        }
        self.taken[found? as usize] = true;
        found
    }
}

/// What identifies a row where its suite was renamed or its name holds what varies.
type Loose<'a> = (Option<&'a str>, Option<&'a str>, Cow<'a, str>);

fn loose<'a>(side: &Side<'a>, at: u32) -> Loose<'a> {
    let row = &side.rows[at as usize];
    let place = &side.places[row.place as usize];
    (place.classname.as_deref(), place.project.as_deref(), normalised(row.name))
}

/// Pairs what is left over on both sides, where it is unique on both.
fn alike(before: &Side<'_>, now: &Side<'_>, pairs: &mut [Pair], taken: &mut [bool]) {
    let left = (0..).zip(&*taken).filter(|(_, taken)| !**taken).map(|(at, _)| at);
    let earlier = unique(before, left);
    if earlier.is_empty() {
        return;
    }
    let new = pairs.iter().filter(|pair| pair.0.is_none()).filter_map(|pair| pair.1);
    let later = unique(now, new);
    for pair in pairs {
        let (None, Some(at), _) = *pair else { continue };
        let key = loose(now, at);
        if later.get(&key).copied().flatten().is_none() {
            continue;
        }
        if let Some(Some(found)) = earlier.get(&key) {
            taken[*found as usize] = true;
            *pair = (Some(*found), Some(at), Match::Alike);
        }
    }
}

/// The rows by what is loose of them; `None` where several share it.
fn unique<'a>(side: &Side<'a>, rows: impl Iterator<Item = u32>) -> HashMap<Loose<'a>, Option<u32>> {
    let mut found = HashMap::new();
    for at in rows {
        match found.entry(loose(side, at)) {
            Entry::Vacant(entry) => {
                entry.insert(Some(at));
            }
            Entry::Occupied(mut entry) => {
                entry.insert(None);
            }
        }
    }
    found
}
