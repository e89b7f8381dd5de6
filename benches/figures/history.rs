//! A ledger with a long history: ten thousand finished cycles of a hundred cases each.
//!
//! What is then timed is one more cycle, written and taken up as in [`ledger`](super::ledger): its report and
//! the indexes must not read all that went before.

use std::path::Path;
use std::sync::Arc;

use andon::cycle;
use andon::diff::{self, Comparison, Selection, Tested};
use andon::domain::event::{Event, Finished};
use andon::domain::findings::{CaseFinding, CaseResult, FINDINGS_VERSION, Findings};
use andon::domain::history::{Counts, CycleRef, Heads};
use andon::domain::outcome::{Phase, Verdict};
use andon::domain::revision::Sha;
use andon::domain::spec::Pipeline;
use andon::engine::{Journal, Silent, SystemClock};
use andon::store::{CaseRow, Projection, Store};
use anyhow::Result;

use super::{ledger, parts};

/// Cases of each cycle.
pub const CASES: usize = 100;

/// Writes so many finished cycles, each in one append, and without files: no report of a later one reads them.
pub fn seed(dir: &Path, cycles: usize) -> Result<()> {
    ledger::block_on(async {
        let sha = ledger::commit(dir)?;
        let store = ledger::open(dir).await?;
        write(&store, &ledger::load(dir)?, &sha, Amount { cycles, cases: CASES }).await?;
        store.close().await;
        Ok(())
    })
}

/// How much is written.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// Finished cycles.
    pub cycles: usize,
    /// Cases of each.
    pub cases: usize,
}

/// Writes so many finished cycles of a pipeline.
pub async fn write(
    store: &Arc<dyn Store>,
    pipeline: &Pipeline,
    sha: &str,
    amount: Amount,
) -> Result<()> {
    let mut heads = Heads::default();
    for _ in 0..amount.cycles {
        let (key, first) = store.create_cycle(ledger::queued(pipeline), ledger::now()).await?;
        let this = CycleRef { cycle: key.cycle, revision: Sha::parse(sha)? };
        let state = cycle::begin(first)?;
        let clock = Arc::new(SystemClock);
        let mut journal =
            Journal::new(Arc::clone(store), clock, Arc::new(Silent), key, state, None);
        let (events, projection, next) = finished_cycle(sha, &this, heads, amount.cases)?;
        heads = Heads::from(next);
        journal.append_with(events, projection).await?;
    }
    Ok(())
}

type Written = (Vec<Event>, Projection, Vec<andon::domain::history::CaseHead>);

fn finished_cycle(sha: &str, this: &CycleRef, heads: Heads, count: usize) -> Result<Written> {
    let number = this.cycle as usize;
    let results: Vec<CaseResult> =
        (0..count).map(|case| parts::result(case, number)).collect::<Result<_>>()?;
    let comparison = Comparison {
        this,
        config_digest: &"digest".into(),
        results: &results,
        last_whole: this.cycle.checked_sub(1).filter(|cycle| *cycle > 0),
        selection: Selection::Whole,
        tested: Tested::Revision,
    };
    let cases = diff::compare(&comparison, &heads).cases;
    let heads = diff::advance_all(&comparison, &cases, heads);
    let mut events = ledger::before_suite(sha, count)?;
    for case in 0..count {
        events.push(ledger::finished(ledger::attempt(case, number)?));
    }
    events.extend([ledger::suite_ended(), ledger::phase_ended(Phase::Suite)]);
    let projection = Projection {
        cases: cases.iter().map(row).collect(),
        heads: heads.clone(),
        fingerprints: cases.iter().filter_map(|case| case.fingerprint.clone()).collect(),
        ..Projection::default()
    };
    events.push(ledger::phase_started(Phase::Diff));
    events.push(Event::Analysed(findings(cases).into()));
    for phase in [Phase::Report, Phase::Notify] {
        events.push(ledger::phase_ended(before(phase)));
        events.push(ledger::phase_started(phase));
    }
    events.push(ledger::phase_ended(Phase::Notify));
    events.push(Event::Finished(Finished { verdict: Verdict::Red, void_reason: None }));
    Ok((events, projection, heads))
}

fn before(phase: Phase) -> Phase {
    if phase == Phase::Report { Phase::Diff } else { Phase::Report }
}

fn findings(cases: Vec<CaseFinding>) -> Findings {
    let mut counts = Counts::default();
    cases.iter().filter_map(|case| case.outcome).for_each(|outcome| counts.add(outcome));
    Findings {
        version: FINDINGS_VERSION,
        verdict: Verdict::Red,
        void_reason: None,
        reason: "some cases are failing".to_owned(),
        counts,
        baseline: None,
        cases,
        clusters: vec![],
        suspicious: vec![],
        renames: vec![],
        commits: None,
        chain: vec![],
        search: None,
        gave_up: None,
        investigations: vec![],
        fixes: vec![],
        overdue: vec![],
    }
}

fn row(finding: &CaseFinding) -> CaseRow {
    CaseRow {
        case: finding.case.clone(),
        outcome: finding.outcome,
        change: finding.change,
        duration_ms: finding.duration_ms,
        attempts: finding.attempts,
        fingerprint: finding.fingerprint.clone(),
    }
}
