//! Part 8: what passed, what is flaky, what did not run, what is in quarantine.

use std::collections::BTreeMap;

use super::changes::word;
use super::page::Page;
use super::{MAX_ROWS, cut_note, short};
use crate::domain::escape;
use crate::domain::event::{NotRunReason, Quarantined};
use crate::domain::findings::CaseFinding;
use crate::domain::outcome::{Change, Outcome};
use crate::report::view::{CaseView, View};
use crate::report::words;

/// At most so many passing cases are named; above, the areas have to do.
const MAX_NAMED: usize = 200;
/// At most so many areas.
const MAX_AREAS: usize = 30;

pub fn write(page: &mut Page, view: &View<'_>) {
    passing(page, view);
    flaky(page, view);
    not_run(page, view);
    skipped(page, view);
    quarantine(page, view);
}

/// What a cycle that ended before its suite leaves open: all of it, so it is folded. A void cycle
/// carries nothing.
pub fn write_unreached(page: &mut Page, view: &View<'_>) {
    let cases: Vec<&CaseView<'_>> = view.changed(Change::NotRun).collect();
    if cases.is_empty() {
        return;
    }
    let carried = |wanted: fn(Outcome) -> bool| {
        let known = cases.iter().filter_map(|case| case.finding?.carried.as_ref());
        known.filter(|carried| wanted(carried.outcome)).count()
    };
    let (failing, good) = (carried(Outcome::is_failing), carried(|outcome| !outcome.is_failing()));
    let unknown = cases.len() - failing - good;
    let told = [(good, "passed"), (failing, "failing"), (unknown, "without a result so far")];
    let told = told.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    page.section("Not run");
    page.block(&format!(
        "None ran of {}. What was known before this cycle: {}.",
        words::count(cases.len() as u64, "planned case", "planned cases"),
        words::list(&told.collect::<Vec<_>>()),
    ));
    page.details("Each of them, with its last known result", |page| {
        not_run_table(page, view, &cases);
    });
}

fn passing(page: &mut Page, view: &View<'_>) {
    page.section("Passing");
    let passed: Vec<&CaseView<'_>> = view.with_outcome(Outcome::Passed).collect();
    if passed.is_empty() {
        page.block("No case passed.");
        return;
    }
    let mut areas: Vec<(&str, usize, usize)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for case in view.cases.iter().filter(|case| case.planned.is_some()) {
        let at = *places.entry(case.area()).or_insert_with(|| {
            areas.push((case.area(), 0, 0));
            areas.len() - 1
        });
        areas[at].1 += usize::from(case.outcome() == Some(Outcome::Passed));
        areas[at].2 += 1;
    }
    let mut told: Vec<String> = areas
        .iter()
        .take(MAX_AREAS)
        .map(|(area, passed, all)| format!("{} {passed} of {all}", escape::text(area)))
        .collect();
    if areas.len() > MAX_AREAS {
        told.push(format!("{} more areas", areas.len() - MAX_AREAS));
    }
    let cases = words::count(passed.len() as u64, "case", "cases");
    page.block(&format!("{cases}: {}.", told.join(" · ")));
    if passed.len() <= MAX_NAMED {
        named(page, &passed);
    }
}

fn named(page: &mut Page, passed: &[&CaseView<'_>]) {
    page.details("Each of them, with its duration", |page| {
        let mut by_area: Vec<(&str, Vec<String>)> = Vec::new();
        for case in passed {
            let took = case.finding.map_or(0, |finding| finding.duration_ms);
            let item = format!("{} {}", escape::code(case.id.as_str()), words::duration(took));
            match by_area.iter().position(|(area, _)| *area == case.area()) {
                Some(at) => by_area[at].1.push(item),
                None => by_area.push((case.area(), vec![item])),
            }
        }
        let items: Vec<String> = by_area
            .iter()
            .map(|(area, cases)| format!("{}: {}", escape::text(area), cases.join(" · ")))
            .collect();
        page.list(&items);
    });
}

fn flaky(page: &mut Page, view: &View<'_>) {
    let mut rows: Vec<Vec<String>> = view.with_outcome(Outcome::Flaky).map(flaky_row).collect();
    let now = rows.len();
    let history = |case: &&CaseView<'_>| {
        case.outcome() != Some(Outcome::Flaky)
            && case.finding.is_some_and(|finding| was_at_odds(view, finding))
    };
    let mut unsteady: Vec<&CaseView<'_>> = view.cases.iter().filter(history).collect();
    // Compared as fractions, without rounding: the most often flaky first.
    unsteady.sort_by(|a, b| {
        rate_of(b).0.saturating_mul(rate_of(a).1).cmp(&rate_of(a).0.saturating_mul(rate_of(b).1))
    });
    rows.extend(unsteady.into_iter().map(flaky_row));
    if rows.is_empty() {
        return;
    }
    page.section("Flaky");
    page.block(&match now {
        0 => "None in this cycle; these have a history of it.".to_owned(),
        now => format!(
            "{} passed only after a failed attempt, on one revision.",
            words::count(now as u64, "case", "cases")
        ),
    });
    let left_out = rows.len().saturating_sub(MAX_ROWS);
    rows.truncate(MAX_ROWS);
    page.table(&["case", "this cycle", "what failed first", "flaky rate"], &rows);
    page.block(&cut_note(view, left_out).unwrap_or_default());
}

