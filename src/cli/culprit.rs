//! `culprit`: the commit that broke a cycle, searched in the foreground.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::args::CulpritArgs;
use super::context::{Context, printing};
use super::error::{CliError, CliResult, Status};
use super::output::{Out, Table, bold, clean, counted};
use super::run::{Asked, Foreground, Shows};
use crate::culprit;
use crate::daemon::{LockError, StateLock, is_served};
use crate::domain::names::PipelineName;
use crate::domain::revision::Sha;
use crate::domain::search::{SearchEnding, SearchResult, sure};
use crate::engine::{Clock as _, Ended, NoSearch, SearchState, SystemClock, cycle_to_search};
use crate::report::SearchJson;
use crate::store::{CycleKey, WaitingTrigger, Which};

/// While something else has the environment, it is looked at again so often.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// A daemon begins what waits within so long, if it can.
const BEGINS_WITHIN: Duration = Duration::from_secs(60);

/// `andon culprit`
pub async fn culprit(context: &Context, args: &CulpritArgs) -> CliResult {
    let pipeline = context.load(&args.pipeline)?;
    if pipeline.deploy.is_none() {
        let error = CliError::usage_text(format_args!("{} deploys nothing", pipeline.name));
        return Err(
            error.hint("a search deploys the commits between; add `deploy` to the pipeline")
        );
    }
    let host = Arc::clone(&context.host.env);
    let file: &Path = &args.pipeline;
    let pipeline = Arc::new(pipeline);
    let foreground = Foreground::open(context, file, Shows::Nothing, pipeline, host).await?;
    let done = match hold_search(context, &foreground) {
        Ok(_held) => search(context, args, &foreground).await,
        Err(error) => Err(error),
    };
    foreground.close().await;
    done
}

async fn search(context: &Context, args: &CulpritArgs, site: &Foreground<'_>) -> CliResult {
    let cycle = wanted(context, args, site).await?;
    // Before anything is deployed: there may be nothing to search.
    site.world.search(site.store.as_ref(), cycle).await.map_err(refused)?;
    if let Some(status) = site.finish_earlier().await? {
        return Ok(status);
    }
    let (mut before, mut has_asked) = (None, false);
    let state = loop {
        let mut state = site.world.search(site.store.as_ref(), cycle).await.map_err(refused)?;
        let up_to = *before.get_or_insert(state.after);
        if args.again {
            state.asked_all_again(up_to);
        } else {
            state.asked_anew(up_to);
        }
        if context.host.cancel.is_cancelled() {
            context.note(&format!(
                "{} is left as it is, perhaps with an older commit; `andon culprit {} {cycle}` goes on with the \
                 search and puts the newest back at its end, `andon run {}` only puts it back",
                site.pipeline.environment,
                args.pipeline.display(),
                args.pipeline.display()
            ));
            break state;
        }
        let Some((cause, revision, options)) = state.next_cycle() else {
            if !has_asked {
                say_how_old(context, site, &state).await?;
            }
            break state;
        };
        if has_waited(context, site).await? {
            // What went first may have answered, or overtaken the question.
            continue;
        }
        has_asked = true;
        let asked = Asked { requested: Some(revision.as_str().to_owned()), options };
        context.note(&format!("{}: {}", bold("search"), clean(&cause.detail)));
        let ended = site.run_cycle(cause, asked).await?;
        if let Ended::Held(_) = ended {
            // Prints what a person must decide.
            return site.conclude(&ended);
        }
    };
    let result = culprit::result(&state.search);
    let mut out = context.out();
    if args.json {
        out.json(&SearchJson::of(&result)).map_err(printing)?;
    } else {
        print(&mut out, &result, &state.search.line)
            .context("cannot print")
            .map_err(CliError::usage)?;
    }
    if context.host.cancel.is_cancelled() {
        return Ok(Status::Cancelled);
    }
    Ok(match result.ending {
        SearchEnding::Found | SearchEnding::BaselineFails | SearchEnding::Gone => Status::Green,
        SearchEnding::Overtaken
        | SearchEnding::Rewritten
        | SearchEnding::CasesRemoved
        | SearchEnding::Open
        | SearchEnding::BaselineUnusable
        | SearchEnding::Undecided
        | SearchEnding::OutOfDeploys => Status::NotGreen,
        SearchEnding::Cancelled => Status::Cancelled,
    })
}

/// An answer that is only read again was true when its last step ran.
async fn say_how_old(
    context: &Context,
    site: &Foreground<'_>,
    state: &SearchState,
) -> Result<(), CliError> {
    let Some(last) = state.search.steps.last() else { return Ok(()) };
    let name = &site.pipeline.name;
    let row = site.store.find_cycle(name, Which::Number(last.cycle)).await?;
    let when = row.and_then(|row| row.finished_at);
    let when = when.map_or_else(String::new, |when| format!(", which was over at {when:.0}"));
    context.note(&format!(
        "nothing is deployed: this is what the search came to with cycle {}{when}; `andon culprit {name} {} --again` asks everything anew",
        last.cycle, state.search.cycle
    ));
    Ok(())
}

