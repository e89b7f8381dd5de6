//! Part 10: how the revision got there, step by step, and when each surface began to serve it.

use super::page::Page;
use super::{MAX_ROWS, headline, served, short};
use crate::domain::escape::{self, Keep};
use crate::domain::event::{ControlKind, Moment, StepEnded, SurfaceReading, SurfacesRead};
use crate::domain::evidence::Excerpt;
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::domain::state::{PhaseRecord, Stamped, StepRecord};
use crate::report::view::View;
use crate::report::words;

pub fn write(page: &mut Page, view: &View<'_>) {
    page.section("Deploy and readiness");
    let mut rows: Vec<Vec<String>> = Vec::new();
    for record in view.phases() {
        rows.push(phase_row(record));
        match record.phase {
            Phase::Deploy => rows.extend(view.state.steps.iter().take(MAX_ROWS).map(step_row)),
            Phase::Ready => rows.extend(surface_rows(&view.state.surfaces)),
            Phase::Rollback => rows.extend(rollback_rows(view)),
            Phase::Queued
            | Phase::Checkout
            | Phase::Suite
            | Phase::Diff
            | Phase::Report
            | Phase::Notify
            | Phase::Finished => {}
        }
    }
    if rows.is_empty() {
        page.block("The cycle ended before its first phase.");
    }
    page.table(&["step", "took", ""], &rows);
    let left_out = view.state.all_steps().count().saturating_sub(MAX_ROWS);
    if left_out > 0 {
        page.block(&format!("… and {left_out} more attempts of deploy steps"));
    }
    checks(page, view);
    outputs(page, view);
    decisions(page, view);
}

fn phase_row(record: &PhaseRecord) -> Vec<String> {
    let what = match (record.outcome, &record.detail) {
        (None, _) => "not over".to_owned(),
        (Some(PhaseOutcome::Passed), Some(detail)) => escape::cell(detail),
        (Some(PhaseOutcome::Passed), None) => String::new(),
        (Some(outcome), Some(detail)) => format!("**{}**: {}", say(outcome), escape::cell(detail)),
        (Some(outcome), None) => format!("**{}**", say(outcome)),
    };
    vec![format!("**{}**", record.phase), words::duration(record.duration_ms), what]
}

fn say(outcome: PhaseOutcome) -> String {
    outcome.as_str().replace('_', " ")
}

fn step_row(step: &StepRecord) -> Vec<String> {
    let mut name = escape::cell(&step.started.name);
    if step.started.attempt > 1 {
        name.push_str(&format!(" (attempt {})", step.started.attempt));
    }
    match &step.ended {
        None => vec![name, "–".to_owned(), "**nobody saw its end**".to_owned()],
        Some(ended) => {
            let detail = escape::cell(&ended.detail);
            let what = match ended.outcome {
                PhaseOutcome::Passed => detail,
                PhaseOutcome::Skipped
                | PhaseOutcome::Failed
                | PhaseOutcome::TimedOut
                | PhaseOutcome::Cancelled
                | PhaseOutcome::Interrupted
                | PhaseOutcome::Errored => format!("**{}**: {detail}", say(ended.outcome)),
            };
            let took = took(ended).map_or_else(|| "–".to_owned(), words::duration);
            vec![name, took, what]
        }
    }
}

/// How long a step took; `None` where nobody saw its end.
pub(super) fn took(ended: &StepEnded) -> Option<u64> {
    let is_unknown = ended.outcome == PhaseOutcome::Interrupted && ended.duration_ms == 0;
    (!is_unknown).then_some(ended.duration_ms)
}

fn failed(step: &StepRecord) -> bool {
    step.ended.as_ref().is_some_and(|ended| !ended.outcome.went_well())
}

/// What the steps that failed left behind. What the headline shows in full is not shown twice.
fn outputs(page: &mut Page, view: &View<'_>) {
    let on_top = headline::failed_output(view);
    let mut said = false;
    let steps = view.state.all_steps().map(|(_, step)| step);
    for step in steps.filter(|step| failed(step)).take(5) {
        let of_step = step.ended.as_ref().and_then(|ended| ended.output.as_ref());
        let is_shown = of_step.is_some_and(|output| {
            Some(output.text.as_str()) == on_top
                && output.text.trim_end().lines().count() <= headline::OUTPUT_LINES
        });
        if !is_shown {
            output(page, step);
        } else if !said {
            said = true;
            let name = escape::text(&step.started.name);
            let what = if step.started.is_request() { "answer to" } else { "output of" };
            page.block(&format!("The {what} “{name}” stands at the top."));
        }
    }
}

