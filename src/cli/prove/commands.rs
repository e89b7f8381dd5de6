//! The commands of the suite: what they need is had as for a run, and each is tried behind faults.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::clock;
use crate::cli::args::ProveArgs;
use crate::cli::console;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::output::{clean, counted};
use crate::cli::settings::Detail;
use crate::domain::errors::chain;
use crate::domain::revision::Revision;
use crate::domain::spec::{Pipeline, Suite};
use crate::engine::{Resolved, Setup, World};
use crate::process::Launcher;
use crate::prove::{CaseProof, CommandProof};
use crate::trial::{self, Begins, Folder, Ground, TrialError};

/// What was shown of all commands, and of their cases.
type Shown = (Vec<CommandProof>, Vec<CaseProof>);

/// Why commands cannot be tried at all.
enum Hindered {
    /// Somebody asked us to end.
    Cancelled,
    /// For this reason. Native cases were tried all the same.
    By(String),
    /// The command line is wrong.
    Wrong(CliError),
}

/// Tries the commands of a pipeline's suite. `None`: somebody asked us to end.
///
/// # Errors
/// When the revision that was asked for is none, or for a defect of ours.
pub(super) async fn try_all(
    context: &Context,
    args: &ProveArgs,
    pipeline: Arc<Pipeline>,
) -> Result<Option<Shown>, CliError> {
    let Some(suite) = pipeline.suite.clone().filter(|suite| !suite.commands.is_empty()) else {
        return Ok(Some(Shown::default()));
    };
    if args.no_commands {
        return Ok(Some(none_tried(&suite, "`--no-commands` was given")));
    }
    // Everything that commands leave behind goes with it.
    let folder = Folder::new().map_err(CliError::usage)?;
    let ground = match ground(context, args, Arc::clone(&pipeline), &folder).await {
        Ok(ground) => ground,
        Err(Hindered::Cancelled) => return Ok(None),
        Err(Hindered::By(why)) => return Ok(Some(none_tried(&suite, &why))),
        Err(Hindered::Wrong(error)) => return Err(error),
    };
    announce(context, &pipeline, &suite);
    let watch = |begins: Begins<'_>| tell(context, begins);
    let tried = trial::try_commands(&ground, &suite, &watch, &context.host.cancel).await;
    console::clear_moving();
    match tried {
        Ok(shown) => Ok(Some(shown)),
        Err(TrialError::Cancelled) => Ok(None),
        Err(fault @ (TrialError::Setup(_) | TrialError::Defect(_))) => Err(CliError::defect(fault)),
    }
}

fn none_tried(suite: &Suite, why: &str) -> Shown {
    let not_tried = |name: &str| CommandProof::not_tried(name, 0, why.to_owned());
    (suite.commands.iter().map(|command| not_tried(&command.name)).collect(), Vec::new())
}

/// Whoever sits there should know that this is no dry run.
fn announce(context: &Context, pipeline: &Pipeline, suite: &Suite) {
    if context.settings.detail == Detail::Quiet {
        return;
    }
    let (commands, environment) = (counted(suite.commands.len(), "command"), &pipeline.environment);
    let text = format!(
        "{commands} of the suite: each runs against {environment} as it is, and then once for each fault \
         of a proxy between; nothing is deployed"
    );
    context.settings.console.say_of("note", &text);
}

/// What the commands of a run would have.
async fn ground(
    context: &Context,
    args: &ProveArgs,
    pipeline: Arc<Pipeline>,
    folder: &Folder,
) -> Result<Ground, Hindered> {
    let working_dir = std::env::current_dir().map_err(|fault| Hindered::By(fault.to_string()))?;
    let launcher = Launcher::new(context.host.program.clone());
    let host_env = Arc::clone(&context.host.env);
    let setup = Setup {
        pipeline: Arc::clone(&pipeline),
        paths: context.paths(),
        working_dir,
        host: Arc::clone(&host_env),
        launcher: launcher.clone(),
    };
    let (world, warnings) = World::open(setup).await.map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Hindered::By(faults.join("; "))
    })?;
    for text in &warnings {
        context.settings.console.say_of("note", &clean(text));
    }
    let cancel = &context.host.cancel;
    let revision = unless_cancelled(cancel, revision(&world, args)).await??;
    let checkout = folder.checkout();
    let left_out = unless_cancelled(cancel, world.lay_out_at(&checkout, &revision.sha)).await?;
    let left_out = left_out.map_err(|fault| by(&world, fault.as_ref()))?;
    for entry in &left_out {
        context.settings.console.say_of("note", &format!("left out: {}", clean(entry)));
    }
    let env = world.env_beside(revision.clone()).map_err(|fault| by(&world, &fault))?;
    Ok(Ground {
        pipeline: pipeline.name.to_string(),
        environment: pipeline.environment.to_string(),
        env,
        revision,
        checkout,
        runs: folder.runs(),
        launcher,
        host_env,
        clock: clock(),
    })
}

/// The revision whose tests are tried: that of a run.
async fn revision(world: &World, args: &ProveArgs) -> Result<Revision, Hindered> {
    match world.resolve(args.revision.as_deref()).await {
        Resolved::Commit(revision) => Ok(revision),
        Resolved::Refused(fault) if args.revision.is_some() => {
            let hint = fault.hint();
            Err(Hindered::Wrong(CliError::usage(anyhow::Error::new(fault)).hint(hint)))
        }
        Resolved::Refused(fault) | Resolved::Unreadable(fault) => Err(by(world, fault.as_ref())),
    }
}

fn by(world: &World, fault: &(dyn std::error::Error + 'static)) -> Hindered {
    Hindered::By(world.masked(&chain(fault)))
}

async fn unless_cancelled<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = T>,
) -> Result<T, Hindered> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Hindered::Cancelled),
        done = work => Ok(done),
    }
}

/// Which run begins: in the line that moves, or with `-v` as a line that stays.
fn tell(context: &Context, begins: Begins<'_>) {
    let Begins { command, fault, number: (number, of), left } = begins;
    let name = clean(command);
    let text = match fault {
        None => format!("{name}: with the service as it is"),
        Some(fault) => {
            let left = left.map_or_else(String::new, |left| format!(" ({} left)", about(left)));
            format!("{name}: fault {number} of {of}: {}{left}", fault.name())
        }
    };
    let settings = &context.settings;
    if settings.detail >= Detail::Verbose {
        settings.console.say_of("prove", &text);
    } else if context.host.stderr_is_terminal
        && settings.detail != Detail::Quiet
        && settings.console.is_for_people()
    {
        console::show_moving(format!("{text} …"));
    }
}

/// A time as a person would guess it: up to the next five seconds, or minutes.
fn about(time: Duration) -> String {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).max(1);
    match seconds {
        0..=90 => format!("about {} s", seconds.next_multiple_of(5)),
        _ => format!("about {} min", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_guessed_and_not_measured() {
        for (ms, text) in [
            (0, "about 5 s"),
            (31_001, "about 35 s"),
            (90_000, "about 90 s"),
            (90_001, "about 2 min"),
            (121_000, "about 3 min"),
        ] {
            assert_eq!(about(Duration::from_millis(ms)), text);
        }
    }
}
