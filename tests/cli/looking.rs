//! `list`, `cycles`, `show`, `case`, `diff`, `logs`, `report`, `whys`: over three cycles, green, red,
//! and green again.

use std::fs;
use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};

use super::stage::{Did, PIPELINE, Stage, did, start};

#[test]
fn lists_tell_what_there_is() {
    let (stage, commits) = Stage::with_history();
    let listed = stage.andon(&["list"]).ends(0).prints(&["pipeline", "small", "green", "2 of 2"]);
    assert_eq!(listed.err, "");
    let listed = stage.andon(&["list", "--json"]).ends(0).json();
    assert_eq!(listed[0]["pipeline"], "small");
    assert_eq!(listed[0]["cycles"], 3);
    assert_eq!(listed[0]["latest"]["verdict"], "green");

    let cycles = stage.andon(&["cycles", "small", "--json"]).ends(0).json();
    let verdicts: Vec<&Value> = cycles.as_array().unwrap().iter().map(|c| &c["verdict"]).collect();
    assert_eq!(verdicts, ["green", "red", "green"]);
    assert_eq!(cycles[1]["revision"]["sha"], commits[1].as_str());
    assert_eq!(cycles[1]["suite"]["failed"], 1);
    let one = stage.andon(&["cycles", "small", "--limit", "1"]).ends(0);
    assert_eq!(one.out.lines().count(), 2, "{}", one.out);
    stage.andon(&["cycles", "small", "--limit", "0"]).ends(2).says(&["--limit"]);
}

#[test]
fn a_case_has_a_history() {
    let (stage, _) = Stage::with_history();
    let told = stage.andon(&["case", "small", "test_002_chat"]).ends(0);
    told.prints(&["fixed", "regressed", "new_passing"]);
    let history = stage.andon(&["case", "small", "test_002_chat", "--json"]).ends(0).json();
    let cycles = history["cycles"].as_array().unwrap();
    let changes: Vec<&Value> = cycles.iter().map(|cycle| &cycle["change"]).collect();
    assert_eq!(changes, ["fixed", "regressed", "new_passing"]);
    assert!(cycles[1]["fingerprint"].is_string());
    let redefined = cycles.iter().map(|cycle| cycle["definition_changed"].as_bool());
    assert!(redefined.eq([Some(false), Some(false), None]), "{history}");
    let told = stage.andon(&["case", "small", "chat"]).ends(2).prints_nothing();
    told.says(&["error: pipeline small has no case chat", "did you mean `test_002_chat`?"]);
    stage.andon(&["case", "small", "a\nb"]).ends(2).says(&["case id"]);
}

#[test]
fn a_cycle_is_shown_in_short_and_as_json() {
    let (stage, commits) = Stage::with_history();
    let shown = stage.andon(&["show", "small", "2"]).ends(0);
    let shown = shown.prints(&["cycle 2 of small red", "ran 2 of 2: 1 passed, 1 failing"]);
    let shown = shown.prints(&["test_002_chat  failed   regressed  expected status 200, got 404"]);
    assert!(!shown.out.contains("test_001"), "a case that passes again is no news");
    let cycle = stage.andon(&["show", "pipelines/small.yaml", "2", "--json"]).ends(0).json();
    assert_eq!(cycle["revision"]["sha"], commits[1].as_str());
    assert_eq!(cycle["changes"]["regressed"], json!(["test_002_chat"]));
    assert_eq!(stage.newest()["cycle"], 3);
    for name in ["latest", "finished"] {
        let cycle = stage.andon(&["show", "small", name, "--json"]).ends(0).json();
        assert_eq!(cycle["cycle"], 3, "{name}");
    }
    let says = |args: &[&str], texts: &[&str]| {
        stage.andon(args).ends(2).prints_nothing().says(texts);
    };
    says(&["show", "small", "9"], &["pipeline small has no cycle 9", "its newest is cycle 3"]);
    says(&["show", "small", "two"], &["a cycle is a number, such as 7, or `latest`"]);
    says(&["show", "smal"], &["pipeline smal has no cycles", "did you mean `small`?"]);
    says(&["show", "other"], &["pipelines with cycles: small"]);
    says(&["show", "pipelines/smal.yaml"], &["there is no file", "did you mean `small`?"]);
    says(&["show", "Small!"], &["Small!"]);
}

