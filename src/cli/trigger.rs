//! `trigger`, `cancel`: ask the daemon for a cycle, or for the end of one.

use super::args::{CancelArgs, TriggerArgs};
use super::context::{Context, printing};
use super::error::{CliError, CliResult, Status};
use super::output::clean;
use super::remote::{Remote, of_pipeline};
use crate::web::forms::{CancelForm, DoneForm, PipelineForm, StartForm, StartedForm};

/// `andon trigger`
pub async fn trigger(context: &Context, args: &TriggerArgs) -> CliResult {
    let name = context.pipeline_name(&args.pipeline)?;
    let remote = Remote::find(context, &args.remote)?;
    let form = StartForm {
        revision: args.revision.clone(),
        deploy: !args.no_deploy,
        only: args.only.clone(),
        by: Some(context.host.user()),
    };
    let path = of_pipeline(name.as_str(), &["trigger"]);
    let started: StartedForm = remote.post(&path, &form, args.key.as_deref()).await?;
    let mut out = context.out();
    if args.json {
        out.json(&started).map_err(printing)?;
        return Ok(Status::Green);
    }
    let text = match started.cycle {
        Some(cycle) => format!("trigger {} became cycle {cycle} of {name}", started.trigger),
        None => format!("trigger {} of {name} waits for its turn", started.trigger),
    };
    out.line(text).map_err(printing)?;
    Ok(Status::Green)
}

/// `andon cancel`
pub async fn cancel(context: &Context, args: &CancelArgs) -> CliResult {
    let name = context.pipeline_name(&args.pipeline)?;
    let remote = Remote::find(context, &args.remote)?;
    let form = CancelForm { by: Some(context.host.user()) };
    let mut out = context.out();
    for path in targets(&remote, name.as_str(), args.cycle).await? {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let done: DoneForm = remote.post(&of_pipeline(name.as_str(), &path), &form, None).await?;
        if args.json {
            out.json_line(&done).map_err(printing)?;
        } else {
            out.line(clean(&done.done)).map_err(printing)?;
        }
    }
    Ok(Status::Green)
}

/// What to cancel: the end of each one's address.
async fn targets(
    remote: &Remote,
    name: &str,
    cycle: Option<u32>,
) -> Result<Vec<[String; 3]>, CliError> {
    let of = |kind: &str, id: String| [kind.to_owned(), id, "cancel".to_owned()];
    if let Some(cycle) = cycle {
        return Ok(vec![of("cycles", cycle.to_string())]);
    }
    let now: PipelineForm = remote.get(&of_pipeline(name, &[])).await?;
    if let Some(running) = now.running {
        return Ok(vec![of("cycles", running.cycle.to_string())]);
    }
    if now.waiting.is_empty() {
        let error = CliError::usage_text(format_args!("nothing of {name} runs or waits"));
        return Err(error.hint("`andon status` shows what is going on"));
    }
    Ok(now.waiting.iter().map(|trigger| of("triggers", trigger.id.to_string())).collect())
}
