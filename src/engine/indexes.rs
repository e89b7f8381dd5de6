//! The indexes of the report folder, made from the lists of the store. They may change whenever a
//! cycle ends; reports never do. Writing them is up to the caller.

use crate::domain::history::{CaseHead, CycleSummary};
use crate::domain::names::PipelineName;
use crate::report::ReportFile;
use crate::report::index::{PipelineLine, all_index, pipeline_chart, pipeline_index};
use crate::store::{CycleRow, Store, StoreError};

/// So many cycles stand in a pipeline's index.
const INDEX_CYCLES: u32 = 200;
/// Of a larger suite no case is shown by itself: reading what is known of each would cost too much.
const MATRIX_CASES: u32 = 2_000;
/// Among so many cycles of each pipeline the last green is looked for, for the index of all.
const INDEX_LATEST: u32 = 50;

/// The index of one pipeline with its chart, and the index of all; paths are relative to the folder
/// of all reports.
///
/// # Errors
/// When the store cannot be read.
pub async fn indexes(
    store: &dyn Store,
    pipeline: &PipelineName,
) -> Result<Vec<ReportFile>, StoreError> {
    // Without what a search asked older commits: the report of the cycle that ended it has that.
    let rows = store.trend(pipeline, u32::MAX, INDEX_CYCLES).await?;
    let heads = heads(store, rows.last()).await?;
    let cycles: Vec<CycleSummary> = rows.into_iter().map(|row| row.summary).collect();
    let page = |path: String, text: String| ReportFile { path, bytes: text.into_bytes() };
    let mut pages = vec![
        page(format!("{pipeline}/README.md"), pipeline_index(pipeline, &cycles, &heads)),
        page("README.md".to_owned(), index_of_all(store).await?),
    ];
    if cycles.len() > 1 {
        pages.push(page(format!("{pipeline}/charts/trend.svg"), pipeline_chart(&cycles)));
    }
    Ok(pages)
}

async fn index_of_all(store: &dyn Store) -> Result<String, StoreError> {
    let rows = store.newest_and_green(INDEX_LATEST).await?;
    let pipelines: Vec<(PipelineName, Vec<CycleSummary>)> = rows
        .chunk_by(|a, b| a.pipeline == b.pipeline)
        .map(|of_one| {
            let cycles = of_one.iter().map(|row| row.summary.clone()).collect();
            (of_one[0].pipeline.clone(), cycles)
        })
        .collect();
    let lines: Vec<PipelineLine<'_>> =
        pipelines.iter().map(|(name, cycles)| PipelineLine { name, cycles }).collect();
    Ok(all_index(&lines))
}

/// What is known of each case, where a page of them can be read.
async fn heads(store: &dyn Store, newest: Option<&CycleRow>) -> Result<Vec<CaseHead>, StoreError> {
    match newest {
        Some(row) if row.summary.counts.planned <= MATRIX_CASES => {
            store.case_heads(&row.pipeline, &row.environment).await
        }
        Some(_) | None => Ok(Vec::new()),
    }
}
