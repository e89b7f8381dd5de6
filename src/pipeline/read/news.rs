//! The loop's policy, culprit search, reports, and who is told.

use std::path::{Component, PathBuf};
use std::time::Duration;

use crate::domain::refname::branch_fault;
use crate::domain::spec::{
    Alarm, Culprit, Cycles, EmailNotify, Forge, ForgeRepo, NewsKind, Notify, NotifyChannel,
    PublishGit, ReportSpec, SlackNotify, Until, WebhookNotify,
};
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::read::watch::repo;
use crate::pipeline::reader::{Cx, Fields, Placeholder, Shape};
use crate::pipeline::yaml::{Node, Value};

const DEFAULT_PAUSE: Duration = Duration::from_secs(2 * 60);
const CHANNELS: &[&str] = &["slack", "webhook", "email", "commit_status", "pull_request_comment"];
const WEB: &[&str] = &["https", "http"];

const NEWS: &[(&str, NewsKind)] = &[
    ("regressed", NewsKind::Regressed),
    ("fixed", NewsKind::Fixed),
    ("deploy_failed", NewsKind::DeployFailed),
    ("not_ready", NewsKind::NotReady),
    ("void", NewsKind::Void),
    ("held", NewsKind::Held),
    ("culprit", NewsKind::Culprit),
    ("silent", NewsKind::Silent),
];

pub(crate) static CYCLES: Shape = Shape {
    name: "Cycles",
    what: "`cycles`",
    keys: &["until", "max", "no_progress", "pause"],
    elsewhere: &[("every", "did you mean `pause`?")],
};

pub(crate) static CULPRIT: Shape = Shape {
    name: "Culprit",
    what: "`culprit`",
    keys: &["search", "max_deploys", "confirm"],
    elsewhere: &[],
};

pub(crate) static REPORT: Shape = Shape {
    name: "Report",
    what: "`report`",
    keys: &["dir", "impact", "publish"],
    elsewhere: &[
        ("at_risk", "`at_risk` stands in `impact: { statement, at_risk }`"),
        ("git", "`git` stands in `publish`"),
    ],
};

pub(crate) static IMPACT: Shape =
    Shape { name: "Impact", what: "`impact`", keys: &["statement", "at_risk"], elsewhere: &[] };

pub(crate) static PUBLISH: Shape =
    Shape { name: "Publish", what: "`publish`", keys: &["git"], elsewhere: &[] };

pub(crate) static GIT: Shape =
    Shape { name: "PublishGit", what: "`git`", keys: &["repo", "branch", "path"], elsewhere: &[] };

pub(crate) static NOTIFY: Shape = Shape {
    name: "Notify",
    what: "an entry of `notify`",
    keys: &["slack", "webhook", "email", "commit_status", "pull_request_comment", "on"],
    elsewhere: &[("when", "did you mean `on`?")],
};

pub(crate) static SLACK: Shape =
    Shape { name: "Slack", what: "`slack`", keys: &["url"], elsewhere: &[] };

pub(crate) static WEBHOOK: Shape =
    Shape { name: "Webhook", what: "`webhook`", keys: &["url", "secret"], elsewhere: &[] };

pub(crate) static EMAIL: Shape =
    Shape { name: "Email", what: "`email`", keys: &["to", "from", "smtp"], elsewhere: &[] };

pub(crate) static COMMIT_STATUS: Shape = Shape {
    name: "ForgeRepo",
    what: "`commit_status`",
    keys: &["forge", "repo", "token", "api"],
    elsewhere: &[],
};

pub(crate) static COMMENT: Shape = Shape {
    name: "ForgeRepo",
    what: "`pull_request_comment`",
    keys: &["forge", "repo", "token", "api"],
    elsewhere: &[],
};

pub(crate) static ALARM: Shape =
    Shape { name: "Alarm", what: "`alarm`", keys: &["silent_for"], elsewhere: &[] };

/// Reads `cycles`.
pub(crate) fn cycles(cx: &mut Cx<'_>, node: &Node) -> Cycles {
    let until = [("once", Until::Once), ("green", Until::Green), ("always", Until::Always)];
    let fields = Fields::open(cx, node, &CYCLES);
    let count = |cx: &mut Cx<'_>, node: &Node| cx.count(node, 1..=100_000);
    let default = default_cycles();
    Cycles {
        until: fields
            .optional(cx, "until", |cx, node| cx.word(node, &until))
            .unwrap_or(default.until),
        max: fields.optional(cx, "max", count).unwrap_or(default.max),
        no_progress: fields.optional(cx, "no_progress", count).unwrap_or(default.no_progress),
        pause: fields.optional(cx, "pause", Cx::pause).unwrap_or(default.pause),
    }
}

