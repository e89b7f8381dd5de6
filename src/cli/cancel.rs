//! `cancel`: ends a cycle, or what waits. What runs in a daemon is ended there; what was left behind by a
//! process that is gone, this one takes to its end.

use std::path::Path;
use std::sync::Arc;

use super::args::CancelArgs;
use super::context::{Context, load_file, load_state, printing};
use super::error::{CliError, CliResult, Status};
use super::output::clean;
use super::progress::Live;
use super::remote::{Remote, of_pipeline};
use super::tell::tell;
use crate::daemon::is_served;
use crate::domain::event::Queued;
use crate::domain::names::PipelineName;
use crate::domain::outcome::Verdict;
use crate::domain::spec::Pipeline;
use crate::engine::{
    Clock as _, Effects, Ended, Engine, Setup, Silent, SystemClock, World, pipeline_of_records,
};
use crate::notify::{ends_of_pending, pending_keys};
use crate::process::Launcher;
use crate::store::{CycleRow, Store};
use crate::web::forms::{CancelForm, DoneForm, PipelineForm};

/// `andon cancel`
pub async fn cancel(context: &Context, args: &CancelArgs) -> CliResult {
    let name = context.pipeline_name(&args.pipeline)?;
    let done = match Remote::if_running(context, &args.remote).await? {
        // No daemon takes up what has no pipeline any more, or waits for a person.
        Some(_) if args.remote.url.is_none() && is_left_behind(context, args, &name).await? => {
            by_hand(context, args, &name).await?
        }
        Some(remote) => by_daemon(context, args, &name, &remote).await?,
        // Its lock says that a daemon is there, though it does not answer.
        None if is_served(context.paths().root()) => {
            let remote = Remote::find(context, &args.remote)?;
            by_daemon(context, args, &name, &remote).await?
        }
        None => by_hand(context, args, &name).await?,
    };
    let mut out = context.out();
    for done in done {
        if args.json {
            out.json_line(&done).map_err(printing)?;
        } else {
            out.line(clean(&done.done)).map_err(printing)?;
        }
    }
    Ok(Status::Green)
}

