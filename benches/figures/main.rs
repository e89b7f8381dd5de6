//! Prints what Andon costs, beside what it may cost (docs/performance.md).
//!
//! Whole processes are measured from outside: wall time from start to exit, and the peak of memory
//! that the kernel reports. Nothing here passes or fails; a figure over its bar says so.

#![allow(clippy::disallowed_methods)] // What the program may do by one door only, a test may do anywhere.
#![allow(clippy::print_stdout, clippy::print_stderr)] // Printing is what it is for.

mod daemon;
mod flood;
mod history;
mod ledger;
mod living;
mod measure;
mod options;
mod pages;
mod parts;
mod proxy;
mod results;
mod stage;
mod table;
mod viewers;
mod whole;

use std::process::ExitCode;

use options::{Mode, Options};

fn main() -> ExitCode {
    // What a process of ours takes up is to be what the program would.
    andon::app::set_up_memory();
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        // `cargo test --all-targets` starts benches too, to see that they start.
        Ok(None) => return ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!(
                "error: {wrong}\nusage: figures [--rounds N] [--output-gb N] [--history N] [NAME-PREFIX]"
            );
            return ExitCode::from(2);
        }
    };
    let done = match options.mode {
        Mode::Whole => whole::print(&options),
        Mode::SeedLedger { dir, cases } => ledger::seed(&dir, cases),
        Mode::SeedHistory { dir, cycles } => history::seed(&dir, cycles),
        Mode::TakeUp { dir } => ledger::take_up(&dir),
        Mode::Parts { dir } => parts::print(&dir),
        Mode::Proxy => proxy::serve(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {fault:#}");
            ExitCode::FAILURE
        }
    }
}
