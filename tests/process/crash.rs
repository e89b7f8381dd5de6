//! What can be learnt after a parent or a supervisor died, and after a disk was full.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use andon::deploy::{self, CommandStep};
use andon::domain::outcome::PhaseOutcome;
use andon::domain::spec::Command::Shell;
use andon::process::{
    Attachment, End, IfParentDies, Launcher, Leftovers, OrphanEnd, OutputCaps, ProcessError, attach,
};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::support::{PATH, Place, alive, kill, launcher, until};

/// A test that starts itself again as a parent that can be killed.
pub(crate) struct ParentRole {
    place: PathBuf,
}

impl ParentRole {
    const VARIABLE: &str = "ANDON_TEST_PARENT_IN";

    pub(crate) fn of_this_process() -> Option<Self> {
        std::env::var_os(Self::VARIABLE).map(|place| Self { place: place.into() })
    }

    /// Runs only the named test, in the parent's role, through a command that execs it.
    pub(crate) fn spawn(mut through: Command, test: &str, place: &Place) -> Parent {
        let child = through
            .arg(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(Self::VARIABLE, place.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Parent(child)
    }

    /// Starts the script and stays, until killed.
    pub(crate) async fn launch_and_wait(&self, script: &str, then: IfParentDies) {
        let spec =
            andon::process::CommandSpec::shell(script, &self.place, crate::support::minutes())
                .env("PATH", crate::support::PATH)
                .if_parent_dies(then);
        let _command = launcher().launch(&self.place.join("run"), &spec).await.unwrap();
        std::future::pending::<()>().await;
    }
}

/// Such a parent. None outlives its test, also a failed one.
pub(crate) struct Parent(Child);

impl Parent {
    pub(crate) fn ends_well(mut self) -> bool {
        self.0.wait().unwrap().success()
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is of no use without its parent ends with it.
#[tokio::test]
async fn a_command_that_belongs_to_its_parent_ends_with_it() {
    const NAME: &str = "crash::a_command_that_belongs_to_its_parent_ends_with_it";
    let script = "sleep 300 & echo $!; echo $$; wait";
    if let Some(role) = ParentRole::of_this_process() {
        return role.launch_and_wait(script, IfParentDies::Ended).await;
    }
    let place = Place::new();
    let parent = ParentRole::spawn(Command::new("/usr/bin/env"), NAME, &place);
    let pids = place.await_lines(2);
    assert!(pids.iter().all(|pid| alive(pid)));
    drop(parent);
    until(|| matches!(attach(&place.run_dir()), Ok(Attachment::Finished(_))));
    let Ok(Attachment::Finished(exit)) = attach(&place.run_dir()) else { panic!() };
    assert_eq!((exit.end, exit.survivors), (End::Cancelled, 0));
    assert!(!pids.iter().any(|pid| alive(pid)));
}

/// A4
#[tokio::test]
async fn the_supervisor_outlives_its_parent() {
    const NAME: &str = "crash::the_supervisor_outlives_its_parent";
    if let Some(role) = ParentRole::of_this_process() {
        let script = "echo up; while [ ! -e go ]; do sleep 0.02; done; echo down; exit 7";
        return role.launch_and_wait(script, IfParentDies::RunsOn).await;
    }
    let place = Place::new();
    let parent = ParentRole::spawn(Command::new("/usr/bin/env"), NAME, &place);
    place.await_lines(1);
    drop(parent);

    let Attachment::Running(mut adopted) = attach(&place.run_dir()).unwrap() else {
        panic!("it runs")
    };
    fs::write(place.path().join("go"), "").unwrap();
    let exit = adopted.wait().await.unwrap();
    assert_eq!(exit.end, End::Exited { code: 7 });
    assert_eq!(place.lines(), ["up", "down"]);
    let Attachment::Finished(again) = attach(&place.run_dir()).unwrap() else {
        panic!("it is finished")
    };
    assert_eq!(again, exit);
}

#[tokio::test]
async fn an_adopted_command_can_be_cancelled() {
    let place = Place::new();
    drop(place.launch(&place.script("echo $$; exec sleep 600")).await);
    let pid = place.await_lines(1)[0].clone();
    let Attachment::Running(mut adopted) = attach(&place.run_dir()).unwrap() else {
        panic!("dropping the handle ends nothing")
    };
    adopted.cancel().unwrap();
    assert_eq!(adopted.wait().await.unwrap().end, End::Cancelled);
    assert!(!alive(&pid));
}

/// A5
#[tokio::test]
async fn a_killed_supervisor_leaves_the_end_unknown() {
    let place = Place::new();
    let mut command = place.launch(&place.script("echo $PPID; echo $$; exec sleep 600")).await;
    let lines = place.await_lines(2);
    let started = place.run_dir().join("started.json");
    until(|| fs::read_to_string(&started).is_ok_and(|record| record.contains(&lines[1])));
    kill(&lines[0]);
    let error = command.wait().await.unwrap_err();
    assert!(matches!(error, ProcessError::Lost { .. }), "{error}");
    let pid: i32 = lines[1].parse().unwrap();
    assert!(matches!(
        attach(&place.run_dir()).unwrap(),
        Attachment::Lost { still_running: Some(running) } if running.pid() == pid
    ));
    kill(&lines[1]);
    until(|| !alive(&lines[1]));
    assert!(matches!(attach(&place.run_dir()).unwrap(), Attachment::Lost { still_running: None }));
    let again = launcher().launch(&place.run_dir(), &place.script("true")).await;
    assert!(matches!(again, Err(ProcessError::Used { .. })), "never started twice");
}

/// Nobody may begin another deploy beside it: it is waited for, and ended with its children on request.
#[tokio::test]
async fn a_command_without_a_supervisor_is_ended_with_its_children() {
    let place = Place::new();
    let script = "echo $PPID; echo $$; sleep 600 & echo $!; exec sleep 600";
    let mut command = place.launch(&place.script(script)).await;
    let lines = place.await_lines(3);
    kill(&lines[0]);
    command.wait().await.unwrap_err();
    let Attachment::Lost { still_running: Some(orphan) } = attach(&place.run_dir()).unwrap() else {
        panic!("it is lost and lives")
    };
    let cancel = CancellationToken::new();
    let waited = tokio::time::timeout(Duration::from_millis(200), orphan.ended(&cancel));
    waited.await.expect_err("it is waited for");
    assert!(alive(&lines[1]) && alive(&lines[2]));
    cancel.cancel();
    assert_eq!(orphan.ended(&cancel).await, OrphanEnd::Cancelled);
    assert!(!alive(&lines[1]) && !alive(&lines[2]));
    assert_eq!(orphan.ended(&cancel).await, OrphanEnd::ByItself);
}

/// A3: a supervisor that dies before the start leaves a proof that nothing was started.
#[tokio::test]
async fn what_was_never_started_may_be_started_once() {
    let place = Place::new();
    let spec = place.script("echo started >> trace");
    assert!(matches!(attach(&place.run_dir()).unwrap(), Attachment::NeverStarted));
    let error = match Launcher::new("/bin/false").launch(&place.run_dir(), &spec).await {
        Ok(mut command) => command.wait().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, ProcessError::NotStarted { .. }), "{error}");
    assert!(matches!(attach(&place.run_dir()).unwrap(), Attachment::NeverStarted));
    place.run(&spec).await;
    let again = launcher().launch(&place.run_dir(), &spec).await;
    assert!(matches!(again, Err(ProcessError::Used { .. })));
    assert_eq!(fs::read_to_string(place.path().join("trace")).unwrap(), "started\n");
}

/// A supervisor that was killed before it did anything is no deploy that failed.
#[tokio::test]
async fn a_step_gets_another_supervisor_when_one_dies_before_the_start() {
    for (deaths, outcome) in [(2, PhaseOutcome::Passed), (3, PhaseOutcome::Errored)] {
        let place = Place::new();
        let (folder, real) = (place.path().display(), env!("CARGO_BIN_EXE_andon"));
        let mortal = place.path().join("mortal");
        let text = format!(
            "#!/bin/sh\necho died >>{folder}/deaths\nexec 3<{folder}/deaths\nn=0\n\
             while read -r line <&3; do n=$((n + 1)); done\n\
             [ $n -gt {deaths} ] || exit 1\nexec {real} \"$@\" 3<&-\n"
        );
        fs::write(&mortal, text).unwrap();
        fs::set_permissions(&mortal, fs::Permissions::from_mode(0o755)).unwrap();
        let step = CommandStep {
            command: &Shell("echo started >>trace".to_owned()),
            cwd: place.path(),
            variables: vec![("PATH".to_owned(), PATH.to_owned())],
            mask: vec![],
            deadline_at: Timestamp::now() + SignedDuration::from_mins(5),
            now: Timestamp::now(),
            leftovers: Leftovers::Keep,
            if_parent_dies: IfParentDies::RunsOn,
        };
        let (launcher, never) = (Launcher::new(&mortal), CancellationToken::new());
        let end = deploy::run(&launcher, &place.run_dir(), step, |_| (), &never).await;
        assert_eq!(end.outcome, outcome, "{}", end.detail);
        let trace = fs::read_to_string(place.path().join("trace")).unwrap_or_default();
        assert_eq!(trace, if deaths == 2 { "started\n" } else { "" });
    }
}

#[tokio::test]
async fn a_supervisor_that_cannot_start_is_an_error_of_ours() {
    let place = Place::new();
    let absent = place.path().join("absent");
    let error = Launcher::new(&absent).launch(&place.run_dir(), &place.script("true")).await;
    let Err(ProcessError::Supervisor { program, source }) = error else { panic!("{error:?}") };
    assert_eq!((program, source.raw_os_error()), (absent, Some(2)));
}

/// Started by hand, or with a lock that is not its own, a supervisor touches nothing.
#[test]
fn a_supervisor_started_by_a_stranger_refuses() {
    let place = Place::new();
    for args in [&["supervise"][..], &["supervise", "a", "b"], &["supervise", "/nowhere"]] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_andon")).args(args).stdin(Stdio::null()).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(70), "{args:?}");
        assert!(String::from_utf8(output.stderr).unwrap().starts_with("supervise: "));
    }
    assert!(!place.run_dir().exists());
}

/// E1: a disk that the output fills still takes the end of the command.
#[tokio::test]
async fn a_full_disk_costs_output_and_nothing_else() {
    const NAME: &str = "crash::a_full_disk_costs_output_and_nothing_else";
    if let Some(role) = ParentRole::of_this_process() {
        return fill_the_disk(role.place).await;
    }
    let place = Place::new();
    let namespace = ["-Urm", "sh", "-c"];
    let mount = format!("mount -t tmpfs -o size=2m none {}", place.path().display());
    let possible = Command::new("unshare").args(namespace).arg(&mount).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("not tested: this machine lets us make no disk of our own");
        return;
    }
    let mut unshare = Command::new("unshare");
    unshare.args(namespace).args([&format!("{mount} && exec \"$@\""), "sh"]);
    let inside = ParentRole::spawn(unshare, NAME, &place);
    assert!(inside.ends_well(), "see the assertions of the process inside");
}

async fn fill_the_disk(place: PathBuf) {
    let deadline = crate::support::minutes();
    let spec = andon::process::CommandSpec::shell("yes | head -c 8000000; exit 9", "/", deadline)
        .env("PATH", crate::support::PATH)
        .output_caps(OutputCaps { head: 4 << 20, tail: 1 << 20 });
    let run_dir = place.join("run");
    let exit = launcher().launch(&run_dir, &spec).await.unwrap().wait().await.unwrap();
    assert_eq!(exit.end, End::Exited { code: 9 });
    assert_eq!(exit.output.total_bytes, 8_000_000);
    assert!(exit.output.write_error.unwrap().contains("No space left"));
    let log = fs::read_to_string(run_dir.join("output.log")).unwrap();
    assert_eq!(log.len() as u64, exit.output.kept_bytes);
    assert!(log.ends_with("the disk took no more …\n"));
    assert!(matches!(attach(&run_dir).unwrap(), Attachment::Finished(_)));
}

/// RELIABILITY E5, of output: a limit on the size of files costs output, and neither the command nor its
/// supervisor.
#[tokio::test]
async fn a_limit_on_the_size_of_files_costs_output_and_nothing_else() {
    const NAME: &str = "crash::a_limit_on_the_size_of_files_costs_output_and_nothing_else";
    if let Some(role) = ParentRole::of_this_process() {
        return outgrow_the_limit(role.place).await;
    }
    let place = Place::new();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "ulimit -f 100 && exec \"$@\"", "sh"]);
    let inside = ParentRole::spawn(shell, NAME, &place);
    assert!(inside.ends_well(), "see the assertions of the process inside");
}

async fn outgrow_the_limit(place: PathBuf) {
    // What the command writes itself is limited as before: it dies of it, as it would without us.
    let script = "yes | head -c 1000000; (yes >big) 2>/dev/null; kill -l $?";
    let spec = andon::process::CommandSpec::shell(script, &place, crate::support::minutes())
        .env("PATH", crate::support::PATH);
    let run_dir = place.join("run");
    let exit = launcher().launch(&run_dir, &spec).await.unwrap().wait().await.unwrap();
    assert_eq!(exit.end, End::Exited { code: 0 });
    assert!(exit.output.total_bytes > 1_000_000);
    let fault = exit.output.write_error.unwrap();
    assert!(fault.contains("File too large"), "{fault}");
    let log = fs::read_to_string(run_dir.join("output.log")).unwrap();
    assert_eq!(log.len() as u64, exit.output.kept_bytes);
    assert!(log.ends_with("no file may be longer (`ulimit -f`) …\n"));
}