#[test]
fn a_diff_fails_when_something_regressed() {
    let (stage, _) = Stage::with_history();
    let cycles = |did: &Did| {
        let value = did.json();
        (value["a"]["cycle"].as_u64().unwrap(), value["b"]["cycle"].as_u64().unwrap())
    };
    // The newest and its baseline: chat was fixed.
    let newest = stage.andon(&["diff", "small", "--json"]).ends(0);
    assert_eq!(cycles(&newest), (2, 3));
    assert_eq!(newest.json()["changes"]["fixed"], json!(["test_002_chat"]));
    let second = stage.andon(&["diff", "small", "2", "--json"]).ends(1);
    assert_eq!(cycles(&second), (1, 2));
    assert_eq!(second.json()["changes"]["regressed"], json!(["test_002_chat"]));
    let green = stage.andon(&["diff", "small", "--against", "green", "--json"]).ends(0);
    assert_eq!(cycles(&green), (1, 3));
    let same = stage.andon(&["diff", "small", "1", "3"]).ends(0);
    assert_eq!(same.out, "cycle 1 → cycle 3 of small\n  2 still passing\n");
    let back = stage.andon(&["diff", "small", "3", "2"]).ends(1);
    back.prints(&["1 regressed, 1 still passing", "test_002_chat  passed  failed"]);

    let says = |args: &[&str], texts: &[&str]| {
        stage.andon(args).ends(2).prints_nothing().says(texts);
    };
    says(&["diff", "small", "1"], &["no cycle with a valid suite before cycle 1", "help: "]);
    says(&["diff", "small", "1", "2", "--against", "green"], &["cannot be used with"]);
    says(&["diff", "small", "1", "7"], &["has no cycle 7"]);
    stage.commit("A deploy that fails", &[("refuse", Some(""))]);
    stage.andon(&["run", "small"]).ends(3);
    says(&["diff", "small"], &["cycle 4 of small has no results", "`andon diff small 3`"]);
}

#[test]
fn logs_are_what_the_deploy_wrote() {
    let (stage, commits) = Stage::with_history();
    let newest = stage.andon(&["logs", "small"]).ends(0);
    newest.prints(&["── deploy step 1: Copy (exited with code 0)", &commits[2][..7]]);
    let second = stage.andon(&["logs", "small", "2", "--phase", "deploy", "--follow"]).ends(0);
    second.prints(&[&format!("deploying {}", &commits[1][..7])]);
    stage.andon(&["logs", "small", "--phase", "deplo"]).ends(2).says(&["did you mean `deploy`?"]);
    stage.andon(&["logs", "small", "--phase", "ready"]).ends(2).says(&["runs no commands"]);
    let no_tests = stage.andon(&["logs", "small", "--phase", "suite"]).ends(0).prints_nothing();
    no_tests.says(&["ran no command"]);
    stage.andon(&["logs", "small", "9"]).ends(2).says(&["has no cycle 9"]);
    stage.andon(&["run", "small", "--no-deploy"]).ends(0);
    let nothing = stage.andon(&["logs", "small"]).ends(0).prints_nothing();
    nothing.says(&["cycle 4 of small ran no command"]);
}

