//! What a moved branch asks for: which commits came, which count, and whether to run.

use crate::domain::commit::{Arrivals, Echo, Relation};
use crate::domain::revision::Sha;

use super::refs::BranchMove;
use super::rules::Rules;

/// The most characters of a branch's name in a sentence.
const MAX_NAME: usize = 100;

/// A commit that came, and the rule that passes it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The commit.
    pub sha: Sha,
    /// The first line of its message.
    pub subject: String,
    /// Its author's name.
    pub author: String,
    /// The rule, for people; `None` when it counts, or is covered because the branch is run at it.
    pub skipped_by: Option<String>,
    /// Whether it may be what an earlier cycle left behind.
    pub echo: Echo,
}

/// Whether people should hear of a movement beyond its cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// An everyday push.
    Usual,
    /// History was changed, or a branch is gone.
    Unusual,
}

/// Everything that a moved branch changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The branch.
    pub branch: String,
    /// Where it was, as remembered.
    pub from: Option<Sha>,
    /// Where it is; `None`: it is gone.
    pub to: Option<Sha>,
    /// The commits that came, oldest first.
    pub commits: Vec<Arrival>,
    /// The commit to run for: always the branch's newest.
    pub run: Option<Sha>,
    /// What happened in one phrase, as `main moved to 4f1c2aa`.
    pub detail: String,
    /// Whether that is worth a notice.
    pub notice: Notice,
    /// Whether all that it brings may be what earlier cycles left behind. Never where history was changed:
    /// what was taken away may be something else.
    pub echo: Echo,
}

/// Decides what a moved branch asks for. `arrivals` is what came with it; for a move that brings no
/// commits it is not looked at.
pub fn judge(moved: &BranchMove, arrivals: Option<&Arrivals>, rules: &Rules) -> Movement {
    let arrivals = arrivals.filter(|_| moved.brings_commits());
    let relation = arrivals.map_or(Relation::New, |arrivals| arrivals.relation);
    let mut commits = judge_commits(arrivals, rules);
    let is_cut = arrivals.is_some_and(Arrivals::is_cut);
    let counts = is_cut || commits.iter().any(|commit| commit.skipped_by.is_none());
    let run = moved.to().filter(|_| runs(moved, relation, counts, commits.is_empty())).cloned();
    if let (Some(head), Some(last)) = (&run, commits.last_mut())
        && last.sha == *head
    {
        // Whatever a rule says of it alone: its cycle tests it.
        last.skipped_by = None;
    }
    let echo = echo_of(moved, relation, &commits);
    Movement {
        branch: moved.branch().to_owned(),
        from: moved.from().cloned(),
        to: moved.to().cloned(),
        commits,
        run,
        detail: describe(moved, relation),
        notice: notice(moved, relation),
        echo,
    }
}

fn echo_of(moved: &BranchMove, relation: Relation, commits: &[Arrival]) -> Echo {
    let only_adds = match moved {
        BranchMove::Appeared { .. } | BranchMove::Moved { .. } => match relation {
            Relation::New | Relation::Forward => true,
            Relation::Back | Relation::Rewritten | Relation::Unrelated => false,
        },
        BranchMove::Found { .. }
        | BranchMove::CameBack { .. }
        | BranchMove::NewDefault { .. }
        | BranchMove::Deleted { .. } => false,
    };
    let all = !commits.is_empty() && commits.iter().all(|commit| commit.echo != Echo::No);
    if only_adds && all { Echo::Yes } else { Echo::No }
}

fn judge_commits(arrivals: Option<&Arrivals>, rules: &Rules) -> Vec<Arrival> {
    let commits = arrivals.map_or(&[][..], |arrivals| &arrivals.commits);
    // Of what was left out of a list, nobody can tell.
    let is_cut = arrivals.is_some_and(Arrivals::is_cut);
    let judged = commits.iter().map(|commit| Arrival {
        sha: commit.info.sha.clone(),
        subject: commit.info.subject.clone(),
        author: commit.info.author.clone(),
        skipped_by: rules.passed_over(commit),
        echo: if is_cut { Echo::No } else { rules.echo(commit) },
    });
    judged.collect()
}

/// Whether to run for where the branch is now.
fn runs(moved: &BranchMove, relation: Relation, counts: bool, nothing_came: bool) -> bool {
    match moved {
        BranchMove::Found { .. } | BranchMove::Deleted { .. } => false,
        // Nobody knows what the environment has by now.
        BranchMove::CameBack { .. } => true,
        BranchMove::NewDefault { seen: true, .. } => false,
        BranchMove::Appeared { .. } | BranchMove::NewDefault { seen: false, .. } => {
            counts || nothing_came
        }
        BranchMove::Moved { .. } => match relation {
            Relation::Forward | Relation::New => counts,
            // What was taken away may count, whatever came in its place.
            Relation::Back | Relation::Rewritten | Relation::Unrelated => true,
        },
    }
}

fn describe(moved: &BranchMove, relation: Relation) -> String {
    let branch = clipped(moved.branch());
    let was = moved.from().map_or("?", Sha::short);
    let now = moved.to().map_or("?", Sha::short);
    match moved {
        BranchMove::Found { .. } => format!("{branch} is watched from {now} on"),
        BranchMove::Appeared { .. } => format!("{branch} appeared at {now}"),
        BranchMove::CameBack { .. } => format!("{branch} came back at {now}"),
        BranchMove::NewDefault { .. } => format!("{branch} is the default branch now, at {now}"),
        BranchMove::Deleted { .. } => format!("{branch} was deleted, it was at {was}"),
        BranchMove::Moved { .. } => match relation {
            Relation::Forward | Relation::New => format!("{branch} moved to {now}"),
            Relation::Back => format!("{branch} was moved back: {was} → {now}"),
            Relation::Rewritten => format!("{branch} was rewritten: {was} → {now}"),
            Relation::Unrelated => {
                format!("{branch} was replaced by an unrelated history: {was} → {now}")
            }
        },
    }
}

fn notice(moved: &BranchMove, relation: Relation) -> Notice {
    match moved {
        BranchMove::Deleted { .. } | BranchMove::NewDefault { .. } => Notice::Unusual,
        BranchMove::Found { .. } | BranchMove::Appeared { .. } | BranchMove::CameBack { .. } => {
            Notice::Usual
        }
        BranchMove::Moved { .. } => match relation {
            Relation::Forward | Relation::New => Notice::Usual,
            Relation::Back | Relation::Rewritten | Relation::Unrelated => Notice::Unusual,
        },
    }
}

pub(super) fn clipped(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
