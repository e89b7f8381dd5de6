//! `trigger`: asks the daemon for a cycle.

use super::args::TriggerArgs;
use super::context::{Context, printing};
use super::error::{CliResult, Status};
use super::remote::{Remote, of_pipeline};
use crate::web::forms::{StartForm, StartedForm};

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
