//! The schema of the database file: what there is, what this version needs, and the way there.

use std::borrow::Cow;
use std::path::Path;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, SqlSafeStr};

use crate::store::{Result, StoreError};

/// `Andn` in the file's header: tells our file from any other SQLite database.
const APPLICATION_ID: i64 = 0x416e_646e;

/// The oldest SQLite without the bug that can lose committed data when the WAL is reset.
const OLDEST_SOUND_SQLITE: &str = "3.51.3";

/// Every migration, in order. Each sets `user_version` to its number, in its own transaction.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "ledger", include_str!("../../../migrations/sqlite/0001_ledger.sql")),
    (2, "daemon", include_str!("../../../migrations/sqlite/0002_daemon.sql")),
    (3, "retention", include_str!("../../../migrations/sqlite/0003_retention.sql")),
    (4, "search", include_str!("../../../migrations/sqlite/0004_search.sql")),
    (5, "claims", include_str!("../../../migrations/sqlite/0005_claims.sql")),
    (6, "echo", include_str!("../../../migrations/sqlite/0006_echo.sql")),
    (7, "waits", include_str!("../../../migrations/sqlite/0007_waits.sql")),
    (8, "deploy_chain", include_str!("../../../migrations/sqlite/0008_deploy_chain.sql")),
    (9, "told", include_str!("../../../migrations/sqlite/0009_told.sql")),
    (10, "edits", include_str!("../../../migrations/sqlite/0010_edits.sql")),
    (11, "acts", include_str!("../../../migrations/sqlite/0011_acts.sql")),
];

/// The schema of this version.
pub(super) const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// What an open file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A new file without anything in it.
    Empty,
    /// The schema of an earlier version.
    Older(i64),
    /// The schema of this version.
    Current,
}

/// Looks what the file is, and refuses what must not be touched. Reads only.
pub(super) async fn inspect(connection: &mut SqliteConnection, path: &Path) -> Result<Found> {
    let (sqlite, application_id, version, objects): (String, i64, i64, i64) = sqlx::query_as(
        "SELECT sqlite_version(), application_id, user_version,
                (SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1))
         FROM pragma_application_id, pragma_user_version",
    )
    .fetch_one(connection)
    .await
    .map_err(|error| not_a_database(error, path))?;
    if !is_sound(&sqlite) {
        return Err(StoreError::OldSqlite { found: sqlite, needed: OLDEST_SOUND_SQLITE });
    }
    if application_id == 0 && version == 0 && objects == 0 {
        return Ok(Found::Empty);
    }
    if application_id != APPLICATION_ID {
        return Err(StoreError::NotOurs { path: path.to_owned() });
    }
    match version {
        newer if newer > KNOWN => Err(StoreError::TooNew { found: newer, known: KNOWN }),
        KNOWN => Ok(Found::Current),
        older => Ok(Found::Older(older)),
    }
}

fn not_a_database(error: sqlx::Error, path: &Path) -> StoreError {
    const NOT_A_DATABASE: &str = "26";
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    if code.as_deref() == Some(NOT_A_DATABASE) {
        return StoreError::NotOurs { path: path.to_owned() };
    }
    StoreError::from(error)
}

/// Brings a file up to date: all missing migrations or none. Another process may do so at the same
/// time; then one of the two finds nothing left to do.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<()> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // `run` asks for a lifetime that no `Send` future can promise; this is what it calls.
    migrator().run_direct(None, &mut *transaction, false).await.map_err(migration_error)?;
    transaction.commit().await?;
    Ok(())
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|(version, description, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(*version, Cow::Borrowed(description), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

fn migration_error(error: sqlx::migrate::MigrateError) -> StoreError {
    use sqlx::migrate::MigrateError;
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            StoreError::from(error)
        }
        MigrateError::VersionMissing(found) => StoreError::TooNew { found, known: KNOWN },
        other => StoreError::Damaged { detail: other.to_string() },
    }
}

fn is_sound(version: &str) -> bool {
    numbers(version) >= numbers(OLDEST_SOUND_SQLITE)
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions_of_sqlite_are_compared_as_numbers() {
        for sound in ["3.51.3", "3.51.10", "3.53.0", "4.0.0"] {
            assert!(is_sound(sound), "{sound} was refused");
        }
        for unsound in ["3.51.2", "3.9.9", "3.40.1", "", "x"] {
            assert!(!is_sound(unsound), "{unsound} was taken");
        }
    }
}
