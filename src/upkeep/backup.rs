//! A copy of the state from which everything can be taken up again: the database, and the runs of its
//! cycles with their logs. Mirrors and checkouts are fetched again; secrets are in neither.
//!
//! What holds a copy together while cycles run: a run folder is only made after the intent is in the
//! database. So the folders of open cycles are copied first, then the database, then the folders of
//! the cycles that are over in that very copy. Nothing in it is ahead of its records.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::UpkeepError;
use crate::engine::StatePaths;
use crate::store::sqlite::{FILE_NAME, Mode, SqliteStore};
use crate::store::{CycleKey, Store, StoreError};

/// What a file of a copy may be read by: ourselves.
const FILE_MODE: u32 = 0o600;
/// Cycles of one pipeline that are looked through.
const ALL: u32 = u32::MAX;

/// What a copy holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackedUp {
    /// Cycles, open and over.
    pub cycles: usize,
    /// Those of them that were open.
    pub open: usize,
    /// Bytes of what was copied.
    pub bytes: u64,
}

/// Writes copies.
pub struct Backup {
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// The state folder.
    pub paths: StatePaths,
}

impl Backup {
    /// Writes a copy to the file `to`, which is not there yet: an archive that `tar` unpacks into a
    /// state folder. What was not finished is removed again.
    ///
    /// # Errors
    /// When something cannot be read or written, or the copy is not sound.
    pub async fn write(&self, to: &Path) -> Result<BackedUp, UpkeepError> {
        let aside = aside(to);
        let written = self.write_aside(&aside).await;
        let published = match written {
            Ok(done) => publish(&aside, to).map(|()| done),
            Err(fault) if is_full(&fault) => {
                Err(UpkeepError::NoRoomForCopy { path: to.to_owned() })
            }
            Err(fault) => Err(fault),
        };
        if published.is_err() {
            // What was written of it is of no use; the first fault is the one to tell.
            let _ = fs::remove_file(&aside);
        }
        let _ = fs::remove_file(database_aside(&aside));
        published
    }

    async fn write_aside(&self, aside: &Path) -> Result<BackedUp, UpkeepError> {
        let open = self.store.open_cycles(None).await?;
        let open: Vec<CycleKey> = open.iter().map(|row| row.key()).collect();
        let mut copy = Copy::create(aside)?;
        copy = self.with_runs(copy, open).await?;
        let database = database_aside(aside);
        self.store.back_up(&database).await?;
        let (over, cycles, open) = self.cycles_of(&database).await?;
        copy = self.with_runs(copy, over).await?;
        let bytes = on_a_thread(move || {
            copy.add(&database, Path::new(FILE_NAME))?;
            copy.finish()
        })
        .await?;
        Ok(BackedUp { cycles, open, bytes })
    }

    /// Adds the runs of these cycles.
    async fn with_runs(&self, mut copy: Copy, cycles: Vec<CycleKey>) -> Result<Copy, UpkeepError> {
        let root = self.paths.root().to_owned();
        on_a_thread(move || {
            for cycle in &cycles {
                let runs = StatePaths::cycle_runs(&cycle.pipeline, cycle.cycle);
                copy.add_folder(&root, &runs)?;
            }
            Ok(copy)
        })
        .await
    }

    /// The cycles that are over in a copy of the database, after a check that it is sound; how many it
    /// has that were not expired, and how many of those are open.
    async fn cycles_of(
        &self,
        database: &Path,
    ) -> Result<(Vec<CycleKey>, usize, usize), UpkeepError> {
        let copy = SqliteStore::open(database, Mode::ReadOnly).await?;
        let looked = look_through(&copy).await;
        copy.close().await;
        looked
    }
}

