//! How a command ended: the content of the exit record.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The end of a supervised command, as its supervisor recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// How it ended.
    pub end: End,
    /// The exit code of a command that we asked to end and that ended by itself all the same: with 0 it may have
    /// done what it was there for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_with: Option<i32>,
    /// False when it ended before the command was started, which then changed nothing.
    pub started: bool,
    /// From the start of the command to its end and that of everything ended with it.
    pub duration_ms: u64,
    /// What became of its output.
    pub output: OutputSummary,
    /// Processes that even KILL did not end within ten seconds. Should be 0.
    pub survivors: u32,
}

impl Exit {
    /// Whether the command ran to its end and reported success.
    pub fn is_success(&self) -> bool {
        self.end == End::Exited { code: 0 }
    }

    /// [`Exit::duration_ms`] as a duration.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms)
    }
}

/// The ways a command can end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum End {
    /// By itself, with an exit code.
    Exited {
        /// The exit code, 0 to 255.
        code: i32,
    },
    /// By a signal that did not come from us.
    Signaled {
        /// The number of the signal; [`signal_name`] has its name.
        signal: i32,
        /// The kernel counted an out-of-memory kill while the command ran, and this was a KILL.
        oom_suspected: bool,
    },
    /// We ended it and all its descendants at the deadline.
    TimedOut,
    /// We ended it and all its descendants because somebody asked for it.
    Cancelled,
    /// It could not be started; trying again without a change will not help.
    CannotStart {
        /// The program or folder at fault.
        subject: String,
        /// The error number of the operating system, if it gave one.
        errno: Option<i32>,
        /// The error in words.
        reason: String,
    },
}

/// Reads as the rest of "the command …".
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exited with code {code}"),
            Self::Signaled { signal, oom_suspected } => {
                write!(f, "was ended by {}", signal_name(*signal))?;
                if *oom_suspected {
                    f.write_str(", probably because memory ran out")?;
                }
                Ok(())
            }
            Self::TimedOut => f.write_str("was ended at its deadline"),
            Self::Cancelled => f.write_str("was cancelled"),
            Self::CannotStart { subject, reason, .. } => {
                write!(f, "could not be started: {subject}: {reason}")
            }
        }
    }
}

/// What became of the output of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputSummary {
    /// Bytes that the command wrote, as far as we read them.
    pub total_bytes: u64,
    /// Bytes that `output.log` holds, its own cut marker included.
    pub kept_bytes: u64,
    /// Bytes left out, counted after masking.
    pub cut_bytes: u64,
    /// Where the marker of what was cut out of the middle stands, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_at: Option<u64>,
    /// A process left behind still held the output two seconds after the end; what it writes
    /// from then on is thrown away.
    pub held_open: bool,
    /// Why the log could not be written in full, for example a full disk.
    pub write_error: Option<String>,
}

/// The name of a signal as `kill -l` has it, with SIG in front.
pub fn signal_name(signal: i32) -> Cow<'static, str> {
    const NAMES: [&str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    let named =
        usize::try_from(signal).ok().and_then(|n| n.checked_sub(1)).and_then(|n| NAMES.get(n));
    match named {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(format!("signal {signal}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_their_linux_names() {
        let cases =
            [(1, "SIGHUP"), (9, "SIGKILL"), (11, "SIGSEGV"), (15, "SIGTERM"), (31, "SIGSYS")];
        for (number, name) in cases {
            assert_eq!(signal_name(number), name);
        }
        for number in [0, -1, 32, 40, i32::MAX, i32::MIN] {
            assert_eq!(signal_name(number), format!("signal {number}"));
        }
    }

    #[test]
    fn an_end_reads_as_a_sentence() {
        let oom = End::Signaled { signal: 9, oom_suspected: true };
        assert_eq!(oom.to_string(), "was ended by SIGKILL, probably because memory ran out");
        assert_eq!(End::Exited { code: 3 }.to_string(), "exited with code 3");
    }
}
