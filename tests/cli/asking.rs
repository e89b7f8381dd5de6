//! `check`, `schema`, `doctor`, `completions`, `man`, `--help`: what the program says about files,
//! the machine and itself.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;

use andon::cli::args::Cli;
use clap::CommandFactory as _;
use serde_json::Value;

use super::stage::{PIPELINE, Stage, did};

#[test]
fn check_tells_what_valid_pipelines_mean() {
    let stage = Stage::empty();
    let told = stage.andon(&["check"]).ends(0);
    let told = told.prints(&["small valid pipelines/small.yaml", "environment  staging"]);
    told.prints(&["deploys      Copy", "api serves the revision, once, within 2 s", "P1: 2 cases"]);
    let scheduled = PIPELINE.replace("name: small", "name: nightly").replace(
        "deploy:\n",
        "schedule: [{ name: night, cron: '30 2 * * *', timezone: Europe/Berlin }]\ndeploy:\n",
    );
    stage.write_pipeline("nightly", &scheduled);
    let told = stage.andon(&["check", "pipelines/nightly.yaml", "pipelines/small.yaml"]).ends(0);
    told.prints(&["night 30 2 * * * (Europe/Berlin): next ", " 02:30", "schedule     night"]);
    let value = stage.andon(&["check", "--json"]).ends(0).json();
    let names: Vec<&Value> = value.as_array().unwrap().iter().map(|f| &f["pipeline"]).collect();
    assert_eq!(names, ["nightly", "small"]);
    assert_eq!(value[1]["cases"], 2);
}

#[test]
fn check_warns_of_a_pipeline_that_run_refuses() {
    let stage = Stage::empty();
    stage.write_pipeline("small", &PIPELINE.replace("watch: { repo: ../chat, poll: off }\n", ""));
    let refused = stage.andon(&["run", "small"]).ends(2);
    let words = refused.err.lines().find_map(|line| line.strip_prefix("error: ")).unwrap();
    assert!(words.starts_with("no git repository in "), "{words}");
    let told = stage.andon(&["check"]).ends(0).prints(&["small valid"]);
    told.says(&["warning small cannot be run: ", words, "without `watch`"]);
    let value = stage.andon(&["check", "--json"]).ends(0).json();
    assert!(value[0]["warning"].as_str().unwrap().contains(words), "{value}");
    // There is one now.
    git2::Repository::init(stage.path().join("pipelines")).unwrap();
    let told = stage.andon(&["check"]).ends(0);
    assert_eq!(told.err, "");
}

#[test]
fn check_tells_all_faults_of_all_files() {
    let stage = Stage::empty();
    stage.write_pipeline("one", &PIPELINE.replace("version: 1", "version: 2"));
    stage.write_pipeline("two", &PIPELINE.replace("retries: 0", "retires: 0"));
    let told = stage.andon(&["check"]).ends(2).prints(&["small valid"]);
    let told = told.says(&["one.yaml:1:10", "did you mean `retries`?"]);
    told.says(&["error: 2 faults in 2 of 3 pipelines"]);
    let told = stage.andon(&["check", "--json", "pipelines/two.yaml"]).ends(2);
    let value = told.json();
    assert_eq!(value[0]["valid"], false);
    assert!(value[0]["diagnostics"][0]["line"].is_u64(), "{value:#}");
    told.says(&["error: 1 fault in 1 of 1 pipeline"]);
    stage.andon(&["check", "none.yaml"]).ends(2).says(&["there is no file none.yaml"]);
    stage.andon(&["check", "www"]).ends(2).says(&["there is no pipeline in www"]);
}

#[test]
fn what_is_no_file_is_told_and_is_not_waited_for() {
    let stage = Stage::empty();
    let pipe = stage.path().join("pipelines/suite.yaml");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let told = stage.andon(&["check", "pipelines/suite.yaml"]).ends(2);
    told.says(&["pipelines/suite.yaml is a pipe, not a file"]);
    stage.andon(&["check", "/dev/null"]).ends(2).says(&["/dev/null is a device, not a file"]);
    stage.andon(&["run", "/dev/null"]).ends(2).says(&["/dev/null is a device, not a file"]);
    stage.andon(&["--config", "pipelines/suite.yaml", "list"]).ends(2).says(&["it is a pipe"]);
    let including = PIPELINE.replace("  retries: 0\n", "  retries: 0\n  include: [suite.yaml]\n");
    stage.write_pipeline("small", &including);
    stage.andon(&["check", "pipelines/small.yaml"]).ends(2).says(&["it is a pipe, not a file"]);
}

#[test]
fn check_refuses_two_files_of_one_name() {
    let stage = Stage::empty();
    stage.write_pipeline("twin", PIPELINE);
    let told = stage.andon(&["check"]).ends(2).prints(&["small valid"]);
    told.says(&["pipelines/small.yaml and pipelines/twin.yaml are both named small", "help: "]);
}

