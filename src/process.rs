//! Child processes that outlive us: every command of a pipeline runs under a supervisor.
//!
//! The supervisor is this very program, started again as a hidden subcommand in a session of its
//! own. It owns exactly one command, keeps the deadline, caps and masks the output, ends the whole
//! process tree, and leaves records in a *run folder* that tell the truth after any crash:
//!
//! ```text
//! lock           flock held by the supervisor from its birth to its end: who holds it is alive
//! started.json   durable before the command is started; then again with its pid
//! output.log     masked output: head, a line that says how much was cut (`domain::gap`), tail
//! cancel         appears when somebody wants the command to end
//! exit.json      durable end of the command; its room on disk is reserved before the start
//! supervisor.log what the supervisor had to say when it failed itself
//! ```
//!
//! What a run folder says after a crash:
//!
//! | lock | started.json | exit.json | means |
//! |---|---|---|---|
//! | held | any | no | running: [`attach`] gives the command back |
//! | any | any | yes | finished |
//! | free | no | no | the command was never started, and no process is left that could start it |
//! | free | yes | no | lost: nobody knows how it ended, and it may have done anything; while it lives it is an [`Orphan`] |
//!
//! One run folder starts its command at most once: [`Launcher::launch`] refuses a used one.
//! The command line, the environment and the secrets travel through a pipe and are never written
//! to disk. A command that is of no use without its parent can be ordered to end with it: its supervisor
//! looks whose child it is. This module must not decide what a result means, nor try again.

mod clock;
mod exit;
mod fds;
mod gap;
mod launch;
mod orphan;
mod output;
mod record;
mod spec;
mod stage;
mod supervisor;
mod tree;
mod watch;

pub use exit::{End, Exit, OutputSummary, signal_name};
pub use gap::gap_of;
pub use launch::{
    Attachment, Launcher, OutputCursor, ProcessError, Supervised, attach, was_asked_to_end,
};
pub use orphan::{Orphan, OrphanEnd};
pub use record::ReadError;
pub use spec::{CommandSpec, Deadline, IfParentDies, Leftovers, OutputCaps};
pub use supervisor::supervisor_entry;
