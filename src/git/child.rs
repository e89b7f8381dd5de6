//! A helper program (`ssh`, `git credential`) that is killed at the deadline, with its children.
//!
//! It gets an argument list, never a shell, and its own process group, so that what it started
//! (a proxy command, an agent) ends with it.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::deadline::Deadline;
use super::text::clip_bytes;

/// How much of the error output is kept.
const STDERR_CAP: u64 = 16 * 1024;
/// How long to wait for the last words of a program that has ended.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A program to be started by [`TimedChild::spawn`], outside of any repository.
///
/// `process` supervises commands that may outlive us; these are the ends of two pipes that one
/// fetch reads on its own thread, and `git` imports nothing but the domain.
#[allow(clippy::disallowed_methods)]
pub(super) fn program(name: &OsStr) -> Command {
    let mut command = Command::new(name);
    command
        .current_dir("/")
        .env_remove("GIT_DIR")
        .env_remove("SSH_ASKPASS")
        .env_remove("GIT_ASKPASS");
    command
}

/// A running program and the thread that ends it in time.
pub(super) struct TimedChild {
    child: Child,
    guard: Option<(Sender<()>, JoinHandle<()>)>,
    stderr: Arc<Mutex<Vec<u8>>>,
    stderr_closed: mpsc::Receiver<()>,
}

impl TimedChild {
    /// Starts `command` with pipes at all three ends.
    pub(super) fn spawn(
        command: &mut Command,
        deadline: Deadline,
    ) -> io::Result<(Self, ChildStdin, ChildStdout)> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let stdin = child.stdin.take().expect("stdin was asked for as a pipe");
        let stdout = child.stdout.take().expect("stdout was asked for as a pipe");
        let pipe = child.stderr.take().expect("stderr was asked for as a pipe");
        let (stderr, stderr_closed) = collect(pipe);
        let guard = Some(kill_at(deadline, group_of(&child)));
        Ok((Self { child, guard, stderr, stderr_closed }, stdin, stdout))
    }

    /// What it wrote to its error output so far, cut and cleaned.
    pub(super) fn last_words(&self) -> String {
        // A background process may hold the pipe open for ever: wait for the end, but not long.
        let _ = self.stderr_closed.recv_timeout(LAST_WORDS);
        clip_bytes(&self.stderr.lock().unwrap_or_else(PoisonError::into_inner), 400)
    }
}

impl Drop for TimedChild {
    fn drop(&mut self) {
        // The guard is gone before the child is reaped, so it can never kill a reused id.
        if let Some((stop, thread)) = self.guard.take() {
            drop(stop);
            let _ = thread.join();
        }
        let _ = kill_process_group(group_of(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

fn group_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn kill_at(deadline: Deadline, group: Pid) -> (Sender<()>, JoinHandle<()>) {
    let (stop, stopped) = mpsc::channel();
    let thread = thread::spawn(move || {
        if stopped.recv_timeout(deadline.remaining()) == Err(RecvTimeoutError::Timeout) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    });
    (stop, thread)
}

/// Drains the pipe to its end, keeping the first part, so that a chatty program never blocks.
fn collect(mut pipe: impl Read + Send + 'static) -> (Arc<Mutex<Vec<u8>>>, mpsc::Receiver<()>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let (closed, is_closed) = mpsc::channel();
    let shared = Arc::clone(&kept);
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = pipe.read(&mut buffer) {
            let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let room = usize::try_from(STDERR_CAP).unwrap_or(usize::MAX).saturating_sub(kept.len());
            kept.extend_from_slice(&buffer[..n.min(room)]);
        }
        drop(closed);
    });
    (kept, is_closed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_program_that_never_ends_is_killed_with_its_children() {
        let mut command = program(OsStr::new("sh"));
        // The grandchild holds the same output open: only killing the group lets the read end.
        command.args(["-c", "echo oops >&2; sleep 600 & wait"]);
        let deadline = Deadline::after(Duration::from_millis(300));
        let (child, _stdin, mut stdout) = TimedChild::spawn(&mut command, deadline).unwrap();
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        assert!(deadline.has_passed());
        assert_eq!(child.last_words(), "oops");
    }

    #[test]
    fn error_output_is_drained_but_kept_only_in_part() {
        let mut command = program(OsStr::new("sh"));
        command.args(["-c", "head -c 1000000 /dev/zero | tr '\\0' x >&2"]);
        let (child, _stdin, mut stdout) =
            TimedChild::spawn(&mut command, Deadline::after(Duration::from_secs(60))).unwrap();
        stdout.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(child.stderr_closed.recv(), Err(mpsc::RecvError));
        assert_eq!(child.stderr.lock().unwrap().len() as u64, STDERR_CAP);
    }
}
