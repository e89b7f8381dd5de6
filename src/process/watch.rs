//! Watches over the running command: reads its output, keeps its deadline, ends its tree.
//!
//! One thread, one poll: what happened is gathered as facts, `stage` decides, and the decision
//! is carried out. Output never delays a decision, because one chunk is read at a time.

use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{WaitStatus, getppid};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

use super::clock::since_boot;
use super::exit::OutputSummary;
use super::output::OutputLog;
use super::record::RunDir;
use super::spec::Leftovers;
use super::stage::{Cause, Course, Facts, Rules, Stage};
use super::tree;
use crate::domain::redact::{MaskStream, Masker};

/// How often the cancel file is looked for. A signal to the supervisor is seen at once.
const CANCEL_CHECK: Duration = Duration::from_millis(100);
/// How often KILL is repeated.
const KILL_EVERY: Duration = Duration::from_millis(5);
const CHUNK_BYTES: usize = 64 * 1024;

/// Signals as something to poll.
pub(super) struct Signals {
    wake: UnixStream,
    stop: Arc<AtomicBool>,
}

impl Signals {
    /// From here on TERM, INT and HUP mean cancel, and the end of a child wakes the poll. A file that grows
    /// beyond `ulimit -f` is an error of the write, where it would end us without a word; handled and not
    /// ignored, because what is ignored stays so in the command.
    pub(super) fn catch() -> io::Result<Self> {
        let (wake, sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let stop = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(libc::SIGXFSZ, Arc::default())?;
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        for signal in [SIGCHLD, SIGTERM, SIGINT, SIGHUP] {
            signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Self { wake, stop })
    }

    pub(super) fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn clear(&self) {
        let mut buffer = [0; 256];
        while matches!((&self.wake).read(&mut buffer), Ok(count) if count > 0) {}
    }
}

/// The output of the command on its way to the disk.
pub(super) struct Output {
    pipe: Option<PipeReader>,
    mask: MaskStream,
    log: OutputLog<File>,
    total: u64,
    chunk: Vec<u8>,
    masked: Vec<u8>,
}

impl Output {
    pub(super) fn new(pipe: PipeReader, masker: &Masker, log: OutputLog<File>) -> Self {
        let mask = masker.stream();
        let chunk = vec![0; CHUNK_BYTES];
        Self { pipe: Some(pipe), mask, log, total: 0, chunk, masked: Vec::new() }
    }

    /// Reads once. Only called when the pipe has something, so it does not block.
    fn read_chunk(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.read(&mut self.chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => self.pipe = None,
            Ok(count) => {
                self.total += count as u64;
                self.masked.clear();
                self.mask.push(&self.chunk[..count], &mut self.masked);
                self.log.push(&self.masked);
            }
        }
    }

    /// Makes the log durable. Gives back the pipe if somebody still holds its other end.
    pub(super) fn finish(mut self) -> (OutputSummary, Option<PipeReader>) {
        self.masked.clear();
        self.mask.finish(&mut self.masked);
        self.log.push(&self.masked);
        let (file, mut summary) = self.log.finish(self.total);
        // An empty log is there with its folder, which the exit record makes durable.
        if summary.kept_bytes > 0
            && let Err(error) = file.sync_all()
        {
            summary.write_error.get_or_insert_with(|| error.to_string());
        }
        summary.held_open = self.pipe.is_some();
        (summary, self.pipe)
    }
}

/// What the watch saw.
pub(super) struct Watched {
    pub(super) cause: Cause,
    /// `None` only for a command that survived KILL.
    pub(super) status: Option<WaitStatus>,
    /// When all had ended that should, in time since boot.
    pub(super) ended_at: Duration,
    pub(super) survivors: u32,
}

/// A command and everything needed to look after it.
pub(super) struct Watch<'a> {
    pub(super) pid: i32,
    /// The process whose death is a cancel.
    pub(super) parent: Option<i32>,
    pub(super) run: &'a RunDir,
    pub(super) rules: &'a Rules,
    pub(super) signals: &'a Signals,
    pub(super) output: &'a mut Output,
}

/// Whether the process that has to live for a command is gone: whoever adopts us has another id.
pub(super) fn is_orphan_of(parent: Option<i32>) -> bool {
    parent.is_some_and(|parent| getppid().map(|now| now.as_raw_nonzero().get()) != Some(parent))
}

impl Watch<'_> {
    /// Stays with the command until it and all that has to end with it is over.
    pub(super) fn until_over(mut self) -> Watched {
        let mut course = Course::START;
        let mut status = None;
        let mut ended_at = Duration::ZERO;
        let mut kill_again_at = Duration::ZERO;
        loop {
            let facts = self.gather(&mut status);
            let earlier = course;
            course = course.next(&facts, self.rules);
            match course.stage {
                Stage::Terminating { .. } if course != earlier => tree::terminate_descendants(),
                Stage::Killing { .. } if facts.now >= kill_again_at => {
                    tree::kill_descendants();
                    kill_again_at = since_boot() + KILL_EVERY;
                }
                Stage::Draining { .. } if course != earlier => ended_at = facts.now,
                Stage::Over => break,
                Stage::Running
                | Stage::Terminating { .. }
                | Stage::Killing { .. }
                | Stage::Draining { .. } => {}
            }
            // What was decided may decide the next thing: nothing will happen to wake us for it.
            if course == earlier {
                self.wait_for_events(course, facts.now);
            }
        }
        let survivors = match (course.cause, self.rules.leftovers) {
            (Cause::Itself, Leftovers::Keep) => 0,
            (Cause::Itself, Leftovers::End) | (Cause::Deadline | Cause::Cancel, _) => {
                tree::count_descendants()
            }
        };
        Watched { cause: course.cause, status, ended_at, survivors }
    }

    fn gather(&self, status: &mut Option<WaitStatus>) -> Facts {
        let reaped = tree::reap(self.pid);
        *status = status.or(reaped.awaited);
        Facts {
            now: since_boot(),
            ended: status.is_some(),
            childless: reaped.childless,
            output_open: self.output.pipe.is_some(),
            cancelled: self.signals.stop_requested()
                || self.run.cancel_requested()
                || is_orphan_of(self.parent),
        }
    }

    /// Sleeps until output, a signal, or time for the next look; takes one chunk of output.
    fn wait_for_events(&mut self, course: Course, now: Duration) {
        let longest = match course.stage {
            Stage::Killing { .. } => KILL_EVERY,
            Stage::Running | Stage::Terminating { .. } | Stage::Draining { .. } | Stage::Over => {
                CANCEL_CHECK
            }
        };
        let timeout = course.wake_at(self.rules).saturating_sub(now).min(longest);
        let mut fds = vec![PollFd::new(&self.signals.wake, PollFlags::IN)];
        if let Some(pipe) = &self.output.pipe {
            fds.push(PollFd::new(pipe, PollFlags::IN));
        }
        // An interrupted or failed poll is a short sleep; the facts are gathered afresh anyway.
        if poll(&mut fds, Timespec::try_from(timeout).ok().as_ref()).is_err() {
            return;
        }
        let readable = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
        self.signals.clear();
        if readable {
            self.output.read_chunk();
        }
    }
}
