//! The ballast: bytes of the disk that are held ready, so that a full disk has room for what must be
//! recorded. And what the disk says of itself. Blocking.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, StatVfsMountFlags, fallocate, statvfs};

/// The name of the file within the state folder.
const FILE: &str = "ballast";
/// `st_blocks` counts in these (stat(2)).
const BLOCK: u64 = 512;

/// A file of a certain size in the state folder.
#[derive(Debug, Clone)]
pub struct Ballast {
    file: PathBuf,
    size: u64,
}

impl Ballast {
    /// The ballast of a state folder.
    pub fn new(state: &Path, size: u64) -> Self {
        Self { file: state.join(FILE), size }
    }

    /// Gives up what is held in a state folder, however much it should be. Answers whether anything was.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn give_up(state: &Path) -> io::Result<bool> {
        let ballast = Self::new(state, 0);
        let held = fs::symlink_metadata(&ballast.file).is_ok_and(|found| found.is_file());
        if held {
            ballast.free()?;
        }
        Ok(held)
    }

    /// How large it should be.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether all of it lies on the disk. One with holes would free nothing.
    pub fn is_held(&self) -> bool {
        let Ok(metadata) = fs::symlink_metadata(&self.file) else { return false };
        metadata.len() == self.size && metadata.blocks().saturating_mul(BLOCK) >= self.size
    }

    /// Takes the bytes.
    ///
    /// # Errors
    /// When they are not there; nothing is held then.
    pub fn fill(&self) -> io::Result<()> {
        self.free()?;
        let filled = self.create().and_then(|file| take(&file, self.size));
        if filled.is_err() {
            self.free()?;
        }
        filled
    }

    fn create(&self) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.file)
    }

    /// Gives them up.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn free(&self) -> io::Result<()> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Has the disk put bytes aside for a file; where it cannot, writes them.
fn take(file: &File, size: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, size) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => write_bytes(file, size),
        Err(error) => Err(error.into()),
    }
}

fn write_bytes(mut file: &File, size: u64) -> io::Result<()> {
    let bytes = [0x5a; 64 * 1024];
    let mut left = size;
    while left > 0 {
        let some = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        file.write_all(&bytes[..some])?;
        left -= some as u64;
    }
    file.sync_all()
}

/// What a disk says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes that we may still use.
    pub free: u64,
    /// It takes no writing.
    pub is_read_only: bool,
}

/// Asks the disk of a folder; `None` when it does not say.
pub fn disk_space(folder: &Path) -> Option<DiskSpace> {
    let stat = statvfs(folder).ok()?;
    Some(DiskSpace {
        free: stat.f_bavail.saturating_mul(stat.f_frsize),
        is_read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_held_lies_on_the_disk_and_is_given_up_whole() {
        let state = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(state.path(), 1 << 20);
        assert!(!ballast.is_held());
        ballast.fill().unwrap();
        assert!(ballast.is_held());
        ballast.fill().unwrap();
        ballast.free().unwrap();
        ballast.free().unwrap();
        assert!(!ballast.is_held());
        // A file with a hole holds nothing, and one of another size is not ours.
        File::create(state.path().join(FILE)).unwrap().set_len(1 << 20).unwrap();
        assert!(!ballast.is_held());
        ballast.fill().unwrap();
        assert!(ballast.is_held() && !Ballast::new(state.path(), 2 << 20).is_held());
        assert!(Ballast::give_up(state.path()).unwrap() && !ballast.is_held());
        assert!(!Ballast::give_up(state.path()).unwrap());
    }

    #[test]
    fn bytes_are_written_where_none_can_be_put_aside() {
        let state = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(state.path(), 300_000);
        write_bytes(&ballast.create().unwrap(), 300_000).unwrap();
        assert!(ballast.is_held());
    }

    #[test]
    fn a_disk_says_what_is_free() {
        let state = tempfile::tempdir().unwrap();
        assert!(!disk_space(state.path()).unwrap().is_read_only);
        assert_eq!(disk_space(&state.path().join("nowhere")), None);
    }
}
