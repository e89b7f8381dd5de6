//! Why a file gives no results at all. What can be saved from a damaged file is saved, with warnings;
//! this is for what is left.
//!
//! What it must not do: stand for a damaged file that still has cases.

use std::io;

use super::native::Native;

/// How many elements or values may be nested in each other. Real files have a handful; 300 are read.
pub const MAX_DEPTH: usize = 1_000;

/// Why a file gives no results.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is something else.
    #[error("not test results in a known format: {found}")]
    NotResults {
        /// What it looks like, as `an HTML page`.
        found: String,
    },
    /// A tool's own format, whose cases are not read.
    #[error("{0}: its cases are not read")]
    Native(Native),
    /// Nothing in it but white space.
    #[error("empty")]
    Empty,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// The bytes did not come.
    #[error("cannot be read")]
    Io(#[from] io::Error),
}

impl Unreadable {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotResults { .. } => Some(
                "give the file that the test tool writes as JUnit XML, CTRF, TAP, go test -json, libtest \
                 or Playwright JSON; `--format` names the format where the content does not show it",
            ),
            Self::Native(native) => Some(native.instead()),
            Self::Empty => Some(
                "the tool wrote nothing: it was stopped, or its report goes elsewhere; its own output says which",
            ),
            Self::TooDeep => Some("no test tool nests so deep; look at what wrote the file"),
            Self::Io(_) => None,
        }
    }
}
