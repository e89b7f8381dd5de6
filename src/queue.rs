//! Which waiting trigger starts now, and whether the loop goes on after a cycle.
//!
//! Pure: rows in, a choice out. It stores nothing and starts nothing (`daemon` does), so every rule
//! of the queue is tested without a clock.

mod choose;
mod policy;

pub use choose::{Busy, Candidate, Choice, choose};
pub use policy::{Next, Past, StopReason, after_cycle};
