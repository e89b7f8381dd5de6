//! Writes a git tree as files, reading objects only.
//!
//! libgit2's checkout is not used: this one applies no attributes, filters or line-end rules,
//! cannot meet a hook or a submodule, and creates symbolic links last, when all else is written,
//! so nothing is ever written through one.

use std::collections::btree_map::Entry;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use git2::{Oid, Repository};

use super::checkout::{CheckoutLimits, SkipReason, Skipped};
use super::deadline::Deadline;
use super::error::Error;
use super::names::is_safe_name;
use super::symlinks::{Links, stays_inside};
use super::text::clip_bytes;

const MAX_SKIPPED: usize = 100;
const MAX_DEPTH: usize = 256;
/// The longest path below the root; the kernel's limit is 4096 with the root.
const MAX_PATH: usize = 3000;
/// The longest target of a symbolic link.
const MAX_LINK: u64 = 4096;
const LFS_HEADER: &[u8] = b"version https://git-lfs.github.com/spec/";

const MODE_TREE: i32 = 0o040_000;
const MODE_LINK: i32 = 0o120_000;
const MODE_SUBMODULE: i32 = 0o160_000;
const MODE_FILE: i32 = 0o100_000;
const MODE_TYPE: i32 = 0o170_000;

/// What an export wrote.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) files: usize,
    pub(super) bytes: u64,
    pub(super) skipped: Vec<Skipped>,
    pub(super) skipped_total: usize,
}

/// One export in progress.
pub(super) struct Exporter<'a> {
    repo: &'a Repository,
    root: &'a Path,
    limits: CheckoutLimits,
    deadline: Deadline,
    repository: &'a str,
    entries: usize,
    links: Links,
    /// Folders that are still to be written: tree, path from the root.
    ahead: Vec<(Oid, Vec<u8>)>,
    written: Written,
}

impl<'a> Exporter<'a> {
    pub(super) fn new(
        repo: &'a Repository,
        root: &'a Path,
        limits: CheckoutLimits,
        deadline: Deadline,
        repository: &'a str,
    ) -> Self {
        let (links, ahead, written) = Default::default();
        Self { repo, root, limits, deadline, repository, entries: 0, links, ahead, written }
    }

    /// Writes all folders and files of a tree; links are remembered.
    pub(super) fn export(&mut self, tree: Oid) -> Result<(), Error> {
        self.ahead.push((tree, Vec::new()));
        while let Some((tree, path)) = self.ahead.pop() {
            self.deadline.check(self.repository, "the checkout")?;
            self.export_folder(tree, &path)?;
        }
        Ok(())
    }

    /// Creates the links that stay inside of the tree.
    pub(super) fn finish(mut self) -> Result<Written, Error> {
        let links = std::mem::take(&mut self.links);
        for (path, target) in &links {
            if !stays_inside(&links, path) {
                self.skip(path, SkipReason::EscapingSymlink);
                continue;
            }
            let place = self.place(path);
            match symlink(OsStr::from_bytes(target), &place) {
                Ok(()) => self.written.files += 1,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    self.skip(path, SkipReason::DuplicateName);
                }
                Err(error) => return Err(Error::io("create the link", &place)(error)),
            }
        }
        Ok(self.written)
    }

    fn export_folder(&mut self, tree: Oid, path: &[u8]) -> Result<(), Error> {
        let tree = self.repo.find_tree(tree).map_err(Error::mirror(self.repository))?;
        for entry in &tree {
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(
                    self.too_large(format!("more than {} files and folders", self.limits.entries))
                );
            }
            let name = entry.name_bytes();
            let child = if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() };
            if !is_safe_name(name) || child.len() > MAX_PATH || depth(&child) > MAX_DEPTH {
                self.skip(&child, SkipReason::UnsafeName);
                continue;
            }
            self.export_entry(entry.id(), entry.filemode_raw(), child)?;
        }
        Ok(())
    }

    fn export_entry(&mut self, id: Oid, mode: i32, path: Vec<u8>) -> Result<(), Error> {
        match mode & MODE_TYPE {
            MODE_TREE => self.export_tree(id, path),
            MODE_FILE => self.export_file(id, mode & 0o100 != 0, &path),
            MODE_LINK => self.remember_link(id, path),
            MODE_SUBMODULE => {
                self.skip(&path, SkipReason::Submodule);
                Ok(())
            }
            _ => {
                self.skip(&path, SkipReason::UnknownType);
                Ok(())
            }
        }
    }

    fn export_tree(&mut self, id: Oid, path: Vec<u8>) -> Result<(), Error> {
        let place = self.place(&path);
        match fs::create_dir(&place) {
            Ok(()) => self.ahead.push((id, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.skip(&path, SkipReason::DuplicateName)
            }
            Err(error) => return Err(Error::io("create the folder", &place)(error)),
        }
        Ok(())
    }

    fn export_file(&mut self, id: Oid, executable: bool, path: &[u8]) -> Result<(), Error> {
        let content = self.read_blob(id, path, self.limits.file_bytes)?;
        let place = self.place(path);
        let mode = if executable { 0o755 } else { 0o644 };
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&place);
        match file.and_then(|mut file| file.write_all(&content)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.skip(path, SkipReason::DuplicateName);
                return Ok(());
            }
            Err(error) => return Err(Error::io("write", &place)(error)),
        }
        self.written.files += 1;
        self.written.bytes += content.len() as u64;
        if content.len() < 1024 && content.starts_with(LFS_HEADER) {
            self.skip(path, SkipReason::LfsPointer);
        }
        Ok(())
    }

    fn remember_link(&mut self, id: Oid, path: Vec<u8>) -> Result<(), Error> {
        let target = self.read_blob(id, &path, MAX_LINK)?;
        match self.links.entry(path) {
            Entry::Vacant(place) => {
                place.insert(target);
            }
            Entry::Occupied(first) => {
                let path = first.key().clone();
                self.skip(&path, SkipReason::DuplicateName);
            }
        }
        Ok(())
    }

    fn read_blob(&self, id: Oid, path: &[u8], limit: u64) -> Result<Vec<u8>, Error> {
        let damaged = Error::mirror(self.repository);
        // The size first: a huge object must not get into memory.
        let (size, _) = self.repo.odb().and_then(|odb| odb.read_header(id)).map_err(&damaged)?;
        if size as u64 > limit {
            return Err(self.too_large(format!("{} has {size} bytes", clip_bytes(path, 200))));
        }
        if self.written.bytes + size as u64 > self.limits.bytes {
            return Err(self.too_large(format!("more than {} bytes", self.limits.bytes)));
        }
        self.repo.find_blob(id).map(|blob| blob.content().to_vec()).map_err(&damaged)
    }

    fn skip(&mut self, path: &[u8], reason: SkipReason) {
        self.written.skipped_total += 1;
        if self.written.skipped.len() < MAX_SKIPPED {
            self.written.skipped.push(Skipped { path: clip_bytes(path, 300), reason });
        }
    }

    fn place(&self, path: &[u8]) -> PathBuf {
        self.root.join(OsStr::from_bytes(path))
    }

    fn too_large(&self, what: String) -> Error {
        Error::TooLarge { repository: self.repository.to_owned(), what }
    }
}

fn depth(path: &[u8]) -> usize {
    path.iter().filter(|b| **b == b'/').count()
}
