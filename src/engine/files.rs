//! Files that are whole or not there: written beside, made durable, then renamed into place.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Writers of files make many small writes; they reach the system in pieces of so many bytes.
const BUFFER: usize = 128 * 1024;

/// Writes a file so that nobody ever sees half of it, not even after a power cut.
///
/// # Errors
/// When the folder cannot be made or the file not be written; what was there before stays.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_atomically_with(path, |out| out.write_all(bytes))
}

/// As [`write_atomically`], for a file that is made while it is written.
///
/// # Errors
/// As [`write_atomically`], and those of `write`.
pub fn write_atomically_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    put_all(vec![Beside::write(path, write)?])
}

/// A file that lies whole and durable beside the place that it is for.
#[derive(Debug)]
pub struct Beside {
    file: NamedTempFile,
    place: PathBuf,
}

impl Beside {
    /// Writes a file for a place; what is there stays.
    ///
    /// # Errors
    /// As [`write_atomically_with`].
    pub fn write(
        place: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<Self> {
        let folder = folder_of(place)?;
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".andon-").tempfile_in(folder)?;
        let mut buffered = BufWriter::with_capacity(BUFFER, file.as_file_mut());
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        set_readable(file.as_file())?;
        file.as_file().sync_all()?;
        Ok(Self { file, place: place.to_owned() })
    }

    /// Puts it into its place. After a power cut what was there before may be back, whole, too.
    ///
    /// # Errors
    /// When the place cannot be taken; what was there before stays.
    pub fn put(self) -> io::Result<()> {
        self.file.persist(&self.place)?;
        Ok(())
    }
}

/// Puts files into their places, in this order; there they survive a power cut. A folder is made
/// durable once, however many of them lie in it.
///
/// # Errors
/// Of the first that cannot be put.
pub fn put_all(files: Vec<Beside>) -> io::Result<()> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for file in files {
        let folder = folder_of(&file.place)?.to_owned();
        file.put()?;
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders.iter().try_for_each(|folder| File::open(folder)?.sync_all())
}

fn folder_of(place: &Path) -> io::Result<&Path> {
    place.parent().ok_or_else(|| io::Error::other("a file has a folder"))
}

/// A temporary file is private; a report is for everybody whom the folder lets in.
fn set_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.md");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_made_to_its_end_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.md");
        write_atomically(&path, b"one").unwrap();
        let broken = write_atomically_with(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(broken.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn files_that_are_put_together_are_there_together() {
        let folder = tempfile::tempdir().unwrap();
        let places = ["a/1.json", "a/1.md", "b/2.md"].map(|name| folder.path().join(name));
        let files = places.iter().map(|place| {
            Beside::write(place, |out| out.write_all(place.as_os_str().as_encoded_bytes())).unwrap()
        });
        let files: Vec<Beside> = files.collect();
        assert!(places.iter().all(|place| !place.exists()), "beside is not there");
        put_all(files).unwrap();
        for place in &places {
            assert_eq!(fs::read(place).unwrap(), place.as_os_str().as_encoded_bytes());
        }
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 2);
    }

    #[test]
    fn what_was_there_stays_when_writing_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("mine"), "x").unwrap();
        assert!(write_atomically(&path, b"new").is_err());
        assert!(path.join("mine").exists());
    }
}
