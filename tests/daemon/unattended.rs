//! The daemon by itself: commits come, it dies, it is told to leave, files change under it. Two
//! oracles stand outside: the deploy script leaves a line for each start, and what is served.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::program::{self, DEPLOY, daemon, state_of};
use crate::sink::Sink;
use crate::support::{CommitFiles, Place, until};

/// Watched each second.
pub(crate) static PIPELINE: LazyLock<String> = LazyLock::new(|| {
    let watched =
        r#"repo: ../repo, branches: [main], poll: 1s, settle: 0s, ignore_paths: ["docs/**"]"#;
    program::PIPELINE.replace("repo: ../repo, poll: off", watched)
});
pub(crate) const GOOD: &str = r#"{ "routes": { "/one": [{ "text": "ok" }] } }"#;
const BAD: &str = r#"{ "routes": { "/one": [{ "status": 500 }] } }"#;

pub(crate) fn files(answers: &str) -> CommitFiles {
    vec![
        ("deploy.sh".to_owned(), DEPLOY.to_owned(), true),
        ("stage.yaml".to_owned(), answers.to_owned(), false),
    ]
}

/// A place with a pipeline and one commit, which no daemon has seen yet.
pub(crate) fn place(pipeline: &str) -> Place {
    let mut place = Place::new();
    place.write("pipelines/shop.yaml", pipeline);
    place.commit("First version", &files(GOOD));
    place
}

/// The cycles, oldest first: revision and verdict.
fn cycles(place: &Place) -> Vec<(String, String)> {
    let listed = place.andon(&["cycles", "shop", "--json"]);
    if listed.code != Some(0) {
        return Vec::new();
    }
    let text = |value: &Value| value.as_str().unwrap_or("open").to_owned();
    let mut cycles: Vec<(String, String)> = listed
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|cycle| (text(&cycle["revision"]["sha"]), text(&cycle["verdict"])))
        .collect();
    cycles.reverse();
    cycles
}

pub(crate) fn wait_for_cycles(place: &Place, wanted: usize) -> Vec<(String, String)> {
    until("the cycles are over", || {
        let cycles = cycles(place);
        let over = cycles.iter().all(|(_, verdict)| verdict != "open");
        cycles.len() >= wanted && over && state_of(place)["state"] == "idle"
    });
    cycles(place)
}

/// Waits until a daemon has looked at the repository of a pipeline once.
pub(crate) fn has_looked(place: &Place, pipeline: &str) {
    until("it has looked", || {
        let status = place.andon(&["status", "--json"]).expect_code(0).json();
        let pipelines = status["pipelines"].as_array().unwrap();
        let named = |one: &&Value| one["pipeline"] == pipeline;
        pipelines.iter().find(named).unwrap()["watching"]["last_good_at"].is_string()
    });
}

pub(crate) fn fates(place: &Place) -> Vec<(String, String)> {
    let commits = place.andon(&["commits", "shop", "--json"]).expect_code(0).json();
    let list = commits["commits"]
        .as_array()
        .cloned()
        .unwrap_or_else(|| commits.as_array().cloned().unwrap());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.iter().map(|commit| (text(&commit["sha"]), text(&commit["is"]))).collect()
}

/// RELIABILITY B10: a failed cycle, then a good revision that starts clean.
#[test]
fn every_commit_is_tested_or_says_why_not() {
    let mut place = place(&PIPELINE);
    let _daemon = daemon(&place, &[]);
    has_looked(&place, "shop");
    assert_eq!(cycles(&place), [], "what was there before the first look is no news");
    let second = place.commit("Second version", &files(BAD));
    assert_eq!(wait_for_cycles(&place, 1), [(second.clone(), "red".to_owned())]);
    let docs = place.commit("Words", &vec![("docs/a.md".to_owned(), "x".to_owned(), false)]);
    until("the commit is seen", || fates(&place).iter().any(|(sha, _)| *sha == docs));
    let third = place.commit("Third version", &files(GOOD));
    let ran = wait_for_cycles(&place, 2);
    assert_eq!(ran[1], (third.clone(), "green".to_owned()));
    let fates = fates(&place);
    assert!(fates.contains(&(second, "tested".to_owned())), "{fates:?}");
    assert!(fates.contains(&(docs, "skipped".to_owned())), "{fates:?}");
    assert!(fates.contains(&(third, "tested".to_owned())), "{fates:?}");
    assert_eq!(place.stage().starts().len(), 2);
}

