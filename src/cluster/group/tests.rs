//! Which failures come together, with which cause and suspects.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::domain::commit::CommitInfo;
use crate::domain::event::Quarantined;
use crate::domain::failure::{Blame, FailureClass};
use crate::domain::findings::FlakyRate;
use crate::domain::history::{KnownResult, RecentRun};
use crate::domain::outcome::{Change, Outcome};

fn sha(digit: u8) -> Sha {
    Sha::parse(&char::from(b'0' + digit).to_string().repeat(40)).unwrap()
}

fn at(cycle: u32, revision: u8) -> CycleRef {
    CycleRef { cycle, revision: sha(revision) }
}

/// A suite in which every case fails, as a story is told about it.
#[derive(Default)]
struct Story {
    plan: Vec<PlannedCase>,
    results: Vec<CaseResult>,
    findings: Vec<CaseFinding>,
    heads: Vec<CaseHead>,
    seen: Vec<FingerprintSeen>,
    commits: HashMap<(Sha, Sha), CommitRange>,
    renames: Vec<ProbableRename>,
}

impl Story {
    /// A case that fails with a fingerprint, for these causes, since cycle 7 on revision 2.
    fn failing(mut self, id: &str, print: &str, priority: &str, causes: &[Cause]) -> Self {
        let case = CaseId::parse(id).unwrap();
        let fingerprint = Fingerprint::new(1, print);
        let failure = Failure {
            class: FailureClass::Reported,
            blame: Blame::Service,
            message: format!("{print} broke"),
            step: None,
            expected: None,
            actual: None,
            subject: None,
            repro: None,
        };
        self.plan.push(PlannedCase {
            id: case.clone(),
            was: Vec::new(),
            name: id.to_owned(),
            area: None,
            priority: Priority::parse(priority).unwrap(),
            owner: None,
            impact: None,
            digest: "d".into(),
            quarantine: None,
            events: vec![],
            command: None,
        });
        self.results.push(CaseResult {
            case: case.clone(),
            was: Vec::new(),
            outcome: Outcome::Failed,
            duration_ms: 5,
            attempts: 2,
            failure: Some((fingerprint.clone(), failure.into())),
            definition: "d".into(),
        });
        let ever_good = !causes.contains(&Cause::Unknown);
        let change = if ever_good { Change::Regressed } else { Change::NewFailing };
        self.findings.push(CaseFinding {
            case: case.clone(),
            outcome: Some(Outcome::Failed),
            change: Some(change),
            before: ever_good.then_some(Outcome::Passed),
            said_before: None,
            duration_ms: 5,
            attempts: 2,
            carried: None,
            definition_changed: false,
            known_as: None,
            fingerprint: Some(fingerprint.clone()),
            last_good: ever_good.then(|| at(6, 1)),
            first_failing: Some(at(7, 2)),
            failure_changed: None,
            age: 1,
            flaky_rate: None,
            slower: None,
        });
        self.heads.push(CaseHead {
            case,
            planned_in: 7,
            last_outcome: Outcome::Failed,
            known: Some(KnownResult {
                at: at(7, 2),
                outcome: Outcome::Failed,
                fingerprint: Some(fingerprint),
                said: None,
                definition: "d".into(),
                config: "c".into(),
            }),
            last_good: ever_good.then(|| at(6, 1)),
            first_failing: Some(at(7, 2)),
            failing_for: 1,
            failure_changed: None,
            flaked_as: None,
            causes: causes.to_vec(),
            recent: Vec::new(),
        });
        self
    }

    fn quarantined(mut self) -> Self {
        self.plan.last_mut().unwrap().quarantine = Some(Quarantined {
            owner: "ada".to_owned(),
            reason: "being replaced".to_owned(),
            until: jiff::civil::date(2026, 12, 31),
            expired: false,
        });
        self
    }

    fn clusters(&self) -> Vec<Cluster> {
        group(&Grouping {
            this: &at(7, 2),
            plan: &self.plan,
            results: &self.results,
            attempts: &HashMap::new(),
            findings: &self.findings,
            renames: &self.renames,
            heads: &self.heads,
            seen: &self.seen,
            commits: &self.commits,
        })
    }

    fn cause(&self) -> (Cause, String) {
        let clusters = self.clusters();
        (clusters[0].cause, clusters[0].because.clone())
    }
}

