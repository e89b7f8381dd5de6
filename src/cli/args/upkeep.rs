//! The arguments of commands that look after the state: prune.

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
