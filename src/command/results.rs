//! The result files of a run: found, refused where they cannot be of this run, read. Blocking.

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::folder::open_regular;
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
    let (found, all) = beneath(dir);
    if !all {
        complete = false;
        let why = format!("holds more than {MAX_ENTRIES} files: the rest was not looked at");
        name(&mut results.left, ResultFile { refused: Some(why), ..named(".".to_owned()) });
    }
    for Found { path, kind } in found {
        let shown = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
        let Some(pattern) = patterns.iter().find(|pattern| pattern.glob.matches_path(&shown))
        else {
            continue;
        };
        let read = match kind {
            Kind::File => read_file(&path, pattern, since, &mut results.run),
            Kind::Other(why) => Err(why),
        };
        let mut file = named(masker.mask(&shown));
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
                complete &= !refused.may_hold_results();
                file.refused = Some(masker.mask(&refused.to_string()));
            }
        }
        name(&mut results.left, file);
    }
    results.left.complete = complete;
    results
}

fn named(path: String) -> ResultFile {
    ResultFile { path, dialect: None, cases: 0, warnings: Vec::new(), refused: None }
}

fn name(left: &mut Left, file: ResultFile) {
    left.files_total += 1;
    if left.files.len() < MAX_FILES {
        left.files.push(file);
    }
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
    for error in &reading.suite_errors {
        belongs_to_no_case(left, || masker.mask(&error.message));
    }
}

/// Adds a failure that no case of the run tells.
pub fn belongs_to_no_case(left: &mut Left, error: impl FnOnce() -> String) {
    left.suite_errors_total = left.suite_errors_total.saturating_add(1);
    if left.suite_errors.len() < MAX_SUITE_ERRORS {
        left.suite_errors.push(error());
    }
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
    #[error("is a link: only what the command itself left here is read")]
    Link,
    #[error("is no file")]
    Special,
    #[error("is a folder within more than {MAX_DEPTH} others: it was not looked into")]
    TooDeep,
}

impl Refused {
    /// Whether something may be missing for what was refused. A pipe or a socket holds no results.
    fn may_hold_results(&self) -> bool {
        match self {
            Self::Special => false,
            Self::Stale
            | Self::NotResults(_)
            | Self::Empty
            | Self::Unreadable(_)
            | Self::Link
            | Self::TooDeep => true,
        }
    }
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
    let file = open_regular(path).map_err(unreadable)?;
    let written = file.metadata().and_then(|metadata| metadata.modified()).map_err(unreadable)?;
    if Timestamp::try_from(written).is_ok_and(|written| written < since - CLOCK_GRAIN) {
        // A screenshot that was copied is older, too, and nobody's result.
        ingest::read(&mut BufReader::new(file), pattern.format, &mut Run::default())?;
        return Err(Refused::Stale);
    }
    Ok(ingest::read(&mut BufReader::new(file), pattern.format, run)?)
}

/// What lies beneath a folder.
pub(super) struct Found {
    pub(super) path: PathBuf,
    kind: Kind,
}

enum Kind {
    File,
    Other(Refused),
}

/// What lies beneath a folder, by path, and whether that is all. Links are not followed: what a test
/// leaves behind must not lead anywhere else. A link to a folder is nobody's result.
pub(super) fn beneath(dir: &Path) -> (Vec<Found>, bool) {
    let mut found = Vec::new();
    let mut folders = vec![(dir.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(fault) => {
                let why = Refused::Unreadable(fault.to_string());
                found.push(Found { path: folder, kind: Kind::Other(why) });
                continue;
            }
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let kind = match entry.file_type() {
                Ok(kind) if kind.is_file() => Kind::File,
                Ok(kind) if kind.is_dir() && depth < MAX_DEPTH => {
                    folders.push((path, depth + 1));
                    continue;
                }
                Ok(kind) if kind.is_dir() => Kind::Other(Refused::TooDeep),
                Ok(kind) if kind.is_symlink() && path.is_dir() => continue,
                Ok(kind) if kind.is_symlink() => Kind::Other(Refused::Link),
                Ok(_) => Kind::Other(Refused::Special),
                Err(fault) => Kind::Other(Refused::Unreadable(fault.to_string())),
            };
            if found.len() == MAX_ENTRIES {
                return (found, false);
            }
            found.push(Found { path, kind });
        }
    }
    found.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    (found, true)
}

#[cfg(test)]
mod tests;
