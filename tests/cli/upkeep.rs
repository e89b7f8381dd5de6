//! `prune`, `backup`, and what is told of a cycle whose records expired.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::stage::Stage;

fn state_has(stage: &Stage, path: &str) -> bool {
    stage.path().join(".andon").join(path).exists()
}

#[test]
fn old_cycles_expire_and_are_still_accounted_for() {
    let (stage, _) = Stage::with_history();
    stage.andon(&["prune"]).ends(0).prints(&["nothing is beyond the limits"]);
    fs::write(stage.path().join("andon.yaml"), "retention: { cycles: 1 }\n").unwrap();

    let told = stage.andon(&["prune", "--dry-run", "--json"]).ends(0).json();
    assert_eq!(told["limits"]["cycles"], 1);
    assert_eq!(told["expired"][0]["cycle"], 1);
    assert_eq!(told["expired"][0]["rule"], "cycles");
    stage.andon(&["show", "small", "1"]).ends(0);
    assert!(state_has(&stage, "runs/small/0001"));

    stage.andon(&["prune"]).ends(0).prints(&["small: ", "expired"]);
    assert!(!state_has(&stage, "runs/small/0001") && state_has(&stage, "runs/small/0003"));
    let shown = stage.andon(&["show", "small", "1"]).ends(2).prints_nothing();
    shown.says(&["cycle 1 of small expired on 2", "its report is at reports/small/cycle-0001.md"]);
    assert!(stage.path().join("reports/small/cycle-0001.md").is_file());
    stage.andon(&["show", "small", "3"]).ends(0);
    let cycles = stage.andon(&["cycles", "small", "--json"]).ends(0).json();
    assert_eq!(cycles.as_array().unwrap().len(), 3);
    assert_eq!(cycles[2]["verdict"], "green");
    assert!(cycles[2]["expired_at"].is_string() && cycles[0]["expired_at"].is_null());
    // What is left is whole, and goes on.
    stage.andon(&["doctor"]).ends(0);
    let rebuilt = stage.andon(&["report", "small", "--rebuild", "--json"]).ends(0).json();
    assert_eq!(rebuilt["written"], 0, "{rebuilt}");
    stage.andon(&["prune"]).ends(0).prints(&["nothing is beyond the limits"]);
    stage.andon(&["run", "small"]).ends(0);
}

#[test]
fn nothing_to_prune_is_no_state_to_make() {
    let stage = Stage::empty();
    stage.andon(&["prune"]).ends(5).says(&["no database"]);
    assert!(!state_has(&stage, ""));
}

#[test]
fn a_copy_is_restored_with_tar_and_goes_on() {
    let (stage, _) = Stage::with_history();
    let told = stage.andon(&["backup", "copy.tar", "--json"]).ends(0).json();
    assert_eq!((&told["cycles"], &told["open"]), (&3.into(), &0.into()));
    assert_eq!(told["bytes"], fs::metadata(stage.path().join("copy.tar")).unwrap().len());
    stage.andon(&["backup", "copy.tar"]).ends(2).says(&["copy.tar is there already"]);
    fs::create_dir(stage.path().join("copies")).unwrap();
    stage.andon(&["backup", "copies"]).ends(0).prints(&["copies/andon-2", "3 cycles"]);
    let before = stage.andon(&["show", "small", "2", "--json"]).ends(0).out;

    fs::remove_dir_all(stage.path().join(".andon")).unwrap();
    fs::create_dir(stage.path().join(".andon")).unwrap();
    let archive = fs::File::open(stage.path().join("copy.tar")).unwrap();
    tar::Archive::new(archive).unpack(stage.path().join(".andon")).unwrap();
    assert_eq!(stage.andon(&["show", "small", "2", "--json"]).ends(0).out, before);
    stage.andon(&["logs", "small", "1"]).ends(0).prints(&["deploying"]);
    stage.andon(&["run", "small"]).ends(0);
    assert_eq!(stage.newest()["cycle"], 4);
}

#[test]
fn a_copy_goes_into_a_file_and_not_to_standard_output() {
    let stage = Stage::new();
    stage.andon(&["run", "small"]).ends(0);
    let told = stage.andon(&["backup", "-"]).ends(2).prints_nothing();
    told.says(&["goes into a file", "help: name a file"]);
    assert!(!stage.path().join("-").exists());
}

#[test]
fn without_a_state_there_is_nothing_to_copy() {
    let stage = Stage::empty();
    stage.andon(&["backup", "copy.tar"]).ends(5).says(&["no database"]);
    assert!(!stage.path().join("copy.tar").exists());
}

#[test]
fn doctor_tells_of_the_state_and_of_what_is_kept() {
    let (stage, _) = Stage::with_history();
    let settings = "retention: { days: 30, cycles: off, bytes: 500MB }\nballast: 2MiB\n";
    fs::write(stage.path().join("andon.yaml"), settings).unwrap();
    let told = stage.andon(&["doctor"]).ends(0);
    let told =
        told.prints(&["state: ", "for its owner alone", "free", "2.0 MiB, when a daemon runs"]);
    told.prints(&["at most 30 days, 476.8 MiB; 3 cycles kept, the oldest is cycle 1 of small"]);

    let database = stage.path().join(".andon/andon.db");
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
    let told = stage.andon(&["doctor"]).ends(1);
    told.prints(&["trouble state", "andon.db may be read by others (mode 644)", "chmod 600"]);
}
