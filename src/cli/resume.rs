//! `resume`: a person says what became of a deploy that nobody saw the end of.

use super::args::{ResumeArgs, ResumeHow};
use super::context::{Context, load_state};
use super::error::{CliError, CliResult, Status};
use crate::domain::event::{Event, ResumeAs, Resumed};
use crate::engine::{Clock as _, SystemClock};
use crate::store::{Append, Projection};

/// `andon resume`
pub async fn resume(context: &Context, args: &ResumeArgs) -> CliResult {
    let store = context.store_with_cycles().await?;
    let name = context.pipeline_name(&args.pipeline)?;
    let row = context.cycle(store.as_ref(), &name, Some(args.cycle)).await?;
    if !row.held {
        let error = CliError::usage_text(format_args!("{} is not held", row.key()));
        return Err(error.hint("only a cycle whose deploy has an unknown end waits for a person"));
    }
    let decision = match args.decision {
        ResumeHow::Deployed => ResumeAs::Deployed,
        ResumeHow::Failed => ResumeAs::Failed,
        ResumeHow::Rerun => ResumeAs::Rerun,
    };
    let state = load_state(store.as_ref(), &row).await?;
    let by = context.host.user();
    let append = Append {
        cycle: row.key(),
        expected_seq: state.seq,
        lease: None,
        events: vec![Event::Resumed(Resumed { decision, by })],
        at: SystemClock.now(),
        projection: Projection::default(),
    };
    store.append(append).await?;
    context.note(&format!(
        "{} goes on as {decision} with the next `andon run` of its pipeline ({})",
        row.key(),
        state.queued.definition.file,
    ));
    Ok(Status::Green)
}
