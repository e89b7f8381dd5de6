//! The settings of the daemon, as `andon.yaml` gives them, checked.

use core::net::SocketAddr;
use std::path::PathBuf;

use url::Url;

use crate::domain::retention::Limits;
use crate::domain::spec::SecretSource;

/// What is held ready for a full disk when nothing is said: enough for the ends of many cycles.
pub(crate) const DEFAULT_BALLAST: u64 = 16 << 20;

/// What `andon.yaml` says. Flags and `ANDON_*` variables override it.
#[derive(Debug, Clone)]
pub struct DaemonSettings {
    /// Where to listen; `127.0.0.1:7070` where nothing is said.
    pub listen: Option<SocketAddr>,
    /// Other names under which the daemon is reached, as through a proxy.
    pub hosts: Vec<String>,
    /// Where people reach the pages: what is told leads there.
    pub public_url: Option<Url>,
    /// The folder with pipelines.
    pub pipelines: Option<PathBuf>,
    /// The folder for state.
    pub state: Option<PathBuf>,
    /// Where reports go that their pipeline sends nowhere else.
    pub reports: Option<PathBuf>,
    /// The address of a database; the embedded one where nothing is said.
    pub database: Option<String>,
    /// How many cycles run side by side.
    pub max_cycles: Option<u32>,
    /// How much of the past is kept.
    pub retention: Limits,
    /// How many bytes are held ready for a full disk; `None`: none.
    pub ballast: Option<u64>,
    /// How log lines are written.
    pub log_format: Option<LogFormat>,
    /// Who may use the API.
    pub tokens: Vec<ApiToken>,
    /// The secrets of inbound webhooks.
    pub webhooks: Vec<InboundWebhook>,
}

impl Default for DaemonSettings {
    fn default() -> Self {
        Self {
            listen: None,
            hosts: Vec::new(),
            public_url: None,
            pipelines: None,
            state: None,
            reports: None,
            database: None,
            max_cycles: None,
            retention: Limits::default(),
            ballast: Some(DEFAULT_BALLAST),
            log_format: None,
            tokens: Vec::new(),
            webhooks: Vec::new(),
        }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// A token of the API.
#[derive(Debug, Clone)]
pub struct ApiToken {
    /// What it is called in logs.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// Where it comes from.
    pub token: SecretSource,
}

/// What the bearer of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Read,
    /// Look and start cycles.
    Trigger,
    /// Everything.
    Admin,
}

/// The live secrets of one kind of inbound webhook.
#[derive(Debug, Clone)]
pub struct InboundWebhook {
    /// `github`, `gitlab`, `gitea`, `bitbucket` or `generic`: part of its address.
    pub kind: String,
    /// One secret, or two while they are being rotated.
    pub secrets: Vec<SecretSource>,
}
