//! What happened between two commits, and how commits are related.

use std::collections::HashSet;

use git2::{Commit, DiffOptions, ErrorCode, Oid, Repository, Sort};

use crate::domain::commit::{CommitInfo, CommitRange};
use crate::domain::revision::Sha;

use super::error::Error;
use super::revision::{author_of, find_commit, oid_of, sha_of, subject_of, time_of};

/// The most commits that are counted.
const MAX_WALK: usize = 1_000_000;

/// Which parents of a merge are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parents {
    /// All: every commit that came in.
    #[default]
    All,
    /// The first: one step of the branch itself for each merge.
    First,
}

/// How much of a range is described.
#[derive(Debug, Clone, Copy)]
pub struct RangeLimits {
    /// The most commits that are described; the others are counted.
    pub commits: usize,
    /// The most files that are named for one commit; the others are counted.
    pub files: usize,
    /// Which parents are followed.
    pub parents: Parents,
}

impl Default for RangeLimits {
    fn default() -> Self {
        Self { commits: 200, files: 200, parents: Parents::All }
    }
}

/// The commits that `to` has and `from` has not, newest first.
pub(super) fn commits_between(
    repo: &Repository,
    from: &Sha,
    to: &Sha,
    limits: RangeLimits,
    repository: &str,
) -> Result<CommitRange, Error> {
    let damaged = Error::mirror(repository);
    let (from, to) = (oid_of(from), oid_of(to));
    find_commit(repo, from, repository)?;
    find_commit(repo, to, repository)?;
    let mut between = walk(repo, from, to).map_err(&damaged)?;
    if limits.parents == Parents::First {
        between = first_parents(repo, to, &between).map_err(&damaged)?;
    }
    let commits = between.iter().take(limits.commits).map(|oid| {
        repo.find_commit(*oid)
            .and_then(|commit| describe(repo, &commit, limits.files))
            .map_err(&damaged)
    });
    Ok(CommitRange { commits: commits.collect::<Result<_, _>>()?, total: between.len() })
}

fn walk(repo: &Repository, from: Oid, to: Oid) -> Result<Vec<Oid>, git2::Error> {
    let mut walk = repo.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
    walk.push(to)?;
    walk.hide(from)?;
    walk.take(MAX_WALK).collect()
}

/// The part of the range that lies on the branch itself. (libgit2 can follow first parents, but
/// then does not see that `from` may have come in by a merge, and walks to the very beginning.)
fn first_parents(repo: &Repository, to: Oid, between: &[Oid]) -> Result<Vec<Oid>, git2::Error> {
    let members: HashSet<Oid> = between.iter().copied().collect();
    let mut line = Vec::new();
    let mut next = Some(to);
    while let Some(oid) = next.filter(|oid| members.contains(oid)) {
        line.push(oid);
        next = repo.find_commit(oid)?.parent_ids().next();
    }
    Ok(line)
}

pub(super) fn describe(
    repo: &Repository,
    commit: &Commit<'_>,
    max_files: usize,
) -> Result<CommitInfo, git2::Error> {
    let (files, files_total) = touched_files(repo, commit, max_files)?;
    Ok(CommitInfo {
        sha: sha_of(commit.id()).ok_or_else(|| git2::Error::from_str("an id is not 40 digits"))?,
        subject: subject_of(commit),
        author: author_of(commit),
        time: time_of(commit),
        files,
        files_total,
    })
}

/// Paths that differ from the first parent; of a first commit, all. A renamed file counts twice:
/// its old and its new path were touched.
fn touched_files(
    repo: &Repository,
    commit: &Commit<'_>,
    max: usize,
) -> Result<(Vec<String>, usize), git2::Error> {
    let parent = match commit.parent(0) {
        Ok(parent) => Some(parent.tree()?),
        // The first commit, or the end of a shallow history.
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(error) => return Err(error),
    };
    let mut options = DiffOptions::new();
    options.skip_binary_check(true).ignore_submodules(true).context_lines(0);
    let diff =
        repo.diff_tree_to_tree(parent.as_ref(), Some(&commit.tree()?), Some(&mut options))?;
    let deltas = diff.deltas();
    let total = deltas.len();
    let path = |delta: git2::DiffDelta<'_>| {
        let file =
            delta.new_file().path_bytes().or(delta.old_file().path_bytes()).unwrap_or_default();
        String::from_utf8_lossy(file).into_owned()
    };
    Ok((deltas.take(max).map(path).collect(), total))
}

/// Whether `ancestor` is `descendant` or one of its ancestors.
pub(super) fn is_ancestor(
    repo: &Repository,
    ancestor: &Sha,
    descendant: &Sha,
    repository: &str,
) -> Result<bool, Error> {
    let (ancestor, descendant) = (oid_of(ancestor), oid_of(descendant));
    find_commit(repo, ancestor, repository)?;
    find_commit(repo, descendant, repository)?;
    if ancestor == descendant {
        return Ok(true);
    }
    repo.graph_descendant_of(descendant, ancestor).map_err(Error::mirror(repository))
}

/// The best common ancestor.
pub(super) fn merge_base(
    repo: &Repository,
    one: &Sha,
    other: &Sha,
    repository: &str,
) -> Result<Option<Sha>, Error> {
    let (one, other) = (oid_of(one), oid_of(other));
    find_commit(repo, one, repository)?;
    find_commit(repo, other, repository)?;
    match repo.merge_base(one, other) {
        Ok(oid) => Ok(sha_of(oid)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(Error::mirror(repository)(error)),
    }
}
