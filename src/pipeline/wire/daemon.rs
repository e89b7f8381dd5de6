//! `andon.yaml`.

use schemars::JsonSchema;

use super::pipeline::Secret;
use super::scalar::{OneOrMany, Path};

/// Settings of the daemon. Flags and `ANDON_*` variables override them.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct DaemonFile {
    /// Where to listen: address and port. Any address but this machine's own needs `tokens`.
    #[schemars(extend("default" = "127.0.0.1:7070"))]
    listen: Option<String>,
    /// Other names under which the daemon is reached, as through a proxy.
    #[schemars(extend("examples" = [["andon.example.com"]]))]
    hosts: Option<Vec<String>>,
    /// Where people reach the pages: news, statuses of commits and comments lead there.
    #[schemars(extend("examples" = ["https://andon.example.com"]))]
    public_url: Option<String>,
    /// The folder with pipelines.
    #[schemars(extend("default" = "pipelines"))]
    pipelines: Option<Path>,
    /// The folder for state.
    #[schemars(extend("default" = ".andon"))]
    state: Option<Path>,
    /// Where reports go that their pipeline sends nowhere else.
    #[schemars(extend("default" = "reports"))]
    reports: Option<Path>,
    /// The file with the records, as `sqlite:FILE`; beside this file where it is no absolute path. Default: `andon.db`
    /// in the state folder.
    #[schemars(extend("pattern" = "^sqlite:.+", "examples" = ["sqlite:/var/lib/andon/andon.db"]))]
    database: Option<String>,
    /// How many cycles run side by side.
    #[schemars(range(min = 1, max = 1000))]
    max_cycles: Option<u32>,
    /// How much of the past is kept. Whatever is reached first counts; the last green cycle, and what an open
    /// investigation or the history of a case refers to, stay in any case.
    retention: Option<Retention>,
    /// A file of that size in the state folder, given up when the disk is full, so that running cycles can come to
    /// their end: `16MiB`, or `off`.
    #[schemars(extend("default" = "16MiB"))]
    ballast: Option<SizeOrOff>,
    /// How log lines are written.
    #[schemars(extend("enum" = ["text", "json"], "default" = "text"))]
    log_format: Option<String>,
    /// Who may use the API.
    tokens: Option<Vec<Token>>,
    /// The secrets of inbound webhooks; an endpoint without one answers 404.
    webhooks: Option<Webhooks>,
}

/// How much of the past is kept.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Retention {
    /// Cycles that ended so many days ago expire; or `off`.
    #[schemars(extend("default" = 180))]
    days: Option<CountOrOff>,
    /// Of each pipeline the newest so many cycles are kept; or `off`.
    #[schemars(extend("default" = 2000))]
    cycles: Option<CountOrOff>,
    /// What records and logs of all cycles may take together: `5GiB`, or `off`.
    #[schemars(extend("default" = "5GiB"))]
    bytes: Option<SizeOrOff>,
}

/// A number from 1, or `off`.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum CountOrOff {
    Count(#[schemars(range(min = 1))] u32),
    Off(#[schemars(extend("const" = "off"))] String),
}

/// A size: a whole number and a unit, `500MB` or `5GiB`; or `off`.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^([0-9]+ ?[KMGT]i?B|off)$", "examples" = ["500MB", "5GiB", "off"]))]
struct SizeOrOff(String);

/// A token of the API.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Token {
    /// What it is called in logs.
    name: String,
    /// What its bearer may do.
    #[schemars(extend("enum" = ["read", "trigger", "admin"]))]
    role: String,
    /// Where it comes from.
    token: Secret,
}

/// Secrets by kind of webhook: one, or two while they are being rotated.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Webhooks {
    /// `POST /hooks/github`
    github: Option<OneOrMany<Secret>>,
    /// `POST /hooks/gitlab`
    gitlab: Option<OneOrMany<Secret>>,
    /// `POST /hooks/gitea`
    gitea: Option<OneOrMany<Secret>>,
    /// `POST /hooks/bitbucket`
    bitbucket: Option<OneOrMany<Secret>>,
    /// `POST /hooks/generic`
    generic: Option<OneOrMany<Secret>>,
}