#[test]
fn a_burst_becomes_one_cycle_of_the_newest() {
    let mut place = place(&PIPELINE.replace("settle: 0s", "settle: 2s"));
    let _daemon = daemon(&place, &[]);
    has_looked(&place, "shop");
    let burst: Vec<String> = (0..5)
        .map(|n| place.commit(&format!("Commit {n}"), &files(&format!("{GOOD}{}", " ".repeat(n)))))
        .collect();
    let ran = wait_for_cycles(&place, 1);
    let newest = burst.last().unwrap();
    assert_eq!(ran.last().unwrap(), &(newest.clone(), "green".to_owned()));
    assert!(ran.len() < 5, "taken together: {ran:?}");
    let shown = place.andon(&["show", "shop", "--json"]).expect_code(0).json();
    assert!(!shown["taken_together"].as_array().unwrap().is_empty());
    let fates: BTreeSet<String> = fates(&place).into_iter().map(|(_, fate)| fate).collect();
    assert!(fates.contains("taken_together") && !fates.contains("waiting"), "{fates:?}");
}

#[test]
fn what_moved_while_the_daemon_was_down_is_found() {
    let mut place = place(&PIPELINE);
    let first = daemon(&place, &[]);
    has_looked(&place, "shop");
    first.signal(Signal::TERM);
    first.wait().expect_code(0);
    let missed = place.commit("While it was down", &files(GOOD));
    let _second = daemon(&place, &[]);
    assert_eq!(wait_for_cycles(&place, 1), [(missed, "green".to_owned())]);
}

/// RELIABILITY A13, A4: the second signal leaves at once; the deploy lives on.
#[test]
fn a13_a_running_deploy_is_left_to_its_supervisor_and_taken_up_by_the_next_daemon() {
    let mut place = place(&PIPELINE);
    let first = daemon(&place, &[]);
    has_looked(&place, "shop");
    place.write("stage/hold-before", "");
    let sha = place.commit("Second version", &files(GOOD));
    until("the deploy runs", || place.stage().starts().len() == 1);
    // The second signal does not wait for what runs.
    first.signal(Signal::TERM);
    until("it drains", || first.said("1 cycle runs; waiting for the end"));
    first.signal(Signal::TERM);
    let _ended = first.wait();
    let second = daemon(&place, &[]);
    until("it is there", || second.said("is taken up in its deploy phase"));
    until("it is taken up", || state_of(&place)["running"]["here"] == true);
    assert_eq!(state_of(&place)["running"]["phase"], "deploy", "it is where it was left");
    std::fs::remove_file(place.file("stage/hold-before")).unwrap();
    assert_eq!(wait_for_cycles(&place, 1), [(sha, "green".to_owned())]);
    assert_eq!(place.stage().starts().len(), 1, "never started twice");
}

/// Whether the report of a cycle says that the loop ends with it.
fn last_words(place: &Place, cycle: u32) -> bool {
    let report = format!("reports/shop/cycle-{cycle:04}.md");
    let report = std::fs::read_to_string(place.file(&report)).unwrap();
    report.contains("**The loop ends here:** given up: 2 cycles in a row left the same cases failing. A new commit")
}

