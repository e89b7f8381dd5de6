//! The digest of what a reported case does: that of its command, and of the file it stands in where
//! that can be found in the checkout. So a changed test is told apart from a changed service.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::folder::open_regular;
use super::spelling::node_id;
use crate::domain::spec::SuiteCommand;

/// Longer files count by their beginning.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Finds the definitions of the cases of one command; each file is read once.
pub struct Definitions {
    of_command: Arc<str>,
    checkout: PathBuf,
    files: HashMap<PathBuf, Option<Arc<str>>>,
    /// By what is said of the place of a case: many cases share one, and each look costs a call.
    places: HashMap<String, Arc<str>>,
}

impl Definitions {
    /// For a command that runs in this checkout.
    pub fn of(command: &SuiteCommand, checkout: PathBuf) -> Self {
        Self {
            of_command: command.digest.as_str().into(),
            checkout,
            files: HashMap::new(),
            places: HashMap::new(),
        }
    }

    /// The digest of a case: `file` as its tool reports it, `id` as it is listed or as it is known here.
    pub fn digest(&mut self, file: Option<&str>, id: &str) -> Arc<str> {
        let module = id.split_once("::").map_or("", |(module, _)| module);
        let place = format!("{}\0{module}", file.unwrap_or_default());
        if let Some(known) = self.places.get(&place) {
            return Arc::clone(known);
        }
        let digest = self.digest_at(file, module, id);
        self.places.insert(place, Arc::clone(&digest));
        digest
    }

    fn digest_at(&mut self, file: Option<&str>, module: &str, id: &str) -> Arc<str> {
        let of_node = || Some(node_id(id, &self.checkout)?.split_once("::")?.0.to_owned());
        let path = file
            .and_then(|file| self.within(file))
            .or_else(|| self.within(Some(module).filter(|path| path.contains('.'))?))
            .or_else(|| self.within(&of_node()?));
        let with_file = path.and_then(|path| self.of_file(path));
        with_file.unwrap_or_else(|| Arc::clone(&self.of_command))
    }

    /// A file of the checkout, and none outside it: what a result file names is not to be trusted.
    fn within(&self, name: &str) -> Option<PathBuf> {
        let relative = Path::new(name).strip_prefix(&self.checkout).unwrap_or(Path::new(name));
        let plain = relative.components().all(|part| {
            matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir)
        });
        let path = self.checkout.join(relative);
        let is_file =
            |path: &PathBuf| path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
        (plain && !name.is_empty()).then_some(path).filter(is_file)
    }

    fn of_file(&mut self, path: PathBuf) -> Option<Arc<str>> {
        if let Some(known) = self.files.get(&path) {
            return known.clone();
        }
        let digest = digest_of(&path, &self.of_command);
        self.files.insert(path, digest.clone());
        digest
    }
}

fn digest_of(path: &Path, command: &str) -> Option<Arc<str>> {
    let mut bytes = Vec::new();
    open_regular(path).ok()?.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
    let mut hasher = Sha256::new();
    hasher.update(command.as_bytes());
    hasher.update(&bytes);
    Some(hex::encode(hasher.finalize())[..12].into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::command::testing::command;

    #[test]
    fn a_case_is_defined_by_its_command_and_the_file_it_stands_in() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tests")).unwrap();
        let file = dir.path().join("tests/test_a.py");
        std::fs::write(&file, "assert 1").unwrap();
        let digest = |file: Option<&str>, id: &str| {
            Definitions::of(&command(), dir.path().to_path_buf()).digest(file, id)
        };
        let before = digest(None, "tests.test_a::x");
        assert_eq!(digest(None, "tests/test_a.py::x"), before);
        assert_eq!(digest(Some("tests/test_a.py"), "x"), before);
        assert_eq!(digest(Some(file.to_str().unwrap()), "x"), before);
        assert_eq!(&*digest(None, "elsewhere::x"), "c");
        assert_eq!(
            &*digest(Some("../../etc/passwd"), "x"),
            "c",
            "nothing outside the checkout is read"
        );
        std::fs::write(&file, "assert 2").unwrap();
        assert_ne!(digest(None, "tests.test_a::x"), before);
    }
}
