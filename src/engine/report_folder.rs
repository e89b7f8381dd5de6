//! The folder that reports are written to, which no link leads out of.
//!
//! Where reports go is said by a pipeline file, and what lies in their folder comes from a repository
//! that many people write to. Neither decides that we write, or read, anywhere else on this machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{Beside, put_all};

/// A place that is reached by a link, and lies elsewhere.
#[derive(Debug, thiserror::Error)]
#[error("{} is a link that leads out of {}", place.display(), bound.display())]
pub struct LeadsOut {
    place: PathBuf,
    bound: PathBuf,
}

/// The folder that reports are written to.
#[derive(Debug, Clone)]
pub struct ReportFolder {
    path: PathBuf,
    bound: PathBuf,
}

impl ReportFolder {
    /// The folder that a pipeline, or the settings, name in a working directory.
    ///
    /// Only settings can name one elsewhere; then that folder itself is what no link leads out of.
    pub fn new(working_dir: &Path, named: &Path) -> Self {
        let path = working_dir.join(named);
        let bound =
            if path.starts_with(working_dir) { working_dir.to_owned() } else { path.clone() };
        Self { path, bound }
    }

    /// Where a file of it lies.
    pub fn path_of(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.path.join(relative)
    }

    /// Checks a place in it, as far as it is there.
    ///
    /// # Errors
    /// [`LeadsOut`] when a link on the way leads out, or nowhere.
    pub fn check(&self, relative: impl AsRef<Path>) -> Result<(), LeadsOut> {
        let path = self.path_of(relative);
        let Ok(bound) = self.bound.canonicalize() else { return Ok(()) };
        let there = path.ancestors().find(|place| fs::symlink_metadata(place).is_ok());
        let Some(place) = there.filter(|place| place.starts_with(&self.bound)) else {
            return Ok(());
        };
        match place.canonicalize() {
            Ok(real) if real.starts_with(&bound) => Ok(()),
            Ok(_) | Err(_) => Err(LeadsOut { place: place.to_owned(), bound: self.bound.clone() }),
        }
    }

    /// Writes a file of it, whole or not at all. A link that stands in the file's own place is
    /// replaced.
    ///
    /// # Errors
    /// When a link leads out, or the file cannot be written.
    pub fn write(&self, relative: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        self.write_with(relative, |out| out.write_all(bytes))
    }

    /// As [`ReportFolder::write`], for a file that is made while it is written.
    ///
    /// # Errors
    /// As [`ReportFolder::write`], and those of `write`.
    pub fn write_with(
        &self,
        relative: impl AsRef<Path>,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let relative = relative.as_ref();
        let file = self.write_beside(relative, write)?;
        put_all(vec![file]).map_err(|fault| self.fault_of(relative, &fault))
    }

    /// Writes a file of it beside its place, so that several can be put there together.
    ///
    /// # Errors
    /// As [`ReportFolder::write_with`].
    pub fn write_beside(
        &self,
        relative: impl AsRef<Path>,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> io::Result<Beside> {
        let relative = relative.as_ref();
        self.check(relative.parent().unwrap_or(Path::new(""))).map_err(io::Error::other)?;
        Beside::write(&self.path_of(relative), write)
            .map_err(|fault| self.fault_of(relative, &fault))
    }

    /// A fault that says which file it is about.
    fn fault_of(&self, relative: &Path, fault: &io::Error) -> io::Error {
        let path = self.path_of(relative);
        let shown = path.strip_prefix(&self.bound).unwrap_or(&path).display();
        io::Error::new(fault.kind(), format!("{shown}: {fault}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    /// A working directory, and a folder beside it that is none of our business.
    fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let (here, elsewhere) = (root.path().join("here"), root.path().join("elsewhere"));
        fs::create_dir(&here).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        (root, here, elsewhere)
    }

    #[test]
    fn folders_that_are_not_there_yet_are_made() {
        let (_root, here, _) = place();
        let folder = ReportFolder::new(&here, Path::new("reports"));
        folder.write("chat/cycle-0001.md", b"x").unwrap();
        assert_eq!(fs::read(here.join("reports/chat/cycle-0001.md")).unwrap(), b"x");
    }

    #[test]
    fn no_link_leads_out() {
        let (_root, here, elsewhere) = place();
        symlink(&elsewhere, here.join("reports")).unwrap();
        let folder = ReportFolder::new(&here, Path::new("reports"));
        let refused = folder.write("chat/cycle-0001.md", b"x").unwrap_err().to_string();
        assert!(refused.contains("reports is a link that leads out of"), "{refused}");

        fs::create_dir(here.join("real")).unwrap();
        symlink(&elsewhere, here.join("real/chat")).unwrap();
        let folder = ReportFolder::new(&here, Path::new("real"));
        assert!(folder.write("chat/cycle-0001.md", b"x").is_err());
        assert!(folder.check("chat/investigations").is_err());
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    }

    #[test]
    fn a_link_to_nowhere_is_not_followed_either() {
        let (_root, here, elsewhere) = place();
        symlink(elsewhere.join("new"), here.join("reports")).unwrap();
        assert!(ReportFolder::new(&here, Path::new("reports")).write("a.md", b"x").is_err());
        assert!(!elsewhere.join("new").exists());
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_replaced() {
        let (_root, here, elsewhere) = place();
        let foreign = elsewhere.join("precious");
        fs::write(&foreign, "y").unwrap();
        fs::create_dir(here.join("reports")).unwrap();
        symlink(&foreign, here.join("reports/a.md")).unwrap();
        let folder = ReportFolder::new(&here, Path::new("reports"));
        assert!(folder.check("a.md").is_err(), "it is not read");
        folder.write("a.md", b"x").unwrap();
        assert_eq!(fs::read(&foreign).unwrap(), b"y");
        assert_eq!(fs::read(here.join("reports/a.md")).unwrap(), b"x");
    }

    #[test]
    fn links_within_and_folders_that_the_settings_name_are_fine() {
        let (_root, here, elsewhere) = place();
        fs::create_dir(here.join("docs")).unwrap();
        symlink(here.join("docs"), here.join("reports")).unwrap();
        ReportFolder::new(&here, Path::new("reports")).write("a.md", b"x").unwrap();
        let named = ReportFolder::new(&here, &elsewhere);
        named.write("a.md", b"x").unwrap();
        symlink(&here, elsewhere.join("chat")).unwrap();
        assert!(named.write("chat/a.md", b"x").is_err());
    }
}
