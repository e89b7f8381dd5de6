//! Opening the database file: what is created, what is refused, and how connections are set up.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection};

use super::schema::{self, Found};
use crate::store::{Result, StoreError};

/// The name of the database within a state folder.
pub const FILE_NAME: &str = "andon.db";

/// How long a write waits for another process that holds the lock. Long, because a result that is
/// not written is lost, and a lock that is held longer is a fault that people must hear of.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(60);

/// Readers that may work at the same time.
const READERS: u32 = 4;

/// So many rows SQLite may be ahead of whoever takes them: with few, two threads wake each other up
/// for every handful of a hundred thousand events.
const ROWS_AHEAD: usize = 1_000;

/// After a checkpoint the write-ahead log is cut to this size.
const WAL_KEEP_BYTES: u64 = 16 * 1024 * 1024;

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Creates what is missing and brings an older file up to date.
    ReadWrite,
    /// Changes and creates nothing.
    ReadOnly,
}

/// The path as SQLite gets it: absolute, because it would take a relative one that begins with
/// `file:` for a URI.
pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| unavailable(path, error))
}

pub(super) fn writer_options(path: &Path, busy_timeout: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(busy_timeout)
        .disable_statement_logging()
}

/// Readers, opened when they are first needed and kept.
pub(super) fn readers(path: &Path, busy_timeout: Duration) -> SqlitePool {
    let options = writer_options(path, busy_timeout).read_only(true).row_buffer_size(ROWS_AHEAD);
    SqlitePoolOptions::new()
        .min_connections(0)
        .max_connections(READERS)
        .acquire_timeout(BUSY_TIMEOUT)
        // Nothing that wakes up in an idle program.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

/// Readers of a file beside which nothing can be made, as on a disk that is read-only or full. SQLite wants
/// a file there that readers and the writer share, although nobody writes; told that the file does not
/// change, it wants none. Not where a log lies beside it: what was written last is there, and would be
/// missed. `fault` is why the usual readers could not be opened.
pub(super) async fn readers_of_still_file(path: &Path, fault: StoreError) -> Result<SqlitePool> {
    let takes_nothing = matches!(fault, StoreError::Unwritable | StoreError::Full);
    // The database itself must be readable, or this is another fault.
    let lacks_another = fault.lacks_a_file() && std::fs::File::open(path).is_ok();
    if !(takes_nothing || lacks_another) {
        return Err(fault);
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(if takes_nothing { fault } else { StoreError::Unwritable });
    }
    let options = writer_options(path, Duration::ZERO).read_only(true).immutable(true);
    let readers = SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(options);
    check_readable(&readers, path).await?;
    Ok(readers)
}

/// Why the file could not be opened for writing: SQLite says no more than that some file could not be.
pub(super) fn not_writable(path: &Path, fault: StoreError) -> StoreError {
    let opened = OpenOptions::new().write(true).open(path);
    match opened.err().map(|error| error.kind()) {
        Some(io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
            if fault.lacks_a_file() =>
        {
            StoreError::Unwritable
        }
        _ => fault.of_file(path),
    }
}

/// Connects. The box states that the future is `Send`, which the compiler cannot work out from
/// sqlx's trait in a longer chain of calls.
pub(super) fn connect(
    options: SqliteConnectOptions,
) -> BoxFuture<'static, sqlx::Result<SqliteConnection>> {
    Box::pin(async move { options.connect().await })
}

/// Opens the connection that writes; the file is there and up to date afterwards.
pub(super) async fn open_writer(
    path: &Path,
    options: &SqliteConnectOptions,
) -> Result<SqliteConnection> {
    create_private_file(path)?;
    let mut connection = connect(options.clone()).await.map_err(|error| not_opened(path, error))?;
    let checked = prepare_writer(&mut connection, path).await;
    match checked {
        Ok(()) => Ok(connection),
        Err(error) => {
            let _ = connection.close().await;
            Err(error)
        }
    }
}

async fn prepare_writer(connection: &mut SqliteConnection, path: &Path) -> Result<()> {
    match schema::inspect(connection, path).await? {
        Found::Current => {}
        Found::Empty => {
            // Only an empty file takes it: what expires is given back without rewriting the rest.
            sqlx::query("PRAGMA auto_vacuum = INCREMENTAL").execute(&mut *connection).await?;
            use_write_ahead_log(connection).await?;
            schema::migrate(connection).await?;
        }
        Found::Older(_) => schema::migrate(connection).await?,
    }
    let pragmas =
        format!("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = {WAL_KEEP_BYTES}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(pragmas)).execute(connection).await?;
    Ok(())
}

/// Changing the journal mode is the one thing that SQLite does not wait for: two processes that
/// create the same file would fail without trying again.
async fn use_write_ahead_log(connection: &mut SqliteConnection) -> Result<()> {
    const ATTEMPTS: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(20);
    for _ in 1..ATTEMPTS {
        let changed = sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await;
        match changed.map_err(StoreError::from) {
            Ok(_) => return Ok(()),
            Err(StoreError::Locked) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Locked)
}

/// Checks a file that is to be read, without touching it.
pub(super) async fn check_readable(readers: &SqlitePool, path: &Path) -> Result<()> {
    let mut connection = match readers.acquire().await {
        Ok(connection) => connection,
        Err(error) => return Err(not_opened(path, error)),
    };
    match schema::inspect(&mut connection, path).await? {
        Found::Current => Ok(()),
        // A file whose creation was cut short holds nothing yet.
        Found::Empty => Err(StoreError::Missing { path: path.to_owned() }),
        Found::Older(found) => Err(StoreError::Outdated { found, known: schema::KNOWN }),
    }
}

/// The folder of the database is ours alone: it holds evidence of what was tested. One that is
/// there already stays as it is.
pub(super) fn create_private_parent(path: &Path) -> Result<()> {
    let Some(dir) = path.parent() else { return Ok(()) };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| not_created(dir, error))
}

/// SQLite would create the file readable for everyone. Its side files take over the mode.
fn create_private_file(path: &Path) -> Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(not_created(path, error)),
    }
}

/// Why a connection was not made: what the disk says comes before what the database makes of it.
fn not_opened(path: &Path, error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::Database(error) => unavailable(path, error),
        known => known,
    }
}

/// Why a folder or a file was not made, in the words that an append would use.
fn not_created(path: &Path, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        io::ErrorKind::ReadOnlyFilesystem => StoreError::Unwritable,
        _ => unavailable(path, error),
    }
}

pub(super) fn unavailable(
    path: &Path,
    error: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    StoreError::Unavailable { path: path.to_owned(), cause: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_disk_that_takes_nothing_is_told_apart_from_a_wrong_folder() {
        let told = |errno: Errno| not_created(Path::new("state"), errno.into());
        assert!(matches!(told(Errno::NOSPC), StoreError::Full));
        assert!(matches!(told(Errno::DQUOT), StoreError::Full));
        assert!(matches!(told(Errno::ROFS), StoreError::Unwritable));
        assert!(matches!(told(Errno::ACCESS), StoreError::Unavailable { .. }));
        assert!(told(Errno::NOSPC).hint().is_some() && told(Errno::ROFS).hint().is_some());
    }
}
