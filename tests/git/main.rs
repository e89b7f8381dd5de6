//! The `git` module against real repositories, good and hostile, and real servers on loopback.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod checkout;
mod damage;
mod hostile;
mod http;
mod looks;
mod mirror;
mod publish;
mod schedules;
mod ssh;
mod support;
mod watchers;
