//! Watching, schedules, the loop's policy, culprit search, reports and news.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::domain::template::Template;

/// What to watch.
#[derive(Debug, Clone, Serialize)]
pub struct Watch {
    /// The repository: https, ssh, or a path (made absolute).
    pub repo: String,
    /// Globs over branch names; empty means the remote's default branch.
    pub branches: Vec<String>,
    /// A commit counts when it touches one of these; empty means any.
    pub paths: Vec<String>,
    /// Paths that do not count.
    pub ignore_paths: Vec<String>,
    /// How often the remote is asked.
    pub poll: Poll,
    /// Quiet time before a cycle starts.
    pub settle: Duration,
    /// A commit whose message holds this is not run for.
    pub skip_marker: String,
    /// How to log in.
    pub auth: Option<RepoAuth>,
}

/// How often a remote is asked for new commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Poll {
    /// So often, because nobody said anything.
    Default(Duration),
    /// So often, as written.
    Every(Duration),
    /// Never: only webhooks, schedules and hand.
    Off,
}

impl Poll {
    /// The time between two looks; `None` where there are none.
    pub fn interval(self) -> Option<Duration> {
        match self {
            Self::Default(every) | Self::Every(every) => Some(every),
            Self::Off => None,
        }
    }
}

/// How to log in to a repository.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RepoAuth {
    /// User and password or token.
    Basic {
        /// The user.
        username: Template,
        /// The password.
        password: Template,
    },
    /// A private key (absolute path).
    SshKey(PathBuf),
}

/// When to run by the clock.
#[derive(Debug, Clone, Serialize)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// Five crontab fields, or `@nightly` and friends, as written.
    pub cron: String,
    /// The time zone's name.
    pub timezone: String,
    /// What to do on start for a time that passed while nobody was there.
    pub missed: MissedRun,
    /// Only when a watched branch moved since the last cycle.
    pub only_if_changed: bool,
    /// Whether to deploy, or to test what is there.
    pub deploy: bool,
    /// How many cycles of the same revision.
    pub repeat: u32,
}

/// What to do for a time that passed while nobody was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MissedRun {
    /// Run once, however many passed.
    RunOnce,
    /// Nothing.
    Skip,
}

/// When to run again.
#[derive(Debug, Clone, Serialize)]
pub struct Cycles {
    /// Until when.
    pub until: Until,
    /// Give up after so many cycles of one revision.
    pub max: u32,
    /// Give up after so many cycles with the same failing set.
    pub no_progress: u32,
    /// Between two cycles of the loop.
    pub pause: Duration,
}

/// Until when to run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// One cycle.
    Once,
    /// Until every case passes.
    Green,
    /// For ever.
    Always,
}

/// How to search the commit that broke a cycle.
#[derive(Debug, Clone, Serialize)]
pub struct Culprit {
    /// Whether to search at all.
    pub search: bool,
    /// The budget.
    pub max_deploys: u32,
    /// Runs that must agree before a commit is called good or bad.
    pub confirm: u32,
}

impl Default for Culprit {
    fn default() -> Self {
        Self { search: true, max_deploys: 8, confirm: 2 }
    }
}

/// Where reports go.
#[derive(Debug, Clone, Serialize)]
pub struct ReportSpec {
    /// The folder, as written: relative to the working directory. `None`: where the settings say,
    /// else `reports`.
    pub dir: Option<PathBuf>,
    /// What failing means for the business, over all cases.
    pub impact: Option<String>,
    /// What is at risk.
    pub at_risk: Option<String>,
    /// Where to push them.
    pub publish: Option<PublishGit>,
}

/// A branch to which reports are committed.
#[derive(Debug, Clone, Serialize)]
pub struct PublishGit {
    /// The repository.
    pub repo: String,
    /// The branch.
    pub branch: String,
    /// The folder within it.
    pub path: String,
}

/// One channel for news.
#[derive(Debug, Clone, Serialize)]
pub struct Notify {
    /// The channel.
    pub channel: NotifyChannel,
    /// What is news for it; empty means everything.
    pub on: Vec<NewsKind>,
}

/// A kind of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NewsKind {
    /// A case regressed or is failing anew.
    Regressed,
    /// A case was fixed.
    Fixed,
    /// A deploy failed.
    DeployFailed,
    /// The environment never became ready.
    NotReady,
    /// A cycle is void.
    Void,
    /// A cycle waits for a person.
    Held,
    /// A culprit was found.
    Culprit,
    /// No cycle finished for too long.
    Silent,
}

/// Where news goes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyChannel {
    /// A Slack-compatible incoming webhook.
    Slack(SlackNotify),
    /// A signed webhook.
    Webhook(WebhookNotify),
    /// Mail.
    Email(EmailNotify),
    /// A status on the commit.
    CommitStatus(ForgeRepo),
    /// A comment on the pull requests that brought the commit, kept up to date.
    PullRequestComment(ForgeRepo),
}

/// A Slack-compatible incoming webhook.
#[derive(Debug, Clone, Serialize)]
pub struct SlackNotify {
    /// Its address.
    pub url: Template,
}

/// A webhook with the JSON of SPEC section 7.
#[derive(Debug, Clone, Serialize)]
pub struct WebhookNotify {
    /// Its address.
    pub url: Template,
    /// The key of its signature.
    pub secret: Option<Template>,
}

/// Mail.
#[derive(Debug, Clone, Serialize)]
pub struct EmailNotify {
    /// To whom.
    pub to: Vec<String>,
    /// From whom.
    pub from: String,
    /// The server, `smtps://…`.
    pub smtp: Template,
}

/// A repository on a forge, and the way to it.
#[derive(Debug, Clone, Serialize)]
pub struct ForgeRepo {
    /// Which forge.
    pub forge: Forge,
    /// `owner/name`.
    pub repo: String,
    /// The token.
    pub token: Template,
    /// The address of its API.
    pub api: Option<Template>,
}

/// A forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Forge {
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea or Forgejo.
    Gitea,
}

/// Silence that is news.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Alarm {
    /// No finished cycle for so long.
    pub silent_for: Duration,
}
