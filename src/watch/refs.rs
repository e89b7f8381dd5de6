//! Which watched branches moved since they were last looked at.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::glob::Glob;
use crate::domain::revision::Sha;
use crate::domain::spec::Watch;

/// Begins the name of a cursor that stands for a pattern. No branch can be called so.
const MARKER: char = ':';

/// Whether a cursor stands for a pattern that was looked for, and not for a branch.
///
/// Such a cursor says that from then on, a branch that fits and was never seen is new; without it,
/// nobody could tell it from one that was there before the pipeline watched such names.
pub fn is_marker(cursor: &str) -> bool {
    cursor.starts_with(MARKER)
}

/// Which branches a pipeline watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Without any, the remote's default branch.
    patterns: Vec<Glob>,
}

/// What a remote has: tags are not watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteTips {
    /// The branch that the remote's `HEAD` names.
    pub default_branch: Option<String>,
    /// Every branch and its commit.
    pub branches: BTreeMap<String, Sha>,
}

/// What is remembered of earlier looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursors {
    /// Where each branch was; `None` after it was deleted.
    branches: BTreeMap<String, Option<Sha>>,
    /// The markers of the patterns that were looked for.
    looked_for: BTreeSet<String>,
}

/// What happened to a watched branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BranchMove {
    /// It was there before anybody looked for such a name: to be remembered, no news.
    Found {
        /// The branch.
        branch: String,
        /// Its commit.
        to: Sha,
    },
    /// It is new.
    Appeared {
        /// The branch.
        branch: String,
        /// Its commit.
        to: Sha,
    },
    /// It was deleted, and is there again.
    CameBack {
        /// The branch.
        branch: String,
        /// Its commit.
        to: Sha,
    },
    /// The remote's default is another branch than before, and that is watched.
    NewDefault {
        /// The branch.
        branch: String,
        /// Its commit.
        to: Sha,
        /// Whether that commit was seen on the branch that was the default.
        seen: bool,
    },
    /// It points to another commit.
    Moved {
        /// The branch.
        branch: String,
        /// Where it was.
        from: Sha,
        /// Where it is.
        to: Sha,
    },
    /// It is gone.
    Deleted {
        /// The branch.
        branch: String,
        /// Where it was.
        from: Sha,
    },
}

impl BranchMove {
    /// The branch.
    pub fn branch(&self) -> &str {
        match self {
            Self::Found { branch, .. }
            | Self::Appeared { branch, .. }
            | Self::CameBack { branch, .. }
            | Self::NewDefault { branch, .. }
            | Self::Moved { branch, .. }
            | Self::Deleted { branch, .. } => branch,
        }
    }

    /// Where the branch was.
    pub fn from(&self) -> Option<&Sha> {
        match self {
            Self::Moved { from, .. } | Self::Deleted { from, .. } => Some(from),
            Self::Found { .. }
            | Self::Appeared { .. }
            | Self::CameBack { .. }
            | Self::NewDefault { .. } => None,
        }
    }

    /// Where it is.
    pub fn to(&self) -> Option<&Sha> {
        match self {
            Self::Found { to, .. }
            | Self::Appeared { to, .. }
            | Self::CameBack { to, .. }
            | Self::NewDefault { to, .. }
            | Self::Moved { to, .. } => Some(to),
            Self::Deleted { .. } => None,
        }
    }

    /// Whether its commits decide what to do.
    pub fn brings_commits(&self) -> bool {
        match self {
            Self::Appeared { .. }
            | Self::CameBack { .. }
            | Self::NewDefault { .. }
            | Self::Moved { .. } => true,
            Self::Found { .. } | Self::Deleted { .. } => false,
        }
    }
}

/// What a look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// What happened, by branch.
    pub moves: Vec<BranchMove>,
    /// Markers that must be remembered after all moves: a crash in between must not turn what was
    /// only found into news.
    pub markers: Vec<String>,
}

impl Watched {
    /// The branches of a pipeline.
    pub fn new(watch: &Watch) -> Self {
        // What is no glob was refused when the pipeline was read.
        Self { patterns: watch.branches.iter().filter_map(|text| Glob::parse(text).ok()).collect() }
    }

