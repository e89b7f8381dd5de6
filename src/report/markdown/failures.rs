//! Part 4: a section for each cluster of failures, the worst open, the next ones folded, and of very
//! many a line each.

use super::page::Page;
use super::{FULL_CLUSTERS, MAX_ROWS, cut_note, failure, search};
use crate::domain::escape;
use crate::domain::findings::Cluster;
use crate::domain::outcome::Outcome;
use crate::report::view::{CaseView, View};
use crate::report::words;

/// So many sections are folded; a report of more failures stays bounded in size.
const FOLDED_CLUSTERS: usize = 20;

pub fn write(page: &mut Page, view: &View<'_>) {
    write_at_most(page, view, FULL_CLUSTERS, FOLDED_CLUSTERS);
}

/// The same with so many sections in full and so many folded.
pub fn write_at_most(page: &mut Page, view: &View<'_>, full: usize, folded: usize) {
    page.section("Failures");
    fixtures(page, view);
    let clusters = view.clusters();
    if clusters.is_empty() {
        page.block(&none(view));
        search::write(page, view);
        return;
    }
    for (at, cluster) in clusters.iter().take(full).enumerate() {
        failure::write(page, view, cluster, at + 1);
    }
    for (at, cluster) in clusters.iter().enumerate().skip(full).take(folded) {
        failure::write_folded(page, view, cluster, at + 1);
    }
    let told = clusters.len().min(full + folded);
    if told < clusters.len() {
        in_lines(page, view, &clusters[told..], told);
    }
    search::write(page, view);
    if let Some(why) = view.state.suite_ended.as_ref().and_then(|e| e.retries_withheld.as_ref()) {
        page.block(&format!("Failing cases were not tried again: {}.", trimmed(why)));
    }
}

fn none(view: &View<'_>) -> String {
    let counts = view.counts();
    match (counts.ran(), counts.not_run) {
        (0, _) => "None seen: nothing ran.".to_owned(),
        (_, 0) => "None.".to_owned(),
        (ran, not_run) => format!("None among the {ran} that ran; {not_run} did not run."),
    }
}

/// Setup and teardown: when they fail, cases fail for a reason that is not their own.
fn fixtures(page: &mut Page, view: &View<'_>) {
    let Some(ended) = &view.state.suite_ended else { return };
    let setup = ended.setup_failures.iter().map(|why| ("setup", why));
    let all = setup.chain(ended.teardown_failures.iter().map(|why| ("teardown", why)));
    let items: Vec<String> = all
        .take(MAX_ROWS)
        .map(|(what, why)| format!("**The suite's {what} failed:** {}", escape::text(why)))
        .collect();
    page.list(&items);
}

fn in_lines(page: &mut Page, view: &View<'_>, clusters: &[Cluster], told: usize) {
    let cases: usize = clusters.iter().map(|cluster| cluster.cases.len()).sum();
    let summary = format!(
        "{} with {}",
        words::count(clusters.len() as u64, "more failure", "more failures"),
        words::count(cases as u64, "case", "cases"),
    );
    page.details(&summary, |page| {
        let rows: Vec<Vec<String>> = clusters
            .iter()
            .take(MAX_ROWS)
            .enumerate()
            .map(|(at, cluster)| folded_row(view, cluster, at + told + 1))
            .collect();
        page.table(&["", "failure", "cases", "cause", "since", "investigation"], &rows);
        let note = cut_note(view, clusters.len().saturating_sub(MAX_ROWS));
        page.block(&note.unwrap_or_default());
    });
}

fn folded_row(view: &View<'_>, cluster: &Cluster, number: usize) -> Vec<String> {
    let first = cluster.first_failing.as_ref();
    let mut since = first.map_or_else(|| "–".to_owned(), |first| format!("cycle {}", first.cycle));
    if let Some(changed) = &cluster.failure_changed {
        since.push_str(&format!(", in this way since cycle {}", changed.to.cycle));
    }
    vec![
        number.to_string(),
        format!("{}<br>{}", escape::cell(&cluster.title), escape::cell(&cluster.example.message)),
        failure::case_list(cluster, 5),
        cluster.cause.to_string(),
        since,
        failure::investigation_link(view, cluster).unwrap_or_else(|| "–".to_owned()),
    ]
}

/// What ran in a cycle whose results count for nothing: shown, folded, and called what it is.
pub fn write_uncredited(page: &mut Page, view: &View<'_>) {
    let ran: Vec<&CaseView<'_>> =
        view.cases.iter().filter(|case| !case.attempts.is_empty()).collect();
    if ran.is_empty() {
        return;
    }
    let failing = ran.iter().filter(|case| case.is_failing()).count();
    let summary = format!(
        "What ran, credited to nothing: {}, {} failing",
        words::count(ran.len() as u64, "case", "cases"),
        words::number(failing as u64)
    );
    page.details(&summary, |page| {
        let mut worst_first = ran;
        worst_first.sort_by_key(|case| (!case.is_failing(), case.priority()));
        let row = |case: &&CaseView<'_>| {
            let message = case.failure().map(|failure| escape::cell(&failure.message));
            vec![
                escape::cell_code(case.id.as_str()),
                case.outcome().map_or("not decided", Outcome::as_str).to_owned(),
                message.unwrap_or_default(),
            ]
        };
        let rows: Vec<Vec<String>> = worst_first.iter().take(MAX_ROWS).map(row).collect();
        page.table(&["case", "seen", "message"], &rows);
        let note = cut_note(view, worst_first.len().saturating_sub(MAX_ROWS));
        page.block(&note.unwrap_or_default());
    });
}

fn trimmed(text: &str) -> String {
    escape::text(text.trim_end_matches('.'))
}
