//! Runs the commands of a suite where Andon stands between them and the service: first with the real service as it
//! is, then with one fault at a time.
//!
//! Which faults are tried, and what the runs add up to, is decided by `prove`; what is wrong with the service is
//! the matter of `impair`. A command runs as in a cycle, in a checkout and under a supervisor, with one
//! difference: nothing that it leaves behind lives on.
//!
//! What it must not do: deploy, store, or touch anything but the folder that it is given.

mod folder;
mod reading;
mod run;

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::command::Printed;
use crate::domain::names::CaseId;
use crate::domain::redact::Masker;
use crate::domain::revision::Revision;
use crate::domain::spec::{Suite, SuiteCommand};
use crate::impair::{Service, Tls};
use crate::probe::WallClock;
use crate::process::Launcher;
use crate::prove::{CaseProof, CommandProof, CommandTrial, Fault, time_left};
use crate::suite::{HostEnv, RunEnv};
pub use folder::Folder;
use reading::{Read, why_not_believed};
use run::{Runner, Task};

/// What a run under a fault is given beyond twice the time of the ideal run: a client that gets no answer
/// waits until its own deadline.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where commands run, and with what.
pub struct Ground {
    /// The pipeline's name.
    pub pipeline: String,
    /// The environment's name.
    pub environment: String,
    /// Variables, secrets and hosts.
    pub env: RunEnv,
    /// The revision that is checked out.
    pub revision: Revision,
    /// Its files.
    pub checkout: PathBuf,
    /// A folder for the runs. Nothing else may be in it.
    pub runs: PathBuf,
    /// Starts supervisors.
    pub launcher: Launcher,
    /// Variables of our own environment.
    pub host_env: HostEnv,
    /// The wall clock.
    pub clock: WallClock,
}

/// Trials that came to no end.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// Somebody asked us to end.
    #[error("the trial was cancelled")]
    Cancelled,
    /// A run could not be made ready.
    #[error("its run cannot be made ready: {0}")]
    Setup(#[from] io::Error),
    /// A defect of ours.
    #[error("the task that reads results ended")]
    Defect(#[from] tokio::task::JoinError),
}

/// A run that begins.
#[derive(Debug, Clone, Copy)]
pub struct Begins<'a> {
    /// Of this command.
    pub command: &'a str,
    /// With this fault; `None`: with the service as it is.
    pub fault: Option<Fault>,
    /// Which of the command's runs under a fault, from 1, and of how many.
    pub number: (usize, usize),
    /// How long it and those behind it may take, by those before.
    pub left: Option<Duration>,
}

/// Told of each run before it begins.
pub type Watch<'a> = &'a (dyn Fn(Begins<'_>) + Send + Sync);

/// Shows of every command of a suite, and of each of its cases, whether it can fail.
///
/// # Errors
/// On a cancel, or for a defect of ours. What hinders one command is told of that command.
pub async fn try_commands(
    ground: &Ground,
    suite: &Suite,
    watch: Watch<'_>,
    cancel: &CancellationToken,
) -> Result<(Vec<CommandProof>, Vec<CaseProof>), TrialError> {
    let vars = ground.env.vars();
    let texts = vars.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    let service = Service::of(texts);
    // The machine's roots are many: they are read once for all runs.
    let tls = match service.is_tls() {
        true => Some(Tls::of_machine().await),
        false => None,
    };
    let (mut commands, mut cases) = (Vec::new(), Vec::new());
    let mut known: HashSet<CaseId> = suite.cases().map(|case| case.id.clone()).collect();
    for (index, command) in suite.commands.iter().enumerate() {
        let at_most = command.timeout.min(suite.timeout);
        let service = &service;
        let performed = match &tls {
            Some(Err(fault)) => {
                Err(TrialError::Setup(io::Error::new(fault.kind(), fault.to_string())))
            }
            Some(Ok(_)) | None => {
                let tls = tls.as_ref().and_then(|tls| tls.as_ref().ok());
                let behind = Behind { service, tls };
                let trial = Trial { ground, command, index, at_most, behind, watch, cancel };
                trial.perform(&known).await
            }
        };
        let (proof, of_command) = match performed {
            Ok(shown) => shown,
            Err(fault @ TrialError::Setup(_)) => {
                (CommandProof::not_tried(&command.name, 0, fault.to_string()), Vec::new())
            }
            Err(fault @ (TrialError::Cancelled | TrialError::Defect(_))) => return Err(fault),
        };
        known.extend(of_command.iter().map(|case| case.id.clone()));
        commands.push(proof);
        cases.extend(of_command);
    }
    Ok((commands, cases))
}

/// What is behind the proxies.
#[derive(Clone, Copy)]
struct Behind<'a> {
    service: &'a Service,
    /// Where the service speaks it.
    tls: Option<&'a Tls>,
}

/// One command, through all its runs.
struct Trial<'a> {
    ground: &'a Ground,
    command: &'a SuiteCommand,
    index: usize,
    at_most: Duration,
    behind: Behind<'a>,
    watch: Watch<'a>,
    cancel: &'a CancellationToken,
}

