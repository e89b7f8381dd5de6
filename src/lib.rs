//! Andon closes the loop between a merge and the proof that staging still works.
//!
//! The modules stand in layers; imports go downwards only (`ARCHITECTURE.md`,
//! checked by `tests/architecture.rs`).
//!
//! ```text
//! L5  app                                                     wiring, settings, telemetry, signals
//! L4  web  cli  demo                                          surfaces
//! L3  engine  upkeep  daemon  trial                           runs cycles, one or all; and commands behind faults
//! L2  store git process deploy readiness probe observe impair suite rehearsal command trigger notify    adapters: async, I/O
//! L1  pipeline cycle verdict diff cluster investigation ingest compare report watch culprit prove queue retention room    decisions: sync, no I/O, no clock
//! L0  domain                                                  types
//! ```

pub mod app;
pub mod cli;
pub mod cluster;
pub mod command;
pub mod compare;
pub mod culprit;
pub mod cycle;
pub mod daemon;
pub mod demo;
pub mod deploy;
pub mod diff;
pub mod domain;
pub mod engine;
pub mod git;
pub mod impair;
pub mod ingest;
pub mod investigation;
pub mod notify;
pub mod observe;
pub mod pipeline;
pub mod probe;
pub mod process;
pub mod prove;
pub mod queue;
pub mod readiness;
pub mod rehearsal;
pub mod report;
pub mod retention;
pub mod room;
pub mod store;
pub mod suite;
pub mod trial;
pub mod trigger;
pub mod trust;
pub mod upkeep;
pub mod verdict;
pub mod watch;
pub mod web;
