//! Bytes of a result file → cases and warnings (SPEC sections 4 and 7).
//!
//! Readers are streams: each case goes to a [`Sink`] when it is complete, so memory holds what the
//! sink keeps and not the file. What a file claims about itself is never believed: totals are counted
//! from cases, and a claim that disagrees is a warning. A damaged file gives the cases that were
//! complete, and says what is wrong with it.
//!
//! What it must not do: open files, decide the verdict of a cycle, or match the cases of two runs.

mod case;
mod ctrf;
mod decode;
mod detect;
mod draft;
mod error;
mod go;
mod json;
mod junit;
mod libtest;
mod lines;
mod native;
mod playwright;
mod run;
mod tap;
mod text;
mod totals;
mod warnings;
mod xml;

use std::io::{self, BufRead, Cursor, Read};

pub use case::{
    Format, Problem, ProblemKind, Reading, ReportedCase, ReportedOutcome, Sink, Stated, SuiteError,
    Warning,
};
pub use error::{MAX_DEPTH, Unreadable};
pub use native::Native;
pub use run::{Entry, Run};
pub use totals::{Standing, Totals};

/// Reads the cases of a file, in the format given or in the one that its content shows. The bytes come as they
/// are in the file; memory does not grow with them.
///
/// # Errors
///
/// [`Unreadable`] where it holds no results at all. A damaged file is read as far as it goes; what is wrong
/// with it stands in the [`Reading`].
pub fn read(
    input: &mut dyn BufRead,
    format: Option<Format>,
    sink: &mut dyn Sink,
) -> Result<Reading, Unreadable> {
    let mut decoded = decode::Decoded::new(input)?;
    let mut head = Vec::with_capacity(detect::HEAD);
    (&mut decoded).take(detect::HEAD as u64).read_to_end(&mut head)?;
    if head.len() < detect::HEAD && head.trim_ascii().is_empty() {
        return Err(Unreadable::Empty);
    }
    let format = match format {
        Some(format) => format,
        None => detect::format_of(&String::from_utf8_lossy(&head))?,
    };
    let mut whole = Cursor::new(head).chain(&mut decoded);
    let mut reading = match format {
        Format::Junit => junit::read(&mut whole, sink),
        Format::Ctrf => ctrf::read(&mut whole, sink),
        Format::Tap => tap::read(&mut whole, sink),
        Format::Go => go::read(&mut whole, sink),
        Format::Libtest => libtest::read(&mut whole, sink),
        Format::Playwright => playwright::read(&mut whole, sink),
    }?;
    // Whether all of it was text must not depend on how far a reader looked. What was read stands,
    // whatever becomes of the rest.
    let _ = io::copy(&mut whole, &mut io::sink());
    if decoded.replaced() {
        let what = "bytes that are no text in the file's encoding were replaced".into();
        reading.warnings.insert(0, Warning { line: None, what });
    }
    Ok(reading)
}

#[cfg(test)]
mod damage;
