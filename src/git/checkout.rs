//! A checkout: the files of exactly one commit in a new folder, or nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::Repository;

use crate::domain::revision::Sha;

use super::deadline::Deadline;
use super::error::Error;
use super::export::Exporter;
use super::revision::{find_commit, oid_of};

/// How large a checkout may get.
#[derive(Debug, Clone, Copy)]
pub struct CheckoutLimits {
    /// The most files and folders.
    pub entries: usize,
    /// The most bytes in all.
    pub bytes: u64,
    /// The most bytes of one file; each is in memory while it is written.
    pub file_bytes: u64,
    /// The most time.
    pub time: Duration,
}

impl Default for CheckoutLimits {
    fn default() -> Self {
        Self {
            entries: 1_000_000,
            bytes: 8 << 30,
            file_bytes: 512 << 20,
            time: Duration::from_secs(600),
        }
    }
}

/// What was written, and what was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The folder.
    pub path: PathBuf,
    /// The commit.
    pub sha: Sha,
    /// Files and links written.
    pub files: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// What is not as the commit has it, in the order of the tree; at most 100.
    pub skipped: Vec<Skipped>,
    /// How many such there are in all.
    pub skipped_total: usize,
}

/// One entry of the commit that was left out or is incomplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its path, cleaned for display.
    pub path: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why an entry is not as the commit has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// `.git` in one of its forms, `..`, a control character, too long.
    UnsafeName,
    /// A symbolic link that leads out of the tree, or in a circle.
    EscapingSymlink,
    /// A submodule: its content is in another repository.
    Submodule,
    /// A pointer of Git LFS: the pointer was written, the content was not fetched.
    LfsPointer,
    /// The same name a second time.
    DuplicateName,
    /// An entry of a type that git does not have.
    UnknownType,
}

impl SkipReason {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnsafeName => "unsafe name",
            Self::EscapingSymlink => "symbolic link that leaves the tree",
            Self::Submodule => "submodule, not fetched",
            Self::LfsPointer => "Git LFS pointer, content not fetched",
            Self::DuplicateName => "name occurs twice",
            Self::UnknownType => "unknown type of entry",
        }
    }
}

/// Writes the files of `sha` beside `dest` and moves them there when all are complete.
pub(super) fn check_out(
    repo: &Repository,
    sha: &Sha,
    dest: &Path,
    limits: CheckoutLimits,
    repository: &str,
) -> Result<Checkout, Error> {
    if dest.symlink_metadata().is_ok() {
        return Err(Error::Exists { path: dest.to_owned() });
    }
    let commit = find_commit(repo, oid_of(sha), repository)?;
    let parent =
        dest.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    // Removed on drop, so a checkout that fails leaves nothing.
    let unfinished = tempfile::Builder::new()
        .prefix(".checkout-")
        .tempdir_in(parent)
        .map_err(Error::io("create a folder in", parent))?;
    let root = unfinished.path().join("tree");
    fs::create_dir(&root).map_err(Error::io("create", &root))?;

    let mut exporter = Exporter::new(repo, &root, limits, Deadline::after(limits.time), repository);
    exporter.export(commit.tree_id())?;
    let written = exporter.finish()?;
    fs::rename(&root, dest).map_err(Error::io("move into place", dest))?;
    Ok(Checkout {
        path: dest.to_owned(),
        sha: sha.clone(),
        files: written.files,
        bytes: written.bytes,
        skipped: written.skipped,
        skipped_total: written.skipped_total,
    })
}
