//! `/api/v1`: one file for each group of handlers. They read the store and the daemon's handle, and
//! put requests into the store; none waits for a cycle.

pub(super) mod acting;
pub(super) mod acts;
pub(super) mod cycles;
pub(super) mod logs;
pub(super) mod pipelines;
mod range;
