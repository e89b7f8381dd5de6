//! A search for the commit that broke a cycle, put together from the records: what is searched, and what
//! its steps answered. The decisions are `culprit`'s.

mod which;

use std::collections::{HashMap, HashSet};

pub use which::{cycle_to_search, cycles_to_search};

use super::World;
use crate::culprit::{
    self, Answer, Group, Limits, Moot, Newest, Question, Search, Step, StepOutcome, Witness,
};
use crate::domain::event::RunOptions;
use crate::domain::findings::{CaseFinding, Cluster, Findings};
use crate::domain::names::{CaseId, Fingerprint};
use crate::domain::outcome::{Change, Outcome, Trigger, TriggerKind, Verdict};
use crate::domain::revision::Sha;
use crate::domain::search::{SearchEnding, SearchResult};
use crate::domain::spec::Culprit;
use crate::domain::state::CycleState;
use crate::engine::{EngineError, load_state};
use crate::git::{self, Parents, RangeLimits};
use crate::store::{CycleKey, CycleRow, Store, StoreError, Which};
use which::{LOOKED_BACK, begun_before};

/// At most so many commits lie between the last good revision and the first bad one.
const MOST_COMMITS: usize = 4_000;
/// At most so many failures are searched together, …
const MOST_GROUPS: usize = 8;
/// … with so many cases each: more would only repeat what these say.
const MOST_WITNESSES: usize = 10;

/// Why there is nothing to search.
#[derive(Debug, thiserror::Error)]
pub enum NoSearch {
    /// It is not over.
    #[error("cycle {0} is not over yet")]
    NotOver(u32),
    /// No case regressed in it.
    #[error("nothing regressed in cycle {0}")]
    NothingRegressed(u32),
    /// What regressed was good on the same revision.
    #[error(
        "what regressed in cycle {cycle} passed on the same revision {revision} in cycle {before}: no commit lies between"
    )]
    SameRevision {
        /// The cycle.
        cycle: u32,
        /// Its revision, short.
        revision: String,
        /// The cycle in which it passed.
        before: u32,
    },
    /// The branch was rewritten in between.
    #[error(
        "{good} is no ancestor of {bad}: the branch was rewritten, so no line of commits lies between"
    )]
    Rewritten {
        /// The last good revision, short.
        good: String,
        /// The first bad one, short.
        bad: String,
    },
    /// More commits than a search makes sense for.
    #[error("more than {MOST_COMMITS} commits lie between {good} and {bad}")]
    TooMany {
        /// The last good revision, short.
        good: String,
        /// The first bad one, short.
        bad: String,
    },
    /// The repository cannot be asked.
    #[error("the commits between cannot be listed: {0}")]
    Git(String),
    /// The records cannot be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<StoreError> for NoSearch {
    fn from(fault: StoreError) -> Self {
        Self::Engine(fault.into())
    }
}

/// A search, and where its steps stand among the pipeline's cycles.
#[derive(Debug, Clone)]
pub struct SearchState {
    /// What is searched, and what was answered.
    pub search: Search,
    /// Whether the last step was the pipeline's last cycle: what it deployed still serves.
    pub still_there: bool,
    /// The newest cycle that is over: with it, what comes next was decided.
    pub after: u32,
}

impl SearchState {
    /// What a person asks for now is searched, whatever ended the search before: that somebody cancelled a
    /// step, that the newest was put back for want of deploys, or that a newer revision passes by now.
    pub fn asked_anew(&mut self, up_to: u32) {
        self.search.newest.is_good = false;
        // The commits are still there to be asked; cases that are gone are not.
        self.search.moot = self.search.moot.filter(|moot| *moot != Moot::Rewritten);
        let is_over = |step: &Step| step.outcome == StepOutcome::Cancelled;
        self.search.steps.retain(|step| step.cycle > up_to || !is_over(step));
        for step in self.search.steps.iter_mut().filter(|step| step.cycle <= up_to) {
            step.is_return = false;
        }
        // What a step deployed that counts no longer may have taken the place of what another one did.
        self.still_there = self.search.steps.last().is_some_and(|step| step.cycle == self.after);
    }

