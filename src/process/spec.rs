//! What to run and within which limits: the order that the supervisor gets through its stdin.
//!
//! Values may be secret, so nothing here prints an environment, an argument or a mask.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::getpid;
use serde::{Deserialize, Serialize};

/// When a command has to be over, as an instant for the records and as what was left of it when
/// the order was given. The supervisor measures what is left on a clock that nobody sets, so a
/// jump of the wall clock neither cuts a command short nor lets it run for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    at: Timestamp,
    remaining_ms: u64,
}

impl Deadline {
    /// The deadline at an instant, seen from `now`.
    pub fn at(at: Timestamp, now: Timestamp) -> Self {
        let remaining = at.duration_since(now).as_millis();
        Self { at, remaining_ms: u64::try_from(remaining).unwrap_or(0) }
    }

    /// The deadline that ends `limit` after `now`.
    pub fn after(limit: Duration, now: Timestamp) -> Self {
        Self::at(now.checked_add(limit).unwrap_or(Timestamp::MAX), now)
    }

    /// The instant.
    pub fn instant(self) -> Timestamp {
        self.at
    }

    /// What was left when the deadline was made.
    pub fn remaining(self) -> Duration {
        Duration::from_millis(self.remaining_ms)
    }
}

/// How much output is kept: its beginning and its end, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputCaps {
    /// Kept from the beginning; on disk as soon as it comes.
    pub head: u64,
    /// Kept from the end; held in the supervisor's memory until the command is over.
    pub tail: u64,
}

impl Default for OutputCaps {
    fn default() -> Self {
        Self { head: 1 << 20, tail: 1 << 20 }
    }
}

/// What becomes of processes that a command leaves behind when it ends by itself. At a deadline
/// or a cancel they are ended in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leftovers {
    /// They live on: a deploy step may start the service itself.
    Keep,
    /// They are ended like at a deadline: a test must leave nothing behind.
    End,
}

/// What becomes of a command whose parent, which is whoever ordered it, dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfParentDies {
    /// It runs on, and is found again by its run folder: a cycle takes it up.
    RunsOn,
    /// It is ended as by a cancel: nobody will ask for it.
    Ended,
}

/// One command: what to run, where, with which environment, until when.
#[derive(Clone, Serialize, Deserialize)]
pub struct CommandSpec {
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
    cwd: OsString,
    /// Pairs, because a name need not be text either. The last of a name counts.
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) mask: Vec<String>,
    pub(super) deadline: Deadline,
    pub(super) grace_ms: u64,
    pub(super) caps: OutputCaps,
    pub(super) leftovers: Leftovers,
    /// The process whose death ends it.
    pub(super) parent: Option<i32>,
}

impl CommandSpec {
    /// A program without arguments and with an empty environment. A name without a slash is
    /// looked up in the PATH of [`CommandSpec::env`].
    pub fn new(program: impl Into<OsString>, cwd: impl Into<PathBuf>, deadline: Deadline) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            cwd: cwd.into().into_os_string(),
            env: Vec::new(),
            mask: Vec::new(),
            deadline,
            grace_ms: 10_000,
            caps: OutputCaps::default(),
            leftovers: Leftovers::Keep,
            parent: None,
        }
    }

    /// A text for `sh -c`. Nothing is ever put into the text; values belong into the environment.
    pub fn shell(script: impl Into<OsString>, cwd: impl Into<PathBuf>, deadline: Deadline) -> Self {
        Self::new("/bin/sh", cwd, deadline).arg("-c").arg(script)
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets one variable. The environment is complete: nothing of ours is inherited.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Adds secrets that are masked in the output before it touches the disk.
    pub fn mask(mut self, secrets: impl IntoIterator<Item = String>) -> Self {
        self.mask.extend(secrets);
        self
    }

    /// The time between TERM and KILL. Default: ten seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// How much output is kept. Default: one MiB at either end.
    pub fn output_caps(mut self, caps: OutputCaps) -> Self {
        self.caps = caps;
        self
    }

    /// What becomes of processes left behind. Default: they live on.
    pub fn leftovers(mut self, leftovers: Leftovers) -> Self {
        self.leftovers = leftovers;
        self
    }

    /// What becomes of it when this process dies. Default: it runs on.
    pub fn if_parent_dies(mut self, then: IfParentDies) -> Self {
        self.parent = match then {
            IfParentDies::RunsOn => None,
            IfParentDies::Ended => Some(getpid().as_raw_nonzero().get()),
        };
        self
    }

    pub(super) fn cwd(&self) -> &Path {
        Path::new(&self.cwd)
    }

    pub(super) fn grace_time(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }
}

/// Arguments and environment are left out: they may hold secrets.
impl fmt::Debug for CommandSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandSpec")
            .field("program", &self.program)
            .field("cwd", &self.cwd)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_in_the_past_has_nothing_left() {
        let (early, late) =
            (Timestamp::from_second(1).unwrap(), Timestamp::from_second(5).unwrap());
        assert_eq!(Deadline::at(early, late).remaining(), Duration::ZERO);
        assert_eq!(Deadline::at(late, early).remaining(), Duration::from_secs(4));
        assert_eq!(Deadline::at(Timestamp::MIN, Timestamp::MAX).remaining(), Duration::ZERO);
    }

    #[test]
    fn a_limit_beyond_all_time_does_not_wrap() {
        let deadline = Deadline::after(Duration::MAX, Timestamp::UNIX_EPOCH);
        assert_eq!(deadline.instant(), Timestamp::MAX);
        assert!(deadline.remaining() > Duration::from_secs(1 << 36));
    }

    #[test]
    fn names_that_are_no_utf8_survive_the_journey() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(vec![b'/', 0xff, 0xfe]);
        let spec = CommandSpec::new(
            "x",
            PathBuf::from(odd.clone()),
            Deadline::after(Duration::from_secs(1), Timestamp::UNIX_EPOCH),
        )
        .env("ODD", odd.clone());
        let json = serde_json::to_vec(&spec).unwrap();
        let back: CommandSpec = serde_json::from_slice(&json).unwrap();
        assert_eq!(back.cwd().as_os_str(), odd);
        assert_eq!(back.env, [(OsString::from("ODD"), odd)]);
    }

    #[test]
    fn debug_output_shows_no_value() {
        let spec = CommandSpec::shell(
            "echo hunter2",
            "/",
            Deadline::after(Duration::from_secs(1), Timestamp::UNIX_EPOCH),
        )
        .env("KEY", "hunter2")
        .mask(["hunter2".to_owned()]);
        assert!(!format!("{spec:?}").contains("hunter2"));
    }
}
