//! A run is killed and its pipeline's file goes away: nobody would ever take the cycle up, so a person ends
//! it, from its records alone.

use std::fs;

use serde_json::Value;

use crate::bench::{Bench, Hold};
use crate::support::{alive, until};

/// A run is killed where it is held; then another pipeline of the same environment takes the place of
/// its file.
fn left_at(hold: Hold) -> Bench {
    let bench = Bench::held(&[hold]);
    let run = bench.start();
    bench.await_hold(&run, hold);
    run.kill();
    let other = bench.place.read("pipeline.yaml").replace("name: shop", "name: mall");
    bench.place.write("mall.yaml", &other);
    fs::remove_file(bench.place.file("pipeline.yaml")).unwrap();
    let told = bench.place.andon(&["run", "mall.yaml"]).expect_code(3).stderr;
    assert!(told.contains("environment staging is not free: cycle 1 of shop was left"), "{told}");
    assert!(told.contains("pipeline.yaml is gone; `andon cancel shop 1` ends it"), "{told}");
    bench
}

fn cancelled(bench: &Bench) -> Value {
    let done = bench.place.andon(&["cancel", "shop", "1"]).expect_code(0);
    let told = "cycle 1 of shop is cancelled; its report is reports/shop/cycle-0001.md\n";
    assert_eq!(done.stdout, told);
    assert!(bench.place.read("reports/shop/cycle-0001.md").contains(": CANCELLED"));
    assert_eq!(bench.starts(1), 1);
    let again = bench.place.andon(&["cancel", "shop", "1"]).expect_code(2).stderr;
    assert!(again.contains("cycle 1 of shop is over"), "{again}");
    bench.is_sound(&[(1, "cancelled")]);
    bench.show(1)
}

fn is_free(bench: &Bench) {
    for hold in [Hold::BeforeDeploy, Hold::Ready, Hold::Suite] {
        bench.release(hold);
    }
    bench.place.andon(&["run", "mall.yaml"]).expect_code(0);
}

#[test]
fn in_the_deploy_which_is_ended_with_its_whole_tree() {
    let bench = left_at(Hold::BeforeDeploy);
    let pids = || bench.pids("supervisor.pids").into_iter().chain(bench.pids("script.pids"));
    assert!(pids().all(alive), "the supervisor outlives the run");
    let cycle = cancelled(&bench);
    until("its processes are gone", || !pids().any(alive));
    assert_eq!(cycle["phases"][1]["outcome"], "cancelled");
    is_free(&bench);
}

#[test]
fn in_a_deploy_that_nobody_saw_the_end_of() {
    let bench = Bench::held(&[Hold::BeforeDeploy]);
    let run = bench.start();
    bench.await_hold(&run, Hold::BeforeDeploy);
    run.kill();
    bench.kill_deploy();
    // Held: a person is asked, and may as well end it.
    bench.run().expect_code(3);
    let other = bench.place.read("pipeline.yaml").replace("name: shop", "name: mall");
    bench.place.write("mall.yaml", &other);
    let told = bench.place.andon(&["run", "mall.yaml"]).expect_code(3).stderr;
    assert!(told.contains("`andon resume shop 1 --as deployed|failed|rerun`"), "{told}");
    assert!(told.contains("or `andon cancel shop 1` ends it"), "{told}");
    let cycle = cancelled(&bench);
    assert_eq!(cycle["phases"][1]["outcome"], "interrupted");
    is_free(&bench);
}

#[test]
fn while_it_waits_for_readiness() {
    let bench = left_at(Hold::Ready);
    let cycle = cancelled(&bench);
    assert_eq!(cycle["phases"][2]["outcome"], "cancelled");
    is_free(&bench);
}

#[test]
fn in_the_suite_whose_final_results_are_kept() {
    let bench = left_at(Hold::Suite);
    let suite = cancelled(&bench)["suite"].clone();
    assert_eq!((&suite["passed"], &suite["not_run"]), (&1.into(), &2.into()));
    assert_eq!(suite["stopped_by"], "cancelled");
    is_free(&bench);
}

/// The file is there, and no number is given: what is open is meant.
#[test]
fn the_pipeline_is_still_there() {
    let bench = Bench::held(&[Hold::Suite]);
    let run = bench.start();
    bench.await_hold(&run, Hold::Suite);
    let busy = bench.place.andon(&["cancel", "shop", "--json"]).expect_code(3).stderr;
    assert!(busy.contains(&format!("process {} on ", run.pid())), "{busy}");
    assert!(busy.contains(&format!("`kill -INT {}`", run.pid())), "{busy}");
    run.kill();
    let done = bench.place.andon(&["cancel", "shop", "--json"]).expect_code(0).json();
    assert!(done["done"].as_str().unwrap().starts_with("cycle 1 of shop is cancelled"), "{done}");
    let none = bench.place.andon(&["cancel", "shop"]).expect_code(2).stderr;
    assert!(none.contains("nothing of shop runs or waits"), "{none}");
    bench.release(Hold::Suite);
    bench.run().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "cancelled")]);
}
