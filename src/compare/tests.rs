//! Small runs, written as lines, and what became of each case; and that no case is lost or paired twice.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// A case, as `suite class name file outcome`; `-` stands for nothing.
struct Written {
    places: Vec<Place>,
    rows: Vec<(u32, String, Option<String>, Outcome)>,
    extent: Extent,
}

fn written(text: &[&str], extent: Extent) -> Written {
    let mut places = Vec::new();
    let mut rows = Vec::new();
    for line in text {
        let words: Vec<&str> = line.split('|').collect();
        let some = |word: &str| (word != "-").then(|| word.to_owned());
        let place = Place {
            suite: [Box::from(words[0])].into(),
            classname: some(words[1]).map(Arc::from),
            project: None,
        };
        let at = places.iter().position(|known| *known == place).unwrap_or_else(|| {
            places.push(place);
            places.len() - 1
        });
        let outcome = Outcome::parse(words[4]).expect("it is an outcome");
        rows.push((at as u32, words[2].to_owned(), some(words[3]), outcome));
    }
    Written { places, rows, extent }
}

fn rows(written: &Written) -> Vec<Row<'_>> {
    written
        .rows
        .iter()
        .map(|(place, name, file, outcome)| Row {
            place: *place,
            name,
            file: file.as_deref(),
            outcome: *outcome,
        })
        .collect()
}

fn compared(before: &Written, now: &Written) -> Vec<Compared> {
    let (earlier, later) = (rows(before), rows(now));
    let before = Side { places: &before.places, rows: &earlier, extent: before.extent };
    let now = Side { places: &now.places, rows: &later, extent: now.extent };
    let print = |name: &str| Fingerprint::new(1, &format!("{:012x}", name.len()));
    compare(&before, &now, &mut |at, to| {
        (print(earlier[at as usize].name), print(later[to as usize].name))
    })
}

/// `change name` of each, the name as it is now.
fn told(before: &[&str], now: &[&str], extent: Extent) -> Vec<String> {
    let (before, now) = (written(before, Extent::Whole), written(now, extent));
    let name = |one: &Compared| match (one.now, one.before) {
        (Some(at), _) => now.rows[at as usize].1.clone(),
        (None, Some(at)) => before.rows[at as usize].1.clone(),
        (None, None) => unreachable!("a pair has at least one row"),
    };
    compared(&before, &now).iter().map(|one| format!("{} {}", one.change, name(one))).collect()
}

#[test]
fn each_case_has_its_change() {
    let before = [
        "s|c|a|-|passed",
        "s|c|b|-|failed",
        "s|c|c|-|errored",
        "s|c|d|-|passed",
        "s|c|e|-|skipped",
    ];
    let now = [
        "s|c|a|-|failed",
        "s|c|b|-|flaky",
        "s|c|c|-|failed",
        "s|c|e|-|passed",
        "s|c|f|-|failed",
        "s|c|g|-|skipped",
    ];
    assert_eq!(
        told(&before, &now, Extent::Whole),
        [
            "regressed a",
            "fixed b",
            "still_failing c",
            "new_passing e",
            "new_failing f",
            "skipped g",
            "removed d"
        ]
    );
}

#[test]
fn of_a_run_that_was_cut_short_nothing_was_removed() {
    let before = ["s|c|a|-|passed", "s|c|b|-|failed"];
    assert_eq!(told(&before, &["s|c|a|-|passed"], Extent::Part), ["still_passing a", "not_run b"]);
}

#[test]
fn a_failure_with_another_fingerprint_is_another_one() {
    let changed = told(&["s|c|a in 5ms|-|failed"], &["t|c|a in 12345ms|-|failed"], Extent::Whole);
    assert_eq!(changed, ["changed_failure a in 12345ms"]);
}

#[test]
fn what_is_left_over_is_matched_loosely_where_it_is_unique() {
    let now = ["new|c|a|-|failed"];
    assert_eq!(told(&["old|c|a|-|passed"], &now, Extent::Whole), ["regressed a"]);
    // Two candidates: nobody knows which.
    let two = ["old|c|a|-|passed", "older|c|a|-|passed"];
    assert_eq!(told(&two, &now, Extent::Whole), ["new_failing a", "removed a", "removed a"]);
    // Another class is another case.
    assert_eq!(told(&["old|d|a|-|passed"], &now, Extent::Whole), ["new_failing a", "removed a"]);
}

#[test]
fn the_file_tells_apart_what_shares_a_key() {
    let before = ["s|c|a|x|passed", "s|c|a|y|failed"];
    let now = ["s|c|a|y|failed", "s|c|a|x|failed"];
    assert_eq!(told(&before, &now, Extent::Whole), ["still_failing a", "regressed a"]);
    // A file that moved is no other case.
    assert_eq!(told(&["s|c|a|x|passed"], &["s|c|a|z|failed"], Extent::Whole), ["regressed a"]);
}

fn any_side() -> impl Strategy<Value = Vec<String>> {
    let row = ("[st]", "[cd-]", "[ab]( in 1ms)?", "[xy-]", "passed|failed|skipped|flaky|errored")
        .prop_map(|(suite, class, name, file, outcome)| {
            format!("{suite}|{class}|{name}|{file}|{outcome}")
        });
    proptest::collection::vec(row, 0..12)
}

proptest! {
    #[test]
    fn every_row_is_in_exactly_one_pair(before in any_side(), now in any_side()) {
        let text = |rows: &[String]| written(&rows.iter().map(String::as_str).collect::<Vec<_>>(), Extent::Whole);
        let compared = compared(&text(&before), &text(&now));
        let mut earlier: Vec<u32> = compared.iter().filter_map(|one| one.before).collect();
        let mut later: Vec<u32> = compared.iter().filter_map(|one| one.now).collect();
        earlier.sort_unstable();
        later.sort_unstable();
        prop_assert_eq!(earlier, (0..before.len() as u32).collect::<Vec<_>>());
        prop_assert_eq!(later, (0..now.len() as u32).collect::<Vec<_>>());
    }

    #[test]
    fn a_run_compared_with_itself_has_no_news(rows in any_side()) {
        let side = written(&rows.iter().map(String::as_str).collect::<Vec<_>>(), Extent::Whole);
        for one in compared(&side, &side) {
            prop_assert_eq!(one.before, one.now);
            let still = [Change::StillPassing, Change::StillFailing, Change::Skipped];
            prop_assert!(still.contains(&one.change));
            prop_assert_eq!(one.matched, Match::Exact);
        }
    }
}
