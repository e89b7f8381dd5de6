//! The arguments. The harness also starts itself, for work whose memory must be counted on its own.

use std::path::PathBuf;

/// What to do.
#[derive(Debug)]
pub struct Options {
    /// Measured rounds of each figure, after one that is not counted.
    pub rounds: usize,
    /// Gigabytes that a deploy prints.
    pub output_gb: u64,
    /// Finished cycles before the one whose report and index are measured, and of each pipeline whose pages are.
    pub history: usize,
    /// Only figures whose name begins so.
    pub only: String,
    /// Which part of the work.
    pub mode: Mode,
}

/// Which part of the work.
#[derive(Debug)]
pub enum Mode {
    /// Measure everything.
    Whole,
    /// Write a cycle of so many cases into a ledger, up to the end of its suite.
    SeedLedger {
        /// Where.
        dir: PathBuf,
        /// How many.
        cases: usize,
    },
    /// Write so many finished cycles of a hundred cases.
    SeedHistory {
        /// Where.
        dir: PathBuf,
        /// How many.
        cycles: usize,
    },
    /// Compare and report the open cycle of a ledger.
    TakeUp {
        /// Where.
        dir: PathBuf,
    },
    /// Time single functions on the ledger's data.
    Parts {
        /// Where.
        dir: PathBuf,
    },
    /// Be the proxy that observes suite commands.
    Proxy,
}

impl Options {
    /// Reads the arguments; `None` when there is nothing to measure.
    pub fn parse(args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self {
            rounds: 7,
            output_gb: 1,
            history: 10_000,
            only: String::new(),
            mode: Mode::Whole,
        };
        let mut is_bench = false;
        let mut args = args;
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--bench" => is_bench = true,
                "--rounds" => {
                    options.rounds = value()?.parse().map_err(|_| "--rounds needs a number")?;
                }
                "--output-gb" => {
                    options.output_gb =
                        value()?.parse().map_err(|_| "--output-gb needs a number")?;
                }
                "--seed-ledger" => {
                    let dir = value()?.into();
                    let cases = value()?.parse().map_err(|_| "a number of cases is needed")?;
                    options.mode = Mode::SeedLedger { dir, cases };
                }
                "--seed-history" => {
                    let dir = value()?.into();
                    let cycles = value()?.parse().map_err(|_| "a number of cycles is needed")?;
                    options.mode = Mode::SeedHistory { dir, cycles };
                }
                "--history" => {
                    options.history = value()?.parse().map_err(|_| "--history needs a number")?;
                }
                "--take-up" => options.mode = Mode::TakeUp { dir: value()?.into() },
                "--proxy" => options.mode = Mode::Proxy,
                "--parts" => options.mode = Mode::Parts { dir: value()?.into() },
                other if other.starts_with('-') => return Err(format!("unknown option {other}")),
                only => options.only = only.to_owned(),
            }
        }
        if options.rounds == 0 {
            return Err("--rounds needs at least 1".to_owned());
        }
        let is_whole = matches!(options.mode, Mode::Whole);
        Ok((is_bench || !is_whole).then_some(options))
    }
}
