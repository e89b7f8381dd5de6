//! The supervisor process: set-up, start of the command, records.
//!
//! Runs before any runtime exists and never starts one: it is single-threaded, and it reaps every
//! child it has. It must not give up between the start of the command and its exit record.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Write, stderr, stdin, stdout};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::Mode;
use rustix::process::{
    Resource, Rlimit, WaitStatus, getpid, set_child_subreaper, setrlimit, setsid, umask,
};

use super::clock::{now, since_boot};
use super::exit::{End, Exit, OutputSummary};
use super::output::OutputLog;
use super::record::{ReservedExit, RunDir, Started, create_private, holds_lock};
use super::spec::CommandSpec;
use super::stage::{Cause, Rules};
use super::tree::ProcessId;
use super::watch::{Output, Signals, Watch, Watched, is_orphan_of};
use super::{fds, launch};
use crate::domain::redact::Masker;

/// The hidden subcommand.
pub(super) const SUBCOMMAND: &str = "supervise";
/// In place of a run folder: read and throw away what a process left behind still writes.
const DRAIN: &str = "--drain";
/// No order is longer. The operating system's own limit for arguments and environment is lower.
const MAX_ORDER_BYTES: u64 = 64 << 20;
const SIGKILL: i32 = 9;

/// Acts as the supervisor if the arguments of the process (its name first) say so, and returns
/// the exit code for it. `None`: this is an ordinary start. To be called before anything else.
pub fn supervisor_entry(args: impl IntoIterator<Item = OsString>) -> Option<i32> {
    let args: Vec<OsString> = args.into_iter().take(4).collect();
    if args.get(1).is_none_or(|arg| arg != SUBCOMMAND) {
        return None;
    }
    let code = match &args[2..] {
        [drain] if drain == DRAIN => drain_stdin(),
        [run_dir] => supervise_main(Path::new(run_dir)),
        _ => report("supervise: is started by andon itself, with a run folder"),
    };
    Some(code)
}

/// 0 when there is an exit record; otherwise the reason is on stderr, which is `supervisor.log`.
fn supervise_main(run_dir: &Path) -> i32 {
    match supervise(run_dir) {
        Ok(()) => 0,
        Err(error) => report(&format!("supervise: {error}")),
    }
}

/// 70: a defect, or a machine that does not let us work.
fn report(message: &str) -> i32 {
    let _ = writeln!(stderr(), "{message}");
    70
}

fn supervise(run_dir: &Path) -> io::Result<()> {
    leave_the_parent()?;
    let spec = read_order()?;
    let run = RunDir::new(run_dir.to_owned());
    let lock = File::from(stdout().as_fd().try_clone_to_owned()?);
    if !holds_lock(&lock, &run.lock_file())? {
        return Err(io::Error::other("stdout is not the lock of the run folder"));
    }
    if run.is_used() {
        return Err(io::Error::other("this run folder has been used"));
    }
    let rules = Rules {
        deadline: since_boot().saturating_add(spec.deadline.remaining()),
        grace: spec.grace_time(),
        leftovers: spec.leftovers,
    };
    let signals = Signals::catch()?;
    let log = OutputLog::new(create_private(&run.output_file())?, spec.caps);
    let exit_record = run.reserve_exit()?;
    let supervision = Supervision { run, spec, rules, signals, exit_record };
    let left_open = supervision.run(log)?;
    if let Some(pipe) = left_open {
        hand_to_drain(pipe)?;
    }
    Ok(())
}

/// Own session, own child tree, nothing inherited.
fn leave_the_parent() -> io::Result<()> {
    fds::keep_from_children();
    setsid()?;
    set_child_subreaper(Some(getpid()))?;
    umask(Mode::RWXG | Mode::RWXO);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // The name in process lists, which would be that of the link we were started through.
    let _ = fs::write("/proc/self/comm", "andon-supervise");
    Ok(())
}

