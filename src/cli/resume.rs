//! `resume`: a person says what became of a deploy that nobody saw the end of.

use super::args::{ResumeArgs, ResumeHow};
use super::context::{Context, load_state};
use super::error::{CliError, CliResult, Status};
use super::remote::{Remote, of_pipeline};
use crate::domain::event::ResumeAs;
use crate::engine::{self, Clock as _, Resume, ResumeError, SystemClock};
use crate::web::forms::{DoneForm, ResumeForm};

/// `andon resume`
pub async fn resume(context: &Context, args: &ResumeArgs) -> CliResult {
    let decision = match args.decision {
        ResumeHow::Deployed => ResumeAs::Deployed,
        ResumeHow::Failed => ResumeAs::Failed,
        ResumeHow::Rerun => ResumeAs::Rerun,
    };
    match Remote::if_running(context, &args.remote).await? {
        Some(remote) => by_daemon(context, args, decision, &remote).await,
        None => by_hand(context, args, decision).await,
    }
}

async fn by_daemon(
    context: &Context,
    args: &ResumeArgs,
    decision: ResumeAs,
    remote: &Remote,
) -> CliResult {
    let name = context.pipeline_name(&args.pipeline)?;
    let cycle = args.cycle.to_string();
    let path = of_pipeline(name.as_str(), &["cycles", &cycle, "resume"]);
    let form = ResumeForm { decision: decision.as_str().to_owned(), by: Some(context.host.user()) };
    let done: DoneForm = remote.post(&path, &form, None).await?;
    context.note(&done.done);
    Ok(Status::Green)
}

async fn by_hand(context: &Context, args: &ResumeArgs, decision: ResumeAs) -> CliResult {
    let store = context.store_with_cycles().await?;
    let name = context.pipeline_name(&args.pipeline)?;
    let row = context.cycle(store.as_ref(), &name, Some(args.cycle)).await?;
    let said = Resume { decision, by: context.host.user(), at: SystemClock.now() };
    engine::resume(store.as_ref(), &row, said).await?;
    let state = load_state(store.as_ref(), &row).await?;
    context.note(&format!(
        "{} goes on as {decision} with the next `andon run` of its pipeline ({})",
        row.key(),
        state.queued.definition.file,
    ));
    Ok(Status::Green)
}

impl From<ResumeError> for CliError {
    fn from(fault: ResumeError) -> Self {
        match fault {
            ResumeError::NotHeld(_) => Self::usage(fault)
                .hint("only a cycle whose deploy has an unknown end waits for a person"),
            ResumeError::Store(fault) => fault.into(),
            ResumeError::Records(_) => Self::defect(fault),
        }
    }
}
