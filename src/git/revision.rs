//! From what a person writes to a commit.
//!
//! Names are looked up as whole reference names and ids by their digits. git's revision language
//! (`@{…}`, `:/…`, `^`, `..`) is never spoken, so no name has a second meaning.

use std::collections::BTreeMap;
use std::fmt;

use git2::{Commit, ErrorCode, ObjectType, Oid, Repository};
use jiff::Timestamp;

use crate::domain::revision::{Revision, Sha};

use super::advertisement::RemoteRefs;
use super::error::{Absent, Error};
use super::refs::{read_default, read_refs};
use super::text::{clip, clip_bytes};

/// The fewest digits of an abbreviated commit id.
const MIN_DIGITS: usize = 4;
/// The longest name of a branch or tag.
const MAX_NAME: usize = 1024;
/// The most candidates that an error lists.
const MAX_CANDIDATES: usize = 10;

/// A way to name a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevisionSpec {
    /// The remote's default branch.
    DefaultBranch,
    /// A branch by its exact name.
    Branch(String),
    /// A tag by its exact name.
    Tag(String),
    /// A full commit id.
    Commit(Sha),
    /// A branch, a tag or an abbreviated id: whichever exists.
    Any(String),
}

impl RevisionSpec {
    /// Reads what a person typed: a branch, a tag, a commit id of 4 to 40 digits, `HEAD`, or a
    /// full name such as `refs/tags/v1`.
    ///
    /// # Errors
    /// [`Error::InvalidRevision`] for what no branch can be called.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text == "HEAD" {
            return Ok(Self::DefaultBranch);
        }
        if let Ok(sha) = Sha::parse(text) {
            return Ok(Self::Commit(sha));
        }
        if let Some(name) = text.strip_prefix("refs/heads/") {
            return Ok(Self::Branch(checked(name)?));
        }
        if let Some(name) = text.strip_prefix("refs/tags/") {
            return Ok(Self::Tag(checked(name)?));
        }
        checked(text).map(Self::Any)
    }

    /// A branch by its exact name.
    ///
    /// # Errors
    /// [`Error::InvalidRevision`] for what no branch can be called.
    pub fn branch(name: &str) -> Result<Self, Error> {
        checked(name).map(Self::Branch)
    }
}

impl fmt::Display for RevisionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DefaultBranch => f.write_str("default branch"),
            Self::Branch(name) => write!(f, "branch {name:?}"),
            Self::Tag(name) => write!(f, "tag {name:?}"),
            Self::Commit(sha) => write!(f, "commit {sha}"),
            Self::Any(text) => write!(f, "branch, tag or commit {text:?}"),
        }
    }
}

impl RevisionSpec {
    /// What it is called when it does not exist.
    fn absent(&self) -> Absent {
        match self {
            Self::DefaultBranch => Absent::DefaultBranch,
            Self::Branch(_) | Self::Tag(_) | Self::Commit(_) | Self::Any(_) => {
                Absent::Revision(self.to_string())
            }
        }
    }
}

/// A branch or tag and its commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The name without `refs/heads/` or `refs/tags/`.
    pub name: String,
    /// The commit; for an annotated tag the one it stands for.
    pub sha: Sha,
}

fn checked(name: &str) -> Result<String, Error> {
    let refuse = |reason| Err(Error::InvalidRevision { text: clip(name, 100), reason });
    if name.is_empty() {
        return refuse("it is empty");
    }
    if name.len() > MAX_NAME {
        return refuse("it is longer than 1024 bytes");
    }
    if !git2::Reference::is_valid_name(&format!("refs/heads/{name}")) {
        return refuse("git allows no branch or tag of that name");
    }
    Ok(name.to_owned())
}

