//! Bytes of a result file → cases and warnings (SPEC sections 4 and 7).
//!
//! Readers are streams: each case goes to a [`Sink`] when it is complete, so memory holds what the
//! sink keeps and not the file. What a file claims about itself is never believed: totals are counted
//! from cases, and a claim that disagrees is a warning. A damaged file gives the cases that were
//! complete, and says what is wrong with it.
//!
//! What it must not do: open files, decide a verdict, or match the cases of two runs.

mod case;
#[allow(dead_code, reason = "called once `read` tells the formats apart")]
mod ctrf;
#[allow(dead_code, reason = "the readers that use it come next")]
mod draft;
mod error;
#[allow(dead_code, reason = "called once `read` tells the formats apart")]
mod go;
#[allow(dead_code, reason = "the readers that use it come next")]
mod json;
#[allow(dead_code, reason = "called once `read` tells the formats apart")]
mod libtest;
#[allow(dead_code, reason = "the readers that use it come next")]
mod lines;
#[allow(dead_code, reason = "called once `read` tells the formats apart")]
mod playwright;
#[allow(dead_code, reason = "called once `read` tells the formats apart")]
mod tap;
#[allow(dead_code, reason = "the readers that use it come next")]
mod text;
#[allow(dead_code, reason = "the readers that use it come next")]
mod warnings;

pub use case::{
    Format, Problem, ProblemKind, Reading, ReportedCase, ReportedOutcome, Sink, Stated, SuiteError,
    Warning,
};
pub use error::{MAX_DEPTH, Unreadable};