/// The policy of a pipeline that gives none.
pub(crate) fn default_cycles() -> Cycles {
    Cycles { until: Until::Once, max: 5, no_progress: 3, pause: DEFAULT_PAUSE }
}

/// Reads `culprit`.
pub(crate) fn culprit(cx: &mut Cx<'_>, node: &Node) -> Culprit {
    let fields = Fields::open(cx, node, &CULPRIT);
    let default = Culprit::default();
    let max_deploys = fields.optional(cx, "max_deploys", |cx, node| cx.count(node, 1..=1_000));
    let confirm = fields.optional(cx, "confirm", |cx, node| cx.count(node, 1..=100));
    Culprit {
        search: fields.optional(cx, "search", Cx::flag).unwrap_or(default.search),
        max_deploys: max_deploys.unwrap_or(default.max_deploys),
        confirm: confirm.unwrap_or(default.confirm),
    }
}

/// Reads `report`.
pub(crate) fn report(cx: &mut Cx<'_>, node: &Node) -> ReportSpec {
    let fields = Fields::open(cx, node, &REPORT);
    let (impact, at_risk) = fields.optional(cx, "impact", impact).unwrap_or_default();
    ReportSpec {
        // Relative to the working directory, so it stays as written.
        dir: fields.optional(cx, "dir", report_dir),
        impact,
        at_risk,
        publish: fields.optional(cx, "publish", publish).flatten(),
    }
}

/// A folder under the working directory: a pipeline file does not decide where else we write.
fn report_dir(cx: &mut Cx<'_>, node: &Node) -> PathBuf {
    let dir = PathBuf::from(cx.text(node));
    let stays =
        dir.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !stays {
        cx.error(node.span, "`dir` must stay under the working directory")
            .help("give a relative folder without `..`, such as `reports`; run Andon where the reports shall be");
    }
    dir
}

/// Where the reports of a pipeline go that says nothing about them.
pub(crate) fn default_report() -> ReportSpec {
    ReportSpec { dir: None, impact: None, at_risk: None, publish: None }
}

fn impact(cx: &mut Cx<'_>, node: &Node) -> (Option<String>, Option<String>) {
    if matches!(node.value, Value::Text(_)) {
        return (Some(cx.text(node)), None);
    }
    let fields = Fields::open(cx, node, &IMPACT);
    (fields.optional(cx, "statement", Cx::text), fields.optional(cx, "at_risk", Cx::scalar_text))
}

fn publish(cx: &mut Cx<'_>, node: &Node) -> Option<PublishGit> {
    let fields = Fields::open(cx, node, &PUBLISH);
    if !fields.has("git") {
        fields.missing(cx, "git");
    }
    fields.optional(cx, "git", |cx, node| {
        let fields = Fields::open(cx, node, &GIT);
        PublishGit {
            repo: fields.required(cx, "repo", repo),
            branch: fields.required(cx, "branch", branch),
            path: fields.optional(cx, "path", inner_path).unwrap_or_else(|| "reports".to_owned()),
        }
    })
}

/// The name of a branch.
fn branch(cx: &mut Cx<'_>, node: &Node) -> String {
    let text = cx.text(node);
    if let Some(fault) = branch_fault(&text) {
        cx.error(node.span, format!("no branch can be named {}: {fault}", quoted(&text)))
            .help("name one that is for reports alone, such as `andon-reports`");
    }
    text
}

/// A path within a repository.
fn inner_path(cx: &mut Cx<'_>, node: &Node) -> String {
    let text = cx.text(node);
    let inside = text.trim_start_matches("./").trim_end_matches('/');
    let is_odd = |part: &str| matches!(part, "" | ".") || part.contains(char::is_control);
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        cx.error(node.span, format!("{} leads out of the repository", quoted(&text)));
    } else if text.split('/').any(is_gits_own) {
        cx.error(node.span, format!("{} is git's own folder", quoted(&text)));
    } else if !matches!(inside, "" | ".") && inside.split('/').any(is_odd) {
        cx.error(node.span, format!("{} is no path within a repository", quoted(&text)));
    }
    text
}

/// Whether some file system takes a name for `.git`; git has no such name in a tree.
fn is_gits_own(part: &str) -> bool {
    let name = part.trim_end_matches(['.', ' ']);
    name.eq_ignore_ascii_case(".git") || name.eq_ignore_ascii_case("git~1")
}

