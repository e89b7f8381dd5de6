//! Upkeep of the state folder: cycles that expire, copies, and room on the disk.
//!
//! Which cycles go is decided by `retention`;
//! here it is carried out, bit by bit, so that cycles that run are not held up. What must not be here:
//! anything about pipelines, deploys or verdicts.

mod backup;
mod ballast;
mod error;
mod folders;
mod prune;

pub use backup::{BackedUp, Backup};
pub use ballast::{Ballast, DiskSpace, disk_space};
pub use error::UpkeepError;
pub use folders::size_of;
pub use prune::{Pruned, Pruner};
