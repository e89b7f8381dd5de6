//! What can go wrong with the store. A fault here is never a result of the service under test.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::rows::CycleKey;
use crate::domain::names::EnvironmentName;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no database, and reading does not create one.
    #[error("no database at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It could not be opened or reached.
    #[error("cannot open the database {}", path.display())]
    Unavailable {
        /// Where it is.
        path: PathBuf,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process held the write lock for the whole time that we waited.
    #[error("the database is locked by another process")]
    Locked,
    /// The file is some other program's.
    #[error("{} is not a database of Andon", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of Andon wrote it. Nothing was changed.
    #[error("the database has schema {found}, this version knows schemas up to {known}")]
    TooNew {
        /// The schema in the file.
        found: i64,
        /// The newest schema of this version.
        known: i64,
    },
    /// An older version wrote it, and reading does not bring it up to date.
    #[error("the database has schema {found}, this version reads schema {known}")]
    Outdated {
        /// The schema in the file.
        found: i64,
        /// The schema of this version.
        known: i64,
    },
    /// The SQLite in this program has a bug that damages databases.
    #[error("SQLite {found} can damage a database, at least {needed} is needed")]
    OldSqlite {
        /// The version in use.
        found: String,
        /// The oldest version that is sound.
        needed: &'static str,
    },
    /// The file is not the one that was opened: it was moved, deleted or replaced.
    #[error("the database {} was replaced while it was open", path.display())]
    Replaced {
        /// Where it was.
        path: PathBuf,
    },
    /// The file is not there any more, most likely with the whole state folder.
    #[error("the database {} was deleted while it was open", path.display())]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
    /// Nothing was written: the system refused, for another reason than a full disk.
    #[error("cannot write to the database {}", path.display())]
    NotWritten {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: sqlx::Error,
    },
    /// Nothing was written: the store was opened for reading.
    #[error("the store was opened for reading only")]
    ReadOnly,
    /// Nothing was written: the file, or the disk that it lies on, takes no writing.
    #[error("the database cannot be written to: its file or its disk is read-only")]
    Unwritable,
    /// Nothing was written: the disk, or the quota, is full.
    #[error("no space is left for the database")]
    Full,
    /// The file's structure is broken.
    #[error("the database is damaged: {detail}")]
    Damaged {
        /// What was found.
        detail: String,
    },
    /// A flush to disk failed: what the disk holds is unknown until the process starts anew.
    #[error("the disk failed while the database was being written")]
    DiskFailed,
    /// The cycle moved on: someone else appended to it.
    #[error("{cycle} has {found} events, {expected} were expected")]
    Conflict {
        /// The cycle.
        cycle: CycleKey,
        /// How many events the caller had seen.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// The hold on the environment was lost, so nothing may be written in its name.
    #[error("the hold on environment {environment} was lost")]
    Fenced {
        /// The environment.
        environment: EnvironmentName,
    },
    /// No such cycle.
    #[error("there is no {cycle}")]
    UnknownCycle {
        /// The cycle.
        cycle: CycleKey,
    },
    /// The records of the cycle expired; its row and its reports are still there.
    #[error("the records of {cycle} expired on {}{}", at.strftime("%F"), place_of(report.as_deref()))]
    Expired {
        /// The cycle.
        cycle: CycleKey,
        /// When.
        at: Timestamp,
        /// Where its report is.
        report: Option<String>,
    },
    /// A stored event cannot be read by this version.
    #[error("event {seq} of {cycle} (kind {kind}, version {version}) cannot be read: {why}")]
    UnreadableEvent {
        /// Its cycle.
        cycle: CycleKey,
        /// Its place in the cycle.
        seq: u64,
        /// Its kind as stored.
        kind: String,
        /// Its version as stored.
        version: u16,
        /// Why.
        why: String,
    },
    /// A value cannot be written down, or is more than the store takes.
    #[error("{what} cannot be stored: {why}")]
    Unstorable {
        /// What.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Anything else that the database said.
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
}

/// Where the report of an expired cycle is, as the end of a sentence.
fn place_of(report: Option<&str>) -> String {
    report.map(|report| format!("; its report is at {report}")).unwrap_or_default()
}

impl StoreError {
    /// Whether the disk took nothing: what failed can go well as soon as there is room.
    pub fn is_lack_of_room(&self) -> bool {
        // A quota and a limit on the size of files come as a write that was refused.
        matches!(self, Self::Full | Self::Unwritable | Self::NotWritten { .. })
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } => Some(
                "nothing has run here yet; start with `andon run PIPELINE.yaml`, or name the folder with `--state DIR`",
            ),
            Self::Unavailable { .. } => {
                Some("check that the state folder exists and belongs to you")
            }
            Self::Locked => Some("another program keeps the database busy; end it, or try again"),
            Self::NotOurs { .. } => Some("give another folder with `--state DIR`"),
            Self::TooNew { .. } => Some("use the newer version of Andon; nothing was changed"),
            Self::Outdated { .. } => {
                Some("any command that writes brings it up to date, for example `andon run`")
            }
            Self::OldSqlite { .. } => Some("build Andon with the SQLite that it bundles"),
            Self::Replaced { .. } => {
                Some("restart Andon, and restore backups only while it is stopped")
            }
            Self::Gone { .. } => Some(
                "what was recorded is gone with it, and a deploy that ran may still run; see to it, then start again",
            ),
            Self::NotWritten { .. } => Some(
                "check its disk, the quota, and the limit on the size of files (`ulimit -f`); what was stored before is still there",
            ),
            Self::Unwritable => Some(
                "check who owns the state folder, and that its disk is mounted for writing; to look at what is there, copy the folder and name the copy with `--state DIR`",
            ),
            Self::Full => Some("free some space; what was stored before is still there"),
            Self::Damaged { .. } => {
                Some("restore a backup of the state folder; `andon doctor` checks all of it")
            }
            Self::DiskFailed => Some("check the disk, then start Andon again"),
            Self::UnreadableEvent { .. } => Some(
                "it is damaged, or stems from a newer version of Andon: use that version, or restore a backup of the state folder; other cycles are not affected, and `andon doctor` looks at all of them",
            ),
            Self::Conflict { .. } | Self::Fenced { .. } => {
                Some("another process works on this cycle; look at it again")
            }
            Self::UnknownCycle { .. } => Some("`andon cycles PIPELINE` lists what there is"),
            Self::Expired { .. } => {
                Some("`retention` in andon.yaml says how long records are kept; reports stay")
            }
            Self::ReadOnly | Self::Unstorable { .. } | Self::Closed | Self::Database(_) => None,
        }
    }

    /// The same fault with the file's name, where a database would not be written to.
    pub(super) fn of_file(self, file: &Path) -> Self {
        /// SQLite's `SQLITE_IOERR_WRITE`: also what a limit on the size of files gives.
        const IO_WRITE: i32 = 778;
        match self {
            Self::Database(source) if code_of(&source) == Some(IO_WRITE) => {
                Self::NotWritten { path: file.to_owned(), source }
            }
            other => other,
        }
    }

    /// Whether a file could not be made or opened, that of the database itself or one beside it.
    pub(super) fn lacks_a_file(&self) -> bool {
        /// SQLite's `SQLITE_CANTOPEN`, said at the first statement.
        const CANNOT_OPEN: i32 = 14;
        match self {
            Self::Unavailable { .. } => true,
            Self::Database(source) => {
                code_of(source).is_some_and(|code| code & 0xff == CANNOT_OPEN)
            }
            _ => false,
        }
    }

    /// Whether the connection that said so may be used again: a refusal by our own rules leaves it
    /// sound, anything that the database said may not.
    pub(super) fn spares_connection(&self) -> bool {
        match self {
            Self::Conflict { .. }
            | Self::Fenced { .. }
            | Self::UnknownCycle { .. }
            | Self::Expired { .. }
            | Self::UnreadableEvent { .. }
            | Self::Unstorable { .. } => true,
            Self::Missing { .. }
            | Self::Unavailable { .. }
            | Self::Locked
            | Self::NotOurs { .. }
            | Self::TooNew { .. }
            | Self::Outdated { .. }
            | Self::OldSqlite { .. }
            | Self::Replaced { .. }
            | Self::Gone { .. }
            | Self::NotWritten { .. }
            | Self::ReadOnly
            | Self::Unwritable
            | Self::Full
            | Self::Damaged { .. }
            | Self::DiskFailed
            | Self::Closed
            | Self::Database(_) => false,
        }
    }
}

