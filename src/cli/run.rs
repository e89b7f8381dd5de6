//! `run`: a pipeline in the foreground, now.

use std::path::Path;
use std::sync::Arc;

use super::args::RunArgs;
use super::context::{Context, HostEnv, led_out, load_state, printing, report_folder};
use super::error::{CliError, CliResult, Status};
use super::output::counted;
use super::progress::{JsonLines, Live};
use super::settings::Detail;
use super::show;
use super::suggest;
use super::tell::tell;
use crate::domain::event::{Queued, RunOptions};
use crate::domain::names::CaseId;
use crate::domain::outcome::{Phase, PhaseOutcome, Trigger, TriggerKind, Verdict};
use crate::domain::paths::normal;
use crate::domain::spec::Pipeline;
use crate::engine::{
    Effects, Ended, Engine, Observer, Progress, Request, Resolved, Setup, SystemClock, World,
    case_ids, least_cycle, may_select,
};
use crate::pipeline::{self, RunBy};
use crate::process::Launcher;
use crate::report::{CycleJson, rollback};
use crate::store::{CycleRow, Store};
use crate::verdict::deserves_rerun;

/// `andon run`
pub async fn run(context: &Context, args: &RunArgs) -> CliResult {
    let pipeline = context.load(&args.pipeline)?;
    tell_not_acted_on(context, &pipeline);
    run_with(context, args, pipeline, Arc::clone(&context.host.env)).await
}

/// `andon run` of a loaded pipeline, with variables of the environment from wherever.
pub async fn run_with(
    context: &Context,
    args: &RunArgs,
    pipeline: Pipeline,
    host: HostEnv,
) -> CliResult {
    let pipeline = Arc::new(pipeline);
    if let Some(only) = &args.only {
        refuse_empty_selection(&pipeline, only)?;
    }
    let shows = if args.json { Shows::Json } else { Shows::Text };
    let foreground = Foreground::open(context, &args.pipeline, shows, pipeline, host).await?;
    if let Resolved::Refused(fault) = foreground.world.resolve(args.revision.as_deref()).await {
        let hint = fault.hint();
        return Err(CliError::usage(anyhow::Error::new(fault)).hint(hint));
    }
    let status = match foreground.finish_earlier().await {
        Ok(Some(held)) => Ok(held),
        Ok(None) => foreground.run_cycles(args).await,
        Err(error) => Err(error),
    };
    foreground.close().await;
    status
}

/// Says once which parts of the pipeline are for the daemon alone.
fn tell_not_acted_on(context: &Context, pipeline: &Pipeline) {
    let parts: Vec<&str> = pipeline::parts_not_acted_on(pipeline, RunBy::Hand)
        .iter()
        .map(|unsupported| unsupported.part)
        .collect();
    if !parts.is_empty() && context.settings.detail > Detail::Quiet {
        let text = format!("for `andon daemon`, not for a run by hand: {}", parts.join(", "));
        context.settings.console.say_of("note", &text);
    }
}

/// A glob that matches no case is a slip, found before anything is deployed.
fn refuse_empty_selection(pipeline: &Pipeline, only: &str) -> Result<(), CliError> {
    if pipeline.suite.as_deref().is_some_and(|suite| may_select(suite, only)) {
        return Ok(());
    }
    let ids = pipeline.suite.as_deref().map(case_ids).unwrap_or_default();
    let error = CliError::usage_text(format_args!("no case of {} matches {only:?}", pipeline.name));
    let ids: Vec<&str> = ids.iter().map(CaseId::as_str).collect();
    Err(error.hint(suggest::question(only, &ids).unwrap_or_else(|| match ids.first() {
        Some(first) => format!("it has {}, such as `{first}`", counted(ids.len(), "case")),
        None => "the pipeline has no suite".to_owned(),
    })))
}

/// Better no deploy at all than one whose report cannot be written.
fn refuse_reports_elsewhere(context: &Context, pipeline: &Pipeline) -> Result<(), CliError> {
    let folder = report_folder(reports_of(context, pipeline))?;
    let own = Path::new(pipeline.name.as_str());
    folder.check(own.join("investigations")).map_err(led_out)
}

/// Where the reports of a pipeline go.
fn reports_of<'a>(context: &'a Context, pipeline: &'a Pipeline) -> &'a Path {
    pipeline.report.dir.as_deref().unwrap_or(&context.settings.reports)
}

