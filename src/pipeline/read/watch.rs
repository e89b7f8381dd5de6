//! What to watch, and when to run by the clock.

use std::time::Duration;

use crate::domain::spec::{MissedRun, Poll, RepoAuth, Schedule, Watch};
use crate::domain::template::Template;
use crate::pipeline::crontab::{Crontab, Zones};
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::faults::Span;
use crate::pipeline::reader::{Cx, Fields, Shape};
use crate::pipeline::values::{LONGEST, duration_text};
use crate::pipeline::yaml::{Node, Value};

const DEFAULT_POLL: Duration = Duration::from_secs(30);
const DEFAULT_SETTLE: Duration = Duration::from_secs(5);
const DEFAULT_SKIP_MARKER: &str = "[skip andon]";

pub(crate) static WATCH: Shape = Shape {
    name: "Watch",
    what: "`watch`",
    keys: &["repo", "branches", "paths", "ignore_paths", "poll", "settle", "skip_marker", "auth"],
    elsewhere: &[
        ("url", "did you mean `repo`?"),
        ("branch", "did you mean `branches`?"),
        ("interval", "did you mean `poll`?"),
    ],
};

pub(crate) static AUTH: Shape = Shape {
    name: "RepoAuth",
    what: "`auth`",
    keys: &["username", "password", "ssh_key"],
    elsewhere: &[("token", "give the token as `password`"), ("user", "did you mean `username`?")],
};

pub(crate) static SCHEDULE: Shape = Shape {
    name: "Schedule",
    what: "a schedule",
    keys: &["name", "cron", "timezone", "missed", "only_if_changed", "deploy", "repeat"],
    elsewhere: &[("every", "write `cron`, as in `cron: \"*/30 * * * *\"`")],
};

/// Reads `watch`.
pub(crate) fn watch(cx: &mut Cx<'_>, node: &Node) -> Watch {
    let fields = Fields::open(cx, node, &WATCH);
    let poll = fields.optional(cx, "poll", poll);
    Watch {
        repo: fields.required(cx, "repo", repo),
        branches: fields.one_or_many(cx, "branches", Cx::glob),
        paths: fields.one_or_many(cx, "paths", Cx::glob),
        ignore_paths: fields.one_or_many(cx, "ignore_paths", Cx::glob),
        poll: poll.unwrap_or(Poll::Default(DEFAULT_POLL)),
        settle: fields.optional(cx, "settle", Cx::pause).unwrap_or(DEFAULT_SETTLE),
        skip_marker: fields
            .optional(cx, "skip_marker", Cx::text)
            .unwrap_or_else(|| DEFAULT_SKIP_MARKER.to_owned()),
        auth: fields.optional(cx, "auth", auth),
    }
}

fn poll(cx: &mut Cx<'_>, node: &Node) -> Poll {
    match &node.value {
        Value::Text(text) if text == "off" => Poll::Off,
        Value::Bool(false) => {
            cx.wrong_type(node, "a duration or `off`").help("write `off`");
            Poll::Off
        }
        _ => {
            let poll = cx.duration_in(node, Duration::ZERO..=LONGEST);
            if poll < Duration::from_secs(1) {
                let text = duration_text(poll);
                cx.error(node.span, format!("a poll every {text} is too much for a git server"))
                    .help("at least `1s`, or `off`");
            }
            Poll::Every(poll)
        }
    }
}

/// A repository: an address, `user@host:path`, or a path, which is relative to the file.
pub(crate) fn repo(cx: &mut Cx<'_>, node: &Node) -> String {
    let text = cx.text(node);
    if text.contains("${") {
        cx.error(node.span, "`${…}` is not filled in here: a repository is an address or a path");
        return text;
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        if !["https", "http", "ssh", "git", "file"].contains(&scheme) {
            cx.error(node.span, format!("{} is not an address of a repository", quoted(&text)))
                .help("use https, ssh, or a path");
        } else if has_password(rest) {
            cx.error(node.span, "a password stands in the address")
                .help("use `auth: { username, password: \"${secret.NAME}\" }`");
        }
        return text;
    }
    let is_scp =
        text.split_once(':').is_some_and(|(host, _)| !host.contains('/') && host.len() > 1);
    if is_scp || text.is_empty() {
        return text;
    }
    cx.resolve(node.span, &text).to_string_lossy().into_owned()
}

