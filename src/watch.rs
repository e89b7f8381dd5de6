//! What a look at a remote's refs means: which branches moved, which commits count, what to run for.
//!
//! Pure: refs and commits in, movements out. It reads no clock and asks no remote (`trigger` does).
//! The remote's refs decide, never the order in which somebody heard of them, so a look that finds
//! five pushes at once and five looks that find one each leave the same things covered.

mod circle;
mod movement;
mod refs;
mod rules;

pub use circle::{Circle, MAX_ROUNDS, circle, goes_round, stop};
pub use movement::{Arrival, Movement, Notice, judge};
pub use refs::{BranchMove, Compared, Cursors, RemoteTips, Watched, is_marker};
pub use rules::Rules;

#[cfg(test)]
mod tests;
