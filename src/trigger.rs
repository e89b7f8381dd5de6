//! Looks at remotes and at the clock, and stores what should be run for.
//!
//! Whatever is found here is a row of the store before anybody acts on it, so a crash loses nothing
//! and doubles nothing. What a look means is decided by `watch`, what is due by the pure half of
//! `schedule`. This module starts no cycle, and takes nobody's word for what a remote has: a webhook
//! only says when to look.

mod pace;
mod poll;
mod schedule;
mod scheduler;
mod watcher;
mod watchers;

use std::sync::Arc;

use jiff::Timestamp;

pub use poll::{Hint, Look, PollError, WatchedPipeline, look};
pub use schedule::{Due, DueKind, Timer, due};
pub use scheduler::Scheduler;
pub use watcher::{OpenMirror, WatchHealth, WatchSpec};
pub use watchers::{TellCircle, WatchSetup, Watchers};

/// Where the time comes from: the engine's clock, as far as this module may know it.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;