#[test]
fn the_loop_goes_on_until_it_makes_no_progress() {
    let looping =
        format!("{}cycles: {{ until: green, max: 4, no_progress: 2, pause: 10ms }}\n", *PIPELINE);
    let mut place = place(&looping);
    let daemon = daemon(&place, &[]);
    has_looked(&place, "shop");
    let stuck = place.commit("Always bad", &files(BAD));
    let ran = wait_for_cycles(&place, 2);
    assert_eq!(ran, [(stuck.clone(), "red".to_owned()), (stuck, "red".to_owned())]);
    let shown = place.andon(&["show", "shop", "2", "--json"]).expect_code(0).json();
    assert_eq!(shown["trigger"]["kind"], "retry");
    assert_eq!(shown["trigger"]["detail"], "cycle 1 was not green");
    let why = "given up: 2 cycles in a row left the same cases failing";
    until("it says so", || state_of(&place)["gave_up"] == json!({ "cycle": 2, "why": why }));
    let status = place.andon(&["status", "shop"]).expect_code(0).stdout;
    assert!(status.contains(why) && status.contains("andon trigger shop"), "{status}");
    assert!(daemon.said("the loop of shop ends with cycle 2"));
    // Its last report says so, and that of the cycle before does not.
    assert_eq!((&shown["gave_up"], last_words(&place, 2)), (&json!(why), true));
    let before = place.andon(&["show", "shop", "1", "--json"]).expect_code(0).json();
    assert_eq!((&before["gave_up"], last_words(&place, 1)), (&Value::Null, false));
    // It has given up: the next cycle is of the next commit.
    let good = place.commit("Mended", &files(GOOD));
    assert_eq!(wait_for_cycles(&place, 3).last().unwrap(), &(good, "green".to_owned()));
    assert!(state_of(&place)["gave_up"].is_null());
    assert_eq!(cycles(&place).len(), 3);
}

#[test]
fn o7_a_reload_with_a_broken_file_keeps_the_pipeline_and_its_cursor() {
    let mut place = place(&PIPELINE);
    let daemon = daemon(&place, &[]);
    has_looked(&place, "shop");
    place.write("pipelines/shop.yaml", "version: 1\nsuit: {}\n");
    daemon.signal(Signal::HUP);
    until("it tells the fault", || daemon.said("served on"));
    let sha = place.commit("Meanwhile", &files(GOOD));
    assert_eq!(wait_for_cycles(&place, 1), [(sha, "green".to_owned())]);
}

/// RELIABILITY H13: reports on a branch that is watched.
/// The branch of the reports is watched, too: a daemon that ran for its own commits would never rest.
#[test]
fn reports_are_pushed_and_nothing_is_run_for_them() {
    let publish =
        "report: { publish: { git: { repo: ../repo, branch: andon-reports, path: docs/qa } } }\n";
    let watched = PIPELINE.replace("branches: [main]", "branches: [\"*\"]");
    let mut place = place(&format!("{watched}{publish}"));
    let daemon = daemon(&place, &[]);
    has_looked(&place, "shop");
    place.commit("Second version", &files(BAD));
    wait_for_cycles(&place, 1);
    let on_branch = |path: &str| {
        let repo = git2::Repository::open(place.file("repo")).unwrap();
        let tip = repo.find_reference("refs/heads/andon-reports").ok()?.peel_to_tree().ok()?;
        let blob = tip.get_path(std::path::Path::new(path)).ok()?.to_object(&repo).ok()?;
        Some(String::from_utf8(blob.as_blob()?.content().to_vec()).unwrap())
    };
    until("the report is pushed", || on_branch("docs/qa/shop/cycle-0001.md").is_some());
    let report = on_branch("docs/qa/shop/cycle-0001.md").unwrap();
    assert_eq!(report, place.read("reports/shop/cycle-0001.md"));
    assert!(on_branch("docs/qa/README.md").unwrap().contains("shop"));
    let own = |fates: &[(String, String)]| fates.iter().any(|(_, fate)| fate == "skipped");
    until("its own commit is seen", || own(&fates(&place)));
    assert_eq!(cycles(&place).len(), 1, "nothing is run for a report");
    daemon.signal(Signal::TERM);
    daemon.wait().expect_code(0);

    // By hand, the reports go the same way before the run leaves.
    place.andon(&["run", "pipelines/shop.yaml", "--revision", "main"]).expect_code(1);
    assert!(on_branch("docs/qa/shop/cycle-0002.md").is_some());
}