/// Finds the commit of `spec`.
pub(super) fn resolve(
    repo: &Repository,
    spec: &RevisionSpec,
    repository: &str,
) -> Result<Revision, Error> {
    let not_found = || Error::NotFound { what: spec.absent(), repository: repository.to_owned() };
    let (oid, branch) = match spec {
        RevisionSpec::DefaultBranch => read_default(repo).ok_or_else(not_found)?,
        RevisionSpec::Branch(name) => {
            let oid = lookup(repo, &format!("refs/heads/{name}"), repository)?;
            (oid.ok_or_else(not_found)?, Some(name.clone()))
        }
        RevisionSpec::Tag(name) => {
            (lookup(repo, &format!("refs/tags/{name}"), repository)?.ok_or_else(not_found)?, None)
        }
        RevisionSpec::Commit(sha) => (oid_of(sha), None),
        RevisionSpec::Any(text) => resolve_any(repo, text, repository)?.ok_or_else(not_found)?,
    };
    revision_of(&find_commit(repo, oid, repository)?, branch).ok_or_else(|| Error::Internal {
        repository: repository.to_owned(),
        reason: "an id is not 40 digits".into(),
    })
}

/// The one commit that a branch, a tag or an abbreviated id gives.
fn resolve_any(
    repo: &Repository,
    text: &str,
    repository: &str,
) -> Result<Option<(Oid, Option<String>)>, Error> {
    let mut found: BTreeMap<Oid, (String, Option<String>)> = BTreeMap::new();
    if let Some(oid) = lookup(repo, &format!("refs/heads/{text}"), repository)? {
        found.insert(oid, (format!("refs/heads/{text}"), Some(text.to_owned())));
    }
    if let Some(oid) = lookup(repo, &format!("refs/tags/{text}"), repository)? {
        found.entry(oid).or_insert((format!("refs/tags/{text}"), None));
    }
    for oid in commits_by_prefix(repo, text, repository)? {
        found.entry(oid).or_insert((oid.to_string(), None));
    }
    if found.len() > 1 {
        let candidates = found
            .into_iter()
            .take(MAX_CANDIDATES)
            .map(|(oid, (name, _))| described(&name, oid))
            .collect();
        return Err(Error::AmbiguousRevision { text: text.to_owned(), candidates });
    }
    Ok(found.pop_first().map(|(oid, (_, branch))| (oid, branch)))
}

fn described(name: &str, oid: Oid) -> String {
    let id = oid.to_string();
    if name == id { format!("commit {id}") } else { format!("{name} ({})", &id[..7]) }
}

/// The commit behind a full reference name.
fn lookup(repo: &Repository, name: &str, repository: &str) -> Result<Option<Oid>, Error> {
    let reference = match repo.find_reference(name) {
        Ok(reference) => reference,
        Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => {
            return Ok(None);
        }
        Err(error) => return Err(Error::mirror(repository)(error)),
    };
    match reference.peel(ObjectType::Commit) {
        Ok(object) => Ok(Some(object.id())),
        // A tag of a file or a folder is no revision.
        Err(error) if matches!(error.code(), ErrorCode::InvalidSpec | ErrorCode::Peel) => Ok(None),
        Err(error) => Err(Error::mirror(repository)(error)),
    }
}

/// All commits whose id starts with these digits.
fn commits_by_prefix(repo: &Repository, text: &str, repository: &str) -> Result<Vec<Oid>, Error> {
    if !(MIN_DIGITS..40).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(Vec::new());
    }
    let prefix = text.to_ascii_lowercase();
    let damaged = Error::mirror(repository);
    let odb = repo.odb().map_err(&damaged)?;
    let padded = Oid::from_str(&format!("{prefix:0<40}")).map_err(&damaged)?;
    let is_commit =
        |oid: Oid| odb.read_header(oid).is_ok_and(|(_, kind)| kind == ObjectType::Commit);
    match odb.exists_prefix(padded, prefix.len()) {
        Ok(oid) => Ok(Some(oid).filter(|oid| is_commit(*oid)).into_iter().collect()),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(Vec::new()),
        Err(error) if error.code() == ErrorCode::Ambiguous => {
            // Files and folders have ids too: only the commits among them count.
            let mut found = Vec::new();
            odb.foreach(|oid| {
                if found.len() <= MAX_CANDIDATES
                    && oid.to_string().starts_with(&prefix)
                    && is_commit(*oid)
                {
                    found.push(*oid);
                }
                true
            })
            .map_err(&damaged)?;
            Ok(found)
        }
        Err(error) => Err(damaged(error)),
    }
}

