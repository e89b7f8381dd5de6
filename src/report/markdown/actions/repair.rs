//! What to do about the failures themselves: whom or what to turn to first, said once for all failures
//! that point at the same thing.
//!
//! It adds no judgement of its own: the cause, the suspects and the culprit are those of the findings.

use super::Action;
use crate::domain::escape;
use crate::domain::failure::Blame;
use crate::domain::findings::{Cluster, FlakyRate, InvestigationState};
use crate::domain::outcome::{Cause, Outcome};
use crate::domain::revision::Sha;
use crate::domain::spec::Priority;
use crate::report::markdown::{culprit, short};
use crate::report::view::{CaseView, View};
use crate::report::words;

/// Failures that are to be repaired in one way.
struct Repair<'a> {
    priority: Priority,
    /// The worst of them.
    worst: &'a Cluster,
    failures: u64,
}

/// One action for each group of failures, the worst first. What is in quarantine has an owner already,
/// and what somebody has repaired is told with its investigation.
pub(super) fn actions(view: &View<'_>) -> Vec<Action> {
    let mut repairs: Vec<Repair<'_>> = Vec::new();
    for cluster in view.clusters() {
        let cases = cluster.cases.iter().filter_map(|id| view.case(id));
        let deciding = cases.filter(|case| case.decides()).filter_map(CaseView::priority);
        let Some(priority) = deciding.min() else { continue };
        if view.investigation(cluster).is_some_and(|seen| has_a_fix(seen.state)) {
            continue;
        }
        match repairs.iter_mut().find(|repair| is_same(repair.worst, cluster)) {
            Some(repair) => {
                repair.priority = repair.priority.min(priority);
                repair.failures += 1;
            }
            None => repairs.push(Repair { priority, worst: cluster, failures: 1 }),
        }
    }
    repairs
        .iter()
        .filter_map(|repair| Some(Action { priority: repair.priority, text: text(view, repair)? }))
        .collect()
}

/// Whether somebody has made a fix that this revision may lack.
fn has_a_fix(state: InvestigationState) -> bool {
    match state {
        InvestigationState::FixClaimed
        | InvestigationState::FixDeployed
        | InvestigationState::Verified => true,
        InvestigationState::New
        | InvestigationState::Analysed
        | InvestigationState::Reopened
        | InvestigationState::Closed => false,
    }
}