/// RELIABILITY H13: somebody pushes reports without what they are known by, for each cycle. Three cycles come of
/// it, and none until a commit touches anything else; that is told once, also over a restart.
#[test]
fn h13_cycles_that_go_round_end_after_three() {
    let sink = Sink::new();
    let hook =
        format!("notify: [{{ webhook: {{ url: \"{}\" }}, on: [held] }}]\n", sink.url("/hook"));
    let mut place = place(&format!("{}{hook}", *PIPELINE));
    let first = daemon(&place, &[]);
    has_looked(&place, "shop");
    let format = |place: &mut Place, number: usize| {
        let report = (format!("qa/shop/cycle-{number:04}.md"), "x".to_owned(), false);
        place.commit("Format reports", &vec![report])
    };
    for number in 1..=3 {
        format(&mut place, number);
        wait_for_cycles(&place, number);
    }
    let skipped = |place: &Place, sha: &str| {
        until("it is passed over", || {
            fates(place).contains(&(sha.to_owned(), "skipped".to_owned()))
        });
    };
    let stopped = format(&mut place, 4);
    skipped(&place, &stopped);
    let told = || sink.asked("/hook").len();
    until("it is told", || told() == 1);
    let news = sink.asked("/hook").pop().unwrap().json();
    assert_eq!((&news["event"], &news["revision"]), (&json!("went_round"), &json!(stopped)));
    let why = |place: &Place| state_of(place)["why"].as_str().unwrap_or_default().to_owned();
    assert!(why(&place).contains("3 cycles in a row"), "{}", why(&place));
    let status = place.andon(&["status", "shop"]).expect_code(0).stdout;
    assert!(status.contains(&stopped[..7]), "{status}");
    let warned = || first.stderr().matches("3 cycles in a row were for commits of nothing").count();
    assert_eq!(warned(), 1);

    // The file changes, and is read again: what is watched anew is said once all the same.
    place.write("pipelines/shop.yaml", &format!("{}{hook}description: A shop\n", *PIPELINE));
    first.signal(Signal::HUP);
    let served =
        || first.stderr().lines().filter(|line| line.ends_with("1 pipeline served")).count();
    until("it has read the file again", || served() == 1);
    has_looked(&place, "shop");
    let fifth = format(&mut place, 5);
    skipped(&place, &fifth);
    assert_eq!(warned(), 1);

    first.signal(Signal::TERM);
    first.wait().expect_code(0);
    let second = daemon(&place, &[]);
    until("it knows", || why(&place).contains("3 cycles in a row"));
    let sixth = format(&mut place, 6);
    skipped(&place, &sixth);
    assert_eq!(cycles(&place).len(), 3);

    let change = place.commit("Second version", &files(&format!("{GOOD} ")));
    assert_eq!(wait_for_cycles(&place, 4)[3].0, change);
    until("nothing is held up", || state_of(&place)["why"].is_null());
    let seventh = format(&mut place, 7);
    assert_eq!(wait_for_cycles(&place, 5)[4].0, seventh);
    assert_eq!(told(), 1);
    second.signal(Signal::TERM);
    second.wait().expect_code(0);
}

/// RELIABILITY B1: the same commit by poll and by hand, while another deploy runs: one cycle answers both.
#[test]
fn b1_a_commit_and_a_hand_that_want_the_newest_get_one_cycle() {
    let mut place = place(&PIPELINE);
    place.write("stage/hold-before", "");
    let _daemon = daemon(&place, &[]);
    has_looked(&place, "shop");
    place.commit("Second version", &files(BAD));
    until("the deploy runs", || place.stage().starts().len() == 1);
    let third = place.commit("Third version", &files(GOOD));
    let waits = |fate: &str| fates(&place).contains(&(third.clone(), fate.to_owned()));
    until("the commit waits", || waits("waiting"));
    place.andon(&["trigger", "shop"]).expect_code(0);
    std::fs::remove_file(place.file("stage/hold-before")).unwrap();
    let ran = wait_for_cycles(&place, 2);
    assert_eq!(ran.len(), 2, "{ran:?}");
    assert_eq!(ran[1], (third.clone(), "green".to_owned()));
    assert!(waits("tested"), "{:?}", fates(&place));
    assert_eq!(place.stage().starts().len(), 2);
}

