//! Which case comes next: `needs`, the first pass, retries after it, the outage rule. Pure.

use std::collections::BTreeSet;

use crate::verdict::may_retry;

/// One case as the schedule sees it.
#[derive(Debug, Default)]
struct Slot {
    /// Cases that wait for this one.
    dependents: Vec<usize>,
    /// Cases it waits for that have not passed yet.
    open_needs: usize,
    attempts: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Waits for its needs, or for its turn.
    #[default]
    Waiting,
    Running,
    /// Failing, may be tried again after this pass.
    MayRetry,
    Passed,
    Failing,
    /// Cannot run: that case is failing or blocked itself.
    Blocked(usize),
}

/// How an attempt ended, as far as the schedule cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Passed,
    Failing,
    /// Failing, and trying again would not help.
    FailingForGood,
}

/// What remains after a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Settled {
    /// Failing cases come again.
    Again,
    /// Nothing more will run.
    Done,
}

/// The order of the cases of one suite.
#[derive(Debug)]
pub(super) struct Schedule {
    slots: Vec<Slot>,
    ready: BTreeSet<usize>,
    max_attempts: u32,
    withheld: Option<String>,
}

impl Schedule {
    /// A schedule of cases, each with the positions of those that it needs.
    pub(super) fn new(needs: &[Vec<usize>], retries: u32) -> Self {
        let mut slots: Vec<Slot> = needs.iter().map(|_| Slot::default()).collect();
        for (case, needs) in needs.iter().enumerate() {
            let mut needs = needs.clone();
            needs.sort_unstable();
            needs.dedup();
            slots[case].open_needs = needs.len();
            needs.into_iter().for_each(|need| slots[need].dependents.push(case));
        }
        let ready = (0..slots.len()).filter(|case| slots[*case].open_needs == 0).collect();
        Self { slots, ready, max_attempts: retries.saturating_add(1), withheld: None }
    }

    /// The next case to run, and the number of its attempt.
    pub(super) fn take(&mut self) -> Option<(usize, u32)> {
        let case = self.ready.pop_first()?;
        let slot = &mut self.slots[case];
        slot.attempts += 1;
        slot.state = State::Running;
        Some((case, slot.attempts))
    }

    /// An attempt is final. Attempts of an earlier process are told in the same way.
    pub(super) fn ended(&mut self, case: usize, number: u32, ended: Ended) {
        self.ready.remove(&case);
        let slot = &mut self.slots[case];
        slot.attempts = slot.attempts.max(number);
        match ended {
            Ended::Passed => self.pass(case),
            Ended::Failing if slot.attempts < self.max_attempts => slot.state = State::MayRetry,
            Ended::Failing | Ended::FailingForGood => self.fail(case),
        }
    }

    fn pass(&mut self, case: usize) {
        self.slots[case].state = State::Passed;
        for dependent in self.slots[case].dependents.clone() {
            let slot = &mut self.slots[dependent];
            slot.open_needs = slot.open_needs.saturating_sub(1);
            if slot.open_needs == 0 && slot.state == State::Waiting {
                self.ready.insert(dependent);
            }
        }
    }

    fn fail(&mut self, case: usize) {
        self.slots[case].state = State::Failing;
        let mut blockers = vec![case];
        while let Some(blocker) = blockers.pop() {
            for dependent in self.slots[blocker].dependents.clone() {
                if self.slots[dependent].state == State::Waiting {
                    self.slots[dependent].state = State::Blocked(blocker);
                    blockers.push(dependent);
                }
            }
        }
    }

    /// Called when nothing is ready and nothing runs: failing cases come again, where they may.
    pub(super) fn settle(&mut self) -> Settled {
        let in_state = |wanted: State| {
            let slots = self.slots.iter().enumerate();
            slots.filter(move |(_, slot)| slot.state == wanted).map(|(case, _)| case)
        };
        let candidates: Vec<usize> = in_state(State::MayRetry).collect();
        if candidates.is_empty() {
            return Settled::Done;
        }
        let failing = candidates.len() + in_state(State::Failing).count();
        let planned = self.slots.len();
        if may_retry(planned, failing) {
            self.ready.extend(candidates);
            return Settled::Again;
        }
        let why = format!("{failing} of {planned} cases were failing: that is no flake");
        self.withheld = Some(why);
        candidates.into_iter().for_each(|case| self.fail(case));
        Settled::Done
    }

    /// Why failing cases were not tried again, when the outage rule forbade it.
    pub(super) fn withheld(&self) -> Option<&str> {
        self.withheld.as_deref()
    }

    /// The suite ends here, before its end: what was to come again stays as it is, so that what needs it
    /// is blocked by it, as it would be in the end.
    pub(super) fn give_up(&mut self) {
        let is_failing = |slot: &Slot| match slot.state {
            State::MayRetry => true,
            // A second attempt that was cut short leaves the first, which failed.
            State::Running => slot.attempts > 1,
            State::Waiting | State::Passed | State::Failing | State::Blocked(_) => false,
        };
        let failing: Vec<usize> =
            (0..self.slots.len()).filter(|case| is_failing(&self.slots[*case])).collect();
        failing.into_iter().for_each(|case| self.fail(case));
    }

