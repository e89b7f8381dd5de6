//! The run alone is killed; its supervisor, where there is one, goes on.

use serde_json::Value;

use crate::bench::{Bench, Hold};
use crate::support::until;

const CASES: [(&str, &str); 3] =
    [("test_001_one", "/one"), ("test_002_two", "/two"), ("test_003_three", "/three")];

/// Kills a run where it is held, lets go, and runs again.
fn killed_at(hold: Hold) -> Bench {
    let bench = Bench::held(&[hold]);
    let run = bench.start();
    bench.await_hold(&run, hold);
    run.kill();
    bench.release(hold);
    let again = bench.run().expect_code(0);
    assert!(again.stderr.contains("it is taken up first"), "{}", again.stderr);
    assert_eq!(again.cycle()["cycle"], 2, "the cycle that was left comes first");
    let of = |line: &Value| (line["pipeline"].clone(), line["cycle"].clone());
    let [first, second] = [1, 2].map(|cycle| (Value::from("shop"), Value::from(cycle)));
    let whose: Vec<_> = again.lines().iter().map(of).collect();
    let change = whose.iter().position(|whose| *whose == second).unwrap();
    assert!(change > 0 && whose[..change].iter().all(|whose| *whose == first), "{whose:?}");
    assert!(whose[change..].iter().all(|whose| *whose == second), "{whose:?}");
    assert_eq!(again.lines()[change - 1]["verdict"], "green", "what became of it is told");
    bench.is_sound(&[(2, "green"), (1, "green")]);
    assert_eq!((bench.starts(1), bench.starts(2)), (1, 1));
    bench
}

/// RELIABILITY A4.
#[test]
fn while_the_deploy_runs() {
    killed_at(Hold::BeforeDeploy);
}

#[test]
fn when_the_deploy_is_nearly_through() {
    killed_at(Hold::AfterDeploy);
}

/// RELIABILITY A6: the deploy is not started again, and the deadline is the one that was stored.
#[test]
fn while_it_waits_for_readiness() {
    killed_at(Hold::Ready);
}

/// RELIABILITY A7: what is final stays, what was not is made again, and the two are never mixed.
#[test]
fn in_the_suite() {
    let bench = killed_at(Hold::Suite);
    let stage = bench.place.stage();
    assert_eq!(stage.requests("/one"), 2, "once a cycle: what is final is not run again");
    assert_eq!(stage.requests("/two"), 3, "its attempt was not final, so it is made again");
    assert_eq!(bench.show(1)["cases"][1]["attempts"], 1);
}

/// RELIABILITY A2: what a cycle resolved is what it deploys, though the branch moved before it went on.
#[test]
fn a2_with_a_revision_resolved_and_the_branch_moves() {
    let mut bench = Bench::held(&[Hold::BeforeDeploy]);
    let run = bench.start();
    run.await_event("its revision is known", |event| event["kind"] == "revision_resolved");
    run.kill();
    let resolved = bench.place.commits()[0].clone();
    let answers = bench.place.read("repo/stage.yaml");
    let files = vec![("stage.yaml".to_owned(), format!("{answers}\n"), false)];
    let newer = bench.place.commit("Second version", &files);
    bench.release(Hold::BeforeDeploy);
    bench.run().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "green")]);
    assert_eq!(bench.show(1)["revision"]["sha"], resolved);
    assert_eq!(bench.show(2)["revision"]["sha"], newer);
    assert_eq!((bench.starts(1), bench.starts(2)), (1, 1));
}

/// RELIABILITY B9: a deploy that never ends and never stops talking ends at the instant that was stored when
/// it began, however often its run is killed.
#[test]
fn b9_in_a_deploy_that_is_past_its_deadline() {
    let mut bench = Bench::new();
    let pipeline = bench.place.read("pipeline.yaml").replace("timeout: 60s }]", "timeout: 4s }]");
    bench.place.write("pipeline.yaml", &pipeline);
    let chatty = "#!/bin/sh\ncd \"$ANDON_VAR_STAGE\"\necho \"cycle $ANDON_CYCLE\" >>starts\n\
                  echo $$ >>script.pids\nwhile :; do echo and on; sleep 0.01; done\n";
    bench.place.commit("Talks", &vec![("deploy.sh".to_owned(), chatty.to_owned(), true)]);
    let first = bench.start();
    until("the script talks", || !bench.pids("script.pids").is_empty());
    first.kill();
    let second = bench.start();
    until("it is taken up", || second.said("it is taken up first"));
    second.kill();
    let third = bench.run().expect_code(3);
    bench.is_sound(&[(2, "deploy_failed"), (1, "deploy_failed")]);
    assert_eq!((bench.starts(1), bench.starts(2)), (1, 1));
    assert_eq!(bench.show(1)["phases"][1]["outcome"], "timed_out");
    // Whoever had counted anew would have recorded another start with another deadline.
    let of_first = third.lines().into_iter().filter(|line| line["cycle"] == 1);
    assert_eq!(of_first.filter(|line| line["event"]["kind"] == "step_started").count(), 0);
}

