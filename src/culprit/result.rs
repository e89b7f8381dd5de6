//! What a search came to, and in which words.

use super::next::{deploys, ending, found};
use super::weigh::Line;
use super::{Group, Search, Step, StepOutcome};
use crate::domain::names::CaseId;
use crate::domain::revision::Sha;
use crate::domain::search::{
    SearchAnswer, SearchCause, SearchEnding, SearchResult, SearchStep, SearchedFailure,
};

/// A commit is a suspect while it is not less probable than this.
const LEAST_SUSPICION: f64 = 0.001;

/// What the answers so far add up to.
pub fn result(search: &Search) -> SearchResult {
    let failures: Vec<SearchedFailure> =
        search.groups.iter().map(|group| failure(search, group)).collect();
    let SearchedFailure { ending, ref because, .. } = failures[0];
    let posterior = Line::of(search, &search.groups[0]).posterior();
    let no_commit = no_commit(&posterior);
    let culprit = failures[0].culprit.clone();
    let cause = match ending {
        SearchEnding::BaselineFails | SearchEnding::Gone => SearchCause::Environment,
        SearchEnding::Found => SearchCause::Code,
        SearchEnding::Open
        | SearchEnding::BaselineUnusable
        | SearchEnding::Undecided
        | SearchEnding::OutOfDeploys
        | SearchEnding::Cancelled
        | SearchEnding::Overtaken
        | SearchEnding::Rewritten
        | SearchEnding::CasesRemoved => {
            if no_commit > 0.5 {
                SearchCause::Environment
            } else {
                SearchCause::Code
            }
        }
    };
    let confidence = match (&culprit, cause) {
        (Some(_), _) => failures[0].confidence,
        (None, SearchCause::Environment) => no_commit,
        (None, SearchCause::Code) => 1.0 - no_commit,
    };
    SearchResult {
        cycle: search.cycle,
        culprit,
        cause,
        confidence: rounded(confidence),
        deploys: deploys(search),
        steps: steps(search),
        ending,
        because: because.clone(),
        failures,
    }
}

fn failure(search: &Search, group: &Group) -> SearchedFailure {
    let line = Line::of(search, group);
    let posterior = line.posterior();
    let found = found(search, &line);
    let suspects = (1..line.len()).filter(|at| posterior[*at] >= LEAST_SUSPICION);
    let ending = ending(search, &line);
    let mut failure = SearchedFailure {
        fingerprint: group.fingerprint.clone(),
        cases: group.witnesses.iter().map(|witness| witness.case.clone()).collect(),
        culprit: found.map(|(at, _)| search.line[at].clone()),
        confidence: rounded(match found {
            Some((_, sure)) => sure,
            None if ending.is_environment() => no_commit(&posterior),
            None => line.likeliest().1,
        }),
        suspects: match found {
            Some((at, _)) => vec![search.line[at].clone()],
            None => suspects.map(|at| search.line[at].clone()).collect(),
        },
        ending,
        because: String::new(),
    };
    failure.because = because(search, &failure);
    failure
}

/// How probable it is that the last good revision fails, too, or that it has gone by itself.
fn no_commit(posterior: &[f64]) -> f64 {
    posterior[0] + posterior[posterior.len() - 1]
}

