//! The driver's process: started on a port that the system chooses, ended with whatever it started.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

/// What to do where one is missing.
const HINT: &str =
    "install it with `apt-get install chromium chromium-driver`, or run `scripts/test`, which does";

pub(crate) struct Chromedriver {
    child: Child,
    /// Kept open: a driver that cannot say something ends.
    _said: BufReader<ChildStdout>,
    port: u16,
}

impl Chromedriver {
    /// Starts one, whose browsers live in `home` and show times in a zone that is half an hour beside all others.
    pub(crate) fn start(home: &Path) -> Self {
        let started = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", home)
            .env("TZ", "Asia/Kolkata")
            // A group of its own, so that all of it can be ended by one id.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = started.unwrap_or_else(|fault| panic!("chromedriver: {fault}; {HINT}"));
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let port = port_of(&mut said);
        Self { child, _said: said, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The port that it says it listens on.
fn port_of(said: &mut impl BufRead) -> u16 {
    let mut heard = String::new();
    loop {
        let mut line = String::new();
        assert!(said.read_line(&mut line).unwrap() > 0, "chromedriver ended: {heard}; {HINT}");
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return port.trim().trim_end_matches('.').parse().unwrap();
        }
        heard.push_str(&line);
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        // Nobody is left of it when its browser was closed in order.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The browser's program.
pub(crate) fn chromium() -> &'static str {
    let known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let found = known.into_iter().find(|path| Path::new(path).exists());
    found.unwrap_or_else(|| panic!("none of {known:?} is there; {HINT}"))
}
