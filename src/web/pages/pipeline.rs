//! `GET /pipelines/{pipeline}`: a pipeline, what it does now and what became of its cases, cycles and
//! commits.

use std::collections::HashSet;

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::flaky::{Flaky, flaky};
use super::frame::Frame;
use super::grid::{self, Grid, grid};
use super::template;
use super::trend::{CYCLES, Trend, answer_of, cancelled_since, look, trend};
use crate::domain::findings::InvestigationState;
use crate::domain::outcome::Verdict;
use crate::report::words;
use crate::store::{CommitFate, CommitRow, CycleRow, InvestigationRow, TrendRow};
use crate::web::api::pipelines::{Now, rows_of};
use crate::web::call::{Answer, Call};
use crate::web::forms::{CycleRowForm, PipelineForm, time};
use crate::web::sessions::random_word;

/// So many commits, and cycles where nothing is said.
pub(super) const LISTED: u32 = 50;
const MAX_LISTED: u32 = 1_000;
/// The script of a page that asks for it again says so: it needs only what follows events.
const LIVE_PARTS: &str = "x-andon-parts";

#[derive(Debug, Deserialize)]
struct Asked {
    cycles: Option<u32>,
}

#[derive(Serialize)]
struct Page {
    href: String,
    pipeline: PipelineForm,
    look: &'static str,
    health: Vec<Fact>,
    /// Nothing where only parts that follow events are wanted.
    grid: Option<Grid>,
    /// Nothing where it cannot have changed.
    flaky: Option<Flaky>,
    trend: Trend,
    /// One that was cancelled after the one whose verdict is shown.
    cancelled: Option<u32>,
    cycles: Vec<CycleRowForm>,
    /// So many cycles are shown when older ones are asked for.
    older: Option<u32>,
    investigations: Vec<Investigation>,
    commits: Vec<Value>,
    /// A form that is sent twice asks for one cycle.
    once: String,
}

/// How the loop does.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Fact {
    name: &'static str,
    value: String,
    at: Option<String>,
    note: Option<String>,
    /// Where the note leads.
    href: Option<String>,
}

#[derive(Serialize)]
struct Investigation {
    id: String,
    about: String,
    state: &'static str,
    opened_in: u32,
    last_seen: u32,
}

/// `GET /pipelines/{pipeline}`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let name = call.pipeline().await?;
    let listed = call.query::<Asked>()?.cycles.unwrap_or(LISTED).clamp(1, MAX_LISTED);
    let (site, store) = (&call.site, call.site.store());
    let pipeline = Now::look(site).await?.of(&name);
    let rows = store.list_cycles(&name, listed.max(CYCLES)).await?;
    let in_short: Vec<TrendRow> = rows.iter().map(TrendRow::from).collect();
    let is_live = call.header(LIVE_PARTS).is_some();
    let grid = match is_live {
        true => None,
        false => Some(grid(store, &name, &rows, call.query::<grid::Asked>()?).await?),
    };
    let flaky = match is_live && pipeline.running.is_some() {
        true => None,
        false => Some(flaky(store, &rows).await?),
    };
    let investigations = store.list_investigations(Some(&name)).await?;
    let commits = store.list_commits(&name, LISTED).await?;
    let shown = usize::try_from(listed).unwrap_or(usize::MAX);
    let own = Page {
        href: format!("/pipelines/{name}"),
        look: look(answer_of(&in_short).and_then(|row| row.verdict)),
        health: health(&rows, &investigations, &commits),
        grid,
        flaky,
        trend: trend(&in_short),
        cancelled: cancelled_since(&in_short),
        older: (rows.len() >= shown && listed < MAX_LISTED).then(|| (listed * 4).min(MAX_LISTED)),
        cycles: rows.iter().take(shown).map(CycleRowForm::from).collect(),
        investigations: investigations.iter().rev().map(Investigation::from).collect(),
        commits: anchored(rows_of(&commits)),
        once: random_word(),
        pipeline,
    };
    let frame = Frame::of(&call, name.to_string())
        .under(&[(name.as_str(), "")])
        .following(format!("/api/v1/events?pipeline={name}"));
    Ok(template::page(StatusCode::OK, "pipeline.html", &frame, &own))
}

