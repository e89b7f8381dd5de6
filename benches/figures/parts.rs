//! Single decisions and queries, timed within one process on the data of the large ledger.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use andon::cluster::{self, Grouping};
use andon::diff::{self, Comparison, Selection, Tested};
use andon::domain::findings::CaseResult;
use andon::domain::history::{CycleRef, Heads};
use andon::domain::names::{CaseId, EnvironmentName, PipelineName};
use andon::domain::outcome::Outcome;
use andon::domain::revision::Sha;
use anyhow::{Context as _, Result};

use super::ledger;
use super::table::{ms, print_plain, word};

const CASES: usize = 100_000;
const FAILURES: usize = 10_000;
const ROUNDS: usize = 5;
/// Clustering must take no longer.
const CLUSTER_BAR: Duration = Duration::from_millis(300);

/// Times and prints each part.
pub fn print(dir: &Path) -> Result<()> {
    let heads = ledger::block_on(async {
        let store = ledger::open(dir).await?;
        let (pipeline, environment) =
            (PipelineName::parse("many")?, EnvironmentName::parse("many")?);
        let mut took = Vec::new();
        let mut heads = Vec::new();
        for _ in 0..ROUNDS {
            let started = Instant::now();
            heads = store.case_heads(&pipeline, &environment).await?;
            took.push(started.elapsed());
        }
        tell("heads: load 100,000", took);
        store.close().await;
        Ok(Heads::from(heads))
    })?;
    let this = CycleRef { cycle: 1000, revision: Sha::parse(&"ab".repeat(20))? };
    let results: Result<Vec<CaseResult>> = (0..CASES).map(|number| result(number, 9)).collect();
    let results = results?;
    let comparison = Comparison {
        this: &this,
        config_digest: &"digest".into(),
        results: &results,
        last_whole: Some(1),
        selection: Selection::Whole,
        tested: Tested::Revision,
    };
    let compared = diff::compare(&comparison, &heads);
    tell("compare 100,000", rounds(|| diff::compare(&comparison, &heads)));
    // The heads are taken over, so each round has its own copy, made before its time begins.
    let advance = |heads| diff::advance_all(&comparison, &compared.cases, heads);
    tell("heads: advance 100,000", rounds_with(|| heads.clone(), advance));
    cluster_failures(&this)
}

fn cluster_failures(this: &CycleRef) -> Result<()> {
    let attempts: Result<Vec<_>> = (0..FAILURES).map(failing).collect();
    let attempts = attempts?;
    let mark = || attempts.iter().map(cluster::fingerprint_of).collect::<Vec<_>>();
    tell("fingerprint 10,000 failures", rounds(mark));
    let plan: Result<Vec<_>> = (0..FAILURES).map(ledger::planned).collect();
    let plan = plan?;
    let results = attempts.iter().map(result_of).collect::<Result<Vec<_>>>()?;
    let by_case: HashMap<CaseId, Vec<_>> =
        attempts.iter().map(|attempt| (attempt.case.clone(), vec![attempt.clone()])).collect();
    let findings = diff::uncompared(&results);
    let grouping = Grouping {
        this,
        plan: &plan,
        results: &results,
        attempts: &by_case,
        findings: &findings,
        renames: &[],
        heads: &[],
        seen: &[],
        commits: &HashMap::new(),
    };
    let took = rounds(|| cluster::group(&grouping));
    let bar = word(median(&took) < CLUSTER_BAR, "under 300 ms".to_owned());
    tell_with_bar("cluster 10,000 failures", took, &bar);
    Ok(())
}

fn failing(number: usize) -> Result<andon::domain::attempt::Attempt> {
    let attempt = ledger::attempt(number, 1)?;
    Ok(andon::domain::attempt::Attempt { failure: Some(ledger::failure(number).into()), ..attempt })
}

/// What came of the attempt of a case in a cycle.
pub fn result(number: usize, cycle: usize) -> Result<CaseResult> {
    result_of(&ledger::attempt(number, cycle)?)
}

fn result_of(attempt: &andon::domain::attempt::Attempt) -> Result<CaseResult> {
    let failure = attempt.failure.clone().map(|failure| {
        let fingerprint = cluster::fingerprint_of(attempt).context("a failure has one")?;
        anyhow::Ok((fingerprint, failure))
    });
    let failure = failure.transpose()?;
    Ok(CaseResult {
        case: attempt.case.clone(),
        was: vec![],
        outcome: if failure.is_some() { Outcome::Failed } else { Outcome::Passed },
        duration_ms: attempt.duration_ms,
        attempts: 1,
        failure,
        definition: "digest".into(),
    })
}

fn rounds<T>(work: impl Fn() -> T) -> Vec<Duration> {
    rounds_with(|| (), |()| work())
}

fn rounds_with<I, T>(prepare: impl Fn() -> I, work: impl Fn(I) -> T) -> Vec<Duration> {
    let once = || {
        let input = prepare();
        let started = Instant::now();
        let made = black_box(work(input));
        let took = started.elapsed();
        drop(made);
        took
    };
    once();
    (0..ROUNDS).map(|_| once()).collect()
}

fn median(took: &[Duration]) -> Duration {
    let mut took = took.to_vec();
    took.sort_unstable();
    took[took.len() / 2]
}

fn tell(name: &str, took: Vec<Duration>) {
    tell_with_bar(name, took, "");
}

fn tell_with_bar(name: &str, mut took: Vec<Duration>, bar: &str) {
    took.sort_unstable();
    let (median, range) = (took[took.len() / 2], (took[0], took[took.len() - 1]));
    let figure = format!("median {:.1} ms, {:.1}–{:.1} ms", ms(median), ms(range.0), ms(range.1));
    print_plain(name, &figure, bar);
}
