//! Result files of other tools, as commands name them: which files there are, and what each gave.
//!
//! What it must not do: know what a format looks like (`ingest`), or print.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::context::special;
use super::error::CliError;
use crate::ingest::{self, Format, Reading, ReportedCase, Sink, Totals, Unreadable};

/// How many files of a folder are read; a run has one a class at most.
const MOST_FILES: usize = 100_000;

/// How deep folders are looked into.
const DEPTH: usize = 32;

/// How much is read from a file at a time.
const STEP: usize = 256 << 10;

/// A file, and whether somebody named it or it was found in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is, as it was named.
    pub path: PathBuf,
    /// How it came to be read.
    pub by: By,
}

/// How a file came to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// It was named: it must be a result file.
    Name,
    /// It stood in a folder: it may be something else.
    Folder,
}

/// What a file gave.
#[derive(Debug)]
pub struct FileRead {
    /// The file.
    pub found: Found,
    /// Its cases, counted as they stand.
    pub totals: Totals,
    /// What was read.
    pub result: Result<Reading, Unreadable>,
}

impl FileRead {
    /// Whether it is no result file, and nobody said that it is one.
    pub fn is_by_the_way(&self) -> bool {
        self.found.by == By::Folder && matches!(self.result, Err(Unreadable::NotResults { .. }))
    }

    /// The error of a file that should have been read.
    pub fn into_error(self) -> Option<CliError> {
        let error = self.result.err()?;
        let hint = error.hint();
        let context = format!("cannot read results from {}", self.found.path.display());
        let error = CliError::usage(anyhow::Error::from(error).context(context));
        Some(match hint {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }
}

/// The files that a path stands for: itself, or all in a folder, sorted.
pub fn files_of(path: &Path) -> Result<Vec<Found>, CliError> {
    let cannot = |error: io::Error| {
        let context = format!("cannot read {}", path.display());
        CliError::usage(anyhow::Error::from(error).context(context))
    };
    let about = fs::metadata(path).map_err(cannot)?;
    if let Some(kind) = special(&about) {
        return Err(CliError::usage_text(format_args!("{} is {kind}, not a file", path.display())));
    }
    if about.is_file() {
        return Ok(vec![Found { path: path.to_owned(), by: By::Name }]);
    }
    let mut paths = Vec::new();
    walk(path, DEPTH, &mut paths).map_err(cannot)?;
    if paths.len() > MOST_FILES {
        let text = format!("{} holds more than {MOST_FILES} files", path.display());
        return Err(CliError::usage_text(text).hint("name the folder in which the results are"));
    }
    paths.sort();
    Ok(paths.into_iter().map(|path| Found { path, by: By::Folder }).collect())
}

/// Links are not followed: they may lead anywhere, in a circle too.
fn walk(folder: &Path, depth: usize, into: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() {
            into.push(entry.path());
        } else if kind.is_dir() && depth > 0 {
            walk(&entry.path(), depth - 1, into)?;
        }
        if into.len() > MOST_FILES {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads a file; its cases go to the sink.
pub fn read(found: Found, format: Option<Format>, sink: &mut dyn Sink) -> FileRead {
    let mut counting = Counting { sink, totals: Totals::default() };
    let result = File::open(&found.path).map_err(Unreadable::from).and_then(|file| {
        let mut input = BufReader::with_capacity(STEP, file);
        ingest::read(&mut input, format, &mut counting)
    });
    let totals = counting.totals;
    FileRead { found, totals, result }
}

struct Counting<'s> {
    sink: &'s mut dyn Sink,
    totals: Totals,
}

impl Sink for Counting<'_> {
    fn case(&mut self, case: ReportedCase) {
        self.totals.add(&case);
        self.sink.case(case);
    }
}
