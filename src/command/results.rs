//! The result files of a run: found, refused where they cannot be of this run, read. Blocking.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use crate::domain::errors::chain;
use crate::domain::event::{Left, MAX_FILES, ResultFile};
use crate::domain::glob::Glob;
use crate::domain::redact::Masker;
use crate::ingest::{self, Format, Reading, Run, Unreadable};

/// More files than this are not looked at.
const MAX_ENTRIES: usize = 20_000;
/// Deeper folders are not looked into.
const MAX_DEPTH: usize = 32;
/// At most so many remarks about a file are kept.
const MAX_WARNINGS: usize = 5;
/// At most so many failures that belong to no case are kept.
const MAX_SUITE_ERRORS: usize = 5;
/// Some file systems keep times in steps of two seconds.
const CLOCK_GRAIN: SignedDuration = SignedDuration::from_secs(2);

/// What the files of one run of a command say.
#[derive(Debug)]
pub struct Results {
    /// The cases of all files as one run, by the order of the files' paths.
    pub run: Run,
    /// What there is to say besides. Its figures of cases are for whoever merges them.
    pub left: Left,
}

/// Where results are looked for, and in which format.
pub struct Pattern {
    glob: Glob,
    format: Option<Format>,
}

impl Pattern {
    /// Of a checked pipeline.
    pub fn of(results: &[(String, String)]) -> Vec<Self> {
        let pattern = |(format, glob): &(String, String)| {
            Some(Self { glob: Glob::parse(glob).ok()?, format: Format::parse(format) })
        };
        results.iter().filter_map(pattern).collect()
    }
}

/// Reads what a run left in its folder of results. `since` is when the run began: what is older was
/// not written by it.
pub fn collect(dir: &Path, patterns: &[Pattern], since: Timestamp, masker: &Masker) -> Results {
    let mut results = Results { run: Run::with_texts(), left: Left::default() };
    let mut complete = true;
    for path in files_beneath(dir) {
        let shown = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
        let Some(pattern) = patterns.iter().find(|pattern| pattern.glob.matches_path(&shown))
        else {
            continue;
        };
        let read = read_file(&path, pattern, since, &mut results.run);
        let mut file = ResultFile {
            path: masker.mask(&shown),
            dialect: None,
            cases: 0,
            warnings: Vec::new(),
            refused: None,
        };
        match read {
            Ok(reading) => {
                complete &= reading.complete;
                results.run.end_file(&reading);
                take(&mut results.left, &mut file, reading, masker);
            }
            // Screenshots and logs lie beside results; only what was named is missed.
            Err(Refused::NotResults { .. } | Refused::Empty) if pattern.format.is_none() => {
                continue;
            }
            Err(refused) => {
                results.run.lose_file();
                complete = false;
                file.refused = Some(masker.mask(&refused.to_string()));
            }
        }
        results.left.files_total += 1;
        if results.left.files.len() < MAX_FILES {
            results.left.files.push(file);
        }
    }
    results.left.complete = complete;
    results
}

fn take(left: &mut Left, file: &mut ResultFile, reading: Reading, masker: &Masker) {
    file.cases = u32::try_from(reading.cases).unwrap_or(u32::MAX);
    file.dialect = Some(match reading.dialect {
        dialect if dialect == reading.format.as_str() => dialect.to_owned(),
        dialect => format!("{} ({dialect})", reading.format),
    });
    let warnings = reading.warnings.iter().take(MAX_WARNINGS);
    file.warnings = warnings
        .map(|warning| match warning.line {
            Some(line) => masker.mask(&format!("line {line}: {}", warning.what)),
            None => masker.mask(&warning.what),
        })
        .collect();
    left.suite_errors_total += count(reading.suite_errors.len());
    let room = MAX_SUITE_ERRORS.saturating_sub(left.suite_errors.len());
    let errors = reading.suite_errors.iter().take(room);
    left.suite_errors.extend(errors.map(|error| masker.mask(&error.message)));
}

/// Why nothing is taken from a file.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("was written before this run began, so it is of another one")]
    Stale,
    #[error("{0}")]
    NotResults(String),
    #[error("is empty")]
    Empty,
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

impl From<Unreadable> for Refused {
    fn from(fault: Unreadable) -> Self {
        let hint = fault.hint().map_or_else(String::new, |hint| format!("; {hint}"));
        match fault {
            Unreadable::NotResults { .. } => Self::NotResults(chain(&fault)),
            Unreadable::Native(_) => Self::Unreadable(format!("{}{hint}", chain(&fault))),
            Unreadable::Empty => Self::Empty,
            Unreadable::TooDeep | Unreadable::Io(_) => Self::Unreadable(chain(&fault)),
        }
    }
}

fn read_file(
    path: &Path,
    pattern: &Pattern,
    since: Timestamp,
    run: &mut Run,
) -> Result<Reading, Refused> {
    let unreadable = |fault: std::io::Error| Refused::Unreadable(fault.to_string());
    let file = File::open(path).map_err(unreadable)?;
    let written = file.metadata().and_then(|metadata| metadata.modified()).map_err(unreadable)?;
    if Timestamp::try_from(written).is_ok_and(|written| written < since - CLOCK_GRAIN) {
        return Err(Refused::Stale);
    }
    Ok(ingest::read(&mut BufReader::new(file), pattern.format, run)?)
}

/// Regular files beneath a folder, by path. Links are not followed: what a test leaves behind must not
/// lead anywhere else.
fn files_beneath(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![(dir.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_file() && files.len() < MAX_ENTRIES {
                files.push(entry.path());
            } else if kind.is_dir() && depth < MAX_DEPTH {
                folders.push((entry.path(), depth + 1));
            }
        }
    }
    files.sort_unstable();
    files
}

fn count(many: usize) -> u32 {
    u32::try_from(many).unwrap_or(u32::MAX)
}
