//! The loop's policy, culprit search, reports, and who is told.

use schemars::JsonSchema;

use super::scalar::{Address, Duration, OneOrMany, Plain, Template};

/// When to run again.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Cycles {
    /// `once`, `green` (again until every case passes) or `always` (soak).
    #[schemars(extend("enum" = ["once", "green", "always"], "default" = "once"))]
    until: Option<String>,
    /// For `green`: give up after so many cycles of one revision.
    #[schemars(range(min = 1, max = 100_000), extend("default" = 5))]
    max: Option<u32>,
    /// Or after so many with the same failing set.
    #[schemars(range(min = 1, max = 100_000), extend("default" = 3))]
    no_progress: Option<u32>,
    /// Between two cycles of the loop; a new commit ends the pause.
    #[schemars(extend("default" = "2m"))]
    pause: Option<Duration>,
}

/// Search the commit that broke a cycle.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Culprit {
    /// Deploy commits between last good and first bad, and run only what regressed.
    #[schemars(extend("default" = true))]
    search: Option<bool>,
    /// The budget.
    #[schemars(range(min = 1, max = 1000), extend("default" = 8))]
    max_deploys: Option<u32>,
    /// Runs that must agree before a commit is called good or bad.
    #[schemars(range(min = 1, max = 100), extend("default" = 2))]
    confirm: Option<u32>,
}

/// Where reports go.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Report {
    /// The folder, relative to the working directory; `NAME/…` inside it.
    #[schemars(extend("default" = "reports"))]
    dir: Option<String>,
    /// What failing means for the business, over all cases.
    impact: Option<ImpactText>,
    /// Where to push them.
    publish: Option<Publish>,
}

/// A statement, or a map.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum ImpactText {
    Statement(String),
    Full(Impact),
}

/// What failing means for the business.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Impact {
    /// In words.
    statement: Option<String>,
    /// What is at risk.
    #[schemars(extend("examples" = ["$120K MRR"]))]
    at_risk: Option<Plain>,
}

/// Where to push reports.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Publish {
    /// A branch.
    git: PublishGit,
}

/// A branch to which reports are committed and pushed.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct PublishGit {
    /// The repository.
    repo: String,
    /// The branch.
    branch: String,
    /// The folder within it.
    #[schemars(extend("default" = "reports"))]
    path: Option<String>,
}

/// One channel for news, on change only.
#[derive(JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend("oneOf" = [
        {"required": ["slack"]}, {"required": ["webhook"]}, {"required": ["email"]}, {"required": ["commit_status"]},
        {"required": ["pull_request_comment"]}
    ])
)]
pub(super) struct Notify {
    /// A Slack-compatible incoming webhook.
    slack: Option<Slack>,
    /// A webhook with the JSON of a cycle, signed with HMAC-SHA256.
    webhook: Option<Webhook>,
    /// Mail.
    email: Option<Email>,
    /// A status on the commit.
    commit_status: Option<ForgeRepo>,
    /// A comment on the pull requests that brought the commit; the same one is kept up to date.
    pull_request_comment: Option<ForgeRepo>,
    /// What is news for it. Default: everything.
    on: Option<OneOrMany<NewsKind>>,
}

/// A kind of news.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum NewsKind {
    Regressed,
    Fixed,
    DeployFailed,
    NotReady,
    Void,
    Held,
    Culprit,
    Silent,
}

/// A Slack-compatible incoming webhook.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Slack {
    /// Its address, best a `${secret.NAME}`.
    url: Address,
}

/// A webhook.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Webhook {
    /// Its address.
    url: Address,
    /// The key of its signature.
    secret: Option<Template>,
}

/// Mail.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Email {
    /// To whom.
    to: OneOrMany<String>,
    /// From whom.
    from: String,
    /// The server.
    #[schemars(extend("examples" = ["smtps://mail.example.com"]))]
    smtp: Address,
}

/// A repository on a forge.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ForgeRepo {
    /// Which forge.
    #[schemars(extend("enum" = ["github", "gitlab", "gitea"]))]
    forge: String,
    /// `owner/name`.
    repo: String,
    /// The token.
    token: Template,
    /// The address of its API; needed for gitea.
    api: Option<Address>,
}

/// Silence that is news.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Alarm {
    /// No finished cycle for so long.
    silent_for: Duration,
}
