//! Recounts a finished report: does it say the same thing everywhere, and do its figures add up?
//!
//! It works on what was written, not on the records, so it finds what a person or a program changed
//! afterwards, and what a defect of ours would have written.

mod history;
mod text;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::json::{CaseJson, CycleJson, SuiteJson};
use crate::domain::outcome::{Change, Outcome, Verdict};

/// Two things in a report that cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// Where: a field of the JSON, or a part of the Markdown.
    pub place: String,
    /// What stands there, and what it should be.
    pub what: String,
}

/// At most so many contradictions are told: a report that is wrong throughout needs no more.
const MAX_TOLD: usize = 100;

/// Everything in a report that contradicts itself. `markdown` is the text beside the JSON.
pub fn verify(json: &CycleJson<'_>, markdown: Option<&str>) -> Vec<Contradiction> {
    let mut found = Found(Vec::new());
    if let Some(suite) = &json.suite {
        counts(&mut found, json, suite);
    }
    changes(&mut found, json);
    json.cases.iter().for_each(|case| case_by_itself(&mut found, case));
    clusters(&mut found, json);
    verdict(&mut found, json);
    history::check(&mut found, json);
    if let Some(markdown) = markdown {
        text::check(&mut found, json, markdown);
    }
    found.0.truncate(MAX_TOLD);
    found.0
}

struct Found(Vec<Contradiction>);

impl Found {
    fn add(&mut self, place: impl Into<String>, what: String) {
        self.0.push(Contradiction { place: place.into(), what });
    }

    fn equal<T: PartialEq + std::fmt::Display>(
        &mut self,
        place: impl Into<String>,
        says: T,
        counted: T,
    ) {
        if says != counted {
            self.add(place, format!("says {says}, counted {counted}"));
        }
    }
}

fn counts(found: &mut Found, json: &CycleJson<'_>, suite: &SuiteJson<'_>) {
    let sum =
        suite.passed + suite.flaky + suite.failed + suite.errored + suite.skipped + suite.not_run;
    // While it runs, outcomes are not decided yet.
    if json.verdict.is_none() {
        return;
    }
    found.equal("suite: the sum of the outcomes", sum, suite.planned);
    let ran = suite.passed + suite.flaky + suite.failed + suite.errored;
    found.equal("suite.completed", suite.completed, ran);
    let mut by_outcome: HashMap<&str, u32> = HashMap::new();
    for case in &json.cases {
        if let Some(outcome) = &case.outcome {
            *by_outcome.entry(outcome).or_default() += 1;
        }
    }
    for (outcome, says) in [
        (Outcome::Passed, suite.passed),
        (Outcome::Flaky, suite.flaky),
        (Outcome::Failed, suite.failed),
        (Outcome::Errored, suite.errored),
        (Outcome::Skipped, suite.skipped),
        (Outcome::NotRun, suite.not_run),
    ] {
        let counted = by_outcome.get(outcome.as_str()).copied().unwrap_or(0);
        found.equal(format!("suite.{outcome}"), says, counted);
    }
}

fn changes(found: &mut Found, json: &CycleJson<'_>) {
    let mut listed: BTreeMap<&str, Vec<Change>> = BTreeMap::new();
    for &change in Change::ALL {
        for id in json.changes.of(change).into_iter().flatten() {
            listed.entry(id).or_default().push(change);
        }
    }
    for (id, changes) in &listed {
        if let [first, second, ..] = changes.as_slice() {
            found.add(format!("changes: {id}"), format!("is both {first} and {second}"));
        }
    }
    let mut seen = HashSet::new();
    for case in &json.cases {
        let place = || format!("cases: {}", case.id);
        if !seen.insert(case.id.as_ref()) {
            found.add(place(), "stands there twice".to_owned());
        }
        let says = case.change.as_deref();
        let lists =
            listed.get(case.id.as_ref()).and_then(|changes| changes.first()).map(|c| c.as_str());
        let expected = says.filter(|change| *change != Change::StillPassing.as_str());
        if lists != expected {
            let (says, lists) = (says.unwrap_or("nothing"), lists.unwrap_or("no list"));
            found.add(place(), format!("says {says}, but `changes` has it under {lists}"));
        }
    }
    for id in listed.keys().filter(|id| !seen.contains(**id)) {
        found.add(format!("changes: {id}"), "is no case of this cycle".to_owned());
    }
}

