//! `culprit`: eight commits, of which the fifth broke the chat.

use std::process::Child;

use serde_json::{Value, json};

use super::stage::{PIPELINE, Stage, start, until};

/// A good cycle at the first commit, then commits of which the one with that number breaks the chat, and a
/// cycle at the last. Gives back their ids.
fn broken_by(number: usize) -> (Stage, Vec<String>) {
    broken_by_in(PIPELINE, number)
}

fn broken_by_in(pipeline: &str, number: usize) -> (Stage, Vec<String>) {
    let stage = Stage::empty();
    stage.write_pipeline("small", &pipeline.replace("retries: 0", "retries: 1"));
    let mut commits =
        vec![stage.commit("All is well", &[("health", Some("ok")), ("chat", Some("hi"))])];
    stage.andon(&["run", "small"]).ends(0);
    for at in 1..8 {
        let note = at.to_string();
        let mut files = vec![("note", Some(note.as_str()))];
        if at == number {
            files.push(("chat.status", Some("500")));
        }
        commits.push(stage.commit(&format!("Commit {at}"), &files));
    }
    stage.andon(&["run", "small"]).ends(i32::from(number < 8));
    (stage, commits)
}

#[test]
fn the_commit_that_broke_it_is_found_and_the_newest_is_put_back() {
    let (stage, commits) = broken_by(5);
    let told = stage.andon(&["culprit", "small", "--json"]).ends(0);
    let found = told.json();
    assert_eq!(found["culprit"], commits[5].as_str());
    assert_eq!((&found["cycle"], &found["cause"]), (&json!(2), &json!("code")));
    assert_eq!(found["ending"], "found");
    assert!(found["confidence"].as_f64().unwrap() > 0.99, "{found}");
    assert_eq!(
        found["deploys"], 4,
        "the baseline, two that halve what is left, and the newest: {found}"
    );
    let steps: Vec<(&str, &str)> = found["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["revision"].as_str().unwrap(), step["answer"].as_str().unwrap()))
        .collect();
    assert_eq!(steps[0], (commits[0].as_str(), "good"));
    assert!(steps.contains(&(commits[4].as_str(), "good")), "the parent is confirmed: {steps:?}");
    assert!(steps.contains(&(commits[5].as_str(), "bad")), "{steps:?}");
    assert_eq!(steps.last().unwrap().0, commits[7]);

    // The newest is verified with the whole suite, compared with the red cycle and not with a question.
    let newest = stage.newest();
    assert_eq!(newest["revision"]["sha"], commits[7].as_str());
    let searched = stage.andon(&["show", "small", "2", "--json"]).json();
    let branch = &searched["revision"]["branch"];
    assert_eq!((branch, &newest["revision"]["branch"]), (&json!("main"), branch));
    let step = stage.andon(&["show", "small", "3", "--json"]).json();
    assert_eq!(&step["revision"]["branch"], branch, "a step knows the branch, too");
    assert_eq!(newest["suite"]["planned"], 2);
    assert_eq!(newest["baseline"]["cycle"], 2);
    assert_eq!(newest["changes"]["still_failing"], json!(["test_002_chat"]));
    assert_eq!(newest["clusters"][0]["culprit"], commits[5].as_str());
    assert_eq!(newest["clusters"][0]["times_seen"], 2, "what a search asked is not counted");
    assert_eq!(newest["search"], found);
    let report = stage.andon(&["report", "small"]).ends(0);
    report.prints(&["Search: what broke cycle 2", "Culprit", &commits[5][..7]]);
    // Whoever reads only the top, or only what to do, learns it too; nobody else is suspected any more.
    let cycle = newest["cycle"].as_u64().unwrap();
    let read = |path: &str| std::fs::read_to_string(stage.path().join(path)).unwrap();
    let text = read(&format!("reports/small/cycle-{cycle:04}.md"));
    let named = format!("`{}` “Commit 5”", &commits[5][..7]);
    let top = text.lines().find(|line| line.starts_with("**")).unwrap();
    assert!(top.contains(&format!("Broken by {named}, 99.9 % sure")), "{top}");
    assert!(text.contains(&format!("Revert or repair {named}")), "{text}");
    assert!(!text.contains("| Suspects |"), "{text}");
    assert_eq!(newest["clusters"][0]["suspects"], json!([commits[5]]));
    let folder = stage.path().join("reports/small/investigations");
    let document = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let document = std::fs::read_to_string(document).unwrap();
    assert!(
        document.contains(&format!("| Culprit | `{}` Commit 5", &commits[5][..7])),
        "{document}"
    );
    stage.andon(&["report", "small", "--verify"]).ends(0);
    // The report of a step says which question it answers, and speaks of nothing else.
    let step = read("reports/small/cycle-0003.md");
    let top = step.lines().find(|line| line.starts_with("**")).unwrap();
    let question = format!(
        "**Step 1 of the search for what broke cycle 2 (7 suspects, at most 8 deploys left): is {} good? — yes",
        &commits[0][..7]
    );
    assert!(top.starts_with(&question), "{top}");
    for wrong in [
        "--only",
        "--no-deploy",
        "First cycle",
        "No baseline",
        "nobody looks at it",
        "known to be broken",
        "charts/trend",
        "| **3** |",
    ] {
        assert!(!step.contains(wrong), "{wrong}: {step}");
    }
    assert!(
        step.contains("## What changed\n\nAn older commit is compared with nothing.\n"),
        "{step}"
    );
    let bad =
        found["steps"].as_array().unwrap().iter().find(|step| step["answer"] == "bad").unwrap();
    let bad = stage.andon(&["show", "small", &bad["cycles"][0].to_string(), "--json"]).json();
    assert_eq!(bad["reason"], "1 case is failing");
    // The history of a case marks what a search asked.
    let history = stage.andon(&["case", "small", "test_002_chat", "--json"]).ends(0).json();
    let asked = history["cycles"].as_array().unwrap().iter();
    let asked: Vec<_> = asked.filter(|row| row["asked_by_search_of"] == 2).collect();
    let cycles = |step: &Value| step["cycles"].as_array().unwrap().len();
    let cycles: usize = found["steps"].as_array().unwrap().iter().map(cycles).sum();
    assert_eq!(asked.len(), cycles - 1, "all but the return: {history}");

    // What is known of it stays with the failure.
    stage.andon(&["run", "small"]).ends(1);
    assert_eq!(stage.newest()["clusters"][0]["culprit"], commits[5].as_str());
    // Asked again, nothing is deployed: the records hold the answer.
    let before = stage.newest()["cycle"].clone();
    let again = stage.andon(&["culprit", "small", "2", "--json"]).ends(0).json();
    assert_eq!(again["culprit"], found["culprit"]);
    assert_eq!(stage.newest()["cycle"], before);
}

#[test]
fn what_fails_on_the_last_good_revision_too_is_the_environment() {
    let (stage, commits) = broken_by(99_999);
    // Something that no deploy changes breaks the chat from now on.
    stage.write_pipeline(
        "small",
        &PIPELINE.replace("test -e lie", "echo 500 > \"$ANDON_VAR_WWW/chat.status\"; test -e lie"),
    );
    stage.commit("Nothing to do with it", &[("note", Some("9"))]);
    stage.andon(&["run", "small"]).ends(1);
    let found = stage.andon(&["culprit", "small", "--json"]).ends(0).json();
    assert_eq!(found["culprit"], Value::Null);
    assert_eq!(
        (&found["cause"], &found["ending"]),
        (&json!("environment"), &json!("baseline_fails"))
    );
    assert_eq!(found["deploys"], 2, "{found}");
    assert_eq!(found["steps"][0]["revision"], commits[7].as_str());
    assert_eq!(stage.newest()["clusters"][0]["cause"], "environment");
    assert_eq!(stage.newest()["clusters"][0]["suspects"], json!([]), "nobody is suspected");
    let report = |stage: &Stage| {
        let name = format!("cycle-{:04}.md", stage.newest()["cycle"].as_u64().unwrap());
        std::fs::read_to_string(stage.path().join("reports/small").join(name)).unwrap()
    };
    let told = report(&stage);
    assert!(told.contains("No commit did it, says a search, 99."), "{told}");
    // What was found holds for the next cycles, as long as the failure goes on.
    stage.andon(&["run", "small"]).ends(1);
    let told = report(&stage);
    let top = told.lines().find(|line| line.starts_with("**")).unwrap();
    let ended = stage.newest()["cycle"].as_u64().unwrap() - 1;
    let says = format!("No commit did it, says the search that ended with cycle {ended}, 99.");
    assert!(top.contains(&says), "{top}");
    assert!(told.contains("Find out what else than a commit changed"), "{told}");
    assert_eq!(stage.newest()["clusters"][0]["cause"], "environment");
    assert_eq!(stage.newest()["clusters"][0]["suspects"], json!([]));
    stage.andon(&["report", "small", "--verify"]).ends(0);
    let told = stage.andon(&["culprit", "small", found["cycle"].to_string().as_str()]).ends(0);
    let told = told.prints(&[
        "no commit is named",
        "the last good revision",
        "fails now, too",
        "cause environment",
    ]);
    let old = format!("this is what the search came to with cycle {ended}, which was over at");
    told.says(&[&old, "--again` asks everything anew"]);
}

/// What was wrong around the commits was repaired, and now a commit breaks it: nothing that was answered
/// before holds any more, to the end of the search and beyond.
#[test]
fn what_is_asked_again_rests_on_no_earlier_answer() {
    let (stage, commits) = broken_by(5);
    let broken = "echo 500 > \"$ANDON_VAR_WWW/chat.status\"; test -e lie";
    let broken = PIPELINE.replace("retries: 0", "retries: 1").replace("test -e lie", broken);
    stage.write_pipeline("small", &broken);
    let found = stage.andon(&["culprit", "small", "2", "--json"]).ends(0).json();
    assert_eq!(found["ending"], "baseline_fails");
    stage.write_pipeline("small", &PIPELINE.replace("retries: 0", "retries: 1"));
    let before = stage.newest()["cycle"].as_u64().unwrap();
    let found = stage.andon(&["culprit", "small", "2", "--json"]).ends(0).json();
    assert_eq!(
        (&found["ending"], &stage.newest()["cycle"]),
        (&json!("baseline_fails"), &json!(before))
    );
    let found = stage.andon(&["culprit", "small", "2", "--again", "--json"]).ends(0).json();
    assert_eq!(found["culprit"], commits[5].as_str(), "{found}");
    let newest = stage.newest();
    assert_eq!(newest["search"], found, "the report of its end says the same");
    let first = found["steps"][0]["cycles"][0].as_u64().unwrap();
    assert_eq!(first, before + 1, "{found}");
    let again = stage.andon(&["culprit", "small", "2", "--json"]).ends(0).json();
    assert_eq!((&again, stage.newest()), (&found, newest), "the records know it, too");
}

/// A budget that is too small: who is left, and what lets the search go on.
#[test]
fn a_search_that_names_nobody_says_whom_it_left_and_what_to_do() {
    let (stage, _) = broken_by(5);
    let pipeline = PIPELINE.replace("retries: 0", "retries: 1");
    stage.write_pipeline("small", &format!("{pipeline}culprit:\n  max_deploys: 3\n"));
    let found = stage.andon(&["culprit", "small", "--json"]).ends(1).json();
    assert_eq!(found["ending"], "out_of_deploys", "{found}");
    let left = found["failures"][0]["suspects"].as_array().unwrap().len();
    let cycle = stage.newest()["cycle"].as_u64().unwrap();
    let path = stage.path().join(format!("reports/small/cycle-{cycle:04}.md"));
    let told = std::fs::read_to_string(path).unwrap();
    assert!(!told.contains("Find out which of"), "{told}");
    let top = told.lines().find(|line| line.contains("Do first")).unwrap();
    assert!(top.contains(&format!("Look at the {left} suspects left (`")), "{top}");
    assert!(top.contains("raise `max_deploys`, and `andon culprit small 2` goes on"), "{top}");
}

#[test]
fn what_cannot_be_searched_says_why() {
    let (stage, commits) = broken_by(5);
    let says = |args: &[&str], texts: &[&str]| {
        stage.andon(args).ends(2).prints_nothing().says(texts);
    };
    says(&["culprit", "small", "1"], &["nothing regressed in cycle 1"]);
    says(&["culprit", "small", "7"], &["pipeline small has no cycle 7"]);
    says(&["culprit", "smal"], &["did you mean `small`?"]);
    stage.andon(&["run", "small", "--revision", &commits[0]]).ends(0);
    says(&["culprit", "small"], &["nothing of small regressed since its last green cycle"]);
}

/// A failure of a command's test beside one of a native case: both are asked in every step.
#[test]
fn native_cases_and_those_of_a_command_are_searched_together() {
    let stage = Stage::empty();
    let unit = r#"  commands:
    - name: unit
      run: sh -c 'printf "1..1\n%s 1 - adds\n" "$(cat unit)" > "$ANDON_RESULTS/unit.tap"'
"#;
    stage.write_pipeline("small", &format!("{PIPELINE}{unit}"));
    let good = [("health", Some("ok")), ("chat", Some("hi")), ("unit", Some("ok"))];
    stage.commit("All is well", &good);
    stage.andon(&["run", "small"]).ends(0);
    let mut commits = Vec::new();
    for at in 0..5 {
        let note = at.to_string();
        let mut files = vec![("note", Some(note.as_str()))];
        files.extend((at == 1).then_some(("unit", Some("not ok"))));
        files.extend((at == 3).then_some(("chat.status", Some("500"))));
        commits.push(stage.commit(&format!("Commit {at}"), &files));
    }
    stage.andon(&["run", "small"]).ends(1);
    assert_eq!(stage.newest()["suite"]["failed"], 2);
    let found = stage.andon(&["culprit", "small", "--json"]).ends(0).json();
    let mut culprits: Vec<(&str, &str)> = found["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["cases"][0].as_str().unwrap(), f["culprit"].as_str().unwrap_or("none")))
        .collect();
    culprits.sort_unstable();
    assert_eq!(culprits.len(), 2, "{found}");
    let of = |case: &str| culprits.iter().find(|(id, _)| id.contains(case)).unwrap().1;
    assert_eq!((of("chat"), of("adds")), (commits[3].as_str(), commits[1].as_str()));
}

/// No deploy can answer a question that no case asks any more.
#[test]
fn cases_that_the_suite_has_lost_are_not_asked() {
    let (stage, _) = broken_by(5);
    let until_chat = PIPELINE.split("    - id: test_002_chat").next().unwrap();
    stage.write_pipeline("small", until_chat);
    let found = stage.andon(&["culprit", "small", "2", "--json"]).ends(1).json();
    assert_eq!((&found["ending"], &found["deploys"]), (&json!("cases_removed"), &json!(0)));
    stage.andon(&["culprit", "small", "2"]).ends(1).prints(&["the suite has none of the cases"]);
}

/// A deploy notes its cycle, and goes on once nothing holds it.
const NOTED: &str = r#"        echo "$ANDON_CYCLE" >> "$ANDON_VAR_WWW/../order"
        while test -e "$ANDON_VAR_WWW/../hold"; do sleep 0.05; done
        test ! -e refuse"#;

/// A search by hand whose first step deploys, and is held there.
struct Held {
    stage: Stage,
    commits: Vec<String>,
    search: Child,
}

impl Held {
    fn begun() -> Self {
        let noted = PIPELINE.replace("        test ! -e refuse", NOTED);
        let (stage, commits) = broken_by_in(&noted, 5);
        std::fs::write(stage.path().join("hold"), "").unwrap();
        let search = begin(&stage, &["culprit", "small", "--json"]);
        until("the first step deploys", || order(&stage) == [1, 2, 3]);
        Self { stage, commits, search }
    }

    /// Lets it go on, and waits until it has found the commit, after something that went first.
    fn finds_it(self) -> Stage {
        let Self { stage, commits, search } = self;
        std::fs::remove_file(stage.path().join("hold")).unwrap();
        let found = search.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        assert_eq!(found.status.code(), Some(0), "{said}");
        let told: Value = serde_json::from_slice(&found.stdout).unwrap();
        assert_eq!(told["culprit"], commits[5].as_str());
        assert!(said.contains("goes first; the search waits for its end"), "{said}");
        stage
    }
}

fn begin(stage: &Stage, args: &[&str]) -> Child {
    let mut command = stage.command();
    command.args(args);
    start(command)
}

/// The cycles that deployed, in that order.
fn order(stage: &Stage) -> Vec<u32> {
    let text = std::fs::read_to_string(stage.path().join("order")).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

/// A search has the environment to itself as far as searches go, and lets everything else go first.
#[test]
fn a_search_runs_beside_no_other_and_lets_a_run_by_hand_go_first() {
    let held = Held::begun();
    let stage = &held.stage;
    stage.andon(&["culprit", "small"]).ends(3).says(&["searches in staging already"]);
    let run = begin(stage, &["run", "small"]);
    let cycles = || stage.andon(&["cycles", "small", "--json"]).json();
    until("the run waits", || cycles().as_array().unwrap().len() == 4);
    let stage = held.finds_it();
    assert_eq!(run.wait_with_output().unwrap().status.code(), Some(1));
    assert_eq!(order(&stage)[..5], [1, 2, 3, 4, 5], "the run had its turn before the second step");
}

/// What waits for a daemon goes before the next step of a search by hand.
#[test]
fn a_search_by_hand_lets_what_a_daemon_holds_go_first() {
    let held = Held::begun();
    let _daemon = EndsWithTheTest(begin(&held.stage, &["daemon", "--listen", "127.0.0.1:0"]));
    let is_told = held.stage.path().join(".andon/daemon.json");
    until("the daemon answers", || is_told.exists());
    held.stage.andon(&["trigger", "small"]).ends(0);
    let stage = held.finds_it();
    let fourth = stage.andon(&["show", "small", "4", "--json"]).json();
    assert_eq!(fourth["trigger"]["kind"], "manual", "it had its turn before the second step");
}

/// Also with one that fails.
struct EndsWithTheTest(Child);

impl Drop for EndsWithTheTest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
