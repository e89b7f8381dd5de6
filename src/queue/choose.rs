//! Which triggers start now, which are settled by others, and when to look again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::domain::event::RunOptions;
use crate::domain::names::{EnvironmentName, PipelineName};
use crate::domain::outcome::TriggerKind;

/// A branch that never comes to rest is run for all the same after so long.
const LONGEST_SETTLE: SignedDuration = SignedDuration::from_mins(10);

/// A trigger that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its identity: of two with the same rank the earlier one goes first.
    pub id: i64,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// What its cycle deploys to.
    pub environment: EnvironmentName,
    /// Why.
    pub kind: TriggerKind,
    /// The revision as it was asked for.
    pub requested: Option<String>,
    /// The branch whose newest commit it is for, where it is: that moved, or nothing else was named.
    pub newest_of: Option<String>,
    /// How the cycle should run.
    pub options: RunOptions,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// It does not start before this.
    pub not_before: Timestamp,
}

impl Candidate {
    /// When it may start, were everything free.
    fn due_at(&self) -> Timestamp {
        match self.kind {
            // Each commit puts the start off by the settle time; somewhere that must end.
            TriggerKind::Commit | TriggerKind::Webhook => {
                let latest = self.created_at.saturating_add(LONGEST_SETTLE);
                self.not_before.min(latest.unwrap_or(Timestamp::MAX))
            }
            TriggerKind::Manual
            | TriggerKind::Schedule
            | TriggerKind::Retry
            | TriggerKind::Culprit => self.not_before,
        }
    }

    /// Lower goes first (SPEC: hand, then commits, then schedules, then culprit searches). The loop
    /// goes on before a schedule begins anew, and never before a commit.
    fn rank(&self) -> (u8, i64) {
        let rank = match self.kind {
            TriggerKind::Manual => 0,
            TriggerKind::Commit | TriggerKind::Webhook => 1,
            TriggerKind::Retry => 2,
            TriggerKind::Schedule => 3,
            TriggerKind::Culprit => 4,
        };
        (rank, self.id)
    }

    /// Whether one of the two leaves it to the branch that the other is for.
    fn asks_for_the_same_newest(&self, other: &Self) -> bool {
        (self.requested.is_none() || other.requested.is_none())
            && self.newest_of.is_some()
            && self.newest_of == other.newest_of
    }

    /// Whether one cycle answers both.
    fn asks_the_same(&self, other: &Self) -> bool {
        self.pipeline == other.pipeline
            && (self.requested == other.requested || self.asks_for_the_same_newest(other))
            && self.options == other.options
            && self.kind != TriggerKind::Culprit
            && other.kind != TriggerKind::Culprit
    }
}

/// What cannot be given to anybody now.
#[derive(Debug, Clone, Default)]
pub struct Busy {
    /// Environments with a cycle that runs, is held, or waits to be taken up.
    pub environments: BTreeSet<EnvironmentName>,
    /// Pipelines that start nothing: their file is gone.
    pub gone: BTreeSet<PipelineName>,
    /// Cycles that may start beside those that run.
    pub free_slots: usize,
}

/// What is to be done now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Triggers whose cycles start, best first; no two in one environment.
    pub start: Vec<Start>,
    /// Triggers that have nothing to wait for any more, with the reason.
    pub drop: Vec<(i64, &'static str)>,
    /// When the next one comes due, if nothing else happens before.
    pub look_again_at: Option<Timestamp>,
}

impl Choice {
    /// Whether a trigger waits on after this.
    pub fn leaves(&self, id: i64) -> bool {
        let starts = |start: &Start| start.id == id || start.joined.contains(&id);
        !self.start.iter().any(starts) && !self.drop.iter().any(|(dropped, _)| *dropped == id)
    }
}

/// A trigger whose cycle starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The trigger.
    pub id: i64,
    /// Triggers that the same cycle answers: one deploy with several causes.
    pub joined: Vec<i64>,
}

