//! What the tests share: run folders, short waits, a look at processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use andon::process::{CommandSpec, Deadline, Exit, Launcher, Supervised};
use jiff::Timestamp;
use tempfile::TempDir;

pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A folder of its own for one test: working directory of the commands and parent of the run
/// folders.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.path().join("run")
    }

    /// A script that ends by itself long before its deadline.
    pub(crate) fn script(&self, text: &str) -> CommandSpec {
        CommandSpec::shell(text, self.path(), minutes()).env("PATH", PATH)
    }

    pub(crate) async fn launch(&self, spec: &CommandSpec) -> Supervised {
        launcher().launch(&self.run_dir(), spec).await.unwrap()
    }

    pub(crate) async fn run(&self, spec: &CommandSpec) -> Exit {
        self.launch(spec).await.wait().await.unwrap()
    }

    pub(crate) fn output(&self) -> Vec<u8> {
        fs::read(self.run_dir().join("output.log")).unwrap_or_default()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        String::from_utf8(self.output()).unwrap().lines().map(str::to_owned).collect()
    }

    /// Waits until the output has so many complete lines.
    pub(crate) fn await_lines(&self, count: usize) -> Vec<String> {
        until(|| self.output().iter().filter(|byte| **byte == b'\n').count() >= count);
        self.lines()
    }
}

pub(crate) fn launcher() -> Launcher {
    Launcher::new(env!("CARGO_BIN_EXE_andon"))
}

pub(crate) fn minutes() -> Deadline {
    Deadline::after(Duration::from_secs(300), Timestamp::now())
}

/// Waits for something that happens soon, and fails if it does not.
pub(crate) fn until(condition: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < give_up, "waited a minute in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the process exists and is no zombie.
pub(crate) fn alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

pub(crate) fn kill(pid: &str) {
    use rustix::process::{Pid, Signal, kill_process};
    kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
}
