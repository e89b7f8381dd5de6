//! The index pages: a pipeline's cycles, newest first, and all pipelines at a glance. They are
//! written anew after each cycle; the reports they lead to are not.

use crate::domain::escape;
use crate::domain::history::{CaseHead, CycleSummary};
use crate::domain::names::PipelineName;
use crate::domain::outcome::Verdict;
use crate::report::chart;
use crate::report::matrix::matrix;
use crate::report::view::file_stem;
use crate::report::words;

/// At most so many cycles on a page; older ones are in their files.
const MAX_CYCLES: usize = 200;

/// A pipeline and its cycles, for the page of all.
#[derive(Debug, Clone, Copy)]
pub struct PipelineLine<'a> {
    /// Its name, which is also its folder.
    pub name: &'a PipelineName,
    /// Its cycles in any order; the latest count.
    pub cycles: &'a [CycleSummary],
}

/// `reports/PIPELINE/README.md`. The cycles may come in any order; `heads` are what is known of each case,
/// none where there are too many for a page.
pub fn pipeline_index(name: &PipelineName, cycles: &[CycleSummary], heads: &[CaseHead]) -> String {
    let cycles = newest_first(cycles);
    let mut page = format!("# {name}\n\n{}\n", headline(&cycles));
    if cycles.len() > 1 {
        let points = chart::latest(&cycles);
        page.push_str(&format!("\n![{}](charts/trend.svg)\n", chart::alternative(&points)));
    }
    let valid = cycles.iter().filter(|c| c.verdict.is_some_and(Verdict::has_valid_suite));
    page.push_str(&matrix(heads, &valid.map(|cycle| cycle.cycle).collect::<Vec<_>>()));
    page.push_str("\n## Cycles\n");
    page.push_str("\n| cycle | verdict | revision | ran | passing | failing | decided | trigger |\n|---|---|---|---|---|---|---|---|\n");
    for cycle in cycles.iter().take(MAX_CYCLES) {
        page.push_str(&row(cycle));
    }
    if cycles.len() > MAX_CYCLES {
        page.push_str(&format!(
            "\n… and {} older ones.\n",
            words::number((cycles.len() - MAX_CYCLES) as u64)
        ));
    }
    page
}

/// `reports/PIPELINE/charts/trend.svg`: the picture on that page.
pub fn pipeline_chart(cycles: &[CycleSummary]) -> String {
    chart::render(&chart::latest(&newest_first(cycles)))
}

/// `reports/README.md`: the pipelines in the order of their names.
pub fn all_index(pipelines: &[PipelineLine<'_>]) -> String {
    let mut pipelines: Vec<&PipelineLine<'_>> = pipelines.iter().collect();
    pipelines.sort_by_key(|line| line.name);
    let mut page = String::from("# Reports\n");
    if pipelines.is_empty() {
        page.push_str("\nNo pipeline has run yet.\n");
        return page;
    }
    page.push_str("\n| pipeline | latest | verdict | ran | failing | decided | last green |\n|---|---|---|---|---|---|---|\n");
    for line in pipelines {
        page.push_str(&pipeline_row(line));
    }
    page
}

fn newest_first(cycles: &[CycleSummary]) -> Vec<&CycleSummary> {
    let mut cycles: Vec<&CycleSummary> = cycles.iter().collect();
    cycles.sort_by_key(|cycle| std::cmp::Reverse(cycle.cycle));
    cycles
}

fn headline(cycles: &[&CycleSummary]) -> String {
    let Some(latest) = cycles.first() else { return "No cycle yet.".to_owned() };
    let verdict = said(latest.verdict);
    let part = if latest.only.is_some() { ", of a part of the suite," } else { "" };
    let mut text = format!("**Cycle {}{part} is {verdict}.**", latest.cycle);
    if latest.verdict != Some(Verdict::Green) {
        text.push_str(&match cycles.iter().find(|cycle| is_green(cycle)) {
            Some(green) => format!(" Last green: {}{}.", link(green, ""), of(green)),
            None => " No cycle was green yet.".to_owned(),
        });
    }
    text
}

/// Whether the whole suite was green: a part of it says nothing about the rest.
fn is_green(cycle: &CycleSummary) -> bool {
    cycle.verdict == Some(Verdict::Green) && cycle.only.is_none()
}

fn of(cycle: &CycleSummary) -> String {
    cycle.revision.as_ref().map_or_else(String::new, |r| format!(" (`{}`)", r.sha.short()))
}

fn said(verdict: Option<Verdict>) -> String {
    verdict.map_or("running", Verdict::as_str).replace('_', " ")
}

/// A link to the report of a cycle; one that is not over has none yet.
fn link(cycle: &CycleSummary, folder: &str) -> String {
    match cycle.verdict {
        Some(_) => format!("[cycle {}]({folder}{}.md)", cycle.cycle, file_stem(cycle.cycle)),
        None => format!("cycle {}", cycle.cycle),
    }
}

fn figures(cycle: &CycleSummary) -> [String; 3] {
    if !cycle.verdict.is_some_and(Verdict::has_valid_suite) {
        return ["–", "–", "–"].map(str::to_owned);
    }
    let counts = &cycle.counts;
    [
        format!("{} of {}", counts.ran(), counts.planned),
        (counts.passed + counts.flaky).to_string(),
        counts.failing().to_string(),
    ]
}

fn row(cycle: &CycleSummary) -> String {
    let revision = cycle.revision.as_ref().map_or_else(
        || "–".to_owned(),
        |revision| format!("`{}` {}", revision.sha.short(), escape::cell(&revision.subject)),
    );
    let [ran, passing, failing] = figures(cycle);
    let decided = cycle.decided_at.map_or_else(|| "–".to_owned(), words::instant);
    format!(
        "| {} | {} | {revision} | {ran} | {passing} | {failing} | {decided} | {} |\n",
        link(cycle, ""),
        said(cycle.verdict),
        escape::cell(&cycle.trigger),
    )
}

fn pipeline_row(line: &PipelineLine<'_>) -> String {
    let name = line.name;
    let cycles = newest_first(line.cycles);
    let folder = format!("{name}/");
    let Some(latest) = cycles.first() else {
        return format!("| [{name}]({folder}README.md) | – | – | – | – | – | – |\n");
    };
    let [ran, _, failing] = figures(latest);
    let green = cycles.iter().find(|cycle| is_green(cycle));
    let green = green.map_or_else(
        || "never".to_owned(),
        |green| format!("{}{}", link(green, &folder), of(green)),
    );
    format!(
        "| [{name}]({folder}README.md) | {} | {} | {ran} | {failing} | {} | {green} |\n",
        link(latest, &folder),
        said(latest.verdict) + if latest.only.is_some() { " (a part)" } else { "" },
        latest.decided_at.map_or_else(|| "–".to_owned(), words::instant),
    )
}