#[test]
fn schemas_take_what_this_version_takes_and_prints() {
    let (stage, _) = Stage::with_history();
    let validator = |of: &str| {
        let schema = stage.andon(&["schema", of]).ends(0).json();
        assert!(schema["$schema"].is_string());
        jsonschema::validator_for(&schema).unwrap()
    };
    let read = |path: &str| -> Value {
        let text = fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        serde_yaml::from_str(&text).unwrap()
    };
    let complaints = |of: &str, value: &Value| -> Vec<String> {
        validator(of).iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect()
    };
    assert_eq!(complaints("pipeline", &read("pipelines/chat-staging.yaml")), [""; 0]);
    assert_eq!(complaints("suite", &read("pipelines/suites/p1.yaml")), [""; 0]);
    for cycle in ["1", "2", "3"] {
        let value = stage.andon(&["show", "small", cycle, "--json"]).ends(0).json();
        assert_eq!(complaints("cycle", &value), [""; 0]);
    }
    let settings = |text: &str| -> Value { serde_yaml::from_str(text).unwrap() };
    let taken = settings("state: x\nlisten: 127.0.0.1:7070\n");
    assert_eq!(complaints("daemon", &taken), [""; 0]);
    for (database, is_taken) in [("sqlite:here.db", true), ("postgres://host/db", false)] {
        let text = format!("database: {database}\n");
        assert_eq!(complaints("daemon", &settings(&text)).is_empty(), is_taken, "{database}");
        fs::write(stage.path().join("db.yaml"), text).unwrap();
        // Without records, or without a settings file that could be read.
        let told = stage.andon(&["--config", "db.yaml", "list"]);
        told.ends(if is_taken { 5 } else { 2 });
    }
    // And they refuse what it refuses.
    let mut wrong = read("pipelines/chat-staging.yaml");
    wrong["reday"] = Value::Null;
    assert!(!complaints("pipeline", &wrong).is_empty());
    assert!(!complaints("cycle", &serde_json::json!({ "cycle": "one" })).is_empty());
    stage.andon(&["schema", "cycles"]).ends(2).says(&["pipeline, suite, cycle, daemon"]);
}

#[test]
fn doctor_finds_trouble_and_says_what_to_do() {
    let stage = Stage::new();
    stage.andon(&["doctor"]).prints(&["ok      database: there is none yet"]);
    stage.andon(&["run", "small"]).ends(0);
    let findings = stage.andon(&["doctor", "--json"]).json();
    let about = |what: &str| {
        let all = findings.as_array().unwrap().iter();
        all.clone().find(|finding| finding["what"] == what).cloned().unwrap_or_default()
    };
    assert_eq!(about("database")["sound"], true);
    assert_eq!(about("ledger")["detail"], "1 cycle looked at");
    assert_eq!(about("deploy records")["sound"], true);
    assert!(about("deploy records")["detail"].as_str().unwrap().ends_with("hold"), "{findings}");
    assert_eq!(about("state")["sound"], true);
    let state = stage.path().join(".andon");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    let told = stage.andon(&["doctor"]).ends(1);
    told.prints(&["trouble state: ", "mode 755", "help: chmod 700"]);
}

#[test]
fn every_shell_gets_completions() {
    let stage = Stage::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stage.andon(&["completions", shell]).ends(0).out;
        for word in ["whys", "no-deploy", "against"] {
            assert!(script.contains(word), "{word} in the script for {shell}");
        }
        assert!(!script.contains("demo-service"), "{shell}");
    }
    stage.andon(&["completions", "tcsh"]).ends(2).says(&["bash, elvish, fish"]);
}

#[test]
fn the_manual_page_has_every_command() {
    let page = Stage::empty().andon(&["man"]).ends(0).out;
    assert!(page.contains(".TH andon 1"), "{page}");
    for command in commands() {
        let heading = format!(".SH \"ANDON {}\"", command.to_uppercase());
        assert!(page.contains(&heading), "{heading}");
    }
    assert!(page.contains("EXIT CODES") && page.contains(r"run staging \-\-no\-deploy"));
    assert!(!page.contains("demo\\-service"));
}

fn commands() -> Vec<String> {
    let command = Cli::command();
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    shown.map(|sub| sub.get_name().to_owned()).collect()
}

#[test]
fn help_is_narrow_and_goes_to_standard_output() {
    let stage = Stage::empty();
    let all: Vec<Vec<String>> = std::iter::once(vec![])
        .chain(commands().into_iter().map(|command| vec![command]))
        .chain(
            ["list", "show", "edit", "fix", "close"].map(|a| vec!["whys".to_owned(), a.to_owned()]),
        )
        .collect();
    for mut args in all {
        for flag in ["-h", "--help"] {
            args.push(flag.to_owned());
            let words: Vec<&str> = args.iter().map(String::as_str).collect();
            let help = stage.andon(&words).ends(0);
            assert_eq!(help.err, "");
            assert!(help.out.contains("Usage: andon"), "{args:?}");
            let widest = help.out.lines().max_by_key(|line| line.chars().count()).unwrap();
            assert!(widest.chars().count() < 100, "{args:?}: {widest}");
            args.pop();
        }
    }
    assert!(stage.andon(&["--version"]).ends(0).out.starts_with("andon 0."));
}

#[test]
fn slips_of_the_command_line_are_wrong_usage() {
    let stage = Stage::empty();
    stage.andon(&[]).ends(2).prints_nothing().says(&["Usage: andon", "Begin:"]);
    stage.andon(&["chek"]).ends(2).prints_nothing().says(&["'check'"]);
    stage.andon(&["run"]).ends(2).says(&["<PIPELINE>"]);
    stage.andon(&["run", "small", "--revison", "x"]).ends(2).says(&["--revision"]);
    let mut command = stage.command();
    command.arg("show").arg(std::ffi::OsStr::from_bytes(b"\xff\xfe"));
    did(command).ends(2).says(&["invalid UTF-8"]);
    let mut command = stage.command();
    command.arg("run").arg(std::ffi::OsStr::from_bytes(b"\xff.yaml"));
    did(command).ends(2).says(&["there is no file"]);
}
