//! A run is killed while the suite's commands run or their results go into the ledger: no command starts
//! twice, and no attempt is lost or doubled.

use serde_json::Value;

use crate::bench::Bench;
use crate::support::{Place, Running, alive, until};

const TOOL: &str = include_str!("tool.sh");
/// Every part of a command: a list, shards, and a rerun of what failed.
const PARTS: &str = "      run: sh tool.sh tests\n      list: sh tool.sh list\n      \
                     rerun: sh tool.sh again\n      shards: 2\n";
const STARTS: [&str; 4] = ["list", "tests1", "tests2", "again"];

fn pipeline(name: &str, command: &str) -> String {
    format!(
        "version: 1\nname: shop\nvars: {{ stage: \"${{env.STAGE_DIR}}\" }}\n\
         watch: {{ repo: repo, poll: off }}\nsuite:\n  name: P1\n  timeout: 60s\n  retries: 1\n  \
         commands:\n    - name: {name}\n      timeout: 60s\n{command}"
    )
}

fn bench(command: &str) -> Bench {
    let mut place = Place::new();
    place.write("pipeline.yaml", &pipeline("unit", command));
    place.commit("First version", &vec![("tool.sh".to_owned(), TOOL.to_owned(), true)]);
    Bench { place }
}

fn hold(bench: &Bench, part: &str) {
    bench.place.write(&format!("stage/hold-{part}"), "");
}

fn release(bench: &Bench, part: &str) {
    std::fs::remove_file(bench.place.file(&format!("stage/hold-{part}"))).unwrap();
}

/// How often each part was started for a cycle.
fn starts(bench: &Bench, cycle: u32) -> [usize; 4] {
    let lines = bench.place.stage().starts();
    STARTS.map(|part| {
        let line = format!("{part} of cycle {cycle}");
        lines.iter().filter(|start| **start == line).count()
    })
}

/// What each case came to: id, outcome, attempts.
fn cases(bench: &Bench, cycle: u32) -> Vec<(String, String, u64)> {
    let shown = bench.show(cycle);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |case: &Value| {
        (text(&case["id"]), text(&case["outcome"]), case["attempts"].as_u64().unwrap())
    };
    let mut cases: Vec<_> = shown["cases"].as_array().unwrap().iter().map(one).collect();
    cases.sort();
    cases
}

/// Both cycles say what one says that nobody disturbed.
#[track_caller]
fn both_are_whole(bench: &Bench, when: &str) {
    bench.is_sound(&[(2, "green"), (1, "green")]);
    let whole: Vec<_> = (1..=6)
        .map(|number| match number {
            3 => ("c::t3".to_owned(), "flaky".to_owned(), 2),
            _ => (format!("c::t{number}"), "passed".to_owned(), 1),
        })
        .collect();
    for cycle in [1, 2] {
        assert_eq!(starts(bench, cycle), [1; 4], "starts of cycle {cycle}, {when}");
        assert_eq!(cases(bench, cycle), whole, "cycle {cycle}, {when}");
    }
}

/// Holds a part, starts a run, and waits until so many processes of the part began.
fn await_start(bench: &Bench, part: &str, many: usize) -> Running {
    hold(bench, part);
    let run = bench.start();
    let begun = || bench.place.stage().starts().into_iter().filter(|line| line.starts_with(part));
    until("it starts", || begun().count() >= many);
    run
}

/// The run alone is killed; the supervisors go on, and each run is taken up.
#[test]
fn a7_while_a_command_runs() {
    for (part, many) in [("list", 1), ("tests", 2), ("again", 1)] {
        let bench = bench(PARTS);
        await_start(&bench, part, many).kill();
        release(&bench, part);
        bench.run().expect_code(0);
        both_are_whole(&bench, part);
    }
}

/// What the shards wrote so far is told before they end, also by whoever takes them up.
#[test]
fn how_far_a_command_is_shows_while_it_runs() {
    let bench = bench(PARTS);
    hold(&bench, "tests");
    let told = |run: &Running| until("it is told", || run.said("unit: 6 of 6 cases"));
    let run = bench.place.start(&["run", "pipeline.yaml", "--verbose"]);
    told(&run);
    run.kill();
    let run = bench.place.start(&["run", "pipeline.yaml", "--verbose"]);
    told(&run);
    release(&bench, "tests");
    run.wait().expect_code(0);
    both_are_whole(&bench, "as it was watched");
}

