//! Commits between two revisions: the suspects of a report.

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
