//! `show`: one cycle, in short or as the JSON of SPEC section 7.

use std::io;

use super::args::{CycleName, ShowArgs};
use super::context::{Context, load_state, printing};
use super::error::{CliError, CliResult, Status};
use super::history::time;
use super::output::{self, Out, Table, bold, clean, dim, duration, shortened};
use crate::domain::findings::Findings;
use crate::domain::history::Counts;
use crate::domain::names::PipelineName;
use crate::domain::outcome::{Change, Outcome, PhaseOutcome};
use crate::domain::state::{CycleState, PhaseRecord};
use crate::report;
use crate::store::{CycleRow, Store, Which};

/// At most so many cases are listed; the report has all.
const MAX_CASES: usize = 40;
/// A long reason is cut here; the report has it whole.
const MAX_REASON: usize = 300;

/// `andon show`
pub async fn show(context: &Context, args: &ShowArgs) -> CliResult {
    let store = context.store().await?;
    let name = context.pipeline_name(&args.pipeline)?;
    let row = wanted(context, store.as_ref(), &name, args.cycle).await?;
    let state = load_state(store.as_ref(), &row).await?;
    let mut out = context.out();
    if args.json {
        out.json(&report::CycleJson::of(&state)).map_err(printing)?;
    } else {
        print(&mut out, &state).map_err(printing)?;
    }
    Ok(Status::Green)
}

/// The cycle of that name; without one the newest finished, or the first while it still runs.
async fn wanted(
    context: &Context,
    store: &dyn Store,
    name: &PipelineName,
    cycle: Option<CycleName>,
) -> Result<CycleRow, CliError> {
    let takes_running = match cycle {
        Some(CycleName::Number(number)) => return context.cycle(store, name, Some(number)).await,
        Some(CycleName::Finished) => false,
        Some(CycleName::Latest) => true,
        None => store.find_cycle(name, Which::LatestFinished).await?.is_none(),
    };
    if takes_running && let Some(latest) = store.find_cycle(name, Which::Latest).await? {
        return Ok(latest);
    }
    context.cycle(store, name, None).await
}

/// Prints a cycle in short.
pub fn print(out: &mut Out, state: &CycleState) -> io::Result<()> {
    let queued = &state.queued;
    let findings = state.findings.as_ref().map(|found| &found.what);
    let verdict = findings.map(|found| found.verdict);
    let title = format!("cycle {} of {}", queued.cycle, queued.pipeline);
    out.line(format!("{} {}", bold(&title), output::verdict(verdict)))?;
    let reason = findings.map(|found| found.reason.as_str());
    if let Some(reason) = reason {
        out.line(format!("  {}", clean(&shortened(reason, MAX_REASON))))?;
    }
    facts(out, state)?;
    for phase in &state.phases {
        out.line(format!(
            "  {} {}",
            dim(&format!("{:<9}", phase.phase.as_str())),
            phase_row(phase, reason)
        ))?;
    }
    match findings {
        Some(found) => cases(out, state, found),
        None => Ok(()),
    }
}

/// How a phase ended. What the verdict's reason says already is not said again.
fn phase_row(phase: &PhaseRecord, reason: Option<&str>) -> String {
    let outcome = phase.outcome.map_or("running", |outcome| outcome.as_str()).replace('_', " ");
    let took = match phase.outcome {
        None | Some(PhaseOutcome::Skipped) => String::new(),
        Some(_) => format!(" {}", dim(&duration(phase.duration_ms))),
    };
    let told = |detail: &&str| reason.is_none_or(|reason| !reason.contains(*detail));
    let detail = phase.detail.as_deref().filter(told);
    let detail = detail.map(|detail| format!(": {}", clean(&shortened(detail, MAX_REASON))));
    format!("{outcome}{took}{}", detail.unwrap_or_default())
}

fn facts(out: &mut Out, state: &CycleState) -> io::Result<()> {
    let mut row =
        |what: &str, text: &str| out.line(format!("  {} {text}", dim(&format!("{what:<9}"))));
    if let Some(resolved) = &state.resolved {
        let revision = &resolved.revision;
        let text =
            format!("{} {} ({})", revision.sha, clean(&revision.subject), clean(&revision.author));
        row("revision", &text)?;
    }
    row("trigger", &clean(&state.queued.trigger.detail))?;
    row("started", &time(Some(state.queued_at)))?;
    if let Some(held) = &state.held {
        row("held", &clean(&held.reason))?;
    }
    if let Some(report) = &state.report {
        row("report", &clean(&report.path))?;
    }
    Ok(())
}

/// The figures of a suite; those that are nothing are left out.
fn ran(counts: &Counts) -> String {
    let figures = [
        (counts.passed, "passed"),
        (counts.flaky, "flaky"),
        (counts.failing(), "failing"),
        (counts.skipped, "skipped"),
        (counts.not_run, "not run"),
    ];
    let told: Vec<String> = figures
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!("ran {} of {}: {}", counts.ran(), counts.planned, told.join(", "))
}

/// The cases that are worth a line: all that did not simply pass again.
fn cases(out: &mut Out, state: &CycleState, found: &Findings) -> io::Result<()> {
    let counts = &found.counts;
    if counts.planned > 0 {
        out.line(format!("  {} {}", dim("cases    "), ran(counts)))?;
    }
    let plain = |outcome: Option<Outcome>, change: Option<Change>| {
        matches!(
            (outcome, change),
            (Some(Outcome::Passed), None | Some(Change::StillPassing | Change::NewPassing))
        )
    };
    let told: Vec<_> =
        found.cases.iter().filter(|case| !plain(case.outcome, case.change)).collect();
    if told.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["case", "outcome", "change", "message"]).giving_way(&[3]);
    for case in told.iter().take(MAX_CASES) {
        let failure =
            state.attempts_of(&case.case).last().and_then(|attempt| attempt.failure.as_ref());
        let message =
            failure.map_or_else(String::new, |failure| clean(&shortened(&failure.message, 100)));
        table.row([
            clean(case.case.as_str()),
            case.outcome.map_or_else(|| "removed".to_owned(), output::outcome),
            case.change.map_or("–", Change::as_str).to_owned(),
            message,
        ]);
    }
    table.print(out)?;
    if told.len() > MAX_CASES {
        out.line(dim(&format!("… and {} more: see the report", told.len() - MAX_CASES)))?;
    }
    Ok(())
}