#[test]
fn a_report_is_printed_rebuilt_and_recounted() {
    let (stage, _) = Stage::with_history();
    let file = stage.path().join("reports/small/cycle-0002.md");
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(stage.andon(&["report", "small", "2"]).ends(0).out, written);
    stage.andon(&["report", "small", "2", "--json"]).ends(0).prints(&["\"verdict\": \"red\""]);
    stage.andon(&["report", "small", "2", "--verify"]).ends(0).prints(&["holds"]);

    fs::write(&file, written.replace("an 2 of 2", "an 3 of 3")).unwrap();
    let told = stage.andon(&["report", "small", "2", "--verify"]).ends(1);
    told.prints(&["cycle-0002.md is not what the records say", "headline"]).says(&["--rebuild"]);
    let json = stage.path().join("reports/small/cycle-0003.json");
    fs::write(&json, "{}").unwrap();
    let told = stage.andon(&["report", "small", "--verify", "--json"]).ends(1).json();
    assert_eq!(told["contradictions"].as_array().unwrap().len(), 2, "{told}");
    let junit = stage.path().join("reports/small/cycle-0001.junit.xml");
    fs::remove_file(&junit).unwrap();
    stage
        .andon(&["report", "small", "1", "--verify"])
        .ends(1)
        .prints(&["junit.xml cannot be read"]);

    let indexes = ["reports/README.md", "reports/small/README.md"];
    let read = |path: &&str| fs::read_to_string(stage.path().join(path)).unwrap();
    let before: Vec<String> = indexes.iter().map(read).collect();
    indexes.iter().for_each(|path| fs::remove_file(stage.path().join(path)).unwrap());

    let rebuilt = stage.andon(&["report", "small", "--rebuild", "--json"]).ends(0).json();
    assert_eq!(indexes.iter().map(read).collect::<Vec<_>>(), before, "indexes too");
    assert_eq!(rebuilt["written"], 5, "the three files and two indexes");
    assert_eq!(fs::read_to_string(&file).unwrap(), written, "byte for byte");
    let again = stage.andon(&["report", "small", "--rebuild"]).ends(0);
    again.prints(&["as they should be, 0 written anew"]);
    stage.andon(&["report", "small", "--rebuild", "--verify"]).ends(2).says(&["cannot be used"]);
    stage.andon(&["report", "other", "--rebuild"]).ends(2).says(&["has no cycles"]);
}

