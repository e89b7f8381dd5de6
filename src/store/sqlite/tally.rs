//! How many cycles ended in which way: one look over the rows of all cycles.

use sqlx::sqlite::SqliteConnection;

use super::cycles::corrupt;
use super::row::row_struct;
use crate::domain::names::PipelineName;
use crate::domain::outcome::Verdict;
use crate::store::rows::CycleKey;
use crate::store::{Result, Tally};

row_struct! {
    struct Counted {
        pipeline: String,
        verdict: Option<String>,
        cycles: i64,
        number: u32,
    }
}

/// One statement, so that all of it is of one moment.
pub(super) async fn tally(db: &mut SqliteConnection) -> Result<Tally> {
    let rows: Vec<Counted> = sqlx::query_as(
        "SELECT p.name AS pipeline, c.verdict, count(*) AS cycles, max(c.number) AS number
         FROM cycle c JOIN pipeline p ON p.id = c.pipeline_id
         WHERE c.finished_at_us IS NOT NULL AND (c.search_of IS NULL OR c.only_cases IS NULL)
         GROUP BY c.pipeline_id, c.verdict
         UNION ALL
         SELECT p.name, NULL, 0, c.number
         FROM cycle c JOIN pipeline p ON p.id = c.pipeline_id WHERE c.finished_at_us IS NULL",
    )
    .fetch_all(db)
    .await?;
    let mut tally = Tally::default();
    for row in rows {
        let pipeline = PipelineName::parse(&row.pipeline).map_err(corrupt)?;
        let newest = tally.newest.entry(pipeline.clone()).or_default();
        *newest = row.number.max(*newest);
        match row.verdict.as_deref().map(Verdict::parse) {
            Some(Some(verdict)) => {
                let cycles = u64::try_from(row.cycles).map_err(corrupt)?;
                tally.ended.push((pipeline, verdict, cycles));
            }
            Some(None) => return Err(corrupt("a cycle has a verdict that is none")),
            None if row.cycles == 0 => {
                tally.open.insert(CycleKey::new(pipeline, row.number));
            }
            // Over, and without a verdict: nothing that is written now.
            None => {}
        }
    }
    Ok(tally)
}