#[test]
fn the_commit_that_broke_it_is_searched_while_nothing_else_waits() {
    let pipeline = PIPELINE.replace("settle: 0s", "settle: 2s");
    let mut place = place(&format!("{pipeline}culprit: {{ search: true, confirm: 1 }}\n"));
    let daemon = daemon(&place, &[]);
    has_looked(&place, "shop");
    place.andon(&["trigger", "shop"]).expect_code(0);
    wait_for_cycles(&place, 1);
    // They come together: which of them was it?
    for number in 1..=4 {
        let mut files = files(if number < 3 { GOOD } else { BAD });
        files.push(("note".to_owned(), number.to_string(), false));
        place.commit(&format!("Commit {number}"), &files);
    }
    until("the newest is verified again", || {
        let newest = place.andon(&["show", "shop", "--json"]).json();
        newest["search"]["ending"] == "found"
    });
    let newest = place.andon(&["show", "shop", "--json"]).json();
    let commits = place.commits();
    assert_eq!(newest["search"]["culprit"], commits[3].as_str());
    assert_eq!(newest["revision"]["sha"], commits[4].as_str());
    daemon.signal(Signal::TERM);
    daemon.wait().expect_code(0);
}

/// A search that has begun, with a step whose deploy is held: what comes now comes in its middle.
fn in_the_middle_of_a_search() -> (Place, crate::support::Running) {
    in_the_middle_with("", [GOOD, BAD])
}

/// The same with further cases, and what staging answers before and after the commit that breaks it.
fn in_the_middle_with(cases: &str, [good, bad]: [&str; 2]) -> (Place, crate::support::Running) {
    let pipeline = PIPELINE.replace("settle: 0s", "settle: 2s");
    let pipeline = format!("{pipeline}{cases}culprit: {{ search: true, confirm: 1 }}\n");
    let mut place = Place::new();
    place.write("pipelines/shop.yaml", &pipeline);
    place.commit("First version", &files(good));
    let daemon = daemon(&place, &[]);
    has_looked(&place, "shop");
    place.andon(&["trigger", "shop"]).expect_code(0);
    wait_for_cycles(&place, 1);
    for number in 1..=16 {
        let mut files = files(if number < 7 { good } else { bad });
        files.push(("note".to_owned(), number.to_string(), false));
        place.commit(&format!("Commit {number}"), &files);
    }
    until("the red cycle is over", || cycles(&place).iter().any(|(_, verdict)| verdict == "red"));
    place.write("stage/hold-before", "");
    let open = || cycles(&place).last().is_some_and(|(_, verdict)| verdict == "open");
    until("a step waits in its deploy", || {
        open() && place.stage().starts().len() == cycles(&place).len()
    });
    let status = place.andon(&["status"]).expect_code(0);
    assert!(status.stdout.contains("shop: searches: step "), "{}", status.stdout);
    assert_eq!(state_of(&place)["search"]["of"], 2);
    (place, daemon)
}

/// The cycle of that revision that tells of a search, once it is there.
fn told_by(place: &Place, revision: &str) -> Value {
    until("the commit is seen", || fates(place).iter().any(|(sha, _)| sha == revision));
    std::fs::remove_file(place.file("stage/hold-before")).unwrap();
    let newest = || place.andon(&["show", "shop", "--json"]).json();
    until("the search is over", || newest()["search"]["ending"].is_string());
    let told = newest();
    assert_eq!(told["revision"]["sha"], revision, "{told}");
    told
}

