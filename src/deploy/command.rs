//! A step that runs a command.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::StepEnd;
use crate::domain::errors::chain;
use crate::domain::evidence::{Excerpt, MAX_EXCERPT_BYTES};
use crate::domain::outcome::PhaseOutcome;
use crate::domain::spec::Command;
use crate::process::{
    Attachment, CommandSpec, Deadline, End, Exit, IfParentDies, Launcher, Leftovers, Orphan,
    OrphanEnd, ProcessError, Supervised, attach,
};

/// How often the output of a running step is looked at.
const FOLLOW_POLL: Duration = Duration::from_millis(100);
/// A supervisor that dies before it starts its command is replaced, up to so many in all. Nothing was
/// done then, so the start of the next one is the first.
const SUPERVISORS: usize = 3;

/// A command to run, with everything it gets.
pub struct CommandStep<'a> {
    /// The command.
    pub command: &'a Command,
    /// Its working directory.
    pub cwd: &'a Path,
    /// Its whole environment.
    pub variables: Vec<(String, String)>,
    /// Values to mask in its output.
    pub mask: Vec<String>,
    /// When its process tree is ended.
    pub deadline_at: Timestamp,
    /// The instant now.
    pub now: Timestamp,
    /// What becomes of processes that it leaves behind when it ends by itself.
    pub leftovers: Leftovers,
    /// What becomes of it when this process dies.
    pub if_parent_dies: IfParentDies,
}

/// What a run folder says about a step whose start was recorded.
pub enum TakenUp {
    /// Nothing was ever started in it, and nothing can be any more.
    NeverStarted,
    /// It ended, now or earlier, or nobody will ever know how: then it is interrupted.
    Ended(StepEnd),
}

/// Starts a command and waits for its end. `on_output` gets its output as it comes, masked.
pub async fn run(
    launcher: &Launcher,
    run_dir: &Path,
    step: CommandStep<'_>,
    mut on_output: impl FnMut(&[u8]),
    cancel: &CancellationToken,
) -> StepEnd {
    let spec = spec_of(step);
    let mut supervisors = 1;
    loop {
        let ended = match launcher.launch(run_dir, &spec).await {
            Ok(supervised) => follow(supervised, &mut on_output, cancel).await,
            Err(fault) => Err(fault),
        };
        match ended {
            Ok(exit) => return end_of(&exit, run_dir),
            Err(fault @ ProcessError::NotStarted { .. })
                if supervisors < SUPERVISORS && !cancel.is_cancelled() =>
            {
                supervisors += 1;
                tracing::warn!(fault = chain(&fault), "the step gets another supervisor");
                remove_unused(run_dir);
            }
            Err(fault) => return end_without_record(&fault, run_dir, cancel).await,
        }
    }
}

/// Removes what a supervisor left behind that started nothing.
pub fn remove_unused(run_dir: &Path) {
    if let Err(fault) = std::fs::remove_dir_all(run_dir)
        && fault.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(fault = chain(&fault), "cannot remove an unused run folder");
    }
}

/// Finds out about a command whose start was recorded by a process that is gone, and waits for its
/// end if it still runs.
pub async fn take_up(
    run_dir: &Path,
    on_output: impl FnMut(&[u8]),
    cancel: &CancellationToken,
) -> TakenUp {
    match attach(run_dir) {
        Ok(Attachment::NeverStarted) => TakenUp::NeverStarted,
        Ok(Attachment::Finished(exit)) => TakenUp::Ended(end_of(&exit, run_dir)),
        Ok(Attachment::Running(supervised)) => match follow(supervised, on_output, cancel).await {
            Ok(exit) => TakenUp::Ended(end_of(&exit, run_dir)),
            Err(ProcessError::NotStarted { .. }) => TakenUp::NeverStarted,
            Err(fault) => TakenUp::Ended(end_without_record(&fault, run_dir, cancel).await),
        },
        Ok(Attachment::Lost { still_running }) => {
            let fault = "its supervisor is gone and nobody saw how it ended";
            TakenUp::Ended(end_of_lost(fault, still_running, run_dir, cancel).await)
        }
        Err(fault) => TakenUp::Ended(end_of_fault(&fault, run_dir)),
    }
}

async fn follow(
    mut supervised: Supervised,
    mut on_output: impl FnMut(&[u8]),
    cancel: &CancellationToken,
) -> Result<Exit, ProcessError> {
    let mut cursor = supervised.output();
    let mut ticks = tokio::time::interval(FOLLOW_POLL);
    let mut asked_to_end = false;
    let waited = loop {
        tokio::select! {
            waited = supervised.wait() => break waited,
            _ = ticks.tick() => cursor.read_new(&mut on_output),
            () = cancel.cancelled(), if !asked_to_end => {
                asked_to_end = true;
                if let Err(fault) = supervised.cancel() {
                    tracing::error!(%fault, "cannot ask the supervisor to end the step");
                }
            }
        }
    };
    cursor.read_new(&mut on_output);
    waited
}

