//! The global options: `andon.yaml`, variables, flags, colours, the log.

use std::fs;

use super::stage::{Did, Stage, did};

fn with_variables(stage: &Stage, variables: &[(&str, &str)], args: &[&str]) -> Did {
    let mut command = stage.command();
    command.args(args).envs(variables.iter().copied());
    did(command)
}

#[test]
fn flags_go_before_variables_and_variables_before_the_file() {
    let stage = Stage::new();
    let here = |name: &str| stage.path().join(name).join("andon.db").is_file();
    fs::write(stage.path().join("andon.yaml"), "state: from-file\nreports: told\n").unwrap();
    stage.andon(&["run", "small"]).ends(0);
    assert!(here("from-file") && !here(".andon"));
    assert!(stage.path().join("told/small/cycle-0001.md").is_file());
    let cycle = stage.newest();
    assert_eq!(cycle["report"], "told/small/cycle-0001.md");
    let variable = [("ANDON_STATE", "from-variable")];
    with_variables(&stage, &variable, &["run", "small"]).ends(0);
    assert!(here("from-variable"));
    let flag = ["run", "small", "--state", "from-flag"];
    with_variables(&stage, &variable, &flag).ends(0);
    assert!(here("from-flag"));
}

#[test]
fn the_file_names_the_database_and_the_pipelines() {
    let stage = Stage::new();
    let folder = stage.path().join("conf");
    fs::create_dir(&folder).unwrap();
    fs::rename(stage.path().join("pipelines"), folder.join("lines")).unwrap();
    let text = fs::read_to_string(folder.join("lines/small.yaml")).unwrap();
    fs::write(folder.join("lines/small.yaml"), text.replace("../chat", "../../chat")).unwrap();
    let settings = "pipelines: lines\ndatabase: sqlite://records.db\n";
    fs::write(folder.join("andon.yaml"), settings).unwrap();
    let config = ["--config", "conf/andon.yaml"];
    stage.andon(&[&config[..], &["check"]].concat()).ends(0).prints(&["small valid"]);
    stage.andon(&[&config[..], &["run", "small"]].concat()).ends(0);
    assert!(folder.join("records.db").is_file());
    stage.andon(&[&config[..], &["show", "small"]].concat()).ends(0).prints(&["green"]);
}

#[test]
fn a_settings_file_that_is_wrong_is_told_before_anything_happens() {
    let stage = Stage::new();
    let told = stage.andon(&["--config", "none.yaml", "list"]).ends(2).prints_nothing();
    told.says(&["none.yaml"]);
    fs::write(stage.path().join("andon.yaml"), "sate: x\n").unwrap();
    let told = stage.andon(&["run", "small"]).ends(2).prints_nothing();
    told.says(&["did you mean `state`?", "the settings in andon.yaml are not valid"]);
    // What only tells about the program needs no settings.
    stage.andon(&["schema", "daemon"]).ends(0);
    stage.andon(&["completions", "bash"]).ends(0);
}

#[test]
fn colours_are_for_terminals_and_for_whoever_asks() {
    let stage = Stage::new();
    stage.andon(&["run", "small"]).ends(0);
    let colours = |did: &Did| did.out.contains('\u{1b}') || did.err.contains('\u{1b}');
    assert!(!colours(&stage.andon(&["show", "small"])));
    assert!(colours(&stage.andon(&["--color", "always", "show", "small"])));
    assert!(!colours(&stage.andon(&["show", "small", "--color", "never"])));
    let no_color = [("NO_COLOR", "1"), ("CLICOLOR_FORCE", "0")];
    assert!(!colours(&with_variables(&stage, &no_color, &["show", "small"])));
    fs::write(stage.path().join("pipelines/wrong.yaml"), "version: 2\n").unwrap();
    let fault = ["check", "pipelines/wrong.yaml", "--color"];
    assert!(colours(&stage.andon(&[&fault[..], &["always"]].concat()).ends(2)));
    assert!(!colours(&stage.andon(&[&fault[..], &["never"]].concat()).ends(2)));
}

#[test]
fn the_log_can_be_objects_and_then_everything_said_is() {
    let stage = Stage::new();
    let ran = stage.andon(&["--log-format", "json", "-vv", "run", "small"]).ends(0);
    let lines: Vec<serde_json::Value> = ran
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no object: {line}")))
        .collect();
    let all = |key: &str| lines.iter().all(|line| !line[key].is_null());
    assert!(all("timestamp") && all("level") && all("fields") && all("target"), "{lines:#?}");
    let failed = stage.andon(&["--log-format", "json", "show", "smal"]).ends(2);
    let object: serde_json::Value = serde_json::from_str(&failed.err).unwrap();
    assert_eq!(object["level"], "ERROR");
    assert_eq!(object["fields"]["message"], "pipeline smal has no cycles");
    assert_eq!(object["fields"]["help"][0], "did you mean `small`?");
}

#[test]
fn quiet_and_verbose_exclude_each_other() {
    let stage = Stage::new();
    stage.andon(&["-q", "-v", "run", "small"]).ends(2).says(&["cannot be used with"]);
    let verbose = stage.andon(&["-v", "run", "small"]).ends(0);
    verbose.says(&["suite passed test_001_health", "deploy deploying "]);
}
