//! One run of a command: what it is told, and its end.

use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::World;
use crate::command::{RunFolder, listing, told};
use crate::deploy::{self, CommandStep, StepEnd, TakenUp};
use crate::domain::event::{CommandEnded, CommandPart, CommandRun, Left};
use crate::domain::observed::Observed;
use crate::domain::spec::{Command, SuiteCommand};
use crate::domain::state::CommandRecord;
use crate::engine::{EngineError, Journal, Progress};
use crate::observe::{Access, Proxy, Settings};
use crate::process::{IfParentDies, Leftovers};

/// How a run ended.
pub(super) struct Ended {
    pub run: CommandRun,
    pub end: StepEnd,
    /// What its proxy saw.
    pub observed: Option<Observed>,
}

/// The end of a run, before what it left is read.
pub(super) fn unread(run: CommandRun, end: StepEnd) -> CommandEnded {
    let StepEnd { exit, outcome, duration_ms, detail, output } = end;
    CommandEnded {
        run,
        outcome,
        exit,
        duration_ms,
        detail,
        output,
        observed: None,
        doubts: Vec::new(),
        left: Left::default(),
    }
}

/// A run, until its end.
pub(super) type Execution<'a> = BoxFuture<'a, Ended>;

impl World {
    /// A run whose start is recorded, until its end: started, or taken up where an earlier process may
    /// have started it.
    pub(super) fn execution<'a>(
        &'a self,
        journal: &Journal,
        command: &SuiteCommand,
        record: &CommandRecord,
        (recorded, proxy): (bool, Option<Proxy>),
        cancel: &'a CancellationToken,
    ) -> Result<Execution<'a>, EngineError> {
        let folder = self.folder_of(&record.started);
        let run = record.started.run.clone();
        let to_run = what_runs(command, run.part);
        let checkout = self.checkout(journal)?;
        let mut variables = self.variables(journal, command, &run, &folder, &checkout)?;
        let proxied = proxy.iter().flat_map(Proxy::environment);
        variables.extend(proxied.map(|(name, value)| (name.to_owned(), value)));
        let observer = Arc::clone(journal.observer());
        let (deadline_at, now) = (record.started.deadline_at, journal.now());
        let step = command.name.clone();
        Ok(Box::pin(async move {
            let run_dir = folder.supervised();
            let on_output = |bytes: &[u8]| observer.on(Progress::Output { step: &step, bytes });
            let mut taken_up = None;
            if recorded {
                match deploy::take_up(&run_dir, on_output, cancel).await {
                    TakenUp::Ended(end) => taken_up = Some(end),
                    // Proven: it never began, so a start now is its first.
                    TakenUp::NeverStarted => deploy::remove_unused(&run_dir),
                }
            }
            let mask = self.secret_values();
            let to_run = CommandStep {
                command: &to_run,
                cwd: &checkout,
                variables,
                mask,
                deadline_at,
                now,
                leftovers: Leftovers::Keep,
                if_parent_dies: IfParentDies::RunsOn,
            };
            let end = match taken_up {
                Some(end) => end,
                None => {
                    deploy::run(&self.setup.launcher, &run_dir, to_run, on_output, cancel).await
                }
            };
            let observed = match proxy {
                Some(proxy) => Some(proxy.finish().await),
                None => None,
            };
            Ended { run, end, observed }
        }))
    }

    /// The proxy that observes a run, where it is to be observed: at `port` where it had one before.
    pub(super) async fn proxy(
        &self,
        journal: &Journal,
        command: &SuiteCommand,
        (part, port): (CommandPart, Option<u16>),
    ) -> Result<Option<Proxy>, EngineError> {
        if !command.observe_proxy || part == CommandPart::List {
            return Ok(None);
        }
        let settings = Settings {
            hosts: self.env_of(journal)?.hosts().cloned(),
            access: Access::Loopback,
            started_at: journal.now(),
        };
        let started = Proxy::start_at(port.unwrap_or(0), settings).await;
        match (started, port) {
            (Ok(proxy), _) => Ok(Some(proxy)),
            // The run goes on, unobserved from here; what its tests say shows what that did to them.
            (Err(fault), Some(port)) => {
                tracing::warn!(%fault, port, "the proxy of a command that runs on cannot listen again");
                Ok(None)
            }
            (Err(fault), None) => Err(EngineError::Internal {
                what: format!("the proxy of command {} cannot listen: {fault}", command.name),
            }),
        }
    }

    /// The environment of a run: that of a deploy step, and where its results and lists are.
    fn variables(
        &self,
        journal: &Journal,
        command: &SuiteCommand,
        run: &CommandRun,
        folder: &RunFolder,
        checkout: &Path,
    ) -> Result<Vec<(String, String)>, EngineError> {
        let shard = run.shard.map(|shard| (shard, command.shards));
        let own = told(command, run.part, shard, folder);
        self.variables_of(journal, checkout, &own, &command.env_pass)
    }
}

fn what_runs(command: &SuiteCommand, part: CommandPart) -> Command {
    match part {
        CommandPart::Tests => command.run.clone(),
        CommandPart::Rerun => command.rerun.clone().unwrap_or_else(|| command.run.clone()),
        CommandPart::List => listing(command.list.as_ref().unwrap_or(&command.run)),
    }
}