#[test]
fn an_investigation_is_listed_shown_edited_and_closed() {
    let (stage, _) = Stage::with_history();
    let with_editor = |editor: Option<&str>| {
        let mut command = stage.command();
        command.args(["whys", "edit", "INV-0001"]);
        editor.map(|editor| command.env("EDITOR", editor));
        did(command)
    };
    stage.andon(&["whys"]).ends(0).prints(&["INV-0001", "small", "cycle 2"]);
    let rows = stage.andon(&["whys", "list", "small", "--json"]).ends(0).json();
    assert_eq!(rows[0]["id"], "INV-0001");
    let shown = stage.andon(&["whys", "show", "INV-0001"]).ends(0);
    let shown = shown.prints(&["# INV-0001", "test_002_chat", "Why did it happen"]);
    assert!(!shown.out.contains("<!-- andon"), "{}", shown.out);
    let value =
        stage.andon(&["whys", "show", "inv-1", "--pipeline", "small", "--json"]).ends(0).json();
    assert_eq!(value["document"]["id"], "INV-0001");
    let file = stage.path().join(value["path"].as_str().unwrap());

    with_editor(None).ends(2).says(&["neither VISUAL nor EDITOR is set", "help: set one"]);
    with_editor(Some("no-such-editor")).ends(2).says(&["no-such-editor", "help: "]);
    let editor = stage.path().join("my editor.sh");
    fs::write(&editor, "#!/bin/sh\nprintf '\\nThe cache was stale.\\n' >> \"$1\"\n").unwrap();
    with_editor(Some(&format!("sh '{}'", editor.display()))).ends(0).says(&["the next report"]);
    assert!(fs::read_to_string(&file).unwrap().contains("The cache was stale."));

    let before = fs::read_to_string(&file).unwrap();
    for emptying in [": >", "rm", ": > \"$1\"; false"] {
        with_editor(Some(emptying)).ends(2).says(&["empty; its text was put back", "help: "]);
        assert_eq!(fs::read_to_string(&file).unwrap(), before, "{emptying}");
    }

    // What an edit takes of Andon's own parts is no loss, and what it leaves can be closed.
    let told = with_editor(Some("echo hello >")).ends(0);
    told.says(&[
        "put back: the comment that says what the document is, the title",
        "the next report",
    ]);
    let mended = fs::read_to_string(&file).unwrap();
    assert!(mended.contains("\n\nhello\n\n<!-- andon:begin head "), "{mended}");
    assert!(mended.contains("## Occurrences\n\n| Cycle |"), "{mended}");
    assert!(!mended.contains("The cache was stale."), "those words were taken back: {mended}");
    fs::write(&file, &before).unwrap();

    let mut command = stage.command();
    command.args(["whys", "edit", "INV-0001", "--json"]).env("EDITOR", "true");
    let edited = did(command).ends(0).json();
    assert!(edited["text"].as_str().unwrap().contains("The cache was stale."), "{edited}");
    assert!(edited["lint"].is_array());

    // Without its first comment, which an editor took: the records know what it is.
    fs::write(&file, before.split_once('\n').unwrap().1).unwrap();
    let closed = stage.andon(&["whys", "close", "INV-0001", "--json"]).ends(0).json();
    assert_eq!(closed["investigation"]["state"], "closed");
    assert_eq!(closed["document"]["state"], "closed");
    let rows = stage.andon(&["whys", "--json"]).ends(0).json();
    assert_eq!(rows[0]["state"], "closed");
    assert!(fs::read_to_string(&file).unwrap().contains("The cache was stale."));
    stage.andon(&["whys", "close", "INV-0001"]).ends(2).says(&["closed already"]);
    stage.andon(&["whys", "show", "INV-77"]).ends(2).says(&["no investigation INV-0077"]);
    stage.andon(&["whys", "show", "seven"]).ends(2).says(&["an id looks like INV-0003"]);
    stage.andon(&["whys", "list", "smal"]).ends(2).says(&["did you mean `small`?"]);
    fs::remove_file(&file).unwrap();
    stage.andon(&["whys", "show", "INV-0001"]).ends(2).says(&["is not here", "git restore"]);
}

#[test]
fn a_first_cycle_that_is_not_over_is_shown_as_running() {
    let stage = Stage::new();
    stage.write_pipeline("small", &PIPELINE.replace("${base}/chat", "${base}/hang"));
    let mut command = stage.command();
    command.args(["run", "small", "--json"]);
    let mut child = start(command);
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("attempt_finished") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the run ended by itself");
    }
    stage
        .andon(&["show", "small"])
        .ends(0)
        .prints(&["cycle 1 of small running", "suite     running"]);
    let shown = stage.andon(&["show", "small", "--json"]).ends(0).json();
    assert_eq!((&shown["phase"], &shown["verdict"]), (&"suite".into(), &Value::Null));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn two_pipelines_may_have_an_investigation_of_one_number() {
    let stage = Stage::new();
    stage.write_pipeline("twin", &PIPELINE.replace("name: small", "name: twin"));
    stage.commit("Chat goes", &[("chat", None)]);
    stage.andon(&["run", "small"]).ends(1);
    stage.andon(&["run", "twin"]).ends(1);
    let told = stage.andon(&["whys", "show", "INV-0001"]).ends(2).prints_nothing();
    told.says(&["INV-0001 exists in small and twin", "--pipeline"]);
    stage.andon(&["whys", "show", "INV-0001", "--pipeline", "twin"]).ends(0).prints(&["INV-0001"]);
    let report = fs::read_to_string(stage.path().join("reports/twin/cycle-0001.md")).unwrap();
    assert!(report.contains("`andon whys edit INV-0001 --pipeline twin`"), "{report}");
}

