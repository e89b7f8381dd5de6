//! Cases that were probably renamed: one gone, one new, much alike. Offered to people, never
//! assumed; who wants the history kept writes the old id under `was`.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::domain::findings::ProbableRename;
use crate::domain::names::CaseId;

/// With more removed or new cases than this, the suite was rebuilt and likeness says nothing.
const MAX_CANDIDATES: usize = 200;
/// From this share of common pairs of characters on, two ids are much alike.
const MIN_RATIO: f32 = 0.75;
/// Ids longer than this are compared by their beginning.
const MAX_CHARS: usize = 200;

/// Pairs of a removed and a new case of which each is most like the other.
pub(super) fn probable_renames(removed: &[&CaseId], new: &[&CaseId]) -> Vec<ProbableRename> {
    if removed.len() > MAX_CANDIDATES || new.len() > MAX_CANDIDATES {
        return Vec::new();
    }
    let texts = |ids: &[&CaseId]| -> Vec<Text> { ids.iter().map(|id| Text::of(id)).collect() };
    let (gone, came) = (texts(removed), texts(new));
    let mut best_for_gone = HashMap::new();
    let mut best_for_came = HashMap::new();
    for (g, gone) in gone.iter().enumerate() {
        for (c, came) in came.iter().enumerate() {
            if let Some(ratio) = gone.likeness(came) {
                keep_best(&mut best_for_gone, g, c, ratio);
                keep_best(&mut best_for_came, c, g, ratio);
            }
        }
    }
    let mutual = (0..gone.len()).filter_map(|g| {
        let best = best_for_gone.get(&g)?;
        let back = best_for_came.get(&best.with)?;
        let sure = back.with == g && !best.tied && !back.tied;
        sure.then(|| ProbableRename { from: removed[g].clone(), to: new[best.with].clone() })
    });
    mutual.collect()
}

/// The candidate most like another, and whether a second one is just as much alike.
struct Best {
    with: usize,
    ratio: f32,
    tied: bool,
}

fn keep_best(best: &mut HashMap<usize, Best>, of: usize, with: usize, ratio: f32) {
    match best.get_mut(&of) {
        Some(known) if ratio < known.ratio => {}
        Some(known) if ratio == known.ratio => known.tied = true,
        Some(_) | None => {
            best.insert(of, Best { with, ratio, tied: false });
        }
    }
}

/// An id, prepared for comparison: its pairs of neighbouring characters, sorted.
struct Text(Vec<(char, char)>);

impl Text {
    fn of(id: &CaseId) -> Self {
        let chars = || id.as_str().chars().take(MAX_CHARS);
        let mut pairs: Vec<(char, char)> = chars().zip(chars().skip(1)).collect();
        pairs.sort_unstable();
        Self(pairs)
    }

    /// The share of common pairs (Dice's coefficient), when it is high enough.
    fn likeness(&self, other: &Self) -> Option<f32> {
        let (mut mine, mut theirs) = (self.0.as_slice(), other.0.as_slice());
        let all = mine.len() + theirs.len();
        if 2 * mine.len().min(theirs.len()) < (MIN_RATIO * all as f32) as usize {
            return None;
        }
        let mut common = 0;
        while let ([a, more_mine @ ..], [b, more_theirs @ ..]) = (mine, theirs) {
            match a.cmp(b) {
                Ordering::Less => mine = more_mine,
                Ordering::Greater => theirs = more_theirs,
                Ordering::Equal => {
                    common += 1;
                    (mine, theirs) = (more_mine, more_theirs);
                }
            }
        }
        let ratio = 2.0 * common as f32 / all.max(1) as f32;
        (ratio >= MIN_RATIO).then_some(ratio)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn renames(removed: &[&str], new: &[&str]) -> Vec<(String, String)> {
        let ids = |texts: &[&str]| -> Vec<CaseId> {
            texts.iter().map(|text| CaseId::parse(text).unwrap()).collect()
        };
        let (removed, new) = (ids(removed), ids(new));
        let found =
            probable_renames(&removed.iter().collect::<Vec<_>>(), &new.iter().collect::<Vec<_>>());
        found.into_iter().map(|r| (r.from.to_string(), r.to.to_string())).collect()
    }

    fn pair(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn a_removed_and_a_new_case_that_are_much_alike_are_offered() {
        assert_eq!(
            renames(
                &["test_001_websocket_connection", "test_040_billing"],
                &["test_001_websocket_connection_real", "search_finds_messages"],
            ),
            [pair("test_001_websocket_connection", "test_001_websocket_connection_real")]
        );
        assert_eq!(renames(&["abc"], &["xyz"]), []);
        assert_eq!(renames(&[], &["xyz"]), []);
    }

    #[test]
    fn each_must_be_most_like_the_other() {
        // Both removed ones are like the new one; only the closer of them is offered.
        assert_eq!(
            renames(&["login_with_password", "login_with_passwords_x"], &["login_with_passwords"]),
            [pair("login_with_password", "login_with_passwords")]
        );
        // Two that are just as much alike: nobody can tell.
        assert_eq!(renames(&["case_a1", "case_a2"], &["case_a3"]), []);
    }

    #[test]
    fn a_rebuilt_suite_offers_nothing() {
        let removed: Vec<String> = (0..=MAX_CANDIDATES).map(|n| format!("old_case_{n}")).collect();
        let removed: Vec<&str> = removed.iter().map(String::as_str).collect();
        assert_eq!(renames(&removed, &["old_case_7x"]), []);
        assert_eq!(renames(&removed[..9], &["old_case_7x"]), [pair("old_case_7", "old_case_7x")]);
    }
}
