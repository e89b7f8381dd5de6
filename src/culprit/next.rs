//! What a search asks next.

use super::weigh::Line;
use super::{Moot, Search, StepOutcome};
use crate::domain::revision::Sha;
use crate::domain::search::{SearchAnswer, SearchEnding};

/// A commit that is so probable is confirmed rather than bisected further.
const WORTH_CONFIRMING: f64 = 0.9;
/// A split with less than so much on one side tells nothing.
const LEAST_SHARE: f64 = 0.01;
/// A revision whose readiness failed is deployed once more, then left alone.
const MOST_DEPLOYS_OF_ONE: usize = 2;

/// What a search does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Runs the cases on a revision.
    Ask {
        /// Which.
        revision: Sha,
        /// Whether it must be deployed; else it is what was deployed last.
        deploy: bool,
    },
    /// Deploys the newest revision again and verifies it with the whole suite.
    Return,
    /// Nothing: it is over.
    Over,
}

/// What comes next. `still_there` says whether the last step was the pipeline's last cycle, so that what
/// it deployed still serves.
pub fn next(search: &Search, still_there: bool) -> Question {
    match wanted(search) {
        _ if has_returned(search) => Question::Over,
        Ok(position) => ask(search, position, still_there),
        Err(_) => put_back(search),
    }
}

/// The return is the last step, whatever came of it.
fn has_returned(search: &Search) -> bool {
    search.steps.last().is_some_and(|step| step.is_return)
}

fn put_back(search: &Search) -> Question {
    if search.newest.is_deployed { Question::Over } else { Question::Return }
}

fn ask(search: &Search, position: usize, still_there: bool) -> Question {
    let revision = search.line[position].clone();
    let last = search.steps.last().filter(|_| still_there);
    let serves = last.is_some_and(|last| {
        last.revision == revision && matches!(last.outcome, StepOutcome::Answered(_))
    });
    if serves || may_deploy(search) {
        return Question::Ask { revision, deploy: !serves };
    }
    put_back(search)
}

/// Whether the budget has a deploy left beside that of the return.
fn may_deploy(search: &Search) -> bool {
    deploys(search) + 1 < search.limits.max_deploys
}

/// How many deploys the search has had.
pub(super) fn deploys(search: &Search) -> u32 {
    u32::try_from(search.steps.iter().filter(|step| step.deployed).count()).unwrap_or(u32::MAX)
}

/// How the search for what broke one failure stands: open, or how it ended.
pub(super) fn ending(search: &Search, line: &Line) -> SearchEnding {
    let by_its_answers = wanted_of(search, line);
    match by_its_answers {
        // An answer stays one, whatever comes after it.
        Err(ending @ (SearchEnding::Found | SearchEnding::BaselineFails | SearchEnding::Gone)) => {
            ending
        }
        by_its_answers => match ended(search).and(by_its_answers) {
            Err(ending) => ending,
            Ok(_) if !may_deploy(search) => SearchEnding::OutOfDeploys,
            Ok(_) if has_returned(search) => SearchEnding::Undecided,
            Ok(_) => SearchEnding::Open,
        },
    }
}

/// The commit that broke the cases of a line, and how sure that is. Nobody is named while the search for it
/// goes on, or ended otherwise: what was confirmed once may have been contradicted since.
pub(super) fn found(search: &Search, line: &Line) -> Option<(usize, f64)> {
    line.found().filter(|_| wanted_of(search, line) == Err(SearchEnding::Found))
}

/// The place in the line that should be asked next, or why none.
fn wanted(search: &Search) -> Result<usize, SearchEnding> {
    ended(search)?;
    let mut first_ending = None;
    for group in &search.groups {
        match wanted_of(search, &Line::of(search, group)) {
            Ok(position) => return Ok(position),
            // A baseline that cannot be asked or fails says the same of every other group.
            Err(ending @ (SearchEnding::BaselineFails | SearchEnding::BaselineUnusable)) => {
                return Err(first_ending.unwrap_or(ending));
            }
            Err(ending) => {
                first_ending.get_or_insert(ending);
            }
        }
    }
    Err(first_ending.unwrap_or(SearchEnding::Undecided))
}

