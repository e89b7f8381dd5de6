//! The real world behind [`super::Effects`]: git, commands, surfaces, cases, report files.
//!
//! Each action has a file. All of them follow one order: what is intended goes into the journal, then
//! the outside is touched, then what came of it goes into the journal. Asked for again, each takes up
//! what it finds.

mod analyse;
mod checkout;
mod claims;
mod commands;
mod deploy;
mod documents;
mod investigations;
mod notify;
mod ready;
mod report;
mod rollback;
mod rollout;
mod search;
mod stand_in;
mod suite;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::{Clock as _, Effects, EngineError, Journal, StatePaths, SystemClock};
use crate::cycle::Action;
use crate::domain::errors::chain;
use crate::domain::event::{Event, PhaseEnded};
use crate::domain::outcome::{Phase, PhaseOutcome};
use crate::domain::redact::{Masker, Secret};
use crate::domain::revision::{Revision, Sha};
use crate::domain::spec::{Pipeline, Suite};
use crate::git::{self, Fetched, Mirror};
use crate::probe::WallClock;
use crate::process::Launcher;
use crate::suite::{EnvError, EnvParts, Facts, HostEnv, RunEnv, SecretError, load_secrets};

pub use checkout::Resolved;
pub use documents::{NoDocument, document_of};
pub use search::{NoSearch, SearchState, cycle_to_search, cycles_to_search};
pub use stand_in::pipeline_of_records;
pub use suite::{case_ids, may_select};

/// What the world is made of.
pub struct Setup {
    /// The pipeline.
    pub pipeline: Arc<Pipeline>,
    /// Where state is kept.
    pub paths: StatePaths,
    /// The folder that report paths are relative to.
    pub working_dir: PathBuf,
    /// Variables of our own environment.
    pub host: HostEnv,
    /// Starts supervisors.
    pub launcher: Launcher,
}

/// The world of one pipeline.
pub struct World {
    setup: Setup,
    suite: Option<Arc<Suite>>,
    secrets: Vec<(String, Secret)>,
    masker: Masker,
    /// What the steps of a cycle know, made once for each revision that it rolls out.
    env: Mutex<Option<(u32, Option<Sha>, RunEnv)>>,
    /// Opened once for each process, and fetched once at most: a cycle tests one revision.
    mirror: OnceCell<Result<Mirror, Arc<git::Error>>>,
    fetched: OnceCell<Result<Fetched, Arc<git::Error>>>,
    after: After,
}

/// What whoever runs a cycle does when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// Nothing.
    Nothing,
    /// The loop of the pipeline goes on, or ends.
    Loop,
}

impl World {
    /// Loads the pipeline's secrets. Gives back what a person should know about them, too.
    ///
    /// # Errors
    /// Every secret that cannot be had.
    pub async fn open(setup: Setup) -> Result<(Self, Vec<String>), Vec<SecretError>> {
        let loaded = load_secrets(&setup.pipeline.secrets, &setup.host).await?;
        let values = loaded.secrets.iter().map(|(_, secret)| secret.expose().to_owned());
        let masker = Masker::new(values);
        let suite = setup.pipeline.suite.clone();
        let secrets = loaded.secrets;
        let env = Mutex::new(None);
        let (mirror, fetched) = (OnceCell::new(), OnceCell::new());
        let after = After::Nothing;
        let world = Self { setup, suite, secrets, masker, env, mirror, fetched, after };
        Ok((world, loaded.warnings))
    }

    /// A world whose cycles are followed by those of the pipeline's loop: their findings say where it ends.
    #[must_use]
    pub fn in_loop(mut self) -> Self {
        self.after = After::Loop;
        self
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &Pipeline {
        &self.setup.pipeline
    }

    /// A text without the pipeline's secrets.
    pub fn masked(&self, text: &str) -> String {
        self.masker.mask(text)
    }

    /// What the steps of this cycle know now.
    fn env_of(&self, journal: &Journal) -> Result<RunEnv, EngineError> {
        let state = journal.state();
        let queued = &state.queued;
        let revision = rollout::Side::now(state).revision(state);
        let sha = revision.map(|revision| &revision.sha);
        let mut made = self.env.lock().expect("no holder of this lock panics");
        if let Some((cycle, of, env)) = made.as_ref()
            && (*cycle, of.as_ref()) == (queued.cycle, sha)
        {
            return Ok(env.clone());
        }
        let pipeline = self.pipeline();
        let env = self.make_env(Facts {
            pipeline: pipeline.name.to_string(),
            environment: pipeline.environment.to_string(),
            cycle: queued.cycle,
            revision: revision.cloned(),
        });
        let env = env.map_err(|fault| EngineError::Internal { what: chain(&fault) })?;
        *made = Some((queued.cycle, sha.cloned(), env.clone()));
        Ok(env)
    }

    /// What is known outside any cycle, of a revision.
    ///
    /// # Errors
    /// When a variable or a host refers to something that has no value.
    pub fn env_beside(&self, revision: Revision) -> Result<RunEnv, EnvError> {
        let pipeline = self.pipeline();
        self.make_env(Facts {
            pipeline: pipeline.name.to_string(),
            environment: pipeline.environment.to_string(),
            cycle: 0,
            revision: Some(revision),
        })
    }

    fn make_env(&self, facts: Facts) -> Result<RunEnv, EnvError> {
        let pipeline = self.pipeline();
        RunEnv::new(EnvParts {
            facts,
            vars: &pipeline.vars,
            secrets: self.secrets.clone(),
            identities: &pipeline.identities,
            hosts: pipeline.hosts.as_deref(),
            host_env: Arc::clone(&self.setup.host),
            clock: WallClock::new(|| SystemClock.now()),
        })
    }

    fn secret_values(&self) -> Vec<String> {
        self.secrets.iter().map(|(_, secret)| secret.expose().to_owned()).collect()
    }

    fn absolute(&self, relative: &str) -> PathBuf {
        self.setup.paths.absolute(relative)
    }
}

#[async_trait]
impl Effects for World {
    async fn perform(
        &self,
        action: Action,
        journal: &mut Journal,
        cancel: &CancellationToken,
    ) -> Result<(), EngineError> {
        match action {
            Action::Checkout => self.check_out(journal).await,
            Action::DeployStep { index, attempt, recorded } => {
                self.deploy_step(journal, index, attempt, recorded, cancel).await
            }
            Action::AskSurfaces => self.ask_surfaces(journal).await,
            Action::AwaitReady { deadline_at } => {
                self.await_ready(journal, deadline_at, cancel).await
            }
            Action::RunSuite { deadline_at } => self.run_suite(journal, deadline_at, cancel).await,
            Action::Analyse => self.analyse(journal).await,
            Action::PlanRollback => self.plan_rollback(journal).await,
            Action::WriteReport => self.write_report(journal).await,
            Action::Notify => self.notify(journal).await,
        }
    }
}

/// The end of a phase that began when its record says.
fn phase_ended(
    journal: &Journal,
    phase: Phase,
    outcome: PhaseOutcome,
    detail: Option<String>,
) -> Event {
    let started = journal.state().phase_record(phase).map(|record| record.started_at);
    let took = started.map_or(0, |at| journal.now().duration_since(at).as_millis());
    let duration_ms = u64::try_from(took).unwrap_or(0);
    Event::PhaseEnded(PhaseEnded { phase, outcome, duration_ms, detail })
}
