//! One look at a remote's branches, as cheap as it can be while nothing moves.

use std::fmt;
use std::sync::PoisonError;

use sha2::{Digest, Sha256};

use super::advertisement::RemoteRefs;
use super::deadline::Deadline;
use super::error::Error;
use super::fetch::{Place, fetch};
use super::local::open_source;
use super::ref_files::RefFiles;
use super::refs::{read_branches, read_refs};
use super::revision::{Tip, branch_tips};
use super::text::clip;
use super::url::Target;

/// Stands for all branches of a remote and its `HEAD`: equal prints, equal branches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RefsPrint([u8; 32]);

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// The remote is as it was when the caller got its print.
    Unchanged,
    /// What the remote has; the mirror has it too.
    Seen(Branches),
}

/// The branches of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branches {
    /// What to bring along to the next look.
    pub print: RefsPrint,
    /// The branch that `HEAD` names.
    pub default_branch: Option<String>,
    /// All branches, sorted by name.
    pub tips: Vec<Tip>,
    /// References that could not be kept, cleaned for display; at most 100.
    pub skipped: Vec<String>,
}

impl fmt::Debug for RefsPrint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefsPrint({})", hex::encode(&self.0[..4]))
    }
}

impl RefsPrint {
    fn of(refs: &RemoteRefs) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(refs.head_target.as_deref().unwrap_or_default());
        for (name, oid) in refs.refs.iter().filter(|(name, _)| name.starts_with("refs/heads/")) {
            // No name contains a zero byte, and an id has a fixed length.
            hasher.update([0]);
            hasher.update(name.as_bytes());
            hasher.update([0]);
            hasher.update(oid.as_bytes());
        }
        Self(hasher.finalize().into())
    }
}

/// Branches, and the files that they were read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    files: RefFiles,
    print: RefsPrint,
}

/// Whether the branches of a repository on this machine are what the caller knows.
/// `false` also for a remote elsewhere: only a fetch can tell.
pub(super) fn is_unchanged(place: &Place, known: Option<RefsPrint>) -> Result<bool, Error> {
    let (Target::Local(path), Some(known)) = (&place.url.target, known) else { return Ok(false) };
    let seen = RefFiles::read(path).map(|files| Seen { files, print: known });
    let last = || place.seen.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.is_some() && *last() == seen {
        return Ok(true);
    }
    let source = open_source(path, &place.repository)?;
    let refs = read_branches(&source).map_err(|error| Error::Network {
        repository: place.repository.clone(),
        reason: clip(error.message(), 300),
    })?;
    let is_unchanged = RefsPrint::of(&refs) == known;
    // Files that changed while the branches were read are not those that they were read from.
    if is_unchanged && RefFiles::read(path) == seen.map(|seen| seen.files) {
        *last() = seen;
    }
    Ok(is_unchanged)
}

/// Brings the mirror up to date and lists its branches.
pub(super) fn look(
    place: &Place,
    known: Option<RefsPrint>,
    deadline: Deadline,
) -> Result<Looked, Error> {
    let fetched = fetch(place, deadline)?;
    let repo = place.open()?;
    let refs = read_refs(&repo).map_err(Error::mirror(&place.repository))?;
    let print = RefsPrint::of(&refs);
    if known == Some(print) {
        return Ok(Looked::Unchanged);
    }
    let default = refs.head_target.as_deref().and_then(|name| name.strip_prefix("refs/heads/"));
    Ok(Looked::Seen(Branches {
        print,
        default_branch: default.map(str::to_owned),
        tips: branch_tips(&refs),
        skipped: fetched.skipped,
    }))
}