fn read_order() -> io::Result<CommandSpec> {
    let mut bytes = Vec::new();
    stdin().lock().take(MAX_ORDER_BYTES).read_to_end(&mut bytes)?;
    // Not the parser's own message: it may quote the input, which may hold secrets.
    serde_json::from_slice(&bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the order is cut short or broken"))
}

struct Supervision {
    run: RunDir,
    spec: CommandSpec,
    rules: Rules,
    signals: Signals,
    exit_record: ReservedExit,
}

impl Supervision {
    /// From intent to exit record. Gives back the output pipe if somebody still holds it.
    fn run(self, log: OutputLog<File>) -> io::Result<Option<io::PipeReader>> {
        if let Some(end) = self.end_before_start() {
            self.record_unstarted(end)?;
            return Ok(None);
        }
        let (reader, writer) = io::pipe()?;
        let mut output = Output::new(reader, &Masker::new(self.spec.mask.clone()), log);
        let started =
            Started { started_at: now(), deadline_at: self.spec.deadline.instant(), command: None };
        self.run.put_started_durably(&started)?;
        let oom_kills = count_oom_kills();
        let started_at = since_boot();
        let pid = match start(&self.spec, writer) {
            Ok(pid) => pid,
            Err(end) => {
                self.record_unstarted(end)?;
                return Ok(None);
            }
        };
        // For those who look on: without it the command runs and is recorded all the same.
        let _ = self.run.put_started(&Started { command: ProcessId::of(pid), ..started });
        let watch = Watch {
            pid,
            parent: self.spec.parent,
            run: &self.run,
            rules: &self.rules,
            signals: &self.signals,
            output: &mut output,
        };
        let watched = watch.until_over();
        let (summary, pipe) = output.finish();
        self.exit_record.commit(&Exit {
            end: end_of(&watched, || count_oom_kills() > oom_kills),
            ended_with: match watched.cause {
                Cause::Itself => None,
                Cause::Deadline | Cause::Cancel => watched.status.and_then(WaitStatus::exit_status),
            },
            started: true,
            duration_ms: millis(watched.ended_at.saturating_sub(started_at)),
            output: summary,
            survivors: watched.survivors,
        })?;
        Ok(pipe)
    }

    fn end_before_start(&self) -> Option<End> {
        let is_orphan = is_orphan_of(self.spec.parent);
        if self.signals.stop_requested() || self.run.cancel_requested() || is_orphan {
            return Some(End::Cancelled);
        }
        (since_boot() >= self.rules.deadline).then_some(End::TimedOut)
    }

    fn record_unstarted(self, end: End) -> io::Result<()> {
        let output = OutputSummary::default();
        let exit =
            Exit { end, ended_with: None, started: false, duration_ms: 0, output, survivors: 0 };
        self.exit_record.commit(&exit)
    }
}

#[allow(clippy::disallowed_methods)] // This is the door to children.
fn start(spec: &CommandSpec, writer: io::PipeWriter) -> Result<i32, End> {
    // Asked first, because a failed start does not say whether the program or the folder is
    // missing. With "/." a file is no folder, and a folder closed to us is refused.
    fs::metadata(spec.cwd().join("."))
        .map_err(|error| cannot_start(spec.cwd().as_os_str(), &error))?;
    let failed = |error: io::Error| cannot_start(&spec.program, &error);
    let errors = writer.try_clone().map_err(failed)?;
    let child = Command::new(&spec.program)
        .args(&spec.args)
        .current_dir(spec.cwd())
        .env_clear()
        .envs(spec.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    Ok(child.id().cast_signed())
}

fn cannot_start(subject: &OsStr, error: &io::Error) -> End {
    End::CannotStart {
        // Bounded, because the room for the exit record is.
        subject: subject.to_string_lossy().chars().take(250).collect(),
        errno: error.raw_os_error(),
        reason: error.to_string(),
    }
}

fn end_of(watched: &Watched, oom_killed: impl Fn() -> bool) -> End {
    match watched.cause {
        Cause::Deadline => End::TimedOut,
        Cause::Cancel => End::Cancelled,
        Cause::Itself => {
            let signal = watched.status.and_then(WaitStatus::terminating_signal);
            let code = watched.status.and_then(WaitStatus::exit_status);
            match (signal, code) {
                (Some(signal), _) => {
                    End::Signaled { signal, oom_suspected: signal == SIGKILL && oom_killed() }
                }
                (None, code) => End::Exited { code: code.unwrap_or(-1) },
            }
        }
    }
}

/// How many processes the kernel has killed for want of memory since boot; 0 if it does not say.
fn count_oom_kills() -> u64 {
    let counters = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let line = counters.lines().find_map(|line| line.strip_prefix("oom_kill "));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

/// A service that a deploy step started in the background may write to the step's output for as
/// long as it lives. If nobody read that, its next line would end it with SIGPIPE, so a small
/// process of its own reads on; ours can then end, and what was left behind belongs to init.
#[allow(clippy::disallowed_methods)] // This is the door to children.
fn hand_to_drain(pipe: io::PipeReader) -> io::Result<()> {
    Command::new(launch::THIS_PROGRAM)
        .arg0("andon")
        .args([SUBCOMMAND, DRAIN])
        .env_clear()
        .current_dir("/")
        .stdin(pipe)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map(drop)
}

fn drain_stdin() -> i32 {
    let _ = fs::write("/proc/self/comm", "andon-drain");
    let _ = io::copy(&mut stdin().lock(), &mut io::sink());
    0
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
