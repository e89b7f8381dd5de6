//! What `doctor` asks: is the file sound, and how big is it?

use std::path::Path;

use sqlx::sqlite::SqliteConnection;

use crate::store::Result;

/// At most so many problems are listed; one is enough to act on.
const MAX_PROBLEMS: u32 = 20;

/// What is wrong with the file and the references within it; empty when it is sound.
pub(super) async fn integrity_check(db: &mut SqliteConnection) -> Result<Vec<String>> {
    let found: Vec<String> =
        sqlx::query_scalar("SELECT integrity_check FROM pragma_integrity_check LIMIT ?")
            .bind(MAX_PROBLEMS)
            .fetch_all(&mut *db)
            .await?;
    let mut problems: Vec<String> = found.into_iter().filter(|line| line != "ok").collect();
    let orphans: Vec<(String, i64)> = sqlx::query_as(
        r#"SELECT "table", count(*) FROM pragma_foreign_key_check GROUP BY "table""#,
    )
    .fetch_all(&mut *db)
    .await?;
    problems.extend(
        orphans.into_iter().map(|(table, count)| {
            format!("{count} rows of {table} belong to something that is gone")
        }),
    );
    let gaps: Vec<(String, u32)> = sqlx::query_as(
        "SELECT p.name, c.number FROM cycle c JOIN pipeline p ON p.id = c.pipeline_id
         WHERE c.expired_at_us IS NULL AND c.last_seq <> (SELECT count(*) FROM event e WHERE e.cycle_id = c.id)
         ORDER BY c.id LIMIT ?",
    )
    .bind(MAX_PROBLEMS)
    .fetch_all(db)
    .await?;
    problems.extend(gaps.into_iter().map(|(pipeline, number)| {
        format!("cycle {number} of {pipeline} has lost or gained events")
    }));
    Ok(problems)
}

/// The bytes of the file and of those beside it.
pub(super) fn size_of(path: &Path) -> u64 {
    ["", "-wal", "-shm"]
        .into_iter()
        .filter_map(|suffix| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).ok()
        })
        .map(|metadata| metadata.len())
        .sum()
}
