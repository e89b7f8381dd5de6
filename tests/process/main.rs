//! The supervisor as the rest of the program sees it, with the real binary and real processes.
//! Names in the tests such as D2 are rows of the reliability matrix.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods)]

mod child_view;
mod crash;
mod ending;
mod output;
mod support;