/// Reads an entry of `notify`.
pub(crate) fn notify(cx: &mut Cx<'_>, node: &Node) -> Notify {
    let fields = Fields::open(cx, node, &NOTIFY);
    let on = fields.one_or_many(cx, "on", |cx, node| cx.word(node, NEWS));
    let channel = fields.exactly_one(cx, CHANNELS).and_then(|kind| {
        let node = fields.node(cx, kind)?;
        Some(match kind {
            "slack" => NotifyChannel::Slack(slack(cx, node)),
            "webhook" => NotifyChannel::Webhook(webhook(cx, node)),
            "email" => NotifyChannel::Email(email(cx, node)),
            "commit_status" => NotifyChannel::CommitStatus(forge_repo(cx, node, &COMMIT_STATUS)),
            _ => NotifyChannel::PullRequestComment(forge_repo(cx, node, &COMMENT)),
        })
    });
    let nothing = || NotifyChannel::Slack(SlackNotify { url: Placeholder::placeholder() });
    Notify { channel: channel.unwrap_or_else(nothing), on }
}

fn slack(cx: &mut Cx<'_>, node: &Node) -> SlackNotify {
    let fields = Fields::open(cx, node, &SLACK);
    SlackNotify { url: fields.required(cx, "url", |cx, node| cx.url(node, WEB)) }
}

fn webhook(cx: &mut Cx<'_>, node: &Node) -> WebhookNotify {
    let fields = Fields::open(cx, node, &WEBHOOK);
    WebhookNotify {
        url: fields.required(cx, "url", |cx, node| cx.url(node, WEB)),
        secret: fields.optional(cx, "secret", Cx::filled_template),
    }
}

fn email(cx: &mut Cx<'_>, node: &Node) -> EmailNotify {
    let fields = Fields::open(cx, node, &EMAIL);
    let to = fields.one_or_many(cx, "to", mail_address);
    if to.is_empty() {
        if fields.has("to") {
            cx.error(fields.key_span("to"), "nobody would get the mail");
        } else {
            fields.missing(cx, "to");
        }
    }
    EmailNotify {
        to,
        from: fields.required(cx, "from", mail_address),
        smtp: fields.required(cx, "smtp", |cx, node| cx.url(node, &["smtps", "smtp"])),
    }
}

fn mail_address(cx: &mut Cx<'_>, node: &Node) -> String {
    let text = cx.text(node);
    let whole = text.rsplit_once('<').map_or(text.as_str(), |(_, rest)| rest.trim_end_matches('>'));
    let fits = whole.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !host.is_empty()
            && !host.contains('@')
            && !whole.contains(char::is_whitespace)
    });
    if !fits && !text.is_empty() {
        cx.error(node.span, format!("{} is not a mail address", quoted(&text)));
    }
    text
}

fn forge_repo(cx: &mut Cx<'_>, node: &Node, shape: &'static Shape) -> ForgeRepo {
    let forges = [("github", Forge::Github), ("gitlab", Forge::Gitlab), ("gitea", Forge::Gitea)];
    let fields = Fields::open(cx, node, shape);
    if !fields.has("forge") {
        fields.missing(cx, "forge");
    }
    let forge = fields.optional(cx, "forge", |cx, node| cx.word(node, &forges));
    let api = fields.optional(cx, "api", |cx, node| cx.url(node, WEB));
    if forge == Some(Forge::Gitea) && api.is_none() && !fields.has("api") {
        cx.error(fields.at, "`api` is missing")
            .label("gitea is hosted by yourselves, so its address is not known");
    }
    ForgeRepo {
        forge: forge.unwrap_or(Forge::Github),
        repo: fields.required(cx, "repo", owner_and_name),
        token: fields.required(cx, "token", Cx::filled_template),
        api,
    }
}

fn owner_and_name(cx: &mut Cx<'_>, node: &Node) -> String {
    let text = cx.text(node);
    if !text.is_empty() && (!text.contains('/') || text.contains("://")) {
        cx.error(node.span, format!("{} is not the name of a repository", quoted(&text)))
            .help("write `owner/name`");
    }
    text
}

/// Reads `alarm`.
pub(crate) fn alarm(cx: &mut Cx<'_>, node: &Node) -> Alarm {
    let fields = Fields::open(cx, node, &ALARM);
    Alarm { silent_for: fields.required(cx, "silent_for", Cx::duration) }
}
