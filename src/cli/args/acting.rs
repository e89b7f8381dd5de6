//! The arguments of commands that do something: run, resume, probe, demo.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::remote::RemoteArgs;
use super::values::{self, Header};

/// `andon run`
#[derive(Debug, Args)]
#[command(after_help = "\
The cycles that an earlier run left behind are brought to their end first. Ctrl-C ends a run in
order, and its report says so; a second Ctrl-C ends the process at once.

Examples:
  andon run pipelines/staging.yaml
  andon run staging --revision release/2.4 --only 'test_01*'
  andon run staging --no-deploy --cycles 5       how steady are the results?
  andon run staging --json | tail -n 1 | jq .verdict

The exit code is that of the worst cycle that was asked for: one that an earlier run left behind
is told, and does not count.")]
pub struct RunArgs {
    /// The pipeline: a file, or the name of one in the pipelines folder
    #[arg(value_name = "PIPELINE")]
    pub pipeline: PathBuf,
    /// Branch, tag or commit to deploy; default: the newest commit of the watched branch
    #[arg(long, value_name = "REV")]
    pub revision: Option<String>,
    /// Run so many cycles, one after another
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub cycles: u32,
    /// Test what is there, without a deploy; without --revision: the revision that is served
    #[arg(long)]
    pub no_deploy: bool,
    /// Run only the cases whose id matches, and those that they need
    #[arg(long, value_name = "GLOB")]
    pub only: Option<String>,
    /// Print one JSON object for each event, and the cycle as the last line
    #[arg(long)]
    pub json: bool,
}

/// `andon culprit`
#[derive(Debug, Args)]
#[command(after_help = "\
First the last good revision is deployed again: if what regressed fails there, too, it is the
environment. Then the commits between are bisected, running only what regressed. At the end the
newest revision is deployed and verified again. `culprit` in the pipeline says how many deploys
that may take, and how many runs must agree. A daemon does the same by itself, in idle time.

Examples:
  andon culprit staging
  andon culprit staging 12 --json | jq -r .culprit

The exit code is 0 when the question is answered: a commit, or the environment.")]
pub struct CulpritArgs {
    /// The pipeline: a file, or the name of one in the pipelines folder
    #[arg(value_name = "PIPELINE")]
    pub pipeline: PathBuf,
    /// The cycle that broke; default: the newest in which something regressed
    #[arg(value_name = "CYCLE")]
    pub cycle: Option<u32>,
    /// Ask everything anew: what earlier steps answered counts no more
    #[arg(long)]
    pub again: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon resume`
#[derive(Debug, Args)]
#[command(after_help = "\
A cycle is held when nobody saw how its deploy ended, and the surfaces do not tell either.
Find out what became of it and say so. A daemon goes on with it at once; without one, run the
pipeline again: it takes the cycle up.

Examples:
  andon resume staging 12 --as deployed
  andon resume staging 12 --as deployed && andon run pipelines/staging.yaml")]
pub struct ResumeArgs {
    /// The pipeline: a name or a file
    pub pipeline: String,
    /// The cycle's number
    #[arg(value_parser = values::cycle)]
    pub cycle: u32,
    /// What became of the deploy: it happened, it did not, or run it again
    #[arg(long = "as", value_name = "HOW")]
    pub decision: ResumeHow,
    /// Which daemon.
    #[command(flatten)]
    pub remote: RemoteArgs,
}

/// How a held cycle goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResumeHow {
    /// The deploy did happen.
    Deployed,
    /// It did not.
    Failed,
    /// Run its steps again.
    Rerun,
}

/// `andon probe`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 0: it did what was expected, without more an answer with status 2xx or an open socket; 1: it did not.

Examples:
  andon probe https://staging.example.com/health
  andon probe https://staging.example.com/admin --expect-status 403
  andon probe wss://staging.example.com/ws -H \"Authorization: Bearer $TOKEN\" \\
      -d '{\"type\":\"ping\"}' --expect-event pong
  andon probe https://staging.example.com/events --sse --expect-event done
  andon probe step.yaml                          a suite file: all of its cases")]
pub struct ProbeArgs {
    /// An address (http, https, ws, wss), or a suite file
    #[arg(value_name = "URL|FILE")]
    pub target: String,
    /// The method [default: GET, or POST with --data]
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub method: Option<String>,
    /// A header, as `Name: value`
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = values::header)]
    pub headers: Vec<Header>,
    /// The body, or on a WebSocket a message to send
    #[arg(short = 'd', long = "data", value_name = "TEXT")]
    pub data: Vec<String>,
    /// A WebSocket subprotocol to offer
    #[arg(long, value_name = "NAME")]
    pub subprotocol: Vec<String>,
    /// An event that must come; several must come in this order
    #[arg(long, value_name = "EVENT")]
    pub expect_event: Vec<String>,
    /// Where an event's name stands: a JSONPath, or `event` for the field of a server-sent stream
    /// [default: event with --sse, else $.type]
    #[arg(long, value_name = "PATH")]
    pub by: Option<String>,
    /// The status that must come [default: 2xx; on a WebSocket that it opens]
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(100..=599))]
    pub expect_status: Option<u16>,
    /// Read it as a server-sent stream
    #[arg(long)]
    pub sse: bool,
    /// Follow so many redirects [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=20))]
    pub follow: Option<u32>,
    /// Take any certificate
    #[arg(short = 'k', long)]
    pub insecure: bool,
    /// The deadline
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = values::duration)]
    pub timeout: Duration,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon demo`
#[derive(Debug, Args)]
#[command(after_help = "\
It needs no network and nothing installed, takes about a minute, and ends by saying where its
reports are. Everything it makes is in that one folder.")]
pub struct DemoArgs {
    /// Where to put it
    #[arg(value_name = "DIR", default_value = "andon-demo")]
    pub dir: PathBuf,
}

/// `andon demo-service`
#[derive(Debug, Args)]
pub struct DemoServiceArgs {
    /// Everything is for the service itself
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<std::ffi::OsString>,
}