    /// As if nothing had been asked up to a cycle: what was broken around the commits may be repaired since.
    pub fn asked_all_again(&mut self, up_to: u32) {
        self.search.steps.retain(|step| step.cycle > up_to);
        self.asked_anew(up_to);
    }

    /// The next cycle: why it runs, on which revision, and how; `None` when the search is over.
    pub fn next_cycle(&self) -> Option<(Trigger, Sha, RunOptions)> {
        let (of, search_of) = (self.search.cycle, Some(self.search.cycle));
        let (detail, revision, options) = match culprit::next(&self.search, self.still_there) {
            Question::Over => return None,
            Question::Ask { revision, deploy } => {
                let step = self.search.steps.len() + 1;
                let left = self.left();
                let how = if deploy { "good" } else { "good, asked once more" };
                let detail = format!(
                    "step {step} of the search for what broke cycle {of} ({left}): is {} {how}?",
                    revision.short()
                );
                let options = RunOptions { deploy, only: Some(self.selection()), search_of };
                (detail, revision, options)
            }
            Question::Return => {
                let revision = self.search.newest.revision.clone();
                let detail = format!(
                    "the search for what broke cycle {of} is over: {} again",
                    revision.short()
                );
                (detail, revision, RunOptions { deploy: true, only: None, search_of })
            }
        };
        Some((Trigger { kind: TriggerKind::Culprit, detail }, revision, options))
    }

    /// What a step begins with: who is still suspected, and how much the search may yet take.
    fn left(&self) -> String {
        let result = culprit::result(&self.search);
        let open = result.failures.iter().find(|failure| failure.ending == SearchEnding::Open);
        let suspects = open.map_or(0, |asked| asked.suspects.len());
        let deploys = self.search.limits.max_deploys.saturating_sub(result.deploys);
        let counted = |n: usize, what: &str| match n {
            1 => format!("1 {what}"),
            n => format!("{n} {what}s"),
        };
        let deploys = counted(deploys as usize, "deploy");
        format!("{}, at most {deploys} left", counted(suspects, "suspect"))
    }

    /// The cases that are asked, as the globs that select them.
    fn selection(&self) -> String {
        let witnesses = self.search.groups.iter().flat_map(|group| &group.witnesses);
        let cases: Vec<&str> = witnesses.map(|witness| witness.case.as_str()).collect();
        cases.join("\n")
    }
}

fn branch_of(state: &CycleState) -> Option<&str> {
    state.resolved.as_ref()?.revision.branch.as_deref()
}

/// Whether a cycle is of that branch. Where one of them names none, it is not known to be another.
fn is_of(row: &CycleRow, branch: Option<&str>) -> bool {
    let own = row.summary.revision.as_ref().and_then(|revision| revision.branch.as_deref());
    own.is_none() || branch.is_none() || own == branch
}

