//! One writer at a time for the investigations of a pipeline: over threads and processes, so that nobody
//! writes over what another wrote since it was read. People's own editors know nothing of it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::report_folder::ReportFolder;
use crate::domain::names::PipelineName;

/// Whoever holds the lock reads and writes a few small files.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a held lock is asked for again.
const PAUSE: Duration = Duration::from_millis(5);

/// The right to write investigations of one pipeline. Released on drop; the kernel lets go of it when the
/// process ends, however.
#[derive(Debug)]
pub struct DocumentLock {
    /// `None` where there is no folder yet: nobody has a document in it.
    _folder: Option<File>,
}

impl DocumentLock {
    /// Waits for the lock of the folder that holds them.
    ///
    /// # Errors
    /// When a link leads out, or another process holds it for long.
    pub fn take(folder: &ReportFolder, pipeline: &PipelineName) -> io::Result<Self> {
        let place = Path::new(pipeline.as_str()).join("investigations");
        folder.check(&place).map_err(io::Error::other)?;
        let path = folder.path_of(place);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { _folder: None });
            }
            Err(fault) => return Err(fault),
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _folder: Some(file) }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let text = format!("another process holds the lock of {}", path.display());
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, text));
                }
                // Some network drives have no locks: then it is as it was without any.
                Err(TryLockError::Error(fault))
                    if fault.raw_os_error() == Some(Errno::NOLCK.raw_os_error())
                        || fault.kind() == io::ErrorKind::Unsupported =>
                {
                    return Ok(Self { _folder: None });
                }
                Err(TryLockError::Error(fault)) => return Err(fault),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_holds_it_and_the_next_one_waits() {
        let here = tempfile::tempdir().unwrap();
        let folder = ReportFolder::new(here.path(), Path::new("reports"));
        let name = PipelineName::parse("chat").unwrap();
        assert!(DocumentLock::take(&folder, &name).unwrap()._folder.is_none());
        folder.write("chat/investigations/INV-0001-a.md", b"0").unwrap();
        let place = "chat/investigations/INV-0001-a.md";
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let _lock = DocumentLock::take(&folder, &name).unwrap();
                        let text = std::fs::read_to_string(folder.path_of(place)).unwrap();
                        let next = text.parse::<u32>().unwrap() + 1;
                        folder.write(place, next.to_string().as_bytes()).unwrap();
                    }
                });
            }
        });
        assert_eq!(std::fs::read_to_string(folder.path_of(place)).unwrap(), "40");
    }
}
