//! Commits between two revisions: the suspects of a report, and what came to a watched branch.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::revision::Sha;

/// The address by which the commits are known that publish reports, beside their trailer.
pub const REPORT_ADDRESS: &str = "andon@localhost";

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
    /// The author's address.
    pub author_email: String,
}

impl FullCommit {
    /// Whether the commit touches more files than are named.
    pub fn is_cut(&self) -> bool {
        self.info.files.len() < self.info.files_total
    }
}

/// Whether a commit may have come about because a cycle ran: it carries what cycles leave behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Echo {
    /// It touches something else, or nobody can tell.
    #[default]
    No,
    /// It touches nothing but reports, or its author is who publishes them.
    Yes,
    /// The same, and no cycle runs for it, because cycles for such commits go round.
    Stopped,
}

impl Echo {
    /// As it is stored; `None` for the usual commit.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::No => None,
            Self::Yes => Some("yes"),
            Self::Stopped => Some("stopped"),
        }
    }

    /// Reads what [`Echo::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Yes, Self::Stopped].into_iter().find(|echo| echo.as_str() == Some(text))
    }
}

/// A commit that was seen on a watched branch before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenBefore {
    /// The commit.
    pub sha: Sha,
    /// The branch.
    pub branch: String,
    /// When it was seen.
    pub at: Timestamp,
    /// Whether it may be what an earlier cycle left behind.
    pub echo: Echo,
    /// The cycle that its arrival started, alone or with others.
    pub cycle: Option<u32>,
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