fn code_of(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code)?;
    code.parse().ok()
}

/// Reads SQLite's extended result codes (<https://www.sqlite.org/rescode.html>). Their low byte is
/// the primary code.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        const BUSY: i32 = 5;
        const LOCKED: i32 = 6;
        const READONLY: i32 = 8;
        const CORRUPT: i32 = 11;
        const FULL: i32 = 13;
        const NOT_A_DATABASE: i32 = 26;
        /// The file that readers and the writer share could not be made as large as it must be. It
        /// is made when the database is opened, so a full disk shows here first.
        const IO_SHM_SIZE: i32 = 4874;
        const IO_FSYNC: i32 = 1034;
        const IO_DIR_FSYNC: i32 = 1290;

        if matches!(error, sqlx::Error::PoolClosed) {
            return Self::Closed;
        }
        match code_of(&error).map(|code| (code, code & 0xff)) {
            Some((IO_FSYNC | IO_DIR_FSYNC, _)) => Self::DiskFailed,
            Some((_, BUSY | LOCKED)) => Self::Locked,
            Some((IO_SHM_SIZE, _) | (_, FULL)) => Self::Full,
            Some((_, READONLY)) => Self::Unwritable,
            Some((_, CORRUPT | NOT_A_DATABASE)) => Self::Damaged { detail: error.to_string() },
            Some(_) | None => Self::Database(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::error::Error as StdError;

    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("result code {0}")]
    struct Said(i32);

    impl DatabaseError for Said {
        fn message(&self) -> &'static str {
            "said"
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.to_string().into())
        }

        fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    #[test]
    fn what_the_system_refuses_names_the_file() {
        let fault = |code| {
            StoreError::from(sqlx::Error::Database(Box::new(Said(code)))).of_file(Path::new("a.db"))
        };
        assert_eq!(fault(778).to_string(), "cannot write to the database a.db");
        assert!(fault(778).hint().is_some_and(|hint| hint.contains("ulimit -f")));
        assert!(fault(778).is_lack_of_room() && !fault(266).is_lack_of_room());
        assert!(
            matches!(fault(266), StoreError::Database(_)),
            "a read that failed is another fault"
        );
    }

    #[test]
    fn result_codes_are_told_apart() {
        type IsIt = fn(&StoreError) -> bool;
        let table: [(i32, IsIt); 13] = [
            (5, |e| matches!(e, StoreError::Locked)),
            (261, |e| matches!(e, StoreError::Locked)),
            (517, |e| matches!(e, StoreError::Locked)),
            (6, |e| matches!(e, StoreError::Locked)),
            (8, |e| matches!(e, StoreError::Unwritable)),
            (1032, |e| matches!(e, StoreError::Unwritable)),
            (13, |e| matches!(e, StoreError::Full)),
            (11, |e| matches!(e, StoreError::Damaged { .. })),
            (26, |e| matches!(e, StoreError::Damaged { .. })),
            (1034, |e| matches!(e, StoreError::DiskFailed)),
            (1290, |e| matches!(e, StoreError::DiskFailed)),
            (4874, |e| matches!(e, StoreError::Full)),
            // An input or output error of another kind may pass.
            (778, |e| matches!(e, StoreError::Database(_))),
        ];
        for (code, is_expected) in table {
            let error = StoreError::from(sqlx::Error::Database(Box::new(Said(code))));
            assert!(is_expected(&error), "{code} became {error:?}");
            assert!(!error.spares_connection(), "{code} is used again");
        }
    }
}
