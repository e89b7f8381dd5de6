//! Part 2: this run and the baseline side by side.

use super::page::Page;
use super::short;
use crate::domain::escape;
use crate::domain::history::{Counts, CycleSummary};
use crate::domain::outcome::{Phase, Verdict};
use crate::domain::revision::Revision;
use crate::report::view::View;
use crate::report::words;

/// The rows that hold results.
const RESULTS: [&str; 3] = ["Passed", "Failing (failed · errored)", "Flaky · skipped"];

pub fn write(page: &mut Page, view: &View<'_>) {
    page.section("Summary");
    let baseline = view.findings.and_then(|findings| findings.baseline.as_ref());
    let now = format!("cycle {} (this run)", view.state.queued.cycle);
    match baseline {
        Some(before) => {
            let then = format!("cycle {} (baseline)", before.cycle);
            page.table(&["", &then, &now, "change"], &compared(view, before));
        }
        None => {
            let rows: Vec<Vec<String>> = alone(view)
                .into_iter()
                .map(|(label, value)| vec![label.to_owned(), value])
                .collect();
            page.table(&["", &now], &rows);
        }
    }
    page.block(&closing(view, baseline));
}

/// The rows of this run.
fn alone(view: &View<'_>) -> Vec<(&'static str, String)> {
    let queued = &view.state.queued;
    let trigger = format!("{}: {}", queued.trigger.kind, escape::cell(&queued.trigger.detail));
    let started = words::instant(view.started_at());
    let mut rows = vec![
        ("Started", started),
        ("Verdict decided", view.decided_at().map_or_else(dash, words::instant)),
        ("Trigger", trigger),
        ("Revision", view.revision().map_or_else(|| "not resolved".to_owned(), revision)),
        ("Taken together", taken_together(view)),
    ];
    rows.extend(figures(view.suite_digest(), &view.counts(), suite_ms(view)));
    // What is credited to no revision stands in no column of results.
    if view.verdict().is_some_and(|verdict| !verdict.has_valid_suite()) {
        for (label, value) in &mut rows {
            if RESULTS.contains(label) {
                "not credited".clone_into(value);
            }
        }
    }
    rows
}

fn compared(view: &View<'_>, before: &CycleSummary) -> Vec<Vec<String>> {
    let digest = before.suite_digest.as_deref();
    let mut then = vec![
        words::instant(before.started_at),
        before.decided_at.map_or_else(dash, words::instant),
        escape::cell(&before.trigger),
        before.revision.as_ref().map_or_else(dash, revision),
        dash(),
    ];
    then.extend(
        figures(digest, &before.counts, before.suite_ms).into_iter().map(|(_, value)| value),
    );
    let changes = changes(view, before);
    alone(view)
        .into_iter()
        .zip(then)
        .zip(changes)
        .map(|(((label, now), then), change)| vec![label.to_owned(), then, now, change])
        .collect()
}

/// The figures of a run: the same rows for both columns.
fn figures(
    digest: Option<&str>,
    counts: &Counts,
    suite_ms: Option<u64>,
) -> Vec<(&'static str, String)> {
    vec![
        ("Suite digest", digest.map_or_else(dash, escape::cell_code)),
        ("Planned", counts.planned.to_string()),
        ("Completed", format!("{} of {}", counts.ran(), counts.planned)),
        (RESULTS[0], counts.passed.to_string()),
        (RESULTS[1], failing(counts)),
        ("Not run", counts.not_run.to_string()),
        (RESULTS[2], format!("{} · {}", counts.flaky, counts.skipped)),
        ("Suite took", suite_ms.map_or_else(dash, words::duration)),
    ]
}

fn failing(counts: &Counts) -> String {
    match counts.failing() {
        0 => "0".to_owned(),
        failing => format!("{failing} ({} · {})", counts.failed, counts.errored),
    }
}

fn changes(view: &View<'_>, before: &CycleSummary) -> Vec<String> {
    let (now, then) = (view.counts(), &before.counts);
    let same_suite = before.suite_digest.as_deref() == view.suite_digest();
    // Figures that are credited to nobody have not moved either.
    let delta = |then: u32, now: u32| match view.is_valid() {
        true => words::delta(then, now),
        false => String::new(),
    };
    vec![
        String::new(),
        String::new(),
        String::new(),
        moved(view, before),
        String::new(),
        if same_suite { "unchanged" } else { "**changed**" }.to_owned(),
        delta(then.planned, now.planned),
        delta(then.ran(), now.ran()),
        delta(then.passed, now.passed),
        delta(then.failing(), now.failing()),
        delta(then.not_run, now.not_run),
        String::new(),
        slower(before.suite_ms, suite_ms(view)),
    ]
}

