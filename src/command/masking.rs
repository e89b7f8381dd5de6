//! What a command left on disk is masked, once it was read: a secret that a test prints into its results
//! must not lie there for as long as the cycle is kept.

use std::fs;
use std::io;
use std::path::Path;

use super::folder::{MAX_LIST_BYTES, RunFolder};
use super::results::beneath;
use crate::domain::redact::Masker;

/// A larger file is removed, as it is never held whole.
const MAX_BYTES: u64 = 64 << 20;

impl RunFolder {
    /// Masks everything in it that the command wrote and that is no log: the logs are masked when they
    /// are written. What cannot be masked is removed. Blocking; may be repeated.
    ///
    /// # Errors
    /// When the disk refuses; the rest is masked all the same.
    pub fn mask(&self, masker: &Masker) -> io::Result<()> {
        let (results, all) = beneath(&self.results());
        if !all {
            // What was not looked at cannot be masked either.
            fs::remove_dir_all(self.results())?;
        }
        let own = [self.list(), self.rerun(), self.shard()];
        // What was cut may end in half a secret, which no mask would find.
        if self.list().symlink_metadata().is_ok_and(|list| list.len() > MAX_LIST_BYTES) {
            fs::remove_file(self.list())?;
        }
        let files = results.into_iter().map(|found| found.path).chain(own);
        // Each of them is tried.
        files.map(|path| mask_file(&path, masker)).fold(Ok(()), Result::and)
    }
}

fn mask_file(path: &Path, masker: &Masker) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if !metadata.is_file() => Ok(()),
        Ok(metadata) if metadata.len() > MAX_BYTES => fs::remove_file(path),
        Ok(_) => {
            let bytes = fs::read(path)?;
            let masked = masker.mask_bytes(&bytes);
            if masked == bytes { Ok(()) } else { fs::write(path, masked) }
        }
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_that_a_command_left_shows_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(dir.path().join("run"));
        folder.prepare().unwrap();
        let deep = folder.results().join("shots");
        fs::create_dir(&deep).unwrap();
        let written = [folder.list(), folder.results().join("r.xml"), deep.join("log.txt")];
        written.iter().for_each(|path| fs::write(path, "a hunter2-secret b").unwrap());
        let elsewhere = dir.path().join("elsewhere");
        fs::write(&elsewhere, "hunter2-secret").unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.results().join("link")).unwrap();
        let masker = Masker::new(["hunter2-secret".to_owned()]);
        folder.mask(&masker).unwrap();
        folder.mask(&masker).unwrap();
        let cut = RunFolder::at(dir.path().join("cut"));
        cut.prepare().unwrap();
        fs::File::create(cut.list()).unwrap().set_len(MAX_LIST_BYTES + 1).unwrap();
        cut.mask(&masker).unwrap();
        assert!(!cut.list().exists(), "it may end in half a secret");
        for path in &written {
            let text = fs::read_to_string(path).unwrap();
            assert!(text.starts_with("a ") && !text.contains("hunter2"), "{text}");
        }
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "hunter2-secret", "nothing outside");
    }
}
