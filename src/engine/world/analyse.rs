//! Diff: what the records of this cycle and of those before it add up to.
//!
//! Everything is collected first; the decisions are made by pure modules; then one append makes the
//! findings, the lists and the new heads true together.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{After, World, phase_ended};
use crate::cluster::{self, Grouping};
use crate::diff::{self, Compared, Comparison, Selection, Tested};
use crate::domain::attempt::Attempt;
use crate::domain::commit::CommitRange;
use crate::domain::event::{Event, PlannedCase};
use crate::domain::findings::{
    CaseFinding, CaseResult, Cluster, FINDINGS_VERSION, Findings, Suspicious,
};
use crate::domain::history::{CaseHead, CycleRef, CycleSummary, Heads};
use crate::domain::names::EnvironmentName;
use crate::domain::outcome::{Cause, Outcome, Phase, PhaseOutcome, Verdict};
use crate::domain::revision::Sha;
use crate::domain::search::{SearchResult, SearchedBefore, SearchedFailure};
use crate::domain::state::CycleState;
use crate::engine::{EngineError, Journal, load_state, looped};
use crate::git::{Mirror, RangeLimits};
use crate::store::{
    Baseline, CaseRow, CycleKey, CycleRow, InvestigationSeen, Projection, Store, StoreError,
};
use crate::verdict::{self, Judged};

/// So many earlier cycles make the trend of a report.
const TREND: u32 = 29;

impl World {
    pub(super) async fn analyse(&self, journal: &mut Journal) -> Result<(), EngineError> {
        self.account_for_unreached_suite(journal).await?;
        let history = self.load_history(journal);
        let (results, suspicious) = results_of(journal.state());
        let (verdict, void_reason) = verdict::decide(journal.state(), &results, &suspicious);
        let (heads, history) = history.await?;
        let compared = compare(journal.state(), &results, heads, history.last_whole, verdict);
        let History { baseline, chain, .. } = history;
        // What asks an older commit is compared with nothing.
        let baseline = baseline.filter(|_| !journal.state().queued.options.is_question());
        let since_baseline = baseline_range(baseline.as_ref(), journal.state());
        let commits = self.load_commits(&compared.cases, since_baseline.as_ref()).await;
        let seen = {
            let failures = results.iter().filter_map(|result| result.failure.as_ref());
            let distinct: BTreeSet<_> = failures.map(|(fingerprint, _)| fingerprint).collect();
            let distinct: Vec<_> = distinct.into_iter().cloned().collect();
            journal.store().fingerprints(&journal.key().pipeline, &distinct).await?
        };
        let this = cycle_ref(journal.state());
        let clusters = match &this {
            None => Vec::new(),
            Some(this) => cluster::group(&Grouping {
                this,
                plan: journal.state().planned(),
                results: &results,
                attempts: &journal.state().attempts,
                findings: &compared.cases,
                renames: &compared.renames,
                heads: &compared.heads,
                seen: &seen,
                commits: &commits,
            }),
        };
        let judged =
            Judged { verdict, void_reason, counts: diff::counts(&results), cases: &compared.cases };
        let mut findings = Findings {
            version: FINDINGS_VERSION,
            verdict,
            void_reason,
            reason: verdict::reason(journal.state(), &judged),
            counts: judged.counts,
            commits: since_baseline.and_then(|range| commits.get(&range).cloned()),
            baseline,
            cases: compared.cases,
            clusters,
            suspicious,
            renames: compared.renames,
            chain,
            search: None,
            gave_up: None,
            investigations: Vec::new(),
            fixes: Vec::new(),
            overdue: Vec::new(),
        };
        drop(results);
        self.add_search(journal, &mut findings).await;
        self.keep_searched(journal, &mut findings).await;
        self.keep_culprits_within(journal.state(), &mut findings).await;
        if !journal.state().queued.options.is_question() {
            self.link_investigations(journal, &mut findings).await?;
        }
        findings.gave_up = match self.after {
            After::Nothing => None,
            After::Loop => {
                let (store, state) = (journal.store().as_ref(), journal.state());
                looped::giving_up(store, self.pipeline(), state, &findings).await?
            }
        };
        let projection =
            projection_of(&findings, compared.heads, journal.state().queued.options.is_question());
        let ended = phase_ended(journal, Phase::Diff, PhaseOutcome::Passed, None);
        journal.note_with(vec![Event::Analysed(findings.into()), ended], projection)
    }

