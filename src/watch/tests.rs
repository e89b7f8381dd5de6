//! Tables of what looks find, and a model of a branch under random pushes and looks.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::domain::commit::{Arrivals, CommitInfo, FullCommit, Relation};
use crate::domain::revision::Sha;
use crate::domain::spec::{Poll, Watch};

pub(super) fn sha(n: usize) -> Sha {
    Sha::parse(&format!("{n:040x}")).unwrap()
}

fn long(n: usize) -> Sha {
    Sha::parse(&format!("{n:07x}{:033}", 0)).unwrap()
}

pub(super) fn watch(branches: &[&str]) -> Watch {
    Watch {
        repo: "/srv/chat.git".into(),
        branches: branches.iter().map(|text| (*text).to_owned()).collect(),
        paths: vec![],
        ignore_paths: vec![],
        poll: Poll::Off,
        settle: Duration::ZERO,
        skip_marker: "[skip andon]".into(),
        auth: None,
    }
}

pub(super) fn commit(n: usize, message: &str, files: &[&str]) -> FullCommit {
    FullCommit {
        info: CommitInfo {
            sha: sha(n),
            subject: message.lines().next().unwrap_or_default().to_owned(),
            author: "Ada".into(),
            time: Timestamp::UNIX_EPOCH,
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            files_total: files.len(),
        },
        message: message.to_owned(),
        author_email: "ada@example.com".into(),
    }
}

fn tips(default: Option<&str>, branches: &[(&str, usize)]) -> RemoteTips {
    RemoteTips {
        default_branch: default.map(str::to_owned),
        branches: branches.iter().map(|(name, n)| ((*name).to_owned(), long(*n))).collect(),
    }
}

fn cursors(rows: &[(&str, usize)]) -> Cursors {
    // 0 stands for a branch that was deleted, and for a marker.
    Cursors::new(rows.iter().map(|(name, n)| ((*name).to_owned(), (*n > 0).then(|| long(*n)))))
}

/// What a look finds, each as its sentence, and the markers.
fn found(branches: &[&str], remembered: &[(&str, usize)], tips: &RemoteTips) -> Vec<String> {
    let compared = Watched::new(&watch(branches)).compare(&cursors(remembered), tips);
    let detail = |moved| judge(moved, None, &Rules::default()).detail;
    compared.moves.iter().map(detail).chain(compared.markers).collect()
}

