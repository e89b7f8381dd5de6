//! How commands end, and that nothing of them is left when it must not be.

use std::fs;
use std::time::Duration;

use andon::process::{CommandSpec, Deadline, End, Leftovers};
use jiff::Timestamp;

use crate::support::{Place, alive, kill, minutes, until};

fn in_a_moment() -> Deadline {
    Deadline::after(Duration::from_millis(1500), Timestamp::now())
}

#[tokio::test]
async fn exit_codes_are_kept() {
    for code in [0, 1, 77, 255] {
        let place = Place::new();
        let exit = place.run(&place.script(&format!("exit {code}"))).await;
        assert_eq!(exit.end, End::Exited { code });
        assert!(exit.started);
        assert_eq!(exit.is_success(), code == 0);
    }
}

/// D10
#[tokio::test]
async fn a_death_by_signal_is_named() {
    for (name, signal) in [("SEGV", 11), ("KILL", 9), ("ABRT", 6), ("TERM", 15)] {
        let place = Place::new();
        let exit = place.run(&place.script(&format!("kill -{name} $$"))).await;
        assert_eq!(exit.end, End::Signaled { signal, oom_suspected: false });
    }
}

/// D1
#[tokio::test]
async fn ignoring_every_polite_signal_does_not_help() {
    let place = Place::new();
    let stubborn = "trap '' TERM INT HUP; echo $$; while :; do sleep 1; done";
    let spec = CommandSpec::shell(stubborn, place.path(), in_a_moment())
        .env("PATH", crate::support::PATH)
        .grace(Duration::from_millis(100));
    let exit = place.run(&spec).await;
    assert_eq!((exit.end, exit.survivors), (End::TimedOut, 0));
    assert!(!alive(&place.lines()[0]));
}

/// RELIABILITY B9: talking is no sign of life.
#[tokio::test]
async fn a_chatty_command_does_not_outlive_its_deadline() {
    let place = Place::new();
    let spec = CommandSpec::new("yes", place.path(), in_a_moment())
        .env("PATH", crate::support::PATH)
        .grace(Duration::from_millis(100));
    let exit = place.run(&spec).await;
    assert_eq!(exit.end, End::TimedOut);
    assert!(!exit.output.held_open);
}

