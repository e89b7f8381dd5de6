//! One run of a command, from its folder to its results.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::reading::{Read, Results};
use super::{Behind, Ground, TrialError};
use crate::command::{Names, Printed, RunFolder, listing, parse_listed, told};
use crate::deploy::{self, CommandStep, StepEnd, StepFacts};
use crate::domain::event::CommandPart;
use crate::domain::names::CaseId;
use crate::domain::outcome::PhaseOutcome;
use crate::domain::redact::Masker;
use crate::domain::spec::{Command, SuiteCommand};
use crate::impair::{Proxy, Settings};
use crate::process::{IfParentDies, Leftovers};
use crate::prove::{Fault, NotLed};

/// What commands are told their run is for: nobody else asked.
const TRIGGER: &str = "manual";

/// Runs one command.
pub(super) struct Runner<'a> {
    pub(super) ground: &'a Ground,
    pub(super) command: &'a SuiteCommand,
    /// Its place in the suite.
    pub(super) index: usize,
    /// The cases of the suite that are not its own.
    pub(super) known: &'a HashSet<CaseId>,
    pub(super) masker: &'a Masker,
    pub(super) behind: Behind<'a>,
    pub(super) cancel: &'a CancellationToken,
}

/// What a run is for.
pub(super) struct Task<'a> {
    /// What the command listed.
    pub(super) listed: &'a Printed,
    /// After so long its process tree is ended.
    pub(super) at_most: Duration,
}

impl Runner<'_> {
    /// What the command lists, if it can. As in a cycle no proxy watches.
    pub(super) async fn list(&self, at_most: Duration) -> Result<Printed, TrialError> {
        let Some(list) = &self.command.list else { return Ok(Printed::default()) };
        let folder = self.folder("list");
        folder.prepare()?;
        let variables = self.variables(told(self.command, CommandPart::List, None, &folder));
        // A list that fails lists nothing; whether the command does is seen by its run.
        self.execute(&folder, &listing(list), variables, at_most).await?;
        let reading = tokio::task::spawn_blocking(move || folder.listed());
        Ok(reading.await?)
    }

    /// The command's tests, with this fault or with the service as it is.
    pub(super) async fn run(
        &self,
        fault: Option<Fault>,
        task: &Task<'_>,
    ) -> Result<Read, TrialError> {
        let folder = self.folder(fault.map_or("ideal", Fault::name));
        folder.prepare()?;
        let started_at = self.ground.clock.now();
        let proxy = Proxy::start(Settings {
            fault,
            service: self.behind.service.clone(),
            tls: self.behind.tls.cloned(),
            // As in a cycle: where nobody observes a command, nobody keeps it from anything.
            hosts: self.ground.env.hosts().filter(|_| self.command.observe_proxy).cloned(),
            started_at,
        });
        let proxy = proxy.await?;
        let mut variables = self.variables(self.told(&folder, task)?);
        proxy.lead_here(&mut variables);
        let run = &self.command.run;
        let end = self.execute(&folder, run, variables, task.at_most).await?;
        let traffic = proxy.finish().await;
        let results = Results {
            folder,
            command: self.command.clone(),
            names: Names::beside(self.known.clone(), &self.command.name, self.masker),
            masker: self.masker.clone(),
            listed: task.listed.clone(),
            since: started_at,
        };
        let read = tokio::task::spawn_blocking(move || results.read(end, traffic));
        Ok(read.await?)
    }

    /// The variables that have an address of the service and would not lead to a proxy.
    pub(super) fn not_led(&self) -> Vec<NotLed> {
        let variables = self.variables(self.command.env.clone());
        self.behind.service.not_led(&variables)
    }

    fn folder(&self, part: &str) -> RunFolder {
        RunFolder::at(self.ground.runs.join(format!("{:02}-{part}", self.index + 1)))
    }

    /// A command in parts runs as one: its one part has every test that it listed.
    fn told(
        &self,
        folder: &RunFolder,
        task: &Task<'_>,
    ) -> Result<Vec<(String, String)>, TrialError> {
        let shard = (self.command.shards > 1).then_some((1, 1));
        if shard.is_some() {
            RunFolder::write_ids(&folder.shard(), parse_listed(&task.listed.text))?;
        }
        Ok(told(self.command, CommandPart::Tests, shard, folder))
    }

    /// The whole environment: that of a cycle, of which there is none.
    fn variables(&self, own: Vec<(String, String)>) -> Vec<(String, String)> {
        let Ground { pipeline, environment, env, revision, checkout, host_env, .. } = self.ground;
        let facts = StepFacts {
            pipeline,
            cycle: 0,
            revision,
            trigger: TRIGGER,
            environment,
            checkout: &checkout.to_string_lossy(),
            vars: &env.vars(),
            secrets: &env.secrets(),
        };
        deploy::variables(&facts, &own, &self.command.env_pass, host_env)
    }

    async fn execute(
        &self,
        folder: &RunFolder,
        command: &Command,
        variables: Vec<(String, String)>,
        at_most: Duration,
    ) -> Result<StepEnd, TrialError> {
        let now = self.ground.clock.now();
        let at_most = SignedDuration::try_from(at_most).unwrap_or(SignedDuration::MAX);
        let secrets = self.ground.env.secrets();
        let step = CommandStep {
            command,
            cwd: &self.ground.checkout,
            variables,
            mask: secrets.iter().map(|(_, secret)| secret.expose().to_owned()).collect(),
            deadline_at: now.saturating_add(at_most).unwrap_or(Timestamp::MAX),
            now,
            leftovers: Leftovers::End,
            // Nobody takes a trial up.
            if_parent_dies: IfParentDies::Ended,
        };
        let run_dir = folder.supervised();
        let end = deploy::run(&self.ground.launcher, &run_dir, step, |_| (), self.cancel).await;
        if self.cancel.is_cancelled() || end.outcome == PhaseOutcome::Cancelled {
            return Err(TrialError::Cancelled);
        }
        Ok(end)
    }
}
