//! The arguments of commands that look after the state: prune, backup.

use clap::Args;

/// `andon prune`
#[derive(Debug, Args)]
#[command(after_help = "\
`retention` in andon.yaml says how much is kept; a daemon does the same by itself each hour, and this
may be used beside it. What goes are records and logs of a cycle. Its line in `andon cycles` and
`andon commits`, its reports and its investigations stay.

Never goes: what is open; the last green cycle of each environment, and the last that others are
compared with; what an open investigation or the history of a case refers to.

Examples:
  andon prune --dry-run
  andon prune --json | jq '.expired | length'")]
pub struct PruneArgs {
    /// Say what would expire, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon backup`
#[derive(Debug, Args)]
#[command(after_help = "\
Works beside a daemon. The copy has the database and the logs of all cycles, as they were at one
moment; not the secrets, which are in neither, and not mirrors and checkouts, which are fetched again.

To restore, unpack it into an empty folder while no daemon serves that state:
  mkdir -m 700 .andon && tar -xf andon.tar -C .andon

Examples:
  andon backup andon.tar
  andon backup /backups        a new file in that folder, named by the time")]
pub struct BackupArgs {
    /// The file to write, or a folder for it
    #[arg(value_name = "FILE|DIR")]
    pub target: std::path::PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