impl Trial<'_> {
    async fn perform(
        &self,
        known: &HashSet<CaseId>,
    ) -> Result<(CommandProof, Vec<CaseProof>), TrialError> {
        let secrets = self.ground.env.secrets();
        let masker = Masker::new(secrets.iter().map(|(_, secret)| secret.expose().to_owned()));
        let service = self.behind.service;
        let runner = Runner {
            ground: self.ground,
            command: self.command,
            index: self.index,
            known,
            masker: &masker,
            behind: self.behind,
            cancel: self.cancel,
        };
        let not_led = runner.not_led();
        self.begins(None, (0, 0), None);
        let listed = runner.list(self.at_most).await?;
        let ideal = runner.run(None, &self.task(&listed, self.at_most)).await?;
        let is_service = |host: &str| service.has(host);
        let why_not = why_not_believed(&ideal.ended, &masker)
            .or_else(|| ideal.traffic.why_nothing_to_try(&is_service));
        if let Some(why) = why_not {
            let (proof, cases) = nothing_tried(&self.command.name, &ideal, why);
            return Ok((CommandProof { not_led, ..proof }, cases));
        }
        let took = Duration::from_millis(ideal.ended.duration_ms);
        let patience = took.saturating_mul(2).saturating_add(PATIENCE).min(self.at_most);
        let name = &self.command.name;
        let candidates = ideal.candidates(&is_service);
        let mut trial = CommandTrial::of(name, candidates, &ideal.traffic, &is_service);
        let faults = trial.faults();
        let mut took = vec![took];
        for (place, fault) in faults.iter().copied().enumerate() {
            let left = time_left(&took, &faults[place..], patience);
            self.begins(Some(fault), (place + 1, faults.len()), Some(left));
            let ran = runner.run(Some(fault), &self.task(&listed, patience)).await?;
            took.push(Duration::from_millis(ran.ended.duration_ms));
            trial.take(fault, ran.end(), |case| ran.told(case));
        }
        let (proof, cases) = trial.conclude();
        Ok((CommandProof { not_led, ..proof }, cases))
    }

    fn task<'t>(&self, listed: &'t Printed, at_most: Duration) -> Task<'t> {
        Task { listed, at_most }
    }

    fn begins(&self, fault: Option<Fault>, number: (usize, usize), left: Option<Duration>) {
        (self.watch)(Begins { command: &self.command.name, fault, number, left });
    }
}

/// Of a command of which nothing can be tried, all cases that are known are told, each with the reason.
fn nothing_tried(name: &str, ideal: &Read, why: String) -> (CommandProof, Vec<CaseProof>) {
    let candidates = ideal.candidates(&|_| true);
    let proof = CommandProof::not_tried(name, candidates.len(), why.clone());
    let cases = candidates.into_iter().map(|case| CaseProof::not_tried(case.id, why.clone()));
    (proof, cases.collect())
}
