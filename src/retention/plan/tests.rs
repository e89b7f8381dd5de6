//! The rules of retention, one by one, and what must hold whatever the past looks like.

#![allow(clippy::unwrap_used)]
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::domain::names::EnvironmentName;
use crate::domain::retention::Reference;
use crate::domain::revision::Sha;

const NOTHING: [u32; 0] = [];
const NONE: Limits = Limits { days: None, cycles: None, bytes: None };

fn day(day: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * (20_000 + day))
}

/// Cycle `n` ended on day `n`, tested its own revision, and takes 100 bytes.
fn cycle(number: u32, verdict: Verdict) -> KeptCycle {
    KeptCycle {
        cycle: number,
        environment: EnvironmentName::parse("staging").unwrap(),
        verdict: Some(verdict),
        is_whole: true,
        revision: Some(Sha::parse(&format!("{number:040x}")).unwrap()),
        finished_at: Some(day(number.into())),
        bytes: Some(100),
    }
}

fn history(name: &str, kept: Vec<KeptCycle>) -> PipelineHistory {
    PipelineHistory {
        pipeline: PipelineName::parse(name).unwrap(),
        kept,
        expired_since_yesterday: 0,
        references: BTreeSet::new(),
        investigated: BTreeSet::new(),
    }
}

fn reds(count: u32) -> Vec<KeptCycle> {
    (1..=count).map(|number| cycle(number, Verdict::Red)).collect()
}

fn gone(limits: &Limits, today: i64, histories: &[PipelineHistory]) -> Vec<u32> {
    let plan = plan(limits, day(today), Pace::AtOnce, histories);
    plan.expire.iter().map(|expiry| expiry.cycle).collect()
}

#[test]
fn without_limits_nothing_goes() {
    assert_eq!(gone(&NONE, 10_000, &[history("a", reds(20))]), NOTHING);
}

#[test]
fn age_number_and_room_each_take_the_oldest() {
    let histories = [history("a", reds(6))];
    // On day 6 the third cycle is three days old: to the very instant, and no more.
    assert_eq!(gone(&Limits { days: Some(3), ..NONE }, 6, &histories), [1, 2]);
    assert_eq!(gone(&Limits { cycles: Some(2), ..NONE }, 6, &histories), [1, 2, 3, 4]);
    assert_eq!(gone(&Limits { bytes: Some(350), ..NONE }, 6, &histories), [1, 2, 3]);
    // Whatever is reached first.
    let all = Limits { days: Some(5), cycles: Some(4), bytes: Some(300) };
    let plan = plan(&all, day(6), Pace::AtOnce, &histories);
    let rules: Vec<_> = plan.expire.iter().map(|expiry| (expiry.cycle, expiry.rule)).collect();
    assert_eq!(rules, [(1, Rule::Cycles), (2, Rule::Cycles), (3, Rule::Bytes)]);
}

#[test]
fn room_is_shared_by_all_pipelines() {
    let mut later = reds(2);
    later.iter_mut().for_each(|cycle| cycle.finished_at = Some(day(50)));
    let histories = [history("a", later), history("b", reds(3))];
    let plan = plan(&Limits { bytes: Some(300), ..NONE }, day(60), Pace::AtOnce, &histories);
    let gone: Vec<_> =
        plan.expire.iter().map(|expiry| (expiry.pipeline.as_str(), expiry.cycle)).collect();
    assert_eq!(gone, [("b", 1), ("b", 2)]);
}

