//! What a pipeline asks for, checked: the meaning of the YAML, not its spelling.
//!
//! `pipeline` makes these values and is the only place that does; whoever holds one may trust it.
//! They serialise (one way only) so that a definition can be told from another by its digest.

mod http;
mod identity;
mod later;
mod matcher;
mod suite;

pub use http::{BasicAuth, Body, HttpRequest, MultipartPart, SseRequest, TlsOptions};
pub use http::{WsClose, WsMessage, WsOpen, WsStep};
pub use identity::{
    Identity, IdentityKind, JwtAlgorithm, JwtSpec, LoginSpec, SecretSource, SecretSpec,
};
pub use later::{
    Alarm, Culprit, Cycles, EmailNotify, Forge, ForgeRepo, MissedRun, NewsKind, Notify,
    NotifyChannel, Poll, PublishGit, RepoAuth, ReportSpec, Schedule, SlackNotify, Until, Watch,
    WebhookNotify,
};
pub use matcher::{
    Condition, DurationBound, Extract, JsonPath, JsonType, Matcher, Ordering, Percentile, SchemaRef,
};
pub use suite::{
    Action, Capture, Case, CaseGroup, CloseExpect, EventName, EventsExpect, Eventually, Expect,
    FlakyPolicy, Priority, Quarantine, RefusedExpect, Shape, Step, Suite, SuiteCommand,
    SuspiciousPolicy, TlsExpect,
};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::names::{EnvironmentName, PipelineName};
use super::template::{JsonTemplate, Template};

/// One checked pipeline.
#[derive(Debug, Clone, Serialize)]
pub struct Pipeline {
    /// Its name.
    pub name: PipelineName,
    /// For people.
    pub description: Option<String>,
    /// What it deploys to.
    pub environment: EnvironmentName,
    /// The allow-list of hosts that native steps may talk to; templates, `*.` as a first label allowed.
    pub hosts: Option<Vec<Template>>,
    /// Variables in the order written; one may refer to earlier ones and to what is built in.
    pub vars: Vec<(String, JsonTemplate)>,
    /// Where secrets come from.
    pub secrets: Vec<SecretSpec>,
    /// Who a test acts as.
    pub identities: Vec<Identity>,
    /// What to watch.
    pub watch: Option<Watch>,
    /// When to run by the clock.
    pub schedules: Vec<Schedule>,
    /// How to deploy; `None` tests what is there.
    pub deploy: Option<Deploy>,
    /// When the environment is ready.
    pub ready: Ready,
    /// What must work whatever was deployed.
    pub controls: Vec<Control>,
    /// What to run; `None` is a pipeline that only deploys.
    pub suite: Option<Arc<Suite>>,
    /// When to run again.
    pub cycles: Cycles,
    /// Whether and how to search the commit that broke a cycle.
    pub culprit: Option<Culprit>,
    /// Where reports go.
    pub report: ReportSpec,
    /// Whom to tell.
    pub notify: Vec<Notify>,
    /// Silence that is news.
    pub alarm: Option<Alarm>,
    /// The file it was read from.
    pub file: PathBuf,
    /// The digest of vars, deploy, ready, controls and identities (twelve hex digits): what `config` as a cause means.
    pub config_digest: String,
}

/// How to deploy.
#[derive(Debug, Clone, Serialize)]
pub struct Deploy {
    /// Whether it may be run again when a crash left its result unknown.
    pub idempotent: bool,
    /// The steps, in order; one that fails ends the deploy.
    pub steps: Vec<DeployStep>,
    /// When to go back, and how.
    pub rollback: Option<Rollback>,
}

/// One step of a deploy.
#[derive(Debug, Clone, Serialize)]
pub struct DeployStep {
    /// Its name; the command's first words where none was given.
    pub name: String,
    /// What it does.
    pub action: DeployAction,
    /// After which its whole process tree is ended.
    pub timeout: Duration,
    /// How often it may be tried again when it failed.
    pub retries: u32,
    /// Variables of the command's environment.
    pub env: Vec<(String, String)>,
    /// Names of our own environment's variables to pass on.
    pub env_pass: Vec<String>,
}

/// What a deploy step does.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployAction {
    /// Runs a command.
    Run(Command),
    /// Makes a request.
    Http {
        /// The request.
        request: Box<HttpRequest>,
        /// What must hold of its answer.
        expect: Box<Expect>,
    },
}

/// A command to run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Given to `sh -c`, as it stands.
    Shell(String),
    /// A program and its arguments.
    Argv(Vec<String>),
}

impl std::fmt::Display for Command {
    /// As a person would type it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shell(text) => f.write_str(text.trim()),
            Self::Argv(argv) => {
                let words: Vec<String> = argv.iter().map(|word| shell_word(word)).collect();
                f.write_str(&words.join(" "))
            }
        }
    }
}

/// A word that a shell reads as it is.
fn shell_word(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./=:,@%+".contains(&b);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

impl Command {
    /// The arguments with which it is started.
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Shell(text) => vec!["sh".to_owned(), "-c".to_owned(), text.clone()],
            Self::Argv(argv) => argv.clone(),
        }
    }
}

impl Deploy {
    /// The steps that go back to another revision: of their own, or the deploy's.
    pub fn rollback_steps(&self) -> &[DeployStep] {
        let own = self.rollback.as_ref().map(|rollback| rollback.steps.as_slice());
        own.filter(|steps| !steps.is_empty()).unwrap_or(&self.steps)
    }
}

/// When to go back to the last green revision.
#[derive(Debug, Clone, Serialize)]
pub struct Rollback {
    /// Verdicts after which to go back: `deploy_failed`, `not_ready`, `red`.
    pub when: Vec<super::outcome::Verdict>,
    /// Its own steps; empty means the deploy's steps with the last green revision.
    pub steps: Vec<DeployStep>,
}

/// When the environment is ready.
#[derive(Debug, Clone, Serialize)]
pub struct Ready {
    /// The deadline, from the end of the deploy.
    pub timeout: Duration,
    /// Time between two rounds.
    pub every: Duration,
    /// Rounds in a row that must hold.
    pub successes: u32,
    /// The surfaces that say which revision they serve.
    pub surfaces: Vec<Surface>,
    /// Requests whose expectations must hold.
    pub checks: Vec<Control>,
}

/// One part of the environment that says which revision it serves.
#[derive(Debug, Clone, Serialize)]
pub struct Surface {
    /// Its name, unique in the pipeline.
    pub name: String,
    /// The request.
    pub request: HttpRequest,
    /// Where the revision stands in the answer.
    pub value: Extract,
}

/// A request whose expectations must hold: a readiness check or a control.
#[derive(Debug, Clone, Serialize)]
pub struct Control {
    /// Its name.
    pub name: String,
    /// The request.
    pub request: HttpRequest,
    /// What must hold of its answer.
    pub expect: Expect,
}
