//! What the links in an investigation lead to: the pages of cycles, and the list of commits. Pure.

use std::collections::BTreeMap;

use crate::investigation::{self, CommitLink, Fate};
use crate::store::{CommitFate, CommitRow};

/// A document with links to the pages of this pipeline, and to the commits that its page lists.
pub(super) fn linked(text: &str, pipeline: &str, commits: &[CommitRow]) -> String {
    let commits: BTreeMap<&str, &CommitRow> =
        commits.iter().map(|row| (row.sha.short(), row)).collect();
    let commit = |short: &str| {
        let row = commits.get(short)?;
        let href = Some(format!("{pipeline}#commit-{short}"));
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
