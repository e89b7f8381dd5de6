//! Pairs of runs of one suite, and what became of each case between them.

use andon::compare::{Compared, Extent, Match, Row, Side, compare};
use andon::domain::names::Fingerprint;
use andon::domain::outcome::{Change, Outcome};
use andon::ingest::{ReportedOutcome, Run, read};
use serde::Deserialize;

use crate::corpus::root;

#[derive(Debug, Deserialize)]
struct Pair {
    pair: String,
    format: String,
    base: String,
    head: String,
    unchanged: u64,
    #[serde(default)]
    matched_by_second_pass: u64,
    #[serde(default)]
    regressed: Vec<Named>,
    #[serde(default)]
    fixed: Vec<Named>,
    #[serde(default)]
    still_failing: Vec<Named>,
    #[serde(default)]
    added_passing: Vec<Named>,
    #[serde(default)]
    unskipped_passing: Vec<Named>,
    #[serde(default)]
    removed_passing: Vec<Named>,
    #[serde(default)]
    removed_failing: Vec<Named>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Named {
    #[serde(default)]
    suite: Vec<String>,
    #[serde(default)]
    classname: Option<String>,
    name: String,
}

/// The formats that are read.
const READ: &[&str] = &[
    "junit-xml",
    "tap",
    "ctrf",
    "playwright-json",
    "go-test-json",
    "libtest-text",
    "libtest-json",
];

fn run(path: &str) -> Run {
    let bytes = std::fs::read(root().join(path)).unwrap();
    let mut run = Run::default();
    let reading = read(&mut bytes.as_slice(), None, &mut run).unwrap();
    run.end_file(&reading);
    run
}

pub fn rows(run: &Run) -> Vec<Row<'_>> {
    let outcome = |reported| match reported {
        ReportedOutcome::Errored => Outcome::Errored,
        ReportedOutcome::Failed => Outcome::Failed,
        ReportedOutcome::Skipped => Outcome::Skipped,
        ReportedOutcome::Flaky => Outcome::Flaky,
        ReportedOutcome::Passed => Outcome::Passed,
    };
    let row = |entry| Row {
        place: run.place_of(entry),
        name: run.name_of(entry),
        file: run.file_of(entry),
        outcome: outcome(entry.outcome),
    };
    run.entries().iter().map(row).collect()
}

/// The cases of one kind, as they are now or else as they were.
fn named(
    base: &Run,
    head: &Run,
    compared: &[Compared],
    wanted: impl Fn(&Compared) -> bool,
) -> Vec<Named> {
    let name = |one: &Compared| {
        let (run, at) = match (one.now, one.before) {
            (Some(at), _) => (head, at),
            (None, Some(at)) => (base, at),
            (None, None) => unreachable!("a pair has at least one row"),
        };
        let entry = &run.entries()[at as usize];
        let place = &run.places()[run.place_of(entry) as usize];
        Named {
            suite: place.suite.iter().map(|suite| suite.to_string()).collect(),
            classname: place.classname.as_deref().map(str::to_owned),
            name: run.name_of(entry).to_owned(),
        }
    };
    let mut named: Vec<_> = compared.iter().filter(|one| wanted(one)).map(name).collect();
    named.sort();
    named
}

#[test]
fn every_pair_of_runs_is_compared_as_its_record_says() {
    #[derive(Deserialize)]
    struct Index {
        pairs: Vec<Pair>,
    }
    let text = std::fs::read_to_string(root().join("PAIRS.json")).unwrap();
    let index: Index = serde_json::from_str(&text).unwrap();
    assert_eq!(index.pairs.len(), 66);
    let mut differing = Vec::new();
    let read = |pair: &&Pair| READ.contains(&pair.format.as_str());
    let pairs: Vec<_> = index.pairs.iter().filter(read).collect();
    assert_eq!(pairs.len(), 60);
    for pair in pairs {
        let (base, head) = (run(&pair.base), run(&pair.head));
        let (before, now) = (rows(&base), rows(&head));
        let side = |run: &'_ Run| run.places().to_vec();
        let (places_before, places_now) = (side(&base), side(&head));
        let before_side = Side { places: &places_before, rows: &before, extent: Extent::Whole };
        let now_side = Side { places: &places_now, rows: &now, extent: Extent::Whole };
        let same = || Fingerprint::new(1, "aaaaaaaaaaaa");
        let compared = compare(&before_side, &now_side, &mut |_, _| (same(), same()));
        let was = |one: &Compared| one.before.map(|at| before[at as usize].outcome);
        let of = |change: Change| named(&base, &head, &compared, |one| one.change == change);
        let skipped_before = |one: &Compared| was(one) == Some(Outcome::Skipped);
        let new = named(&base, &head, &compared, |one| {
            one.change == Change::NewPassing && !skipped_before(one)
        });
        let unskipped = named(&base, &head, &compared, |one| {
            one.change == Change::NewPassing && skipped_before(one)
        });
        let removed = |failing: bool| {
            named(&base, &head, &compared, |one| {
                one.change == Change::Removed
                    && !skipped_before(one)
                    && was(one).is_some_and(Outcome::is_failing) == failing
            })
        };
        for (what, expected, got) in [
            ("regressed", &pair.regressed, of(Change::Regressed)),
            ("fixed", &pair.fixed, of(Change::Fixed)),
            ("still failing", &pair.still_failing, of(Change::StillFailing)),
            ("added, passing", &pair.added_passing, new),
            ("skipped before, passing", &pair.unskipped_passing, unskipped),
            ("removed, was passing", &pair.removed_passing, removed(false)),
            ("removed, was failing", &pair.removed_failing, removed(true)),
        ] {
            let mut expected = expected.clone();
            expected.sort();
            if expected != got {
                differing.push(format!(
                    "{} {what}\n  expected {expected:?}\n  got      {got:?}",
                    pair.pair
                ));
            }
        }
        let still = |one: &&Compared| match one.change {
            Change::StillPassing => true,
            Change::Skipped => skipped_before(one),
            _ => false,
        };
        let unchanged = compared.iter().filter(still).count() as u64;
        let alike = compared.iter().filter(|one| one.matched == Match::Alike).count() as u64;
        if (unchanged, alike) != (pair.unchanged, pair.matched_by_second_pass) {
            differing.push(format!(
                "{} unchanged and alike: expected {:?}, got {:?}",
                pair.pair,
                (pair.unchanged, pair.matched_by_second_pass),
                (unchanged, alike)
            ));
        }
    }
    assert!(differing.is_empty(), "{} differences\n{}", differing.len(), differing.join("\n"));
}