/// Chooses among the triggers that wait.
pub fn choose(waiting: &[Candidate], busy: &Busy, now: Timestamp) -> Choice {
    let mut choice = Choice::default();
    let mut open: Vec<&Candidate> = Vec::new();
    for candidate in waiting {
        match settled_by_others(candidate, waiting) {
            Some(why) => choice.drop.push((candidate.id, why)),
            None => open.push(candidate),
        }
    }
    open.retain(|candidate| !busy.gone.contains(&candidate.pipeline));
    // In the middle of a search an older commit is deployed: who tests what is there waits for its end.
    let in_search: BTreeSet<&PipelineName> = waiting
        .iter()
        .filter(|candidate| candidate.kind == TriggerKind::Culprit)
        .map(|candidate| &candidate.pipeline)
        .collect();
    let rank = |candidate: &&Candidate| {
        let waits = !candidate.options.deploy
            && candidate.kind != TriggerKind::Culprit
            && in_search.contains(&candidate.pipeline);
        (waits, candidate.rank())
    };
    open.sort_by_key(rank);
    let mut due: Vec<&Candidate> = first_in_line(&open, busy, now).into_values().collect();
    due.sort_by_key(rank);
    for candidate in due.into_iter().take(busy.free_slots) {
        let joined = open.iter().filter(|other| {
            other.id != candidate.id && other.due_at() <= now && candidate.asks_the_same(other)
        });
        let joined = joined.map(|other| other.id).collect();
        choice.start.push(Start { id: candidate.id, joined });
    }
    choice.look_again_at =
        open.iter().map(|candidate| candidate.due_at()).filter(|at| *at > now).min();
    choice
}

/// For each free environment the one whose turn it is. A commit that still settles is waited for
/// by its own pipeline alone: others must not stand still for it.
fn first_in_line<'a>(
    by_rank: &[&'a Candidate],
    busy: &Busy,
    now: Timestamp,
) -> BTreeMap<&'a EnvironmentName, &'a Candidate> {
    let mut first = BTreeMap::new();
    let mut settling: BTreeSet<&PipelineName> = BTreeSet::new();
    for candidate in by_rank {
        if busy.environments.contains(&candidate.environment) {
            continue;
        }
        let is_due = candidate.due_at() <= now;
        if is_due && !settling.contains(&candidate.pipeline) {
            first.entry(&candidate.environment).or_insert(*candidate);
        }
        if !is_due && is_commit(candidate) {
            settling.insert(&candidate.pipeline);
        }
    }
    first
}

fn is_commit(candidate: &Candidate) -> bool {
    matches!(candidate.kind, TriggerKind::Commit | TriggerKind::Webhook)
}

