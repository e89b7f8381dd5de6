//! `run`, `resume`: what is typed, what is deployed, how it ends.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Stdio;

use super::stage::{Did, PIPELINE, Stage, did, start};

#[test]
fn a_green_run_prints_the_cycle_and_tells_its_story_on_standard_error() {
    let stage = Stage::new();
    let ran = stage.andon(&["run", "pipelines/small.yaml"]).ends(0);
    let ran = ran.prints(&["cycle 1 of small green\n", "All is well (Ada Brandt)", "ran 2 of 2"]);
    ran.says(&["cycle 1 of small by hand", "deploy Copy: exited with code 0", "api serves"]);
    assert!(stage.path().join("reports/small/cycle-0001.md").is_file());
    // By name, quietly: the result alone.
    let quiet = stage.andon(&["run", "small", "-q"]).ends(0).prints(&["cycle 2 of small green"]);
    assert_eq!(quiet.err, "");
}

#[test]
fn json_lines_are_the_events_and_then_the_cycle() {
    let stage = Stage::new();
    let ran = stage.andon(&["run", "small", "--json"]).ends(0);
    assert_eq!(ran.err, "");
    let lines = ran.json_lines();
    let (cycle, events) = lines.split_last().unwrap();
    assert!(events.len() > 10);
    assert!((1..).zip(events).all(|(seq, event)| event["seq"] == seq), "{events:#?}");
    assert_eq!(events[0]["event"]["kind"], "queued");
    assert_eq!(cycle["verdict"], "green");
    assert_eq!(*cycle, stage.newest());
}

#[test]
fn a_commit_that_was_seen_is_known_by_its_full_id_without_the_remote() {
    let (stage, commits) = Stage::with_history();
    fs::rename(stage.path().join("chat"), stage.path().join("away")).unwrap();
    let ran = stage.andon(&["run", "small", "--revision", &commits[2]]).ends(0);
    ran.prints(&[&commits[2]]);
    // What a branch names now, only the remote can tell.
    stage.andon(&["run", "small", "--revision", "main"]).ends(2).says(&["chat"]);
}

#[test]
fn what_is_wrong_decides_the_exit_code() {
    let stage = Stage::new();
    stage.commit("Chat goes", &[("chat", None)]);
    stage
        .andon(&["run", "small"])
        .ends(1)
        .prints(&["test_002_chat", "expected status 200, got 404"]);
    stage.commit("A deploy that fails", &[("refuse", Some(""))]);
    let failed = stage.andon(&["run", "small"]).ends(3).prints(&["cycle 2 of small deploy_failed"]);
    failed.says(&["exited with code 9", "deploying "]);
    stage.commit("A deploy that lies", &[("refuse", None), ("lie", Some(""))]);
    stage.andon(&["run", "small"]).ends(3).prints(&["cycle 3 of small not_ready"]);
}

