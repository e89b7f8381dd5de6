//! Tests that another tool runs: one command of the suite, from what it lists to what its results say.
//!
//! What a command does next, what its end means beside its results, and how a reported case reads in
//! the terms of a cycle are decided purely, from the records; only [`Reading`] and [`RunFolder`] touch
//! the disk. A command itself runs as a deploy step does, under a supervisor that outlives us.
//!
//! What it must not do: judge a cycle, append events, or believe what a file says about itself.

mod conclude;
mod definition;
mod folder;
mod growth;
mod listed;
mod masking;
mod names;
mod next;
mod reading;
mod reported;
mod results;
mod shards;
mod spelling;
#[cfg(test)]
pub(crate) mod testing;
mod told;

pub use conclude::{Conclusion, conclude, reconcile, why_not_reported};
pub use definition::Definitions;
pub use folder::{Printed, RunFolder, listing};
pub use growth::Growth;
pub use listed::{Listed, id_of_listed, parse_listed};
pub use names::{Named, Names};
pub use next::{Next, NextRun, cases_of, next};
pub use reading::{Found, Reading};
pub use reported::{Reported, ReportedAttempt, Traffic};
pub use results::belongs_to_no_case;
pub use shards::split;
pub use spelling::spelling;
pub use told::told;