#[test]
fn the_worst_comes_first() {
    let story = Story::default()
        .failing("a", "low", "P3", &[Cause::Code])
        .failing("b", "single", "P1", &[Cause::Code])
        .failing("c", "pair", "P1", &[Cause::Code])
        .failing("d", "low", "P3", &[Cause::Code])
        .failing("e", "pair", "P2", &[Cause::Code])
        .failing("f", "later", "P1", &[Cause::Code])
        .failing("g", "kept apart", "P1", &[Cause::Code])
        .quarantined();
    let found: Vec<(String, Vec<String>)> = story
        .clusters()
        .into_iter()
        .map(|c| (c.title, c.cases.iter().map(ToString::to_string).collect()))
        .collect();
    let expected = [
        ("Pair broke", vec!["c", "e"]),
        ("Single broke", vec!["b"]),
        ("Later broke", vec!["f"]),
        ("Low broke", vec!["a", "d"]),
        ("Kept apart broke", vec!["g"]),
    ];
    let expected = expected.map(|(title, cases)| {
        (title.to_owned(), cases.into_iter().map(str::to_owned).collect::<Vec<_>>())
    });
    assert_eq!(found, expected);
}

/// What stands in another order than the results is looked up by its case.
#[test]
fn the_order_of_what_is_known_does_not_matter() {
    let mut story = Story::default()
        .failing("a", "one", "P1", &[Cause::Code])
        .failing("b", "two", "P2", &[Cause::Config])
        .failing("c", "three", "P3", &[Cause::Unknown]);
    let expected = story.clusters();
    story.plan.reverse();
    story.findings.rotate_left(1);
    story.heads.reverse();
    assert_eq!(story.clusters(), expected);
}

#[test]
fn a_passing_case_is_in_no_cluster() {
    let mut story = Story::default().failing("a", "x", "P1", &[Cause::Code]);
    story.results[0].outcome = Outcome::Flaky;
    assert_eq!(story.clusters(), []);
}

#[test]
fn the_cause_and_its_reason_rest_on_the_records() {
    use Cause::{Code, Config, Environment, Flake, Suite, Unknown};
    let because = |causes: &[Cause]| Story::default().failing("a", "x", "P1", causes).cause();
    let table: &[(&[Cause], &str)] = &[
        (
            &[Code],
            "The revision changed from 1111111 (good in cycle 6) to 2222222 (failing in cycle 7), and nothing else of ours did.",
        ),
        (
            &[Config, Code],
            "The pipeline's configuration changed just before this failure began; the revision changed too.",
        ),
        (
            &[Suite, Config, Code],
            "The definition of a changed just before this failure began; the configuration and the revision changed too.",
        ),
        (&[Flake], "a was both good and failing on one revision."),
        (
            &[Environment],
            "Neither the revision, the configuration nor the definition of a changed before this failure began.",
        ),
        (
            &[Unknown],
            "None of its cases was ever known here before, so nothing tells what changed.",
        ),
    ];
    for (causes, expected) in table {
        assert_eq!(because(causes), (causes[0], (*expected).to_owned()));
    }
}

#[test]
fn the_environment_is_named_with_the_cycle_that_clears_the_revision() {
    let mut story = Story::default().failing("a", "x", "P1", &[Cause::Environment]);
    story.heads[0].recent.push(RecentRun {
        cycle: 5,
        revision_key: RecentRun::key_of(&sha(2)),
        duration_ms: 1,
        outcome: Outcome::Passed,
    });
    let (_, because) = story.cause();
    assert!(because.starts_with("a was good on this very revision in cycle 5,"), "{because}");
}

#[test]
fn a_case_that_failed_from_the_first_was_known_here_the_second_time() {
    let mut story = Story::default().failing("a", "x", "P1", &[Cause::Unknown]);
    story.findings[0].change = Some(Change::StillFailing);
    story.findings[0].first_failing = Some(at(3, 1));
    let expected = "a has been failing since its first run here in cycle 3, so nothing tells \
                    what changed.";
    assert_eq!(story.cause(), (Cause::Unknown, expected.to_owned()));
    let (_, because) = story.failing("new", "x", "P1", &[Cause::Unknown]).cause();
    assert!(because.starts_with("Each of its cases has been failing since its first run here"));
    assert!(because.contains(", a since that in cycle 3,"), "{because}");
}

