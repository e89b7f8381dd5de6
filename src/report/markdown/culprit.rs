//! What a search says of a failure, where a person reads of it: in the sentence at the top, in the
//! failure's own section and among what to do. The author of a commit is whom to ask, never a cause.

use super::failure::commit_line;
use super::short;
use crate::domain::escape;
use crate::domain::findings::Cluster;
use crate::domain::revision::Sha;
use crate::domain::search::{SearchAnswer, SearchEnding, SearchedFailure, sure};
use crate::report::view::View;
use crate::report::words;

/// At most so many suspects are named among what to do: the others stand with the failure.
const MAX_SUSPECTS: usize = 3;

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
    let sure = comma(&sure(environment(view, cluster)?.confidence));
    Some(match &cluster.searched {
        Some(before) => format!(
            "No commit did it, says the search that ended with cycle {}{sure}.",
            before.cycle
        ),
        None => format!("No commit did it, says a search{sure}."),
    })
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
    let seen = cluster.searched.as_ref();
    let seen = seen.map_or_else(String::new, |before| format!(" (seen by cycle {})", before.cycle));
    let again = command(view, cluster).map_or_else(String::new, |command| {
        format!(" Where that is repaired and it still fails, `{command} --again` asks anew.")
    });
    Some(format!("Find out what else than a commit changed: {what}: {because}{seen}.{again}"))
}

/// What searches for what broke a failure.
fn command(view: &View<'_>, cluster: &Cluster) -> Option<String> {
    let cycle = cluster.first_failing.as_ref()?.cycle;
    Some(format!("andon culprit {} {cycle}", view.state.queued.pipeline))
}

/// For what to do about a failure whose search ended without a name: who is left, why it ended, and what
/// would let it go on.
pub fn unnamed(view: &View<'_>, cluster: &Cluster, what: &str) -> Option<String> {
    let found = searched(view, cluster).filter(|found| found.culprit.is_none())?;
    let again = format!("`{}`", command(view, cluster)?);
    let then = match found.ending {
        SearchEnding::OutOfDeploys => format!("; raise `max_deploys`, and {again} goes on"),
        SearchEnding::Cancelled => format!("; {again} goes on"),
        SearchEnding::BaselineUnusable => {
            format!("; once that can be deployed again, {again} searches")
        }
        SearchEnding::Undecided => unusable(view),
        SearchEnding::Open
        | SearchEnding::Found
        | SearchEnding::BaselineFails
        | SearchEnding::Gone
        | SearchEnding::Overtaken
        | SearchEnding::Rewritten
        | SearchEnding::CasesRemoved => return None,
    };
    let because = escape::text(&found.because);
    let left = left(view, cluster, &found.suspects)?;
    Some(format!("Look at {left}, of which a search names none for {what}: {because}{then}."))
}

/// `the 7 suspects 4f1c2aa “Users are told of it”, …, and 4 more`.
fn left(view: &View<'_>, cluster: &Cluster, suspects: &[Sha]) -> Option<String> {
    let mut names: Vec<String> = suspects
        .iter()
        .rev()
        .take(MAX_SUSPECTS)
        .map(|suspect| named(view, cluster, suspect))
        .collect();
    match suspects.len() - names.len() {
        0 => {}
        more => names.push(format!("{more} more")),
    }
    let count = words::count(suspects.len() as u64, "suspect", "suspects");
    (!suspects.is_empty()).then(|| format!("the {count} left ({})", names.join(", ")))
}

/// What stood in the way of an answer.
fn unusable(view: &View<'_>) -> String {
    let search = view.findings.and_then(|findings| findings.search.as_ref());
    let steps = search.map_or(&[][..], |search| &search.steps);
    match steps.iter().filter(|step| step.answer == SearchAnswer::Unusable).count() {
        0 => String::new(),
        1 => "; 1 commit could not be deployed and tested".to_owned(),
        many => format!("; {many} commits could not be deployed and tested"),
    }
}

/// What a search says of a failure: the one that this cycle ended, else an earlier one.
pub fn searched<'a>(view: &'a View<'_>, cluster: &'a Cluster) -> Option<&'a SearchedFailure> {
    let search = view.findings.and_then(|findings| findings.search.as_ref());
    let mut failures = search.into_iter().flat_map(|search| &search.failures);
    let now = failures.find(|failure| failure.fingerprint == cluster.fingerprint);
    now.or_else(|| cluster.searched.as_ref().map(|before| &before.answer))
}

fn environment<'a>(view: &'a View<'_>, cluster: &'a Cluster) -> Option<&'a SearchedFailure> {
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

/// How sure the search is.
fn sureness(view: &View<'_>, cluster: &Cluster) -> String {
    searched(view, cluster).map_or_else(String::new, |found| comma(&sure(found.confidence)))
}

fn comma(text: &str) -> String {
    format!(", {text}")
}