    /// Cases that never ran, each with the one that blocks it, if one does.
    pub(super) fn never_ran(&self) -> Vec<(usize, Option<usize>)> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(_, slot)| {
                slot.attempts == 0 || (slot.attempts == 1 && slot.state == State::Running)
            })
            .map(|(case, slot)| match slot.state {
                State::Blocked(by) => (case, Some(by)),
                State::Waiting
                | State::Running
                | State::MayRetry
                | State::Passed
                | State::Failing => (case, None),
            })
            .collect()
    }

    /// Whether anything is left to run.
    pub(super) fn has_work(&self) -> bool {
        !self.ready.is_empty() || self.slots.iter().any(|slot| slot.state == State::MayRetry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs everything by a script of which attempts pass; returns what ran, in order.
    fn run(
        needs: &[Vec<usize>],
        retries: u32,
        passes: &dyn Fn(usize, u32) -> bool,
    ) -> (Vec<(usize, u32)>, Schedule) {
        let mut schedule = Schedule::new(needs, retries);
        let mut ran = Vec::new();
        loop {
            while let Some((case, number)) = schedule.take() {
                ran.push((case, number));
                let ended = if passes(case, number) { Ended::Passed } else { Ended::Failing };
                schedule.ended(case, number, ended);
            }
            if schedule.settle() == Settled::Done {
                return (ran, schedule);
            }
        }
    }

    #[test]
    fn retries_come_after_the_first_pass() {
        let (ran, schedule) = run(&vec![vec![]; 10], 1, &|case, number| case != 0 || number == 2);
        let wanted: Vec<(usize, u32)> = (0..10).map(|case| (case, 1)).chain([(0, 2)]).collect();
        assert_eq!(ran, wanted);
        assert_eq!(schedule.withheld(), None);
    }

    #[test]
    fn what_needs_a_failing_case_is_blocked_by_it() {
        let needs = [vec![], vec![0], vec![1], vec![]];
        let (ran, schedule) = run(&needs, 0, &|case, _| case != 0);
        assert_eq!(ran, [(0, 1), (3, 1)]);
        assert_eq!(schedule.never_ran(), [(1, Some(0)), (2, Some(1))]);
    }

    #[test]
    fn what_needs_a_flaky_case_runs_once_that_passed() {
        let needs = [vec![1], vec![], vec![], vec![], vec![], vec![]];
        let (ran, schedule) = run(&needs, 1, &|case, number| case != 1 || number == 2);
        assert_eq!(ran[ran.len() - 2..], [(1, 2), (0, 1)]);
        assert!(schedule.never_ran().is_empty());
    }

    #[test]
    fn an_outage_is_not_tried_again() {
        let (ran, schedule) = run(&vec![vec![]; 20], 2, &|case, _| case > 4);
        assert_eq!(ran.len(), 20);
        assert_eq!(schedule.withheld(), Some("5 of 20 cases were failing: that is no flake"));
        let (ran, schedule) = run(&vec![vec![]; 20], 2, &|case, _| case > 3);
        assert_eq!(ran.len(), 20 + 2 * 4);
        assert_eq!(schedule.withheld(), None);
    }

    #[test]
    fn finished_attempts_never_run_again() {
        let mut schedule = Schedule::new(&vec![vec![]; 10], 1);
        schedule.ended(0, 1, Ended::Passed);
        schedule.ended(1, 1, Ended::Failing);
        schedule.ended(1, 2, Ended::Failing);
        schedule.ended(2, 1, Ended::Failing);
        let first_pass: Vec<(usize, u32)> = std::iter::from_fn(|| schedule.take()).collect();
        assert_eq!(first_pass, (3..10).map(|case| (case, 1)).collect::<Vec<_>>());
        first_pass.into_iter().for_each(|(case, _)| schedule.ended(case, 1, Ended::Passed));
        assert_eq!(schedule.settle(), Settled::Again);
        assert_eq!(schedule.take(), Some((2, 2)));
    }

    #[test]
    fn what_needs_a_case_that_failed_is_blocked_by_it_at_an_early_end_too() {
        let needs = [vec![], vec![0], vec![], vec![2], vec![]];
        let mut schedule = Schedule::new(&needs, 1);
        while let Some((case, number)) = schedule.take() {
            if case == 0 {
                schedule.ended(case, number, Ended::Failing);
            }
        }
        schedule.give_up();
        assert_eq!(schedule.never_ran(), [(1, Some(0)), (2, None), (3, None), (4, None)]);
    }

    #[test]
    fn what_was_cut_short_never_ran() {
        let mut schedule = Schedule::new(&vec![vec![]; 3], 1);
        assert_eq!(schedule.take(), Some((0, 1)));
        assert_eq!(schedule.take(), Some((1, 1)));
        schedule.ended(0, 1, Ended::Failing);
        assert_eq!(schedule.never_ran(), [(1, None), (2, None)]);
    }

    #[test]
    fn needs_in_a_circle_end_as_never_ran() {
        let (ran, schedule) = run(&[vec![1], vec![0]], 1, &|_, _| true);
        assert!(ran.is_empty());
        assert_eq!(schedule.never_ran(), [(0, None), (1, None)]);
    }

    proptest! {
        #[test]
        fn every_case_runs_or_is_blocked_and_needs_come_first(
            needs in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..3), 1..20),
            fails in prop::collection::vec(any::<bool>(), 20),
        ) {
            let needs: Vec<Vec<usize>> = needs
                .into_iter()
                .enumerate()
                .map(|(case, list)| match case {
                    0 => vec![],
                    case => list.into_iter().map(|index| index.index(case)).collect(),
                })
                .collect();
            let (ran, schedule) = run(&needs, 1, &|case, _| !fails[case]);
            let at = |case: usize| ran.iter().position(|(ran, _)| *ran == case);
            let blocked = schedule.never_ran();
            for (case, needs) in needs.iter().enumerate() {
                prop_assert!(at(case).is_some() != blocked.iter().any(|(b, _)| *b == case));
                let all_good = needs.iter().all(|need| at(*need).is_some() && !fails[*need]);
                prop_assert_eq!(at(case).is_some(), all_good);
                for need in needs.iter().filter(|_| at(case).is_some()) {
                    prop_assert!(at(*need) < at(case));
                }
            }
        }
    }
}