#[test]
fn most_cases_decide_and_new_ones_are_outvoted() {
    let story = Story::default()
        .failing("new_1", "x", "P1", &[Cause::Unknown])
        .failing("new_2", "x", "P1", &[Cause::Unknown])
        .failing("old", "x", "P1", &[Cause::Code]);
    let clusters = story.clusters();
    assert_eq!(clusters[0].cause, Cause::Code);
    assert!(clusters[0].because.ends_with("did (1 of 3 cases)."), "{}", clusters[0].because);
    assert_eq!(clusters[0].last_good, Some(at(6, 1)), "traced by the case that was ever good");
    let story = Story::default().failing("a", "x", "P1", &[Cause::Code]).failing(
        "b",
        "x",
        "P1",
        &[Cause::Suite, Cause::Code],
    );
    assert_eq!(story.cause().0, Cause::Suite, "on a tie");
    let mut void = Story::default().failing("a", "x", "P1", &[Cause::Code]);
    void.heads.clear();
    void.findings[0].change = None;
    assert_eq!(void.cause(), (Cause::Unknown, "A void cycle is compared with nothing.".to_owned()));
}

#[test]
fn suspects_are_the_commits_between_good_and_bad() {
    let mut story = Story::default()
        .failing("a", "x", "P1", &[Cause::Code])
        .failing("b", "y", "P1", &[Cause::Unknown])
        .failing("c", "y", "P1", &[Cause::Code]);
    assert_eq!(ranges_needed(&story.findings), [(sha(1), sha(2))]);
    let commit = CommitInfo {
        sha: sha(2),
        subject: "Tidy up".to_owned(),
        author: "Ada".to_owned(),
        time: jiff::Timestamp::UNIX_EPOCH,
        files: Vec::new(),
        files_total: 0,
    };
    let range = CommitRange { commits: vec![commit], total: 1 };
    story.commits.insert((sha(1), sha(2)), range.clone());
    for cluster in story.clusters() {
        assert_eq!(cluster.suspects, [sha(2)]);
        assert_eq!(cluster.commits.as_ref(), Some(&range));
    }
    story.findings[0].last_good = Some(at(5, 2));
    assert_eq!(ranges_needed(&story.findings[..1]), [], "no commit between one revision");
}

#[test]
fn no_commit_is_a_suspect_when_nothing_tells_which_revision_served() {
    let mut story = Story::default().failing("a", "x", "P1", &[Cause::Unknown]);
    story.findings[0].last_good = Some(at(6, 1));
    let range = CommitRange { commits: Vec::new(), total: 1 };
    story.commits.insert((sha(1), sha(2)), range);
    let cluster = story.clusters().remove(0);
    assert!(cluster.is_of_unknown_revision());
    assert_eq!((cluster.commits, cluster.suspects), (None, vec![]));
    assert_eq!(
        cluster.because,
        "Nothing was deployed and no surface says which revision serves, so no commit can be blamed."
    );
}

#[test]
fn a_failure_that_became_another_one_rests_on_that_change() {
    let mut story = Story::default().failing("a", "x", "P1", &[Cause::Code]);
    let (good, first) = (at(4, 1), at(5, 2));
    let changed = FailureChange { from: at(6, 3), to: at(7, 4) };
    let finding = &mut story.findings[0];
    finding.change = Some(Change::ChangedFailure);
    (finding.last_good, finding.first_failing) = (Some(good.clone()), Some(first.clone()));
    finding.failure_changed = Some(changed.clone());
    assert_eq!(ranges_needed(&story.findings), [(sha(3), sha(4))]);
    let commit = |digit| CommitRange {
        commits: vec![CommitInfo {
            sha: sha(digit),
            subject: "Tidy up".to_owned(),
            author: "Ada".to_owned(),
            time: jiff::Timestamp::UNIX_EPOCH,
            files: Vec::new(),
            files_total: 0,
        }],
        total: 1,
    };
    story.commits.insert((sha(1), sha(2)), commit(2));
    story.commits.insert((sha(3), sha(4)), commit(4));
    let cluster = story.clusters().remove(0);
    assert_eq!(cluster.suspects, [sha(4)]);
    assert_eq!((cluster.last_good, cluster.first_failing), (Some(good), Some(first)));
    assert_eq!(cluster.failure_changed, Some(changed));
    assert_eq!(
        cluster.because,
        "The revision changed from 3333333 (failing in another way in cycle 6) to 4444444 \
         (failing in this way since cycle 7), and nothing else of ours did."
    );
    story.heads[0].causes = vec![Cause::Config];
    assert_eq!(
        story.cause().1,
        "The pipeline's configuration changed just before the failure became this one in cycle 7."
    );
}

