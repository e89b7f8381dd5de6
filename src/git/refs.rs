//! The references of a repository on this machine: read as a whole, made equal to a remote's.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use git2::{ErrorCode, ObjectType, Oid, Repository};

use super::advertisement::RemoteRefs;
use super::error::Error;

/// Where the mirror keeps a remote `HEAD` that is on no branch.
const DETACHED: &str = "refs/andon/head";
/// From so many changes on, all references are written into one file.
const BULK: usize = 64;

/// The longest part of a name that can be a file: 255 bytes with the `.lock` beside it.
const LONGEST_PART: usize = 250;

/// What an update of references did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Applied {
    /// References that were set or deleted.
    pub(super) changes: usize,
    /// Names that could not be kept.
    pub(super) skipped: Vec<String>,
}

/// Reads branches, tags and `HEAD`. References that cannot be read are left out.
pub(super) fn read_refs(repo: &Repository) -> Result<RemoteRefs, git2::Error> {
    read_matching(repo, &["refs/heads/*", "refs/tags/*"])
}

/// Reads branches and `HEAD` only.
pub(super) fn read_branches(repo: &Repository) -> Result<RemoteRefs, git2::Error> {
    read_matching(repo, &["refs/heads/*"])
}

fn read_matching(repo: &Repository, globs: &[&str]) -> Result<RemoteRefs, git2::Error> {
    let mut found = RemoteRefs::default();
    for glob in globs {
        for reference in repo.references_glob(glob)? {
            let Ok(reference) = reference else { continue };
            let target = reference.target().or_else(|| reference.resolve().ok()?.target());
            match target {
                Some(oid) => found.insert(reference.name_bytes(), oid),
                None => found.skip(reference.name_bytes()),
            }
        }
    }
    match repo.find_reference("HEAD") {
        Ok(head) => {
            found.head = head.resolve().ok().and_then(|direct| direct.target());
            found.head_target = head.symbolic_target().ok().flatten().map(str::to_owned);
        }
        Err(error) if error.code() == ErrorCode::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(normalized(found))
}

/// The mirror's default: its commit, and its branch if it is on one.
pub(super) fn read_default(repo: &Repository) -> Option<(Oid, Option<String>)> {
    let head = repo.find_reference("HEAD").ok()?;
    let oid = head.resolve().ok()?.target()?;
    let name = head.symbolic_target().ok().flatten()?;
    Some((oid, name.strip_prefix("refs/heads/").map(str::to_owned)))
}

/// The same facts in one form: `HEAD` names a branch that exists and agrees, or none.
pub(super) fn normalized(mut refs: RemoteRefs) -> RemoteRefs {
    let Some(head) = refs.head else {
        refs.head_target = None;
        return refs;
    };
    let agrees = |name: &str| refs.refs.get(name) == Some(&head);
    refs.head_target = match refs.head_target.take() {
        Some(name) if agrees(&name) => Some(name),
        Some(name) if name == DETACHED => None,
        // Old servers do not say what HEAD names: the usual names, if they fit.
        _ => ["refs/heads/main", "refs/heads/master"]
            .into_iter()
            .find(|name| agrees(name))
            .map(str::to_owned),
    };
    refs
}

/// Makes the mirror's references equal to `new`.
pub(super) fn apply_refs(
    repo: &Repository,
    repository: &str,
    old: &RemoteRefs,
    new: &RemoteRefs,
) -> Result<Applied, Error> {
    let mut applied = Applied::default();
    let gone: Vec<&str> =
        old.refs.keys().filter(|name| !new.refs.contains_key(*name)).map(String::as_str).collect();
    let mut set = Vec::new();
    for (name, oid) in new.refs.iter().filter(|(name, oid)| old.refs.get(*name) != Some(oid)) {
        if check_target(repo, repository, name, *oid)? {
            set.push((name.as_str(), *oid));
        } else {
            applied.skipped.push(name.clone());
        }
    }
    if gone.len() + set.len() < BULK {
        apply_each(repo, repository, &gone, &set, &mut applied)?;
    } else {
        let kept = new.refs.iter().filter(|(name, _)| !applied.skipped.contains(name));
        apply_all(repo, kept)?;
        applied.changes = gone.len() + set.len();
    }
    apply_head(repo, new).map_err(Error::mirror(repository))?;
    Ok(applied)
}

/// One by one, deletions first: a branch `a` that became `a/b` needs the name free.
fn apply_each(
    repo: &Repository,
    repository: &str,
    gone: &[&str],
    set: &[(&str, Oid)],
    applied: &mut Applied,
) -> Result<(), Error> {
    for name in gone {
        repo.find_reference(name)
            .and_then(|mut reference| reference.delete())
            .map_err(Error::mirror(repository))?;
        applied.changes += 1;
    }
    for (name, oid) in set {
        if name.split('/').any(|part| part.len() > LONGEST_PART) {
            applied.skipped.push((*name).to_owned());
            continue;
        }
        repo.reference(name, *oid, true, "").map_err(|error| {
            Error::io("write a reference into", repo.path())(io::Error::other(error))
        })?;
        applied.changes += 1;
    }
    Ok(())
}

/// All in one file, as `git pack-refs` writes it: libgit2 would write that file anew for each
/// deletion. The single files go afterwards; a crash in between leaves what the next fetch sees.
fn apply_all<'a>(
    repo: &Repository,
    refs: impl Iterator<Item = (&'a String, &'a Oid)>,
) -> Result<(), Error> {
    let path = repo.path().join("packed-refs");
    let mut text = String::from("# pack-refs with: sorted \n");
    text.extend(refs.map(|(name, oid)| format!("{oid} {name}\n")));
    let mut file = tempfile::Builder::new()
        .prefix("tmp_packed-refs-")
        .tempfile_in(repo.path())
        .map_err(Error::io("create a file in", repo.path()))?;
    file.write_all(text.as_bytes()).map_err(Error::io("write", &path))?;
    file.persist(&path).map_err(|error| Error::io("write", &path)(error.error))?;
    for folder in ["refs/heads", "refs/tags"] {
        let folder = repo.path().join(folder);
        fs::remove_dir_all(&folder)
            .and_then(|()| fs::create_dir(&folder))
            .map_err(Error::io("empty", &folder))?;
    }
    Ok(())
}

