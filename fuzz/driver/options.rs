//! What the driver is asked to do.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::PathBuf;
use std::time::Duration;

pub const USAGE: &str = "usage: fuzz --seconds N [--target NAME] [--seed N]
       fuzz --replay FILE --target NAME";

/// The seed and the inputs of a run that only shows that it runs.
const USUAL_SEED: u64 = 4;
const FEW: u64 = 400;

/// How long a target is fuzzed.
pub enum Budget {
    /// So long.
    Time(Duration),
    /// So many inputs.
    Inputs(u64),
}

pub struct Options {
    pub budget: Budget,
    pub seed: u64,
    pub replay: Option<PathBuf>,
    target: Option<String>,
}

impl Options {
    /// Without `--seconds` or `--replay` it runs as a test: whatever else `cargo test` hands on is a filter of tests.
    pub fn parse(args: impl Iterator<Item = String>) -> Result<Self, String> {
        let args: Vec<String> = args.collect();
        let mut options =
            Self { budget: Budget::Inputs(FEW), seed: USUAL_SEED, replay: None, target: None };
        if !args.iter().any(|arg| arg == "--seconds" || arg == "--replay") {
            return Ok(options);
        }
        options.seed = RandomState::new().build_hasher().finish();
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse().map_err(|_| format!("{name}: {value} is no number"));
            match name.as_str() {
                "--seconds" => options.budget = Budget::Time(Duration::from_secs(number()?)),
                "--seed" => options.seed = number()?,
                "--target" => options.target = Some(value),
                "--replay" => options.replay = Some(value.into()),
                _ => return Err(format!("{name} is not known")),
            }
        }
        Ok(options)
    }

    /// Whether that target is to be fuzzed.
    pub fn wants(&self, target: &str) -> bool {
        self.target.as_deref().is_none_or(|wanted| wanted == target)
    }
}