#[test]
fn what_a_look_at_patterns_finds() {
    let all = tips(Some("main"), &[("dev", 1), ("main", 2), ("release/1", 3), ("release/2/x", 4)]);
    let watched = ["main", "release/*"];
    let markers = (":main", ":release/*");
    let seen = |rows: &[(&'static str, usize)]| [rows, &[(markers.0, 0), (markers.1, 0)]].concat();
    // The first look remembers; the markers come last.
    assert_eq!(
        found(&watched, &[], &all),
        [
            "main is watched from 0000002 on",
            "release/1 is watched from 0000003 on",
            ":main",
            ":release/*"
        ]
    );
    // The same look, broken off by a crash after its first movement.
    assert_eq!(
        found(&watched, &[("main", 2)], &all),
        ["release/1 is watched from 0000003 on", ":main", ":release/*"]
    );
    assert!(found(&watched, &seen(&[("main", 2), ("release/1", 3)]), &all).is_empty());
    assert_eq!(
        found(&watched, &seen(&[("main", 9), ("release/0", 8)]), &all),
        [
            "release/0 was deleted, it was at 0000008",
            "main moved to 0000002",
            "release/1 appeared at 0000003"
        ]
    );
    assert_eq!(
        found(&watched, &seen(&[("main", 2), ("release/1", 0)]), &all),
        ["release/1 came back at 0000003"]
    );
    // A pattern that is new in the file finds what was there before; another branch's cursor from
    // earlier days is of no interest.
    assert_eq!(
        found(&["main", "dev*"], &seen(&[("main", 2), ("old", 5)]), &all),
        ["dev is watched from 0000001 on", ":dev*"]
    );
    // A branch that two patterns fit is new as soon as one of them was there.
    assert_eq!(
        found(&["main", "release/*", "r*/1"], &seen(&[("main", 2)]), &all),
        ["release/1 appeared at 0000003", ":r*/1"]
    );
}

#[test]
fn what_a_look_at_the_default_branch_finds() {
    let main = tips(Some("main"), &[("dev", 1), ("main", 2)]);
    let renamed = tips(Some("trunk"), &[("trunk", 2)]);
    let ahead = tips(Some("trunk"), &[("main", 2), ("trunk", 3)]);
    assert_eq!(found(&[], &[], &main), ["main is watched from 0000002 on", ":"]);
    assert!(found(&[], &[("main", 2), (":", 0)], &main).is_empty());
    assert_eq!(found(&[], &[("main", 1), (":", 0)], &main), ["main moved to 0000002"]);
    assert_eq!(
        found(&[], &[("main", 2), (":", 0)], &renamed),
        ["main was deleted, it was at 0000002", "trunk is the default branch now, at 0000002"]
    );
    assert_eq!(
        found(&[], &[("main", 2), (":", 0)], &ahead),
        ["trunk is the default branch now, at 0000003"]
    );
    // An empty repository is remembered as looked at: its first branch is news.
    let empty = tips(None, &[]);
    assert_eq!(found(&[], &[], &empty), [":"]);
    assert!(found(&[], &[(":", 0)], &empty).is_empty());
    assert_eq!(found(&[], &[(":", 0)], &main), ["main appeared at 0000002"]);
    assert_eq!(found(&["nothing-*"], &[(":nothing-*", 0)], &main), [""; 0]);
    // The only branch goes and comes back.
    assert_eq!(
        found(&[], &[("main", 2), (":", 0)], &empty),
        ["main was deleted, it was at 0000002"]
    );
    assert_eq!(found(&[], &[("main", 0), (":", 0)], &main), ["main came back at 0000002"]);
}

#[test]
fn a_renamed_default_is_run_when_it_brings_something() {
    let moved = |seen| BranchMove::NewDefault { branch: "trunk".into(), to: sha(3), seen };
    let arrivals = |commits: Vec<FullCommit>| {
        Some(Arrivals { relation: Relation::New, total: commits.len(), commits })
    };
    let run = |seen, arrivals: Option<Arrivals>| {
        judge(&moved(seen), arrivals.as_ref(), &Rules::new(&watch(&[]), None)).run
    };
    assert_eq!(run(true, arrivals(vec![])), None);
    assert_eq!(run(false, arrivals(vec![])), Some(sha(3)));
    assert_eq!(run(false, arrivals(vec![commit(3, "x", &["a"])])), Some(sha(3)));
    assert_eq!(run(false, arrivals(vec![commit(3, "[skip andon]", &["a"])])), None);
}

#[test]
fn what_a_moved_branch_asks_for() {
    const OK: &str = "A change";
    const SKIP: &str = "Docs [skip andon]";
    // How it moved, messages of what came, how many more came, whether it is run, and which of the
    // commits are skipped.
    type Row<'a> = (Relation, &'a [&'a str], usize, bool, &'a [bool]);
    let table: &[Row<'_>] = &[
        (Relation::Forward, &[OK], 0, true, &[false]),
        (Relation::Forward, &[SKIP], 0, false, &[true]),
        (Relation::Forward, &[SKIP, OK], 0, true, &[true, false]),
        // The newest is run whatever its own message says, as something before it counts.
        (Relation::Forward, &[OK, SKIP], 0, true, &[false, false]),
        (Relation::Forward, &[SKIP, OK, SKIP, SKIP], 0, true, &[true, false, true, false]),
        // Among those that were not listed one may count.
        (Relation::Forward, &[SKIP, SKIP], 5, true, &[true, false]),
        (Relation::Back, &[], 0, true, &[]),
        (Relation::Rewritten, &[SKIP], 0, true, &[false]),
        (Relation::Unrelated, &[OK], 0, true, &[false]),
    ];
    let rules = Rules::new(&watch(&[]), None);
    for (relation, messages, more, run, skipped) in table {
        let commits: Vec<FullCommit> =
            messages.iter().enumerate().map(|(n, text)| commit(n + 1, text, &["a"])).collect();
        let head = sha(messages.len().max(1));
        let moved = BranchMove::Moved { branch: "main".into(), from: long(9), to: head.clone() };
        let arrivals = Arrivals { relation: *relation, total: commits.len() + more, commits };
        let movement = judge(&moved, Some(&arrivals), &rules);
        assert_eq!(movement.run, run.then_some(head), "{relation:?} {messages:?}");
        let rules: Vec<bool> = movement.commits.iter().map(|c| c.skipped_by.is_some()).collect();
        assert_eq!(&rules, skipped, "{relation:?} {messages:?}");
    }
}

#[test]
fn sentences_and_notices() {
    let moved =
        BranchMove::Moved { branch: "main".into(), from: long(0x1234567), to: long(0xabcdef) };
    let say = |moved: &BranchMove, relation| {
        let arrivals = Arrivals { relation, commits: vec![], total: 0 };
        let movement = judge(moved, Some(&arrivals), &Rules::default());
        (movement.detail, movement.notice)
    };
    for (relation, text, notice) in [
        (Relation::Forward, "main moved to 0abcdef", Notice::Usual),
        (Relation::Back, "main was moved back: 1234567 → 0abcdef", Notice::Unusual),
        (Relation::Rewritten, "main was rewritten: 1234567 → 0abcdef", Notice::Unusual),
        (
            Relation::Unrelated,
            "main was replaced by an unrelated history: 1234567 → 0abcdef",
            Notice::Unusual,
        ),
    ] {
        assert_eq!(say(&moved, relation), (text.to_owned(), notice));
    }
    let deleted = BranchMove::Deleted { branch: "é".repeat(300), from: long(1) };
    let (text, notice) = say(&deleted, Relation::New);
    assert_eq!(text, format!("{}… was deleted, it was at 0000001", "é".repeat(100)));
    assert_eq!(notice, Notice::Unusual);
}

/// What happens to the one branch of the model.
#[derive(Debug, Clone)]
enum Op {
    /// A commit on top; whether it counts.
    Commit(bool),
    /// The branch is set to a commit made earlier.
    Reset(prop::sample::Index),
    /// A first commit without a parent takes the branch.
    Orphan(bool),
    Delete,
    Look,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => any::<bool>().prop_map(Op::Commit),
        2 => any::<prop::sample::Index>().prop_map(Op::Reset),
        1 => any::<bool>().prop_map(Op::Orphan),
        1 => Just(Op::Delete),
        4 => Just(Op::Look),
    ];
    prop::collection::vec(op, 1..40)
}

/// A repository with one branch, and a pipeline that watches it.
#[derive(Default)]
struct Model {
    /// Parent and whether it counts, by number.
    commits: Vec<(Option<usize>, bool)>,
    head: Option<usize>,
    rows: BTreeMap<String, Option<Sha>>,
    /// What was deployed last: the first look's find, then each run.
    deployed: Option<usize>,
    /// How often each commit was recorded, and as skipped.
    recorded: BTreeMap<Sha, Vec<bool>>,
}

impl Model {
    fn history(&self, of: Option<usize>) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut next = of;
        while let Some(n) = next {
            found.insert(n);
            next = self.commits[n].0;
        }
        found
    }

    /// What counts in the history of a commit: the content as the rules see it.
    fn counting(&self, of: Option<usize>) -> BTreeSet<usize> {
        self.history(of).into_iter().filter(|n| self.commits[*n].1).collect()
    }

    fn push(&mut self, parent: Option<usize>, counts: bool) {
        self.commits.push((parent, counts));
        self.head = Some(self.commits.len() - 1);
    }

    fn arrivals(&self, from: Option<usize>, to: usize) -> Arrivals {
        let (old, new) = (self.history(from), self.history(Some(to)));
        let relation = match from {
            None => Relation::New,
            Some(from) if new.contains(&from) => Relation::Forward,
            Some(_) if old.contains(&to) => Relation::Back,
            Some(_) if old.is_disjoint(&new) => Relation::Unrelated,
            Some(_) => Relation::Rewritten,
        };
        let message = |n: &usize| if self.commits[*n].1 { "x" } else { "[skip andon]" };
        let commits: Vec<FullCommit> =
            new.difference(&old).map(|n| commit(n + 1, message(n), &["a"])).collect();
        Arrivals { relation, total: commits.len(), commits }
    }

    fn look(&mut self) {
        let branches = self.head.iter().map(|n| ("main".to_owned(), sha(n + 1))).collect();
        let tips = RemoteTips { default_branch: self.head.map(|_| "main".to_owned()), branches };
        let watch = watch(&["main"]);
        let cursors = Cursors::new(self.rows.clone());
        let compared = Watched::new(&watch).compare(&cursors, &tips);
        for moved in &compared.moves {
            let number = |sha: &Sha| usize::from_str_radix(sha.as_str(), 16).unwrap() - 1;
            let arrivals = moved.to().map(|to| self.arrivals(moved.from().map(number), number(to)));
            let movement = judge(moved, arrivals.as_ref(), &Rules::new(&watch, None));
            for arrival in &movement.commits {
                let skipped = arrival.skipped_by.is_some();
                self.recorded.entry(arrival.sha.clone()).or_default().push(skipped);
            }
            if matches!(moved, BranchMove::Found { .. }) || movement.run.is_some() {
                assert!(movement.run.is_none() || movement.run == movement.to);
                self.deployed = self.head;
            }
            self.rows.insert(movement.branch, movement.to);
        }
        self.rows.extend(compared.markers.into_iter().map(|marker| (marker, None)));
    }
}

