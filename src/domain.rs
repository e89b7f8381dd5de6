//! The words of the loop as types: what a pipeline asks for, what a cycle saw, what was decided.
//!
//! Everything here is plain data with checked constructors. Nothing here reads a clock, a file or
//! a socket, and nothing here decides: decisions live in the layer above. Two tables that several of
//! them share stand here: which change a pair of outcomes is, and what identifies a reported case.

pub mod address;
pub mod attempt;
pub mod change;
pub mod claim;
pub mod commit;
pub mod errors;
pub mod escape;
pub mod event;
pub mod evidence;
pub mod failure;
pub mod findings;
pub mod gap;
pub mod glob;
pub mod history;
pub mod hosts;
pub mod identity;
pub mod login;
pub mod names;
pub mod observed;
pub mod outcome;
pub mod paths;
pub mod redact;
pub mod references;
pub mod refname;
pub mod retention;
pub mod revision;
pub mod search;
pub mod spec;
pub mod state;
pub mod template;
