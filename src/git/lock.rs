//! One fetch at a time per mirror, over threads and processes.
//!
//! The kernel's file lock goes away with its holder, so a crash leaves no lock behind. It does
//! leave a note: the file is not empty while a fetch writes, and whoever finds it so cleans up.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::error::Error;

/// How often a held lock is asked for again.
const PAUSE: Duration = Duration::from_millis(10);

/// The right to write to one mirror. Released on drop.
#[derive(Debug)]
pub(super) struct MirrorLock {
    file: File,
    path: PathBuf,
}

impl MirrorLock {
    /// Waits for the lock until `deadline`; `None` when it is still held then.
    pub(super) fn acquire(path: &Path, deadline: Instant) -> Result<Option<Self>, Error> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(Error::io("open the lock", path))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { file, path: path.to_owned() })),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
            }
        }
    }

    /// What an earlier holder left: whether it died while writing, or asked for a new mirror.
    pub(super) fn note(&self) -> Result<Note, Error> {
        let mut text = String::new();
        let mut file = &self.file;
        file.rewind()
            .and_then(|()| file.take(16).read_to_string(&mut text))
            .map_err(Error::io("read the lock", &self.path))?;
        Ok(match text.as_str() {
            "" => Note::Clean,
            "suspect" => Note::Suspect,
            _ => Note::Interrupted,
        })
    }

    /// Leaves a note for the next holder.
    pub(super) fn set_note(&self, note: Note) -> Result<(), Error> {
        let text = match note {
            Note::Clean => "",
            Note::Interrupted => "writing",
            Note::Suspect => "suspect",
        };
        let mut file = &self.file;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(Error::io("write the lock", &self.path))
    }
}

/// The state of a mirror as its last writer left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// The last fetch ended.
    Clean,
    /// A fetch was writing and did not end.
    Interrupted,
    /// A reader found damage: make it anew.
    Suspect,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_second_holder_waits_and_finds_the_note_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let first = MirrorLock::acquire(&path, Instant::now()).unwrap().unwrap();
        assert!(MirrorLock::acquire(&path, Instant::now()).unwrap().is_none());
        assert_eq!(first.note().unwrap(), Note::Clean);
        first.set_note(Note::Interrupted).unwrap();
        drop(first);
        let second = MirrorLock::acquire(&path, Instant::now()).unwrap().unwrap();
        assert_eq!(second.note().unwrap(), Note::Interrupted);
        second.set_note(Note::Suspect).unwrap();
        assert_eq!(second.note().unwrap(), Note::Suspect);
        second.set_note(Note::Clean).unwrap();
        assert_eq!(second.note().unwrap(), Note::Clean);
    }
}
