//! `prune`: cycles beyond the limits expire now, or are told.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::args::PruneArgs;
use super::context::{Context, printing};
use super::error::{CliError, CliResult, Fault, Status};
use super::output::{counted, size};
use crate::daemon::is_served;
use crate::domain::retention::Limits;
use crate::engine::{Clock as _, SystemClock};
use crate::retention::{Pace, Plan};
use crate::store::sqlite::Mode;
use crate::upkeep::{Pruner, UpkeepError, size_of};

/// A cycle that expires, as it is printed.
#[derive(Debug, Serialize)]
struct Expired<'a> {
    pipeline: &'a str,
    cycle: u32,
    rule: &'static str,
    bytes: Option<u64>,
}

/// `andon prune`
pub async fn prune(context: &Context, args: &PruneArgs) -> CliResult {
    let limits = context.settings.daemon.retention;
    context.must_be_there()?;
    let store = context.store_on_full_disk(Mode::ReadWrite).await?;
    let pruner = Pruner {
        store: std::sync::Arc::clone(&store),
        paths: context.paths(),
        pace: Pace::AtOnce,
        stop: context.host.cancel.clone(),
    };
    let before = size_of(&context.settings.state);
    let now = SystemClock.now();
    let mut done = carry_out(context, args, &pruner, now).await;
    // What makes room needs a little of it first.
    if done.as_ref().is_err_and(UpkeepError::is_lack_of_room) && context.give_up_ballast() {
        done = carry_out(context, args, &pruner, now).await;
    }
    store.close().await;
    let plan = done?;
    let freed = before.saturating_sub(size_of(&context.settings.state));
    tell(context, args, &limits, &plan, freed)?;
    if context.host.cancel.is_cancelled() {
        context.note("ended before its end: `andon prune` goes on there");
        return Ok(Status::Cancelled);
    }
    Ok(Status::Green)
}

async fn carry_out(
    context: &Context,
    args: &PruneArgs,
    pruner: &Pruner,
    now: jiff::Timestamp,
) -> Result<Plan, UpkeepError> {
    let limits = &context.settings.daemon.retention;
    if args.dry_run {
        pruner.plan(limits, now).await
    } else {
        prune_now(context, pruner, limits, now).await
    }
}

async fn prune_now(
    context: &Context,
    pruner: &Pruner,
    limits: &Limits,
    now: jiff::Timestamp,
) -> Result<Plan, UpkeepError> {
    let pruned = pruner.prune(limits, now).await?;
    // A file of an earlier version gives space back only when it is written anew, which nobody should
    // have to wait for.
    if pruned.unused_pages > 0 && !is_served(&context.settings.state) {
        match pruner.store.compact().await {
            // It is written anew beside itself. What expired is gone all the same.
            Err(fault) if fault.is_lack_of_room() => {
                context.note(
                    "the database stays as large as it is: the disk has no room to write it anew",
                );
            }
            done => done?,
        }
    }
    Ok(pruned.plan)
}

fn tell(
    context: &Context,
    args: &PruneArgs,
    limits: &Limits,
    plan: &Plan,
    freed: u64,
) -> Result<(), CliError> {
    let mut out = context.out();
    if args.json {
        let expired: Vec<Expired<'_>> = plan
            .expire
            .iter()
            .map(|expiry| Expired {
                pipeline: expiry.pipeline.as_str(),
                cycle: expiry.cycle,
                rule: expiry.rule.as_str(),
                bytes: expiry.bytes,
            })
            .collect();
        let Limits { days, cycles, bytes } = limits;
        let value = json!({
            "dry_run": args.dry_run,
            "limits": { "days": days, "cycles": cycles, "bytes": bytes },
            "expired": expired,
            "protected": plan.protected,
            "freed_bytes": if args.dry_run { 0 } else { freed },
        });
        return out.json(&value).map_err(printing);
    }
    for line in lines(plan, args.dry_run) {
        out.line(line).map_err(printing)?;
    }
    if !args.dry_run && freed > 0 {
        context.note(&format!("{} of the state folder are free again", size(freed)));
    }
    Ok(())
}

/// A line for each pipeline of which something goes, and what stays all the same.
fn lines(plan: &Plan, is_dry: bool) -> Vec<String> {
    let mut by_pipeline: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for expiry in &plan.expire {
        by_pipeline.entry(expiry.pipeline.as_str()).or_default().push(expiry.cycle);
    }
    let verb = if is_dry { "would expire" } else { "expired" };
    let mut lines: Vec<String> = by_pipeline
        .into_iter()
        .map(|(pipeline, mut cycles)| {
            cycles.sort_unstable();
            let (first, last) = (cycles[0], cycles[cycles.len() - 1]);
            let which =
                if first == last { format!("{first}") } else { format!("{first} to {last}") };
            format!("{pipeline}: {} {verb} ({which})", counted(cycles.len(), "cycle"))
        })
        .collect();
    if lines.is_empty() {
        lines.push("nothing is beyond the limits".to_owned());
    }
    if plan.protected > 0 {
        let stay = counted(plan.protected, "cycle");
        lines.push(format!("{stay} beyond them kept: something still refers to it"));
    }
    lines
}

impl From<UpkeepError> for CliError {
    fn from(fault: UpkeepError) -> Self {
        match fault {
            UpkeepError::Store(fault) => fault.into(),
            UpkeepError::File { .. }
            | UpkeepError::Unsound { .. }
            | UpkeepError::NoRoomForCopy { .. } => {
                let hints = fault.hint().map(str::to_owned).into_iter().collect();
                Self { fault: Fault::Unreachable, error: fault.into(), hints }
            }
        }
    }
}