async fn look_through(copy: &SqliteStore) -> Result<(Vec<CycleKey>, usize, usize), UpkeepError> {
    let faults = copy.integrity_check().await?;
    if let Some(fault) = faults.into_iter().next() {
        return Err(UpkeepError::Unsound { fault });
    }
    let mut over = Vec::new();
    for pipeline in copy.list_pipelines().await? {
        let rows = copy.list_cycles(&pipeline.pipeline, ALL).await?;
        let kept = rows.iter().filter(|row| row.expired_at.is_none());
        over.extend(kept.filter(|row| row.finished_at.is_some()).map(|row| row.key()));
    }
    let open = copy.open_cycles(None).await?.len();
    let cycles = over.len() + open;
    Ok((over, cycles, open))
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, UpkeepError> + Send + 'static,
) -> Result<T, UpkeepError> {
    tokio::task::spawn_blocking(work).await.expect("work on files does not panic")
}

/// Whether there is no room for what is written. All of that is the copy: the state is only read.
fn is_full(fault: &UpkeepError) -> bool {
    match fault {
        UpkeepError::Store(fault) => matches!(fault, StoreError::Full),
        UpkeepError::File { source, .. } => {
            matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        }
        UpkeepError::NoRoomForCopy { .. } => true,
        UpkeepError::Unsound { .. } => false,
    }
}

/// Where a copy is written before it is whole.
fn aside(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    name.into()
}

fn database_aside(aside: &Path) -> PathBuf {
    let mut name = aside.as_os_str().to_owned();
    name.push(".db");
    name.into()
}

/// Gives a finished copy its name. A copy that is there is never written over.
fn publish(aside: &Path, to: &Path) -> Result<(), UpkeepError> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, aside, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Not every file system knows the flag; `to` was not there when we began.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !to.exists() => {
            fs::rename(aside, to).map_err(UpkeepError::at("write", to))
        }
        Err(error) => Err(UpkeepError::at("write", to)(error.into())),
    }
}

/// A copy that is being written.
struct Copy {
    path: PathBuf,
    tar: tar::Builder<File>,
}

impl Copy {
    fn create(path: &Path) -> Result<Self, UpkeepError> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(FILE_MODE).open(path);
        let tar = tar::Builder::new(file.map_err(UpkeepError::at("create", path))?);
        Ok(Self { path: path.to_owned(), tar })
    }

    /// Adds the files of a folder at `relative` to `root`, and of those within. Links, sockets and the
    /// like are left out; what vanishes meanwhile, too.
    fn add_folder(&mut self, root: &Path, relative: &Path) -> Result<(), UpkeepError> {
        let mut left = vec![relative.to_owned()];
        while let Some(relative) = left.pop() {
            let path = root.join(&relative);
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            if metadata.is_dir() {
                let entries = fs::read_dir(&path).map_err(UpkeepError::at("read", &path))?;
                left.extend(entries.flatten().map(|entry| relative.join(entry.file_name())));
            } else if metadata.is_file() {
                self.add(&path, &relative)?;
            }
        }
        Ok(())
    }

    /// Adds a file as it is now: what is written behind it meanwhile is left out.
    fn add(&mut self, file: &Path, relative: &Path) -> Result<(), UpkeepError> {
        let open = || -> io::Result<(File, u64)> {
            let file = File::open(file)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (source, length) = match open() {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(UpkeepError::at("read", file)(error)),
        };
        // One that became shorter is filled up, so that the archive keeps its form.
        let exact = source.chain(io::repeat(0)).take(length);
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(FILE_MODE);
        header.set_entry_type(tar::EntryType::Regular);
        let added = self.tar.append_data(&mut header, relative, exact);
        added.map_err(UpkeepError::at("write", &self.path))?;
        Ok(())
    }

    /// Everything is on the disk when this returns, with the size of the file.
    fn finish(self) -> Result<u64, UpkeepError> {
        let written = self.tar.into_inner().and_then(|file| {
            file.sync_all()?;
            Ok(file.metadata()?.len())
        });
        written.map_err(UpkeepError::at("write", &self.path))
    }
}

#[cfg(test)]
mod tests;
