//! `list`, `cycles`, `case`: what the ledger knows, as tables or JSON.

use serde_json::json;

use super::args::{CaseArgs, CyclesArgs, ListArgs};
use super::context::{Context, printing};
use super::error::{CliError, CliResult, Status};
use super::output::{self, Table, clean, shortened};
use super::suggest;
use crate::domain::history::Counts;
use crate::domain::names::{CaseId, PipelineName};
use crate::domain::revision::Revision;
use crate::store::{CycleRow, Store, definitions_of};
use crate::web::forms::{CaseRowForm, CycleRowForm};

/// `andon list`
pub async fn list(context: &Context, args: &ListArgs) -> CliResult {
    let store = context.store().await?;
    let pipelines = store.list_pipelines().await?;
    let mut out = context.out();
    if args.json {
        let rows: Vec<_> = pipelines
            .iter()
            .map(|row| {
                json!({
                    "pipeline": row.pipeline,
                    "cycles": row.cycles,
                    "latest": row.latest.as_ref().map(CycleRowForm::from),
                })
            })
            .collect();
        out.json(&rows).map_err(printing)?;
        return Ok(Status::Green);
    }
    if pipelines.is_empty() {
        context.note("no pipeline has cycles yet");
        return Ok(Status::Green);
    }
    let mut table = Table::new(&["pipeline", "cycle", "verdict", "ran", "revision", "decided"])
        .giving_way(&[4]);
    for row in &pipelines {
        let Some(latest) = &row.latest else { continue };
        table.row([
            row.pipeline.to_string(),
            latest.summary.cycle.to_string(),
            verdict_cell(latest),
            ran(&latest.summary.counts),
            revision(latest.summary.revision.as_ref()),
            time(latest.summary.decided_at),
        ]);
    }
    table.print(&mut out).map_err(printing)?;
    Ok(Status::Green)
}

/// `andon cycles`
pub async fn cycles(context: &Context, args: &CyclesArgs) -> CliResult {
    let name = context.pipeline_name(&args.pipeline)?;
    let store = context.store().await?;
    let rows = store.list_cycles(&name, args.limit).await?;
    if rows.is_empty() {
        context.known(store.as_ref(), &name).await?;
    }
    let mut out = context.out();
    if args.json {
        let rows: Vec<CycleRowForm> = rows.iter().map(CycleRowForm::from).collect();
        out.json(&rows).map_err(printing)?;
        return Ok(Status::Green);
    }
    let mut table =
        Table::new(&["cycle", "verdict", "ran", "failing", "revision", "trigger", "started"])
            .giving_way(&[4, 5]);
    for row in &rows {
        table.row([
            row.summary.cycle.to_string(),
            verdict_cell(row),
            ran(&row.summary.counts),
            row.summary.counts.failing().to_string(),
            revision(row.summary.revision.as_ref()),
            clean(&row.summary.trigger),
            time(Some(row.summary.started_at)),
        ]);
    }
    table.print(&mut out).map_err(printing)?;
    Ok(Status::Green)
}

/// `andon case`
pub async fn case(context: &Context, args: &CaseArgs) -> CliResult {
    let name = context.pipeline_name(&args.pipeline)?;
    let id = CaseId::parse(&args.case).map_err(CliError::usage)?;
    let store = context.store().await?;
    let rows = store.case_history(&name, &id, args.limit).await?;
    if rows.is_empty() {
        return Err(no_such_case(context, store.as_ref(), &name, &args.case).await?);
    }
    let definitions = definitions_of(store.as_ref(), &name, &id, &rows).await?;
    let mut out = context.out();
    if args.json {
        let cycles = CaseRowForm::list(&rows, &definitions);
        let value = json!({ "pipeline": name, "case": id, "cycles": cycles });
        out.json(&value).map_err(printing)?;
        return Ok(Status::Green);
    }
    let mut table =
        Table::new(&["cycle", "outcome", "change", "took", "attempts", "revision", "fingerprint"])
            .giving_way(&[5]);
    for row in &rows {
        let result = &row.result;
        table.row([
            row.cycle.to_string(),
            result.outcome.map_or_else(|| "removed".to_owned(), output::outcome),
            match (row.asked_by_search_of, result.change) {
                (Some(of), _) => format!("search of {of}"),
                (None, Some(change)) => change.as_str().to_owned(),
                (None, None) => "–".to_owned(),
            } + match definitions.changed_in(row.cycle) {
                Some(true) => ", definition changed",
                Some(false) | None => "",
            },
            output::duration(result.duration_ms),
            result.attempts.to_string(),
            revision(row.revision.as_ref()),
            result.fingerprint.as_ref().map_or_else(String::new, ToString::to_string),
        ]);
    }
    table.print(&mut out).map_err(printing)?;
    Ok(Status::Green)
}

async fn no_such_case(
    context: &Context,
    store: &dyn Store,
    name: &PipelineName,
    given: &str,
) -> Result<CliError, CliError> {
    let newest = context.cycle(store, name, None).await?;
    let known = store.case_results(&newest.key()).await?;
    let ids: Vec<&str> = known.iter().map(|row| row.case.as_str()).collect();
    let error = CliError::usage_text(format_args!("pipeline {name} has no case {given}"));
    Ok(error.hint(match suggest::question(given, &ids) {
        Some(question) => question,
        None if ids.is_empty() => {
            "none ran in its newest cycle; a case is known once it ran".to_owned()
        }
        None => format!("the report of its newest cycle lists them: `andon report {name}`"),
    }))
}

/// The verdict, or what a cycle without one is doing.
pub fn verdict_cell(row: &CycleRow) -> String {
    match (row.summary.verdict, row.held) {
        (_, true) => output::bold("held"),
        (None, false) => row.phase.as_str().to_owned(),
        (verdict, false) => output::verdict(verdict),
    }
}

fn ran(counts: &Counts) -> String {
    if counts.planned == 0 {
        "–".to_owned()
    } else {
        format!("{} of {}", counts.ran(), counts.planned)
    }
}

fn revision(revision: Option<&Revision>) -> String {
    revision.map_or_else(
        || "–".to_owned(),
        |r| format!("{} {}", r.sha.short(), clean(&shortened(&r.subject, 40))),
    )
}

/// An instant for people, in UTC.
pub fn time(at: Option<jiff::Timestamp>) -> String {
    at.map_or_else(
        || "–".to_owned(),
        |at| {
            jiff::fmt::strtime::format("%Y-%m-%d %H:%M UTC", at).unwrap_or_else(|_| at.to_string())
        },
    )
}