/// Whether a case was at odds with itself before this cycle. Its rate counts this run, too: a failure
/// on the very revision on which it passed last is one of them, and no history.
fn was_at_odds(view: &View<'_>, finding: &CaseFinding) -> bool {
    let this = view.revision().map(|revision| &revision.sha);
    let passed_on = finding.last_good.as_ref().map(|good| &good.revision);
    let is_failing = finding.outcome.is_some_and(Outcome::is_failing);
    let now = u32::from(is_failing && passed_on.is_some() && passed_on == this);
    finding.flaky_rate.is_some_and(|rate| rate.flaky > now)
}

fn rate_of(case: &CaseView<'_>) -> (u64, u64) {
    let rate = case.finding.and_then(|finding| finding.flaky_rate);
    rate.map_or((0, 1), |rate| (u64::from(rate.flaky), u64::from(rate.of)))
}

fn flaky_row(case: &CaseView<'_>) -> Vec<String> {
    let attempts = case.finding.map_or(0, |finding| finding.attempts);
    let now = match case.outcome() {
        Some(Outcome::Flaky) => format!("passed at attempt {attempts}"),
        Some(outcome) => word(outcome).to_owned(),
        None => "–".to_owned(),
    };
    let first = case.attempts.iter().find_map(|attempt| attempt.failure.as_ref());
    let first = first.filter(|_| case.outcome() == Some(Outcome::Flaky));
    let rate = match case.finding.and_then(|finding| finding.flaky_rate) {
        Some(rate) => format!("{} of the last {} runs", rate.flaky, rate.of),
        None => "first time".to_owned(),
    };
    let message = first.map_or_else(String::new, |failure| escape::cell(&failure.message));
    vec![escape::cell_code(case.id.as_str()), now, message, rate]
}

/// The reasons why cases did not run, most frequent first, in words for people.
pub(super) fn not_run_reasons(view: &View<'_>) -> Vec<(String, usize)> {
    // Few cases differ in what they say, many in the case that blocks them; those are one reason.
    let mut reasons: Vec<(Option<&NotRunReason>, usize)> = Vec::new();
    for case in view.with_outcome(Outcome::NotRun) {
        let why = view.not_run_reason(case.id);
        match reasons.iter_mut().find(|(known, _)| is_same_kind(*known, why)) {
            Some((_, how_many)) => *how_many += 1,
            None => reasons.push((why, 1)),
        }
    }
    reasons.sort_by_key(|(_, how_many)| std::cmp::Reverse(*how_many));
    reasons.into_iter().map(|(why, how_many)| (reason_kind(why), how_many)).collect()
}

fn is_same_kind(a: Option<&NotRunReason>, b: Option<&NotRunReason>) -> bool {
    let is_blocked =
        |reason: Option<&NotRunReason>| matches!(reason, Some(NotRunReason::BlockedBy { .. }));
    let was_running = |reason: Option<&NotRunReason>| {
        matches!(reason, Some(NotRunReason::Timeout { running_ms: Some(_) }))
    };
    a == b || (is_blocked(a) && is_blocked(b)) || (was_running(a) && was_running(b))
}

fn reason_kind(reason: Option<&NotRunReason>) -> String {
    match reason {
        None => "no reason is recorded".to_owned(),
        Some(NotRunReason::BlockedBy { .. }) => "a case that it needs did not pass".to_owned(),
        Some(NotRunReason::NotSupported { what }) => {
            format!("this version does not run {}", escape::text(what))
        }
        Some(NotRunReason::Timeout { running_ms: Some(_) }) => {
            "it was running when the suite's time was over".to_owned()
        }
        Some(
            reason @ (NotRunReason::Timeout { running_ms: None }
            | NotRunReason::Cancelled
            | NotRunReason::Interrupted
            | NotRunReason::NotReached { .. }),
        ) => reason.to_string(),
        Some(reason @ NotRunReason::NotReported { .. }) => escape::text(&reason.to_string()),
    }
}