    fn markers(&self) -> Vec<String> {
        if self.patterns.is_empty() {
            return vec![MARKER.to_string()];
        }
        self.patterns.iter().map(marker).collect()
    }

    /// Compares what a remote has with what is remembered.
    pub fn compare(&self, cursors: &Cursors, tips: &RemoteTips) -> Compared {
        let mut moves = self.gone(cursors, tips);
        if self.patterns.is_empty() {
            moves.extend(compare_default(cursors, tips));
        } else {
            let arrived = tips.branches.iter();
            moves.extend(arrived.filter_map(|(branch, to)| self.compare_one(cursors, branch, to)));
        }
        let mut markers = self.markers();
        markers.retain(|marker| !cursors.looked_for.contains(marker));
        Compared { moves, markers }
    }

    /// Deletions come first: a name that became a folder of names reads better so.
    fn gone(&self, cursors: &Cursors, tips: &RemoteTips) -> Vec<BranchMove> {
        let is_watched = |branch: &str| {
            self.patterns.is_empty() || self.patterns.iter().any(|glob| glob.matches(branch))
        };
        cursors
            .live()
            .filter(|(branch, _)| !tips.branches.contains_key(*branch) && is_watched(branch))
            .map(|(branch, from)| BranchMove::Deleted {
                branch: branch.to_owned(),
                from: from.clone(),
            })
            .collect()
    }

    fn compare_one(&self, cursors: &Cursors, branch: &str, to: &Sha) -> Option<BranchMove> {
        let mut fits = self.patterns.iter().filter(|glob| glob.matches(branch)).peekable();
        fits.peek()?;
        match cursors.branches.get(branch) {
            Some(was) => moved(branch, was.as_ref(), to),
            None if fits.any(|glob| cursors.looked_for.contains(&marker(glob))) => {
                Some(BranchMove::Appeared { branch: branch.to_owned(), to: to.clone() })
            }
            None => Some(BranchMove::Found { branch: branch.to_owned(), to: to.clone() }),
        }
    }
}

impl Cursors {
    /// Sorts what was stored: branches, and markers of patterns.
    pub fn new(rows: impl IntoIterator<Item = (String, Option<Sha>)>) -> Self {
        let mut cursors = Self::default();
        for (name, sha) in rows {
            if is_marker(&name) {
                cursors.looked_for.insert(name);
            } else {
                cursors.branches.insert(name, sha);
            }
        }
        cursors
    }

    /// Whether the pipeline was never looked at.
    pub fn is_first_look(&self) -> bool {
        self.looked_for.is_empty()
    }

    /// The branches that were there, with their commits.
    pub fn live(&self) -> impl Iterator<Item = (&str, &Sha)> {
        self.branches.iter().filter_map(|(branch, sha)| Some((branch.as_str(), sha.as_ref()?)))
    }
}

fn marker(glob: &Glob) -> String {
    format!("{MARKER}{}", glob.source())
}

fn moved(branch: &str, was: Option<&Sha>, to: &Sha) -> Option<BranchMove> {
    let (branch, to) = (branch.to_owned(), to.clone());
    match was {
        None => Some(BranchMove::CameBack { branch, to }),
        Some(from) if *from == to => None,
        Some(from) => Some(BranchMove::Moved { branch, from: from.clone(), to }),
    }
}

fn compare_default(cursors: &Cursors, tips: &RemoteTips) -> Option<BranchMove> {
    let branch = tips.default_branch.as_deref()?;
    let to = tips.branches.get(branch)?;
    if let Some(was) = cursors.branches.get(branch) {
        return moved(branch, was.as_ref(), to);
    }
    let (branch, to) = (branch.to_owned(), to.clone());
    if cursors.is_first_look() {
        return Some(BranchMove::Found { branch, to });
    }
    if cursors.branches.is_empty() {
        return Some(BranchMove::Appeared { branch, to });
    }
    let seen = cursors.live().any(|(_, sha)| *sha == to);
    Some(BranchMove::NewDefault { branch, to, seen })
}