#[test]
fn the_worst_of_several_cycles_counts() {
    let stage = Stage::new();
    // The first deploy leaves chat out, the second does not.
    let flip = stage.path().join("flip");
    fs::write(&flip, "").unwrap();
    let line = format!("        if rm {}; then rm \"$ANDON_VAR_WWW/chat\"; fi\n", flip.display());
    let lie = "        test -e lie";
    stage.write_pipeline("small", &PIPELINE.replace(lie, &format!("{line}{lie}")));
    let ran = stage.andon(&["run", "small", "--cycles", "2", "--json"]).ends(1);
    let lines = ran.json_lines();
    let verdicts: Vec<_> = lines.iter().filter_map(|line| line["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["red", "green"]);
}

#[test]
fn a_revision_is_a_branch_a_tag_or_an_id() {
    let stage = Stage::new();
    stage.tag("v1");
    let second = stage.commit("Second", &[("more", Some("1"))]);
    let third = stage.commit("Third", &[("more", Some("2"))]);
    stage.branch("release/2", &second);
    let served = |args: &[&str]| {
        let mut all = vec!["run", "small", "--json", "--only", "test_001*"];
        all.extend(args);
        stage.andon(&all).ends(0).json_lines().pop().unwrap()["revision"].clone()
    };
    assert_eq!(served(&[])["sha"], third);
    assert_eq!(served(&["--revision", "release/2"])["sha"], second);
    assert_eq!(served(&["--revision", "release/2"])["branch"], "release/2");
    assert_eq!(served(&["--revision", "v1"])["subject"], "All is well");
    assert_eq!(served(&["--revision", &second[..7]])["sha"], second);
    assert_eq!(served(&["--revision", &third])["sha"], third);
    let cycles = || stage.andon(&["cycles", "small", "--json"]).json().as_array().unwrap().len();
    let before = cycles();
    let unknown = stage.andon(&["run", "small", "--revision", "relase"]).ends(2).prints_nothing();
    unknown.says(&["error: no branch, tag or commit \"relase\"", "help: "]);
    stage.andon(&["run", "small", "--revision", "main^"]).ends(2).says(&["main^"]);
    assert_eq!(cycles(), before, "a revision that is none starts no cycle");
}

#[test]
fn the_newest_of_the_branches_that_a_glob_names_is_run() {
    let stage = Stage::new();
    let second = stage.commit("Second", &[("more", Some("1"))]);
    stage.branch("release/2", &second);
    stage.commit("Third", &[("more", Some("2"))]);
    let watching = |glob: &str| {
        let branches = format!("poll: off, branches: [\"{glob}\"]");
        stage.write_pipeline("small", &PIPELINE.replace("poll: off", &branches));
    };
    watching("release/*");
    let ran = stage.andon(&["run", "small", "--json"]).ends(0).json_lines().pop().unwrap();
    assert_eq!(ran["revision"]["sha"], second);
    watching("hotfix/*");
    stage.andon(&["run", "small"]).ends(2).says(&["no branch like hotfix/*"]);
}

#[test]
fn without_a_deploy_what_is_served_is_tested() {
    let stage = Stage::new();
    let first = stage.andon(&["run", "small", "--json"]).ends(0).json_lines().pop().unwrap();
    stage.commit("Not deployed", &[("chat", None)]);
    let ran = stage.andon(&["run", "small", "--no-deploy", "--json"]).ends(0);
    let cycle = ran.json_lines().pop().unwrap();
    assert_eq!(cycle["revision"]["sha"], first["revision"]["sha"]);
    assert_eq!(cycle["verdict"], "green");
    let phases = cycle["phases"].as_array().unwrap();
    assert!(phases.iter().any(|p| p["phase"] == "deploy" && p["outcome"] == "skipped"));
    // What is served and unknown to git is not what anybody could have asked for.
    fs::write(stage.path().join("www/version"), "0123456789abcdef0123456789abcdef01234567")
        .unwrap();
    let ran = stage.andon(&["run", "small", "--no-deploy", "--json"]).ends(3);
    assert_eq!(ran.json_lines().pop().unwrap()["revision"]["subject"], "Not deployed");
}

#[test]
fn a_selection_that_matches_nothing_is_a_slip_and_nothing_is_deployed() {
    let stage = Stage::new();
    let one = stage.andon(&["run", "small", "--only", "*health", "--json"]).ends(0);
    assert_eq!(one.json_lines().pop().unwrap()["suite"]["planned"], 1);
    let report = fs::read_to_string(stage.path().join("reports/small/cycle-0001.md")).unwrap();
    assert!(report.contains("**Only a part of the suite:** cases like `*health`"), "{report}");
    assert!(report.contains("The one planned case passed"), "{report}");
    fs::remove_file(stage.path().join("www/version")).unwrap();
    let slip = stage.andon(&["run", "small", "--only", "test_003*"]).ends(2).prints_nothing();
    slip.says(&["error: no case of small matches \"test_003*\"", "it has 2 cases"]);
    stage
        .andon(&["run", "small", "--only", "helth"])
        .ends(2)
        .says(&["did you mean `test_001_health`?"]);
    assert!(!stage.path().join("www/version").exists());
}

#[test]
fn the_parts_that_are_not_acted_on_are_named_once() {
    let stage = Stage::new();
    stage.write_pipeline("small", &PIPELINE.replace("poll: off", "poll: 30s"));
    let ran = stage.andon(&["run", "small", "--cycles", "2"]).ends(0);
    let told = "note for `andon daemon`, not for a run by hand: watch.poll\n";
    assert_eq!(ran.err.matches(told).count(), 1, "{}", ran.err);
    // What holds by default, nobody asked for.
    stage.write_pipeline("small", &PIPELINE.replace(", poll: off", ""));
    let ran = stage.andon(&["run", "small"]).ends(0);
    assert!(!ran.err.contains("not acted on"), "{}", ran.err);
}

#[test]
fn reports_are_not_written_through_a_link_that_leads_out() {
    let stage = Stage::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let reports = stage.path().join("reports");
    symlink(elsewhere.path(), &reports).unwrap();
    let told = stage.andon(&["run", "small"]).ends(2).prints_nothing();
    told.says(&["reports is a link that leads out of", "help: make it a folder of its own"]);
    assert!(!stage.path().join("www/version").exists(), "nothing is deployed");

    fs::remove_file(&reports).unwrap();
    stage.andon(&["run", "small"]).ends(0);
    fs::remove_dir_all(reports.join("small")).unwrap();
    symlink(elsewhere.path(), reports.join("small")).unwrap();
    let told = stage.andon(&["report", "small", "--rebuild"]).ends(2);
    told.says(&["reports/small is a link that leads out of"]);
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_report_that_cannot_be_written_is_told_with_its_place_and_changes_no_verdict() {
    let stage = Stage::new();
    stage.commit("Chat goes", &[("chat", None)]);
    fs::create_dir_all(stage.path().join("reports/small")).unwrap();
    fs::write(stage.path().join("reports/small/investigations"), "a file").unwrap();
    let ran = stage.andon(&["run", "small", "--json"]).ends(1);
    let cycle = ran.json_lines().pop().unwrap();
    assert_eq!((&cycle["verdict"], &cycle["report"]), (&"red".into(), &serde_json::Value::Null));
    let shown = stage.andon(&["show", "small"]).ends(0);
    shown.prints(&["the report could not be written: reports/small/investigations/INV-0001-"]);
    fs::remove_file(stage.path().join("reports/small/investigations")).unwrap();
    stage.andon(&["report", "small", "--rebuild"]).ends(0);
    stage.andon(&["report", "small", "--verify"]).ends(0);
}

#[test]
fn a_report_of_a_cycle_that_ran_nothing_says_what_is_known_to_be_lost() {
    let stage = Stage::new();
    let costly = PIPELINE.replace("area: Chat", "area: Chat\n      impact: Nobody can chat");
    stage.write_pipeline("small", &costly);
    stage.commit("Chat goes", &[("chat", None)]);
    stage.andon(&["run", "small"]).ends(1);
    symlink("../../outside", stage.path().join("chat/way-out")).unwrap();
    stage.commit("A deploy that lies", &[("lie", Some(""))]);
    let ran = stage.andon(&["run", "small", "--json"]).ends(3);
    let cycle = ran.json_lines().pop().unwrap();
    assert!(cycle["left_out"][0].as_str().unwrap().starts_with("way-out: "), "{cycle}");
    let report = fs::read_to_string(stage.path().join("reports/small/cycle-0002.md")).unwrap();
    for text in [
        "**Nobody can chat** (1 case that did not run was failing before, last seen in cycle 1)",
        "**not known**, because 1 case did not run: Nobody can do anything",
        "1 entry was left out: way-out: symbolic link that leaves the tree",
    ] {
        assert!(report.contains(text), "{text:?} is not in:\n{report}");
    }
    stage.andon(&["report", "small", "--verify"]).ends(0);
}

#[test]
fn old_reports_outlive_the_state_folder() {
    let (stage, _) = Stage::with_history();
    let report = |cycle: u32| {
        fs::read_to_string(stage.path().join(format!("reports/small/cycle-{cycle:04}.md"))).unwrap()
    };
    let before = [1, 2, 3].map(report);
    // One whose comment is gone is nobody's: it is neither gone on with nor written over.
    let folder = stage.path().join("reports/small/investigations");
    let document = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    fs::write(&document, "my own words").unwrap();
    fs::remove_dir_all(stage.path().join(".andon")).unwrap();
    stage.commit("Chat goes again", &[("chat", None)]);
    let ran = stage.andon(&["run", "small", "--cycles", "2"]).ends(1);
    let ran = ran.prints(&["cycle 4 of small red", "cycle 5 of small red"]);
    let told =
        "there are reports of small up to cycle 3, and the state folder knows no cycle of it";
    assert_eq!(ran.err.matches(told).count(), 1, "{}", ran.err);
    assert_eq!([1, 2, 3].map(report), before);
    // Nor does a new document take the number of an old one.
    let mut documents: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap()[..8].to_owned())
        .collect();
    documents.sort();
    assert_eq!(documents, ["INV-0001", "INV-0002"]);
    assert_eq!(fs::read_to_string(&document).unwrap(), "my own words");
    stage.andon(&["report", "small", "--verify"]).ends(0);
}

#[test]
fn a_report_of_the_same_number_that_is_of_another_cycle_stays() {
    let stage = Stage::new();
    stage.andon(&["run", "small"]).ends(0);
    let theirs = stage.path().join("reports/small/cycle-0002.json");
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
    // It came with a `git pull` while this cycle ran.
    fs::write(&theirs, r#"{ "started_at": "2026-01-01T00:00:00Z" }"#).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    assert!(rest.contains("cycle-0002.json belongs to another cycle of this number"), "{rest}");
    assert!(!stage.path().join("reports/small/cycle-0002.md").exists());
    assert!(fs::read_to_string(&theirs).unwrap().contains("2026-01-01"));
}

#[test]
fn an_investigation_that_was_emptied_or_deleted_is_made_anew_and_says_so() {
    for emptied in [true, false] {
        let stage = Stage::new();
        stage.commit("Chat goes", &[("chat", None)]);
        stage.andon(&["run", "small"]).ends(1);
        let folder = stage.path().join("reports/small/investigations");
        let document = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        if emptied {
            fs::write(&document, " \n").unwrap();
        } else {
            fs::remove_file(&document).unwrap();
        }
        let ran = stage.andon(&["run", "small"]).ends(1);
        ran.says(&["note INV-0001: its file was gone or empty, and was made anew"]);
        let text = fs::read_to_string(&document).unwrap();
        assert!(text.contains("opened in cycle 1"), "{text}");
        let report = fs::read_to_string(stage.path().join("reports/small/cycle-0002.md")).unwrap();
        assert!(report.contains("Its file was gone or empty and was made anew"), "{report}");
        assert!(report.contains("new, opened in cycle 1"), "{report}");
        let ran = stage.andon(&["run", "small"]).ends(1);
        assert!(!ran.err.contains("made anew"), "{}", ran.err);
        stage.andon(&["report", "small", "--rebuild"]).ends(0);
    }
}

/// What people had written is made of the records again, and rows of cycles that an older copy of the
/// file does not have.
#[test]
fn what_an_emptied_investigation_said_is_restored_from_the_records() {
    let (stage, document) = stage_with_a_document();
    let older = fs::read_to_string(&document).unwrap();
    let answered = older.replacen("- Claim:", "- Claim: the *cache* was stale", 1)
        + "\nA note with a | and `code`.\n";
    fs::write(&document, format!("Above all.\n\n{answered}")).unwrap();
    stage.andon(&["run", "small"]).ends(1);
    let kept = fs::read_to_string(&document).unwrap();
    let words = ["Above all.", "- Claim: the *cache* was stale", "A note with a | and `code`."];
    for empty in ["", " \n"] {
        fs::write(&document, empty).unwrap();
        let ran = stage.andon(&["run", "small"]).ends(1);
        ran.says(&["made anew with what people had written"]);
        let text = fs::read_to_string(&document).unwrap();
        for word in words {
            assert_eq!(text.matches(word).count(), 1, "{word}: {text}");
        }
    }
    let report = fs::read_to_string(stage.path().join("reports/small/cycle-0004.md")).unwrap();
    assert!(report.contains("stands in it again, from the records"), "{report}");
    assert!(report.contains("**Written by people:** the"), "{report}");

    fs::write(&document, kept).unwrap();
    stage.andon(&["run", "small"]).ends(1);
    let text = fs::read_to_string(&document).unwrap();
    for cycle in 1..=5 {
        let row = format!("\n| {cycle} | `");
        assert_eq!(text.matches(&row).count(), 1, "{row} {text}");
    }
    assert!(!text.contains("are not listed"), "{text}");
}

/// In the usual order of events nobody sees the failure with the newest words in its file: they are read
/// when its fix is claimed, when it is gone, and after an editor.
#[test]
fn what_people_wrote_outlives_its_file_also_when_the_failure_was_gone_meanwhile() {
    for emptied in [true, false] {
        let (stage, document) = stage_with_a_document();
        let lose = || match emptied {
            true => fs::write(&document, "").unwrap(),
            false => fs::remove_file(&document).unwrap(),
        };
        let text = fs::read_to_string(&document).unwrap();
        fs::write(&document, answered(&text, "a claim of old")).unwrap();
        stage.andon(&["run", "small"]).ends(1);
        let text = fs::read_to_string(&document).unwrap();
        fs::write(&document, text.replace("a claim of old", "the route was renamed")).unwrap();
        let mended = stage.commit("Chat is back", &[("chat", Some("hello"))]);
        stage.andon(&["whys", "fix", "INV-0001", "--commit", &mended]).ends(0);
        stage.andon(&["run", "small"]).ends(0);
        let text = fs::read_to_string(&document).unwrap();
        assert!(text.contains("**verified**"), "{text}");
        lose();
        stage.commit("Chat goes again", &[("chat", None)]);
        stage.andon(&["run", "small"]).ends(1).says(&["made anew with what people had written"]);
        restores(&document, "the route was renamed", "a claim of old");
        let text = fs::read_to_string(&document).unwrap();
        for row in ["\n| 1 | `", "\n| 2 | `", "\n| 4 | `"] {
            assert_eq!(text.matches(row).count(), 1, "{row} {text}");
        }

        // Only the cycle without the failure saw this one.
        fs::write(&document, text.replace("the route was renamed", "it moved: \u{e4}")).unwrap();
        stage.commit("Chat is back again", &[("chat", Some("hello"))]);
        stage.andon(&["run", "small"]).ends(0);
        lose();
        stage.andon(&["run", "small"]).ends(0);
        stage.commit("Chat goes once more", &[("chat", None)]);
        stage.andon(&["run", "small"]).ends(1).says(&["made anew with what people had written"]);
        restores(&document, "it moved: \u{e4}", "the route was renamed");

        // What was taken back stays away.
        let text = fs::read_to_string(&document).unwrap();
        let taken = text.replace("it moved: \u{e4}", "").replace("A note with `code`.", "");
        let taken = taken.replace(COUNTERMEASURE, "");
        fs::write(&document, taken).unwrap();
        stage.commit("Chat is back for good", &[("chat", Some("hello"))]);
        stage.andon(&["run", "small"]).ends(0);
        lose();
        stage.commit("Chat goes for good", &[("chat", None)]);
        let ran = stage.andon(&["run", "small"]).ends(1);
        assert!(!ran.err.contains("with what people had written"), "{}", ran.err);
        let text = fs::read_to_string(&document).unwrap();
        assert!(!text.contains("it moved") && !text.contains(COUNTERMEASURE), "{text}");
    }
}

/// What an editor left, a claim or a closing read is newer than what a cycle saw, until a later one sees more.
#[test]
fn what_an_editor_of_an_investigation_left_outlives_its_file() {
    let (stage, document) = stage_with_a_document();
    let text = fs::read_to_string(&document).unwrap();
    fs::write(&document, answered(&text, "words that a cycle saw")).unwrap();
    stage.andon(&["run", "small"]).ends(1);
    let replace = |older: &str, newer: &str| {
        let text = fs::read_to_string(&document).unwrap();
        fs::write(&document, text.replace(older, newer)).unwrap();
    };
    let lose_and_run = || {
        fs::write(&document, "").unwrap();
        stage.andon(&["run", "small"]).ends(1).says(&["made anew with what people had written"]);
    };
    let mut command = stage.command();
    let editor = "sed -i 's/words that a cycle saw/words of an editor/'";
    command.args(["whys", "edit", "INV-0001"]).env("EDITOR", editor);
    did(command).ends(0);
    lose_and_run();
    restores(&document, "words of an editor", "words that a cycle saw");

    replace("words of an editor", "words at the claim");
    stage.andon(&["whys", "fix", "INV-0001", "--commit", "main"]).ends(0);
    lose_and_run();
    restores(&document, "words at the claim", "words of an editor");

    replace("words at the claim", "words at the end");
    stage.andon(&["whys", "close", "INV-0001"]).ends(0);
    lose_and_run();
    restores(&document, "words at the end", "words at the claim");
    let text = fs::read_to_string(&document).unwrap();
    assert!(text.contains("Closed by "), "{text}");

    replace("words at the end", "words of a later cycle");
    stage.andon(&["run", "small"]).ends(1);
    lose_and_run();
    restores(&document, "words of a later cycle", "words at the end");

    // A file that cannot be merged has the newest words all the same; one of other bytes has none.
    let text = fs::read_to_string(&document).unwrap();
    let (before, after) = text.split_once("words of a later cycle").unwrap();
    let latin: &[&[u8]] = &[before.as_bytes(), b"caf\xe9 words", after.as_bytes()];
    for bytes in [latin.concat(), b"\xff\xfe\xfd other bytes".to_vec()] {
        fs::write(&document, bytes).unwrap();
        stage.andon(&["run", "small"]).ends(1).says(&["is left as it is"]);
    }
    lose_and_run();
    restores(&document, "caf\u{fffd} words", "other bytes");
}

const COUNTERMEASURE: &str = "| A contract test | prevent | lin | 2030-01-01 | high | | |";

/// A document with an answer, a countermeasure and a note.
fn answered(text: &str, claim: &str) -> String {
    let text = text.replacen("- Claim:", &format!("- Claim: {claim}"), 1);
    let end = "<!-- andon:end countermeasures -->";
    assert!(text.contains(end), "{text}");
    let table = format!("{end}\n\n| What | Kind | Owner | Due | Priority | Commit | Proved by |\n");
    let table = format!("{table}|---|---|---|---|---|---|---|\n{COUNTERMEASURE}\n");
    text.replacen(end, &table, 1) + "\nA note with `code`.\n"
}

/// A document was made anew with the newest words, and all else that stood there.
#[track_caller]
fn restores(document: &std::path::Path, newest: &str, older: &str) {
    let text = fs::read_to_string(document).unwrap();
    for words in [newest, COUNTERMEASURE, "A note with `code`."] {
        assert_eq!(text.matches(words).count(), 1, "{words}: {text}");
    }
    assert!(!text.contains(older), "{text}");
}

/// A stage on which a failure has a document, and where that lies.
fn stage_with_a_document() -> (Stage, std::path::PathBuf) {
    let stage = Stage::new();
    stage.commit("Chat goes", &[("chat", None)]);
    stage.andon(&["run", "small"]).ends(1);
    let folder = stage.path().join("reports/small/investigations");
    let document = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    (stage, document)
}

/// What cannot be merged is left on disk to the byte, and the console and the report say so: in the
/// cycle that fails again, and in the one in which the failure is gone.
#[test]
fn an_investigation_that_cannot_be_merged_is_left_as_it_is() {
    let (stage, document) = stage_with_a_document();
    let text = fs::read_to_string(&document).unwrap();
    let with = |claim: &[u8]| {
        let (before, after) = text.split_once("- Claim:").unwrap();
        [before.as_bytes(), b"- Claim: ", claim, after.as_bytes()].concat()
    };
    let long = [with(b"ours").as_slice(), &b"what people wrote\n".repeat(300_000)].concat();
    let utf16: Vec<u8> =
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let without_mark = utf16[2..].to_vec();
    let table: [(Vec<u8>, &str, &str); 4] = [
        (long, "its file is longer than 4 MiB and is left as it is", "**Written by people:** ours"),
        (with(b"na\xefve \xfc"), "its file is not UTF-8 text and is left as it is", "na\u{fffd}ve"),
        (utf16, "its file is not UTF-8 text and is left as it is", ""),
        (without_mark, "its file is not UTF-8 text and is left as it is", ""),
    ];
    for (bytes, said, shown) in table {
        fs::write(&document, &bytes).unwrap();
        let ran = stage.andon(&["run", "small"]).ends(1);
        assert!(fs::read(&document).unwrap() == bytes, "{said}: the bytes are others");
        ran.says(&[&format!("note INV-0001: {said}; what is shown here is ")]);
        let newest = stage.newest()["cycle"].as_u64().unwrap();
        let report = stage.path().join(format!("reports/small/cycle-{newest:04}.md"));
        let report = fs::read_to_string(report).unwrap();
        assert!(report.contains(&said["its file ".len()..]) && report.contains(shown), "{report}");
        assert!(!report.contains("made anew"), "{report}");
    }
    let bytes = fs::read(&document).unwrap();
    stage.commit("Chat is back", &[("chat", Some("hello"))]);
    stage.andon(&["run", "small"]);
    assert!(fs::read(&document).unwrap() == bytes, "a failure that is gone leaves it, too");
    fs::write(&document, &text).unwrap();
    stage.commit("Chat goes again", &[("chat", None)]);
    assert!(!stage.andon(&["run", "small"]).ends(1).err.contains("left as it is"));
}

#[test]
fn an_investigation_outlives_the_state_folder() {
    let (stage, document) = stage_with_a_document();
    let text = fs::read_to_string(&document).unwrap();
    fs::write(&document, text.replacen("- Claim:", "- Claim: the tenant is missing", 1)).unwrap();
    fs::remove_dir_all(stage.path().join(".andon")).unwrap();
    let ran = stage.andon(&["run", "small"]).ends(1);
    ran.says(&["note INV-0001: its file was in the report folder already, and goes on"]);
    let folder = document.parent().unwrap();
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "no second document");
    let merged = fs::read_to_string(&document).unwrap();
    assert!(merged.contains("- Claim: the tenant is missing"), "{merged}");
    assert!(merged.contains("**analysed**, opened in cycle 1"), "{merged}");
    let report = fs::read_to_string(stage.path().join("reports/small/cycle-0002.md")).unwrap();
    assert!(report.contains("**Written by people:** the tenant is missing"), "{report}");
    let ran = stage.andon(&["run", "small"]).ends(1);
    assert!(!ran.err.contains("goes on"), "it is said once: {}", ran.err);
}

#[test]
fn a_reader_that_goes_away_ends_no_cycle() {
    let stage = Stage::new();
    let mut command = stage.command();
    command.args(["run", "small", "--json"]);
    let mut child = start(command);
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    drop(reader);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(stage.newest()["verdict"], "green");
    // Nor do commands that only print.
    let mut command = stage.command();
    command.args(["show", "small"]).stdout(Stdio::null());
    assert_eq!(did(command).code, 0);
}

#[test]
fn a_full_disk_behind_standard_output_ends_no_cycle_either() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let stage = Stage::new();
    let mut command = stage.command();
    command.args(["run", "small", "--json"]).stdout(full.try_clone().unwrap());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{said}");
    assert!(said.contains("error: cannot write to standard output"), "{said}");
    assert_eq!(said.matches("cannot print events").count(), 1, "{said}");
    assert_eq!(stage.newest()["verdict"], "green");
}

#[test]
fn an_interrupt_ends_a_run_in_order() {
    let stage = Stage::new();
    stage.write_pipeline("small", &PIPELINE.replace("${base}/chat", "${base}/hang"));
    let mut command = stage.command();
    command.args(["run", "small", "--json"]);
    let mut child = start(command);
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // The first case has its result, the second waits for an answer.
    while !line.contains("attempt_finished") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the run ended by itself");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let cycle = stage.newest();
    assert_eq!(cycle["verdict"], "cancelled");
    assert_eq!(cycle["suite"]["passed"], 1, "what is final counts");
    assert!(stage.path().join(cycle["report"].as_str().unwrap()).is_file());
    assert!(rest.lines().last().unwrap().contains("\"verdict\":\"cancelled\""));
}

#[test]
fn an_invalid_pipeline_is_told_with_every_fault_and_nothing_happens() {
    let stage = Stage::new();
    stage.write_pipeline(
        "small",
        &PIPELINE.replace("successes: 1", "succeses: 1").replace("retries: 0", "retries: no"),
    );
    let told = stage.andon(&["run", "small"]).ends(2).prints_nothing();
    let told = told.says(&["unknown key `succeses`", "did you mean `successes`?", "retries: no"]);
    told.says(&["error: pipelines/small.yaml is not a valid pipeline"]);
    assert!(!stage.path().join(".andon").exists());
    stage
        .andon(&["run", "smal"])
        .ends(2)
        .says(&["there is no pipeline smal in pipelines", "did you mean `small`?"]);
    stage
        .andon(&["run", "pipelines/smal.yaml"])
        .ends(2)
        .says(&["there is no file pipelines/smal.yaml", "did you mean `small`?"]);
    stage.andon(&["run", "pipelines"]).ends(2).says(&["pipelines is a folder, not a pipeline"]);
}

#[test]
fn a_state_that_cannot_be_used_is_exit_code_5() {
    let stage = Stage::new();
    stage
        .andon(&["show", "small"])
        .ends(5)
        .prints_nothing()
        .says(&["error: no database at", "help: nothing has run here yet"]);
    let foreign = stage.path().join("foreign.db");
    fs::write(&foreign, "SQLite format 3\0 and then something else").unwrap();
    let database = format!("sqlite:{}", foreign.display());
    let told = stage.andon(&["--database", &database, "list"]).ends(5).prints_nothing();
    told.says(&["error: ", "foreign.db", "help: "]);
    assert!(fs::read(&foreign).unwrap().ends_with(b"something else"), "it is left alone");
    let blocked = stage.path().join("blocked");
    fs::write(&blocked, "a file").unwrap();
    let told = stage.andon(&["--state", "blocked", "run", "small"]).ends(5).prints_nothing();
    told.says(&["error: cannot open the database", "because: ", "help: "]);
    stage
        .andon(&["--database", "postgres://host/db", "list"])
        .ends(2)
        .says(&["SQLite alone", "--database sqlite:FILE"]);
}

/// Changes the ledger as nobody should.
fn damage(stage: &Stage, sql: &'static str) {
    let url = format!("sqlite:{}", stage.path().join(".andon/andon.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::Connection as _;
        let mut db = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("DROP TRIGGER IF EXISTS event_is_never_changed")
            .execute(&mut db)
            .await
            .unwrap();
        sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    });
}

#[test]
fn a_damaged_event_is_named_and_is_no_defect() {
    let stage = Stage::new();
    stage.andon(&["run", "small", "--cycles", "2"]).ends(0);
    damage(
        &stage,
        "UPDATE event SET payload = substr(payload, 1, 20) WHERE cycle_id = 1 AND seq = 3",
    );
    let told = stage.andon(&["show", "small", "1"]).ends(5).prints_nothing();
    told.says(&["error: event 3 of cycle 1 of small (kind revision_resolved", "it is damaged, or"]);
    stage.andon(&["doctor"]).ends(1).prints(&["trouble ledger", "event 3 of cycle 1 of small"]);
    assert_eq!(stage.newest()["cycle"], 2, "other cycles are not affected");
    damage(
        &stage,
        "UPDATE event SET kind = 'held', payload = '{\"reason\":\"x\"}'
        WHERE cycle_id = 1 AND seq = 3",
    );
    let told = stage.andon(&["show", "small", "1"]).ends(5);
    told.says(&["the records of cycle 1 of small contradict each other", "event 3 (held)"]);
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_that_names_the_file() {
    let stage = Stage::new();
    stage.andon(&["run", "small", "--only", "*health"]).ends(0);
    let mut command = std::process::Command::new("sh");
    command.current_dir(stage.path()).env_clear().env("HOME", stage.path());
    command.env("PATH", std::env::var_os("PATH").unwrap());
    let program = env!("CARGO_BIN_EXE_andon");
    command.args(["-c", "ulimit -f 8 && exec \"$0\" run small", program]);
    let told = did(command).ends(5);
    told.says(&["the database", "help: "]);
}

#[test]
fn a_state_folder_that_is_deleted_while_it_is_used_is_told_at_the_next_event() {
    let stage = Stage::new();
    let (hold, held) = (stage.path().join("hold"), stage.path().join("held"));
    let wait = format!(
        "        : > {}; while test -e {}; do sleep 0.02; done\n",
        held.display(),
        hold.display()
    );
    let lie = "        test -e lie";
    stage.write_pipeline("small", &PIPELINE.replace(lie, &format!("{wait}{lie}")));
    fs::write(&hold, "").unwrap();
    let mut command = stage.command();
    command.args(["run", "small"]);
    let mut child = start(command);
    while !held.exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    fs::remove_dir_all(stage.path().join(".andon")).unwrap();
    fs::remove_file(&hold).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{said}");
    assert!(said.contains("andon.db was deleted while it was open"), "{said}");
    assert!(!stage.path().join(".andon/andon.db").exists(), "nothing is made anew in secret");
}

#[test]
fn a_folder_whose_name_is_no_text_is_told_as_such() {
    use std::os::unix::ffi::OsStrExt as _;
    let stage = Stage::new();
    let odd = std::path::Path::new(std::ffi::OsStr::from_bytes(b"odd-\xff"));
    let mut command = stage.command();
    command.arg("--state").arg(odd).args(["run", "small"]);
    did(command).ends(2).says(&["the path is not valid UTF-8", "help: name a folder"]);
}

#[test]
fn a_state_that_may_only_be_read_can_be_read() {
    let stage = Stage::new();
    stage.andon(&["run", "small"]).ends(0);
    let state = stage.path().join(".andon");
    let set = |mode| {
        for entry in fs::read_dir(&state).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode & 0o666))
                    .unwrap();
            }
        }
        fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
    };
    set(0o500);
    let shown = stage.andon(&["show", "small", "--json"]);
    set(0o700);
    assert_eq!(shown.ends(0).json()["verdict"], "green");
}

