//! The files in which a repository on this machine keeps its branches, read without opening it: equal
//! files, equal branches.
//!
//! To open a repository costs a dozen files of configuration, which is most of a look at one in which
//! nothing moved. What the branches are is never read here: that is libgit2's, and whatever is not
//! plainly the usual form is left to it altogether.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// A longer reference is none.
const MAX_REFERENCE: u64 = 4096;
/// A longer list of packed references is left to libgit2, as are more entries of folders.
const MAX_PACKED: u64 = 1 << 20;
const MAX_ENTRIES: usize = 4096;
/// Folders within folders.
const MAX_DEPTH: usize = 32;

/// Stands for the content of those files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RefFiles([u8; 32]);

impl RefFiles {
    /// Reads them; `None` where equal files might not mean equal branches: another form of storage, a
    /// linked work tree, a branch that is a name for something else, or too much to read.
    pub(super) fn read(repository: &Path) -> Option<Self> {
        let dir = git_dir(repository)?;
        let mut reader = Reader { hasher: Sha256::new(), entries: 0 };
        reader.head(&dir.join("HEAD"))?;
        reader.packed(&dir.join("packed-refs"))?;
        reader.folder(&dir.join("refs/heads"), 0)?;
        Some(Self(reader.hasher.finalize().into()))
    }
}

/// The folder that has the references, when it is a repository's own.
fn git_dir(repository: &Path) -> Option<PathBuf> {
    let inside = repository.join(".git");
    let dir = if inside.is_dir() { inside } else { repository.to_owned() };
    (dir.join("HEAD").is_file() && !dir.join("commondir").exists()).then_some(dir)
}

struct Reader {
    hasher: Sha256,
    entries: usize,
}

impl Reader {
    fn take(&mut self, name: &[u8], content: &[u8]) {
        for part in [name, content] {
            self.hasher.update((part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
    }

    /// On a branch, or on a commit: then the branches say nothing about it.
    fn head(&mut self, path: &Path) -> Option<()> {
        let content = read(path, MAX_REFERENCE).ok()??;
        let is_usual = content.starts_with(b"ref: refs/heads/") || is_id(&content);
        is_usual.then(|| self.take(b"HEAD", &content))
    }

    fn packed(&mut self, path: &Path) -> Option<()> {
        let content = match read(path, MAX_PACKED) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.ok()??,
        };
        self.take(b"packed-refs", &content);
        Some(())
    }

    fn folder(&mut self, path: &Path, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut entries = fs::read_dir(path).ok()?.collect::<io::Result<Vec<_>>>().ok()?;
        self.entries += entries.len();
        if self.entries > MAX_ENTRIES {
            return None;
        }
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.as_encoded_bytes();
            // A reference that is about to be written; none has this ending.
            if name.ends_with(b".lock") {
                continue;
            }
            if entry.file_type().ok()?.is_dir() {
                self.take(name, b"/");
                self.folder(&path, depth + 1)?;
                self.take(b"", b"/");
            } else {
                let content = read(&path, MAX_REFERENCE).ok()??;
                is_id(&content).then(|| self.take(name, &content))?;
            }
        }
        Some(())
    }
}

/// The content of a plain file that is not longer than that. A pipe in its place is not opened: that
/// could wait without an end.
fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut content = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= most).then_some(content))
}

/// Whether a file names a commit, and nothing else.
fn is_id(content: &[u8]) -> bool {
    let id = content.trim_ascii_end();
    matches!(id.len(), 40 | 64) && id.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ONE: &str = "4f1c2aa000000000000000000000000000000001\n";
    const TWO: &str = "4f1c2aa000000000000000000000000000000002\n";

    fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(".git/refs/heads")).unwrap();
        for (name, content) in files {
            let path = dir.path().join(".git").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        dir
    }

    fn read(files: &[(&str, &str)]) -> Option<RefFiles> {
        RefFiles::read(repository(files).path())
    }

    const HEAD: (&str, &str) = ("HEAD", "ref: refs/heads/main\n");
    const MAIN: (&str, &str) = ("refs/heads/main", ONE);

    #[test]
    fn whatever_may_move_a_branch_makes_another_print() {
        let usual = read(&[HEAD, MAIN]).unwrap();
        assert_eq!(read(&[HEAD, MAIN]), Some(usual));
        // Neither is a branch, nor will it be one under this name.
        let others = [("refs/tags/v1", ONE), ("refs/heads/main.lock", TWO), ("config", "[core]")];
        assert_eq!(read(&[&[HEAD, MAIN], &others[..]].concat()), Some(usual));
        let packed = ("packed-refs", "# pack-refs with: sorted \n");
        let prints = [
            Some(usual),
            read(&[HEAD, ("refs/heads/main", TWO)]),
            read(&[("HEAD", "ref: refs/heads/v1\n"), MAIN]),
            read(&[("HEAD", ONE), MAIN]),
            read(&[HEAD]),
            read(&[HEAD, MAIN, packed]),
            read(&[HEAD, MAIN, ("refs/heads/v1", ONE)]),
            read(&[HEAD, MAIN, ("refs/heads/v/1", ONE)]),
            read(&[HEAD, ("refs/heads/v/main", ONE)]),
        ];
        for (place, print) in prints.iter().enumerate() {
            assert!(print.is_some(), "{place}");
            assert_eq!(prints.iter().position(|other| other == print), Some(place));
        }
    }

    #[test]
    fn a_bare_repository_is_read_like_any_other() {
        let dir = repository(&[HEAD, MAIN]);
        assert_eq!(RefFiles::read(&dir.path().join(".git")), read(&[HEAD, MAIN]));
    }

    #[test]
    fn what_is_not_plainly_the_usual_form_is_not_read_here() {
        let long = "0".repeat(5000);
        for files in [
            &[MAIN][..],
            &[("HEAD", "ref: refs/remotes/origin/main\n"), MAIN],
            &[HEAD, ("refs/heads/main", "ref: refs/remotes/origin/main\n")],
            &[HEAD, ("refs/heads/main", &long)],
            &[HEAD, MAIN, ("commondir", "../..")],
        ] {
            assert_eq!(read(files), None, "{files:?}");
        }
        // References in one table: the place of the folder is taken by a file.
        let dir = repository(&[HEAD]);
        fs::remove_dir(dir.path().join(".git/refs/heads")).unwrap();
        fs::write(dir.path().join(".git/refs/heads"), "reftable").unwrap();
        assert_eq!(RefFiles::read(dir.path()), None);
        // A linked work tree: `.git` is a file that says where the repository is.
        let linked = tempfile::tempdir().unwrap();
        fs::write(linked.path().join(".git"), "gitdir: ../x").unwrap();
        assert_eq!(RefFiles::read(linked.path()), None);
    }
}
