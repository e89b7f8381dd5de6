//! What people type on a bad day, and what they are told: what is wrong, where, and what to do.

use std::fs;

use super::stage::{PIPELINE, Stage};

#[test]
fn outside_of_the_right_folder_nothing_is_guessed_and_nothing_is_made() {
    let stage = Stage::new();
    let elsewhere = stage.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for (args, code, says) in [
        (&["run", "small"][..], 2, ["error: there is no folder pipelines here", "help: go where"]),
        (&["check"], 2, ["error: there is no folder pipelines here", "give the path of a file"]),
        (&["show", "small"], 5, ["error: no database at", "help: nothing has run here yet"]),
        (&["resume", "small", "1", "--as", "failed"], 5, ["error: no database at", "help: "]),
        (&["whys", "close", "INV-0001"], 5, ["error: no database at", "help: "]),
    ] {
        let mut command = stage.command();
        command.current_dir(&elsewhere).args(args);
        super::stage::did(command).ends(code).prints_nothing().says(&says);
    }
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0, "nothing was made");
    fs::create_dir(elsewhere.join("pipelines")).unwrap();
    let mut command = stage.command();
    command.current_dir(&elsewhere).args(["run", "small"]);
    let told = super::stage::did(command).ends(2);
    told.says(&[
        "there is no pipeline small in pipelines",
        "there is no .yaml file in that folder",
    ]);
}

#[test]
fn a_name_that_is_not_there_comes_with_those_that_are() {
    let stage = Stage::new();
    let told = stage.andon(&["run", "nightly"]).ends(2);
    told.says(&["there is no pipeline nightly in pipelines", "help: there is small"]);
    stage.andon(&["run", "small", "--only", "x"]).ends(2).says(&["help: it has 2 cases, such as"]);
    stage.write_pipeline("small", &PIPELINE.replace("status: 200", "status: 200, stauts: 2"));
    let told = stage.andon(&["run", "small"]).ends(2);
    told.says(&["error: unknown key `stauts`", "did you mean `status`?", "\n\nerror: "]);
}

#[test]
fn each_thing_that_a_repository_lacks_has_a_hint_of_its_own() {
    let stage = Stage::new();
    let told = stage.andon(&["run", "small", "--revision", "mian"]).ends(2);
    told.says(&["error: no branch, tag or commit \"mian\" in", "what was not pushed there"]);
    stage.write_pipeline("small", &PIPELINE.replace("repo: ../chat", "repo: ../chta"));
    let told = stage.andon(&["run", "small"]).ends(2);
    told.says(&["error: no git repository in", "chta", "help: check watch.repo"]);
    git2::Repository::init(stage.path().join("chta")).unwrap();
    let told = stage.andon(&["run", "small"]).ends(2);
    told.says(&["error: no default branch in", "help: commit something there"]);
}

/// Where it should not stand it is told, and not repeated.
#[test]
fn a_login_within_the_address_of_a_repository_is_shown_to_nobody() {
    let stage = Stage::new();
    for (repo, code) in
        [("https://me:hunter2@git.invalid/x", 2), ("https://hunter2@git.invalid/x", 0)]
    {
        stage.write_pipeline("small", &PIPELINE.replace("../chat", repo));
        let proved = stage.andon(&["prove", "small"]);
        assert!(!proved.err.contains("hunter2"), "{}", proved.err);
        let checked = stage.andon(&["check", "pipelines/small.yaml"]).ends(code);
        for did in [checked, stage.andon(&["run", "small"]).ends(2)] {
            let all = format!("{}{}", did.out, did.err);
            assert!(!all.contains("hunter2") && all.contains("***@git.invalid"), "{repo}: {all}");
        }
    }
}
