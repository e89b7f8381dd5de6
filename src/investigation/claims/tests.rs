//! The state machine as tables, and claims written and read back.
#![allow(clippy::unwrap_used)]

use InvestigationState::{Analysed, Closed, FixClaimed, FixDeployed, New, Reopened, Verified};
use Sighting::{Failing, Undecided};

use super::*;

const PASSING: Sighting = Sighting::Passing { flaky: false };
const FLAKY: Sighting = Sighting::Passing { flaky: true };
const OPEN: ClaimResult = ClaimResult::Open;
const DEPLOYED: ClaimResult = ClaimResult::Deployed { cycle: 3 };
const VERIFIED: ClaimResult = ClaimResult::Verified { cycle: 4, flaky: false };
const FAILED: ClaimResult = ClaimResult::Failed { cycle: 5 };
const CAME_BACK: ClaimResult = ClaimResult::CameBack { verified: 4, cycle: 5 };
/// The cycle that the tables are about.
const NOW: u32 = 9;

fn claim(digit: char, result: ClaimResult) -> FixClaim {
    let commit = Sha::parse(&digit.to_string().repeat(40)).unwrap();
    let at = Timestamp::from_second(1_795_000_000 + i64::from(u32::from(digit))).unwrap();
    let subject = "Repair | the *cart* <!-- andon:end fixes -->";
    FixClaim { result, ..FixClaim::new(commit, subject, "Ada Brandt", at, ClaimSource::Trailer) }
}

#[test]
fn a_claim_is_judged_only_where_its_commit_is() {
    let table = [
        (OPEN, Failing, ClaimResult::Failed { cycle: NOW }),
        (OPEN, PASSING, ClaimResult::Verified { cycle: NOW, flaky: false }),
        (OPEN, FLAKY, ClaimResult::Verified { cycle: NOW, flaky: true }),
        (OPEN, Undecided, ClaimResult::Deployed { cycle: NOW }),
        (DEPLOYED, Failing, ClaimResult::Failed { cycle: NOW }),
        (DEPLOYED, PASSING, ClaimResult::Verified { cycle: NOW, flaky: false }),
        (DEPLOYED, FLAKY, ClaimResult::Verified { cycle: NOW, flaky: true }),
        (DEPLOYED, Undecided, DEPLOYED),
        (VERIFIED, Failing, ClaimResult::CameBack { verified: 4, cycle: NOW }),
        (VERIFIED, PASSING, VERIFIED),
        (VERIFIED, FLAKY, VERIFIED),
        (VERIFIED, Undecided, VERIFIED),
        (FAILED, Failing, FAILED),
        (FAILED, PASSING, FAILED),
        (FAILED, Undecided, FAILED),
        (CAME_BACK, Failing, CAME_BACK),
        (CAME_BACK, PASSING, CAME_BACK),
        (CAME_BACK, Undecided, CAME_BACK),
    ];
    for (before, seen, after) in table {
        let claims = [claim('a', before)];
        assert_eq!(judge(&claims, seen, NOW, |_| true)[0].result, after, "{before} {seen:?}");
        assert_eq!(judge(&claims, seen, NOW, |_| false), claims, "{before} {seen:?} without it");
    }
}