    /// A commit that the tested revision does not contain, after a branch was rewritten, did not break it.
    async fn keep_culprits_within(&self, state: &CycleState, findings: &mut Findings) {
        let Some(this) = cycle_ref(state).map(|this| this.revision) else { return };
        for cluster in &mut findings.clusters {
            let Some(culprit) = cluster.culprit.take() else { continue };
            let Ok(mirror) = self.mirror_with([&culprit, &this].into_iter()).await else {
                continue;
            };
            if mirror.is_ancestor(&culprit, &this).await.unwrap_or(false) {
                cluster.suspects = vec![culprit.clone()];
                cluster.culprit = Some(culprit);
            }
        }
    }

    /// What the search came to that this cycle ends. A report without it is better than no report.
    async fn add_search(&self, journal: &Journal, findings: &mut Findings) {
        let options = &journal.state().queued.options;
        let Some(of) = options.search_of else {
            self.add_overtaken(journal, findings).await;
            return;
        };
        if options.is_question() {
            return;
        }
        let (store, cases) = (journal.store().as_ref(), &findings.cases);
        match self.searched(store, of, journal.state(), cases, findings.verdict).await {
            Ok(found) => {
                for cluster in &mut findings.clusters {
                    if let Some(failure) =
                        found.failures.iter().find(|f| f.fingerprint == cluster.fingerprint)
                    {
                        learn(cluster, failure, "a search");
                    }
                }
                findings.search = Some(found);
            }
            Err(fault) => {
                tracing::warn!("what the search of cycle {of} came to is not known: {fault}")
            }
        }
    }

    /// What earlier searches say of failures that go on as they were then. A report without it is better
    /// than no report.
    async fn keep_searched(&self, journal: &Journal, findings: &mut Findings) {
        if journal.state().queued.options.is_question() {
            return;
        }
        let mut searches = HashMap::new();
        let Findings { clusters, cases, search, .. } = findings;
        for cluster in clusters {
            let is_searched = |found: &SearchedFailure| found.fingerprint == cluster.fingerprint;
            if search.as_ref().is_some_and(|search| search.failures.iter().any(is_searched)) {
                continue;
            }
            let Some(of) = began_in(cluster, cases) else { continue };
            let found = match searches.entry(of) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(earlier_answer(journal, of).await),
            };
            let Some((cycle, found)) = found else { continue };
            let Some(answer) = found.failures.iter().find(|found| is_searched(found)) else {
                continue;
            };
            let answer = answer.clone();
            learn(cluster, &answer, &format!("the search that ended with cycle {cycle}"));
            cluster.searched = Some(SearchedBefore { cycle: *cycle, answer });
        }
    }

    /// A search that this cycle makes needless says so here, as no other cycle ends it.
    async fn add_overtaken(&self, journal: &Journal, findings: &mut Findings) {
        let state = journal.state();
        if state.queued.options.only.is_some() {
            return;
        }
        match self.overtaken(journal.store().as_ref(), state, findings).await {
            Ok(found) => findings.search = found,
            Err(fault) => tracing::warn!("whether a search is over now is not known: {fault}"),
        }
    }

    /// Begins to read what earlier cycles left behind, while something else is done.
    fn load_history(
        &self,
        journal: &Journal,
    ) -> impl Future<Output = Result<(Heads, History), EngineError>> + use<> {
        let (key, store) = (journal.key().clone(), Arc::clone(journal.store()));
        let environment = journal.state().queued.environment.clone();
        let task = tokio::spawn(async move {
            let heads = store.case_heads(&key.pipeline, &environment).await?;
            let heads = Heads::from(heads);
            Ok((heads, History::load(store.as_ref(), &key, &environment).await?))
        });
        async {
            task.await.map_err(|fault| EngineError::Internal {
                what: format!("the task that reads history ended: {fault}"),
            })?
        }
    }

    /// The commits of every range that the findings speak of, as far as git can tell. A report without
    /// suspects is better than no report.
    async fn load_commits(
        &self,
        cases: &[CaseFinding],
        since_baseline: Option<&(Sha, Sha)>,
    ) -> HashMap<(Sha, Sha), CommitRange> {
        let mut wanted = cluster::ranges_needed(cases);
        wanted.extend(since_baseline.cloned());
        wanted.sort();
        wanted.dedup();
        let mut ranges = HashMap::new();
        if wanted.is_empty() {
            return ranges;
        }
        let Ok(mirror) = self.mirror_with(wanted.iter().flat_map(|(from, to)| [from, to])).await
        else {
            return ranges;
        };
        for (from, to) in wanted {
            if let Some(range) = commits_between(mirror, &from, &to).await {
                ranges.insert((from, to), range);
            }
        }
        ranges
    }
}

