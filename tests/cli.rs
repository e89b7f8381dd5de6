//! The command line as a user meets it: the real program, real repositories, a staging on loopback.
//!
//! Each test says what is typed and what comes back: standard output, standard error, exit code.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

#[path = "cli/asking.rs"]
mod asking;
#[path = "cli/documentation.rs"]
mod documentation;
#[path = "cli/hostile.rs"]
mod hostile;
#[path = "cli/looking.rs"]
mod looking;
#[path = "cli/mistakes.rs"]
mod mistakes;
#[path = "cli/probing.rs"]
mod probing;
#[path = "cli/proving.rs"]
mod proving;
#[path = "cli/proving_commands.rs"]
mod proving_commands;
#[path = "cli/results.rs"]
mod results;
#[path = "cli/running.rs"]
mod running;
#[path = "cli/searching.rs"]
mod searching;
#[path = "cli/settings.rs"]
mod settings;
#[path = "cli/stage.rs"]
mod stage;
#[path = "cli/staging.rs"]
mod staging;
#[path = "cli/upkeep.rs"]
mod upkeep;
