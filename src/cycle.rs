//! The heart of the loop: fold a cycle's events into its state, and name the next step.
//!
//! Both are pure. The engine repeats: fold, ask [`next_step`], perform, append; so a crash is only
//! a pause between two appends. An event that does not fit is an error, never ignored: a ledger
//! that says impossible things must stop us, not be read around.

mod apply;
mod next;
mod rollout;

pub use apply::{IllegalEvent, apply, begin, fold};
pub use next::{Action, NextStep, next_step};

#[cfg(test)]
pub(crate) mod testing;
