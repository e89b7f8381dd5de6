//! What the suite itself needs: time, steady cases, definitions that somebody looks at, and an end of each
//! quarantine.

use super::{Action, days_until, first, low, medium};
use crate::domain::escape;
use crate::domain::event::StoppedBy;
use crate::domain::outcome::{Change, Outcome};
use crate::report::markdown::{lists, short};
use crate::report::view::{CaseView, View};
use crate::report::words;

/// A quarantine that ends within so many days is named.
const QUARANTINE_DAYS: i32 = 14;
/// At most so many cases are named in one action.
const MAX_NAMED: usize = 3;

/// What the suite itself needs.
pub(super) fn actions(actions: &mut Vec<Action>, view: &View<'_>) {
    let ended = view.state.suite_ended.as_ref();
    if ended.is_some_and(|ended| !ended.setup_failures.is_empty()) {
        first(actions, "Repair the suite's setup: its cases could not be measured.".to_owned());
    }
    let by_time = ended.and_then(|ended| ended.stopped_by) == Some(StoppedBy::Timeout);
    if by_time && view.counts().not_run > 0 {
        first(actions, out_of_time(view));
    }
    let findings = view.findings;
    let suspicious = findings.map_or(0, |findings| findings.suspicious.len());
    if suspicious > 0 {
        let passes = words::count(suspicious as u64, "pass that looks", "passes that look");
        first(actions, format!("Look at {passes} too good (“Was this run real”)."));
    }
    let flaky = view.with_outcome(Outcome::Flaky).count();
    if flaky > 0 {
        let cases = words::count(flaky as u64, "flaky case", "flaky cases");
        actions.push(Action {
            priority: low(),
            text: format!("Find out why {cases} passed only at a later attempt (“Flaky”): nobody believes such a case when it fails."),
        });
    }
    if let Some(gone) = gone(view) {
        let text =
            format!("{gone}. If that is meant, close their investigations; else bring them back.");
        actions.push(Action { priority: medium(), text });
    }
    changed_by_nobody(actions, view);
    bent(actions, view);
    let renames = findings.map_or(0, |findings| findings.renames.len());
    if renames > 0 {
        let cases = words::count(renames as u64, "probable rename", "probable renames");
        actions.push(Action {
            priority: low(),
            text: format!("Confirm {cases} with `was:`, or history is lost."),
        });
    }
}

/// Cases that pass again although nobody fixed anything.
fn changed_by_nobody(actions: &mut Vec<Action>, view: &View<'_>) {
    let Some(revision) = view.revision() else { return };
    if let Some(cases) = named(view.fixed_by_no_commit()) {
        let revision = short(&revision.sha);
        let text = format!("Find out what else changed: {cases} failed and passed on {revision}.");
        actions.push(Action { priority: low(), text });
    }
}

/// Cases that pass since somebody changed what they ask for.
fn bent(actions: &mut Vec<Action>, view: &View<'_>) {
    let is_bent = |case: &&CaseView<'_>| case.finding.is_some_and(|f| f.definition_changed);
    if let Some(cases) = named(view.changed(Change::Fixed).filter(is_bent)) {
        let text = format!(
            "Look at the new definition of {cases}: what was failing passes since it was changed."
        );
        actions.push(Action { priority: medium(), text });
    }
}

/// `3 cases that were failing are no longer planned: …`: what they showed was repaired by nobody.
pub(in crate::report::markdown) fn gone(view: &View<'_>) -> Option<String> {
    let how_many = view.gone_failing().count() as u64;
    let cases = words::count(how_many, "case that was failing is", "cases that were failing are");
    named(view.gone_failing()).map(|named| format!("{cases} no longer planned: {named}"))
}

/// The first few cases by their ids, and how many more there are.
fn named<'v, 'a: 'v>(cases: impl Iterator<Item = &'v CaseView<'a>>) -> Option<String> {
    let cases: Vec<String> = cases.map(|case| escape::code(case.id.as_str())).collect();
    let more = cases.len().saturating_sub(MAX_NAMED);
    let shown = words::list(&cases[..cases.len() - more]);
    match (cases.len(), more) {
        (0, _) => None,
        (_, 0) => Some(shown),
        (_, more) => Some(format!("{shown} and {} more", words::number(more as u64))),
    }
}

/// Which cases ate the suite's time.
fn out_of_time(view: &View<'_>) -> String {
    let mut hanging: Vec<(u64, &str)> = view
        .cases
        .iter()
        .filter_map(|case| Some((lists::running_for(view, case)?, case.id.as_str())))
        .collect();
    hanging.sort_by_key(|(ran, _)| std::cmp::Reverse(*ran));
    if !hanging.is_empty() {
        return hangs(&hanging);
    }
    let mut slow: Vec<(u64, &str)> = view
        .cases
        .iter()
        .map(|case| {
            (case.attempts.iter().map(|attempt| attempt.duration_ms).sum(), case.id.as_str())
        })
        .filter(|(took, _)| *took > 0)
        .collect();
    slow.sort_by_key(|(took, _)| std::cmp::Reverse(*took));
    let slow: Vec<String> = slow
        .iter()
        .take(3)
        .map(|(took, id)| format!("{} {}", escape::code(id), words::duration(*took)))
        .collect();
    let which =
        if slow.is_empty() { String::new() } else { format!("; the slowest: {}", slow.join(", ")) };
    format!(
        "The suite's time was over before its end: raise `suite.timeout` or `concurrency`, or find what hangs{which}."
    )
}

/// Who was running when the time was over is the first to be asked.
fn hangs(longest_first: &[(u64, &str)]) -> String {
    let told = longest_first
        .iter()
        .take(3)
        .map(|(ran, id)| format!("{} was running for {}", escape::code(id), words::duration(*ran)));
    let mut told: Vec<String> = told.collect();
    if longest_first.len() > told.len() {
        told.push(format!("{} more", words::number((longest_first.len() - told.len()) as u64)));
    }
    format!(
        "Find what hangs: when the suite's time was over, {}. Else raise `suite.timeout` or `concurrency`.",
        words::list(&told)
    )
}

/// Quarantines that are over, and those that soon will be.
pub(super) fn quarantine(actions: &mut Vec<Action>, view: &View<'_>) {
    let Some(now) = view.decided_at() else { return };
    for case in &view.cases {
        let Some(planned) = case.planned else { continue };
        let Some(quarantine) = &planned.quarantine else { continue };
        let days = days_until(quarantine.until, now);
        let id = escape::code(case.id.as_str());
        let owner = escape::text(&quarantine.owner);
        let text = if quarantine.expired {
            format!(
                "The quarantine of {id} is over ({}, {owner}): it decides the verdict again.",
                quarantine.until
            )
        } else if days <= QUARANTINE_DAYS {
            format!(
                "The quarantine of {id} ends in {} ({owner}).",
                words::count(days.unsigned_abs(), "day", "days")
            )
        } else {
            continue;
        };
        actions.push(Action { priority: planned.priority, text });
    }
}