/// Cycles in the foreground, with everything they need.
pub(super) struct Foreground<'a> {
    context: &'a Context,
    file: &'a Path,
    shows: Shows,
    pub(super) store: Arc<dyn Store>,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) world: World,
    host: HostEnv,
    engine: Engine,
    observer: Arc<dyn Observer>,
}

impl<'a> Foreground<'a> {
    /// Opens the state for writing and makes the pipeline ready to run; `file` is where it was read from.
    ///
    /// # Errors
    /// When its reports would lie elsewhere, or the state or a secret cannot be had.
    pub(super) async fn open(
        context: &'a Context,
        file: &'a Path,
        shows: Shows,
        pipeline: Arc<Pipeline>,
        host: HostEnv,
    ) -> Result<Self, CliError> {
        refuse_reports_elsewhere(context, &pipeline)?;
        let store = context.store_for_writing().await?;
        let observer = observer(context, shows);
        let (own, variables) = (Arc::clone(&pipeline), Arc::clone(&host));
        let world = open_world(context, own, variables, observer.as_ref()).await?;
        let engine = Engine::new(Arc::clone(&store), Arc::new(SystemClock), Arc::clone(&observer));
        Ok(Self { context, file, shows, store, pipeline, world, host, engine, observer })
    }

    /// Delivers what is news, and lets go of the state.
    pub(super) async fn close(self) {
        tell(self.context, &self.pipeline, self.host, &self.store).await;
        self.store.close().await;
    }

    async fn run_cycles(&self, args: &RunArgs) -> CliResult {
        let asked = Asked {
            requested: args.revision.clone(),
            options: RunOptions {
                deploy: !args.no_deploy,
                only: args.only.clone(),
                search_of: None,
            },
        };
        let mut status = Status::Green;
        for number in 1..=args.cycles {
            let detail = match args.cycles {
                1 => "by hand".to_owned(),
                cycles => format!("by hand, {number} of {cycles}"),
            };
            let cause = Trigger { kind: TriggerKind::Manual, detail };
            let mut ended = self.run_cycle(cause, asked.clone()).await?;
            if deserves_rerun(ended.state()) {
                let detail = format!("cycle {} was void", ended.state().queued.cycle);
                self.conclude(&ended)?;
                let cause = Trigger { kind: TriggerKind::Retry, detail };
                ended = self.run_cycle(cause, asked.clone()).await?;
            }
            let this = self.conclude(&ended)?;
            status = status.max(this);
            if this == Status::Cancelled || matches!(ended, Ended::Held(_)) {
                break;
            }
        }
        Ok(status)
    }

    /// Runs one cycle to its end, or to where a person must decide.
    pub(super) async fn run_cycle(&self, cause: Trigger, asked: Asked) -> Result<Ended, CliError> {
        let folder = report_folder(reports_of(self.context, &self.pipeline))?;
        let least = least_cycle(self.store.as_ref(), &folder, &self.pipeline.name).await?;
        if let Some(text) = &least.warning {
            self.observer.on(Progress::Note { text });
        }
        let queued = self.queued(cause, asked, least.number);
        let cancel = &self.context.host.cancel;
        Ok(self.engine.run(queued, &self.pipeline, &self.world as &dyn Effects, cancel).await?)
    }

    fn queued(&self, trigger: Trigger, asked: Asked, least: u32) -> Queued {
        let request = Request {
            pipeline: &self.pipeline,
            least,
            file: &normal(self.file),
            reports: &normal(reports_of(self.context, &self.pipeline)),
            not_acted_on: pipeline::parts_not_acted_on(&self.pipeline, RunBy::Hand)
                .iter()
                .map(ToString::to_string)
                .collect(),
            trigger,
            requested: asked.requested,
            taken_together: vec![],
            options: asked.options,
        };
        request.queued()
    }

    /// Cycles that an earlier process left behind come first: their deploy may still be running.
    /// Gives back a status when one of them must be decided by a person before anything else.
    pub(super) async fn finish_earlier(&self) -> Result<Option<Status>, CliError> {
        for row in self.store.open_cycles(Some(&self.pipeline.environment)).await? {
            if self.engine.is_attended(&row).await? {
                continue;
            }
            if row.pipeline != self.pipeline.name {
                return Err(left_by_another(self.store.as_ref(), &row).await?);
            }
            let text =
                format!("{} was left in its {} phase; it is taken up first", row.key(), row.phase);
            self.observer.on(Progress::Note { text: &text });
            let (pipeline, world) = (&self.pipeline, &self.world);
            let ended = self.engine.go_on(&row, pipeline, world, &self.context.host.cancel).await?;
            // What became of it is told, but the exit code answers for what was asked for now.
            let status = self.conclude(&ended)?;
            if let Ended::Held(_) = ended {
                return Ok(Some(status));
            }
            if self.context.host.cancel.is_cancelled() {
                return Ok(Some(Status::Cancelled));
            }
        }
        Ok(None)
    }

