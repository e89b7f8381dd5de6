//! Copies objects from a repository on this machine into a mirror.
//!
//! The pack is built here and not by libgit2's local transport, which takes every reference of the
//! source (stashes, remotes) each time and ignores that a source may be a shallow clone.

use std::fs;
use std::io::Read;
use std::path::Path;

use git2::{ErrorCode, ObjectType, Oid, PackBuilder, Repository, Revwalk};

use super::advertisement::RemoteRefs;
use super::deadline::Deadline;
use super::error::{Absent, Error};
use super::packs::write_pack;
use super::text::clip;
use super::url::{RepoUrl, Target};
use crate::domain::spec::Pipeline;

/// The most bytes of a list of shallow commits that are read.
const SHALLOW_CAP: u64 = 4 << 20;

/// How much of the source is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// What the mirror's references do not reach.
    Missing,
    /// Everything, whatever the mirror seems to have.
    Everything,
}

/// Opens the source, and nothing above it.
pub(super) fn open_source(path: &Path, repository: &str) -> Result<Repository, Error> {
    Repository::open(path).map_err(|error| match error.code() {
        ErrorCode::NotFound => {
            Error::NotFound { what: Absent::LocalRepository, repository: repository.to_owned() }
        }
        ErrorCode::Owner => Error::ForeignOwner { repository: repository.to_owned() },
        _ => unreadable(repository)(error),
    })
}

/// Why there is no repository where a pipeline means one on this machine; `None` where there is one, or it is
/// elsewhere. Looks at the disk alone.
pub fn missing_here(pipeline: &Pipeline) -> Option<Error> {
    let url = RepoUrl::of_pipeline(pipeline).ok()?;
    let Target::Local(path) = &url.target else { return None };
    let missing = |fault: &Error| matches!(fault, Error::NotFound { .. });
    open_source(path, &url.to_string()).err().filter(missing)
}

/// The repository in whose work tree a folder lies, when the address names one that is none itself: in
/// `pipelines/x.yaml`, `.` means the project that the file is part of.
pub fn enclosing(url: RepoUrl) -> RepoUrl {
    let Target::Local(path) = &url.target else { return url };
    match Repository::discover(path) {
        Ok(found) => RepoUrl::of_folder(found.workdir().unwrap_or(found.path())),
        Err(_) => url,
    }
}

/// The commits at which the history of a shallow clone ends, one a line; empty for others.
pub(super) fn read_shallow(repo: &Repository) -> String {
    let mut text = String::new();
    let file = fs::File::open(repo.commondir().join("shallow"));
    if file.and_then(|file| file.take(SHALLOW_CAP).read_to_string(&mut text)).is_err() {
        return String::new();
    }
    let mut lines: Vec<&str> =
        text.lines().filter(|line| Oid::from_str(line).is_ok() && line.len() == 40).collect();
    lines.sort_unstable();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Marks the mirror as shallow where the source is.
pub(super) fn write_shallow(mirror: &Repository, shallow: &str) -> Result<(), Error> {
    let path = mirror.path().join("shallow");
    if shallow.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", &path)(error))
            }
            _ => Ok(()),
        };
    }
    fs::write(&path, shallow).map_err(Error::io("write", &path))
}

/// Copies what `wanted` reaches.
pub(super) fn copy_objects(
    source: &Repository,
    mirror: &Repository,
    wanted: &RemoteRefs,
    extent: Extent,
    deadline: Deadline,
    repository: &str,
) -> Result<(), Error> {
    let unreadable = unreadable(repository);
    let mut pack = source.packbuilder().map_err(&unreadable)?;
    let mut walk = source.revwalk().map_err(&unreadable)?;
    for oid in wanted.refs.values().chain(&wanted.head) {
        want(source, &mut pack, &mut walk, *oid).map_err(&unreadable)?;
    }
    if extent == Extent::Missing {
        hide_known(source, mirror, &mut walk).map_err(Error::mirror(repository))?;
    }
    pack.set_threads(0);
    pack.set_progress_callback(move |_, _, _| !deadline.has_passed()).map_err(&unreadable)?;
    pack.insert_walk(&mut walk)
        .map_err(|error| late_or(deadline, repository, unreadable(error)))?;
    if pack.object_count() == 0 {
        return Ok(());
    }
    write_pack(&mut pack, mirror, deadline, repository)
}

fn want(
    source: &Repository,
    pack: &mut PackBuilder<'_>,
    walk: &mut Revwalk<'_>,
    oid: Oid,
) -> Result<(), git2::Error> {
    let mut oid = oid;
    loop {
        let object = source.find_object(oid, None)?;
        match object.kind() {
            Some(ObjectType::Commit) => return walk.push(oid),
            Some(ObjectType::Tag) => {
                pack.insert_object(oid, None)?;
                oid = object.as_tag().map_or(oid, git2::Tag::target_id);
            }
            _ => return pack.insert_recursive(oid, None),
        }
    }
}

/// Leaves out what the mirror has. A commit that the source no longer has cannot be hidden.
fn hide_known(
    source: &Repository,
    mirror: &Repository,
    walk: &mut Revwalk<'_>,
) -> Result<(), git2::Error> {
    for reference in mirror.references()? {
        let Ok(commit) = reference.and_then(|reference| reference.peel_to_commit()) else {
            continue;
        };
        if source.find_commit(commit.id()).is_ok() {
            walk.hide(commit.id())?;
        }
    }
    Ok(())
}

fn late_or(deadline: Deadline, repository: &str, error: Error) -> Error {
    if deadline.has_passed() { deadline.timeout(repository, "copying objects") } else { error }
}

fn unreadable(repository: &str) -> impl Fn(git2::Error) -> Error + use<> {
    let repository = repository.to_owned();
    move |error| Error::Network {
        repository: repository.clone(),
        reason: clip(error.message(), 300),
    }
}
