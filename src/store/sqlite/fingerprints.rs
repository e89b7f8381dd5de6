//! What is known about failures.

use sqlx::QueryBuilder;
use sqlx::sqlite::SqliteConnection;

use super::cycles::corrupt;
use crate::domain::history::FingerprintSeen;
use crate::domain::names::{Fingerprint, PipelineName};
use crate::domain::revision::Sha;
use crate::store::Result;

/// Parameters of one SELECT.
const CHUNK: usize = 500;

pub(super) async fn find(
    db: &mut SqliteConnection,
    pipeline: &PipelineName,
    wanted: &[Fingerprint],
) -> Result<Vec<FingerprintSeen>> {
    let mut seen = Vec::new();
    for chunk in wanted.chunks(CHUNK) {
        let mut select = QueryBuilder::new(
            "SELECT f.fingerprint, f.first_cycle, f.last_cycle, f.times, f.culprit
             FROM pipeline p JOIN fingerprint f ON f.pipeline_id = p.id
             WHERE p.name = ",
        );
        select.push_bind(pipeline.as_str()).push(" AND f.fingerprint IN (");
        let mut list = select.separated(", ");
        for fingerprint in chunk {
            list.push_bind(fingerprint.as_str());
        }
        select.push(")");
        let rows: Vec<(String, u32, u32, u32, Option<String>)> =
            select.build_query_as().persistent(false).fetch_all(&mut *db).await?;
        for (text, first_cycle, last_cycle, times, culprit) in rows {
            let fingerprint = parse(&text)?;
            let culprit = culprit.as_deref().map(Sha::parse).transpose().map_err(corrupt)?;
            seen.push(FingerprintSeen { fingerprint, first_cycle, last_cycle, times, culprit });
        }
    }
    Ok(seen)
}

pub(super) fn parse(text: &str) -> Result<Fingerprint> {
    Fingerprint::parse(text).ok_or_else(|| corrupt(format!("fingerprint {text:?}")))
}
