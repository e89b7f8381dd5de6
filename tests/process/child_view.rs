//! D11: what a command sees of the world.

use std::process::Command;

use andon::process::{CommandSpec, IfParentDies};

use crate::crash::ParentRole;
use crate::support::{Place, minutes, until};

#[tokio::test]
async fn the_environment_is_what_was_declared() {
    let place = Place::new();
    let big = "v".repeat(1000);
    let mut spec = CommandSpec::new("/usr/bin/env", place.path(), minutes()).env("ONLY", "this");
    for number in 0..200 {
        spec = spec.env(format!("BIG_{number:03}"), &*big);
    }
    place.run(&spec).await;
    let lines = place.lines();
    assert_eq!(lines.len(), 201, "more than a pipe holds, and nothing else");
    assert_eq!(lines[200], "ONLY=this");
}

#[tokio::test]
async fn files_are_private_and_the_folder_is_as_asked() {
    let place = Place::new();
    place.run(&place.script("umask; pwd")).await;
    let cwd = place.path().canonicalize().unwrap();
    assert_eq!(place.lines(), ["0077", cwd.to_str().unwrap()]);
}

#[tokio::test]
async fn the_session_is_not_ours() {
    let place = Place::new();
    place.run(&place.script("cut -d ' ' -f 5,6 /proc/$$/stat; echo $$ $PPID")).await;
    let lines = place.lines();
    let (group, session) = lines[0].split_once(' ').unwrap();
    let (pid, supervisor) = lines[1].split_once(' ').unwrap();
    assert_eq!((group, session), (pid, supervisor), "own group, and the supervisor's session");
    assert_ne!(session, own_session());
}

/// Our session as the kernel prints it: 0 where its leader lives outside our PID namespace, as in
/// a container. `getsid` of rustix takes that for impossible.
fn own_session() -> String {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    after_name.split_whitespace().nth(3).unwrap().to_owned()
}

/// Our own parent left a descriptor open for everybody and allows core dumps; the command gets
/// neither.
#[tokio::test]
async fn nothing_of_ours_is_inherited() {
    const NAME: &str = "child_view::nothing_of_ours_is_inherited";
    let place = Place::new();
    let script = "ls /proc/$$/fd; ulimit -c; echo end";
    if let Some(role) = ParentRole::of_this_process() {
        return role.launch_and_wait(script, IfParentDies::RunsOn).await;
    }
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "exec 7< /dev/null; ulimit -S -c 1000; exec \"$@\"", "sh"]);
    let _parent = ParentRole::spawn(shell, NAME, &place);
    until(|| place.output().ends_with(b"end\n"));
    assert_eq!(place.lines(), ["0", "1", "2", "0", "end"]);
}
