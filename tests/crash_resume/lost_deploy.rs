//! The run and its supervisor are killed in the middle of the deploy: nobody saw how it ended.

use crate::bench::{Bench, Hold};

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
