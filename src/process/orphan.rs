//! A command whose supervisor was killed, and that still runs: nobody learns how it ends, but no other
//! deploy may begin beside it. It is waited for until the deadline that its supervisor would have kept,
//! then ended with what still belongs to it: its descendants and its session. Processes that left both
//! are out of sight.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::launch::ProcessError;
use super::record::RunDir;
use super::tree::{self, ProcessId};

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(50);
/// How long it may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);
/// How long after it was killed it is waited for: in a system call that never returns, nothing ends it.
const GIVE_UP: Duration = Duration::from_secs(10);

/// A command that lives without its supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orphan {
    command: ProcessId,
    session: i32,
    deadline_at: Timestamp,
}

/// How a command without a supervisor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrphanEnd {
    /// By itself; nobody knows with which code.
    ByItself,
    /// It was ended at its deadline.
    AtDeadline,
    /// It was ended because somebody asked for that.
    Cancelled,
    /// Nothing ended it.
    Lives,
}

impl Orphan {
    /// The command of a run folder, if it lives and no supervisor does.
    ///
    /// # Errors
    /// When the records of the folder cannot be read.
    pub fn of(run_dir: &Path) -> Result<Option<Self>, ProcessError> {
        let started = RunDir::new(run_dir.to_owned()).load_started()?;
        Ok(started.and_then(|started| {
            let command = started.command.filter(|command| command.is_alive())?;
            let session = tree::session_of(command)?;
            Some(Self { command, session, deadline_at: started.deadline_at })
        }))
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.command.pid
    }

    /// Waits until nothing of it is left; ends it at its deadline, or as soon as `cancel` fires. May be
    /// dropped: it goes on then, and can be waited for again.
    pub async fn ended(&self, cancel: &CancellationToken) -> OrphanEnd {
        let why = loop {
            if !self.is_alive() {
                return OrphanEnd::ByItself;
            }
            // The boot-time deadline went with the supervisor: what is left is the wall clock.
            if clock::now() >= self.deadline_at {
                break OrphanEnd::AtDeadline;
            }
            tokio::select! {
                () = cancel.cancelled() => break OrphanEnd::Cancelled,
                () = tokio::time::sleep(POLL) => {}
            }
        };
        tree::terminate(&self.family());
        if self.gone_within(GRACE, || {}).await {
            return why;
        }
        // Killed again and again: what it forks meanwhile belongs to it, too.
        match self.gone_within(GIVE_UP, || tree::kill(&self.family())).await {
            true => why,
            false => OrphanEnd::Lives,
        }
    }

    async fn gone_within(&self, time: Duration, act: impl Fn()) -> bool {
        let until = tokio::time::Instant::now() + time;
        loop {
            act();
            if !self.is_alive() {
                return true;
            }
            if tokio::time::Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn family(&self) -> Vec<tree::Member> {
        tree::family_of(self.command, self.session)
    }

    fn is_alive(&self) -> bool {
        !self.family().is_empty()
    }
}