/// The cycle that was named, else the newest in which something regressed.
async fn wanted(
    context: &Context,
    args: &CulpritArgs,
    site: &Foreground<'_>,
) -> Result<u32, CliError> {
    let (store, name) = (site.store.as_ref(), &site.pipeline.name);
    if args.cycle.is_some() {
        return Ok(context.cycle(store, name, args.cycle).await?.summary.cycle);
    }
    context.known(store, name).await?;
    cycle_to_search(store, name).await?.ok_or_else(|| {
        CliError::usage_text(format_args!("nothing of {name} regressed since its last green cycle"))
            .hint("name a cycle to search what broke that one; `andon cycles` lists them")
    })
}

/// Two searches side by side would ask for what the other has deployed since.
fn hold_search(context: &Context, site: &Foreground<'_>) -> Result<StateLock, CliError> {
    StateLock::take_search(context.paths().root(), &site.pipeline.environment).map_err(|fault| {
        match fault {
            LockError::Taken { .. } => beside_another(&fault.to_string()),
            LockError::Io { .. } => CliError::usage(fault),
        }
    })
}

fn beside_another(text: &str) -> CliError {
    CliError::not_free(text)
        .hint("wait for its end, or `andon cancel` it; a daemon searches by itself")
}

/// Whatever else waits for the environment goes first: a search has time. One of a daemon is no company.
async fn has_waited(context: &Context, site: &Foreground<'_>) -> Result<bool, CliError> {
    let mut told = None;
    let mut patience = Instant::now() + BEGINS_WITHIN;
    while let Some(before) = next_before(context, site).await? {
        match &before {
            Before::Cycle(_) => patience = Instant::now() + BEGINS_WITHIN,
            // It cannot begin, whatever the reason.
            Before::Waiting(_) if Instant::now() > patience => return Ok(false),
            Before::Waiting(_) => {}
        }
        if told.as_ref() != Some(&before) {
            context.note(&format!("{before} goes first; the search waits for its end"));
            told = Some(before);
        }
        tokio::select! {
            () = context.host.cancel.cancelled() => break,
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
    Ok(told.is_some())
}

/// What goes before the next step.
#[derive(Debug, PartialEq, Eq)]
enum Before {
    /// A cycle that somebody runs in the environment, or waits with.
    Cycle(CycleKey),
    /// What a daemon is to deploy there.
    Waiting(PipelineName),
}

impl std::fmt::Display for Before {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cycle(key) => key.fmt(f),
            Self::Waiting(pipeline) => write!(f, "what waits for {pipeline}"),
        }
    }
}

async fn next_before(context: &Context, site: &Foreground<'_>) -> Result<Option<Before>, CliError> {
    let environment = &site.pipeline.environment;
    for row in site.store.open_cycles(Some(environment)).await? {
        // What nobody runs any more is taken up by whoever needs the environment next.
        if !site.is_attended(&row).await? {
            continue;
        }
        if row.search_of.is_some() {
            let text = format!("{} is a step of a search that runs already", row.key());
            return Err(beside_another(&text));
        }
        return Ok(Some(Before::Cycle(row.key())));
    }
    if !is_served(context.paths().root()) {
        return Ok(None);
    }
    let now = SystemClock.now();
    let goes_first = |waits: &WaitingTrigger| {
        let is_due = waits.options.deploy && waits.not_before <= now;
        waits.environment == *environment && is_due && waits.options.search_of.is_none()
    };
    let waiting = site.store.waiting_triggers().await?.into_iter().find(goes_first);
    Ok(waiting.map(|waits| Before::Waiting(waits.pipeline)))
}

fn refused(why: NoSearch) -> CliError {
    match why {
        NoSearch::Engine(fault) => fault.into(),
        why => CliError::usage(anyhow::Error::new(why)),
    }
}

fn print(out: &mut Out, result: &SearchResult, line: &[Sha]) -> std::io::Result<()> {
    let between = counted(line.len().saturating_sub(1), "commit");
    let title = match &result.culprit {
        Some(culprit) => format!("{} broke cycle {}", culprit.short(), result.cycle),
        None => format!("no commit is named for cycle {}", result.cycle),
    };
    out.line(format!("{} ({between} searched)", bold(&title)))?;
    out.line(format!("  {}", clean(&result.because)))?;
    let deploys = counted(result.deploys as usize, "deploy");
    out.line(match result.sureness() {
        Some(sure) => format!("  cause {}, {sure}, {deploys}", result.cause),
        None => format!("  {deploys}"),
    })?;
    let mut table = Table::new(&["revision", "answer", "runs", "cycles"]);
    for step in &result.steps {
        let cycles: Vec<String> = step.cycles.iter().map(ToString::to_string).collect();
        table.row([
            step.revision.short().to_owned(),
            step.answer.to_string(),
            step.runs.to_string(),
            cycles.join(", "),
        ]);
    }
    table.print(out)?;
    for failure in result.failures.iter().skip(1) {
        let cases: Vec<&str> = failure.cases.iter().map(|case| case.as_str()).collect();
        let answer = match &failure.culprit {
            Some(culprit) => format!("{}, {}", culprit.short(), sure(failure.confidence)),
            None => format!("no commit is named: {}", failure.because),
        };
        out.line(format!("  also {}: {}", clean(&cases.join(", ")), clean(&answer)))?;
    }
    Ok(())
}