    /// Whether a living process works on a cycle, or waits with it.
    pub(super) async fn is_attended(&self, row: &CycleRow) -> Result<bool, CliError> {
        Ok(self.engine.is_attended(row).await?)
    }

    /// Prints what came of a cycle.
    pub(super) fn conclude(&self, ended: &Ended) -> CliResult {
        let state = ended.state();
        let mut out = self.context.out();
        match self.shows {
            Shows::Json => out.json_line(&CycleJson::of(state)).map_err(printing)?,
            Shows::Text => show::print(&mut out, state).map_err(printing)?,
            Shows::Nothing => {}
        }
        if let Ended::Held(_) = ended {
            let (pipeline, cycle) = (&state.queued.pipeline, state.queued.cycle);
            let rollout = rollback::unknown_rollout(state);
            self.context.note(&format!(
                "help: find out what became of {rollout}, then \
                 `andon resume {pipeline} {cycle} --as deployed|failed|rerun`"
            ));
            return Ok(Status::NotDeployed);
        }
        let verdict =
            state.finished.as_ref().map_or(Verdict::Cancelled, |finished| finished.what.verdict);
        // A way back that was cut short leaves the environment as it was then: the verdict stands, but
        // what was asked for is not done.
        let way_back = state.phase_record(Phase::Rollback).and_then(|record| record.outcome);
        if way_back == Some(PhaseOutcome::Cancelled) {
            return Ok(Status::Cancelled);
        }
        Ok(Status::of_verdict(verdict))
    }
}

/// What is printed of each cycle on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    /// It in short.
    Text,
    /// Each event as it happens, then the cycle.
    Json,
    /// Nothing: the caller says what came of all of them.
    Nothing,
}

/// What a cycle is asked to test, and how.
#[derive(Clone)]
pub(super) struct Asked {
    /// The revision as it was asked for.
    pub(super) requested: Option<String>,
    /// How to run.
    pub(super) options: RunOptions,
}

/// The environment is another pipeline's until that one's cycle is over. What to do about it depends on
/// whether the pipeline is still there.
async fn left_by_another(store: &dyn Store, row: &CycleRow) -> Result<CliError, CliError> {
    let (pipeline, cycle) = (&row.pipeline, row.summary.cycle);
    let text = format!(
        "environment {} is not free: {} was left in its {} phase",
        row.environment,
        row.key(),
        row.phase
    );
    let state = load_state(store, row).await?;
    let (file, rollout) = (&state.queued.definition.file, rollback::unknown_rollout(&state));
    let cancel = format!("`andon cancel {pipeline} {cycle}` ends it");
    let hint = match (row.held, Path::new(file).is_file()) {
        (true, _) => format!(
            "find out what became of {rollout}, then \
             `andon resume {pipeline} {cycle} --as deployed|failed|rerun`; or {cancel}"
        ),
        (false, true) => format!("`andon run {file}` takes that cycle up first; or {cancel}"),
        (false, false) => format!("its pipeline file {file} is gone; {cancel}"),
    };
    Ok(CliError::not_free(text).hint(hint))
}

fn observer(context: &Context, shows: Shows) -> Arc<dyn Observer> {
    if shows == Shows::Json {
        return Arc::new(JsonLines::new(context));
    }
    Arc::new(Live::new(context))
}

async fn open_world(
    context: &Context,
    pipeline: Arc<Pipeline>,
    host: HostEnv,
    observer: &dyn Observer,
) -> Result<World, CliError> {
    let working_dir = std::env::current_dir().map_err(CliError::usage)?;
    let launcher = Launcher::new(context.host.program.clone());
    let setup = Setup { pipeline, paths: context.paths(), working_dir, host, launcher };
    let (world, warnings) = World::open(setup).await.map_err(|faults| {
        let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
        CliError::usage_text(text.join("; "))
            .hint("secrets are read when a run starts; see `secrets` in the pipeline")
    })?;
    for text in &warnings {
        observer.on(Progress::Note { text });
    }
    Ok(world)
}