#[test]
fn a_cluster_is_traced_by_the_case_that_has_had_its_failure_longest() {
    let mut story = Story::default().failing("became", "x", "P1", &[Cause::Code]).failing(
        "was",
        "x",
        "P1",
        &[Cause::Code],
    );
    story.findings[0].first_failing = Some(at(4, 2));
    story.findings[0].failure_changed = Some(FailureChange { from: at(6, 3), to: at(7, 4) });
    story.findings[1].first_failing = Some(at(5, 2));
    let cluster = story.clusters().remove(0);
    assert_eq!((cluster.first_failing, cluster.failure_changed), (Some(at(5, 2)), None));
}

#[test]
fn only_the_worst_clusters_carry_their_commits() {
    let mut story = Story::default();
    for n in 0..MAX_WITH_COMMITS + 3 {
        story = story.failing(&format!("case_{n}"), &format!("p{n}"), "P1", &[Cause::Code]);
    }
    story.commits.insert((sha(1), sha(2)), CommitRange::default());
    let with = story.clusters().iter().filter(|c| c.commits.is_some()).count();
    assert_eq!((with, story.clusters().len()), (MAX_WITH_COMMITS, MAX_WITH_COMMITS + 3));
}

#[test]
fn a_fingerprint_remembers_when_it_was_seen() {
    let mut story = Story::default().failing("a", "x", "P1", &[Cause::Code]);
    let first = &story.clusters()[0];
    assert_eq!((first.first_seen_cycle, first.times_seen), (7, 1));
    let seen = |last_cycle, times| FingerprintSeen {
        fingerprint: Fingerprint::new(1, "x"),
        first_cycle: 2,
        last_cycle,
        times,
        culprit: None,
    };
    story.seen = vec![seen(4, 3)];
    let again = &story.clusters()[0];
    assert_eq!((again.first_seen_cycle, again.times_seen), (2, 4));
    story.seen = vec![seen(7, 4)];
    assert_eq!(story.clusters()[0].times_seen, 4, "this cycle was counted already");
}

#[test]
fn a_commit_is_a_weak_cause_of_what_an_unsteady_case_does() {
    let rated = |causes: &[Cause], flaky| {
        let mut story = Story::default().failing("a", "x", "P1", causes);
        story.findings[0].flaky_rate = Some(FlakyRate { flaky, of: 24 });
        story.cause()
    };
    let (cause, because) = rated(&[Cause::Code], 9);
    assert_eq!(cause, Cause::Code);
    let but = "; but a was at odds with itself in 9 of its last 24 known runs.";
    assert!(because.ends_with(but), "{because}");
    assert!(!rated(&[Cause::Code], 1).1.contains("; but"), "once is this very failure");
    let known = "a was both good and failing on one revision before, in this very way: 9 of its last 24 \
                 known runs were at odds with others; the revision changed too.";
    assert_eq!(rated(&[Cause::Flake, Cause::Code], 9), (Cause::Flake, known.to_owned()));
}

#[test]
fn a_failure_under_a_new_name_says_how_the_old_one_did() {
    let mut story = Story::default().failing("new", "x", "P1", &[Cause::Unknown]);
    let removed = CaseFinding {
        case: CaseId::parse("old").unwrap(),
        outcome: None,
        change: Some(Change::Removed),
        before: Some(Outcome::Failed),
        ..story.findings[0].clone()
    };
    story.findings.push(removed);
    story.renames = vec![ProbableRename {
        from: CaseId::parse("old").unwrap(),
        to: CaseId::parse("new").unwrap(),
    }];
    let because = "new is probably old under another name, which was failing before.";
    assert_eq!(story.cause(), (Cause::Unknown, because.to_owned()));
}
