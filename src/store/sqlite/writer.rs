//! The one connection that writes, owned by a task of its own.
//!
//! Callers hand it closures and wait for the answer. A caller that is dropped while it waits takes
//! nothing with it: the transaction runs to its end, so no connection is ever left inside one.
//! Nothing here knows what is written.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::open::connect;
use crate::store::{Refusals, Result, StoreError};

/// Callers beyond this number wait for a place in the queue.
const QUEUE: usize = 64;

/// A commit that finds so many pages in the log folds them in: SQLite's own default.
const CHECKPOINT_PAGES: u32 = 1_000;

/// How much a transaction must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// A power cut: flushed to disk before it is acknowledged.
    Full,
    /// The death of this process: flushed with the next [`Durability::Full`] transaction.
    Batched,
}

/// How much a transaction writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Volume {
    /// Some rows: whoever commits when the log is long folds it into the file.
    Little,
    /// Megabytes: the caller does not wait until they are written a second time. They are in the
    /// log, flushed; the log is folded in afterwards.
    Much,
}

type Work = Box<
    dyn for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<(), StoreError>> + Send,
>;

/// How work is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// Within a transaction that is committed unless the work fails.
    Transaction(Durability, Volume),
    /// By itself, for what SQLite does not do within a transaction.
    Bare,
}

enum Job {
    Write { frame: Frame, work: Work, done: oneshot::Sender<Result<()>> },
    Close { done: oneshot::Sender<()> },
}

/// The way to the writing task.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the task with a connection that was checked.
    pub(super) fn start(
        connection: SqliteConnection,
        options: SqliteConnectOptions,
        path: &Path,
        refusals: Refusals,
    ) -> Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let task = WriterTask {
            file: FileId::of(path)?,
            path: path.to_owned(),
            options,
            open: Some(Open { connection, durability: Durability::Full, folding: Volume::Little }),
            is_failed: false,
            refusals,
        };
        tokio::spawn(task.run(queue));
        Ok(Self { jobs })
    }

    /// Runs `work` within a transaction and commits it unless `work` fails.
    pub(super) async fn write<T, F>(&self, durability: Durability, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.run(Frame::Transaction(durability, Volume::Little), work).await
    }

    /// As [`Writer::write`], for `work` that writes so much.
    pub(super) async fn write_volume<T, F>(
        &self,
        durability: Durability,
        volume: Volume,
        work: F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.run(Frame::Transaction(durability, volume), work).await
    }

    /// Runs `work` between transactions: upkeep of the file itself.
    pub(super) async fn maintain<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        self.run(Frame::Bare, work).await
    }

    async fn run<T, F>(&self, frame: Frame, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>> + Send + 'static,
    {
        let (value_in, value_out) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            Box::pin(async move {
                let value = work(connection).await?;
                // Nobody may be waiting any more; the transaction is committed all the same.
                let _ = value_in.send(value);
                Ok(())
            })
        });
        let (done, answer) = oneshot::channel();
        let job = Job::Write { frame, work, done };
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)??;
        value_out.await.map_err(|_| StoreError::Closed)
    }

    /// Waits until everything accepted is written, and ends the task.
    pub(super) async fn close(&self) {
        let (done, answer) = oneshot::channel();
        if self.jobs.send(Job::Close { done }).await.is_ok() {
            let _ = answer.await;
        }
    }
}

struct Open {
    connection: SqliteConnection,
    durability: Durability,
    /// [`Volume::Much`] while commits leave the log as it is.
    folding: Volume,
}

struct WriterTask {
    path: PathBuf,
    file: FileId,
    options: SqliteConnectOptions,
    open: Option<Open>,
    /// A flush failed. The kernel may have thrown the pages away and report success next time, so
    /// nothing more is written by this process.
    is_failed: bool,
    /// Rung when there is no room.
    refusals: Refusals,
}

