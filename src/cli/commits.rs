//! `commits`: was my commit tested? Every commit ever seen, and what became of it.

use super::args::CommitsArgs;
use super::context::{Context, printing};
use super::error::{CliResult, Status};
use super::history::{shortened, time};
use super::output::{self, Table, clean};
use crate::domain::outcome::Verdict;
use crate::store::CommitFate;

/// `andon commits`
pub async fn commits(context: &Context, args: &CommitsArgs) -> CliResult {
    let name = context.pipeline_name(&args.pipeline)?;
    let store = context.store().await?;
    let rows = store.list_commits(&name, args.limit).await?;
    let mut out = context.out();
    if args.json {
        out.json(&rows).map_err(printing)?;
        return Ok(Status::Green);
    }
    if rows.is_empty() {
        context.note(&format!(
            "no commit of {name} was seen yet; `andon daemon` watches, and those before it came are not news"
        ));
        return Ok(Status::Green);
    }
    let mut table = Table::new(&["commit", "branch", "what became of it", "subject", "seen"]);
    for row in &rows {
        table.row([
            row.sha.short().to_owned(),
            clean(&shortened(&row.branch, 30)),
            fate(&row.fate),
            clean(&shortened(&row.subject, 50)),
            time(Some(row.seen_at)),
        ]);
    }
    table.print(&mut out).map_err(printing)?;
    Ok(Status::Green)
}

fn fate(fate: &CommitFate) -> String {
    let of_cycle = |verdict: &Option<Verdict>| output::verdict(*verdict);
    match fate {
        CommitFate::Waiting => "waiting".to_owned(),
        CommitFate::Tested { cycle, verdict } => format!("cycle {cycle} {}", of_cycle(verdict)),
        CommitFate::TakenTogether { cycle, verdict } => {
            format!("taken together, cycle {cycle} {}", of_cycle(verdict))
        }
        CommitFate::Skipped { rule } => format!("skipped: {}", clean(&shortened(rule, 40))),
        CommitFate::Dropped { why } => format!("dropped: {}", clean(&shortened(why, 40))),
    }
}