fn output(page: &mut Page, step: &StepRecord) {
    let of_step = step.ended.as_ref().and_then(|ended| ended.output.as_ref());
    match of_step.filter(|output| !output.text.trim().is_empty()) {
        Some(output) => {
            let name = escape::text(&step.started.name);
            let what = if step.started.is_request() {
                "The answer to"
            } else {
                "The end of the output of"
            };
            page.block(&format!("{what} “{name}”{}:", kept(output)));
            page.block(&escape::fenced(&output.text, "text", Keep::Last, 40));
        }
        // Why no answer came, or an empty one, the table says.
        None if step.started.is_request() => {}
        None => {
            let name = escape::text(&step.started.name);
            let is_unknown =
                step.ended.as_ref().is_some_and(|e| e.outcome == PhaseOutcome::Interrupted);
            page.block(&match is_unknown {
                true => {
                    format!("Nothing that “{name}” wrote was recorded before its end was lost.")
                }
                false => format!("“{name}” left no output."),
            });
        }
    }
}

fn kept(output: &Excerpt) -> String {
    if output.cut { format!(" ({} in all)", words::bytes(output.bytes)) } else { String::new() }
}

/// Where the way back led, by which steps, and what the surfaces said at its end.
fn rollback_rows(view: &View<'_>) -> Vec<Vec<String>> {
    let Some(back) = &view.state.rollback else { return Vec::new() };
    let revision = &back.planned.revision;
    let to = format!("to {} {}", short(&revision.sha), escape::cell(&revision.subject));
    let green = format!("green in cycle {}", back.planned.cycle);
    let mut rows = vec![vec![to, "–".to_owned(), green]];
    rows.extend(back.steps.iter().take(MAX_ROWS).map(step_row));
    rows.extend(surface_rows(&back.surfaces));
    rows
}

/// The last reading of each surface before the suite.
fn surface_rows(reads: &[Stamped<SurfacesRead>]) -> Vec<Vec<String>> {
    let before = reads.iter().rev().find(|read| read.what.moment == Moment::Before);
    before.map_or_else(Vec::new, |read| {
        read.what.surfaces.iter().take(MAX_ROWS).map(reading_row).collect()
    })
}

fn reading_row(reading: &SurfaceReading) -> Vec<String> {
    let name = format!("*{}*", escape::cell(&reading.surface));
    let reads = words::count(reading.reads, "read", "reads");
    match (&reading.served, reading.after_ms) {
        (Some(said), Some(after)) if reading.matches != Some(false) => vec![
            format!("{name} serves {}", served_cell(said)),
            format!("after {}", words::duration(after)),
            reads,
        ],
        (Some(said), _) => {
            let verdict =
                if reading.matches == Some(false) { "**not the wanted revision**, " } else { "" };
            vec![
                format!("{name} serves {}", served_cell(said)),
                "–".to_owned(),
                format!("{verdict}{reads}"),
            ]
        }
        (None, _) => {
            let error = reading.error.as_deref().unwrap_or("it said nothing");
            vec![name, "–".to_owned(), format!("**unknown**: {}, {reads}", escape::cell(error))]
        }
    }
}

fn served_cell(said: &str) -> String {
    if said.contains(['|', '`', '\\']) { escape::cell_code(said) } else { served(said) }
}

/// Readiness checks, as they stood when they were last asked before the suite.
fn checks(page: &mut Page, view: &View<'_>) {
    let reads = view.state.controls.iter().rev().map(|stamped| &stamped.what);
    let mut before =
        reads.filter(|read| read.of == ControlKind::Check && read.moment == Moment::Before);
    let Some(read) = before.next() else { return };
    let items: Vec<String> = read
        .readings
        .iter()
        .take(MAX_ROWS)
        .map(|reading| match &reading.failure {
            None => format!("Check {} held", escape::text(&reading.name)),
            Some(failure) => {
                format!(
                    "Check {} **did not hold**: {}",
                    escape::text(&reading.name),
                    escape::text(failure)
                )
            }
        })
        .collect();
    page.list(&items);
}

/// What people decided about a cycle that waited for them.
fn decisions(page: &mut Page, view: &View<'_>) {
    let mut items = Vec::new();
    let state = view.state;
    let held = state.decisions.iter().map(|decision| &decision.held).chain(&state.held);
    let mut resumed =
        state.decisions.iter().map(|decision| &decision.resumed).chain(&state.resumed);
    for held in held {
        items.push(format!("Held until a person decided: {}", escape::text(&held.reason)));
        if let Some(resumed) = resumed.next() {
            let by = escape::text(&resumed.by);
            items.push(format!("Resumed as “{}” by {by}", resumed.decision));
        }
    }
    page.list(&items);
}
