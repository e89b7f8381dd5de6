//! How to deploy, and when the environment is ready.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::expect::Expect;
use super::request::Request;
use super::scalar::{Command, Duration, Extract, OneOrMany, Plain};

/// How to deploy.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Deploy {
    /// Whether it may be run again when a crash left its result unknown.
    #[schemars(extend("default" = false))]
    idempotent: Option<bool>,
    /// The steps, in order, in a checkout of the revision; one that fails ends the deploy.
    #[schemars(length(min = 1))]
    steps: Vec<DeployStep>,
    /// When to go back to the last green revision, and how.
    rollback: Option<Rollback>,
}

/// A step of a deploy: `run` or `http`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("oneOf" = [{"required": ["run"]}, {"required": ["http"]}]))]
struct DeployStep {
    /// For people. Default: the first words of what it does.
    name: Option<String>,
    /// A command, in a checkout of the revision.
    run: Option<Command>,
    /// A request.
    http: Option<Request>,
    /// What must hold of the answer. Default: a status of 2xx.
    expect: Option<Expect>,
    /// Then the whole process tree is ended.
    #[schemars(extend("default" = "15m"))]
    timeout: Option<Duration>,
    /// How often it may be tried again when it failed.
    #[schemars(range(min = 0, max = 100), extend("default" = 0))]
    retries: Option<u32>,
    /// Variables of the command's environment.
    env: Option<BTreeMap<String, Plain>>,
    /// Names of Andon's own variables to pass on.
    env_pass: Option<OneOrMany<String>>,
}

/// When to go back to the last green revision, and how.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Rollback {
    /// After which verdicts.
    #[schemars(extend("default" = ["deploy_failed", "not_ready"]))]
    when: Option<OneOrMany<RollbackWhen>>,
    /// Its own steps. Default: the deploy's steps with that revision.
    steps: Option<Vec<DeployStep>>,
}

/// A verdict after which to go back.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum RollbackWhen {
    DeployFailed,
    NotReady,
    Red,
}

/// When the environment is ready. A successful deploy step proves nothing.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Ready {
    /// The deadline, from the end of the deploy.
    #[schemars(extend("default" = "5m"))]
    timeout: Option<Duration>,
    /// Time between two rounds.
    #[schemars(extend("default" = "2s"))]
    every: Option<Duration>,
    /// Rounds in a row that must hold, each on fresh connections.
    #[schemars(range(min = 1, max = 1000), extend("default" = 3))]
    successes: Option<u32>,
    /// What is serving? Each surface must say the deployed revision: its full SHA, or its first 7 or more.
    revision: Option<OneOrMany<Surface>>,
    /// Requests whose expectations must hold.
    checks: Option<OneOrMany<Control>>,
}

/// One part of the environment that says which revision it serves.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Surface {
    /// Its name, unique in the pipeline.
    surface: String,
    /// The request.
    http: Request,
    /// Where the revision stands in the answer.
    value: Extract,
}

/// A request whose expectations must hold.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Control {
    /// For people. Default: method and address.
    name: Option<String>,
    /// The request.
    http: Request,
    /// What must hold of the answer. Default: a status of 2xx.
    expect: Option<Expect>,
}