/// Whether what stands before the `@` of an address has a password; a port stands after it.
fn has_password(after_scheme: &str) -> bool {
    let authority = after_scheme.split('/').next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(login, _)| login.contains(':'))
}

fn auth(cx: &mut Cx<'_>, node: &Node) -> RepoAuth {
    let fields = Fields::open(cx, node, &AUTH);
    if let Some(path) = fields.optional(cx, "ssh_key", Cx::path) {
        for key in ["username", "password"] {
            if fields.has(key) {
                cx.error(fields.key_span(key), format!("`{key}` and `ssh_key` exclude each other"));
            }
        }
        return RepoAuth::SshKey(path);
    }
    let password = fields.required(cx, "password", Cx::filled_template);
    if password.references().next().is_none() && !password.source().is_empty() {
        cx.warning(fields.key_span("password"), "a password stands in the file")
            .help("put it into `secrets` and write `${secret.NAME}`");
    }
    RepoAuth::Basic {
        username: fields.required::<Template>(cx, "username", Cx::filled_template),
        password,
    }
}

/// Reads `schedule` of a pipeline.
pub(crate) fn schedules(cx: &mut Cx<'_>, pipeline: &Fields<'_>) -> Vec<Schedule> {
    let placed = pipeline.few(cx, "schedule", 100, schedule);
    let mut names: Vec<(String, Span)> = Vec::new();
    let mut schedules = Vec::new();
    for (number, (mut schedule, at)) in placed.into_iter().enumerate() {
        if schedule.name.is_empty() {
            schedule.name = format!("schedule {}", number + 1);
        }
        match names.iter().find(|(name, _)| *name == schedule.name) {
            Some((_, first)) => {
                let first = *first;
                cx.error(at, format!("two schedules are named {}", quoted(&schedule.name)))
                    .related(first, "first here");
            }
            None => names.push((schedule.name.clone(), at)),
        }
        schedules.push(schedule);
    }
    schedules
}

fn schedule(cx: &mut Cx<'_>, node: &Node) -> (Schedule, Span) {
    let fields = Fields::open(cx, node, &SCHEDULE);
    let missed = [("run_once", MissedRun::RunOnce), ("skip", MissedRun::Skip)];
    let schedule = Schedule {
        name: fields.optional(cx, "name", Cx::text).unwrap_or_default(),
        cron: fields.required(cx, "cron", cron),
        timezone: fields.optional(cx, "timezone", timezone).unwrap_or_else(|| "UTC".to_owned()),
        missed: fields
            .optional(cx, "missed", |cx, node| cx.word(node, &missed))
            .unwrap_or(MissedRun::RunOnce),
        only_if_changed: fields.optional(cx, "only_if_changed", Cx::flag).unwrap_or(false),
        deploy: fields.optional(cx, "deploy", Cx::flag).unwrap_or(true),
        repeat: fields.optional(cx, "repeat", |cx, node| cx.count(node, 1..=100)).unwrap_or(1),
    };
    (schedule, fields.value_span("name"))
}

fn cron(cx: &mut Cx<'_>, node: &Node) -> String {
    let text = cx.text(node);
    if text.is_empty() {
        return text;
    }
    if let Err(fault) = Crontab::parse(&text) {
        let at = match fault.field() {
            Some(field) => cx.find_in(node, field),
            None => node.span,
        };
        let fault_text = fault.to_string();
        let noted = cx.error(at, fault_text);
        for help in fault.help() {
            noted.help(help);
        }
    }
    text
}

fn timezone(cx: &mut Cx<'_>, node: &Node) -> String {
    let text = cx.text(node);
    if text.is_empty() || Zones::get(&text).is_some() {
        return text;
    }
    let fault = cx.error(node.span, format!("unknown time zone {}", quoted(&text)));
    for near in Zones::near(&text) {
        fault.help(format!("did you mean `{near}`?"));
    }
    fault.help("names are those of the IANA database, such as `Europe/Berlin` or `UTC`");
    text
}