impl WriterTask {
    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(job) = queue.recv().await {
            match job {
                Job::Write { frame, work, done } => {
                    let result = self.perform(frame, work).await;
                    if result.as_ref().is_err_and(StoreError::is_lack_of_room) {
                        self.refusals.ring();
                    }
                    let _ = done.send(result);
                    self.fold_log().await;
                }
                Job::Close { done } => {
                    self.close().await;
                    let _ = done.send(());
                    return;
                }
            }
        }
        self.close().await;
    }

    async fn perform(&mut self, frame: Frame, work: Work) -> Result<()> {
        if self.is_failed {
            return Err(StoreError::DiskFailed);
        }
        self.is_still_there()?;
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.reopen().await?,
        };
        let result = match frame {
            Frame::Transaction(durability, volume) => {
                transact(&mut open, durability, volume, work).await
            }
            Frame::Bare => work(&mut open.connection).await,
        };
        let result = result.map_err(|fault| fault.of_file(&self.path));
        match &result {
            Ok(()) => self.open = Some(open),
            Err(error) if error.spares_connection() => self.open = Some(open),
            Err(error) => {
                self.is_failed = matches!(error, StoreError::DiskFailed);
                // Rolls back whatever is left; the next job opens a fresh connection.
                let _ = open.connection.close().await;
            }
        }
        result
    }

    /// Looked at before each transaction: what is written to a file without a name is lost.
    fn is_still_there(&self) -> Result<()> {
        let path = self.path.clone();
        match std::fs::metadata(&path) {
            Ok(found) if FileId::from(&found) == self.file => Ok(()),
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {
                Err(StoreError::Gone { path })
            }
            Ok(_) | Err(_) => Err(StoreError::Replaced { path }),
        }
    }

    async fn reopen(&self) -> Result<Open> {
        let connection = connect(self.options.clone()).await?;
        // SQLite's own default; said here because the contract depends on it.
        let mut open =
            Open { connection, durability: Durability::Batched, folding: Volume::Little };
        open.ensure(Durability::Full).await?;
        Ok(open)
    }

    /// Folds in the log that a big transaction left. One that cannot be folded in stays: nothing in
    /// it is lost, and a fresh connection tries again.
    async fn fold_log(&mut self) {
        let Some(mut open) = self.open.take_if(|open| open.folding == Volume::Much) else { return };
        match open.fold_log().await {
            Ok(()) => self.open = Some(open),
            Err(error) => {
                tracing::warn!(%error, "the write-ahead log stays as it is for now");
                let _ = open.connection.close().await;
            }
        }
    }

    async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let _ = open.connection.close().await;
        }
    }
}

impl Open {
    async fn ensure(&mut self, durability: Durability) -> Result<()> {
        if self.durability == durability {
            return Ok(());
        }
        let pragma = match durability {
            Durability::Full => "PRAGMA synchronous = FULL",
            Durability::Batched => "PRAGMA synchronous = NORMAL",
        };
        sqlx::query(pragma).execute(&mut self.connection).await?;
        self.durability = durability;
        Ok(())
    }

    /// Lets the next commit leave the log as it is.
    async fn keep_log(&mut self) -> Result<()> {
        sqlx::query("PRAGMA wal_autocheckpoint = 0").execute(&mut self.connection).await?;
        self.folding = Volume::Much;
        Ok(())
    }

    async fn fold_log(&mut self) -> Result<()> {
        let pragmas = format!(
            "PRAGMA wal_checkpoint(PASSIVE); PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(pragmas)).execute(&mut self.connection).await?;
        self.folding = Volume::Little;
        Ok(())
    }
}

async fn transact(
    open: &mut Open,
    durability: Durability,
    volume: Volume,
    work: Work,
) -> Result<()> {
    open.ensure(durability).await?;
    if volume == Volume::Much {
        open.keep_log().await?;
    }
    // IMMEDIATE: waits for the lock now, instead of failing at the first write.
    let mut transaction = open.connection.begin_with("BEGIN IMMEDIATE").await?;
    match work(&mut transaction).await {
        Ok(()) => Ok(transaction.commit().await?),
        Err(error) => {
            if let Err(rollback) = transaction.rollback().await
                && error.spares_connection()
            {
                return Err(StoreError::from(rollback));
            }
            Err(error)
        }
    }
}

/// Tells one file from another under the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| StoreError::Unavailable {
            path: path.to_owned(),
            cause: Box::new(error),
        })?;
        Ok(Self::from(&metadata))
    }
}

