//! Files that are whole or not there: written beside, made durable, then renamed into place.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writers of files make many small writes; they reach the system in pieces of so many bytes.
const BUFFER: usize = 128 * 1024;

/// Writes a file so that nobody ever sees half of it, not even after a power cut. Its content is made
/// while it is written: that of a large report is not held.
///
/// # Errors
/// Those of `write`, and when the folder cannot be made or the file not be written; what was there
/// before stays.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("a file has a folder"))?;
    fs::create_dir_all(folder)?;
    let mut beside = tempfile::Builder::new().prefix(".andon-").tempfile_in(folder)?;
    let mut buffered = BufWriter::with_capacity(BUFFER, beside.as_file_mut());
    write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    set_readable(beside.as_file())?;
    beside.as_file().sync_all()?;
    beside.persist(path)?;
    File::open(folder)?.sync_all()
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
        write_atomically(&path, |out| out.write_all(b"one")).unwrap();
        write_atomically(&path, |out| out.write_all(b"two")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_made_to_its_end_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.md");
        write_atomically(&path, |out| out.write_all(b"one")).unwrap();
        let broken = write_atomically(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(broken.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_there_stays_when_writing_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("mine"), "x").unwrap();
        assert!(write_atomically(&path, |out| out.write_all(b"new")).is_err());
        assert!(path.join("mine").exists());
    }
}
