//! The files of a run folder: how they are named, made durable, locked and read back.
//!
//! A record is complete or absent, never torn: it is written beside its name and renamed.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::tree::ProcessId;

/// The version of the records. A supervisor of one build may be adopted by the next.
const VERSION: u32 = 1;
/// No record is longer; the room for the exit record is reserved in this size.
const MAX_RECORD_BYTES: usize = 4096;

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    record: T,
}

/// Content of `started.json`: there before the command is started, so its absence proves that
/// nothing was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    pub(super) started_at: Timestamp,
    pub(super) deadline_at: Timestamp,
    /// Filled in right after the start.
    pub(super) command: Option<ProcessId>,
}

/// A run folder, by its path.
#[derive(Debug, Clone)]
pub(super) struct RunDir(PathBuf);

impl RunDir {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(super) fn output_file(&self) -> PathBuf {
        self.0.join("output.log")
    }

    pub(super) fn supervisor_log(&self) -> PathBuf {
        self.0.join("supervisor.log")
    }

    fn started_file(&self) -> PathBuf {
        self.0.join("started.json")
    }

    fn exit_file(&self) -> PathBuf {
        self.0.join("exit.json")
    }

    fn cancel_file(&self) -> PathBuf {
        self.0.join("cancel")
    }

    /// Creates the folder for our user alone; one that is there is taken as it is.
    pub(super) fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    pub(super) fn is_used(&self) -> bool {
        self.started_file().exists() || self.exit_file().exists()
    }

    pub(super) fn request_cancel(&self) -> io::Result<()> {
        create_private(&self.cancel_file()).map(drop)
    }

    pub(super) fn cancel_requested(&self) -> bool {
        self.cancel_file().exists()
    }

    pub(super) fn load_started(&self) -> Result<Option<Started>, ReadError> {
        load(&self.started_file())
    }

    pub(super) fn load_exit(&self) -> Result<Option<Exit>, ReadError> {
        load(&self.exit_file())
    }

    /// Puts the record on disk, with the folder and its place in the parent folder, so that it
    /// survives a power cut.
    pub(super) fn put_started_durably(&self, started: &Started) -> io::Result<()> {
        let target = self.started_file();
        let file = write_aside(&target, started)?;
        file.sync_all()?;
        publish(&target)?;
        sync_dir(&self.0)?;
        self.0.parent().map_or(Ok(()), sync_dir)
    }

    /// Replaces the record. Survives any death of processes; after a power cut the earlier one,
    /// which was durable, may be back.
    pub(super) fn put_started(&self, started: &Started) -> io::Result<()> {
        let target = self.started_file();
        write_aside(&target, started)?;
        publish(&target)
    }

    /// Takes the room for the exit record now, so that an output which fills the disk cannot
    /// keep the command's end from being recorded.
    pub(super) fn reserve_exit(&self) -> io::Result<ReservedExit> {
        let target = self.exit_file();
        let file = create_private(&aside(&target))?;
        take_room(&file)?;
        Ok(ReservedExit { file, target })
    }
}

/// Takes the blocks of a record from the disk, now. Only a file system that cannot be asked for them
/// has to be written to, and waited for.
fn take_room(mut file: &File) -> io::Result<()> {
    let taken = rustix::fs::fallocate(file, FallocateFlags::empty(), 0, MAX_RECORD_BYTES as u64);
    match taken {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            file.write_all(&[b' '; MAX_RECORD_BYTES])?;
            file.sync_all()
        }
        taken => Ok(taken?),
    }
}

/// The room that is kept for `exit.json`.
pub(super) struct ReservedExit {
    file: File,
    target: PathBuf,
}

impl ReservedExit {
    pub(super) fn commit(mut self, exit: &Exit) -> io::Result<()> {
        let bytes = encode(exit)?;
        self.file.rewind()?;
        self.file.write_all(&bytes)?;
        self.file.set_len(bytes.len() as u64)?;
        self.file.sync_all()?;
        publish(&self.target)?;
        self.target.parent().map_or(Ok(()), sync_dir)
    }
}

/// Opens the lock file and takes the lock; `None` when somebody else has it.
pub(super) fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether the open file is the lock of this folder and its lock is ours: handed down by the
/// parent that opened it.
pub(super) fn holds_lock(lock: &File, path: &Path) -> io::Result<bool> {
    let (ours, named) = (lock.metadata()?, fs::metadata(path)?);
    let same_file = ours.dev() == named.dev() && ours.ino() == named.ino();
    Ok(same_file && lock.try_lock().is_ok())
}

/// A file that only our user reads.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Why a record that is there cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("record {path}")]
pub struct ReadError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ReadError> {
    let failed = |source| ReadError { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_RECORD_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    decode(&bytes).map(Some).map_err(failed)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    // The version is read first: a record of another version may have another form.
    let head: Versioned<serde::de::IgnoredAny> = serde_json::from_slice(bytes)?;
    if head.version != VERSION {
        let message = format!("has version {}, this program reads version {VERSION}", head.version);
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let versioned: Versioned<T> = serde_json::from_slice(bytes)?;
    Ok(versioned.record)
}

fn encode<T: Serialize>(record: T) -> io::Result<Vec<u8>> {
    let bytes = serde_json::to_vec(&Versioned { version: VERSION, record })?;
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "record is too long"));
    }
    Ok(bytes)
}

fn aside(target: &Path) -> PathBuf {
    target.with_extension("json.tmp")
}

fn write_aside<T: Serialize>(target: &Path, record: T) -> io::Result<File> {
    let mut file = create_private(&aside(target))?;
    file.write_all(&encode(record)?)?;
    Ok(file)
}

fn publish(target: &Path) -> io::Result<()> {
    fs::rename(aside(target), target)
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::exit::{End, OutputSummary};
    use super::*;

    fn exit_with(end: End) -> Exit {
        let output = OutputSummary::default();
        Exit { end, ended_with: None, started: true, duration_ms: 1, output, survivors: 0 }
    }

    #[test]
    fn an_exit_record_comes_back_as_written() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path().to_owned());
        assert_eq!(run.load_exit().unwrap(), None);
        let reserved = run.reserve_exit().unwrap();
        assert_eq!(run.load_exit().unwrap(), None, "room alone is no record");
        let blocks = reserved.file.metadata().unwrap().blocks();
        assert!(blocks * 512 >= MAX_RECORD_BYTES as u64, "{blocks} blocks are taken");
        let exit = exit_with(End::Exited { code: 7 });
        reserved.commit(&exit).unwrap();
        assert_eq!(run.load_exit().unwrap(), Some(exit));
        assert!(run.is_used());
    }

    #[test]
    fn a_torn_or_foreign_record_is_an_error_and_not_an_absence() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path().to_owned());
        for text in ["", "{", "{\"version\":1}", "{\"version\":2,\"record\":{}}", "[1,2]"] {
            fs::write(run.exit_file(), text).unwrap();
            assert!(run.load_exit().is_err(), "{text}");
        }
    }

    #[test]
    fn a_lock_is_held_by_one_open_file_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = try_lock(&path).unwrap().unwrap();
        assert!(try_lock(&path).unwrap().is_none());
        assert!(holds_lock(&lock.try_clone().unwrap(), &path).unwrap(), "a duplicate shares it");
        let stranger = File::open(&path).unwrap();
        assert!(!holds_lock(&stranger, &path).unwrap());
        drop(lock);
        assert!(try_lock(&path).unwrap().is_some());
    }
}