impl World {
    /// The search for what broke a cycle, as far as it has come.
    ///
    /// # Errors
    /// When there is nothing to search, or the records or the repository cannot be read.
    pub async fn search(&self, store: &dyn Store, cycle: u32) -> Result<SearchState, NoSearch> {
        let name = &self.pipeline().name;
        let key = CycleKey::new(name.clone(), cycle);
        let state = load_state(store, &key).await?;
        let findings = state.findings.as_ref().map(|stamped| &stamped.what);
        let findings = findings.filter(|_| state.finished.is_some());
        let findings = findings.ok_or(NoSearch::NotOver(cycle))?;
        let subject = Subject::of(findings, cycle)?;
        let line = self.line_of(&state, &subject).await?;
        let steps = steps_of(store, &key).await?;
        let latest = store.find_cycle(name, Which::LatestFinished).await?;
        let is_deployed = latest.as_ref().is_none_or(|row| !row.is_question());
        let after = latest.map_or(cycle, |row| row.summary.cycle);
        let end = &line[line.len() - 1];
        let newer = self.newer_than(store, cycle, end).await?;
        let newest = Newest {
            revision: newer.first().map_or_else(|| end.clone(), |(_, sha)| sha.clone()),
            is_good: self.passes_since(store, &subject, &newer, cycle).await?,
            is_deployed,
        };
        let branch = branch_of(&state);
        let tip = newer.iter().find(|(row, _)| is_of(row, branch));
        let rewritten = match tip {
            Some((_, tip)) => !self.contains(tip, end).await,
            None => false,
        };
        let groups = self.askable(subject.groups());
        let moot = match (rewritten, groups.is_empty()) {
            (true, _) => Some(Moot::Rewritten),
            (false, true) => Some(Moot::CasesRemoved),
            (false, false) => None,
        };
        // What it was about is told, though it is asked no more.
        let groups = if groups.is_empty() { subject.groups() } else { groups };
        let mut search = Search {
            cycle,
            newest,
            line,
            at_the_end: subject.at_the_end(),
            groups,
            limits: limits(self.pipeline().culprit.as_ref()),
            steps,
            moot,
        };
        culprit::forget_before_anew(&mut search);
        let still_there = search.steps.last().is_some_and(|step| step.cycle == after);
        Ok(SearchState { search, still_there, after })
    }

    /// The cycles of the whole suite since a cycle, newest first, on its revision or on ones that are no
    /// older: who tests an older commit meanwhile says nothing of the end of the branch.
    async fn newer_than(
        &self,
        store: &dyn Store,
        cycle: u32,
        end: &Sha,
    ) -> Result<Vec<(CycleRow, Sha)>, NoSearch> {
        let mut newer = Vec::new();
        let rows = store.list_cycles(&self.pipeline().name, LOOKED_BACK).await?;
        for row in rows.into_iter().take_while(|row| row.summary.cycle > cycle) {
            let Some(revision) = row.summary.revision.as_ref().filter(|_| is_whole(&row)) else {
                continue;
            };
            if row.finished_at.is_none() || row.environment != self.pipeline().environment {
                continue;
            }
            let sha = revision.sha.clone();
            if sha == *end || !self.is_older(&sha, end).await {
                newer.push((row, sha));
            }
        }
        Ok(newer)
    }