#[test]
fn a_search_that_a_newer_commit_makes_needless_says_so_once() {
    let (mut place, _daemon) = in_the_middle_of_a_search();
    let mut mended = files(GOOD);
    mended.push(("note".to_owned(), "mended".to_owned(), false));
    let mended = place.commit("It is mended", &mended);
    let told = told_by(&place, &mended);
    assert_eq!(
        (&told["search"]["ending"], &told["verdict"]),
        (&json!("overtaken"), &json!("green"))
    );
    let number = told["cycle"].as_u64().unwrap();
    let ran = wait_for_cycles(&place, usize::try_from(number).unwrap());
    assert_eq!(ran.len() as u64, number, "nobody asks on, and what is new is deployed: {ran:?}");
}

#[test]
fn a_branch_that_is_rewritten_ends_the_search_of_what_was_on_it() {
    let (mut place, _daemon) = in_the_middle_of_a_search();
    {
        let repository = git2::Repository::open(place.file("repo")).unwrap();
        let first = git2::Oid::from_str(&place.commits()[0]).unwrap();
        let first = repository.find_object(first, None).unwrap();
        repository.reset(&first, git2::ResetType::Soft, None).unwrap();
    }
    let mut others = files(BAD);
    others.push(("note".to_owned(), "another history".to_owned(), false));
    let other = place.commit("Another history", &others);
    let told = told_by(&place, &other);
    assert_eq!(told["search"]["ending"], "rewritten");
    assert_eq!(told["search"]["culprit"], Value::Null);
    let number = told["cycle"].as_u64().unwrap();
    let ran = wait_for_cycles(&place, usize::try_from(number).unwrap());
    assert_eq!(ran.len() as u64, number, "nobody asks on: {ran:?}");
}

/// Who ends a search does not leave an old commit behind.
#[test]
fn the_newest_is_put_back_and_verified_after_a_step_that_was_cancelled() {
    let (place, _daemon) = in_the_middle_of_a_search();
    place.andon(&["cancel", "shop"]).expect_code(0);
    std::fs::remove_file(place.file("stage/hold-before")).unwrap();
    let newest = || place.andon(&["show", "shop", "--json"]).json();
    until("the search is over", || newest()["search"]["ending"].is_string());
    let told = newest();
    assert_eq!(told["search"]["ending"], "cancelled");
    let last = place.commits().last().unwrap();
    assert_eq!((&told["revision"]["sha"], &told["verdict"]), (&json!(last), &json!("red")));
    let number = usize::try_from(told["cycle"].as_u64().unwrap()).unwrap();
    assert_eq!(wait_for_cycles(&place, number).len(), number, "nobody asks on");
}

/// Two regressions of one pipeline: the newer is asked about first, and the older is not forgotten.
#[test]
fn an_older_search_goes_on_after_that_of_a_newer_regression() {
    let answers = |one: &str, two: &str| {
        format!(r#"{{ "routes": {{ "/one": [{{ {one} }}], "/two": [{{ {two} }}] }} }}"#)
    };
    let (ok, broken) = (r#""text": "ok""#, r#""status": 500"#);
    let two = "    - { id: test_002_two, steps: [{ http: { url: \"${base_url}/two\" } }] }\n";
    let (mut place, _daemon) = in_the_middle_with(two, [&answers(ok, ok), &answers(broken, ok)]);
    for (note, second) in [("kept", ok), ("broken", broken)] {
        let mut files = files(&answers(broken, second));
        files.push(("note".to_owned(), note.to_owned(), false));
        place.commit(&format!("Second is {note}"), &files);
    }
    let last = place.commits().last().unwrap().clone();
    until("the commits are seen", || fates(&place).iter().any(|(sha, _)| *sha == last));
    std::fs::remove_file(place.file("stage/hold-before")).unwrap();
    let newest = || place.andon(&["show", "shop", "--json"]).json();
    until("the older search is over", || {
        let search = &newest()["search"];
        search["cycle"] == 2 && search["ending"] == "found"
    });
    let told = newest();
    assert_eq!(told["search"]["culprit"], place.commits()[7].as_str());
    assert_eq!(told["revision"]["sha"], last.as_str(), "the newest is put back");
    let two = &told["clusters"].as_array().unwrap()[1];
    assert_eq!((&two["cases"], &two["culprit"]), (&json!(["test_002_two"]), &json!(last)));
}