/// What a search says of a failure takes the place of what was thought of it before.
fn learn(cluster: &mut Cluster, searched: &SearchedFailure, who: &str) {
    if searched.culprit.is_some() {
        cluster.culprit.clone_from(&searched.culprit);
        (cluster.cause, cluster.because) = (Cause::Code, asked(who, &searched.because));
    } else if searched.is_environment() {
        cluster.suspects.clear();
        (cluster.cause, cluster.because) = (Cause::Environment, asked(who, &searched.because));
    } else if (1..cluster.suspects.len()).contains(&searched.suspects.len()) {
        // Newest first, as they stand in every list of commits.
        cluster.suspects = searched.suspects.iter().rev().cloned().collect();
    }
}

fn asked(who: &str, because: &str) -> String {
    format!("{who} deployed the commits between: {because}")
}

/// The cycle in which all cases of a failure began to fail: what a search says of it holds for all of them.
fn began_in(cluster: &Cluster, cases: &[CaseFinding]) -> Option<u32> {
    let began = cluster.first_failing.as_ref()?.cycle;
    let is_other = |finding: &CaseFinding| {
        let first = finding.first_failing.as_ref();
        finding.fingerprint.as_ref() == Some(&cluster.fingerprint)
            && first.is_some_and(|first| first.cycle != began)
    };
    let is_one = cluster.failure_changed.is_none() && !cases.iter().any(is_other);
    is_one.then_some(began)
}

/// What the last search for what broke a cycle came to, and the cycle that ended it.
async fn earlier_search(
    journal: &Journal,
    of: u32,
) -> Result<Option<(u32, SearchResult)>, EngineError> {
    let (store, this) = (journal.store().as_ref(), journal.key());
    let steps = store.cycles_of_search(&this.pipeline, of).await?;
    let is_end = |row: &&CycleRow| {
        let is_over = row.finished_at.is_some() && row.expired_at.is_none();
        is_over && !row.is_question() && row.summary.cycle < this.cycle
    };
    let Some(end) = steps.iter().rfind(is_end) else { return Ok(None) };
    let state = load_state(store, &end.key()).await?;
    let search = state.findings.as_ref().and_then(|findings| findings.what.search.clone());
    Ok(search.map(|search| (end.summary.cycle, search)))
}

/// The same, as far as it can be known.
async fn earlier_answer(journal: &Journal, of: u32) -> Option<(u32, SearchResult)> {
    earlier_search(journal, of).await.unwrap_or_else(|fault| {
        tracing::warn!("what the search of cycle {of} came to is not known: {fault}");
        None
    })
}

async fn commits_between(mirror: &Mirror, from: &Sha, to: &Sha) -> Option<CommitRange> {
    match mirror
        .commits_between(from, to, RangeLimits { commits: 50, files: 50, ..RangeLimits::default() })
        .await
    {
        Ok(range) => Some(range),
        Err(fault) => {
            tracing::warn!(%fault, "cannot list the commits between {} and {}", from.short(), to.short());
            None
        }
    }
}

/// What else earlier cycles left behind.
struct History {
    baseline: Option<CycleSummary>,
    last_whole: Option<u32>,
    chain: Vec<CycleSummary>,
}

impl History {
    async fn load(
        store: &dyn Store,
        key: &CycleKey,
        environment: &EnvironmentName,
    ) -> Result<Self, StoreError> {
        let before =
            |baseline| store.find_baseline(&key.pipeline, environment, key.cycle, baseline);
        let chain = store.trend(&key.pipeline, key.cycle, TREND).await?;
        Ok(Self {
            baseline: before(Baseline::Valid).await?.map(|row| row.summary),
            last_whole: before(Baseline::Whole).await?.map(|row| row.summary.cycle),
            chain: chain.into_iter().map(|row| row.summary).collect(),
        })
    }
}

/// What the comparison gave, and what the cycle leaves behind for the next one.
struct Outcomes {
    cases: Vec<CaseFinding>,
    renames: Vec<crate::domain::findings::ProbableRename>,
    heads: Vec<CaseHead>,
}

fn compare(
    state: &CycleState,
    results: &[CaseResult],
    heads: Heads,
    last_whole: Option<u32>,
    verdict: Verdict,
) -> Outcomes {
    let is_question = state.queued.options.is_question();
    let this = cycle_ref(state).filter(|_| verdict.has_valid_suite() && !is_question);
    let Some(this) = this else {
        // A cycle without a valid suite leaves nothing behind, and neither does one that asks an older
        // commit.
        let nothing_ran = results.iter().all(|result| result.outcome == Outcome::NotRun);
        let cases = if nothing_ran && verdict != Verdict::Void {
            diff::carried(results, &heads)
        } else {
            diff::uncompared(results)
        };
        return Outcomes { cases, renames: vec![], heads: vec![] };
    };
    let config_digest = state.queued.definition.config_digest.as_str().into();
    let comparison = Comparison {
        this: &this,
        config_digest: &config_digest,
        results,
        last_whole,
        selection: if state.queued.options.only.is_some() {
            Selection::Part
        } else {
            Selection::Whole
        },
        tested: if state.tested_its_revision() { Tested::Revision } else { Tested::WhateverServed },
    };
    let Compared { cases, renames } = diff::compare(&comparison, &heads);
    let heads = diff::advance_all(&comparison, &cases, heads);
    Outcomes { cases, renames, heads }
}

