//! Part 5: the five whys of each failure, as they stood when the report was made. What people wrote
//! is marked as such; the report never answers for them.

use super::page::Page;
use super::{FULL_CLUSTERS, MAX_ROWS, cut_note};
use crate::domain::escape;
use crate::domain::findings::{
    CLOSED_BY, Cluster, Countermeasure, InvestigationSnapshot, InvestigationState, Why,
};
use crate::report::view::View;
use crate::report::words;

/// At most so many lines of what people wrote elsewhere in the document.
const MAX_NOTE_LINES: usize = 24;

pub fn write(page: &mut Page, view: &View<'_>) {
    let clusters = view.clusters();
    // A question to an older commit opens no investigation.
    if clusters.is_empty() || view.is_question() {
        return;
    }
    page.section("Five whys");
    for cluster in clusters.iter().take(FULL_CLUSTERS) {
        match view.investigation(cluster) {
            Some(snapshot) => full(page, snapshot),
            None => page.block(&missing(cluster)),
        }
    }
    let rest = &clusters[clusters.len().min(FULL_CLUSTERS)..];
    if !rest.is_empty() {
        folded(page, view, rest);
    }
}

/// The document was not at hand when the report was made.
fn missing(cluster: &Cluster) -> String {
    let title = escape::text(&cluster.title);
    match &cluster.investigation {
        Some(id) => format!("{id} · {title}: its document was not read for this report."),
        None => format!("{title}: no document yet."),
    }
}

fn full(page: &mut Page, snapshot: &InvestigationSnapshot) {
    let title = escape::text(&snapshot.title);
    page.subsection(&format!("{} · {title} · {}", snapshot.id, state(snapshot)));
    if snapshot.made_anew {
        page.block(match snapshot.written.is_empty() {
            true => {
                "**Its file was gone or empty and was made anew:** what people had written in it is \
                 not shown here. The history of the report folder may still have it."
            }
            false => {
                "**Its file was gone or empty and was made anew:** what people had written, as \
                 it was last read and kept, stands in it again, from the records."
            }
        });
    }
    if let Some(why) = snapshot.left {
        page.block(&format!("**Its file** {}.", why.words()));
    }
    let rows: Vec<Vec<String>> = snapshot.whys.iter().take(MAX_ROWS).map(why).collect();
    page.table(&["why", "answer"], &rows);
    notes(page, snapshot);
    let rows: Vec<Vec<String>> =
        snapshot.countermeasures.iter().take(MAX_ROWS).map(countermeasure).collect();
    let header = ["countermeasure", "kind", "owner", "due", "priority", "commit", "proved by"];
    page.table(&header, &rows);
    let target = escape::destination(&format!("investigations/{}", snapshot.file));
    page.block(&format!("Answer in [{}]({target}).", escape::text(&snapshot.file)));
}

/// The state in a phrase.
fn state(snapshot: &InvestigationSnapshot) -> String {
    match (snapshot.state, snapshot.reopened_in) {
        (InvestigationState::Reopened, Some(cycle)) => format!("reopened in cycle {cycle}"),
        (InvestigationState::Reopened, None) => "reopened".to_owned(),
        (InvestigationState::New, _) => format!("new, opened in cycle {}", snapshot.opened_in),
        (InvestigationState::Analysed, _) => {
            format!("analysed, opened in cycle {}", snapshot.opened_in)
        }
        (InvestigationState::FixClaimed, _) => "a fix is claimed".to_owned(),
        (InvestigationState::FixDeployed, _) => "a fix is deployed".to_owned(),
        (InvestigationState::Verified, _) => "verified".to_owned(),
        (InvestigationState::Closed, _) => "closed".to_owned(),
    }
}

fn why(why: &Why) -> Vec<String> {
    let question = escape::cell(&why.question);
    if why.number == 1 {
        return vec![format!("1 **Observed**: {question}"), "*seen by Andon*".to_owned()];
    }
    let answers: Vec<String> = why.answers.iter().map(|answer| escape::cell(answer)).collect();
    let answer = match answers.as_slice() {
        [] => "*nobody has answered yet*".to_owned(),
        answers => format!("**Written by people:** {}", answers.join("<br>")),
    };
    vec![format!("{} {question}", why.number), answer]
}

fn notes(page: &mut Page, snapshot: &InvestigationSnapshot) {
    let lines: Vec<&str> = snapshot.notes.iter().flat_map(|note| note.lines()).collect();
    let lines = lines.into_iter().filter(|line| !line.trim().is_empty());
    // Whose words those are, they say themselves.
    let (closed, lines): (Vec<&str>, Vec<&str>) =
        lines.partition(|line| line.starts_with(CLOSED_BY));
    let closed: Vec<String> =
        closed.iter().take(MAX_NOTE_LINES).map(|line| escape::text(line)).collect();
    page.block(&closed.join("\\\n"));
    if lines.is_empty() {
        return;
    }
    let mut quoted = vec!["> **Written by people:**".to_owned()];
    quoted
        .extend(lines.iter().take(MAX_NOTE_LINES).map(|line| format!("> {}", escape::text(line))));
    if lines.len() > MAX_NOTE_LINES {
        quoted.push(format!("> … and {} more lines", lines.len() - MAX_NOTE_LINES));
    }
    page.block(&quoted.join("\\\n"));
}

fn countermeasure(measure: &Countermeasure) -> Vec<String> {
    let cell = |text: &str| match text.trim() {
        "" => "–".to_owned(),
        text => escape::cell(text),
    };
    vec![
        cell(&measure.what),
        cell(&measure.kind),
        cell(&measure.owner),
        cell(&measure.due),
        cell(&measure.priority),
        cell(&measure.commit),
        cell(&measure.proof),
    ]
}

fn folded(page: &mut Page, view: &View<'_>, clusters: &[Cluster]) {
    let summary = words::count(clusters.len() as u64, "more document", "more documents");
    page.details(&summary, |page| {
        let shown = clusters.iter().take(MAX_ROWS);
        let mut items: Vec<String> = shown.map(|cluster| folded_line(view, cluster)).collect();
        items.extend(cut_note(view, clusters.len().saturating_sub(MAX_ROWS)));
        page.list(&items);
    });
}

fn folded_line(view: &View<'_>, cluster: &Cluster) -> String {
    let title = escape::text(&cluster.title);
    let Some(snapshot) = view.investigation(cluster) else {
        return format!("{title}: no document yet");
    };
    let target = escape::destination(&format!("investigations/{}", snapshot.file));
    let open = snapshot.whys.iter().filter(|why| why.number > 1 && why.answers.is_empty()).count();
    let open = words::count(open as u64, "why without an answer", "whys without an answer");
    let anew =
        if snapshot.made_anew { ", its file was gone or empty and was made anew" } else { "" };
    let left = snapshot.left.map_or_else(String::new, |why| format!(", its file {}", why.words()));
    format!("[{}]({target}) {title}: {}, {open}{anew}{left}", snapshot.id, state(snapshot))
}
