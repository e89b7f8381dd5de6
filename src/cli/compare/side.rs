//! One of the two runs: its files, read into one table.
//!
//! What it must not do: look at the other one.

use std::path::Path;

use crate::cli::error::CliError;
use crate::cli::results::{self, FileRead};
use crate::compare::{Extent, Row, Side};
use crate::domain::outcome::Outcome;
use crate::ingest::{Format, Reading, ReportedOutcome, Run, Standing, Totals};

/// How many troubles, and how many remarks, of a run are kept.
const MOST: usize = 100;

/// A run, read.
pub struct RunRead {
    /// How it was named.
    pub name: String,
    /// Its cases.
    pub run: Run,
    /// How they ended, one count an identity.
    pub totals: Totals,
    /// How many files were read.
    pub files: usize,
    /// Whether it is a whole run.
    pub extent: Extent,
    /// What failed beside the cases: errors of suites, failures that are stated and not shown.
    pub troubles: Vec<String>,
    /// What a person should know of the files.
    pub remarks: Vec<String>,
}

impl RunRead {
    /// Reads a file or a folder.
    pub fn read(path: &Path, format: Option<Format>) -> Result<Self, CliError> {
        let mut read = Self {
            name: path.display().to_string(),
            run: Run::default(),
            totals: Totals::default(),
            files: 0,
            extent: Extent::Whole,
            troubles: Vec::new(),
            remarks: Vec::new(),
        };
        for found in results::files_of(path)? {
            let file = results::read(found, format, &mut read.run);
            read.add(file)?;
        }
        if read.files == 0 {
            return Err(CliError::usage_text(format_args!(
                "there is no result file in {}",
                read.name
            ))
            .hint("give the file or the folder that the test tool writes"));
        }
        for entry in read.run.entries() {
            read.totals.add_outcome(entry.outcome);
        }
        let left_out = read.run.left_out();
        if left_out > 0 {
            read.remark(format!("{left_out} cases were too many"));
            read.extent = Extent::Part;
        }
        Ok(read)
    }

    fn add(&mut self, file: FileRead) -> Result<(), CliError> {
        if file.is_by_the_way() {
            self.remark(format!("{}: no result file", file.found.path.display()));
            return Ok(());
        }
        let path = file.found.path.display().to_string();
        let reading = match &file.result {
            Ok(reading) => reading,
            // One broken file of a folder leaves a part of the run.
            Err(error) if file.found.by == results::By::Folder => {
                self.run.lose_file();
                self.extent = Extent::Part;
                self.remark(format!("{path}: {error}"));
                return Ok(());
            }
            Err(_) => return file.into_error().map_or(Ok(()), Err),
        };
        self.files += 1;
        self.run.end_file(reading);
        self.judge(&path, reading, &file.totals);
        Ok(())
    }

    fn judge(&mut self, path: &str, reading: &Reading, totals: &Totals) {
        if !reading.complete {
            self.extent = Extent::Part;
            self.remark(format!("{path}: not a whole run"));
        }
        for error in &reading.suite_errors {
            let suite = error.suite.join(" > ");
            self.trouble(if suite.is_empty() {
                error.message.clone()
            } else {
                format!("{suite}: {}", error.message)
            });
        }
        let shown = totals.failed + totals.errored > 0 || !reading.suite_errors.is_empty();
        if totals.standing(reading) == Standing::Fail && !shown {
            self.trouble("the results state failures that no case shows".into());
        }
        for warning in &reading.warnings {
            self.remark(match warning.line {
                Some(line) => format!("{path}: line {line}: {}", warning.what),
                None => format!("{path}: {}", warning.what),
            });
        }
    }

    fn trouble(&mut self, what: String) {
        if self.troubles.len() < MOST {
            self.troubles.push(what);
        }
    }

    fn remark(&mut self, what: String) {
        if self.remarks.len() < MOST {
            self.remarks.push(what);
        }
    }

    /// The cases, ready to be compared.
    pub fn rows(&self) -> Vec<Row<'_>> {
        let run = &self.run;
        let row = |entry| Row {
            place: run.place_of(entry),
            name: run.name_of(entry),
            file: run.file_of(entry),
            outcome: outcome(entry.outcome),
        };
        run.entries().iter().map(row).collect()
    }

    /// The run, ready to be compared.
    pub fn side<'a>(&'a self, rows: &'a [Row<'a>]) -> Side<'a> {
        Side { places: self.run.places(), rows, extent: self.extent }
    }
}

/// What a file reports, in the words of a cycle.
pub fn outcome(reported: ReportedOutcome) -> Outcome {
    match reported {
        ReportedOutcome::Errored => Outcome::Errored,
        ReportedOutcome::Failed => Outcome::Failed,
        ReportedOutcome::Skipped => Outcome::Skipped,
        ReportedOutcome::Flaky => Outcome::Flaky,
        ReportedOutcome::Passed => Outcome::Passed,
    }
}
