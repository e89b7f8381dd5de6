//! Commits between two revisions: the suspects of a report, and what came to a watched branch.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::revision::Sha;

/// One commit with the files it touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitInfo {
    /// Its id.
    pub sha: Sha,
    /// The first line of its message.
    pub subject: String,
    /// The author's name.
    pub author: String,
    /// When it was committed.
    pub time: Timestamp,
    /// Paths that differ from its first parent, at most as many as were asked for.
    #[serde(default)]
    pub files: Vec<String>,
    /// How many paths differ in all.
    #[serde(default)]
    pub files_total: usize,
}

/// The commits that one revision has and another has not, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRange {
    /// The commits, at most as many as were asked for.
    pub commits: Vec<CommitInfo>,
    /// How many there are in all.
    pub total: usize,
}

impl CommitRange {
    /// Whether some commits were left out of the list.
    pub fn is_cut(&self) -> bool {
        self.commits.len() < self.total
    }
}

/// One commit with everything on which a rule of `watch` can depend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullCommit {
    /// What a list shows of it.
    pub info: CommitInfo,
    /// Its message as written, the beginning of a very long one.
    pub message: String,
}

impl FullCommit {
    /// Whether the commit touches more files than are named.
    pub fn is_cut(&self) -> bool {
        self.info.files.len() < self.info.files_total
    }
}

/// How where a branch is now relates to where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It was nowhere.
    New,
    /// What was there is still in its history.
    Forward,
    /// It was moved back to a commit of its own history.
    Back,
    /// Its newest commits were replaced by others.
    Rewritten,
    /// It has no commit in common with what was there.
    Unrelated,
}

/// The commits that came to a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrivals {
    /// How the branch moved.
    pub relation: Relation,
    /// The newest of the commits that were not known before, oldest first.
    pub commits: Vec<FullCommit>,
    /// How many came in all, as far as was counted.
    pub total: usize,
}

impl Arrivals {
    /// Whether older commits were left out of the list.
    pub fn is_cut(&self) -> bool {
        self.commits.len() < self.total
    }
}
