//! The top of a pipeline file.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::deploy::{Control, Deploy, Ready};
use super::news::{Alarm, Culprit, Cycles, Notify, Report};
use super::request::Http;
use super::scalar::{
    Duration, Extract, Glob, Json, OneOrMany, Path, Plain, SignedDuration, Template,
};
use super::suite::Suite;

/// One pipeline: what to watch, how to deploy, when it is ready, what to run, how to report.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct PipelineFile {
    /// The version of this language.
    #[schemars(extend("const" = 1))]
    version: u32,
    /// The name, also of the folder under `reports`. Default: the file's stem.
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9-]{0,99}$"))]
    name: Option<String>,
    /// For people.
    description: Option<String>,
    /// What is deployed to. Pipelines of one environment never deploy or test at the same time. Default: the name.
    environment: Option<String>,
    /// Hosts that native steps may talk to, and no others; `*.example.com` allows every name under it.
    hosts: Option<OneOrMany<String>>,
    /// Variables, `${name}` in native steps and `ANDON_VAR_NAME` in commands. One may use those before it.
    vars: Option<BTreeMap<String, Json>>,
    /// Secrets, `${secret.NAME}` in native steps and `ANDON_SECRET_NAME` in commands. Never printed or stored.
    secrets: Option<BTreeMap<String, Secret>>,
    /// Who a test acts as: `${identity.NAME.token}` in steps.
    identities: Option<BTreeMap<String, Identity>>,
    /// What to watch.
    watch: Option<Watch>,
    /// When to run by the clock.
    schedule: Option<OneOrMany<Schedule>>,
    /// How to deploy. Left out: what is there is tested.
    deploy: Option<Deploy>,
    /// When the environment is ready: the suite starts only when all of this holds.
    ready: Option<Ready>,
    /// Things that must work whatever was deployed. When one fails, the cycle is void, not red.
    controls: Option<OneOrMany<Control>>,
    /// The tests that decide the verdict.
    suite: Option<Suite>,
    /// When to run again.
    cycles: Option<Cycles>,
    /// Search the commit that broke a cycle.
    culprit: Option<Culprit>,
    /// Where reports go.
    report: Option<Report>,
    /// Whom to tell, on change only.
    notify: Option<OneOrMany<Notify>>,
    /// Silence that is news.
    alarm: Option<Alarm>,
}

/// Where a secret comes from: exactly one of these.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct Secret {
    /// A variable of Andon's own environment.
    env: Option<String>,
    /// A file; one newline at its end is taken off.
    file: Option<Path>,
    /// What a program prints; one newline at its end is taken off.
    command: Option<Vec<Plain>>,
}

/// How the token of an identity is made: exactly one of these.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))]
struct Identity {
    /// Minted by Andon (RFC 7519). `iat`, `exp` and, where absent, `jti` are added.
    jwt: Option<Jwt>,
    /// Fetched from a service.
    login: Option<Login>,
}

/// A token to mint.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Jwt {
    /// The signature.
    #[schemars(extend("enum" = ["HS256", "HS384", "HS512"], "default" = "HS256"))]
    algorithm: Option<String>,
    /// The key.
    key: Template,
    /// The claims.
    claims: Option<BTreeMap<String, Json>>,
    /// Further fields of the header.
    header: Option<BTreeMap<String, Json>>,
    /// How long it is good for; negative for a token that has expired.
    #[schemars(extend("default" = "15m"))]
    expires_in: Option<SignedDuration>,
}

/// A login whose answer holds the token.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Login {
    /// The request.
    http: Http,
    /// Where the token stands in the answer.
    token: Extract,
    /// How long it is good for. Default: `exp` of a JWT, else the cycle.
    expires_in: Option<Duration>,
}

/// What to watch.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Watch {
    /// The repository: https, ssh, or a path.
    repo: String,
    /// Branches. Default: the remote's default branch.
    branches: Option<OneOrMany<Glob>>,
    /// A commit counts when it touches one of these. Default: any.
    paths: Option<OneOrMany<Glob>>,
    /// Paths that do not count.
    ignore_paths: Option<OneOrMany<Glob>>,
    /// Time between two looks, at least `1s`; `off`: only webhooks, schedules and hand.
    #[schemars(extend("default" = "30s"))]
    poll: Option<Poll>,
    /// Quiet time before a cycle starts; commits that land meanwhile are taken together.
    #[schemars(extend("default" = "5s"))]
    settle: Option<Duration>,
    /// A commit whose message holds this is not run for.
    #[schemars(extend("default" = "[skip andon]"))]
    skip_marker: Option<String>,
    /// How to log in. Default: git's own credential helpers and ssh agent.
    auth: Option<RepoAuth>,
}

/// A duration, or `off`.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Poll {
    Every(Duration),
    Off(#[schemars(extend("const" = "off"))] String),
}

/// How to log in to a repository: `username` and `password`, or `ssh_key`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct RepoAuth {
    /// The user.
    username: Option<Template>,
    /// The password or token, best a `${secret.NAME}`.
    password: Option<Template>,
    /// The file of a private key.
    ssh_key: Option<Path>,
}

/// When to run by the clock.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Schedule {
    /// Its name, unique in the pipeline.
    name: Option<String>,
    /// Five crontab fields (minute, hour, day of the month, month, day of the week), or `@hourly`, `@daily`,
    /// `@nightly`, `@weekly`, `@monthly`, `@yearly`.
    #[schemars(extend("examples" = ["30 2 * * *", "*/30 8-18 * * mon-fri", "@nightly"]))]
    cron: String,
    /// A name of the IANA database.
    #[schemars(extend("default" = "UTC", "examples" = ["Europe/Berlin"]))]
    timezone: Option<String>,
    /// What to do on start for a time that passed while nobody was there.
    #[schemars(extend("enum" = ["run_once", "skip"], "default" = "run_once"))]
    missed: Option<String>,
    /// Only when a watched branch moved since the last cycle.
    #[schemars(extend("default" = false))]
    only_if_changed: Option<bool>,
    /// Whether to deploy, or to test what is there.
    #[schemars(extend("default" = true))]
    deploy: Option<bool>,
    /// How many cycles of the same revision, which measures noise.
    #[schemars(range(min = 1, max = 100), extend("default" = 1))]
    repeat: Option<u32>,
}
