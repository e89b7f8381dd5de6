//! The arguments of commands that look at what is there: files, records, reports, this program.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::remote::RemoteArgs;
use super::values::{self, CycleName};

/// `andon check`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  andon check                                    every pipeline in pipelines/
  andon check pipelines/staging.yaml --json")]
pub struct CheckArgs {
    /// Pipeline files, or folders of them [default: pipelines]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon prove`
#[derive(Debug, Args)]
#[command(after_help = "\
Each native case first runs against answers that are made up from its own expectations, then
against the same with one fault at a time: every status 500, no event, a refused connection …
A case that misses `status_500`, `refused` or `events_missing` is vacuous: it passes although
nothing works. Native cases need no network, no secret and no service.

A command of the suite runs in a checkout of the revision that `andon run` would take, against
the real service as it is, and then once for each fault of a proxy that stands between. Nothing
is deployed.

Examples:
  andon prove pipelines/staging.yaml
  andon prove pipelines/suites/p1.yaml --json | jq .vacuous

The exit code is 1 when some case is vacuous.")]
pub struct ProveArgs {
    /// The pipeline: a file, or the name of one in the pipelines folder; or a suite file
    #[arg(value_name = "PIPELINE|SUITE")]
    pub file: PathBuf,
    /// Leave out the commands of the suite: nothing but the file is needed then
    #[arg(long)]
    pub no_commands: bool,
    /// Try the commands of this commit, branch or tag (default: what `andon run` would test)
    #[arg(long, value_name = "REV", conflicts_with = "no_commands")]
    pub revision: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon show`
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The pipeline: a name or a file
    pub pipeline: String,
    /// The cycle's number, `latest`, or `finished` for the newest that is over
    #[arg(value_parser = values::cycle_name)]
    pub cycle: Option<CycleName>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon cycles`
#[derive(Debug, Args)]
pub struct CyclesArgs {
    /// The pipeline: a name or a file
    pub pipeline: String,
    /// At most so many, newest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon case`
#[derive(Debug, Args)]
pub struct CaseArgs {
    /// The pipeline: a name or a file
    pub pipeline: String,
    /// The case's id
    pub case: String,
    /// At most so many cycles, newest first
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon diff`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 0: nothing regressed; 1: something did.

Examples:
  andon diff staging                             the newest cycle and its baseline
  andon diff staging 12                          cycle 12 and its baseline
  andon diff staging 8 12                        from cycle 8 to cycle 12
  andon diff staging --against green             since everything was green")]
pub struct DiffArgs {
    /// The pipeline: a name or a file
    pub pipeline: String,
    /// The earlier cycle; alone: the cycle to compare with its baseline
    #[arg(value_parser = values::cycle)]
    pub a: Option<u32>,
    /// The later cycle
    #[arg(value_parser = values::cycle)]
    pub b: Option<u32>,
    /// Compare with the last green cycle instead of the baseline: `--against green`
    #[arg(long, value_name = "WHAT", conflicts_with = "b", hide_possible_values = true)]
    pub against: Option<Against>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// The last green cycle before it.
    Green,
}

/// `andon report`
#[derive(Debug, Args)]
#[command(after_help = "\
Reports are named relative to the working directory: run --rebuild and --verify where they are.
Exit code of --verify 0: every figure holds; 1: a contradiction, a changed or a missing file.

Examples:
  andon report staging                           read the newest
  andon report staging 12 --verify
  andon report staging --rebuild                 write those of all cycles again")]
pub struct ReportArgs {
    /// The pipeline: a name or a file
    pub pipeline: String,
    /// The cycle's number (default: the newest finished; with --rebuild: all)
    #[arg(value_parser = values::cycle)]
    pub cycle: Option<u32>,
    /// Write all report files again from the records, byte for byte
    #[arg(long, conflicts_with = "verify")]
    pub rebuild: bool,
    /// Recount the report from its JSON and refuse contradictions
    #[arg(long)]
    pub verify: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon list`
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon logs`
#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal, escape sequences are taken out; into a file or a pipe the log goes as it is.

Examples:
  andon logs staging --follow                    while another terminal runs it
  andon logs staging --follow --url https://andon.example.com")]
pub struct LogsArgs {
    /// The pipeline: a name or a file
    pub pipeline: String,
    /// The cycle's number (default: the newest)
    #[arg(value_parser = values::cycle)]
    pub cycle: Option<u32>,
    /// Only this phase; `deploy` and `rollback` have logs
    #[arg(long, value_name = "PHASE")]
    pub phase: Option<String>,
    /// Go on printing while the cycle runs
    #[arg(long)]
    pub follow: bool,
    /// Which daemon; without it the state folder is read.
    #[command(flatten)]
    pub remote: RemoteArgs,
}

/// `andon whys`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  andon whys                                     all, with their state
  andon whys show INV-0003
  EDITOR='code --wait' andon whys edit INV-0003 --pipeline staging
  andon whys fix INV-0003 --commit 4f1c2aa       says that this commit repairs it
  andon whys close INV-0003")]
pub struct WhysArgs {
    /// What to do; without it: list
    #[command(subcommand)]
    pub action: Option<WhysAction>,
    /// Only of this pipeline: a name or a file
    pub pipeline: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do with an investigation.
#[derive(Debug, Subcommand)]
pub enum WhysAction {
    /// List investigations
    List {
        /// Only of this pipeline: a name or a file
        pipeline: Option<String>,
    },
    /// Print one
    Show(WhysId),
    /// Open one in $VISUAL or $EDITOR
    Edit(WhysId),
    /// Claim that a commit repairs one; the next cycle that has the commit decides
    Fix(WhysFix),
    /// Say that nobody needs to look any more
    Close(WhysId),
}

/// A claimed fix.
#[derive(Debug, Args)]
pub struct WhysFix {
    /// Which
    #[command(flatten)]
    pub id: WhysId,
    /// The commit: an id, a branch or a tag
    #[arg(long, value_name = "REV")]
    pub commit: String,
}

/// An investigation.
#[derive(Debug, Args)]
pub struct WhysId {
    /// Its id, as INV-0003
    pub id: String,
    /// Its pipeline, where two have the same id: a name or a file
    #[arg(long, value_name = "PIPELINE")]
    pub pipeline: Option<String>,
}

/// `andon schema`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  andon schema pipeline > .vscode/andon-pipeline.schema.json")]
pub struct SchemaArgs {
    /// Of what
    #[arg(value_name = "WHAT", default_value = "pipeline")]
    pub of: SchemaOf,
}

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// A pipeline file.
    Pipeline,
    /// A suite file.
    Suite,
    /// A cycle, as `show --json` prints it.
    Cycle,
    /// The settings file, `andon.yaml`.
    Daemon,
}

/// `andon doctor`
#[derive(Debug, Args)]
#[command(after_help = "Exit code 0: all is well; 1: there is trouble, with what to do about it.")]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  andon completions bash > ~/.local/share/bash-completion/completions/andon
  andon completions fish > ~/.config/fish/completions/andon.fish")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
