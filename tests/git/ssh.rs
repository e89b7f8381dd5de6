//! git over ssh, with a stand-in for `ssh` that runs the command here.

use std::fs;
use std::time::Duration;

use andon::git::{Auth, ErrorKind, Mirror, MirrorOptions, RepoUrl, UrlSource};

use super::support::{PATIENCE, World, fetch, resolve, script};

/// A mirror whose ssh is a script; `$last` is the command for the remote side.
pub async fn mirror_over(world: &World, ssh: &str, path: &str) -> Mirror {
    let program = world.path("ssh");
    let log = world.path("ssh.log");
    script(
        &program,
        &format!("printf '%s\\n' \"$@\" > '{}'; for last; do :; done; {ssh}", log.display()),
    );
    let url = RepoUrl::parse(&format!("ci@git.example.com:{path}"), UrlSource::Foreign).unwrap();
    let options = MirrorOptions { ssh_program: program.into(), ..MirrorOptions::default() };
    Mirror::open(&world.path("cache"), url, Auth::SshKey("/keys/ci".into()), options).await.unwrap()
}

pub const RUN_HERE: &str = r#"PATH="$(git --exec-path):$PATH" exec sh -c "$last""#;

#[tokio::test]
async fn a_repository_is_fetched_by_the_ssh_program() {
    let world = World::new();
    let first = world.commit("main", "First", &[("a", "1")]);
    // A path that a careless shell would run.
    let odd = world.path("it's $(touch pwn);x.git");
    fs::rename(world.path("source.git"), &odd).unwrap();
    let mirror = mirror_over(&world, RUN_HERE, odd.to_str().unwrap()).await;
    fetch(&mirror).await;
    assert_eq!(resolve(&mirror, "HEAD").await.unwrap().sha, first);
    assert!(!fetch(&mirror).await.changed);
    let arguments = fs::read_to_string(world.path("ssh.log")).unwrap();
    assert!(
        arguments.contains("BatchMode=yes\n") && arguments.contains("-i\n/keys/ci\n"),
        "{arguments}"
    );
    assert!(arguments.contains("\n-l\nci\n--\ngit.example.com\ngit-upload-pack '"), "{arguments}");
    assert!(!world.path("pwn").exists());
}

#[tokio::test]
async fn failures_of_ssh_keep_their_class() {
    let world = World::new();
    for (words, kind) in [
        ("ci@git.example.com: Permission denied (publickey).", ErrorKind::Auth),
        ("Host key verification failed.", ErrorKind::Auth),
        ("ssh: Could not resolve hostname git.example.com", ErrorKind::Network),
        ("fatal: 'x' does not appear to be a git repository", ErrorKind::NotFound),
    ] {
        let mirror = mirror_over(&world, &format!("echo \"{words}\" >&2; exit 255"), "x.git").await;
        let error = mirror.fetch(PATIENCE).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[tokio::test]
async fn a_silent_ssh_ends_at_the_deadline_with_its_children() {
    let world = World::new();
    let pid = world.path("pid");
    let mirror =
        mirror_over(&world, &format!("sleep 600 & echo $! > '{}'; wait", pid.display()), "x.git")
            .await;
    let error = mirror.fetch(Duration::from_millis(500)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let pid = fs::read_to_string(pid).unwrap();
    let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    // Gone, or a zombie that its new parent has not collected yet.
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}

#[tokio::test]
async fn a_missing_ssh_program_is_said() {
    let world = World::new();
    let url = RepoUrl::parse("ci@git.example.com:x.git", UrlSource::Foreign).unwrap();
    let options =
        MirrorOptions { ssh_program: world.path("missing").into(), ..MirrorOptions::default() };
    let mirror = Mirror::open(&world.path("cache"), url, Auth::Ambient, options).await.unwrap();
    let error = mirror.fetch(PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("cannot start ssh"), "{error}");
}