fn moved(view: &View<'_>, before: &CycleSummary) -> String {
    let same = before.revision.as_ref().zip(view.revision()).is_some_and(|(a, b)| a.sha == b.sha);
    if same {
        return "same revision".to_owned();
    }
    let commits = view.findings.and_then(|findings| findings.commits.as_ref());
    commits.map_or_else(String::new, |range| words::count(range.total as u64, "commit", "commits"))
}

fn slower(before: Option<u64>, now: Option<u64>) -> String {
    let (Some(before), Some(now)) = (before, now) else { return String::new() };
    // Less than a second is no change that anybody could act on.
    match now.abs_diff(before) {
        0..1_000 => String::new(),
        longer if now > before => format!("+{}", words::duration(longer)),
        shorter => format!("−{}", words::duration(shorter)),
    }
}

fn suite_ms(view: &View<'_>) -> Option<u64> {
    view.state.phase_record(Phase::Suite)?;
    view.state.suite_ended.as_ref().map(|ended| ended.duration_ms)
}

fn revision(revision: &Revision) -> String {
    let (subject, author) = (escape::cell(&revision.subject), escape::cell(&revision.author));
    format!("{} {subject} ({author})", short(&revision.sha))
}

fn taken_together(view: &View<'_>) -> String {
    const SHOWN: usize = 8;
    let all = &view.state.queued.taken_together;
    if all.is_empty() {
        return dash();
    }
    let mut shown: Vec<String> = all.iter().take(SHOWN).map(short).collect();
    if all.len() > SHOWN {
        shown.push(format!("{} more", all.len() - SHOWN));
    }
    shown.join(", ")
}

fn closing(view: &View<'_>, baseline: Option<&CycleSummary>) -> String {
    let mut sentences = Vec::new();
    if view.is_valid() && view.counts().planned > 0 {
        sentences.push(rate(view, baseline));
    }
    sentences.extend(baseline_policy(view, baseline));
    sentences.join(" ")
}

/// A rate is out of the planned cases, and what did not run stands beside it.
fn rate(view: &View<'_>, baseline: Option<&CycleSummary>) -> String {
    let of = |counts: &Counts| {
        let good = counts.passed + counts.flaky;
        let rate = words::percent(good, counts.planned);
        format!("{rate} of {} planned, ran {} of {}", counts.planned, counts.ran(), counts.planned)
    };
    let then = baseline.map_or(String::new(), |b| format!(" (was {})", of(&b.counts)));
    format!("Passing: {}{then}.", of(&view.counts()))
}

fn baseline_policy(view: &View<'_>, baseline: Option<&CycleSummary>) -> Option<String> {
    if !view.is_valid() {
        return None;
    }
    let Some(baseline) = baseline else {
        if view.is_question() {
            return None;
        }
        return Some(
            "No baseline: no earlier cycle of this pipeline has a valid suite.".to_owned(),
        );
    };
    let chain = view.findings.map_or(&[][..], |findings| &findings.chain);
    let passed_over: Vec<String> = chain
        .iter()
        .filter(|cycle| cycle.cycle > baseline.cycle)
        .map(|cycle| {
            format!(
                "cycle {} was {}",
                cycle.cycle,
                cycle.verdict.map_or("not over", Verdict::as_str)
            )
        })
        .collect();
    let why = match passed_over.len() {
        0 => return None,
        1..=5 => words::list(&passed_over),
        more => format!("{more} later ones have none"),
    };
    Some(format!("Baseline: cycle {}, the latest with a valid suite; {why}.", baseline.cycle))
}

fn dash() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_duration_is_the_difference_of_what_was_measured() {
        assert_eq!(slower(Some(152), Some(2_900)), "+2.7 s");
        assert_eq!(slower(Some(2_900), Some(195)), "−2.7 s");
        assert_eq!(slower(Some(990), Some(1_010)), "");
        assert_eq!(slower(None, Some(1_010)), "");
    }
}