impl From<&std::fs::Metadata> for FileId {
    fn from(found: &std::fs::Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::open;
    use super::*;

    async fn writer(path: &Path) -> Writer {
        let options = open::writer_options(path, open::BUSY_TIMEOUT);
        let connection = open::open_writer(path, &options).await.unwrap();
        Writer::start(connection, options, path, Refusals::default()).unwrap()
    }

    async fn execute(writer: &Writer, durability: Durability, sql: &'static str) -> Result<()> {
        writer
            .write(durability, move |db| {
                Box::pin(async move {
                    sqlx::raw_sql(sql).execute(db).await?;
                    Ok(())
                })
            })
            .await
    }

    async fn number(writer: &Writer, durability: Durability, sql: &'static str) -> i64 {
        writer
            .write(durability, move |db| {
                Box::pin(async move { Ok(sqlx::query_scalar(sql).fetch_one(db).await?) })
            })
            .await
            .unwrap()
    }

    const PIPELINES: &str = "SELECT count(*) FROM pipeline";

    /// RELIABILITY E2: a full disk fails one transaction, whole, and heals with the space.
    #[tokio::test]
    async fn a_full_disk_fails_the_whole_transaction_and_nothing_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("andon.db");
        let options = open::writer_options(&path, open::BUSY_TIMEOUT);
        let connection = open::open_writer(&path, &options).await.unwrap();
        let refusals = Refusals::default();
        let writer = Writer::start(connection, options, &path, refusals.clone()).unwrap();
        execute(&writer, Durability::Full, "PRAGMA max_page_count = 1").await.unwrap();
        let refused = execute(
            &writer,
            Durability::Full,
            "INSERT INTO pipeline (name) VALUES ('a');
             INSERT INTO pipeline (name) VALUES (hex(zeroblob(1000000)))",
        )
        .await;
        assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
        refusals.rung().await;
        assert_eq!(number(&writer, Durability::Full, PIPELINES).await, 0);
        execute(&writer, Durability::Full, "INSERT INTO pipeline (name) VALUES ('b')")
            .await
            .unwrap();
        assert_eq!(number(&writer, Durability::Full, PIPELINES).await, 1);
    }

    #[tokio::test]
    async fn a_refusal_of_our_own_rolls_back_and_keeps_the_connection() {
        let dir = tempfile::tempdir().unwrap();
        let writer = writer(&dir.path().join("andon.db")).await;
        // Only this connection has the table.
        execute(&writer, Durability::Full, "CREATE TEMP TABLE mark (x)").await.unwrap();
        let refused: Result<()> = writer
            .write(Durability::Full, |db| {
                Box::pin(async move {
                    sqlx::raw_sql("INSERT INTO pipeline (name) VALUES ('a')").execute(db).await?;
                    Err(StoreError::Unstorable { what: "test", why: "refused".to_owned() })
                })
            })
            .await;
        assert!(matches!(refused, Err(StoreError::Unstorable { .. })), "{refused:?}");
        assert_eq!(number(&writer, Durability::Full, PIPELINES).await, 0);
        assert_eq!(number(&writer, Durability::Full, "SELECT count(*) FROM mark").await, 0);
    }

    /// A large transaction is answered before it is folded into the file, and what waits behind it
    /// finds the log folded in.
    #[tokio::test]
    async fn a_large_transaction_is_folded_in_before_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("andon.db");
        let writer = writer(&path).await;
        let in_file = || std::fs::metadata(&path).unwrap().len();
        let much = writer.write_volume(Durability::Full, Volume::Much, |db| {
            Box::pin(async move {
                let insert = "INSERT INTO pipeline (name) VALUES (hex(randomblob(4000000)))";
                sqlx::raw_sql(insert).execute(&mut *db).await?;
                let folds_at: i64 =
                    sqlx::query_scalar("PRAGMA wal_autocheckpoint").fetch_one(db).await?;
                Ok(folds_at)
            })
        });
        assert_eq!(much.await.unwrap(), 0, "the commit itself folds nothing in");
        assert_eq!(number(&writer, Durability::Full, PIPELINES).await, 1);
        assert!(in_file() > 8_000_000, "{} bytes", in_file());
        let folds_at = number(&writer, Durability::Full, "PRAGMA wal_autocheckpoint").await;
        assert_eq!(folds_at, i64::from(CHECKPOINT_PAGES), "commits fold in again");
    }

    #[tokio::test]
    async fn each_transaction_is_flushed_as_asked() {
        const SYNCHRONOUS: &str = "SELECT synchronous FROM pragma_synchronous";
        const NORMAL: i64 = 1;
        const FULL: i64 = 2;
        let dir = tempfile::tempdir().unwrap();
        let writer = writer(&dir.path().join("andon.db")).await;
        for (durability, expected) in [
            (Durability::Full, FULL),
            (Durability::Batched, NORMAL),
            (Durability::Batched, NORMAL),
            (Durability::Full, FULL),
        ] {
            assert_eq!(number(&writer, durability, SYNCHRONOUS).await, expected);
        }
        // After a fault, a new connection.
        let broken = execute(&writer, Durability::Batched, "SELECT nonsense").await;
        assert!(matches!(broken, Err(StoreError::Database(_))), "{broken:?}");
        assert_eq!(number(&writer, Durability::Full, SYNCHRONOUS).await, FULL);
    }
}
