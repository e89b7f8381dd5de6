//! The command line as it is typed. What it means is decided by the command it names, and for the
//! global options by [`super::settings`].

mod acting;
mod looking;
mod remote;
mod results;
mod upkeep;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use acting::{
    CulpritArgs, DemoArgs, DemoServiceArgs, ProbeArgs, ResumeArgs, ResumeHow, RunArgs,
};
pub use looking::{
    Against, CaseArgs, CheckArgs, CompletionsArgs, CyclesArgs, DiffArgs, DoctorArgs, ListArgs,
    LogsArgs, ProveArgs, ReportArgs, SchemaArgs, SchemaOf, ShowArgs, WhysAction, WhysArgs, WhysFix,
    WhysId,
};
pub use remote::{CancelArgs, CommitsArgs, DaemonArgs, RemoteArgs, StatusArgs, TriggerArgs};
pub use results::{CompareArgs, FailOn, FormatName, IngestArgs};
pub use upkeep::{BackupArgs, PruneArgs};
pub use values::{CycleName, Header};

/// Closes the loop between a merge and the proof that staging still works.
///
/// Andon deploys a revision, waits until that very revision serves, runs the suite, compares every
/// result with the previous run, and writes a report that a team can act on.
#[derive(Debug, Parser)]
#[command(name = "andon", version, max_term_width = 96, propagate_version = true)]
#[command(after_help = "\
Begin:
  andon demo                          the whole loop on a bundled staging service
  andon check                         what the files in pipelines/ mean
  andon run pipelines/staging.yaml    deploy, wait, test, compare, report

Exit codes:
  0 done and green · 1 done, not green · 2 wrong usage or an invalid file ·
  3 deploy failed or never ready · 4 cancelled · 5 daemon or database cannot be reached ·
  70 a defect in Andon itself")]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Folder of the state: database, git mirrors, checkouts, logs [default: .andon]
    #[arg(long, global = true, value_name = "DIR", env = "ANDON_STATE", hide_env_values = true)]
    pub state: Option<PathBuf>,
    /// Database, as `sqlite:FILE`; default: the embedded one in the state folder
    #[arg(long, global = true, value_name = "URL", env = "ANDON_DATABASE", hide_env_values = true)]
    pub database: Option<String>,
    /// Settings file; default: `andon.yaml` where there is one
    #[arg(long, global = true, value_name = "FILE", env = "ANDON_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// Say more; twice: much more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say less: results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true
    )]
    #[arg(help = "When to use colours: auto, always or never")]
    pub color: ColorWhen,
    /// Form of what is said on standard error
    #[arg(long, global = true, value_name = "FORM", hide_possible_values = true)]
    #[arg(help = "Form of what is said on standard error: text, or json, an object a line \
                  [default: text]")]
    pub log_format: Option<LogFormat>,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Form of what is said on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline in the foreground, now
    Run(RunArgs),
    /// Watch, deploy and test every pipeline of a folder, for months
    Daemon(DaemonArgs),
    /// Validate pipelines and show what they mean; no network
    Check(CheckArgs),
    /// Show which cases can fail at all, by faults of the service that they test
    Prove(ProveArgs),
    /// Show one cycle (default: the newest finished)
    Show(ShowArgs),
    /// Show the history of a pipeline
    Cycles(CyclesArgs),
    /// Show the history of one case
    Case(CaseArgs),
    /// Search the commit that broke a cycle, by deploying those between
    Culprit(CulpritArgs),
    /// Compare two cycles (default: the newest and its baseline)
    Diff(DiffArgs),
    /// Print a report, write all again from the records, or recount one
    Report(ReportArgs),
    /// List the pipelines that have cycles
    List(ListArgs),
    /// Show what the daemon and every pipeline do now
    Status(StatusArgs),
    /// Show every commit seen, and what became of it
    Commits(CommitsArgs),
    /// Have the daemon run a cycle
    Trigger(TriggerArgs),
    /// End a cycle that runs or was left behind, or what waits
    Cancel(CancelArgs),
    /// Print what the deploy steps of a cycle wrote
    Logs(LogsArgs),
    /// List, show, edit and close investigations
    Whys(WhysArgs),
    /// Make one step by hand, and show everything it saw
    Probe(ProbeArgs),
    /// Say how a held cycle goes on
    Resume(ResumeArgs),
    /// Print a JSON Schema, for editors and clients
    Schema(SchemaArgs),
    /// Read result files of other tools and show what they say
    Ingest(IngestArgs),
    /// Compare two runs of another tool, by their result files
    Compare(CompareArgs),
    /// Check that this machine and the state are sound
    Doctor(DoctorArgs),
    /// Let cycles beyond the limits of `retention` expire
    Prune(PruneArgs),
    /// Copy the state into one file, while everything goes on
    Backup(BackupArgs),
    /// Run the whole loop on a bundled staging service, from nothing
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    #[command(after_help = "Example:\n  andon man | man -l -")]
    Man,
    /// The bundled staging service (what the demo deploys)
    #[command(hide = true)]
    DemoService(DemoServiceArgs),
}

impl Command {
    /// What is said when a signal asks for the end of one that has something to bring to its end.
    pub fn word_at_the_end(&self) -> Option<&'static str> {
        match self {
            Self::Prove(_) => Some(
                "the command that runs is ended with all its processes; a second signal (Ctrl-C) leaves at \
                 once, and they end behind it",
            ),
            Self::Run(_) | Self::Culprit(_) | Self::Demo(_) => Some(
                "what runs is ended with all its processes, and then the cycle; a second signal (Ctrl-C) \
                     leaves at once, and the next run takes the cycle up",
            ),
            Self::Daemon(_) => Some(
                "no new cycle starts, and those that run come to a safe point; a second signal (Ctrl-C) \
                 leaves at once, and the next daemon takes them up",
            ),
            Self::Status(_)
            | Self::Commits(_)
            | Self::Trigger(_)
            | Self::Cancel(_)
            | Self::Check(_)
            | Self::Show(_)
            | Self::Cycles(_)
            | Self::Case(_)
            | Self::Diff(_)
            | Self::Report(_)
            | Self::List(_)
            | Self::Logs(_)
            | Self::Whys(_)
            | Self::Probe(_)
            | Self::Resume(_)
            | Self::Backup(_)
            | Self::Prune(_)
            | Self::Doctor(_)
            | Self::Schema(_)
            | Self::Ingest(_)
            | Self::Compare(_)
            | Self::Completions(_)
            | Self::Man
            | Self::DemoService(_) => None,
        }
    }

    /// Whether the command looks at the settings file: those that only tell about the program, and
    /// the demo, which has a place of its own, do not.
    pub fn reads_settings(&self) -> bool {
        match self {
            Self::Run(_)
            | Self::Daemon(_)
            | Self::Status(_)
            | Self::Commits(_)
            | Self::Trigger(_)
            | Self::Cancel(_)
            | Self::Check(_)
            | Self::Prove(_)
            | Self::Show(_)
            | Self::Cycles(_)
            | Self::Case(_)
            | Self::Diff(_)
            | Self::Culprit(_)
            | Self::Report(_)
            | Self::List(_)
            | Self::Logs(_)
            | Self::Whys(_)
            | Self::Probe(_)
            | Self::Resume(_)
            | Self::Backup(_)
            | Self::Prune(_)
            | Self::Doctor(_) => true,
            Self::Schema(_)
            | Self::Ingest(_)
            | Self::Compare(_)
            | Self::Demo(_)
            | Self::Completions(_)
            | Self::Man
            | Self::DemoService(_) => false,
        }
    }
}
