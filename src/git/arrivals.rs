//! What came to a branch: how it moved, and the commits with everything that rules depend on.

use git2::{Commit, ErrorCode, Oid, Repository, Sort};

use crate::domain::commit::{Arrivals, FullCommit, Relation};
use crate::domain::revision::Sha;

use super::error::Error;
use super::history::describe;
use super::revision::{find_commit, oid_of};
use super::text::clip;

/// The most commits that are counted.
const MAX_COUNTED: usize = 10_000;
/// The longest part of a message that is read.
const MAX_MESSAGE: usize = 16 * 1024;
/// The longest part of an address that is read.
const MAX_ADDRESS: usize = 320;

/// How a branch moved, and what is known without it.
#[derive(Debug, Clone)]
pub struct Moved {
    /// Where it was; `None` for a branch that is new.
    pub from: Option<Sha>,
    /// Where it is.
    pub to: Sha,
    /// Commits of other branches: what they have did not come with a new branch.
    pub known: Vec<Sha>,
}

/// How much is described.
#[derive(Debug, Clone, Copy)]
pub struct ArrivalLimits {
    /// The most commits, the newest ones; the others are counted.
    pub commits: usize,
    /// The most files of one commit.
    pub files: usize,
}

impl Default for ArrivalLimits {
    fn default() -> Self {
        Self { commits: 500, files: 2_000 }
    }
}

/// Finds out how a branch moved, and which commits came.
pub(super) fn arrivals(
    repo: &Repository,
    moved: &Moved,
    limits: ArrivalLimits,
    repository: &str,
) -> Result<Arrivals, Error> {
    let damaged = Error::mirror(repository);
    let to = oid_of(&moved.to);
    find_commit(repo, to, repository)?;
    let from = moved.from.as_ref().map(oid_of);
    // A commit that the remote dropped is not in a mirror that was made anew.
    let kept = from.filter(|oid| repo.find_commit(*oid).is_ok());
    let relation = relate(repo, from, kept, to).map_err(&damaged)?;
    let hidden: Vec<Oid> = match relation {
        Relation::Back => return Ok(Arrivals { relation, commits: vec![], total: 0 }),
        Relation::Unrelated => vec![],
        Relation::New | Relation::Forward | Relation::Rewritten => match kept {
            Some(from) => vec![from],
            None => moved.known.iter().map(oid_of).collect(),
        },
    };
    let came = walk(repo, to, &hidden).map_err(&damaged)?;
    let newest = &came[..came.len().min(limits.commits)];
    let commits = newest.iter().rev().map(|oid| {
        repo.find_commit(*oid)
            .and_then(|commit| describe_fully(repo, &commit, limits.files))
            .map_err(&damaged)
    });
    Ok(Arrivals { relation, commits: commits.collect::<Result<_, _>>()?, total: came.len() })
}

fn relate(
    repo: &Repository,
    from: Option<Oid>,
    kept: Option<Oid>,
    to: Oid,
) -> Result<Relation, git2::Error> {
    let Some(from) = kept else {
        return Ok(if from.is_some() { Relation::Rewritten } else { Relation::New });
    };
    match repo.merge_base(from, to) {
        Ok(base) if base == from => Ok(Relation::Forward),
        Ok(base) if base == to => Ok(Relation::Back),
        Ok(_) => Ok(Relation::Rewritten),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(Relation::Unrelated),
        Err(error) => Err(error),
    }
}

/// Newest first. Without anything hidden the order is by time alone, which needs no look at the
/// whole history before the first commit is known.
fn walk(repo: &Repository, to: Oid, hidden: &[Oid]) -> Result<Vec<Oid>, git2::Error> {
    let mut walk = repo.revwalk()?;
    let sorting = if hidden.is_empty() { Sort::TIME } else { Sort::TOPOLOGICAL | Sort::TIME };
    walk.set_sorting(sorting)?;
    walk.push(to)?;
    for oid in hidden {
        match walk.hide(*oid) {
            Err(error) if error.code() == ErrorCode::NotFound => {}
            other => other?,
        }
    }
    walk.take(MAX_COUNTED).collect()
}

fn describe_fully(
    repo: &Repository,
    commit: &Commit<'_>,
    max_files: usize,
) -> Result<FullCommit, git2::Error> {
    let message = commit.message_bytes();
    let message = &message[..message.len().min(MAX_MESSAGE)];
    Ok(FullCommit {
        info: describe(repo, commit, max_files)?,
        message: String::from_utf8_lossy(message).into_owned(),
        author_email: clip(&String::from_utf8_lossy(commit.author().email_bytes()), MAX_ADDRESS),
    })
}
