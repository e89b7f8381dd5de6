//! Reads the sections of pipeline, suite and daemon files: one file for each part of the language.
//!
//! Each reader takes a node and gives the meaning; faults are noted on the way.

pub(crate) mod case;
pub(crate) mod commands;
pub(crate) mod daemon;
pub(crate) mod deploy;
pub(crate) mod events;
pub(crate) mod expect;
pub(crate) mod http;
pub(crate) mod identity;
pub(crate) mod matcher;
pub(crate) mod news;
pub(crate) mod retention;
pub(crate) mod root;
pub(crate) mod step;
pub(crate) mod suite;
pub(crate) mod watch;
pub(crate) mod ws;
