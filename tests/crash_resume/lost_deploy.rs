//! The run and its supervisor are killed in the middle of the deploy: nobody saw how it ended.

use crate::bench::{Bench, Hold};
use crate::support::until;

/// A run and its deploy are killed where it is held.
fn lost_at(hold: Hold, bench: Bench) -> Bench {
    bench.hold(hold);
    let run = bench.start();
    bench.await_hold(&run, hold);
    run.kill();
    bench.kill_deploy();
    bench.release(hold);
    bench
}

fn held() -> Bench {
    let bench = lost_at(Hold::BeforeDeploy, Bench::new());
    for _ in 0..2 {
        let held = bench.run().expect_code(3);
        assert!(held.stderr.contains("andon resume shop 1 --as"), "{}", held.stderr);
        assert_eq!(held.cycle()["verdict"], serde_json::Value::Null);
    }
    assert_eq!(bench.verdicts(), [(1, None)], "no second cycle began meanwhile");
    assert_eq!(bench.starts(1), 1);
    bench
}

fn resume(bench: &Bench, decision: &str) {
    bench.place.andon(&["resume", "shop", "1", "--as", decision]).expect_code(0);
}

/// RELIABILITY A5: nobody saw the end and nothing serves, so it is held.
#[test]
fn the_cycle_is_held_and_a_person_says_that_it_failed() {
    let bench = held();
    resume(&bench, "failed");
    bench.run().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "deploy_failed")]);
    assert_eq!((bench.starts(1), bench.starts(2)), (1, 1));
}

#[test]
fn the_cycle_is_held_and_a_person_says_to_run_it_again() {
    let bench = held();
    resume(&bench, "rerun");
    bench.run().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "green")]);
    assert_eq!((bench.starts(1), bench.starts(2)), (2, 1));
}

/// The person deployed by hand; what the surfaces say is asked all the same.
#[test]
fn the_cycle_is_held_and_a_person_says_that_it_is_deployed() {
    let bench = held();
    let stage = bench.place.stage().folder();
    std::fs::copy(bench.place.file("repo/stage.yaml"), stage.join("stage.yaml")).unwrap();
    std::fs::write(stage.join("revision"), &bench.place.commits()[0]).unwrap();
    resume(&bench, "deployed");
    bench.run().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "green")]);
    assert_eq!((bench.starts(1), bench.starts(2)), (1, 1));
}

#[test]
fn a_cycle_that_is_not_held_is_not_resumed() {
    let bench = Bench::new();
    bench.run().expect_code(0);
    bench.place.andon(&["resume", "shop", "1", "--as", "failed"]).expect_code(2);
}

/// RELIABILITY A5: nobody saw the end, but the revision serves.
#[test]
fn the_revision_serves_so_the_cycle_goes_on() {
    let bench = lost_at(Hold::AfterDeploy, Bench::new());
    bench.run().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "green")]);
    assert_eq!((bench.starts(1), bench.starts(2)), (1, 1));
}

#[test]
fn an_idempotent_deploy_is_run_once_more() {
    let bench = lost_at(Hold::BeforeDeploy, Bench::new().idempotent());
    bench.run().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "green")]);
    assert_eq!((bench.starts(1), bench.starts(2)), (2, 1));
}

/// A run and the supervisor are killed while the script runs on.
fn orphaned() -> Bench {
    let bench = Bench::held(&[Hold::BeforeDeploy]);
    let run = bench.start();
    bench.await_hold(&run, Hold::BeforeDeploy);
    // Who the command is, is written down right after its start.
    let script = bench.pids("script.pids")[0].to_string();
    let record = ".andon/runs/shop/0001/deploy-01-1/started.json";
    until("the supervisor knows it", || bench.place.read(record).contains(&script));
    run.kill();
    bench.kill_supervisor();
    bench
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_script_that_lost_its_supervisor_is_waited_for_before_anything_else_begins() {
    let bench = orphaned();
    let again = bench.start();
    until("it is taken up", || again.said("it is taken up first"));
    assert_eq!(bench.place.stage().starts().len(), 1, "no other deploy begins beside it");
    bench.release(Hold::BeforeDeploy);
    again.wait().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "green")]);
    assert_eq!((bench.starts(1), bench.starts(2)), (1, 1));
}

#[test]
fn who_cancels_ends_a_script_that_lost_its_supervisor() {
    let bench = orphaned();
    let script = *bench.pids("script.pids").last().unwrap();
    assert!(is_alive(script));
    let done = bench.place.andon(&["cancel", "shop", "1"]).expect_code(0);
    assert!(!is_alive(script), "{}{}", done.stdout, done.stderr);
    bench.release(Hold::BeforeDeploy);
    bench.run().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "cancelled")]);
}
