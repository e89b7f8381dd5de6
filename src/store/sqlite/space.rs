//! The database as a file: space that is given back, copies, and whether there is room.

use std::path::Path;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use crate::store::{Result, StoreError};

/// Gives free pages back, as far as nobody reads them; answers how many remain.
pub(super) async fn give_back(db: &mut SqliteConnection, pages: u32) -> Result<u64> {
    let sql = format!("PRAGMA incremental_vacuum({pages})");
    sqlx::query(AssertSqlSafe(sql)).execute(&mut *db).await?;
    // PASSIVE waits for nobody; what a reader still needs is folded in by a later one.
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut *db).await?;
    let free: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(db).await?;
    Ok(free.unsigned_abs())
}

/// Rewrites the file. One that stems from before space was given back bit by bit does so afterwards.
pub(super) async fn compact(db: &mut SqliteConnection) -> Result<()> {
    sqlx::raw_sql("PRAGMA auto_vacuum = INCREMENTAL; VACUUM").execute(&mut *db).await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(db).await?;
    Ok(())
}

/// Copies what a reader sees now, without its unused pages.
pub(super) async fn back_up(db: &mut SqliteConnection, to: &Path) -> Result<()> {
    let Some(to) = to.to_str() else {
        let why = "its name is not text".to_owned();
        return Err(StoreError::Unstorable { what: "a copy of the database", why });
    };
    sqlx::query("VACUUM INTO ?").bind(to).execute(db).await?;
    Ok(())
}

/// Makes the file grow by nothing, but be written to.
pub(super) async fn try_writing(db: &mut SqliteConnection, at: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT INTO last_write (one, at_us) VALUES (1, ?)
         ON CONFLICT (one) DO UPDATE SET at_us = excluded.at_us",
    )
    .bind(at.as_microsecond())
    .execute(db)
    .await?;
    Ok(())
}
