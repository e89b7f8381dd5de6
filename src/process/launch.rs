//! Our side of a supervised command: order it, follow it, cancel it, find it again after a crash.
//!
//! Dropping any of this stops nothing: only a cancel, a deadline or the command itself does.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::exit::Exit;
use super::orphan::Orphan;
use super::record::{ReadError, RunDir, create_private, try_lock};
use super::spec::CommandSpec;
use super::supervisor::SUBCOMMAND;

/// This very program, also after the file was replaced by an upgrade: supervisor and parent are
/// always of one build.
pub(super) const THIS_PROGRAM: &str = "/proc/self/exe";
/// How often a supervisor that is not our child is looked at. Our own wakes us when it ends.
const ADOPTED_POLL: Duration = Duration::from_millis(50);
/// How long a supervisor may take to read its order, which is the first thing it does.
const ORDER_TIME: Duration = Duration::from_secs(30);
const OUTPUT_CHUNK_BYTES: usize = 64 * 1024;

/// Why a supervised command could not be ordered or its end not be learnt. That the command
/// itself failed, or could not be started, is not an error here but an [`Exit`].
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The run folder cannot be made or used.
    #[error("run folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A run folder starts its command at most once.
    #[error("run folder {path} has been used")]
    Used {
        /// The folder.
        path: PathBuf,
    },
    /// The supervisor could not be started.
    #[error("supervisor {program}")]
    Supervisor {
        /// The program that should have become the supervisor.
        program: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// The supervisor ended before it started the command, so nothing was done.
    #[error("supervisor of {path} ended before the command was started{}", said(detail))]
    NotStarted {
        /// The run folder.
        path: PathBuf,
        /// What the supervisor had to say, possibly nothing.
        detail: String,
    },
    /// The supervisor is gone without an exit record: the command may have done anything.
    #[error("supervisor of {path} is gone and left no exit record{}", said(detail))]
    Lost {
        /// The run folder.
        path: PathBuf,
        /// What the supervisor had to say, possibly nothing.
        detail: String,
    },
    /// A record is there but cannot be understood.
    #[error(transparent)]
    Record(#[from] ReadError),
}

/// What the supervisor had to say, if anything, as the end of a sentence.
fn said(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

/// Starts supervisors.
#[derive(Debug, Clone)]
pub struct Launcher {
    program: PathBuf,
}

impl Launcher {
    /// Uses this very program as the supervisor.
    pub fn current() -> Self {
        Self::new(THIS_PROGRAM)
    }

    /// Uses another copy of the `andon` program as the supervisor.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into() }
    }

    /// Orders the command from a new supervisor. Once this returns, the command is started, or
    /// about to be, whatever becomes of us. Dropped half-way, it starts nothing.
    pub async fn launch(
        &self,
        run_dir: &Path,
        spec: &CommandSpec,
    ) -> Result<Supervised, ProcessError> {
        let folder_failed = |source| ProcessError::Folder { path: run_dir.to_owned(), source };
        let supervisor_failed =
            |source| ProcessError::Supervisor { program: self.program.clone(), source };
        let run = RunDir::new(std::path::absolute(run_dir).map_err(folder_failed)?);
        run.create().map_err(folder_failed)?;
        // The supervisor inherits the lock, so there is no moment in which a supervisor exists
        // and the lock is free: a free lock proves that nobody can start the command any more.
        let lock = try_lock(&run.lock_file()).map_err(folder_failed)?;
        let Some(lock) = lock.filter(|_| !run.is_used()) else {
            return Err(ProcessError::Used { path: run_dir.to_owned() });
        };
        let log = create_private(&run.supervisor_log()).map_err(folder_failed)?;
        let order = serde_json::to_vec(spec).map_err(|error| supervisor_failed(error.into()))?;
        let mut child = self.supervisor(&run, lock, log).spawn().map_err(supervisor_failed)?;
        let mut stdin = child.stdin.take().expect("the supervisor's stdin is a pipe");
        let sent = tokio::time::timeout(ORDER_TIME, stdin.write_all(&order)).await;
        drop(stdin);
        let supervised = Supervised { run, child: Some(child) };
        match sent {
            Ok(Ok(())) => Ok(supervised),
            // It did not get the whole order, so it can never start anything.
            Ok(Err(_)) | Err(_) => Err(supervised.not_started()),
        }
    }

    #[allow(clippy::disallowed_methods)] // This is the door to children.
    fn supervisor(&self, run: &RunDir, lock: File, log: File) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg0("andon")
            .arg(SUBCOMMAND)
            .arg(run.path())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(lock)
            .stderr(log);
        command
    }
}

