//! `deploy/staging.sh` with real processes: it replaces what runs, outlives nothing it should not, and fails clearly.

use crate::client::send;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Set in the child processes of these tests, which are the service itself.
const CHILD: &str = "CHAT_STAGING_CHILD_OF_A_TEST";

/// Not a claim of its own: the service as a process, for the tests below. Without the variable it shows that
/// wrong arguments end the program with 2.
#[test]
fn service_process() {
    match std::env::var(CHILD) {
        Ok(words) => {
            let code = crate::service::main_with_args(words.split('\n').map(OsString::from));
            std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
        }
        Err(_) => {
            let code = crate::service::main_with_args(["--lisen".into()]);
            assert_eq!(code, std::process::ExitCode::from(2));
        }
    }
}

/// A staging of its own: run dir with a space in its name, a free port, a program that starts the service.
struct Staging {
    folder: tempfile::TempDir,
    address: SocketAddr,
}

impl Staging {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["checkout", "my programs"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let program = folder.path().join("my programs/andon");
        let this = std::env::current_exe().unwrap();
        // The service's arguments go in a variable, because the test harness has flags of its own. It takes the
        // last one, the address file, as a filter that matches nothing: that is how the script knows its process.
        let text = format!(
            "#!/bin/sh\n[ \"$1\" = demo-service ] || exit 9\nshift\n{CHILD}=$(printf '%s\\n' \"$@\")\nexport {CHILD}\n\
             for last in \"$@\"; do :; done\n\
             exec '{}' --exact deploy_script::service_process --nocapture \"$last\"\n",
            this.display()
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { folder, address: free }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write_settings(&self, text: &str) {
        std::fs::write(self.path("checkout/service.yaml"), text).unwrap();
    }

    fn command(&self, revision: &str) -> Command {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/chat-staging/deploy/staging.sh");
        let mut command = Command::new("sh");
        command
            .arg(script)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("ANDON_CHECKOUT", self.path("checkout"))
            .env("ANDON_REVISION", revision)
            .env("ANDON_VAR_LISTEN", self.address.to_string())
            .env(
                "ANDON_VAR_STAGING_BIN",
                format!("{} demo-service", self.path("my programs/andon").display()),
            )
            .env("ANDON_VAR_RUN_DIR", self.path("run dir"))
            .env("ANDON_SECRET_JWT_KEY", "k");
        command
    }

    fn deploy(&self, revision: &str) -> Output {
        self.command(revision).output().unwrap()
    }

    fn pid(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.path("run dir/service.pid")).ok()?;
        Some(text.trim().to_owned())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            let _ = Command::new("kill").arg(pid).status();
        }
    }
}

fn is_running(pid: &str) -> bool {
    // A zombie still has an entry, but no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test]
async fn a_deploy_really_replaces_the_running_service() {
    let staging = Staging::new();
    staging.write_settings("environment: staging\n");
    let first = staging.deploy("1111111");
    assert!(first.status.success(), "{}", text(&first));
    let old = staging.pid().unwrap();
    let version = send(staging.address, "GET", "/version", &[], "").await.json();
    assert_eq!(version["revision"], "1111111");

    staging.write_settings("health: degraded\n");
    let second = staging.deploy("2222222");
    assert!(second.status.success(), "{}", text(&second));
    let version = send(staging.address, "GET", "/version", &[], "").await.json();
    assert_eq!(version["revision"], "2222222");
    let health = send(staging.address, "GET", "/health", &[], "").await.json();
    assert_eq!(health["status"], "degraded");
    assert!(!is_running(&old) && is_running(&staging.pid().unwrap()));
}

#[test]
fn a_service_that_cannot_start_fails_the_deploy() {
    let staging = Staging::new();
    staging.write_settings("websocket_aut: ok\n");
    let output = staging.deploy("1111111");
    assert!(!output.status.success());
    assert!(text(&output).contains("websocket_aut"), "{}", text(&output));
}

#[test]
fn what_is_missing_is_named() {
    let staging = Staging::new();
    let output = staging.deploy("1111111");
    assert!(
        !output.status.success() && text(&output).contains("no service.yaml"),
        "{}",
        text(&output)
    );
    staging.write_settings("");
    for name in [
        "ANDON_CHECKOUT",
        "ANDON_REVISION",
        "ANDON_VAR_LISTEN",
        "ANDON_VAR_STAGING_BIN",
        "ANDON_VAR_RUN_DIR",
    ] {
        let output = staging.command("1111111").env_remove(name).output().unwrap();
        assert!(!output.status.success() && text(&output).contains(name), "{}", text(&output));
    }
    let output = staging
        .command("1111111")
        .env("ANDON_VAR_STAGING_BIN", "no-such-program x")
        .output()
        .unwrap();
    assert!(
        !output.status.success() && text(&output).contains("no such command"),
        "{}",
        text(&output)
    );
    assert_eq!(staging.pid(), None);
}

#[test]
fn a_stranger_with_the_old_number_is_left_alone() {
    let staging = Staging::new();
    staging.write_settings("environment: staging\n");
    std::fs::create_dir(staging.path("run dir")).unwrap();
    let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
    std::fs::write(staging.path("run dir/service.pid"), stranger.id().to_string()).unwrap();
    let output = staging.deploy("1111111");
    let survived = stranger.try_wait().unwrap().is_none();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(survived);
}
