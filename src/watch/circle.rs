//! When cycles go round: a cycle makes reports, they make a commit, and that makes the next cycle. Pure.
//!
//! Commits by which Andon publishes reports start nothing in the first place (`rules`). This is for what
//! others make of them: a bot that formats them, a squash that drops their trailer, a pipeline that
//! publishes where another one watches. Such commits may start three cycles in a row, and then none
//! until a commit comes that touches anything else.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::movement::{Movement, clipped};
use crate::domain::commit::{Echo, SeenBefore};
use crate::domain::revision::Sha;

/// So many cycles in a row may be for nothing but what cycles left behind.
pub const MAX_ROUNDS: usize = 3;

/// Cycles went round, and commits like those that made them start none now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Circle {
    /// The first commit that started none.
    pub sha: Sha,
    /// Its branch.
    pub branch: String,
    /// Since when.
    pub since: Timestamp,
}

impl Circle {
    /// What happened, and what ends it.
    pub fn told(&self) -> String {
        format!(
            "{MAX_ROUNDS} cycles in a row were for commits of nothing but reports, and {} on {} starts none: the next \
             commit that touches anything else does",
            self.sha.short(),
            clipped(&self.branch)
        )
    }
}

/// Whether the next commit that may be what a cycle left behind starts no cycle. `seen` are the commits that were
/// seen last, newest first.
pub fn goes_round(seen: &[SeenBefore]) -> bool {
    let (echoes, others) = seen.split_at(count_of_echoes(seen));
    if echoes.iter().any(|commit| commit.echo == Echo::Stopped) {
        return true;
    }
    let cycles = |commits: &[SeenBefore]| -> BTreeSet<u32> {
        commits.iter().filter_map(|commit| commit.cycle).collect()
    };
    // A cycle that was for something else, too, is no round.
    cycles(echoes).difference(&cycles(others)).count() >= MAX_ROUNDS
}

/// The circle that is held up now, if one is.
pub fn circle(seen: &[SeenBefore]) -> Option<Circle> {
    let echoes = &seen[..count_of_echoes(seen)];
    let first = echoes.iter().rev().find(|commit| commit.echo == Echo::Stopped)?;
    Some(Circle { sha: first.sha.clone(), branch: first.branch.clone(), since: first.at })
}

/// The movement, without a cycle: nothing that came with it starts one.
pub fn stop(movement: Movement) -> Movement {
    let mut stopped = Movement { run: None, echo: Echo::Stopped, ..movement };
    for commit in &mut stopped.commits {
        if commit.skipped_by.is_none() {
            commit.skipped_by = Some(format!(
                "nothing but reports, like what started {MAX_ROUNDS} cycles in a row"
            ));
            commit.echo = Echo::Stopped;
        }
    }
    stopped
}

