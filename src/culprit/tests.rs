//! Searches in a simulated world, and the rules of a single step.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::testing::{Dice, World, case, sha};
use super::{Answer, Limits, Moot, Question, Search, Step, StepOutcome, next, result};
use crate::domain::findings::FlakyRate;
use crate::domain::revision::Sha;
use crate::domain::search::{SearchAnswer, SearchCause, SearchEnding};

/// The bar of the issue: 64 commits, cases that are flaky at 10 %, at least 99 of 100 searches name the
/// right commit within 12 deploys.
#[test]
fn flaky_cases_do_not_lead_to_the_wrong_commit() {
    const SEARCHES: u64 = 2_000;
    let (mut right, mut most, mut all) = (0_u64, 0, 0);
    for seed in 0..SEARCHES {
        let mut dice = Dice::new(seed + 1);
        let mut world = World::new(64, 1 + dice.below(64));
        world.noise = 0.1;
        world.rate = Some(FlakyRate { flaky: 5, of: 50 });
        world.dice = dice;
        let (_, found) = world.searched();
        right += u64::from(found.culprit == Some(sha(world.culprits[0])));
        most = most.max(found.deploys);
        all += u64::from(found.deploys);
    }
    assert!(right * 100 >= SEARCHES * 99, "{right} of {SEARCHES} right, {all} deploys in all");
    assert!(most <= 12, "{most}");
}

/// What it says of its own sureness is how often it is right.
#[test]
fn confidence_is_how_often_it_is_right() {
    let (mut claimed, mut right, mut named) = (0.0, 0.0, 0.0);
    for seed in 0..500 {
        let mut dice = Dice::new(seed + 10_000);
        let mut world = World::new(16, 1 + dice.below(16));
        world.noise = 0.25;
        world.rate = Some(FlakyRate { flaky: 15, of: 50 });
        world.dice = dice;
        let (_, found) = world.searched();
        if let Some(culprit) = &found.culprit {
            named += 1.0;
            claimed += found.confidence;
            right += f64::from(u8::from(*culprit == sha(world.culprits[0])));
        }
    }
    assert!(named > 200.0, "{named}");
    assert!(right / named > claimed / named - 0.02, "claimed {claimed}, right {right} of {named}");
}