/// What became of a command whose parent is gone.
#[derive(Debug)]
pub enum Attachment {
    /// It is over; this is how it ended.
    Finished(Exit),
    /// Its supervisor is alive.
    Running(Supervised),
    /// It was never started, and nobody is left who could start it.
    NeverStarted,
    /// Its supervisor is gone without an exit record: it may have done anything.
    Lost {
        /// The command, if it still runs.
        still_running: Option<Orphan>,
    },
}

/// Whether somebody asked for the end of the command of a run folder ([`Supervised::cancel`]).
pub fn was_asked_to_end(run_dir: &Path) -> bool {
    RunDir::new(run_dir.to_owned()).cancel_requested()
}

/// Finds out about the command of a run folder, however its parent or supervisor died.
pub fn attach(run_dir: &Path) -> Result<Attachment, ProcessError> {
    let folder_failed = |source| ProcessError::Folder { path: run_dir.to_owned(), source };
    if !run_dir.exists() {
        return Ok(Attachment::NeverStarted);
    }
    let run = RunDir::new(std::path::absolute(run_dir).map_err(folder_failed)?);
    // The lock comes first: once it is ours, no record can appear behind our back.
    let lock = try_lock(&run.lock_file()).map_err(folder_failed)?;
    if let Some(exit) = run.load_exit()? {
        return Ok(Attachment::Finished(exit));
    }
    if lock.is_none() {
        return Ok(Attachment::Running(Supervised { run, child: None }));
    }
    Ok(match run.load_started()? {
        None => Attachment::NeverStarted,
        Some(_) => Attachment::Lost { still_running: Orphan::of(run.path())? },
    })
}

/// A command that a supervisor looks after. To drop it is to stop watching, nothing else.
#[derive(Debug)]
pub struct Supervised {
    run: RunDir,
    /// `None` for a supervisor that an earlier process of ours started.
    child: Option<Child>,
}

impl Supervised {
    /// The run folder.
    pub fn run_dir(&self) -> &Path {
        self.run.path()
    }

    /// Asks the supervisor to end the command and all its descendants. Returns at once; the end
    /// is learnt by [`Supervised::wait`].
    pub fn cancel(&self) -> Result<(), ProcessError> {
        self.run
            .request_cancel()
            .map_err(|source| ProcessError::Folder { path: self.run_dir().to_owned(), source })
    }

    /// A reader of the output from its beginning.
    pub fn output(&self) -> OutputCursor {
        OutputCursor { path: self.run.output_file(), file: None }
    }

    /// Waits for the end. The supervisor keeps the deadline. May be dropped and called again, so
    /// it can be selected with a timer that reads [`Supervised::output`] and with a cancel.
    pub async fn wait(&mut self) -> Result<Exit, ProcessError> {
        // The lock is the truth; the end of our child only spares us looking at it.
        let child_ended = match &mut self.child {
            Some(child) => child.wait().await.is_ok(),
            None => false,
        };
        if !child_ended {
            self.wait_for_lock().await?;
        }
        match self.run.load_exit()? {
            Some(exit) => Ok(exit),
            None => Err(self.no_exit()?),
        }
    }

    async fn wait_for_lock(&self) -> Result<(), ProcessError> {
        let failed = |source| ProcessError::Folder { path: self.run_dir().to_owned(), source };
        while try_lock(&self.run.lock_file()).map_err(failed)?.is_none() {
            tokio::time::sleep(ADOPTED_POLL).await;
        }
        Ok(())
    }

    fn no_exit(&self) -> Result<ProcessError, ReadError> {
        Ok(match self.run.load_started()? {
            None => self.not_started(),
            Some(_) => {
                ProcessError::Lost { path: self.run_dir().to_owned(), detail: self.detail() }
            }
        })
    }

    fn not_started(&self) -> ProcessError {
        ProcessError::NotStarted { path: self.run_dir().to_owned(), detail: self.detail() }
    }

    /// The beginning of what the supervisor wrote to its log.
    fn detail(&self) -> String {
        let mut text = Vec::new();
        if let Ok(file) = File::open(self.run.supervisor_log()) {
            let _ = file.take(2000).read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    }
}

/// Reads the output log while it grows. The middle of an output beyond the caps never appears.
#[derive(Debug)]
pub struct OutputCursor {
    path: PathBuf,
    file: Option<File>,
}

impl OutputCursor {
    /// Hands over what has come since the last call, in chunks of at most 64 KiB. A log that
    /// cannot be read is an empty one: following is a convenience and changes no result.
    pub fn read_new(&mut self, on_output: &mut impl FnMut(&[u8])) {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else { return };
        let mut chunk = vec![0; OUTPUT_CHUNK_BYTES];
        while let Ok(count @ 1..) = file.read(&mut chunk) {
            on_output(&chunk[..count]);
        }
    }
}
