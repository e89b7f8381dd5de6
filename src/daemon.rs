//! The daemon: every pipeline of a folder, for months.
//!
//! The store is the queue. Whatever wants a cycle is a row there, so the loop is level-triggered: it
//! looks at what is stored, lets `queue` choose, starts cycles, and sleeps until something changes.
//! A crash at any point is a pause: the next process looks at the same rows. What must not be here:
//! rules about which trigger goes first or whether a loop goes on (`queue`), what a moved branch
//! means (`watch`), and anything about HTTP (`web`).

mod candidates;
mod catalog;
mod cycle;
mod handle;
mod keeper;
mod lock;
mod observer;
mod run;
mod search;
mod so_far;
mod tidings;
mod waiting;
mod warden;
mod watching;

#[cfg(test)]
mod simulation;

pub use catalog::{Catalog, Faulty, yaml_files};
pub use handle::{
    Blocked, Cancelled, GaveUp, Handle, LiveEvent, NoRoom, Running, Served, Unserved, Watching,
};
pub use lock::{LockError, StateLock, is_served};
pub use run::{Daemon, DaemonError, Setup};
pub use so_far::{CaseSoFar, Turned};