/// A new commit ends the pause of the loop: its own cycle shows more than another one of the old. One that
/// came while the old one was still being tested is older than the wish to test that again.
fn settled_by_others(candidate: &Candidate, waiting: &[Candidate]) -> Option<&'static str> {
    let commit = |other: &Candidate| is_commit(other) && other.pipeline == candidate.pipeline;
    (candidate.kind == TriggerKind::Retry && waiting.iter().any(commit))
        .then_some("a newer commit came")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + second).unwrap()
    }

    fn candidate(id: i64, pipeline: &str, kind: TriggerKind) -> Candidate {
        Candidate {
            id,
            pipeline: PipelineName::parse(pipeline).unwrap(),
            environment: EnvironmentName::parse(pipeline).unwrap(),
            kind,
            requested: Some(format!("{id}")),
            newest_of: None,
            options: RunOptions { deploy: true, only: None, search_of: None },
            created_at: at(0),
            not_before: at(0),
        }
    }

    fn in_environment(environment: &str, candidate: Candidate) -> Candidate {
        Candidate { environment: EnvironmentName::parse(environment).unwrap(), ..candidate }
    }

    /// RELIABILITY B1: a commit, a schedule and a hand that all want the newest get one cycle.
    #[test]
    fn b1_who_wants_the_newest_joins_the_commit_that_is_it() {
        let newest = |id, kind, requested: Option<&str>| Candidate {
            requested: requested.map(str::to_owned),
            newest_of: Some("main".to_owned()),
            ..candidate(id, "a", kind)
        };
        let commit = newest(1, TriggerKind::Commit, Some("4f1c2aa"));
        let schedule = newest(2, TriggerKind::Schedule, None);
        let hand = newest(3, TriggerKind::Manual, None);
        let all = [commit.clone(), schedule.clone(), hand.clone()];
        let choice = choose(&all, &free(2), at(1));
        assert_eq!(choice.start, [Start { id: 3, joined: vec![1, 2] }]);
        // Another branch, another way to run, and a commit that was named are no newest of this one.
        let elsewhere = Candidate { newest_of: Some("v1".to_owned()), ..commit };
        let options = RunOptions { deploy: false, only: None, search_of: None };
        let without_deploy = Candidate { options, ..schedule };
        let named = Candidate { newest_of: None, ..newest(4, TriggerKind::Manual, Some("abc")) };
        for other in [elsewhere, without_deploy, named] {
            let choice = choose(&[other, hand.clone()], &free(2), at(1));
            assert!(choice.start.iter().all(|start| start.joined.is_empty()), "{choice:?}");
        }
    }

    fn free(slots: usize) -> Busy {
        Busy { free_slots: slots, ..Busy::default() }
    }

    fn started(choice: &Choice) -> Vec<i64> {
        choice.start.iter().map(|start| start.id).collect()
    }

    #[test]
    fn hand_goes_before_commit_before_loop_before_schedule_before_culprit() {
        use TriggerKind::{Commit, Culprit, Manual, Retry, Schedule, Webhook};
        let order = [Manual, Commit, Webhook, Retry, Schedule, Culprit];
        for (better, worse) in order.iter().zip(&order[1..]) {
            // In another pipeline, so that nothing but the rank speaks.
            let second = in_environment("staging", candidate(2, "two", *better));
            let first = in_environment("staging", candidate(1, "one", *worse));
            let same_rank = (*better, *worse) == (Commit, Webhook);
            let wins = if same_rank { 1 } else { 2 };
            assert_eq!(started(&choose(&[first, second], &free(9), at(0))), [wins], "{better:?}");
        }
    }

    #[test]
    fn one_environment_takes_one_cycle_and_others_run_beside_it() {
        let waiting = [
            in_environment("staging", candidate(1, "a", TriggerKind::Commit)),
            in_environment("staging", candidate(2, "b", TriggerKind::Commit)),
            candidate(3, "c", TriggerKind::Commit),
            candidate(4, "d", TriggerKind::Commit),
        ];
        assert_eq!(started(&choose(&waiting, &free(9), at(0))), [1, 3, 4]);
        assert_eq!(started(&choose(&waiting, &free(2), at(0))), [1, 3]);
        let mut busy = free(9);
        busy.environments.insert(EnvironmentName::parse("staging").unwrap());
        assert_eq!(started(&choose(&waiting, &busy, at(0))), [3, 4]);
    }

    #[test]
    fn what_settles_is_waited_for_by_its_own_pipeline_alone() {
        let mut commit = candidate(2, "a", TriggerKind::Commit);
        commit.not_before = at(5);
        let schedule = candidate(1, "a", TriggerKind::Schedule);
        let other = in_environment("a", candidate(3, "b", TriggerKind::Schedule));
        let waiting = [schedule, commit, other];
        let choice = choose(&waiting, &free(9), at(0));
        assert_eq!((started(&choice), choice.look_again_at), (vec![3], Some(at(5))));
        assert_eq!(started(&choose(&waiting[..2], &free(9), at(4))), [0i64; 0]);
        assert_eq!(started(&choose(&waiting, &free(9), at(5))), [2]);
    }

    #[test]
    fn a_branch_that_never_rests_is_run_for_all_the_same() {
        let mut busy_branch = candidate(1, "a", TriggerKind::Commit);
        busy_branch.not_before = at(605);
        assert_eq!(
            started(&choose(std::slice::from_ref(&busy_branch), &free(1), at(599))),
            [0i64; 0]
        );
        assert_eq!(started(&choose(&[busy_branch], &free(1), at(600))), [1]);
    }

    #[test]
    fn a_commit_that_came_while_an_older_one_was_tested_ends_the_loop_of_that_one() {
        let commit = candidate(1, "a", TriggerKind::Commit);
        let retry = candidate(2, "a", TriggerKind::Retry);
        let choice = choose(&[commit, retry], &free(2), at(1));
        assert_eq!(choice.drop, [(2, "a newer commit came")]);
        assert_eq!(started(&choice), [1]);
    }

    #[test]
    fn who_tests_what_is_there_waits_for_the_end_of_a_search() {
        let options = RunOptions { deploy: false, only: None, search_of: None };
        let probe = Candidate { options, ..candidate(1, "a", TriggerKind::Manual) };
        let step = candidate(2, "a", TriggerKind::Culprit);
        assert_eq!(started(&choose(&[probe.clone(), step], &free(2), at(1))), [2]);
        assert_eq!(started(&choose(&[probe], &free(2), at(1))), [1]);
    }

    #[test]
    fn a_new_commit_ends_the_pause_of_the_loop() {
        let mut retry = candidate(1, "a", TriggerKind::Retry);
        retry.not_before = at(120);
        let commit = candidate(2, "a", TriggerKind::Commit);
        let choice = choose(&[retry, commit], &free(1), at(0));
        assert_eq!(choice.drop, [(1, "a newer commit came")]);
        assert_eq!(started(&choice), [2]);
    }

    #[test]
    fn what_asks_for_the_same_becomes_one_cycle_with_several_causes() {
        let same = |id, kind| Candidate { requested: None, ..candidate(id, "a", kind) };
        let mut later = same(4, TriggerKind::Schedule);
        later.not_before = at(9);
        let mut without_deploy = same(5, TriggerKind::Schedule);
        without_deploy.options.deploy = false;
        let waiting = [
            same(1, TriggerKind::Schedule),
            same(2, TriggerKind::Manual),
            same(3, TriggerKind::Commit),
            later,
            without_deploy,
        ];
        let choice = choose(&waiting, &free(1), at(0));
        assert_eq!(choice.start, [Start { id: 2, joined: vec![3, 1] }]);
    }

    #[test]
    fn a_pipeline_whose_file_is_gone_starts_nothing_and_loses_nothing() {
        let waiting = [candidate(1, "a", TriggerKind::Commit)];
        let mut busy = free(1);
        busy.gone.insert(PipelineName::parse("a").unwrap());
        assert_eq!(choose(&waiting, &busy, at(0)), Choice::default());
    }

    fn any_candidate() -> impl Strategy<Value = Candidate> {
        let kinds = prop::sample::select(TriggerKind::ALL.to_vec());
        (1i64..40, 0usize..4, 0usize..3, kinds, 0i64..20).prop_map(
            |(id, pipeline, environment, kind, later)| {
                let name = ["a", "b", "c", "d"][pipeline];
                let environment = ["x", "y", "z"][(pipeline + environment / 2) % 3];
                let mut candidate = in_environment(environment, candidate(id, name, kind));
                candidate.not_before = at(later);
                candidate
            },
        )
    }

    proptest! {
        #[test]
        fn never_two_cycles_of_one_environment_never_too_early_never_stuck(
            mut waiting in prop::collection::vec(any_candidate(), 0..12),
            slots in 0usize..4,
            now in 0i64..25,
        ) {
            waiting.sort_by_key(|candidate| candidate.id);
            waiting.dedup_by_key(|candidate| candidate.id);
            let choice = choose(&waiting, &free(slots), at(now));
            let by_id = |id: i64| waiting.iter().find(|c| c.id == id).unwrap();
            prop_assert!(choice.start.len() <= slots);
            let environments: BTreeSet<_> =
                choice.start.iter().map(|start| &by_id(start.id).environment).collect();
            prop_assert_eq!(environments.len(), choice.start.len());
            for start in &choice.start {
                prop_assert!(by_id(start.id).due_at() <= at(now));
                prop_assert!(!choice.drop.iter().any(|(id, _)| *id == start.id));
            }
            // Once everything is due, something starts as long as anything waits.
            let later = choose(&waiting, &free(1), at(1_000));
            prop_assert_eq!(later.start.is_empty(), waiting.is_empty());
            prop_assert_eq!(later.look_again_at, None);
        }
    }
}