proptest! {
    /// Whatever was pushed, and whenever somebody looked: after a look, nothing that counts differs
    /// between the branch and what was run last.
    #[test]
    fn nothing_that_counts_is_missed(ops in ops()) {
        let mut model = Model::default();
        for op in ops.into_iter().chain([Op::Look]) {
            match op {
                Op::Commit(counts) => model.push(model.head, counts),
                Op::Reset(at) if !model.commits.is_empty() => {
                    model.head = Some(at.index(model.commits.len()));
                }
                Op::Reset(_) => {}
                Op::Orphan(counts) => model.push(None, counts),
                Op::Delete => model.head = None,
                Op::Look => {
                    model.look();
                    let same = model.counting(model.deployed) == model.counting(model.head);
                    prop_assert!(model.head.is_none() || same);
                    let again = model.recorded.clone();
                    model.look();
                    prop_assert_eq!(&again, &model.recorded, "a second look found something");
                }
            }
        }
    }

    /// On a branch that only grows, each commit after the first look has exactly one fate, and it
    /// does not depend on how many looks there were whether the counting ones are run.
    #[test]
    fn each_commit_has_one_fate(counts in prop::collection::vec(any::<(bool, bool)>(), 1..40)) {
        let mut model = Model::default();
        model.push(None, true);
        model.look();
        for (counts, looks) in &counts {
            model.push(model.head, *counts);
            if *looks {
                model.look();
            }
        }
        model.look();
        let seen: Vec<Sha> = (1..model.commits.len()).map(|n| sha(n + 1)).collect();
        prop_assert!(model.recorded.keys().eq(&seen));
        for (n, (_, counts)) in model.commits.iter().enumerate().skip(1) {
            let fates = &model.recorded[&sha(n + 1)];
            prop_assert_eq!(fates.len(), 1);
            prop_assert!(!*counts || !fates[0], "a commit that counts was passed over");
        }
    }
}