/// Rows that a link can lead to: the newest of a commit, which may stand on several branches.
fn anchored(mut commits: Vec<Value>) -> Vec<Value> {
    let mut known = HashSet::new();
    for commit in &mut commits {
        let short: String = commit["sha"].as_str().unwrap_or_default().chars().take(7).collect();
        if known.insert(short.clone()) {
            commit["anchor"] = Value::String(short);
        }
    }
    commits
}

impl From<&InvestigationRow> for Investigation {
    fn from(row: &InvestigationRow) -> Self {
        Self {
            id: row.id.to_string(),
            about: row.about(),
            state: row.state.as_str(),
            opened_in: row.opened_in,
            last_seen: row.last_seen,
        }
    }
}

/// Of these records: how long a commit takes to be verified, how many cycles say nothing, and what has
/// been open longest.
fn health(
    newest_first: &[CycleRow],
    investigations: &[InvestigationRow],
    commits: &[CommitRow],
) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut waits: Vec<SignedDuration> =
        commits.iter().filter_map(|commit| verified_after(commit, newest_first)).collect();
    waits.sort_unstable();
    if let Some(median) = waits.get(waits.len() / 2) {
        let ms = u64::try_from(median.as_millis()).unwrap_or(0);
        let note = format!("median of {}", words::count(waits.len() as u64, "commit", "commits"));
        facts.push(Fact::text("Commit to verdict", words::duration(ms), Some(note)));
    }
    let over: Vec<Verdict> = newest_first
        .iter()
        .filter(|row| !row.is_question())
        .filter_map(|row| row.summary.verdict)
        .collect();
    if !over.is_empty() {
        let void = over.iter().filter(|verdict| **verdict == Verdict::Void).count();
        let note = format!("of the last {}", words::count(over.len() as u64, "cycle", "cycles"));
        facts.push(Fact::text("Void", format!("{void}"), Some(note)));
    }
    let open = investigations.iter().filter(|row| row.state != InvestigationState::Closed);
    if let Some(oldest) = open.min_by_key(|row| row.opened_in) {
        let began = newest_first.iter().find(|row| row.summary.cycle == oldest.opened_in);
        let since = began.map(|row| time(row.summary.started_at));
        let value = format!("since cycle {}", oldest.opened_in);
        facts.push(Fact {
            name: "Oldest open investigation",
            value,
            at: since,
            note: Some(oldest.id.to_string()),
            href: Some(format!("/pipelines/{}/investigations/{}", oldest.pipeline, oldest.id)),
        });
    }
    facts
}

impl Fact {
    fn text(name: &'static str, value: String, note: Option<String>) -> Self {
        Self { name, value, at: None, note, href: None }
    }
}

/// From when a commit was seen to when its cycle had a verdict.
fn verified_after(commit: &CommitRow, cycles: &[CycleRow]) -> Option<SignedDuration> {
    let CommitFate::Tested { cycle, .. } = &commit.fate else { return None };
    let row = cycles.iter().find(|row| row.summary.cycle == *cycle)?;
    let valid = row.summary.verdict.is_some_and(Verdict::has_valid_suite);
    let decided: Timestamp = row.summary.decided_at.filter(|_| valid)?;
    let wait = decided.duration_since(commit.seen_at);
    wait.is_positive().then_some(wait)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_commit_on_two_branches_is_one_place_to_lead_to() {
        let row = |sha: &str| json!({ "sha": sha });
        let rows = anchored(vec![row("56fa266741a9"), row("6b6e2f6aaaaa"), row("56fa266741a9")]);
        let anchors: Vec<Option<&str>> = rows.iter().map(|row| row["anchor"].as_str()).collect();
        assert_eq!(anchors, [Some("56fa266"), Some("6b6e2f6"), None]);
    }
}
