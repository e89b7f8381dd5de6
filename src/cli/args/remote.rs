//! The arguments of the daemon, and of commands that talk to it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::values;

/// Which daemon a command talks to.
#[derive(Debug, Clone, Default, Args)]
pub struct RemoteArgs {
    /// Address of the daemon [default: that of the one on this state folder]
    #[arg(long, value_name = "URL", env = "ANDON_URL", hide_env_values = true)]
    pub url: Option<String>,
}

/// `andon daemon`
#[derive(Debug, Args)]
#[command(after_help = "\
It listens on 127.0.0.1:7070, where everybody on this machine may do everything. On any other
address it wants `tokens` in andon.yaml. SIGHUP has it read the pipelines and the tokens again;
SIGTERM ends it in order: deploys that run go on, and the next daemon takes their cycles up.

Examples:
  andon daemon
  andon daemon --pipelines /etc/andon/pipelines --state /var/lib/andon --listen 127.0.0.1:8080
  andon status                                   from another terminal")]
pub struct DaemonArgs {
    /// The folder with the pipelines [default: pipelines]
    #[arg(long, value_name = "DIR", env = "ANDON_PIPELINES", hide_env_values = true)]
    pub pipelines: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDR", env = "ANDON_LISTEN", hide_env_values = true)]
    #[arg(value_parser = values::listen)]
    pub listen: Option<SocketAddr>,
    /// Run at most so many cycles side by side [default: one for each core]
    #[arg(long, value_name = "N", env = "ANDON_MAX_CYCLES", hide_env_values = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_cycles: Option<u32>,
}

/// `andon status`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  andon status
  ANDON_TOKEN=… andon status --url https://andon.example.com --json")]
pub struct StatusArgs {
    /// Only this pipeline: a name or a file
    pub pipeline: Option<String>,
    /// Which daemon.
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon commits`
#[derive(Debug, Args)]
pub struct CommitsArgs {
    /// The pipeline: a name or a file
    pub pipeline: String,
    /// At most so many, newest first
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon trigger`
#[derive(Debug, Args)]
#[command(after_help = "\
It answers once the trigger is stored, and does not wait for the cycle.

Examples:
  andon trigger staging
  andon trigger staging --revision release/2.4 --key deploy-2.4.1")]
pub struct TriggerArgs {
    /// The pipeline: a name or a file
    pub pipeline: String,
    /// Branch, tag or commit to deploy; default: the newest commit of the watched branch
    #[arg(long, value_name = "REV")]
    pub revision: Option<String>,
    /// Test what is there, without a deploy
    #[arg(long)]
    pub no_deploy: bool,
    /// Run only the cases whose id matches, and those that they need
    #[arg(long, value_name = "GLOB")]
    pub only: Option<String>,
    /// Asked for again with the same key, nothing is started twice
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Which daemon.
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon cancel`
#[derive(Debug, Args)]
#[command(after_help = "\
Without a number: the cycle that runs; where none does, everything that waits. Without a daemon it
ends what an earlier process left behind, even when the pipeline's file is gone: a deploy that still
runs is ended with its whole process tree, what is final is kept, and the report is written.

Examples:
  andon cancel staging
  andon cancel staging 12")]
pub struct CancelArgs {
    /// The pipeline: a name or a file
    pub pipeline: String,
    /// The cycle's number
    #[arg(value_parser = values::cycle)]
    pub cycle: Option<u32>,
    /// Which daemon.
    #[command(flatten)]
    pub remote: RemoteArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