#[test]
fn nothing_there_is_said_and_is_no_data() {
    let stage = Stage::new();
    stage.andon(&["run", "small"]).ends(0);
    stage.andon(&["whys"]).ends(0).prints_nothing().says(&["no investigation was ever opened"]);
    assert_eq!(stage.andon(&["whys", "--json"]).ends(0).json(), json!([]));
    for args in [["show", "small"], ["cycles", "small"], ["report", "small"], ["diff", "small"]] {
        let told = stage.andon(&[&["--state", "elsewhere"][..], &args].concat()).ends(5);
        told.prints_nothing().says(&["no database at", "help: "]);
        assert!(!stage.path().join("elsewhere").exists(), "reading creates nothing");
    }
}

#[test]
fn a_fix_is_claimed_and_outlives_the_document() {
    let (stage, commits) = Stage::with_history();
    let fix =
        |more: &[&str]| stage.andon(&[&["whys", "fix", "INV-0001", "--commit"][..], more].concat());
    fix(&["no-such-branch"]).ends(2).says(&["no-such-branch", "help: "]);
    fix(&["0000000"]).ends(2).says(&["0000000"]);
    stage.andon(&["whys", "fix", "INV-0001"]).ends(2).says(&["--commit"]);
    stage.andon(&["whys", "fix", "INV-0077", "--commit", "main"]).ends(2).says(&["INV-0077"]);

    let text = |id: &str| {
        let shown = stage.andon(&["whys", "show", id, "--json"]).ends(0).json();
        (shown["path"].as_str().unwrap().to_owned(), shown["text"].as_str().unwrap().to_owned())
    };
    let claimed = fix(&[&commits[2][..9], "--json"]).ends(0).json();
    assert_eq!(claimed["investigation"]["state"], "fix_claimed", "{claimed}");
    assert_eq!(claimed["claim"]["commit"], commits[2].as_str());
    assert_eq!(claimed["claim"]["subject"], "Chat is back");
    let (path, written) = text("INV-0001");
    assert!(written.contains(&format!("| `{}` | Chat is back |", commits[2])), "{written}");
    fix(&[&commits[2], "--pipeline", "small"]).ends(0).says(&["is claimed already by"]);

    // The records alone hold it now; the next cycle decides.
    fs::remove_file(stage.path().join(&path)).unwrap();
    stage.andon(&["run", "small"]).ends(0);
    let rows = stage.andon(&["whys", "--json"]).ends(0).json();
    assert_eq!(rows[0]["state"], "verified");
    let cycle = stage.andon(&["show", "small", "--json"]).ends(0).json();
    assert_eq!(cycle["fixes"][0]["fixes"][0]["result"], "verified in cycle 4", "{cycle}");
    let bad = stage.commit("Chat moves again", &[("chat", None)]);
    stage.andon(&["run", "small"]).ends(1);
    let (_, written) = text("INV-0001");
    let came_back = "| whys fix | verified in cycle 4, came back in cycle 5 |";
    assert!(written.contains(came_back), "{written}");

    // A name needs no folder of pipelines: whose it is stands in the records.
    fs::rename(stage.path().join("pipelines"), stage.path().join("lines")).unwrap();
    stage.andon(&["run", "lines/small.yaml"]).ends(1);
    let named = fix(&["no-such-branch", "--pipeline", "small"]).ends(2);
    let named = named.says(&["no-such-branch"]);
    assert!(!named.err.contains("no folder"), "{}", named.err);

    // Where the document cannot be written the claim is kept all the same.
    fs::remove_file(stage.path().join(&path)).unwrap();
    fix(&[&bad]).ends(0).says(&["could not be written here", "is claimed as its fix"]);
    let again = fix(&[&commits[2]]).ends(2);
    again.says(&["was claimed as the fix of INV-0001", "came back in cycle 5"]);
    stage.andon(&["whys", "close", "INV-0001"]).ends(2).says(&["is not here"]);
}
