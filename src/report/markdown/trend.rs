//! Part 13: where this cycle stands among the others.

use super::page::Page;
use crate::domain::history::{Counts, CycleSummary};
use crate::domain::outcome::Verdict;
use crate::report::chart;
use crate::report::view::{View, file_stem};

/// At most so many cycles in the table; the chart shows more.
const SHOWN: usize = 8;

pub fn write(page: &mut Page, view: &View<'_>) {
    page.section("Cycle chain");
    let cycle = view.state.queued.cycle;
    let chain = view.findings.map_or(&[][..], |findings| &findings.chain);
    let before = match chain.last() {
        Some(previous) => {
            format!("[cycle {0}]({1}.md) ← ", previous.cycle, file_stem(previous.cycle))
        }
        None => "first cycle · ".to_owned(),
    };
    page.block(&format!("{before}**cycle {cycle}** → next · [all cycles](README.md)"));
    let points = chart::points(view);
    if points.len() < 2 {
        return;
    }
    page.block(&format!("![{}]({})", chart::alternative(&points), chart::file_name(cycle)));
    let skipped = chain.len().saturating_sub(SHOWN);
    let mut rows: Vec<Vec<String>> = chain[skipped..].iter().map(row).collect();
    rows.push(this(view));
    page.table(&["cycle", "verdict", "revision", "ran", "passing", "failing"], &rows);
}

fn row(summary: &CycleSummary) -> Vec<String> {
    let link = format!("[{0}]({1}.md)", summary.cycle, file_stem(summary.cycle));
    let revision = summary.revision.as_ref().map_or("–".to_owned(), |r| super::short(&r.sha));
    figures(link, summary.verdict, revision, &summary.counts)
}

fn this(view: &View<'_>) -> Vec<String> {
    let revision = view.revision().map_or("–".to_owned(), |r| super::short(&r.sha));
    figures(format!("**{}**", view.state.queued.cycle), view.verdict(), revision, &view.counts())
}

fn figures(
    cycle: String,
    verdict: Option<Verdict>,
    revision: String,
    counts: &Counts,
) -> Vec<String> {
    let said = verdict.map_or("not over", Verdict::as_str).replace('_', " ");
    let mut cells = vec![cycle, said, revision];
    // A cycle whose results count for nothing has no figures here.
    if verdict.is_some_and(Verdict::has_valid_suite) {
        cells.push(format!("{} of {}", counts.ran(), counts.planned));
        cells.push((counts.passed + counts.flaky).to_string());
        cells.push(counts.failing().to_string());
    } else {
        cells.extend(std::iter::repeat_n("–".to_owned(), 3));
    }
    cells
}