/// Four digits: more would claim more than the model knows.
fn rounded(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

/// Each deploy with all the runs on it.
fn steps(search: &Search) -> Vec<SearchStep> {
    let group = &search.groups[0];
    let mut visits: Vec<Vec<&Step>> = Vec::new();
    for step in &search.steps {
        match visits.last_mut() {
            Some(visit) if !step.deployed && visit[0].revision == step.revision => visit.push(step),
            _ => visits.push(vec![step]),
        }
    }
    let visit = |visit: Vec<&Step>| {
        let (answer, runs) = answer(search, group, &visit);
        let revision = visit[0].revision.clone();
        SearchStep { revision, answer, runs, cycles: visit.iter().map(|s| s.cycle).collect() }
    };
    visits.into_iter().map(visit).collect()
}

fn answer(search: &Search, group: &Group, visit: &[&Step]) -> (SearchAnswer, u32) {
    let alone = Search {
        line: vec![visit[0].revision.clone(); 2],
        at_the_end: vec![],
        steps: visit.iter().map(|step| (*step).clone()).collect(),
        ..search.clone()
    };
    let runs = visit.iter().map(|step| runs_of(step, group)).sum();
    let revision = &visit[0].revision;
    // What the searched cycle saw of its own revision counts in the search, so it counts here.
    let (line, at) = match search.line.last() == Some(revision) {
        true => (Line::of(search, group), search.line.len() - 1),
        false => (Line::of(&alone, group), 0),
    };
    // The return is no question: what it saw is told as it is.
    let is_return = visit[0].is_return || !search.line.contains(revision);
    let answer = match line.answer(at) {
        SearchAnswer::Unclear if is_return && line.at(at).towards_bad > 0.0 => SearchAnswer::Bad,
        SearchAnswer::Unclear if is_return && line.at(at).towards_bad < 0.0 => SearchAnswer::Good,
        answer => answer,
    };
    (answer, runs)
}

fn runs_of(step: &Step, group: &Group) -> u32 {
    let StepOutcome::Answered(answers) = &step.outcome else { return 0 };
    let asked = |case: &CaseId| group.witnesses.iter().any(|witness| witness.case == *case);
    let of_group = answers.iter().filter(|answer| asked(&answer.case));
    of_group.map(|answer| answer.passed + answer.failed).max().unwrap_or(0)
}

fn because(search: &Search, failure: &SearchedFailure) -> String {
    let (first, last) = (search.line[0].short(), search.line[search.line.len() - 1].short());
    match failure.ending {
        SearchEnding::Found => {
            let culprit = failure.culprit.as_ref();
            let at = culprit.and_then(|sha| search.line.iter().position(|other| other == sha));
            let parent = at.map_or(first, |at| search.line[at - 1].short());
            let culprit = culprit.map_or(last, Sha::short);
            format!(
                "its cases pass on {parent} and fail on {culprit}, the next commit of the branch"
            )
        }
        SearchEnding::BaselineFails => format!(
            "the last good revision {first} fails now, too: something else than a commit changed"
        ),
        SearchEnding::Gone => {
            format!("{last} passes now, unchanged: the failure came and went without a commit")
        }
        SearchEnding::BaselineUnusable => format!(
            "the last good revision {first} cannot be deployed and tested any more, so nothing can be \
             compared with it"
        ),
        SearchEnding::Undecided => format!(
            "{} cannot be told apart: what lies between them cannot be tested, or answers now this, \
             now that",
            commits(failure.suspects.len())
        ),
        SearchEnding::OutOfDeploys => format!(
            "{} left when the {} deploys that max_deploys allows were used",
            commits_are(failure.suspects.len()),
            search.limits.max_deploys
        ),
        SearchEnding::Cancelled => {
            format!("a person ended it; {} left", commits_are(failure.suspects.len()))
        }
        SearchEnding::Overtaken => format!(
            "a newer cycle passes, so nobody needs to know any more; {} when it ended",
            commits_were(failure.suspects.len())
        ),
        SearchEnding::Rewritten => format!(
            "the branch was rewritten: {} does not contain {last}, so what is searched is no part of it",
            search.newest.revision.short()
        ),
        SearchEnding::CasesRemoved => {
            "the suite has none of the cases any more that are asked about".to_owned()
        }
        SearchEnding::Open => format!("it goes on; {} left", commits_are(failure.suspects.len())),
    }
}

fn commits(count: usize) -> String {
    if count == 1 { "1 commit".to_owned() } else { format!("{count} commits") }
}

fn commits_were(count: usize) -> String {
    if count == 1 { "1 commit was left".to_owned() } else { format!("{count} commits were left") }
}

fn commits_are(count: usize) -> String {
    if count == 1 { "1 commit is".to_owned() } else { format!("{count} commits are") }
}