/// The end of a step whose supervisor left none.
async fn end_without_record(
    fault: &ProcessError,
    run_dir: &Path,
    cancel: &CancellationToken,
) -> StepEnd {
    match fault {
        ProcessError::Lost { .. } => {
            let orphan = Orphan::of(run_dir).ok().flatten();
            end_of_lost(&chain(fault), orphan, run_dir, cancel).await
        }
        other => end_of_fault(other, run_dir),
    }
}

/// The end of a command that lost its supervisor. While it lives it may still change the environment,
/// so nothing else begins before it is gone.
async fn end_of_lost(
    fault: &str,
    orphan: Option<Orphan>,
    run_dir: &Path,
    cancel: &CancellationToken,
) -> StepEnd {
    let Some(orphan) = orphan else { return interrupted(fault, run_dir) };
    let pid = orphan.pid();
    tracing::warn!("a command lost its supervisor: process {pid} is waited for");
    let told = match orphan.ended(cancel).await {
        OrphanEnd::ByItself => format!("its process {pid} ended later, nobody knows how"),
        OrphanEnd::AtDeadline => format!("its process {pid} was ended at its deadline"),
        OrphanEnd::Cancelled => format!("its process {pid} was ended"),
        OrphanEnd::Lives => format!("its process {pid} still runs and cannot be ended"),
    };
    interrupted(&format!("{fault}; {told}"), run_dir)
}

fn spec_of(step: CommandStep<'_>) -> CommandSpec {
    let deadline = Deadline::at(step.deadline_at, step.now);
    let mut spec = match step.command {
        Command::Shell(text) => CommandSpec::shell(text, step.cwd, deadline),
        Command::Argv(argv) => {
            let (program, args) =
                argv.split_first().expect("a checked pipeline has no empty command");
            args.iter().fold(CommandSpec::new(program, step.cwd, deadline), CommandSpec::arg)
        }
    };
    for (name, value) in step.variables {
        spec = spec.env(name, value);
    }
    spec.mask(step.mask).leftovers(step.leftovers).if_parent_dies(step.if_parent_dies)
}

fn end_of(exit: &Exit, run_dir: &Path) -> StepEnd {
    let outcome = match &exit.end {
        End::Exited { code: 0 } => PhaseOutcome::Passed,
        End::Exited { .. } | End::Signaled { .. } | End::CannotStart { .. } => PhaseOutcome::Failed,
        End::TimedOut => PhaseOutcome::TimedOut,
        End::Cancelled => PhaseOutcome::Cancelled,
    };
    let mut detail = exit.end.to_string();
    if exit.ended_with == Some(0) {
        detail = format!("{detail}, but ended with code 0: it may have done all it should");
    }
    if exit.survivors > 0 {
        detail = format!("{detail}; {} of its processes could not be ended", exit.survivors);
    }
    if let Some(fault) = &exit.output.write_error {
        detail = format!("{detail}; its output is not whole: {fault}");
    }
    let output = output_tail(run_dir, exit.output.total_bytes);
    let exit_code = match exit.end {
        End::Exited { code } => Some(code),
        End::Signaled { .. } | End::CannotStart { .. } | End::TimedOut | End::Cancelled => None,
    };
    StepEnd { exit: exit_code, outcome, duration_ms: exit.duration_ms, detail, output }
}

fn end_of_fault(fault: &ProcessError, run_dir: &Path) -> StepEnd {
    let text = chain(fault);
    match fault {
        ProcessError::Lost { .. } => interrupted(&text, run_dir),
        // A used folder or a record that cannot be read: what ran there is not known to us.
        ProcessError::Used { .. } | ProcessError::Record(_) => interrupted(&text, run_dir),
        ProcessError::Folder { .. }
        | ProcessError::Supervisor { .. }
        | ProcessError::NotStarted { .. } => StepEnd {
            exit: None,
            outcome: PhaseOutcome::Errored,
            duration_ms: 0,
            detail: text,
            output: None,
        },
    }
}

fn interrupted(detail: &str, run_dir: &Path) -> StepEnd {
    let output = output_tail(run_dir, 0);
    StepEnd {
        exit: None,
        outcome: PhaseOutcome::Interrupted,
        duration_ms: 0,
        detail: detail.to_owned(),
        output,
    }
}

/// The end of what a step wrote, as it stands in its log.
fn output_tail(run_dir: &Path, total_bytes: u64) -> Option<Excerpt> {
    let mut file = std::fs::File::open(run_dir.join("output.log")).ok()?;
    let length = file.metadata().ok()?.len();
    let keep = MAX_EXCERPT_BYTES as u64;
    file.seek(SeekFrom::Start(length.saturating_sub(keep))).ok()?;
    let mut bytes = Vec::new();
    file.take(keep).read_to_end(&mut bytes).ok()?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if length > keep {
        // The first line is a piece of one.
        text = text.split_once('\n').map_or(text.clone(), |(_, rest)| rest.to_owned());
    }
    let bytes = total_bytes.max(length);
    (bytes > 0).then_some(Excerpt { cut: bytes > text.len() as u64, text, bytes })
}
