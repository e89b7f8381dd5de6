//! The arguments of commands that read result files of other tools: ingest, compare.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::ingest::Format;

/// `andon ingest`
#[derive(Debug, Args)]
#[command(after_help = "\
A folder stands for every file in it; what is no result file there is told and passed over.
Exit code 0: everything was read and nothing failed; 1: something failed, is incomplete, or there is
no case; 2: a file that was named cannot be read.

Examples:
  andon ingest target/surefire-reports
  andon ingest report.xml other.tap --json | jq .totals")]
pub struct IngestArgs {
    /// Result files, or folders of them
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The format [default: auto, by what stands in the file]
    #[arg(long, value_name = "FORMAT", default_value = "auto", hide_default_value = true)]
    pub format: FormatName,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `andon compare`
#[derive(Debug, Args)]
#[command(after_help = "\
Needs no pipeline: any CI can keep the result files of the last good run and compare.
Exit code 0: nothing regressed; 1: something did, or the later run has no case at all; 2: a file cannot
be read. A run that was cut short is told; what is missing of it did not run, and was not removed.

Examples:
  andon compare last/junit.xml now/junit.xml
  andon compare last/ now/ --markdown > comment.md
  andon compare last/ now/ --json --fail-on failing | jq .changes.regressed")]
pub struct CompareArgs {
    /// The earlier run: a result file, or a folder of them
    #[arg(value_name = "A")]
    pub before: PathBuf,
    /// The later run
    #[arg(value_name = "B")]
    pub now: PathBuf,
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Print Markdown that fits into a comment: at most 65,535 characters, worst first, the rest counted
    #[arg(long)]
    pub markdown: bool,
    /// What makes the exit code 1: a case that regressed, or any that is failing
    #[arg(long, value_name = "WHAT", default_value = "regressed")]
    pub fail_on: FailOn,
    /// The format of all files [default: auto, by what stands in each]
    #[arg(long, value_name = "FORMAT", default_value = "auto", hide_default_value = true)]
    pub format: FormatName,
}

/// What makes the exit code 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// A case that passed before is failing.
    Regressed,
    /// A case is failing, whatever it was before.
    Failing,
}

/// A format, as it is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// By what stands in the file.
    Auto,
    /// JUnit XML.
    Junit,
    /// The Common Test Report Format.
    Ctrf,
    /// The Test Anything Protocol.
    Tap,
    /// `go test -json`.
    Go,
    /// Rust's test harness, text or JSON.
    Libtest,
    /// Playwright's JSON reporter.
    Playwright,
}

impl FormatName {
    /// The format; `None` where the content decides.
    pub fn format(self) -> Option<Format> {
        match self {
            Self::Auto => None,
            Self::Junit => Some(Format::Junit),
            Self::Ctrf => Some(Format::Ctrf),
            Self::Tap => Some(Format::Tap),
            Self::Go => Some(Format::Go),
            Self::Libtest => Some(Format::Libtest),
            Self::Playwright => Some(Format::Playwright),
        }
    }
}