/// Whether something else than its answers ended the search.
fn ended(search: &Search) -> Result<(), SearchEnding> {
    match search.moot {
        Some(Moot::Rewritten) => return Err(SearchEnding::Rewritten),
        Some(Moot::CasesRemoved) => return Err(SearchEnding::CasesRemoved),
        None => {}
    }
    if search.newest.is_good {
        return Err(SearchEnding::Overtaken);
    }
    // Where steps follow it, a person had it go on.
    let last = search.steps.iter().rfind(|step| !step.is_return);
    if last.is_some_and(|step| step.outcome == StepOutcome::Cancelled) {
        return Err(SearchEnding::Cancelled);
    }
    Ok(())
}

fn wanted_of(search: &Search, line: &Line) -> Result<usize, SearchEnding> {
    if may_be_asked(search, line, 0) {
        return Ok(0);
    }
    match line.answer(0) {
        SearchAnswer::Bad => return Err(SearchEnding::BaselineFails),
        SearchAnswer::Unusable => return Err(SearchEnding::BaselineUnusable),
        SearchAnswer::Unclear if line.at(0).runs == 0 => {
            return Err(SearchEnding::BaselineUnusable);
        }
        SearchAnswer::Good | SearchAnswer::Unclear => {}
    }
    if line.has_gone() {
        return Err(SearchEnding::Gone);
    }
    if line.found().is_some() {
        return Err(SearchEnding::Found);
    }
    // What was begun is brought to an answer first: it is deployed.
    let begun = search.steps.last().and_then(|step| place_of(search, &step.revision));
    if let Some(begun) = begun.filter(|begun| may_be_asked(search, line, *begun)) {
        return Ok(begun);
    }
    let (best, probability) = line.likeliest();
    if probability >= WORTH_CONFIRMING {
        let unconfirmed = [best, best - 1].into_iter().find(|at| may_be_asked(search, line, *at));
        return unconfirmed.ok_or(SearchEnding::Undecided);
    }
    // Whether it is still there at all, the return tells when it is to the end of the line.
    let end = line.len() - 1;
    let asks_end = !line.end_was_asked() && search.newest.revision != search.line[end];
    split(search, line).or(asks_end.then_some(end)).ok_or(SearchEnding::Undecided)
}

/// The commit that halves what is left, by probability.
fn split(search: &Search, line: &Line) -> Option<usize> {
    let posterior = line.posterior();
    let commits = &posterior[1..line.len()];
    let all: f64 = commits.iter().sum();
    let mut share = 0.0;
    let mut best: Option<(f64, usize)> = None;
    for (at, probability) in (1..).zip(commits) {
        share += probability / all;
        let distance = (share - 0.5).abs();
        let tells = distance < 0.5 - LEAST_SHARE && may_be_asked(search, line, at);
        if tells && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, at));
        }
    }
    best.map(|(_, at)| at)
}

/// Whether asking a revision (again) can still tell something.
fn may_be_asked(search: &Search, line: &Line, at: usize) -> bool {
    let asked: Vec<_> = search.steps.iter().filter(|s| s.revision == search.line[at]).collect();
    let failed = asked.iter().filter(|step| step.outcome == StepOutcome::Unusable).count();
    match line.answer(at) {
        SearchAnswer::Good | SearchAnswer::Bad => false,
        // Without the baseline there is no search; any other can be walked around.
        SearchAnswer::Unusable => at == 0 && failed < MOST_DEPLOYS_OF_ONE,
        SearchAnswer::Unclear => {
            // One that ran without these cases saying anything will not do so now.
            let has_answered = line.at(at).runs > 0;
            (asked.is_empty() || has_answered)
                && failed < MOST_DEPLOYS_OF_ONE
                && line.at(at).runs < search.limits.most_runs()
        }
    }
}

/// Drops what was answered before a person had everything asked anew. The records tell: a last good revision
/// that has answered is deployed for no other question.
pub fn forget_before_anew(search: &mut Search) {
    let mut from = 0;
    for at in 1..search.steps.len() {
        let step = &search.steps[at];
        if !step.deployed || step.is_return || step.revision != search.line[0] {
            continue;
        }
        let before = Search { steps: search.steps[from..at].to_vec(), ..search.clone() };
        let is_open = |group| may_be_asked(&before, &Line::of(&before, group), 0);
        if !before.groups.iter().any(is_open) {
            from = at;
        }
    }
    search.steps.drain(..from);
}

fn place_of(search: &Search, revision: &Sha) -> Option<usize> {
    search.line.iter().position(|sha| sha == revision)
}
