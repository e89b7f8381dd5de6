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
    refuse_reports_elsewhere(context, &pipeline)?;
    let store = context.store_for_writing().await?;
    let observer = observer(context, args);
    let world =
        open_world(context, Arc::clone(&pipeline), Arc::clone(&host), observer.as_ref()).await?;
    if let Resolved::Refused(fault) = world.resolve(args.revision.as_deref()).await {
        let hint = fault.hint();
        return Err(CliError::usage(anyhow::Error::new(fault)).hint(hint));
    }
    let engine = Engine::new(Arc::clone(&store), Arc::new(SystemClock), Arc::clone(&observer));
    let told = Arc::clone(&pipeline);
    let kept = Arc::clone(&store);
    let foreground = Foreground { store, context, args, pipeline, world, engine, observer };
    let status = match foreground.finish_earlier().await {
        Ok(Some(held)) => Ok(held),
        Ok(None) => foreground.run_cycles().await,
        Err(error) => Err(error),
    };
    tell(context, &told, host, &kept).await;
    kept.close().await;
    status
}

/// Says once which parts of the pipeline this version only checks.
fn tell_not_acted_on(context: &Context, pipeline: &Pipeline) {
    let parts: Vec<&str> = pipeline::parts_not_acted_on(pipeline, RunBy::Hand)
        .iter()
        .map(|unsupported| unsupported.part)
        .collect();
    if !parts.is_empty() && context.settings.detail > Detail::Quiet {
        let text = format!("not acted on by this version: {}", parts.join(", "));
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

/// A run in the foreground, with everything it needs.
struct Foreground<'a> {
    context: &'a Context,
    args: &'a RunArgs,
    store: Arc<dyn Store>,
    pipeline: Arc<Pipeline>,
    world: World,
    engine: Engine,
    observer: Arc<dyn Observer>,
}

impl Foreground<'_> {
    async fn run_cycles(&self) -> CliResult {
        let mut status = Status::Green;
        for number in 1..=self.args.cycles {
            let detail = match self.args.cycles {
                1 => "by hand".to_owned(),
                cycles => format!("by hand, {number} of {cycles}"),
            };
            let mut ended = self.run_cycle(TriggerKind::Manual, detail).await?;
            if deserves_rerun(ended.state()) {
                let detail = format!("cycle {} was void", ended.state().queued.cycle);
                self.conclude(&ended)?;
                ended = self.run_cycle(TriggerKind::Retry, detail).await?;
            }
            let this = self.conclude(&ended)?;
            status = status.max(this);
            if this == Status::Cancelled || matches!(ended, Ended::Held(_)) {
                break;
            }
        }
        Ok(status)
    }

    async fn run_cycle(&self, kind: TriggerKind, detail: String) -> Result<Ended, CliError> {
        let folder = report_folder(reports_of(self.context, &self.pipeline))?;
        let least = least_cycle(self.store.as_ref(), &folder, &self.pipeline.name).await?;
        if let Some(text) = &least.warning {
            self.observer.on(Progress::Note { text });
        }
        let queued = self.queued(Trigger { kind, detail }, least.number);
        let cancel = &self.context.host.cancel;
        Ok(self.engine.run(queued, &self.pipeline, &self.world as &dyn Effects, cancel).await?)
    }

    fn queued(&self, trigger: Trigger, least: u32) -> Queued {
        let request = Request {
            pipeline: &self.pipeline,
            least,
            file: &normal(&self.args.pipeline),
            reports: &normal(reports_of(self.context, &self.pipeline)),
            not_acted_on: pipeline::parts_not_acted_on(&self.pipeline, RunBy::Hand)
                .iter()
                .map(ToString::to_string)
                .collect(),
            trigger,
            requested: self.args.revision.clone(),
            taken_together: vec![],
            options: RunOptions { deploy: !self.args.no_deploy, only: self.args.only.clone() },
        };
        request.queued()
    }

    /// Cycles that an earlier process left behind come first: their deploy may still be running.
    /// Gives back a status when one of them must be decided by a person before anything else.
    async fn finish_earlier(&self) -> Result<Option<Status>, CliError> {
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

    /// Prints what came of a cycle.
    fn conclude(&self, ended: &Ended) -> CliResult {
        let state = ended.state();
        let mut out = self.context.out();
        if self.args.json {
            out.json_line(&CycleJson::of(state)).map_err(printing)?;
        } else {
            show::print(&mut out, state).map_err(printing)?;
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

fn observer(context: &Context, args: &RunArgs) -> Arc<dyn Observer> {
    if args.json {
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