#[tokio::test]
async fn the_grace_lets_a_command_clean_up_and_term_comes_once() {
    let place = Place::new();
    let script = "trap 'echo term; [ -z \"$seen\" ] || echo twice; seen=1' TERM
        echo up; while [ -z \"$seen\" ]; do sleep 0.05; done; sleep 0.2; echo clean; exit 0";
    let mut command = place.launch(&place.script(script).grace(Duration::from_secs(60))).await;
    place.await_lines(1);
    command.cancel().unwrap();
    let exit = command.wait().await.unwrap();
    assert_eq!((exit.end, exit.ended_with), (End::Cancelled, Some(0)), "it may have done its work");
    // The shell says on its own that its sleep was ended; that is not ours to check.
    let lines: Vec<String> =
        place.lines().into_iter().filter(|line| !line.contains("Terminated")).collect();
    assert_eq!(lines, ["up", "term", "clean"]);
}

/// D2: each forks twice, leaves the session and the group, and ignores TERM.
#[tokio::test]
async fn five_hundred_escaped_children_are_caught() {
    let place = Place::new();
    let script = "i=0; while [ $i -lt 500 ]; do i=$((i+1))
        (setsid sh -c 'trap \"\" TERM HUP; echo $$; exec sleep 600' &)
        done; wait; exec sleep 600";
    let mut command = place.launch(&place.script(script).grace(Duration::from_millis(50))).await;
    let pids = place.await_lines(500);
    assert!(pids.iter().all(|pid| alive(pid)), "they live until they are ended");
    command.cancel().unwrap();
    let exit = command.wait().await.unwrap();
    assert_eq!((exit.end, exit.survivors), (End::Cancelled, 0));
    let left: Vec<&String> = pids.iter().filter(|pid| alive(pid)).collect();
    assert!(left.is_empty(), "still alive: {left:?}");
}

/// D12, scaled: orphans of a command that runs on are reaped when they end.
#[tokio::test]
async fn a_crowd_of_orphans_leaves_no_zombie_and_no_descriptor() {
    let place = Place::new();
    // The first round also gives the supervisor time to finish its own work at the start.
    let script = "count() { ls /proc/$PPID/fd | wc -l; }
        crowd() {
            i=0; while [ $i -lt 250 ]; do i=$((i+1)); (true &); done
            until [ \"$(cat /proc/$PPID/task/$PPID/children)\" = \"$$ \" ]; do sleep 0.02; done
        }
        crowd; before=$(count); crowd; [ $before = $(count) ]";
    assert!(place.run(&place.script(script)).await.is_success());
}

#[tokio::test]
async fn term_to_the_supervisor_is_a_cancel() {
    let place = Place::new();
    let script = "kill -TERM $PPID; exec sleep 600";
    let exit = place.run(&place.script(script).grace(Duration::from_secs(60))).await;
    assert_eq!((exit.end, exit.ended_with, exit.survivors), (End::Cancelled, None, 0));
}

#[tokio::test]
async fn what_is_cancelled_or_late_before_the_start_is_not_started() {
    let place = Place::new();
    fs::create_dir(place.run_dir()).unwrap();
    fs::write(place.run_dir().join("cancel"), "").unwrap();
    let exit = place.run(&place.script("echo started > trace")).await;
    assert_eq!((exit.end, exit.started), (End::Cancelled, false));

    let late = Place::new();
    let past = Deadline::at(Timestamp::UNIX_EPOCH, Timestamp::now());
    let exit = late.run(&CommandSpec::shell("echo started > trace", late.path(), past)).await;
    assert_eq!((exit.end, exit.started), (End::TimedOut, false));
    assert!(![place, late].iter().any(|place| place.path().join("trace").exists()));
}

/// D4, and the service that a deploy step starts: it must live on and may go on writing.
#[tokio::test]
async fn a_service_left_in_the_background_lives_on() {
    let place = Place::new();
    let script = "(while [ ! -e stop ]; do echo tick; echo tick >> ticks; sleep 0.02; done; \
        echo over > over) & echo $!";
    let exit = place.run(&place.script(script)).await;
    assert!(exit.is_success() && exit.output.held_open, "{exit:?}");
    let ticks = || fs::read(place.path().join("ticks")).map_or(0, |ticks| ticks.len());
    let after_the_end = ticks();
    until(|| ticks() > after_the_end + 50);
    fs::write(place.path().join("stop"), "").unwrap();
    until(|| place.path().join("over").exists());
}

#[tokio::test]
async fn leftovers_end_where_that_is_asked_for() {
    let place = Place::new();
    let script = "sleep 600 & echo $!; (setsid sleep 600 > /dev/null & echo $!); exit 3";
    let exit = place.run(&place.script(script).leftovers(Leftovers::End)).await;
    assert_eq!((exit.end, exit.survivors), (End::Exited { code: 3 }, 0));
    assert!(!exit.output.held_open);
    let left: Vec<String> = place.lines().into_iter().filter(|pid| alive(pid)).collect();
    assert!(left.is_empty(), "still alive: {left:?}");

    let place = Place::new();
    let exit = place.run(&place.script("sleep 600 > /dev/null 2>&1 & echo $!")).await;
    assert!(exit.is_success() && !exit.output.held_open);
    assert!(alive(&place.lines()[0]), "kept by default");
    kill(&place.lines()[0]);
}

/// D9
#[tokio::test]
async fn what_cannot_start_says_which_thing_and_why() {
    let place = Place::new();
    let plain = place.path().join("plain");
    fs::write(&plain, "no program").unwrap();
    let absent = place.path().join("absent");
    let here = || place.path().to_owned();
    let long = "x".repeat(1 << 20);
    let cases = [
        (CommandSpec::new("no-such-program", here(), minutes()), "no-such-program", 2),
        (CommandSpec::new(&absent, here(), minutes()), "absent", 2),
        (CommandSpec::new(&plain, here(), minutes()), "plain", 13),
        (CommandSpec::new("true", &absent, minutes()), "absent", 2),
        (CommandSpec::new("true", &plain, minutes()), "plain", 20),
        (CommandSpec::new("true", here(), minutes()).arg(long), "true", 7),
    ];
    for (number, (spec, fault, code)) in cases.into_iter().enumerate() {
        let run_dir = place.path().join(format!("run-{number}"));
        let spec = spec.env("PATH", crate::support::PATH);
        let mut command = crate::support::launcher().launch(&run_dir, &spec).await.unwrap();
        let exit = command.wait().await.unwrap();
        assert!(!exit.started);
        let End::CannotStart { subject, errno, reason } = exit.end else {
            panic!("{fault}: {:?}", exit.end)
        };
        assert!(subject.ends_with(fault), "{subject}");
        assert_eq!(errno, Some(code), "{reason}");
    }
}
