//! Which cycles expire: a pure decision over the rows of all pipelines.
//!
//! What goes are the records and logs of a cycle. Its row in the list stays, so that "was my commit
//! tested?" is answered for good, and so do its reports. It deletes nothing itself (`upkeep` does).

mod plan;

pub use plan::{Expiry, Pace, Plan, Rule, plan};
