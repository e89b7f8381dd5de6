//! `kill -9` of a real run in every phase, and a second run that finds the state sound: what was begun
//! comes to its end, nothing that is final is done again, and no deploy is started twice.
//!
//! Two oracles stand outside of Andon: the deploy script leaves a line for each start, and the staging
//! counts requests.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, dead_code)]

#[path = "crash_resume/bench.rs"]
mod bench;
#[path = "crash_resume/cancelled.rs"]
mod cancelled;
#[path = "crash_resume/commands.rs"]
mod commands;
#[path = "crash_resume/killed.rs"]
mod killed;
#[path = "crash_resume/left_behind.rs"]
mod left_behind;
#[path = "crash_resume/lost_deploy.rs"]
mod lost_deploy;
mod support;
