//! The real program: started, followed, waited for, killed. None outlives its test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Nothing that a test waits for may take longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits for something that happens soon, and fails if it does not.
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the process exists and is no zombie.
pub(crate) fn alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}

/// Kills a process that a test knows the id of.
pub(crate) fn kill(pid: i32, signal: Signal) {
    // It may have ended by itself: that is what the test looks at next.
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// A program that runs; it is killed when dropped.
pub(crate) struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// A program that ended.
pub(crate) struct Done {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    /// Starts `andon` with an environment of its own; its output goes into files of `logs`.
    pub(crate) fn start(
        args: &[String],
        dir: &Path,
        env: &[(String, String)],
        logs: &Path,
    ) -> Self {
        Self::start_within(&[], args, dir, env, logs)
    }

    /// Starts `andon` by way of another program, which gets its path and arguments behind its own.
    pub(crate) fn start_within(
        within: &[&str],
        args: &[String],
        dir: &Path,
        env: &[(String, String)],
        logs: &Path,
    ) -> Self {
        fs::create_dir_all(logs).unwrap();
        let number = fs::read_dir(logs).unwrap().count();
        let (stdout, stderr) =
            (logs.join(format!("{number:03}.out")), logs.join(format!("{number:03}.err")));
        let mut words = within.iter().copied().chain([env!("CARGO_BIN_EXE_andon")]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(args).current_dir(dir).env_clear();
        command.envs(env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        Self { child: command.spawn().unwrap(), stdout, stderr }
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// The events that it printed so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.stdout).unwrap_or_default();
        // The last line may be half written.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until it printed an event that `is` names.
    pub(crate) fn await_event(&self, what: &str, is: impl Fn(&Value) -> bool) {
        until(what, || self.events().iter().any(|line| is(&line["event"])));
    }

    pub(crate) fn said(&self, text: &str) -> bool {
        self.stderr().contains(text)
    }

    /// What it wrote on standard error so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal);
    }

    /// Waits for its end; a program that does not end is a failure.
    pub(crate) fn wait(mut self) -> Done {
        let give_up = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < give_up, "it does not end; it said: {}", self.read().1);
            std::thread::sleep(Duration::from_millis(2));
        };
        let (stdout, stderr) = self.read();
        Done { code: status.code(), stdout, stderr }
    }

    /// `kill -9`, its end, and the events that it printed until then.
    pub(crate) fn kill(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.events()
    }

    fn read(&self) -> (String, String) {
        let text = |path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        (text(&self.stdout), text(&self.stderr))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Done {
    /// Every line of `--json`, as JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault} in {line:?}"))
        };
        self.stdout.lines().map(parse).collect()
    }

    /// All of standard output as one value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|fault| panic!("{fault}: {}", self.stdout))
    }

    /// The events of `run --json`.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut lines = self.lines();
        lines.retain(|line| line.get("event").is_some());
        lines
    }

    /// The cycle that ends the lines of `run --json`.
    pub(crate) fn cycle(&self) -> Value {
        let last = self.lines().pop();
        last.filter(|line| line.get("suite").is_some())
            .unwrap_or_else(|| panic!("no cycle was printed: {}", self.stderr))
    }

    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stderr: {}\nstdout: {}", self.stderr, self.stdout);
        self
    }
}