#[test]
fn the_last_green_the_last_valid_and_what_is_open_stay() {
    let mut kept = vec![
        cycle(1, Verdict::Green),
        cycle(2, Verdict::Green),
        cycle(3, Verdict::Red),
        cycle(4, Verdict::Void),
        cycle(5, Verdict::DeployFailed),
    ];
    let mut open = cycle(6, Verdict::Red);
    (open.verdict, open.finished_at) = (None, None);
    kept.insert(0, KeptCycle { cycle: 0, ..open.clone() });
    kept.push(open);
    let plan = plan(
        &Limits { days: Some(1), cycles: Some(1), bytes: Some(0) },
        day(400),
        Pace::AtOnce,
        &[history("a", kept)],
    );
    // 2 is the last green one, 3 the last valid one, 5 the newest, 0 and 6 are open.
    assert_eq!(plan.expire.iter().map(|expiry| expiry.cycle).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(plan.protected, 4);
}

#[test]
fn a_limited_cycle_does_not_stand_in_for_a_whole_one() {
    let mut kept =
        vec![cycle(1, Verdict::Green), cycle(2, Verdict::Green), cycle(3, Verdict::Void)];
    kept[1].is_whole = false;
    assert_eq!(gone(&Limits { cycles: Some(1), ..NONE }, 9, &[history("a", kept)]), NOTHING);
}

#[test]
fn each_environment_has_a_last_green_of_its_own() {
    let mut kept = vec![cycle(1, Verdict::Green), cycle(2, Verdict::Green), cycle(3, Verdict::Red)];
    kept[0].environment = EnvironmentName::parse("preview").unwrap();
    kept[2].environment = EnvironmentName::parse("preview").unwrap();
    assert_eq!(gone(&Limits { cycles: Some(1), ..NONE }, 9, &[history("a", kept)]), NOTHING);
}

#[test]
fn what_an_investigation_or_a_case_refers_to_stays() {
    let mut history = history("a", reds(10));
    history.investigated.insert(2);
    history.references = [
        Reference { planned_in: 10, to: 4 },
        // Planned by a cycle that goes itself: a case that was removed long ago.
        Reference { planned_in: 5, to: 1 },
        // Planned by a cycle that is gone already.
        Reference { planned_in: 0, to: 3 },
    ]
    .into();
    assert_eq!(gone(&Limits { cycles: Some(2), ..NONE }, 10, &[history]), [1, 3, 5, 6, 7, 8]);
}

#[test]
fn the_loop_of_the_newest_revision_keeps_its_past() {
    let mut kept = reds(8);
    kept[5..]
        .iter_mut()
        .for_each(|cycle| cycle.revision = Some(Sha::parse(&"f".repeat(40)).unwrap()));
    assert_eq!(
        gone(&Limits { cycles: Some(1), ..NONE }, 8, &[history("a", kept)]),
        [1, 2, 3, 4, 5]
    );
}

/// RELIABILITY C5.
#[test]
fn a_clock_that_was_set_wrong_takes_a_tenth_a_day() {
    let limits = Limits { days: Some(30), ..NONE };
    let mut history = history("a", reds(400));
    let unattended = |history: &PipelineHistory| {
        let plan = plan(&limits, day(50_000), Pace::Unattended, std::slice::from_ref(history));
        (plan.expire.len(), plan.deferred)
    };
    assert_eq!(unattended(&history), (40, 359));
    history.expired_since_yesterday = 40;
    assert_eq!(unattended(&history), (0, 399));
    // A clock of 1970 condemns nothing.
    let early = plan(&limits, Timestamp::UNIX_EPOCH, Pace::AtOnce, &[history]);
    assert_eq!(early.expire, vec![]);
}

prop_compose! {
    fn any_history()(
        verdicts in prop::collection::vec((0..5_u8, any::<bool>(), 0..3_u32, 0..200_u64), 0..40),
        references in prop::collection::btree_set((0..45_u32, 0..45_u32), 0..10),
        investigated in prop::collection::btree_set(0..45_u32, 0..4),
    ) -> PipelineHistory {
        let kept = verdicts.into_iter().zip(1..).map(|((word, is_whole, revision, bytes), number)| {
            let verdict = [Verdict::Green, Verdict::Red, Verdict::Void, Verdict::NotReady, Verdict::Red];
            let mut kept = cycle(number, verdict[usize::from(word)]);
            kept.is_whole = is_whole;
            kept.revision = Some(Sha::parse(&format!("{revision:040x}")).unwrap());
            kept.bytes = (bytes > 0).then_some(bytes);
            if word == 4 {
                (kept.verdict, kept.finished_at) = (None, None);
            }
            kept
        });
        let references = references.into_iter().map(|(planned_in, to)| Reference { planned_in, to });
        PipelineHistory {
            references: references.collect(), investigated, ..history("a", kept.collect())
        }
    }
}

fn any_limits() -> impl Strategy<Value = Limits> {
    (
        proptest::option::of(0..50_u32),
        proptest::option::of(0..50_u32),
        proptest::option::of(0..4_000_u64),
    )
        .prop_map(|(days, cycles, bytes)| Limits { days, cycles, bytes })
}

proptest! {
    #[test]
    fn what_must_stay_stays(history in any_history(), limits in any_limits(), today in 0..90_i64) {
        let plan = plan(&limits, day(today), Pace::AtOnce, std::slice::from_ref(&history));
        let gone: BTreeSet<u32> = plan.expire.iter().map(|expiry| expiry.cycle).collect();
        prop_assert_eq!(gone.len(), plan.expire.len(), "a cycle expires once");
        let stays = |cycle: &KeptCycle| !gone.contains(&cycle.cycle);
        prop_assert!(history.kept.iter().filter(|c| c.finished_at.is_none()).all(stays));
        prop_assert!(gone.is_disjoint(&history.investigated));
        let green = |c: &&KeptCycle| c.verdict == Some(Verdict::Green);
        prop_assert!(history.kept.iter().rev().find(green).is_none_or(stays));
        prop_assert!(history.kept.iter().rev().find(|c| c.finished_at.is_some()).is_none_or(stays));
    }

    #[test]
    fn a_second_pass_finds_nothing_to_do_by_age_or_number(
        history in any_history(), days in 0..50_u32, cycles in 0..50_u32, today in 0..90_i64,
    ) {
        let limits = Limits { days: Some(days), cycles: Some(cycles), bytes: None };
        let first = plan(&limits, day(today), Pace::AtOnce, std::slice::from_ref(&history));
        let gone: BTreeSet<u32> = first.expire.iter().map(|expiry| expiry.cycle).collect();
        let mut rest = history;
        rest.kept.retain(|cycle| !gone.contains(&cycle.cycle));
        let second = plan(&limits, day(today), Pace::AtOnce, &[rest]);
        prop_assert_eq!(second.expire, vec![]);
    }

    #[test]
    fn room_takes_no_more_than_it_must(history in any_history(), bytes in 0..4_000_u64) {
        let limits = Limits { bytes: Some(bytes), ..NONE };
        let plan = plan(&limits, day(50), Pace::AtOnce, std::slice::from_ref(&history));
        let total: u64 = history.kept.iter().filter_map(|cycle| cycle.bytes).sum();
        let freed: u64 = plan.expire.iter().filter_map(|expiry| expiry.bytes).sum();
        let last = plan.expire.last().and_then(|expiry| expiry.bytes).unwrap_or(0);
        // Without the last one it would not have been enough.
        prop_assert!(plan.expire.is_empty() || total - (freed - last) > bytes);
        if total <= bytes {
            prop_assert_eq!(plan.expire, vec![]);
        }
    }
}
