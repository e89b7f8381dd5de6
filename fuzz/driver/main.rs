//! Fuzzes the readers of results where there is no nightly toolchain: the bodies of `fuzz_targets`, with bytes
//! that come of the corpus by cutting, splicing, flipping, repeating and nesting.
//!
//! `scripts/fuzz` runs it for a time. `cargo test` runs a few hundred inputs of a fixed seed, to see that it runs.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods
)]

#[path = "../body.rs"]
mod body;
mod judge;
mod memory;
mod mutate;
mod options;
mod random;
mod seeds;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use judge::Judge;
use mutate::Mutator;
use options::{Budget, Options};
use random::Random;
use seeds::Target;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("error: {wrong}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    let targets = Target::ALL.iter().filter(|target| options.wants(target.name));
    // What a failing check says is told once, by the judge.
    std::panic::set_hook(Box::new(|_| {}));
    let mut sound = true;
    for target in targets {
        let fuzzed = match &options.replay {
            Some(file) => replay(target, file),
            None => fuzz(target, &options),
        };
        match fuzzed {
            Ok(told) => println!("{:<10} {told}", target.name),
            Err(fault) => {
                println!("{:<10} FAILED: {fault}", target.name);
                sound = false;
            }
        }
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads one saved input.
fn replay(target: &Target, file: &Path) -> Result<String, String> {
    let bytes = std::fs::read(file).map_err(|fault| format!("{}: {fault}", file.display()))?;
    let mut judge = Judge::new(target);
    judge.judge(&bytes)?;
    Ok(format!("{} holds; {}", file.display(), judge.worst()))
}

/// Reads the seeds as they are, and then what becomes of them.
fn fuzz(target: &Target, options: &Options) -> Result<String, String> {
    let seeds = target.seeds();
    assert!(!seeds.is_empty(), "no seeds for {}", target.name);
    let mut judge = Judge::new(target);
    let mut mutator = Mutator::new(Random::new(options.seed), target.words);
    let with_seed = |fault| format!("{fault} (--seed {})", options.seed);
    let began = Instant::now();
    for seed in &seeds {
        judge.judge(seed).map_err(with_seed)?;
    }
    let mut inputs = 0_u64;
    while options.budget.lasts(began.elapsed(), inputs) {
        judge.judge(&mutator.input(&seeds)).map_err(with_seed)?;
        inputs += 1;
    }
    Ok(format!(
        "{inputs} inputs made of {} seeds, --seed {}; {}",
        seeds.len(),
        options.seed,
        judge.worst()
    ))
}

impl Budget {
    /// Whether there is something left of it.
    fn lasts(&self, elapsed: Duration, inputs: u64) -> bool {
        match self {
            Self::Time(time) => elapsed < *time,
            Self::Inputs(most) => inputs < *most,
        }
    }
}
