//! What the links in an investigation lead to: the pages of cycles, and the list of commits.

use std::collections::BTreeMap;

use super::pipeline::LISTED;
use crate::domain::names::PipelineName;
use crate::investigation::{self, CommitLink, Fate};
use crate::store::{CommitFate, CommitRow, Result, Store};

/// So many commits of a document are asked for: a cycle writes thirty at most.
const MAX_ASKED: usize = 200;

/// The commits that a document tells of.
pub(super) struct Commits {
    /// Those that the page of the pipeline lists, the newest first.
    listed: Vec<CommitRow>,
    /// Those that it no longer lists, the newest first.
    older: Vec<CommitRow>,
}

impl Commits {
    /// What became of the commits that a document tells of.
    pub(super) async fn of(store: &dyn Store, pipeline: &PipelineName, text: &str) -> Result<Self> {
        let listed = store.list_commits(pipeline, LISTED).await?;
        let is_listed = |short: &&str| listed.iter().any(|row| row.sha.short() == *short);
        let told = investigation::commits_told(text).into_iter();
        let asked: Vec<String> =
            told.filter(|short| !is_listed(short)).take(MAX_ASKED).map(str::to_owned).collect();
        let older = match asked.is_empty() {
            true => Vec::new(),
            false => store.commits_named(pipeline, asked).await?,
        };
        Ok(Self { listed, older })
    }
}

/// A document with links to the pages of this pipeline, and to the commits that its page lists. Of a commit
/// on several branches the newest row counts, as there.
pub(super) fn linked(text: &str, pipeline: &str, commits: &Commits) -> String {
    let mut known = BTreeMap::new();
    for (rows, is_listed) in [(&commits.listed, true), (&commits.older, false)] {
        for row in rows {
            known.entry(row.sha.short()).or_insert((row, is_listed));
        }
    }
    let commit = |short: &str| {
        let (row, is_listed) = known.get(short)?;
        let href = is_listed.then(|| format!("{pipeline}#commit-{short}"));
        Some(CommitLink { href, fate: fate_of(row) })
    };
    investigation::linked(text, |cycle| format!("{pipeline}/cycles/{cycle}"), commit)
}

fn fate_of(row: &CommitRow) -> Fate {
    match row.fate {
        CommitFate::Waiting => Fate::Says("waiting"),
        CommitFate::Tested { cycle, .. } => Fate::In("tested in", cycle),
        CommitFate::TakenTogether { cycle, .. } => Fate::In("taken together in", cycle),
        CommitFate::Skipped { .. } => Fate::Says("skipped"),
        CommitFate::Dropped { .. } => Fate::Says("dropped"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;

    use super::*;
    use crate::domain::revision::Sha;

    fn row(digit: &str, fate: CommitFate) -> CommitRow {
        CommitRow {
            sha: Sha::parse(&digit.repeat(40)).unwrap(),
            branch: String::new(),
            subject: "auth".to_owned(),
            author: "Lin".to_owned(),
            seen_at: Timestamp::UNIX_EPOCH,
            fate,
        }
    }

    #[test]
    fn the_newest_row_of_a_commit_counts_and_one_that_is_not_listed_has_no_link() {
        let tested = |cycle| CommitFate::Tested { cycle, verdict: None, held: false };
        let commits = Commits {
            listed: vec![row("a", tested(9)), row("a", CommitFate::Waiting)],
            older: vec![row("b", tested(3)), row("b", CommitFate::Waiting)],
        };
        let text = "<!-- andon:begin commits lines=- -->\n- `aaaaaaa` one\n- `bbbbbbb` two\n- `ccccccc` three";
        let expected = text
            .replace(
                "`aaaaaaa` one",
                "[`aaaaaaa`](/p#commit-aaaaaaa) one — tested in [cycle 9](/p/cycles/9)",
            )
            .replace("two", "two — tested in [cycle 3](/p/cycles/3)");
        assert_eq!(linked(text, "/p", &commits), expected);
    }
}