proptest! {
    /// Steady cases: always the right commit, in no more deploys than a bisection takes, and both it and
    /// its parent confirmed.
    #[test]
    fn steady_cases_find_it_by_bisection(commits in 1_usize..300, at in 0.0..1.0_f64, cases in 1_usize..4) {
        let culprit = 1 + scaled(at, commits);
        let mut world = World::new(commits, culprit);
        world.cases = cases;
        let (search, found) = world.searched();
        prop_assert_eq!(&found.culprit, &Some(sha(culprit)));
        prop_assert_eq!(found.ending, SearchEnding::Found);
        prop_assert!(found.confidence > 0.97);
        let bisection = usize::BITS - (commits - 1).leading_zeros();
        prop_assert!(found.deploys <= 1 + bisection + 1, "{} of {commits}", found.deploys);
        prop_assert_eq!(&search.steps[0].revision, &sha(0));
        let answer = |at| found.steps.iter().find(|s| s.revision == sha(at)).map(|s| s.answer);
        prop_assert_eq!(answer(culprit - 1), Some(SearchAnswer::Good));
        let is_last = culprit == commits;
        prop_assert!(is_last || answer(culprit) == Some(SearchAnswer::Bad));
    }

    /// Commits that cannot be deployed are walked around; where they hide the culprit, nobody is accused,
    /// and the culprit is among the suspects.
    #[test]
    fn what_cannot_be_deployed_is_walked_around(
        commits in 2_usize..40,
        at in 0.0..1.0_f64,
        broken in proptest::collection::vec(1_usize..40, 0..8),
    ) {
        let culprit = 1 + scaled(at, commits);
        let mut world = World::new(commits, culprit);
        world.limits.max_deploys = 40;
        world.unusable = broken.into_iter().filter(|at| *at < commits).collect();
        let hides = world.unusable.contains(&culprit) || world.unusable.contains(&(culprit - 1));
        let (_, found) = world.searched();
        if hides {
            prop_assert_eq!(&found.culprit, &None);
            prop_assert_eq!(found.ending, SearchEnding::Undecided);
        } else {
            prop_assert_eq!(&found.culprit, &Some(sha(culprit)));
        }
        prop_assert!(found.failures[0].suspects.contains(&sha(culprit)));
    }

    /// Whatever happens, a search ends, keeps to its budget and leaves the newest revision deployed
    /// (`World::searched` asserts these).
    #[test]
    fn every_search_ends_within_its_budget(
        commits in 1_usize..70,
        at in 0.0..1.2_f64,
        noise in 0.0..0.5_f64,
        flaky in 0_u32..50,
        max_deploys in 1_u32..12,
        confirm in 1_u32..5,
        unusable in proptest::collection::vec(0_usize..70, 0..20),
        seed in any::<u64>(),
    ) {
        let mut world = World::new(commits, scaled(at, commits));
        world.culprits.push(scaled(at / 2.0, commits));
        world.noise = noise;
        world.rate = Some(FlakyRate { flaky, of: 50 });
        world.limits = Limits { max_deploys, confirm };
        world.unusable = unusable;
        world.dice = Dice::new(seed);
        let (_, found) = world.searched();
        prop_assert!((0.0..=1.0).contains(&found.confidence));
        prop_assert_ne!(found.ending, SearchEnding::Open);
        prop_assert_eq!(found.ending == SearchEnding::Found, found.culprit.is_some());
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn scaled(share: f64, count: usize) -> usize {
    (share * count as f64) as usize
}

#[test]
fn a_baseline_that_fails_now_is_the_environment() {
    let (search, found) = World::new(64, 0).searched();
    assert_eq!(found.cause, SearchCause::Environment);
    assert_eq!((found.culprit, found.ending), (None, SearchEnding::BaselineFails));
    assert!(found.confidence > 0.99, "{}", found.confidence);
    let of_failure = found.failures[0].confidence;
    assert!((of_failure - found.confidence).abs() < f64::EPSILON, "{of_failure}");
    assert_eq!(found.deploys, 2, "the baseline, and the newest again: {:?}", search.steps);
    assert_eq!(
        found.because,
        format!(
            "the last good revision {} fails now, too: something else than a commit changed",
            sha(0).short()
        )
    );
}

#[test]
fn what_went_by_itself_is_no_commit() {
    let (_, found) = World::new(8, 9).searched();
    assert_eq!(found.culprit, None);
    assert_eq!((found.cause, found.ending), (SearchCause::Environment, SearchEnding::Gone));
}

#[test]
fn a_baseline_that_cannot_be_asked_ends_it_after_a_second_try() {
    let mut world = World::new(8, 3);
    world.unusable = vec![0];
    let (search, found) = world.searched();
    assert_eq!(found.ending, SearchEnding::BaselineUnusable);
    assert_eq!(search.steps.len(), 3, "two tries and the return");
}

#[test]
fn a_search_for_several_failures_settles_the_worst_first_and_wastes_no_answer() {
    let mut world = World::new(16, 5);
    world.culprits.push(12);
    let (_, found) = world.searched();
    let culprits: Vec<_> = found.failures.iter().map(|f| f.culprit.clone()).collect();
    assert_eq!(culprits, [Some(sha(5)), Some(sha(12))]);
    assert_eq!(found.culprit, Some(sha(5)));
}

#[test]
fn a_budget_that_is_used_up_names_what_is_left() {
    let mut world = World::new(64, 40);
    world.limits.max_deploys = 4;
    let (_, found) = world.searched();
    assert_eq!((found.culprit.clone(), found.ending), (None, SearchEnding::OutOfDeploys));
    assert_eq!((found.cause, found.deploys), (SearchCause::Code, 4));
    assert_eq!(found.failures[0].suspects.len(), 16);
    assert_eq!(
        found.because,
        "16 commits are left when the 4 deploys that max_deploys allows were used"
    );
}

fn step(outcome: StepOutcome) -> Step {
    Step { cycle: 8, revision: sha(0), deployed: true, is_return: false, outcome }
}

#[test]
fn a_second_run_uses_what_is_deployed_unless_somebody_else_deployed_since() {
    let world = World::new(8, 3);
    let mut search = world.search();
    let baseline = |deploy| Question::Ask { revision: sha(0), deploy };
    assert_eq!(next(&search, true), baseline(true));
    let passed = Answer { passed: 1, failed: 0, ..search.at_the_end[0].clone() };
    let outcome = StepOutcome::Answered(vec![passed]);
    search.steps.push(step(outcome));
    search.newest.is_deployed = false;
    assert_eq!(next(&search, true), baseline(false));
    assert_eq!(next(&search, false), baseline(true));
    assert_eq!(result(&search).ending, SearchEnding::Open);
}

#[test]
fn what_a_person_ends_is_over_once_the_newest_is_back() {
    let world = World::new(8, 3);
    let mut search = world.search();
    let outcome = StepOutcome::Cancelled;
    search.steps.push(step(outcome));
    search.newest.is_deployed = false;
    assert_eq!(next(&search, true), Question::Return);
    search.newest.is_deployed = true;
    assert_eq!(next(&search, true), Question::Over);
    assert_eq!(result(&search).ending, SearchEnding::Cancelled);
}

#[test]
fn a_search_that_went_on_after_a_cancel_ends_by_its_answers() {
    let (mut search, found) = World::new(8, 3).searched();
    search.steps.insert(1, step(StepOutcome::Cancelled));
    assert_eq!(result(&search).ending, found.ending);
}

#[test]
fn a_newer_revision_that_passes_ends_it() {
    let world = World::new(8, 3);
    let mut search = world.search();
    search.newest.is_good = true;
    assert_eq!(next(&search, true), Question::Over);
    assert_eq!(result(&search).ending, SearchEnding::Overtaken);
}

#[test]
fn what_was_found_stays_found_when_a_newer_revision_passes() {
    let (mut search, found) = World::new(8, 3).searched();
    search.newest.is_good = true;
    assert_eq!(result(&search).culprit, found.culprit);
    assert_eq!(result(&search).ending, SearchEnding::Found);
}

/// Whatever takes away what is searched in the middle: the newest is put back, and that is the end.
#[test]
fn what_is_moot_is_asked_no_more_and_the_newest_is_put_back() {
    let endings = [
        (Moot::Rewritten, SearchEnding::Rewritten),
        (Moot::CasesRemoved, SearchEnding::CasesRemoved),
    ];
    for (moot, ending) in endings {
        let mut search = World::new(8, 5).search();
        let once = Answer { case: case("g0_c0"), passed: 1, failed: 0 };
        search.steps.push(Step {
            cycle: 8,
            revision: sha(0),
            deployed: true,
            is_return: false,
            outcome: StepOutcome::Answered(vec![once]),
        });
        search.newest.is_deployed = false;
        assert!(matches!(next(&search, true), Question::Ask { .. }));
        search.moot = Some(moot);
        assert_eq!(next(&search, true), Question::Return);
        search.newest.is_deployed = true;
        assert_eq!(next(&search, true), Question::Over);
        assert_eq!(result(&search).ending, ending);
    }
}

/// What the searched cycle saw of its own revision counts, and what puts the newest back is no question, also once
/// the records are read again for another search.
#[test]
fn the_steps_say_what_the_answer_rests_on() {
    let (mut search, found) = World::new(8, 8).searched();
    assert_eq!(found.culprit, Some(sha(8)));
    let answer_of = |search: &Search, revision: &Sha| {
        let steps = result(search).steps;
        steps.iter().rfind(|step| step.revision == *revision).map(|step| step.answer)
    };
    assert_eq!(answer_of(&search, &sha(8)), Some(SearchAnswer::Bad));
    let passed =
        search.at_the_end.iter().map(|answer| Answer { passed: 1, failed: 0, ..answer.clone() });
    let outcome = StepOutcome::Answered(passed.collect());
    search.steps.push(Step { revision: sha(99), ..step(outcome) });
    assert_eq!(answer_of(&search, &sha(99)), Some(SearchAnswer::Good));
}