/// What each state becomes, for each thing that a cycle can say: columns as in [`STATES`].
type Row = (&'static str, Sighting, Option<ClaimResult>, [InvestigationState; 7]);

const STATES: [InvestigationState; 7] =
    [New, Analysed, FixClaimed, FixDeployed, Verified, Reopened, Closed];

#[test]
fn every_state_follows_from_what_a_cycle_says() {
    let rejected = ClaimResult::Failed { cycle: NOW };
    let returned = ClaimResult::CameBack { verified: 4, cycle: NOW };
    let proved = ClaimResult::Verified { cycle: NOW, flaky: false };
    let unchanged = STATES;
    let claimed = [FixClaimed; 7];
    let reopened = [Reopened; 7];
    let returns = [New, Analysed, FixClaimed, FixDeployed, Reopened, Reopened, Reopened];
    let lifted = |to: InvestigationState| [to, to, to, to, Verified, to, Closed];
    let table: [Row; 16] = [
        ("no claim, still there", Failing, None, returns),
        ("no claim, passes", PASSING, None, unchanged),
        ("no claim, did not run", Undecided, None, unchanged),
        ("its commit is not there", Failing, Some(OPEN), claimed),
        ("its commit is not there, passes", PASSING, Some(OPEN), lifted(FixClaimed)),
        ("its commit is not there, did not run", Undecided, Some(OPEN), lifted(FixClaimed)),
        ("an older revision again", Failing, Some(DEPLOYED), [FixDeployed; 7]),
        ("is there, did not run", Undecided, Some(DEPLOYED), lifted(FixDeployed)),
        ("the claimed fix failed", Failing, Some(rejected), reopened),
        (
            "the fix is verified",
            PASSING,
            Some(proved),
            [Verified, Verified, Verified, Verified, Verified, Verified, Closed],
        ),
        ("it came back", Failing, Some(returned), reopened),
        ("failed long ago, still there", Failing, Some(FAILED), returns),
        ("came back long ago, passes", PASSING, Some(CAME_BACK), unchanged),
        ("verified, and this revision lacks it", Failing, Some(VERIFIED), STATES),
        ("verified long ago, passes", PASSING, Some(VERIFIED), unchanged),
        ("verified long ago, did not run", Undecided, Some(VERIFIED), unchanged),
    ];
    for (what, seen, result, expected) in table {
        let claims: Vec<FixClaim> = result.map(|result| claim('a', result)).into_iter().collect();
        for (state, after) in STATES.into_iter().zip(expected) {
            let before = Before { state, is_gone: false, is_answered: false };
            assert_eq!(state_after(before, seen, &claims, NOW), after, "{what}: {state}");
            // A cycle is written up more than once: the second time says the same.
            let again = Before { state: after, ..before };
            assert_eq!(state_after(again, seen, &claims, NOW), after, "{what} again: {state}");
        }
    }
}

#[test]
fn what_passed_in_between_and_what_people_answered_count() {
    for (state, is_gone, is_answered, expected) in [
        (New, false, true, Analysed),
        (New, true, true, Reopened),
        (Analysed, true, true, Reopened),
        (Reopened, true, false, Reopened),
        (Reopened, false, true, Reopened),
        (FixClaimed, true, false, Reopened),
    ] {
        let before = Before { state, is_gone, is_answered };
        assert_eq!(state_after(before, Failing, &[], NOW), expected, "{state}");
    }
    // It waits for its commit, whatever happened in between.
    let before = Before { state: FixClaimed, is_gone: true, is_answered: false };
    assert_eq!(state_after(before, Failing, &[claim('a', OPEN)], NOW), FixClaimed);
}

#[test]
fn of_several_claims_one_that_waits_keeps_hope() {
    let claims = [claim('a', ClaimResult::Failed { cycle: NOW }), claim('b', OPEN)];
    let before = Before { state: FixClaimed, is_gone: false, is_answered: true };
    assert_eq!(state_after(before, Failing, &claims, NOW), FixClaimed);
    // A verified fix of an earlier time hides nothing when the newer one failed.
    let claims = [claim('a', VERIFIED), claim('b', ClaimResult::Failed { cycle: NOW })];
    let before = Before { state: Verified, is_gone: true, is_answered: true };
    assert_eq!(state_after(before, Failing, &claims, NOW), Reopened);
}

#[test]
fn every_case_must_have_run_and_passed() {
    use Outcome::{Errored, Failed, Flaky, NotRun, Passed, Skipped};
    let table = [
        (&[Some(Passed), Some(Passed)][..], false, PASSING),
        (&[Some(Passed), Some(Flaky)], false, FLAKY),
        (&[Some(Passed), Some(NotRun)], false, Undecided),
        (&[Some(Passed), Some(Skipped)], false, Undecided),
        (&[Some(Failed), Some(Passed)], false, Undecided),
        (&[Some(Passed), Some(Errored)], false, Undecided),
        (&[Some(Passed), None], false, PASSING),
        (&[Some(Passed), None], true, Undecided),
        (&[None, None], false, Undecided),
        (&[], false, Undecided),
    ];
    for (outcomes, is_part, expected) in table {
        let cases: Vec<CaseId> =
            (0..outcomes.len()).map(|n| CaseId::parse(&n.to_string()).unwrap()).collect();
        let outcome = |case: &CaseId| outcomes[case.as_str().parse::<usize>().unwrap()];
        assert_eq!(sight(&cases, is_part, outcome), expected, "{outcomes:?} {is_part}");
    }
}

#[test]
fn claims_are_read_back_from_a_document() {
    let claims = [claim('a', CAME_BACK), claim('b', FAILED), claim('c', OPEN)];
    let read = read(&lines(&claims));
    let expected: Vec<FixClaim> =
        claims.iter().map(|claim| FixClaim { subject: String::new(), ..claim.clone() }).collect();
    assert_eq!(read, expected);
    assert!(lines(&[]).is_empty());
    assert!(!lines(&claims).join("\n").contains("| the *cart*"), "the cell is escaped");
}

#[test]
fn records_and_document_are_brought_together() {
    let known = [claim('a', OPEN), claim('c', VERIFIED)];
    let document = [claim('b', FAILED), claim('a', DEPLOYED), claim('c', OPEN)];
    let results: Vec<ClaimResult> = merge(&known, &document).iter().map(|c| c.result).collect();
    assert_eq!(results, [DEPLOYED, FAILED, VERIFIED]);
    assert_eq!(merge(&merge(&known, &document), &document), merge(&known, &document));
    let many: Vec<FixClaim> = (0..150_i64)
        .map(|n| {
            let commit = Sha::parse(&format!("{n:040x}")).unwrap();
            let at = Timestamp::from_second(n).unwrap();
            FixClaim::new(commit, "", "ada", at, ClaimSource::Command)
        })
        .collect();
    let kept = merge(&many, &[]);
    assert_eq!((kept.len(), kept[0].at.as_second()), (MAX_CLAIMS, 50), "the newest stay");
}

#[test]
fn a_trailer_names_investigations_of_this_pipeline() {
    let shop = PipelineName::parse("shop").unwrap();
    let named = |value: &str| -> Vec<u32> {
        named_in_trailer(value, &shop).iter().map(InvestigationId::number).collect()
    };
    for (value, expected) in [
        ("INV-0003", &[3][..]),
        ("inv-3", &[3]),
        ("INV-0003, INV-0007; INV-3", &[3, 7]),
        ("shop/INV-0002 web/INV-0009", &[2]),
        ("INV-0003.", &[3]),
        ("#12", &[]),
        ("INV-", &[]),
        ("acme/shop/INV-0001", &[]),
        ("", &[]),
    ] {
        assert_eq!(named(value), expected, "{value:?}");
    }
    let many: Vec<String> = (1..100).map(|n| format!("INV-{n}")).collect();
    assert_eq!(named(&many.join(" ")).len(), MAX_IDS);
}