fn cycle_ref(state: &CycleState) -> Option<CycleRef> {
    let resolved = state.resolved.as_ref()?;
    Some(CycleRef { cycle: state.queued.cycle, revision: resolved.revision.sha.clone() })
}

fn baseline_range(baseline: Option<&CycleSummary>, state: &CycleState) -> Option<(Sha, Sha)> {
    let from = baseline?.revision.as_ref()?.sha.clone();
    let to = state.resolved.as_ref()?.revision.sha.clone();
    (from != to).then_some((from, to))
}

/// What became of each planned case, and which passes look too good.
fn results_of(state: &CycleState) -> (Vec<CaseResult>, Vec<Suspicious>) {
    let mut results = Vec::with_capacity(state.planned().len());
    let mut suspicious = Vec::new();
    let ends = state.commands.iter().filter_map(|record| record.ended.as_ref());
    let doubted: HashMap<_, _> =
        ends.flat_map(|ended| &ended.doubts).map(|doubt| (&doubt.case, &doubt.why)).collect();
    for planned in state.planned() {
        let attempts = state.attempts_of(&planned.id);
        let last = attempts.last();
        let result = result_of(planned, attempts);
        let passes = matches!(result.outcome, Outcome::Passed | Outcome::Flaky);
        results.push(result);
        if let Some(why) = doubted.get(&planned.id).filter(|_| passes) {
            suspicious.push(Suspicious { case: planned.id.clone(), why: (*why).clone() });
        }
        // What a tool did on the network is not in its results.
        let native = last.filter(|_| planned.command.is_none());
        if let Some(why) = native.and_then(verdict::suspicious_pass) {
            suspicious.push(Suspicious { case: planned.id.clone(), why });
        }
    }
    (results, suspicious)
}

fn result_of(planned: &PlannedCase, attempts: &[Attempt]) -> CaseResult {
    let last = attempts.last();
    let failure = last
        .and_then(|attempt| Some((cluster::fingerprint_of(attempt)?, attempt.failure.clone()?)));
    CaseResult {
        case: planned.id.clone(),
        was: planned.was.clone(),
        outcome: verdict::judge_case(attempts),
        duration_ms: last.map_or(0, |attempt| attempt.duration_ms),
        attempts: u32::try_from(attempts.len()).unwrap_or(u32::MAX),
        failure,
        definition: Arc::clone(&planned.digest),
    }
}

fn projection_of(findings: &Findings, heads: Vec<CaseHead>, is_question: bool) -> Projection {
    let valid = findings.verdict.has_valid_suite() && !is_question;
    let culprits = findings
        .clusters
        .iter()
        .filter_map(|cluster| Some((cluster.fingerprint.clone(), cluster.culprit.clone()?)));
    let cases = findings.cases.iter().map(|finding| CaseRow {
        case: finding.case.clone(),
        outcome: finding.outcome,
        change: finding.change,
        duration_ms: finding.duration_ms,
        attempts: finding.attempts,
        fingerprint: finding
            .fingerprint
            .clone()
            .filter(|_| finding.outcome.is_some_and(Outcome::is_failing)),
    });
    let cases_of = |is_it: &dyn Fn(&Cluster) -> bool| {
        let cluster = findings.clusters.iter().find(|cluster| is_it(cluster));
        cluster.map_or_else(Vec::new, |cluster| cluster.cases.clone())
    };
    let linked = findings.investigations.iter().map(|seen| InvestigationSeen {
        id: seen.id.clone(),
        state: seen.state,
        cases: cases_of(&|cluster| cluster.fingerprint == seen.fingerprint),
        claims: seen.claims.clone(),
    });
    let others = findings.fixes.iter().map(|fix| InvestigationSeen {
        id: fix.id.clone(),
        state: fix.state,
        cases: Vec::new(),
        claims: fix.claims.clone(),
    });
    let fingerprints = findings.clusters.iter().map(|cluster| cluster.fingerprint.clone());
    Projection {
        cases: cases.collect(),
        heads,
        fingerprints: if valid { fingerprints.collect() } else { Vec::new() },
        culprits: if findings.search.is_some() { culprits.collect() } else { Vec::new() },
        investigations: linked.chain(others).collect(),
        messages: Vec::new(),
    }
}