/// The run and everything that it started are killed: nobody saw the end, so nothing starts again and the
/// command is no success.
#[test]
fn a7_a_command_whose_end_nobody_saw_is_errored_and_not_started_again() {
    for supervisor_alone in [false, true] {
        let bench = bench("      run: sh tool.sh tests\n      shards: 2\n");
        await_start(&bench, "tests", 2).kill();
        let files: &[&str] = match supervisor_alone {
            true => &["supervisor.pids"],
            false => &["supervisor.pids", "script.pids"],
        };
        for pid in files.iter().flat_map(|file| bench.pids(file)) {
            crate::support::kill(pid, rustix::process::Signal::KILL);
        }
        let scripts = bench.pids("script.pids");
        release(&bench, "tests");
        bench.run();
        assert_eq!(starts(&bench, 1), [0, 1, 1, 0]);
        let whole = cases(&bench, 1);
        let whole = whole.iter().find(|(id, ..)| id == "command unit").unwrap();
        assert_eq!((&*whole.1, whole.2), ("errored", 1));
        assert_eq!(bench.verdicts().last().unwrap().1.as_deref(), Some("red"));
        assert!(scripts.into_iter().all(|pid| !alive(pid)), "nothing of it lives on");
    }
}

/// One run after another is killed as soon as it printed so many events: from the queue to the end of the suite.
fn killed_after_events(counts: impl Iterator<Item = usize>) {
    for count in counts {
        let bench = bench(PARTS);
        let run = bench.start();
        until("so many events", || run.events().len() >= count);
        run.kill();
        bench.run().expect_code(0);
        both_are_whole(&bench, &format!("after {count} events"));
    }
}

#[test]
fn a7_after_each_event_up_to_the_tests_of_a_command() {
    killed_after_events(1..=13);
}

#[test]
fn a7_after_each_event_up_to_the_end_of_the_suite() {
    killed_after_events(14..=28);
}

/// RELIABILITY A8, with 5,000 cases instead of 50,000: one cycle is killed at each tenth of its result file,
/// nine times, each time by another process that takes it up.
#[test]
fn a8_at_each_tenth_of_a_result_file() {
    const CASES: usize = 5_000;
    let bench = bench(&format!("      run: sh tool.sh many {CASES}\n"));
    for tenth in 1..10 {
        let run = bench.start();
        let finished = |run: &Running| {
            run.events().iter().filter(|line| line["event"]["kind"] == "attempt_finished").count()
        };
        until("a tenth more", || finished(&run) >= 1);
        run.kill();
        // The one test that fails is the last of the file: a half verdict would be green.
        assert_eq!(bench.verdicts().last(), Some(&(1, None)), "after {tenth} kills");
    }
    bench.run().expect_code(1);
    bench.is_sound(&[(2, "red"), (1, "red")]);
    assert_eq!(cases(&bench, 1), cases(&bench, 2), "as if nobody had disturbed it");
    let shown = bench.show(1);
    assert_eq!((&shown["suite"]["passed"], &shown["suite"]["failed"]), (&4_999.into(), &1.into()));
    assert!(cases(&bench, 1).iter().all(|(_, _, attempts)| *attempts == 1));
    let starts = bench.place.stage().starts();
    assert_eq!(starts, ["many of cycle 1", "many of cycle 2"]);
}

/// The pipeline has another command by now, while one of the cycle's still runs: that is ended, nothing of it
/// starts again, and the environment is free.
#[test]
fn a7_a_command_that_the_pipeline_no_longer_has_is_ended() {
    let bench = bench(PARTS);
    await_start(&bench, "tests", 2).kill();
    let scripts = bench.pids("script.pids");
    bench.place.write("pipeline.yaml", &pipeline("other", "      run: sh tool.sh list\n"));
    // What the new command leaves is no result; what counts here is that its cycle runs.
    bench.run().expect_code(1);
    let verdicts = bench.verdicts();
    assert_eq!(verdicts.last(), Some(&(1, Some("cancelled".to_owned()))), "{verdicts:?}");
    assert_eq!(starts(&bench, 1), [1, 1, 1, 0]);
    assert!(scripts.into_iter().all(|pid| !alive(pid)), "nothing of it lives on");
}

/// The same where only the records are left: whoever cancels frees the environment.
#[test]
fn a7_a_command_is_ended_by_whoever_cancels_without_its_pipeline() {
    let bench = bench(PARTS);
    await_start(&bench, "tests", 2).kill();
    let scripts = bench.pids("script.pids");
    std::fs::remove_file(bench.place.file("pipeline.yaml")).unwrap();
    bench.place.andon(&["cancel", "shop"]).expect_code(0);
    assert_eq!(bench.verdicts(), [(1, Some("cancelled".to_owned()))]);
    assert!(scripts.into_iter().all(|pid| !alive(pid)), "nothing of it lives on");
}
