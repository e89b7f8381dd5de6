//! Part 3: what became of the cases since their last known results.

mod difference;

use super::page::Page;
use super::{MAX_ROWS, cut_note, short};
use crate::domain::escape;
use crate::domain::findings::Slower;
use crate::domain::outcome::{Change, Outcome};
use crate::report::view::{CaseView, View};
use crate::report::words;

/// The groups of the table, worst first. What did not run and what the suite left out have parts of
/// their own; what passed before and now is a number.
const GROUPS: [(Change, &str); 7] = [
    (Change::Regressed, "Regressed"),
    (Change::NewFailing, "New and failing"),
    (Change::ChangedFailure, "Failing for another reason"),
    (Change::StillFailing, "Still failing"),
    (Change::Fixed, "Fixed"),
    (Change::Removed, "Removed"),
    (Change::NewPassing, "New and passing"),
];

pub fn write(page: &mut Page, view: &View<'_>) {
    page.section("What changed");
    if view.is_question() {
        page.block("An older commit is compared with nothing.");
        return;
    }
    let is_first = view.findings.is_none_or(|findings| findings.baseline.is_none());
    let mut rows = Vec::new();
    for (change, title) in GROUPS {
        // In a first cycle everything that passes is new: no news.
        if !(is_first && change == Change::NewPassing) {
            group(&mut rows, view, change, title);
        }
    }
    page.table(&["case", "was → is", "since", "priority"], &rows);
    page.block(&rest(view, is_first));
    renames(page, view);
    slower(page, view);
    commits(page, view);
}

fn group(rows: &mut Vec<Vec<String>>, view: &View<'_>, change: Change, title: &str) {
    let mut cases: Vec<&CaseView<'_>> = view.changed(change).collect();
    if cases.is_empty() {
        return;
    }
    cases.sort_by_key(|case| case.priority());
    rows.push(vec![format!("**{title} ({})**", words::number(cases.len() as u64))]);
    rows.extend(cases.iter().take(MAX_ROWS).map(|case| row(view, case)));
    let left_out = cases.len().saturating_sub(MAX_ROWS);
    rows.extend(cut_note(view, left_out).map(|note| vec![note]));
}

fn row(view: &View<'_>, case: &CaseView<'_>) -> Vec<String> {
    let mut name = escape::cell_code(case.id.as_str());
    if let Some(earlier) = case.finding.and_then(|finding| finding.known_as.as_ref()) {
        name.push_str(&format!(" (was {})", escape::cell_code(earlier.as_str())));
    }
    if case.finding.is_some_and(|finding| finding.definition_changed) {
        name.push_str(" *(definition changed)*");
    }
    if case.planned.is_some_and(|planned| planned.quarantine.is_some()) {
        name.push_str(" *(quarantined)*");
    }
    let before = case.finding.and_then(|finding| finding.before).map(word);
    let now = case.outcome().map_or("no longer planned", word);
    let mut moved = format!("{} → {now}", before.unwrap_or("never seen"));
    if let Some(difference) = difference(case) {
        moved.push_str(&format!(": {difference}"));
    }
    let priority = case.priority().map_or_else(|| "–".to_owned(), |p| p.to_string());
    vec![name, moved, since(view, case), priority]
}

/// What a failure says now and what the one said whose place it took; `failed → failed` says nothing.
fn difference(case: &CaseView<'_>) -> Option<String> {
    let before = case.finding?.said_before.as_deref()?;
    let failure = case.failure()?;
    let now = failure.message.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(match (difference::between(before, now), &failure.step) {
        (Some((before, now)), _) => {
            format!("“{}” → “{}”", escape::cell(&before), escape::cell(&now))
        }
        // Of one text there are two failures when they are of two kinds or in two places.
        (None, Some(step)) => format!("the same words, now of {}", escape::cell(step)),
        (None, None) => return None,
    })
}

fn since(view: &View<'_>, case: &CaseView<'_>) -> String {
    let first = case.finding.and_then(|finding| finding.first_failing.as_ref());
    match (case.change(), first) {
        (Some(Change::Fixed), Some(first)) => {
            let since = format!("was failing since cycle {}", first.cycle);
            let same = view.fixed_by_no_commit().any(|fixed| fixed.id == case.id);
            if same { since + ", on this very revision" } else { since }
        }
        (_, Some(first)) if first.cycle == view.state.queued.cycle => "this cycle".to_owned(),
        (_, Some(first)) => format!(
            "cycle {} ({}), {}",
            first.cycle,
            short(&first.revision),
            words::count(case.finding.map_or(0, |finding| finding.age), "cycle", "cycles"),
        ),
        (_, None) => "this cycle".to_owned(),
    }
}