/// The references below `prefix` that stand for commits.
pub(super) fn tips(repo: &Repository, prefix: &str, repository: &str) -> Result<Vec<Tip>, Error> {
    let refs = read_refs(repo).map_err(Error::mirror(repository))?;
    let mut tips = Vec::new();
    for name in refs.refs.keys() {
        let Some(short) = name.strip_prefix(prefix) else { continue };
        if let Some(sha) = lookup(repo, name, repository)?.and_then(sha_of) {
            tips.push(Tip { name: short.to_owned(), sha });
        }
    }
    Ok(tips)
}

/// The branches among references that were read. A branch is a commit: the mirror keeps no other.
pub(super) fn branch_tips(refs: &RemoteRefs) -> Vec<Tip> {
    let branches = refs.refs.iter().filter_map(|(name, oid)| {
        let name = name.strip_prefix("refs/heads/")?.to_owned();
        Some(Tip { name, sha: sha_of(*oid)? })
    });
    branches.collect()
}

/// A commit that somebody named: not having it is no damage.
pub(super) fn find_commit<'r>(
    repo: &'r Repository,
    oid: Oid,
    repository: &str,
) -> Result<Commit<'r>, Error> {
    repo.find_commit(oid).map_err(|error| match error.code() {
        ErrorCode::NotFound => {
            let what = Absent::Revision(format!("commit {oid}"));
            Error::NotFound { what, repository: repository.to_owned() }
        }
        _ => Error::mirror(repository)(error),
    })
}

pub(super) fn oid_of(sha: &Sha) -> Oid {
    Oid::from_str(sha.as_str()).expect("a Sha is 40 hex digits")
}

pub(super) fn sha_of(oid: Oid) -> Option<Sha> {
    Sha::parse(&oid.to_string()).ok()
}

fn revision_of(commit: &Commit<'_>, branch: Option<String>) -> Option<Revision> {
    Some(Revision {
        sha: sha_of(commit.id())?,
        subject: subject_of(commit),
        author: author_of(commit),
        branch,
        time: time_of(commit),
    })
}

/// The first line of the message, cut to 300 characters.
pub(super) fn subject_of(commit: &Commit<'_>) -> String {
    let message = commit.message_bytes().trim_ascii_start();
    clip_bytes(message.split(|b| *b == b'\n').next().unwrap_or_default(), 300)
}

/// The author's name, cut to 100 characters.
pub(super) fn author_of(commit: &Commit<'_>) -> String {
    clip_bytes(commit.author().name_bytes(), 100)
}

/// When it was committed; times that no calendar has become the nearest that one has.
pub(super) fn time_of(commit: &Commit<'_>) -> Timestamp {
    let seconds = commit.time().seconds();
    Timestamp::from_second(seconds).unwrap_or(if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_people_type_is_told_apart() {
        let sha = "4f1c2aa000000000000000000000000000000001";
        for (text, spec) in [
            ("HEAD", RevisionSpec::DefaultBranch),
            (sha, RevisionSpec::Commit(Sha::parse(sha).unwrap())),
            ("main", RevisionSpec::Any("main".into())),
            ("4f1c2aa", RevisionSpec::Any("4f1c2aa".into())),
            ("-x", RevisionSpec::Any("-x".into())),
            ("a;b", RevisionSpec::Any("a;b".into())),
            ("refs/heads/main", RevisionSpec::Branch("main".into())),
            ("refs/tags/v1", RevisionSpec::Tag("v1".into())),
        ] {
            assert_eq!(RevisionSpec::parse(text).unwrap(), spec);
        }
    }

    #[test]
    fn gits_revision_language_is_not_spoken() {
        for text in [
            "",
            "main@{1}",
            "@{-1}",
            ":/fix",
            "main^",
            "main~1",
            "a..b",
            "../x",
            "main:file",
            "a b",
            "a\nb",
            "x.lock",
            "/x",
            "[x",
        ] {
            let error = RevisionSpec::parse(text).unwrap_err();
            assert!(matches!(error, Error::InvalidRevision { .. }), "{text:?}: {error}");
        }
    }
}
