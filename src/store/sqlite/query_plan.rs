//! For tests: how SQLite goes about a statement, which does not depend on what is stored.
#![allow(clippy::unwrap_used)]

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::schema;

/// The steps that SQLite takes, one line each.
pub(in crate::store::sqlite) async fn plan_of(sql: &str) -> String {
    let mut db = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    schema::migrate(&mut db).await.unwrap();
    let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let steps = sqlx::query(sql).fetch_all(&mut db).await.unwrap();
    let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
    steps.join("\n")
}