fn count_of_echoes(seen: &[SeenBefore]) -> usize {
    seen.iter().take_while(|commit| commit.echo != Echo::No).count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::tests::{commit, sha, watch};
    use super::super::{BranchMove, Rules, judge};
    use super::*;
    use crate::domain::commit::{Arrivals, Relation};

    fn seen(rows: &[(Echo, u32)]) -> Vec<SeenBefore> {
        let row = |(place, (echo, cycle)): (usize, &(Echo, u32))| SeenBefore {
            sha: sha(place + 1),
            branch: "main".into(),
            at: Timestamp::UNIX_EPOCH,
            echo: *echo,
            cycle: (*cycle > 0).then_some(*cycle),
        };
        rows.iter().enumerate().map(row).collect()
    }

    #[test]
    fn three_cycles_in_a_row_for_reports_alone_are_a_circle() {
        use Echo::{No, Stopped, Yes};
        // Newest first; 0 started no cycle, as our own commits.
        let table: &[(&[(Echo, u32)], bool)] = &[
            (&[], false),
            (&[(Yes, 3), (Yes, 2)], false),
            (&[(Yes, 3), (Yes, 2), (Yes, 1)], true),
            (&[(Yes, 0), (Yes, 4), (Yes, 0), (Yes, 3), (Yes, 2), (No, 1)], true),
            (&[(Yes, 0), (Yes, 3), (Yes, 0), (Yes, 2), (No, 1)], false),
            // Several commits of one cycle are one round.
            (&[(Yes, 3), (Yes, 3), (Yes, 2), (Yes, 2), (No, 1)], false),
            // The first of the three took a change along.
            (&[(Yes, 3), (Yes, 2), (Yes, 1), (No, 1)], false),
            (&[(No, 0), (Yes, 3), (Yes, 2), (Yes, 1)], false),
            (&[(Yes, 0), (Stopped, 0), (Yes, 0)], true),
            (&[(No, 4), (Stopped, 0), (Yes, 3), (Yes, 2), (Yes, 1)], false),
        ];
        for (rows, expected) in table {
            assert_eq!(goes_round(&seen(rows)), *expected, "{rows:?}");
        }
    }

    #[test]
    fn a_circle_is_told_by_the_first_commit_that_started_nothing() {
        use Echo::{No, Stopped, Yes};
        let rows = [(Yes, 0), (Stopped, 0), (Stopped, 0), (Yes, 3), (No, 0), (Stopped, 0)];
        assert_eq!(circle(&seen(&rows)).unwrap().sha, sha(3));
        assert_eq!(circle(&seen(&rows[3..])), None);
        assert_eq!(circle(&seen(&rows[4..])), None);
    }

    #[test]
    fn history_that_was_changed_is_never_stopped() {
        let rules = Rules::default();
        let arrivals = |relation, total| {
            let commits = vec![commit(2, "Format", &["chat/cycle-0001.md"])];
            Some(Arrivals { relation, total, commits })
        };
        let moved = BranchMove::Moved { branch: "main".into(), from: sha(1), to: sha(2) };
        let echo = |relation, total| judge(&moved, arrivals(relation, total).as_ref(), &rules).echo;
        assert_eq!(echo(Relation::Forward, 1), Echo::Yes);
        assert_eq!(echo(Relation::Forward, 2), Echo::No, "one was left out of the list");
        for relation in [Relation::Back, Relation::Rewritten, Relation::Unrelated] {
            assert_eq!(echo(relation, 1), Echo::No, "{relation:?}");
        }
        let came = BranchMove::CameBack { branch: "main".into(), to: sha(2) };
        assert_eq!(judge(&came, arrivals(Relation::New, 1).as_ref(), &rules).echo, Echo::No);
    }

    /// What a push brings, and what happens after it.
    #[derive(Debug, Clone, Copy)]
    struct Push {
        of: What,
        /// Whether what waits starts before the next push.
        starts: bool,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum What {
        Reports,
        Change,
        /// One push with both.
        Both,
        /// A commit of reports with its trailer.
        Own,
    }

    fn pushes() -> impl Strategy<Value = Vec<Push>> {
        let what = prop_oneof![
            4 => Just(What::Reports), 1 => Just(What::Change), 1 => Just(What::Both), 2 => Just(What::Own)
        ];
        let push = (what, any::<bool>()).prop_map(|(of, starts)| Push { of, starts });
        proptest::collection::vec(push, 1..60)
    }

    /// A branch, its looks and its cycles: what was seen, oldest first, and what waits.
    #[derive(Default)]
    struct Model {
        seen: Vec<SeenBefore>,
        waiting: Vec<usize>,
        cycles: u32,
        /// Whether each cycle was for nothing but reports.
        rounds: BTreeMap<u32, bool>,
    }

    impl Model {
        /// Answers whether a push asked for a cycle.
        fn push(&mut self, what: What) -> bool {
            let next = self.seen.len() + 1;
            let reports = |n| commit(n, "Format", &["chat/cycle-0001.md", "README.md"]);
            let commits = match what {
                What::Reports => vec![reports(next)],
                What::Change => vec![commit(next, "Fix", &["src/a.rs"])],
                What::Both => vec![commit(next, "Fix", &["src/a.rs"]), reports(next + 1)],
                What::Own => vec![commit(next, "R\n\nAndon-Report: x 1", &["chat/cycle-0001.md"])],
            };
            let to = commits.last().unwrap().info.sha.clone();
            let arrivals = Arrivals { relation: Relation::Forward, total: commits.len(), commits };
            let moved = BranchMove::Moved { branch: "main".into(), from: sha(0), to };
            let mut movement = judge(&moved, Some(&arrivals), &Rules::new(&watch(&[]), None));
            let newest_first: Vec<SeenBefore> = self.seen.iter().rev().cloned().collect();
            if movement.run.is_some() && movement.echo == Echo::Yes && goes_round(&newest_first) {
                movement = stop(movement);
            }
            for arrival in &movement.commits {
                if movement.run.is_some() && arrival.skipped_by.is_none() {
                    self.waiting.push(self.seen.len());
                }
                self.seen.push(SeenBefore {
                    sha: arrival.sha.clone(),
                    branch: "main".into(),
                    at: Timestamp::UNIX_EPOCH,
                    echo: arrival.echo,
                    cycle: None,
                });
            }
            movement.run.is_some()
        }

        fn start(&mut self) {
            if self.waiting.is_empty() {
                return;
            }
            self.cycles += 1;
            let waiting = std::mem::take(&mut self.waiting);
            let is_round = waiting.iter().all(|at| self.seen[*at].echo == Echo::Yes);
            self.rounds.insert(self.cycles, is_round);
            for at in waiting {
                self.seen[at].cycle = Some(self.cycles);
            }
        }
    }

    proptest! {
        /// RELIABILITY H13: whatever comes in whichever order, a change always asks for a cycle; never are more than three cycles in
        /// a row for reports alone; and no reports are stopped before three were.
        #[test]
        fn a_change_always_runs_and_a_circle_always_ends(pushes in pushes()) {
            let mut model = Model::default();
            for Push { of, starts } in pushes {
                let rounds = || model.rounds.values().rev().take_while(|is_round| **is_round).count();
                let before = rounds();
                let asked = model.push(of);
                match of {
                    What::Change | What::Both => prop_assert!(asked),
                    What::Own => prop_assert!(!asked),
                    What::Reports => prop_assert!(asked || before >= MAX_ROUNDS),
                }
                if starts {
                    model.start();
                }
                let rounds = model.rounds.values().rev().take_while(|is_round| **is_round).count();
                prop_assert!(rounds <= MAX_ROUNDS, "{:?}", model.rounds);
                let newest_first: Vec<SeenBefore> = model.seen.iter().rev().cloned().collect();
                let touches_more = newest_first[0].echo == Echo::No;
                prop_assert!(!touches_more || circle(&newest_first).is_none());
            }
        }
    }
}
