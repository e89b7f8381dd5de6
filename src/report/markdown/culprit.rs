//! What a search says of a failure, where a person reads of it: in the sentence at the top, in the
//! failure's own section and among what to do. The author of a commit is whom to ask, never a cause.

use super::failure::commit_line;
use super::short;
use crate::domain::escape;
use crate::domain::findings::Cluster;
use crate::domain::revision::Sha;
use crate::domain::search::{SearchedFailure, sure};
use crate::report::view::View;

/// For the sentence at the top.
pub fn claim(view: &View<'_>, cluster: &Cluster) -> Option<String> {
    if let Some(culprit) = &cluster.culprit {
        let sure = sureness(view, cluster);
        return Some(format!(
            "Broken by {}{sure}{}.",
            named(view, cluster, culprit),
            ask(view, cluster, culprit)
        ));
    }
    environment(view, cluster)
        .map(|found| format!("No commit did it, says a search{}.", comma(&sure(found.confidence))))
}

/// For the rows of the failure's own section: in place of its suspects.
pub fn row(view: &View<'_>, cluster: &Cluster) -> Option<String> {
    let culprit = cluster.culprit.as_ref()?;
    let commit = view.commit(cluster, culprit).map_or_else(|| short(culprit), commit_line);
    Some(format!("**{commit}**, found by a search{}", sureness(view, cluster)))
}

/// For what to do about failures of which this is the worst; `what` names them.
pub fn action(view: &View<'_>, cluster: &Cluster, what: &str) -> Option<String> {
    if let Some(culprit) = &cluster.culprit {
        let (commit, sure) = (named(view, cluster, culprit), sureness(view, cluster));
        let ask = ask(view, cluster, culprit);
        return Some(format!("Revert or repair {commit}, which brought {what}{sure}{ask}."));
    }
    let found = environment(view, cluster)?;
    let because = escape::text(&found.because);
    Some(format!("Find out what else than a commit changed: {what}: {because}."))
}

/// What a search says of a failure in the cycle that ended it.
pub fn searched<'a>(view: &View<'a>, cluster: &Cluster) -> Option<&'a SearchedFailure> {
    let search = view.findings?.search.as_ref()?;
    search.failures.iter().find(|failure| failure.fingerprint == cluster.fingerprint)
}

fn environment<'a>(view: &View<'a>, cluster: &Cluster) -> Option<&'a SearchedFailure> {
    searched(view, cluster).filter(|found| found.is_environment())
}

/// `4f1c2aa “Users are told of it”`, of its subject as much as is known.
fn named(view: &View<'_>, cluster: &Cluster, sha: &Sha) -> String {
    match view.commit(cluster, sha) {
        Some(commit) => format!("{} “{}”", short(sha), escape::text(&commit.subject)),
        None => short(sha),
    }
}

fn ask(view: &View<'_>, cluster: &Cluster, sha: &Sha) -> String {
    view.commit(cluster, sha).map_or_else(String::new, |commit| {
        format!("; {} wrote it and can tell what it is for", escape::text(&commit.author))
    })
}

/// How sure the search is that this cycle ended.
fn sureness(view: &View<'_>, cluster: &Cluster) -> String {
    searched(view, cluster).map_or_else(String::new, |found| comma(&sure(found.confidence)))
}

fn comma(text: &str) -> String {
    format!(", {text}")
}
