//! The folder in which commands are tried: checkout, runs, results. It goes with the trial; what a process
//! that was killed left behind goes with the next one.
//!
//! Whoever uses a folder holds its lock, which is there, and locked, from the moment that it has its name. So a
//! lock that is free says that nobody is left.
//!
//! What it must not do: remove what is not surely a folder of ours that nobody uses, or follow a link.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::geteuid;

use crate::command::RunFolder;
use crate::process::{Attachment, attach};

/// What the names of such folders begin with.
const PREFIX: &str = "andon-prove-";
/// Their lock.
const LOCK: &str = "lock";
/// Where their runs are.
const RUNS: &str = "runs";
/// Only our user may look into one.
const OURS_ALONE: u32 = 0o700;

/// A folder of this process. It goes when this is dropped.
pub struct Folder {
    // In this order: the lock is free once nothing is left.
    folder: tempfile::TempDir,
    _lock: File,
}

impl Folder {
    /// A new one among the machine's temporary files. Those that nobody uses any more are removed first.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new() -> io::Result<Self> {
        let within = std::env::temp_dir();
        sweep(&within);
        Self::new_within(&within)
    }

    fn new_within(within: &Path) -> io::Result<Self> {
        let ours_alone = fs::Permissions::from_mode(OURS_ALONE);
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix(PREFIX).permissions(ours_alone).tempdir_in(within)?;
        // Locked before it has its name, so that nobody ever finds it free.
        let nameless = folder.path().join("lock.new");
        let lock = File::create_new(&nameless)?;
        lock.lock()?;
        fs::rename(&nameless, folder.path().join(LOCK))?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where the checkout goes.
    pub fn checkout(&self) -> PathBuf {
        self.folder.path().join("checkout")
    }

    /// Where runs go.
    pub fn runs(&self) -> PathBuf {
        self.folder.path().join(RUNS)
    }
}

/// Removes the folders that nobody uses any more. What cannot be removed stays, and is tried again by the next.
fn sweep(within: &Path) {
    let Ok(entries) = fs::read_dir(within) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let path = entry.path();
        let Some(_lock) = unused(&path, entry.ino()) else { continue };
        if let Err(fault) = remove(&path) {
            tracing::debug!(%fault, path = %path.display(), "a folder of an earlier trial stays");
        }
    }
}

/// Removes a folder, its lock last: what is left of one that cannot go whole is known as free the next time.
fn remove(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == LOCK {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    fs::remove_dir_all(path)
}

/// The lock of a folder of ours that nobody uses: neither whoever made it, nor a supervisor that still ends
/// its command.
fn unused(path: &Path, inode: u64) -> Option<File> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(path, flags | OFlags::DIRECTORY, Mode::empty()).ok()?;
    let folder = File::from(folder);
    let is = folder.metadata().ok()?;
    let us = geteuid().as_raw();
    if is.ino() != inode || is.uid() != us || is.mode() & 0o7777 != OURS_ALONE {
        return None;
    }
    let lock = rustix::fs::openat(&folder, LOCK, flags | OFlags::RDWR, Mode::empty()).ok()?;
    let lock = File::from(lock);
    if !lock.metadata().is_ok_and(|lock| lock.is_file() && lock.uid() == us) {
        return None;
    }
    match lock.try_lock() {
        Ok(()) => (!has_life(path)).then_some(lock),
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
    }
}

/// Whether one of its commands may still run; what cannot be read may.
fn has_life(path: &Path) -> bool {
    let runs = match fs::read_dir(path.join(RUNS)) {
        Ok(runs) => runs,
        Err(fault) => return fault.kind() != io::ErrorKind::NotFound,
    };
    let mut supervised = runs.flatten().map(|run| RunFolder::at(run.path()).supervised());
    supervised.any(|run| match attach(&run) {
        Ok(Attachment::Running(_) | Attachment::Lost { still_running: Some(_) }) | Err(_) => true,
        Ok(
            Attachment::Finished(_)
            | Attachment::NeverStarted
            | Attachment::Lost { still_running: None },
        ) => false,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(within: &Path) -> Vec<String> {
        let entries = fs::read_dir(within).unwrap().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// A folder as a killed process leaves it.
    fn left_behind(within: &Path) -> PathBuf {
        let Folder { folder, _lock } = Folder::new_within(within).unwrap();
        folder.keep()
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_somebody_uses_stays() {
        let within = tempfile::tempdir().unwrap();
        let used = Folder::new_within(within.path()).unwrap();
        let left = left_behind(within.path());
        fs::create_dir_all(left.join("runs/01-ideal/results")).unwrap();
        sweep(within.path());
        assert_eq!(
            names(within.path()),
            [used.folder.path().file_name().unwrap().to_str().unwrap()]
        );
        drop(used);
        assert_eq!(names(within.path()), [""; 0]);
    }

    #[test]
    fn what_is_not_surely_ours_stays() {
        let within = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let precious = left_behind(elsewhere.path());
        let link = within.path().join("andon-prove-link");
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        // One that is being made has no lock yet; a lock that leads elsewhere is none.
        fs::create_dir(within.path().join("andon-prove-begun")).unwrap();
        let mode = fs::Permissions::from_mode(0o700);
        fs::set_permissions(within.path().join("andon-prove-begun"), mode).unwrap();
        let odd = left_behind(within.path());
        fs::remove_file(odd.join(LOCK)).unwrap();
        std::os::unix::fs::symlink(precious.join(LOCK), odd.join(LOCK)).unwrap();
        let open = left_behind(within.path());
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(within.path().join("andon-prove-file"), "x").unwrap();
        fs::create_dir(within.path().join("other")).unwrap();
        let before = names(within.path());
        sweep(within.path());
        assert_eq!(names(within.path()), before);
        assert!(precious.join(LOCK).exists());
    }

    #[test]
    fn links_within_lead_nowhere() {
        let within = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("precious"), "x").unwrap();
        let left = left_behind(within.path());
        std::os::unix::fs::symlink(elsewhere.path(), left.join("checkout")).unwrap();
        sweep(within.path());
        assert_eq!(names(within.path()), [""; 0]);
        assert_eq!(names(elsewhere.path()), ["precious"]);
    }
}