/// The way back is a deploy, too: its step is taken up, and started once.
#[test]
fn on_the_way_back() {
    let mut bench = Bench::new();
    let steps = "  steps: [{ name: Roll out";
    let back = format!("  rollback: {{ when: [deploy_failed] }}\n{steps}");
    let pipeline = bench.place.read("pipeline.yaml").replace(steps, &back);
    bench.place.write("pipeline.yaml", &pipeline);
    bench.run().expect_code(0);
    let broken = "#!/bin/sh\necho \"cycle $ANDON_CYCLE\" >>\"$ANDON_VAR_STAGE/starts\"\nexit 3\n";
    bench.place.commit("Breaks", &vec![("deploy.sh".to_owned(), broken.to_owned(), true)]);
    bench.hold(Hold::BeforeDeploy);
    let run = bench.start();
    until("the way back starts", || bench.pids("supervisor.pids").len() == 2);
    run.kill();
    bench.release(Hold::BeforeDeploy);
    bench.run().expect_code(3);
    bench.is_sound(&[(3, "deploy_failed"), (2, "deploy_failed"), (1, "green")]);
    assert_eq!([2, 3].map(|cycle| bench.starts(cycle)), [2, 2], "one forth and one back each");
    for cycle in [2, 3] {
        assert_eq!(bench.show(cycle)["rollback"]["outcome"], "passed", "cycle {cycle}");
    }
}

/// The suite was changed while nobody ran it: the cycle that was left is brought to its end, whatever
/// became of its cases since.
#[test]
fn in_the_suite_and_a_case_gets_another_name_before_anybody_looks() {
    let bench = Bench::held(&[Hold::Suite]);
    let run = bench.start();
    bench.await_hold(&run, Hold::Suite);
    run.kill();
    bench.release(Hold::Suite);
    let suite = bench.place.read("suite.yaml").replace("test_003_three", "test_003_renamed");
    bench.place.write("suite.yaml", &suite);
    bench.run().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "cancelled")]);
    let left = bench.show(1);
    assert_eq!((&left["suite"]["passed"], &left["suite"]["not_run"]), (&1.into(), &2.into()));
}

#[test]
fn while_the_deploy_runs_and_it_ends_before_anybody_looks() {
    let bench = Bench::held(&[Hold::BeforeDeploy]);
    let run = bench.start();
    bench.await_hold(&run, Hold::BeforeDeploy);
    run.kill();
    bench.release(Hold::BeforeDeploy);
    let exit = bench.place.file(".andon/runs/shop/0001/deploy-01-1/exit.json");
    until("the supervisor records the end", || exit.exists());
    bench.run().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "green")]);
    assert_eq!((bench.starts(1), bench.starts(2)), (1, 1));
}

/// RELIABILITY A1, of runs by hand.
#[test]
fn in_the_queue_of_a_busy_environment() {
    let bench = Bench::held(&[Hold::BeforeDeploy]);
    let busy = bench.start();
    bench.await_hold(&busy, Hold::BeforeDeploy);
    let waiting = bench.start();
    waiting.await_event("it is queued", |event| event["kind"] == "queued");
    waiting.kill();
    bench.release(Hold::BeforeDeploy);
    assert_eq!(busy.wait().expect_code(0).cycle()["cycle"], 1);
    assert_eq!(bench.run().expect_code(0).cycle()["cycle"], 3);
    bench.is_sound(&[(3, "green"), (2, "green"), (1, "green")]);
    assert_eq!([1, 2, 3].map(|cycle| bench.starts(cycle)), [1, 1, 1]);
}

/// Two runs find the same cycle left behind: one takes it up, and neither does it twice.
#[test]
fn two_runs_come_to_help() {
    let bench = Bench::held(&[Hold::Ready]);
    let run = bench.start();
    bench.await_hold(&run, Hold::Ready);
    run.kill();
    let helpers = [bench.start(), bench.start()];
    bench.release(Hold::Ready);
    for helper in helpers {
        helper.wait().expect_code(0);
    }
    bench.is_sound(&[(3, "green"), (2, "green"), (1, "green")]);
    assert_eq!([1, 2, 3].map(|cycle| bench.starts(cycle)), [1, 1, 1]);
}

/// One run after another is killed as soon as it printed so many events: from the queue to the end.
fn killed_after_events(counts: impl Iterator<Item = usize>) {
    for count in counts {
        let bench = Bench::new();
        let run = bench.start();
        until("so many events", || run.events().len() >= count);
        let printed = run.kill();
        let was_over = bench.verdicts() == [(1, Some("green".to_owned()))];
        bench.run().expect_code(0);
        bench.is_sound(&[(2, "green"), (1, "green")]);
        assert_eq!((bench.starts(1), bench.starts(2)), (1, 1), "after {count} events");
        let cases = &bench.show(1)["cases"];
        assert!(attempts(cases).iter().all(|attempts| *attempts == 1), "after {count}: {cases}");
        for (case, path) in CASES {
            let asked = bench.place.stage().requests(path);
            let is_final = was_over || printed.iter().any(|line| line["event"]["case"] == case);
            // An attempt that was not final is made again; one that was is not.
            let allowed = if is_final { 2..=2 } else { 2..=3 };
            assert!(allowed.contains(&asked), "after {count} events: {asked} requests to {path}");
        }
    }
}

fn attempts(cases: &Value) -> Vec<u64> {
    cases.as_array().unwrap().iter().map(|case| case["attempts"].as_u64().unwrap()).collect()
}

/// RELIABILITY A3: the intent is an event, so this is before, at and after it.
#[test]
fn after_each_event_up_to_the_deploy() {
    killed_after_events(1..=7);
}

#[test]
fn after_each_event_up_to_the_suite() {
    killed_after_events(8..=14);
}

/// RELIABILITY A9, A10: in the diff and in the report, the same bytes are made again (`is_sound` rebuilds them).
#[test]
fn after_each_event_up_to_the_end() {
    killed_after_events(15..=26);
}