    /// Whether what is searched passed since: what fails after that is another regression.
    async fn passes_since(
        &self,
        store: &dyn Store,
        subject: &Subject<'_>,
        newer: &[(CycleRow, Sha)],
        cycle: u32,
    ) -> Result<bool, NoSearch> {
        for (row, _) in newer.iter().filter(|(row, _)| row.search_of != Some(cycle)) {
            if subject.passes_in(store, &row.key()).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether one revision has another in its history, as far as the repository tells.
    async fn contains(&self, one: &Sha, other: &Sha) -> bool {
        let Ok(mirror) = self.mirror_with([one, other].into_iter()).await else { return true };
        mirror.is_ancestor(other, one).await.unwrap_or(true)
    }

    /// Without the cases that the suite has lost since. What the commands report, only a run tells.
    fn askable(&self, mut groups: Vec<Group>) -> Vec<Group> {
        let Some(suite) = self.suite.as_deref().filter(|suite| suite.commands.is_empty()) else {
            return groups;
        };
        let known: HashSet<&CaseId> = suite.cases().map(|case| &case.id).collect();
        for group in &mut groups {
            group.witnesses.retain(|witness| known.contains(&witness.case));
        }
        groups.retain(|group| !group.witnesses.is_empty());
        groups
    }

    /// What a cycle ends by its own results: a search that had begun and that nobody goes on with, since
    /// what it is about passes, or is no part of the branch any more.
    pub(super) async fn overtaken(
        &self,
        store: &dyn Store,
        this: &CycleState,
        findings: &Findings,
    ) -> Result<Option<SearchResult>, NoSearch> {
        let Some(resolved) = this.resolved.as_ref().filter(|_| findings.verdict.has_valid_suite())
        else {
            return Ok(None);
        };
        let Some(of) = begun_before(store, &this.queued.pipeline, this.queued.cycle).await? else {
            return Ok(None);
        };
        let SearchState { mut search, .. } = self.search(store, of).await?;
        let revision = &resolved.revision.sha;
        let end = search.line[search.line.len() - 1].clone();
        let is_old = *revision != end && self.is_older(revision, &end).await;
        if is_old || culprit::result(&search).ending != SearchEnding::Open {
            return Ok(None);
        }
        let searched = store.find_cycle(&this.queued.pipeline, Which::Number(of)).await?;
        let same_branch = searched.is_some_and(|row| is_of(&row, branch_of(this)));
        if same_branch && !self.contains(revision, &end).await {
            search.moot = Some(Moot::Rewritten);
        }
        let asked = |case: &CaseId| search.groups[0].witnesses.iter().any(|w| w.case == *case);
        let mut seen = findings.cases.iter().filter(|found| asked(&found.case)).peekable();
        let is_good = seen.peek().is_some() && seen.all(|found| found.outcome.is_some_and(is_pass));
        search.newest = Newest { revision: revision.clone(), is_deployed: true, is_good };
        let result = culprit::result(&search);
        Ok((result.ending != SearchEnding::Open).then_some(result))
    }

    async fn is_older(&self, one: &Sha, than: &Sha) -> bool {
        let Ok(mirror) = self.mirror_with([one, than].into_iter()).await else { return false };
        mirror.is_ancestor(one, than).await.unwrap_or(false)
    }

    /// What a search came to with the cycle that put the newest revision back.
    pub(super) async fn searched(
        &self,
        store: &dyn Store,
        of: u32,
        this: &CycleState,
        findings: &[CaseFinding],
        verdict: Verdict,
    ) -> Result<SearchResult, NoSearch> {
        let SearchState { mut search, .. } = self.search(store, of).await?;
        let revision = this.resolved.as_ref().map(|resolved| resolved.revision.sha.clone());
        search.steps.push(Step {
            cycle: this.queued.cycle,
            revision: revision.unwrap_or_else(|| search.newest.revision.clone()),
            deployed: true,
            is_return: true,
            outcome: outcome(verdict, findings.iter().map(answer_of)),
        });
        Ok(culprit::result(&search))
    }

    /// The last good revision, and the branch's own commits after it.
    async fn line_of(
        &self,
        state: &CycleState,
        subject: &Subject<'_>,
    ) -> Result<Vec<Sha>, NoSearch> {
        let cycle = state.queued.cycle;
        let bad = state.resolved.as_ref().ok_or(NoSearch::NotOver(cycle))?.revision.sha.clone();
        let good = subject.good.clone();
        if good == bad {
            let (revision, before) = (bad.short().to_owned(), subject.good_in);
            return Err(NoSearch::SameRevision { cycle, revision, before });
        }
        let told = |fault: &git::Error| NoSearch::Git(crate::domain::errors::chain(fault));
        let mirror = self.mirror_with([&good, &bad].into_iter()).await.map_err(|f| told(&f))?;
        let (short_good, short_bad) = (good.short().to_owned(), bad.short().to_owned());
        if !mirror.is_ancestor(&good, &bad).await.map_err(|fault| told(&fault))? {
            return Err(NoSearch::Rewritten { good: short_good, bad: short_bad });
        }
        let limits = RangeLimits { commits: MOST_COMMITS, files: 0, parents: Parents::First };
        let range = mirror.commits_between(&good, &bad, limits).await.map_err(|f| told(&f))?;
        if range.commits.len() >= MOST_COMMITS {
            return Err(NoSearch::TooMany { good: short_good, bad: short_bad });
        }
        let commits = range.commits.into_iter().rev().map(|commit| commit.sha);
        Ok(std::iter::once(good).chain(commits).collect())
    }
}

fn limits(policy: Option<&Culprit>) -> Limits {
    let default = Culprit::default();
    let policy = policy.unwrap_or(&default);
    Limits { max_deploys: policy.max_deploys, confirm: policy.confirm }
}

/// What regressed in a cycle, by failure.
struct Subject<'a> {
    /// The last good revision of the worst failure: what regressed since another one is left out.
    good: Sha,
    good_in: u32,
    failures: Vec<(&'a Cluster, Vec<&'a CaseFinding>)>,
}

impl<'a> Subject<'a> {
    fn of(findings: &'a Findings, cycle: u32) -> Result<Self, NoSearch> {
        let mut regressed: HashMap<&Fingerprint, Vec<&CaseFinding>> = HashMap::new();
        for finding in &findings.cases {
            let is_regressed = finding.change == Some(Change::Regressed);
            if let Some(fingerprint) = finding.fingerprint.as_ref().filter(|_| is_regressed)
                && finding.last_good.is_some()
            {
                regressed.entry(fingerprint).or_default().push(finding);
            }
        }
        let of = |cluster: &'a Cluster| Some((cluster, regressed.remove(&cluster.fingerprint)?));
        let mut failures: Vec<_> = findings.clusters.iter().filter_map(of).collect();
        let worst = failures.first().and_then(|(_, cases)| cases[0].last_good.clone());
        let worst = worst.ok_or(NoSearch::NothingRegressed(cycle))?;
        let good = worst.revision;
        for (_, cases) in &mut failures {
            cases.retain(|finding| finding.last_good.as_ref().is_some_and(|l| l.revision == good));
            cases.truncate(MOST_WITNESSES);
        }
        failures.retain(|(_, cases)| !cases.is_empty());
        failures.truncate(MOST_GROUPS);
        Ok(Self { good, good_in: worst.cycle, failures })
    }