/// An outcome in words for people.
pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotRun => "not run",
        Outcome::Failed
        | Outcome::Errored
        | Outcome::Flaky
        | Outcome::Skipped
        | Outcome::Passed => outcome.as_str(),
    }
}

fn rest(view: &View<'_>, is_first: bool) -> String {
    let mut parts = Vec::new();
    let first = if is_first { view.changed(Change::NewPassing).count() } else { 0 };
    for (how_many, what) in [
        (first, "passed, seen for the first time"),
        (view.changed(Change::StillPassing).count(), "passed before and now"),
        (view.changed(Change::NotRun).count(), "did not run"),
        (view.changed(Change::Skipped).count(), "skipped"),
    ] {
        if how_many > 0 {
            parts.push(format!("{} {what}", words::number(how_many as u64)));
        }
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!("{}.", words::capitalised(&parts.join(", ")))
    }
}

fn renames(page: &mut Page, view: &View<'_>) {
    let renames = view.findings.map_or(&[][..], |findings| &findings.renames);
    let mut items: Vec<String> = renames
        .iter()
        .take(MAX_ROWS)
        .map(|rename| {
            let (from, to) = (escape::code(rename.from.as_str()), escape::code(rename.to.as_str()));
            let hint = escape::code(&format!("was: [{}]", rename.from));
            format!("Probably renamed: {from} → {to}. If so, write {hint} to keep its history.")
        })
        .collect();
    items.extend(cut_note(view, renames.len().saturating_sub(MAX_ROWS)));
    page.list(&items);
}

fn slower(page: &mut Page, view: &View<'_>) {
    let slow = |case: &CaseView<'_>| {
        let finding = case.finding?;
        let slower = finding.slower?;
        let excess = finding.duration_ms.saturating_sub(slower.median_ms);
        Some((excess, slower_line(case, finding.duration_ms, &slower)))
    };
    let mut found: Vec<(u64, String)> = view.cases.iter().filter_map(slow).collect();
    found.sort_by_key(|(excess, _)| std::cmp::Reverse(*excess));
    let left_out = found.len().saturating_sub(10);
    let mut items: Vec<String> = found.into_iter().take(10).map(|(_, text)| text).collect();
    items.extend(cut_note(view, left_out));
    page.list(&items);
}

/// `Slower: X took 1.9 s, the last 3 passes 1.9 s in the median; before, 0.6 s in the median of 8 passes …`.
fn slower_line(case: &CaseView<'_>, took_ms: u64, slower: &Slower) -> String {
    let took = words::duration(took_ms);
    let latest = match slower.runs {
        0 | 1 => took,
        runs => {
            format!(
                "{took}, and {} in the median of its last {runs} passes",
                words::duration(slower.now_ms)
            )
        }
    };
    let chance = slower.p().map_or_else(String::new, |p| format!(", p = {}", words::chance(p)));
    format!(
        "**Slower** than its history explains: {} took {latest}; before that {} in the median of {}, {} at most{chance}.",
        escape::code(case.id.as_str()),
        words::duration(slower.median_ms),
        words::count(slower.samples, "pass", "passes"),
        words::duration(slower.max_ms),
    )
}

/// The commits that came with this cycle, whatever the cases say of them.
fn commits(page: &mut Page, view: &View<'_>) {
    let Some(range) = view.findings.and_then(|findings| findings.commits.as_ref()) else { return };
    if range.commits.is_empty() {
        return;
    }
    let total = words::count(range.total as u64, "commit", "commits");
    page.details(&format!("{total} since the baseline"), |page| {
        let shown = range.commits.iter().take(MAX_ROWS);
        let mut items: Vec<String> = shown.map(super::failure::commit_line).collect();
        let left_out = range.total.saturating_sub(items.len());
        if left_out > 0 {
            items.push(format!("… and {} more", words::number(left_out as u64)));
        }
        page.list(&items);
    });
}