fn not_run(page: &mut Page, view: &View<'_>) {
    let mut cases: Vec<&CaseView<'_>> = view.with_outcome(Outcome::NotRun).collect();
    if cases.is_empty() {
        return;
    }
    let reasons = match not_run_reasons(view).as_slice() {
        [(why, _)] => format!(" because {why}"),
        several => {
            let told = several.iter().take(5);
            let told = told.map(|(why, n)| format!("{} because {why}", words::number(*n as u64)));
            format!(": {}", words::list(&told.collect::<Vec<_>>()))
        }
    };
    // Those that hang come first: they are why the others did not run.
    cases.sort_by_key(|case| std::cmp::Reverse(running_for(view, case)));
    page.section("Not run");
    page.block(&format!(
        "{} of {} did not run{reasons}. A carried result is of the cycle it names, not of this one.",
        cases.len(),
        view.counts().planned,
    ));
    not_run_table(page, view, &cases);
}

/// For how long a case had been running when the suite's time was over; `None` of all others.
pub(super) fn running_for(view: &View<'_>, case: &CaseView<'_>) -> Option<u64> {
    match view.not_run_reason(case.id)? {
        NotRunReason::Timeout { running_ms } => *running_ms,
        NotRunReason::Cancelled
        | NotRunReason::Interrupted
        | NotRunReason::NotReached { .. }
        | NotRunReason::NotReported { .. }
        | NotRunReason::BlockedBy { .. }
        | NotRunReason::NotSupported { .. } => None,
    }
}

fn not_run_table(page: &mut Page, view: &View<'_>, cases: &[&CaseView<'_>]) {
    let rows: Vec<Vec<String>> =
        cases.iter().take(MAX_ROWS).map(|case| not_run_row(view, case)).collect();
    page.table(&["case", "why", "carried result", "priority"], &rows);
    page.block(&cut_note(view, cases.len().saturating_sub(MAX_ROWS)).unwrap_or_default());
}

fn not_run_row(view: &View<'_>, case: &CaseView<'_>) -> Vec<String> {
    let why = match view.not_run_reason(case.id) {
        Some(NotRunReason::BlockedBy { case }) => {
            format!("blocked by {}", escape::cell_code(case.as_str()))
        }
        Some(NotRunReason::Timeout { running_ms: Some(ms) }) => {
            let ran = words::duration(*ms);
            format!("**was running for {ran}** when the suite's time was over")
        }
        other => reason_kind(other),
    };
    let carried = case.finding.and_then(|finding| finding.carried.as_ref());
    let carried = carried.map_or_else(
        || "none: it never had a result".to_owned(),
        |c| format!("{} in cycle {} ({})", word(c.outcome), c.from.cycle, short(&c.from.revision)),
    );
    let priority = case.priority().map_or_else(|| "–".to_owned(), |p| p.to_string());
    vec![escape::cell_code(case.id.as_str()), why, carried, priority]
}

/// Skipped cases stand with those that did not run: neither says anything about the service.
fn skipped(page: &mut Page, view: &View<'_>) {
    let cases: Vec<String> =
        view.with_outcome(Outcome::Skipped).map(|case| escape::code(case.id.as_str())).collect();
    if cases.is_empty() {
        return;
    }
    if view.counts().not_run == 0 {
        page.section("Not run");
    }
    let shown = &cases[..cases.len().min(MAX_ROWS)];
    let more = match cases.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {} more", words::number(more as u64)),
    };
    let many = words::count(cases.len() as u64, "case", "cases");
    page.block(&format!("{many} skipped, as the suite says: {}{more}.", shown.join(", ")));
}

fn quarantine(page: &mut Page, view: &View<'_>) {
    let held = |case: &CaseView<'_>| case.planned.is_some_and(|p| p.quarantine.is_some());
    let cases: Vec<&CaseView<'_>> = view.cases.iter().filter(|case| held(case)).collect();
    if cases.is_empty() {
        return;
    }
    page.section("Quarantine");
    page.block(
        "These run and are counted, but do not decide the verdict until their quarantine ends.",
    );
    let rows: Vec<Vec<String>> =
        cases.iter().take(MAX_ROWS).filter_map(|case| quarantine_row(case)).collect();
    page.table(&["case", "this cycle", "owner", "until", "reason"], &rows);
    page.block(&cut_note(view, cases.len().saturating_sub(MAX_ROWS)).unwrap_or_default());
}

fn quarantine_row(case: &CaseView<'_>) -> Option<Vec<String>> {
    let quarantine: &Quarantined = case.planned?.quarantine.as_ref()?;
    let until = match quarantine.expired {
        true => format!("{} **(over: decides again)**", quarantine.until),
        false => quarantine.until.to_string(),
    };
    Some(vec![
        escape::cell_code(case.id.as_str()),
        case.outcome().map_or("–", word).to_owned(),
        escape::cell(&quarantine.owner),
        until,
        escape::cell(&quarantine.reason),
    ])
}
