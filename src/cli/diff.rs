//! `diff`: what became of each case between two cycles.

use serde_json::json;

use super::args::{Against, DiffArgs};
use super::context::{Context, load_state, printing};
use super::error::{CliError, CliResult, Status};
use super::output::{self, Table, bold, clean};
use crate::diff::{CaseRow, Difference, between};
use crate::domain::outcome::Change;
use crate::store::{Baseline, CycleRow, Store};
use crate::web::forms::CycleRowForm;

/// `andon diff`
pub async fn diff(context: &Context, args: &DiffArgs) -> CliResult {
    let store = context.store().await?;
    let (a, b) = two_cycles(context, store.as_ref(), args).await?;
    let differences = between(&rows(store.as_ref(), &a).await?, &rows(store.as_ref(), &b).await?);
    let mut out = context.out();
    if args.json {
        out.json(&to_json(&a, &b, &differences)).map_err(printing)?;
    } else {
        out.line(bold(&format!(
            "cycle {} → cycle {} of {}",
            a.summary.cycle, b.summary.cycle, b.pipeline
        )))
        .map_err(printing)?;
        out.line(format!("  {}", summary(&differences))).map_err(printing)?;
        table(&differences).print(&mut out).map_err(printing)?;
    }
    let regressed = differences.iter().any(|found| found.change == Change::Regressed);
    Ok(if regressed { Status::NotGreen } else { Status::Green })
}

/// The two cycles: both as given, or the newest (or the one given) and its baseline.
async fn two_cycles(
    context: &Context,
    store: &dyn Store,
    args: &DiffArgs,
) -> Result<(CycleRow, CycleRow), CliError> {
    let name = context.pipeline_name(&args.pipeline)?;
    if let (Some(a), Some(b)) = (args.a, args.b) {
        let a = context.cycle(store, &name, Some(a)).await?;
        let b = context.cycle(store, &name, Some(b)).await?;
        return Ok((a, b));
    }
    let later = context.cycle(store, &name, args.a).await?;
    let wanted = match args.against {
        Some(Against::Green) => Baseline::Green,
        None => Baseline::Valid,
    };
    let before = later.summary.cycle;
    let found = store.find_baseline(&later.pipeline, &later.environment, before, wanted).await?;
    let Some(baseline) = found else {
        let what =
            if wanted == Baseline::Green { "green cycle" } else { "cycle with a valid suite" };
        return Err(CliError::usage_text(format_args!(
            "there is no {what} before {}",
            later.key()
        ))
        .hint("name two cycles: `andon diff PIPELINE A B`"));
    };
    Ok((baseline, later))
}

async fn rows(store: &dyn Store, row: &CycleRow) -> Result<Vec<CaseRow>, CliError> {
    let state = load_state(store, row).await?;
    let Some(findings) = state.findings else {
        let text = format!("{} has not been compared yet", row.key());
        return Err(
            CliError::usage_text(text).hint("a cycle has results once its verdict is decided")
        );
    };
    if findings.what.counts.ran() > 0 {
        return Ok(findings.what.cases.iter().filter_map(CaseRow::of).collect());
    }
    let text = format!("{} has no results: it ended {}", row.key(), findings.what.verdict);
    let error = CliError::usage_text(text);
    let (cycle, environment) = (row.summary.cycle, &row.environment);
    let earlier = store.find_baseline(&row.pipeline, environment, cycle, Baseline::Valid).await?;
    Err(match earlier {
        Some(earlier) => error.hint(format!(
            "the last before it that has some: `andon diff {} {}`",
            row.pipeline, earlier.summary.cycle
        )),
        None => error,
    })
}

/// How many cases changed in which way, worst first.
fn summary(differences: &[Difference]) -> String {
    let count = |change: Change| differences.iter().filter(|d| d.change == change).count();
    let told: Vec<String> = Change::ALL
        .iter()
        .map(|change| (count(*change), change.as_str().replace('_', " ")))
        .filter(|(count, _)| *count > 0)
        .map(|(count, change)| format!("{count} {change}"))
        .collect();
    if told.is_empty() { "no cases".to_owned() } else { told.join(", ") }
}

fn table(differences: &[Difference]) -> Table {
    let mut table = Table::default();
    for change in Change::ALL.iter().filter(|change| **change != Change::StillPassing) {
        for found in differences.iter().filter(|d| d.change == *change) {
            table.head(&["change", "case", "was", "is"]);
            table.row([
                change.as_str().to_owned(),
                clean(found.case.as_str()),
                found.before.map_or_else(|| "–".to_owned(), output::outcome),
                found.now.map_or_else(|| "–".to_owned(), output::outcome),
            ]);
        }
    }
    table
}

fn to_json(a: &CycleRow, b: &CycleRow, differences: &[Difference]) -> serde_json::Value {
    let ids = |change: Change| -> Vec<&str> {
        differences.iter().filter(|d| d.change == change).map(|d| d.case.as_str()).collect()
    };
    let changes: serde_json::Map<String, serde_json::Value> = Change::ALL
        .iter()
        .map(|change| (change.as_str().to_owned(), json!(ids(*change))))
        .collect();
    let cases: Vec<_> = differences
        .iter()
        .map(|d| json!({ "id": d.case, "change": d.change, "was": d.before, "is": d.now }))
        .collect();
    json!({
        "pipeline": b.pipeline,
        "a": CycleRowForm::from(a),
        "b": CycleRowForm::from(b),
        "changes": changes,
        "cases": cases,
    })
}
