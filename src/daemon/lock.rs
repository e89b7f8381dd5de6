//! One daemon for each state folder, and one search by hand for each environment.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::domain::names::EnvironmentName;

/// The file whose lock is held; its text names the process, for people.
const FILE: &str = "daemon.lock";

/// Held as long as its holder lives; the kernel lets go of it when the process ends, however.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it: one that serves the state folder, or that searches.
    #[error("process {pid} {does} already")]
    Taken {
        /// Its process id, as it wrote it.
        pid: String,
        /// What it does, for people.
        does: String,
    },
    /// The file could not be opened or locked.
    #[error("cannot lock {path}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl StateLock {
    /// Takes the lock of a state folder.
    ///
    /// # Errors
    /// When another process holds it, or the file cannot be opened.
    pub fn take(state: &Path) -> Result<Self, LockError> {
        Self::take_file(state, FILE, "serves the state folder")
    }

    /// Takes the right to search in an environment by hand.
    ///
    /// # Errors
    /// As [`StateLock::take`].
    pub fn take_search(state: &Path, environment: &EnvironmentName) -> Result<Self, LockError> {
        let does = format!("searches in {environment}");
        Self::take_file(state, &format!("search-{environment}.lock"), &does)
    }

    fn take_file(state: &Path, file: &str, does: &str) -> Result<Self, LockError> {
        let path = state.join(file);
        let failed = |source| LockError::Io { path: path.display().to_string(), source };
        std::fs::create_dir_all(state).map_err(failed)?;
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let mut file = open.map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                // Whoever holds it writes right after taking it; an empty file only lacks the number.
                let _ = file.take(20).read_to_string(&mut pid);
                let (pid, does) = (pid.trim().to_owned(), does.to_owned());
                return Err(LockError::Taken { pid, does });
            }
            Err(fault) => return Err(failed(fault.into())),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(fault) = written {
            // The lock is what counts: a full disk keeps nobody from serving what is stored.
            tracing::warn!("{} does not name this process: {fault}", path.display());
        }
        Ok(Self { _file: file })
    }
}

/// Whether a daemon serves a state folder now.
pub fn is_served(state: &Path) -> bool {
    let Ok(file) = File::open(state.join(FILE)) else { return false };
    // Shared, so that two who ask do not take each other for a daemon; let go of at once.
    flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_the_next_after_it() {
        let state = tempfile::tempdir().unwrap();
        assert!(!is_served(state.path()));
        let first = StateLock::take(state.path()).unwrap();
        assert!(is_served(state.path()));
        let refused = StateLock::take(state.path()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("process {} serves the state folder already", std::process::id())
        );
        drop(first);
        assert!(!is_served(state.path()));
        StateLock::take(state.path()).unwrap();
    }
}
