//! The daemon: over HTTP alone, on a store of its own, and as the real program.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, dead_code)]

mod access;
mod acting;
mod astray;
mod client;
mod editing;
mod forge;
mod forms;
mod full_disk;
mod glance;
mod grid;
mod hooks;
mod house;
mod kills;
mod linked;
mod live;
mod logs;
mod looking;
mod mending;
mod pages;
mod program;
mod rows;
#[path = "../notify/sink.rs"]
mod sink;
mod slow;
#[path = "../support/mod.rs"]
mod support;
mod unattended;
mod versions;
mod words;
