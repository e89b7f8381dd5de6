//! `commits`: was my commit tested? Every commit ever seen or tested, and what became of it.

use super::args::CommitsArgs;
use super::context::{Context, printing};
use super::error::{CliResult, Status};
use super::history::time;
use super::output::{self, Table, clean, shortened};
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
            "no commit of {name} was seen or tested yet; `andon daemon` watches, and those before it came are not news"
        ));
        return Ok(Status::Green);
    }
    let mut table = Table::new(&["commit", "branch", "what became of it", "subject", "seen"])
        .giving_way(&[1, 2, 3]);
    for row in &rows {
        table.row([
            row.sha.short().to_owned(),
            if row.branch.is_empty() {
                "–".to_owned()
            } else {
                clean(&shortened(&row.branch, 30))
            },
            fate(&row.fate),
            clean(&shortened(&row.subject, 50)),
            time(Some(row.seen_at)),
        ]);
    }
    table.print(&mut out).map_err(printing)?;
    Ok(Status::Green)
}

fn fate(fate: &CommitFate) -> String {
    match fate {
        CommitFate::Waiting => "waiting".to_owned(),
        CommitFate::Tested { cycle, verdict, held } => of_cycle(*cycle, *verdict, *held),
        CommitFate::TakenTogether { cycle, verdict, held } => {
            format!("taken together, {}", of_cycle(*cycle, *verdict, *held))
        }
        CommitFate::Skipped { rule } => format!("skipped: {}", clean(&shortened(rule, 40))),
        CommitFate::Dropped { why } => format!("dropped: {}", clean(&shortened(why, 40))),
    }
}

/// How a cycle stands: one that waits for a person runs not.
fn of_cycle(cycle: u32, verdict: Option<Verdict>, held: bool) -> String {
    match (verdict, held) {
        (None, true) => format!("cycle {cycle} held"),
        (Some(_), true) => format!("cycle {cycle} {}, held", output::verdict(verdict)),
        (_, false) => format!("cycle {cycle} {}", output::verdict(verdict)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_that_waits_for_a_person_does_not_run() {
        assert_eq!(of_cycle(3, None, true), "cycle 3 held");
        let red = of_cycle(3, Some(Verdict::Red), true);
        assert!(red.contains("red") && red.ends_with(", held"), "{red}");
        assert!(of_cycle(3, None, false).contains("running"));
    }
}