/// Whether the reference can be kept: its object must be there, and a branch must be a commit.
fn check_target(repo: &Repository, repository: &str, name: &str, oid: Oid) -> Result<bool, Error> {
    let damaged = Error::mirror(repository);
    let (_, kind) = repo.odb().and_then(|odb| odb.read_header(oid)).map_err(&damaged)?;
    if kind == ObjectType::Commit {
        check_commit(repo, oid).map_err(&damaged)?;
    }
    Ok(kind == ObjectType::Commit || name.starts_with("refs/tags/"))
}

/// Reads a commit and its root tree.
pub(super) fn check_commit(repo: &Repository, oid: Oid) -> Result<(), git2::Error> {
    repo.find_commit(oid)?.tree().map(drop)
}

fn apply_head(repo: &Repository, new: &RemoteRefs) -> Result<(), git2::Error> {
    let Some(oid) = new.head else { return Ok(()) };
    let target = match &new.head_target {
        Some(branch) => branch.as_str(),
        None => {
            repo.reference(DETACHED, oid, true, "")?;
            DETACHED
        }
    };
    repo.reference_symbolic("HEAD", target, true, "").map(drop)
}

/// Removes the lock files and half-written files of a writer that died. Only for the holder of
/// the mirror's lock.
pub(super) fn remove_leftovers(git_dir: &Path) -> Result<(), Error> {
    for folder in [git_dir.to_owned(), git_dir.join("objects/pack")] {
        remove_matching(&folder, |name| {
            name.ends_with(b".lock") || name.starts_with(b"pack_git2_") || name.starts_with(b"tmp_")
        })?;
    }
    let mut folders = vec![git_dir.join("refs")];
    while let Some(folder) = folders.pop() {
        // No reference can have this ending.
        remove_matching(&folder, |name| name.ends_with(b".lock"))?;
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(entries.map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    Ok(())
}

fn remove_matching(folder: &Path, is_leftover: impl Fn(&[u8]) -> bool) -> Result<(), Error> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if !is_leftover(entry.file_name().as_encoded_bytes()) {
            continue;
        }
        let path = entry.path();
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(Error::io("remove the stale file", &path))?;
    }
    Ok(())
}