    fn groups(&self) -> Vec<Group> {
        let group = |(cluster, cases): &(&Cluster, Vec<&CaseFinding>)| Group {
            fingerprint: cluster.fingerprint.clone(),
            witnesses: cases
                .iter()
                .map(|finding| Witness::new(finding.case.clone(), finding.flaky_rate))
                .collect(),
        };
        self.failures.iter().map(group).collect()
    }

    fn at_the_end(&self) -> Vec<Answer> {
        self.cases().filter_map(answer_of).collect()
    }

    fn cases(&self) -> impl Iterator<Item = &CaseFinding> {
        self.failures.iter().flat_map(|(_, cases)| cases.iter().copied())
    }

    /// Whether the cases of the worst failure ran in a cycle, and pass there.
    async fn passes_in(&self, store: &dyn Store, cycle: &CycleKey) -> Result<bool, StoreError> {
        let is_worst = |case: &CaseId| self.failures[0].1.iter().any(|one| one.case == *case);
        let results = store.case_results(cycle).await?;
        let mut worst = results.iter().filter(|row| is_worst(&row.case)).peekable();
        Ok(worst.peek().is_some() && worst.all(|row| row.outcome.is_some_and(is_pass)))
    }
}

/// Whether a cycle has a valid suite that was planned whole.
fn is_whole(row: &CycleRow) -> bool {
    row.summary.only.is_none() && row.summary.verdict.is_some_and(Verdict::has_valid_suite)
}

fn is_pass(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Passed | Outcome::Flaky)
}