fn case_by_itself(found: &mut Found, case: &CaseJson<'_>) {
    let mut add = |what: String| found.add(format!("cases: {}", case.id), what);
    let outcome = case.outcome.as_deref().and_then(Outcome::parse);
    let change = case.change.as_deref().and_then(Change::parse);
    if let Some(change) = change.filter(|change| !fits(*change, outcome)) {
        add(format!("is {change} with outcome {}", outcome.map_or("none", Outcome::as_str)));
    }
    if case.carried.is_some() && outcome != Some(Outcome::NotRun) {
        add("has a carried result, yet it ran".to_owned());
    }
    let is_failing = outcome.is_some_and(Outcome::is_failing);
    if is_failing && case.failure.is_none() {
        add("is failing without a failure".to_owned());
    }
    if !is_failing && case.failure.is_some() {
        add("has a failure, yet it is not failing".to_owned());
    }
    if outcome == Some(Outcome::NotRun) && (case.attempts > 0 && case.evidence.is_some()) {
        add("did not run, yet it has evidence".to_owned());
    }
}

/// Whether a change can come with an outcome (the table of SPEC section 6).
fn fits(change: Change, outcome: Option<Outcome>) -> bool {
    let Some(outcome) = outcome else { return change == Change::Removed };
    match change {
        Change::Regressed | Change::NewFailing | Change::ChangedFailure | Change::StillFailing => {
            outcome.is_failing()
        }
        Change::Fixed | Change::NewPassing | Change::StillPassing => {
            outcome.is_known() && !outcome.is_failing()
        }
        Change::NotRun => outcome == Outcome::NotRun,
        Change::Skipped => outcome == Outcome::Skipped,
        Change::Removed => false,
    }
}

fn clusters(found: &mut Found, json: &CycleJson<'_>) {
    let failing: HashSet<&str> = json
        .cases
        .iter()
        .filter(|case| case.failure.is_some())
        .map(|case| case.id.as_ref())
        .collect();
    let mut clustered = HashSet::new();
    for cluster in &json.clusters {
        let place = format!("clusters: {}", cluster.fingerprint);
        for id in &cluster.cases {
            if !failing.contains(id.as_ref()) {
                found.add(place.clone(), format!("has {id}, which is not failing"));
            }
            if !clustered.insert(id.as_ref()) {
                found.add(place.clone(), format!("has {id}, which another has too"));
            }
        }
    }
}

fn verdict(found: &mut Found, json: &CycleJson<'_>) {
    let Some(verdict) = json.verdict.as_deref() else { return };
    let Some(verdict) = Verdict::parse(verdict) else {
        found.add("verdict", format!("{verdict} is no verdict"));
        return;
    };
    if (verdict == Verdict::Void) != json.void_reason.is_some() {
        found.add("void_reason", format!("does not go with the verdict {verdict}"));
    }
    // Where the suite was never reached, cases carry what was known; nothing else is a comparison.
    let carries = |change: &str| change == Change::NotRun.as_str();
    let changes = json.cases.iter().filter_map(|case| case.change.as_deref());
    let is_compared = { changes }.any(|change| verdict == Verdict::Void || !carries(change));
    if !verdict.has_valid_suite() && is_compared {
        found.add("changes", format!("a cycle that is {verdict} is never compared"));
    }
    if verdict != Verdict::Green {
        return;
    }
    let deciding =
        json.cases.iter().filter(|case| case.quarantine.as_ref().is_none_or(|q| q.expired));
    let outcomes =
        deciding.filter_map(|case| Some((case, Outcome::parse(case.outcome.as_deref()?)?)));
    for (case, outcome) in outcomes {
        if outcome.is_failing() || outcome == Outcome::NotRun {
            found.add("verdict", format!("is green, yet {} is {outcome}", case.id));
        }
    }
    if json.suite.as_ref().is_some_and(|suite| suite.planned > 0 && suite.completed == 0) {
        found.add("verdict", "is green, yet nothing ran".to_owned());
    }
}