/// Whether it is about a cycle that is not over and that no living process works on.
async fn is_left_behind(
    context: &Context,
    args: &CancelArgs,
    name: &PipelineName,
) -> Result<bool, CliError> {
    let store = context.store().await?;
    let engine = Engine::new(Arc::clone(&store), Arc::new(SystemClock), Arc::new(Silent));
    let is_meant = |row: &CycleRow| {
        row.pipeline == *name && args.cycle.is_none_or(|number| row.summary.cycle == number)
    };
    for row in store.open_cycles(None).await?.into_iter().filter(is_meant) {
        if !engine.is_attended(&row).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn by_daemon(
    context: &Context,
    args: &CancelArgs,
    name: &PipelineName,
    remote: &Remote,
) -> Result<Vec<DoneForm>, CliError> {
    let form = CancelForm { by: Some(context.host.user()) };
    let mut done = Vec::new();
    for path in targets(remote, name.as_str(), args.cycle).await? {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        done.push(remote.post(&of_pipeline(name.as_str(), &path), &form, None).await?);
    }
    Ok(done)
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
        return Err(nothing_to_cancel(name));
    }
    Ok(now.waiting.iter().map(|trigger| of("triggers", trigger.id.to_string())).collect())
}

fn nothing_to_cancel(name: &str) -> CliError {
    let error = CliError::usage_text(format_args!("nothing of {name} runs or waits"));
    error.hint("`andon status` shows what is going on")
}

async fn by_hand(
    context: &Context,
    args: &CancelArgs,
    name: &PipelineName,
) -> Result<Vec<DoneForm>, CliError> {
    let store = context.store_with_cycles().await?;
    let done = match args.cycle {
        Some(number) => {
            let row = context.cycle(store.as_ref(), name, Some(number)).await?;
            vec![end(context, &store, &row).await?]
        }
        None => end_all(context, &store, name).await?,
    };
    store.close().await;
    Ok(done)
}

/// Every cycle of a pipeline that is not over; where there is none, every trigger of it that waits.
async fn end_all(
    context: &Context,
    store: &Arc<dyn Store>,
    name: &PipelineName,
) -> Result<Vec<DoneForm>, CliError> {
    let mut done = Vec::new();
    for row in store.open_cycles(None).await?.iter().filter(|row| row.pipeline == *name) {
        done.push(end(context, store, row).await?);
    }
    if !done.is_empty() {
        return Ok(done);
    }
    let why = format!("cancelled by {}", context.host.user());
    for trigger in store.waiting_triggers().await? {
        if trigger.pipeline == *name
            && store.drop_trigger(trigger.id, &why, SystemClock.now()).await?
        {
            done.push(DoneForm { done: format!("trigger {} of {name} is {why}", trigger.id.0) });
        }
    }
    if done.is_empty() {
        context.known(store.as_ref(), name).await?;
        return Err(nothing_to_cancel(name.as_str()));
    }
    Ok(done)
}

/// Brings a cycle that nobody works on to its end.
async fn end(
    context: &Context,
    store: &Arc<dyn Store>,
    row: &CycleRow,
) -> Result<DoneForm, CliError> {
    let key = row.key();
    if row.finished_at.is_some() {
        return Err(CliError::usage_text(format_args!("{key} is over"))
            .hint(format!("`andon show {} {}` shows it", row.pipeline, key.cycle)));
    }
    let by = context.host.user();
    let engine =
        Engine::new(Arc::clone(store), Arc::new(SystemClock), Arc::new(Live::new(context)))
            .with_canceller(Arc::new(move || by.clone()));
    if engine.is_attended(row).await? {
        return Err(attended(store.as_ref(), row).await?);
    }
    let queued = load_state(store.as_ref(), row).await?.queued;
    let (pipeline, world) = open_world(context, &queued).await?;
    // Asked to end from the very beginning: what runs is ended, and nothing new is started.
    let asked = tokio_util::sync::CancellationToken::new();
    asked.cancel();
    let ended = engine.take_up(row, &pipeline, &world as &dyn Effects, &asked).await?;
    // A commit that was told "pending" hears the end, as soon as somebody knows how to tell it.
    let pending = store.messages_under(&pending_keys(&queued)).await?;
    store.put_messages(ends_of_pending(ended.state(), pending), SystemClock.now()).await?;
    tell(context, &pipeline, Arc::clone(&context.host.env), store).await;
    Ok(DoneForm { done: told(&ended) })
}

/// Somebody works on it: only that process can end it in order.
async fn attended(store: &dyn Store, row: &CycleRow) -> Result<CliError, CliError> {
    let holder = store.environment_holder(&row.environment).await?;
    let holder = holder.filter(|holder| holder.cycle.as_ref() == Some(&row.key()));
    let (who, hint) = match holder {
        Some(holder) => (
            format!("process {} on {}", holder.owner.pid, holder.owner.host),
            format!("end that one with Ctrl-C, or there with `kill -INT {}`", holder.owner.pid),
        ),
        None => ("another process".to_owned(), "end that one with Ctrl-C".to_owned()),
    };
    let text = format!("{who} works on {}, or waits with it", row.key());
    Ok(CliError::not_free(text).hint(hint))
}

/// The world of the pipeline that began the cycle, as far as it is still there; else one that knows
/// what the records tell, and is enough to end it.
async fn open_world(
    context: &Context,
    queued: &Queued,
) -> Result<(Arc<Pipeline>, World), CliError> {
    if let Some(pipeline) = still_there(queued)
        && let Ok((world, _)) = World::open(setup(context, Arc::clone(&pipeline))?).await
    {
        return Ok((pipeline, world));
    }
    let pipeline = Arc::new(pipeline_of_records(queued));
    let world = World::of_records(setup(context, Arc::clone(&pipeline))?);
    Ok((pipeline, world))
}

fn still_there(queued: &Queued) -> Option<Arc<Pipeline>> {
    let pipeline = load_file(Path::new(&queued.definition.file)).ok()?.pipeline?;
    (pipeline.name == queued.pipeline).then(|| Arc::new(pipeline))
}

fn setup(context: &Context, pipeline: Arc<Pipeline>) -> Result<Setup, CliError> {
    Ok(Setup {
        pipeline,
        paths: context.paths(),
        working_dir: std::env::current_dir().map_err(CliError::usage)?,
        host: Arc::clone(&context.host.env),
        launcher: Launcher::new(context.host.program.clone()),
    })
}

fn told(ended: &Ended) -> String {
    let state = ended.state();
    let key = format!("cycle {} of {}", state.queued.cycle, state.queued.pipeline);
    let verdict = state.finished.as_ref().map(|finished| finished.what.verdict);
    let end = match verdict {
        Some(Verdict::Cancelled) => format!("{key} is cancelled"),
        // Its verdict was decided before anybody asked.
        Some(verdict) => format!("{key} came to its end: {verdict}"),
        None => format!("{key} is not over"),
    };
    match &state.report {
        Some(report) => format!("{end}; its report is {}", report.path),
        None => end,
    }
}