async fn steps_of(store: &dyn Store, of: &CycleKey) -> Result<Vec<Step>, StoreError> {
    let mut steps: Vec<Step> = Vec::new();
    for row in store.cycles_of_search(&of.pipeline, of.cycle).await? {
        let (Some(verdict), true) = (row.summary.verdict, row.finished_at.is_some()) else {
            continue;
        };
        let tested = row.summary.revision.as_ref().map(|revision| revision.sha.clone());
        let asked = row.requested.as_deref().and_then(|text| Sha::parse(text).ok());
        let Some(revision) = tested.or(asked) else { continue };
        let results = store.case_results(&row.key()).await?;
        let answers = results.iter().filter_map(|row| {
            let (passed, failed) = attempts(row.outcome?, row.attempts)?;
            Some(Answer { case: row.case.clone(), passed, failed })
        });
        let deployed = !steps.last().is_some_and(|last| {
            last.revision == revision
                && last.cycle + 1 == row.summary.cycle
                && matches!(last.outcome, StepOutcome::Answered(_))
        });
        steps.push(Step {
            cycle: row.summary.cycle,
            revision,
            deployed,
            is_return: row.summary.only.is_none(),
            outcome: outcome(verdict, answers.map(Some)),
        });
    }
    Ok(steps)
}

fn outcome(verdict: Verdict, answers: impl Iterator<Item = Option<Answer>>) -> StepOutcome {
    match verdict {
        Verdict::Green | Verdict::Red | Verdict::Incomplete => {
            StepOutcome::Answered(answers.flatten().collect())
        }
        Verdict::DeployFailed | Verdict::NotReady | Verdict::Void => StepOutcome::Unusable,
        Verdict::Cancelled | Verdict::Superseded => StepOutcome::Cancelled,
    }
}

fn answer_of(finding: &CaseFinding) -> Option<Answer> {
    let (passed, failed) = attempts(finding.outcome?, finding.attempts)?;
    Some(Answer { case: finding.case.clone(), passed, failed })
}

/// How many attempts passed, and how many failed. What could not be measured says nothing of a commit.
fn attempts(outcome: Outcome, attempts: u32) -> Option<(u32, u32)> {
    match outcome {
        Outcome::Passed => Some((attempts.max(1), 0)),
        Outcome::Flaky => Some((1, attempts.saturating_sub(1))),
        Outcome::Failed => Some((0, attempts.max(1))),
        Outcome::Errored | Outcome::Skipped | Outcome::NotRun => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sha(digit: char) -> Sha {
        Sha::parse(&digit.to_string().repeat(40)).unwrap()
    }

    /// A question that a person cut short may have deployed something else than what was answered before.
    #[test]
    fn what_was_deployed_before_a_step_that_was_cancelled_is_deployed_again() {
        let case = CaseId::parse("a").unwrap();
        let step = |cycle, revision, outcome| Step {
            cycle,
            revision,
            deployed: true,
            is_return: false,
            outcome,
        };
        let once = Answer { case: case.clone(), passed: 1, failed: 0 };
        let search = Search {
            cycle: 2,
            line: vec![sha('a'), sha('b'), sha('c')],
            groups: vec![Group {
                fingerprint: Fingerprint::new(1, "x"),
                witnesses: vec![Witness::new(case, None)],
            }],
            at_the_end: vec![],
            limits: Limits { max_deploys: 8, confirm: 2 },
            steps: vec![
                step(3, sha('a'), StepOutcome::Answered(vec![once])),
                step(4, sha('b'), StepOutcome::Cancelled),
            ],
            newest: Newest { revision: sha('c'), is_deployed: false, is_good: false },
            moot: None,
        };
        let mut state = SearchState { search, still_there: true, after: 4 };
        let (_, revision, options) = state.next_cycle().unwrap();
        assert_eq!((revision, options.only), (sha('c'), None), "a person ended it");
        state.asked_anew(4);
        let (cause, revision, options) = state.next_cycle().unwrap();
        assert_eq!((revision, options.deploy), (sha('a'), true), "{cause:?}");
    }
}
