//! Ctrl-C: the cycle ends with a verdict and a report, and nothing that it started lives on.

use rustix::process::Signal;

use crate::bench::{Bench, Hold};
use crate::support::{Done, alive, kill, until};

fn interrupted_at(hold: Hold, signal: Signal) -> (Bench, Done) {
    let bench = Bench::held(&[hold]);
    let run = bench.start();
    bench.await_hold(&run, hold);
    run.signal(signal);
    let done = run.wait().expect_code(4);
    assert_eq!(done.cycle()["verdict"], "cancelled");
    assert!(bench.place.read("reports/shop/cycle-0001.md").contains("CANCELLED"));
    for pid in bench.pids("supervisor.pids").into_iter().chain(bench.pids("script.pids")) {
        assert!(!alive(pid), "process {pid} lives on");
    }
    bench.release(hold);
    bench.run().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "cancelled")]);
    assert_eq!((bench.starts(1), bench.starts(2)), (1, 1));
    (bench, done)
}

/// RELIABILITY B5: the whole tree of the deploy is gone, and the environment is free for the next cycle.
#[test]
fn in_the_deploy() {
    let (_, done) = interrupted_at(Hold::BeforeDeploy, Signal::INT);
    let phases = done.cycle()["phases"].clone();
    assert_eq!(phases[1]["phase"], "deploy");
    assert_eq!(phases[1]["outcome"], "cancelled");
}

/// RELIABILITY A13: a second Ctrl-C ends the process before it could record the first: who takes the cycle up does.
#[test]
fn in_the_deploy_and_once_more_at_once() {
    let bench = Bench::held(&[Hold::BeforeDeploy]);
    let run = bench.start();
    bench.await_hold(&run, Hold::BeforeDeploy);
    let (supervisor, script) = (bench.pids("supervisor.pids")[0], bench.pids("script.pids")[0]);
    // It stands still, so that the first signal is not answered before the second.
    kill(supervisor, Signal::STOP);
    run.signal(Signal::INT);
    let asked = bench.place.file(".andon/runs/shop/0001/deploy-01-1/cancel");
    until("the supervisor is asked to end the deploy", || asked.exists());
    run.signal(Signal::INT);
    run.wait().expect_code(4);
    kill(supervisor, Signal::CONT);
    until("the deploy is gone", || !alive(script) && !alive(supervisor));
    bench.release(Hold::BeforeDeploy);
    bench.run().expect_code(0);
    bench.is_sound(&[(2, "green"), (1, "cancelled")]);
    let report = bench.place.read("reports/shop/cycle-0001.md");
    assert!(report.contains("whoever ran it before"), "{report}");
}

#[test]
fn while_it_waits_for_readiness() {
    interrupted_at(Hold::Ready, Signal::TERM);
}

#[test]
fn in_the_suite() {
    let (bench, done) = interrupted_at(Hold::Suite, Signal::INT);
    let suite = done.cycle()["suite"].clone();
    assert_eq!((suite["passed"].as_u64(), suite["not_run"].as_u64()), (Some(1), Some(2)));
    assert_eq!(suite["stopped_by"], "cancelled");
    assert_eq!(bench.place.stage().requests("/three"), 1, "only in the second cycle");
}

#[test]
fn in_the_queue_of_a_busy_environment() {
    let bench = Bench::held(&[Hold::BeforeDeploy]);
    let busy = bench.start();
    bench.await_hold(&busy, Hold::BeforeDeploy);
    let waiting = bench.start();
    waiting.await_event("it is queued", |event| event["kind"] == "queued");
    waiting.signal(Signal::INT);
    assert_eq!(waiting.wait().expect_code(4).cycle()["verdict"], "cancelled");
    bench.release(Hold::BeforeDeploy);
    busy.wait().expect_code(0);
    bench.is_sound(&[(2, "cancelled"), (1, "green")]);
    assert_eq!((bench.starts(1), bench.starts(2)), (1, 0));
}