/// A program that sees the state folder on a disk that is mounted read-only; nothing else is touched.
fn on_a_read_only_disk(stage: &Stage, args: &[&str]) -> Did {
    const MOUNT: &str =
        "mount --bind .andon .andon && mount -o remount,bind,ro .andon && exec \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.current_dir(stage.path()).env_clear().env("HOME", stage.path());
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command.args(["-Urm", "sh", "-c", MOUNT, "sh", env!("CARGO_BIN_EXE_andon")]).args(args);
    did(command)
}

/// Whether this machine lets us mount anything; it says so where it does not.
#[allow(clippy::print_stderr)] // A test that looked at nothing must not look like one that passed.
fn may_mount() -> bool {
    let tried = std::process::Command::new("unshare")
        .args(["-Urm", "mount", "-t", "tmpfs", "none", "/mnt"])
        .status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        eprintln!("SKIPPED: no mount namespaces here, so nothing can be mounted read-only");
    }
    may
}

#[test]
fn a_read_only_disk_can_be_looked_at_and_says_what_cannot_be_done() {
    if !may_mount() {
        return;
    }
    let stage = Stage::new();
    stage.andon(&["run", "small"]).ends(0);
    for args in [
        &["cycles", "small"][..],
        &["show", "small", "--json"],
        &["report", "small"],
        &["logs", "small"],
        &["whys", "list"],
    ] {
        on_a_read_only_disk(&stage, args).ends(0);
    }
    let told = on_a_read_only_disk(&stage, &["run", "small"]).ends(5);
    told.says(&["read-only", "help: ", "mounted for writing"]);
    // What was written last lies beside the database, where a killed process left it.
    fs::write(stage.path().join(".andon/andon.db-wal"), "what came last").unwrap();
    let told = on_a_read_only_disk(&stage, &["cycles", "small"]).ends(5).prints_nothing();
    told.says(&["read-only", "help: ", "copy the folder"]);
}

#[test]
fn only_a_held_cycle_can_be_resumed() {
    let stage = Stage::new();
    stage.andon(&["run", "small"]).ends(0);
    let told = stage.andon(&["resume", "small", "1", "--as", "deployed"]).ends(2).prints_nothing();
    told.says(&["error: cycle 1 of small is not held", "help: "]);
    stage
        .andon(&["resume", "small", "2", "--as", "rerun"])
        .ends(2)
        .says(&["has no cycle 2", "its newest is cycle 1"]);
    stage.andon(&["resume", "small", "1"]).ends(2).says(&["--as <HOW>"]);
    stage
        .andon(&["resume", "small", "1", "--as", "done"])
        .ends(2)
        .says(&["deployed, failed, rerun"]);
}

#[test]
fn neither_a_home_nor_a_locale_is_needed() {
    let stage = Stage::new();
    let mut command = stage.command();
    command.env_remove("HOME").args(["run", "small"]);
    did(command).ends(0).prints(&["cycle 1 of small green"]);
}