fn is_same(one: &Cluster, other: &Cluster) -> bool {
    // A failure that took the place of another one is to be repaired in another way.
    let key = |cluster: &Cluster| {
        (cluster.cause, cluster.last_good.is_none(), cluster.failure_changed.is_some())
    };
    match (&one.culprit, &other.culprit) {
        (Some(one), Some(other)) => one == other,
        (None, None) => key(one) == key(other) && one.suspects == other.suspects,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn text(view: &View<'_>, repair: &Repair<'_>) -> Option<String> {
    let what = what(repair);
    let cluster = repair.worst;
    if let Some(found) = culprit::action(view, cluster, &what) {
        return Some(found);
    }
    match cluster.cause {
        Cause::Code => Some(match unsteady(view, cluster) {
            Some(first) => format!("{first} If it goes on: {}", code(view, cluster, &what)),
            None => code(view, cluster, &what),
        }),
        Cause::Suite => Some(format!(
            "Look at what changed in the suite: {what} came with another definition of the case."
        )),
        Cause::Config => {
            Some(format!("Look at what changed in the pipeline's own file: {what} came with that."))
        }
        Cause::Environment => Some(format!(
            "Find out what changed around {}: {what} came without any change of ours.",
            escape::text(view.state.queued.environment.as_str())
        )),
        Cause::Flake => {
            let unsteady =
                format!("Find out what is unsteady: {what} comes and goes on one revision.");
            // On a commit that was never good it may be news after all.
            let is_new = !cluster.suspects.is_empty();
            Some(match self::unsteady(view, cluster).filter(|_| is_new) {
                Some(first) => format!("{first} {unsteady}"),
                None => unsteady,
            })
        }
        // Its setup is an action of its own.
        Cause::Unknown if setup_failed(view) => None,
        Cause::Unknown if cluster.is_of_unknown_revision() => Some(format!(
            "Find out what {} serves: nothing was deployed and no surface says which revision that is, so \
             no commit can be blamed for {what}. `ready.revision` lets a surface say it.",
            escape::text(view.state.queued.environment.as_str())
        )),
        Cause::Unknown if renamed(view, cluster).is_some() => renamed(view, cluster).map(|told| {
            format!("Find out whether {what} is an old failure under a new name: {told}.")
        }),
        Cause::Unknown if cluster.example.blame == Blame::Measurement => {
            Some(format!("Repair what measures: nobody ever saw a run without {what}."))
        }
        Cause::Unknown => Some(format!(
            "Find out whether the service or the case is wrong: nobody ever saw a run without {what}."
        )),
    }
}

/// `` `new` is probably `old`, which was failing before (`was: [old]` keeps its history) ``
fn renamed(view: &View<'_>, cluster: &Cluster) -> Option<String> {
    let renames = &view.findings?.renames;
    let rename = renames.iter().find(|rename| cluster.cases.contains(&rename.to))?;
    let before = view.case(&rename.from).and_then(|case| case.finding?.before);
    let before = match before.map(Outcome::is_failing) {
        Some(true) => ", which was failing before",
        Some(false) => ", which was not failing before",
        None => "",
    };
    let (from, to) = (escape::code(rename.from.as_str()), escape::code(rename.to.as_str()));
    let hint = escape::code(&format!("was: [{}]", rename.from));
    Some(format!("{to} is probably {from}{before} ({hint} keeps its history)"))
}

/// What to do before a commit is blamed, where every case of a failure is known to contradict itself.
fn unsteady(view: &View<'_>, cluster: &Cluster) -> Option<String> {
    let rates = cluster.cases.iter().map(|id| view.case(id)?.finding?.flaky_rate);
    let rates: Option<Vec<FlakyRate>> = rates.collect();
    let steadiest = rates?.into_iter().min_by(|a, b| {
        (u64::from(a.flaky) * u64::from(b.of)).cmp(&(u64::from(b.flaky) * u64::from(a.of)))
    })?;
    let FlakyRate { flaky, of } = steadiest;
    steadiest
        .is_habit()
        .then(|| format!("Run it again first: it was flaky in {flaky} of {of} runs."))
}

fn setup_failed(view: &View<'_>) -> bool {
    view.state.suite_ended.as_ref().is_some_and(|ended| !ended.setup_failures.is_empty())
}

/// The commits came with the failure; which of them did it is known when there is only one.
fn code(view: &View<'_>, cluster: &Cluster, what: &str) -> String {
    if let Some(left) = culprit::unnamed(view, cluster, what) {
        return left;
    }
    let total = cluster.commits.as_ref().map_or(0, |range| range.total).max(cluster.suspects.len());
    match (cluster.suspects.as_slice(), total) {
        _ if cluster.failure_changed.is_some() => became(view, cluster, what, total),
        ([], _) => format!("Look at the revision itself: {what} came with it."),
        ([only], 1) => format!(
            "Repair or revert {}: it is the only commit that came with {what}.",
            commit(view, cluster, only)
        ),
        (_, total) => format!(
            "Find out which of {} brought {what}{}.",
            words::count(total as u64, "commit", "commits"),
            search(view, cluster)
        ),
    }
}

/// A failure that took the place of another one: what came with it may have been a step forward, so
/// nobody is told to take that back.
fn became(view: &View<'_>, cluster: &Cluster, what: &str, total: usize) -> String {
    let with = match (cluster.suspects.as_slice(), total) {
        ([], _) => "with this revision".to_owned(),
        ([only], 1) => format!("with {}", commit(view, cluster, only)),
        (_, total) => format!("with one of {total} commits (the suspects under *Failures*)"),
    };
    let since = cluster.first_failing.as_ref().map_or_else(String::new, |first| {
        format!("; it had been another one since cycle {}", first.cycle)
    });
    format!("Find out what is still wrong: {with} the failure became {what}{since}.")
}

/// How to have it searched, where a search can be made: it deploys, and runs what regressed.
fn search(view: &View<'_>, cluster: &Cluster) -> String {
    let deploys = view.state.steps.iter().any(|step| step.ended.is_some());
    match &cluster.first_failing {
        Some(first) if deploys && cluster.last_good.is_some() => {
            format!(": `andon culprit {} {}`", view.state.queued.pipeline, first.cycle)
        }
        _ => ": they are the suspects under *Failures*".to_owned(),
    }
}

/// `“GET /cart answered 500” (INV-0001) and 2 other failures`.
fn what(repair: &Repair<'_>) -> String {
    let cluster = repair.worst;
    let id = cluster.investigation.as_ref().map_or_else(String::new, |id| format!(" ({id})"));
    let others = match repair.failures - 1 {
        0 => String::new(),
        others => format!(" and {}", words::count(others, "other failure", "other failures")),
    };
    format!("“{}”{id}{others}", escape::text(&cluster.title))
}

fn commit(view: &View<'_>, cluster: &Cluster, sha: &Sha) -> String {
    let told = cluster.commits.iter().chain(view.findings.and_then(|f| f.commits.as_ref()));
    let commit = told.flat_map(|range| &range.commits).find(|commit| commit.sha == *sha);
    match commit {
        Some(commit) => format!(
            "{} {} ({})",
            short(sha),
            escape::text(&commit.subject),
            escape::text(&commit.author)
        ),
        None => short(sha),
    }
}
