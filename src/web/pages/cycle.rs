//! `GET /pipelines/{pipeline}/cycles/{cycle}`: a cycle, live while it runs.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Serialize;

use super::cases::{Asked, Cases, Progress, cases};
use super::frame::Frame;
use super::template;
use crate::daemon::{Running, Turned};
use crate::domain::outcome::{Change, Outcome};
use crate::domain::state::CycleState;
use crate::report::json::{CaseJson, ChangesJson, CycleJson, PhaseJson, Text};
use crate::store::{CycleRow, Which};
use crate::web::api::{cycles::state_of, logs};
use crate::web::call::{Answer, Call};
use crate::web::forms::LogForm;
use crate::web::problem::Problem;
use crate::web::sessions::random_word;

/// Among so many cycles a later one is looked for that deployed another revision.
const LOOKED_AT: u32 = 200;
/// Of each change so many cases.
const CHANGED: usize = 200;
/// Of a failure so many repros.
const REPROS: usize = 2;

#[derive(Serialize)]
struct Page<'a> {
    href: &'a str,
    here: &'a str,
    cycle: &'a CycleJson<'a>,
    look: &'a str,
    over: bool,
    failing: u32,
    /// A later cycle that may have deployed another revision.
    since: Option<u32>,
    before: Option<u32>,
    after: Option<u32>,
    phases: Vec<Bar<'a>>,
    running: Option<Progress>,
    /// How many cases have a result while the suite runs.
    done: Option<u32>,
    logs: Vec<LogForm>,
    changes: Vec<Group<'a>>,
    repros: BTreeMap<&'a str, Vec<&'a str>>,
    cases: Cases<'a>,
    once: String,
}

/// A phase, and where it lies within the cycle, in hundredths.
#[derive(Serialize)]
struct Bar<'a> {
    #[serde(flatten)]
    phase: &'a PhaseJson<'a>,
    from: u64,
    width: u64,
}

#[derive(Serialize)]
struct Group<'a> {
    change: &'static str,
    count: usize,
    ids: &'a [Text<'a>],
    more: usize,
    open: bool,
}

/// `GET /pipelines/{pipeline}/cycles/{cycle}`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let row = call.cycle().await?;
    let asked: Asked = call.query()?;
    // Before the ledger is read: what turns meanwhile is told again, and nothing is missed.
    let live = call.site.handle().cases_since(&row.key(), 0, usize::MAX);
    let state = state_of(&call.site, &row).await?;
    let logs = logs::forms(&call.site, &state).await?;
    let neighbours = neighbours(&call, &row).await?;
    let running = call.site.handle().running().remove(&row.key());
    let may_run_again = row.finished_at.is_some() && row.summary.counts.failing() > 0;
    let since = if may_run_again { other_since(&call, &row).await? } else { None };
    // A cycle of many cases takes a while to be written down.
    let making = tokio::task::spawn_blocking(move || {
        made(&call, &row, &state, Around { logs, neighbours, running, since, live, asked })
    });
    making.await.map_err(|_| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the cycle cannot be written down")
    })
}

/// What is known beside the records of the cycle.
struct Around {
    logs: Vec<LogForm>,
    neighbours: (Option<u32>, Option<u32>),
    running: Option<Running>,
    since: Option<u32>,
    live: Turned,
    asked: Asked,
}

fn made(
    call: &Call,
    row: &CycleRow,
    state: &CycleState,
    around: Around,
) -> axum::response::Response {
    let mut json = CycleJson::of(state);
    // Whatever a template is given is copied first, and of these it shows a part.
    let (all, changed) = (std::mem::take(&mut json.cases), std::mem::take(&mut json.changes));
    let (name, number) = (&row.pipeline, row.summary.cycle);
    let href = format!("/pipelines/{name}");
    let here = format!("{href}/cycles/{number}");
    let is_over = row.finished_at.is_some();
    let live = around.running.as_ref().map(|_| &around.live);
    let own = Page {
        cycle: &json,
        look: json.verdict.as_deref().unwrap_or(if is_over { "none" } else { "running" }),
        over: is_over,
        failing: json.suite.as_ref().map_or(0, |suite| suite.failed + suite.errored),
        since: around.since,
        before: around.neighbours.0,
        after: around.neighbours.1,
        phases: phases(&json),
        done: around.running.as_ref().and_then(|it| it.progress).map(|(done, _)| done),
        running: around.running.as_ref().map(|it| Progress::of(it, around.live.failing)),
        logs: around.logs,
        changes: changes(&changed),
        repros: repros(&all),
        cases: cases(&all, state, live, around.asked),
        once: random_word(),
        href: &href,
        here: &here,
    };
    let title = format!("Cycle {number}");
    let mut frame = Frame::of(call, format!("{title} of {name}"))
        .under(&[(name.as_str(), &href), (&title, "")]);
    if !is_over {
        let after = state.seq;
        frame =
            frame.following(format!("/api/v1/events?pipeline={name}&cycle={number}&after={after}"));
    }
    template::page(StatusCode::OK, "cycle.html", &frame, &own)
}

/// The newest cycle after this one that is for another revision, and may have deployed it: what serves now is then no
/// longer what this one tested.
pub(super) async fn other_since(call: &Call, row: &CycleRow) -> Result<Option<u32>, Problem> {
    let newest_first = call.site.store().list_cycles(&row.pipeline, LOOKED_AT).await?;
    let sha = |row: &CycleRow| row.summary.revision.as_ref().map(|revision| revision.sha.clone());
    let this = sha(row);
    let is_other = |later: &&CycleRow| {
        later.summary.cycle > row.summary.cycle
            && later.environment == row.environment
            && sha(later) != this
    };
    // Of one that is older than all of these nobody knows.
    let is_old = newest_first.last().is_some_and(|last| last.summary.cycle > row.summary.cycle);
    let found = newest_first.iter().find(is_other).or(newest_first.first().filter(|_| is_old));
    Ok(found.map(|later| later.summary.cycle))
}

async fn neighbours(call: &Call, row: &CycleRow) -> Result<(Option<u32>, Option<u32>), Problem> {
    let number = row.summary.cycle;
    let mut found = [None, None];
    for (place, wanted) in [number.checked_sub(1), number.checked_add(1)].into_iter().enumerate() {
        let Some(wanted) = wanted.filter(|wanted| *wanted > 0) else { continue };
        let there = call.site.store().find_cycle(&row.pipeline, Which::Number(wanted)).await?;
        found[place] = there.map(|row| row.summary.cycle);
    }
    Ok((found[0], found[1]))
}

fn phases<'a>(json: &'a CycleJson<'a>) -> Vec<Bar<'a>> {
    let whole = json.phases.iter().map(|phase| phase.duration_ms).sum::<u64>().max(1);
    let mut from = 0;
    let bar = |phase: &'a PhaseJson<'a>| {
        let share = |ms: u64| ms.saturating_mul(100) / whole;
        let bar = Bar { phase, from: share(from).min(99), width: share(phase.duration_ms).max(1) };
        from += phase.duration_ms;
        bar
    };
    json.phases.iter().map(bar).collect()
}

/// What changed, what matters most first; long lists of good news are folded.
fn changes<'a>(changed: &'a ChangesJson<'a>) -> Vec<Group<'a>> {
    let group = |change: &Change| {
        let ids = changed.of(*change)?.as_slice();
        let open = match change {
            Change::Regressed | Change::NewFailing | Change::ChangedFailure | Change::Fixed => true,
            Change::StillFailing
            | Change::NotRun
            | Change::Skipped
            | Change::Removed
            | Change::NewPassing
            | Change::StillPassing => false,
        };
        let (shown, more) = ids.split_at(ids.len().min(CHANGED));
        let (change, count) = (change.as_str(), ids.len());
        (count > 0).then_some(Group { change, count, ids: shown, more: more.len(), open })
    };
    Change::ALL.iter().filter_map(group).collect()
}

fn repros<'a>(all: &'a [CaseJson<'a>]) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut repros: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for failure in all.iter().filter_map(|case| case.failure.as_ref()) {
        let (Some(fingerprint), Some(repro)) = (&failure.fingerprint, &failure.repro) else {
            continue;
        };
        let of = repros.entry(fingerprint).or_default();
        if of.len() < REPROS && !of.contains(&repro.as_ref()) {
            of.push(repro);
        }
    }
    repros
}

/// The ids of the cases that are failing in a cycle, for a glob list; `None` without any.
pub(super) fn failing(state: &CycleState) -> Option<String> {
    let json = CycleJson::of(state);
    let is_failing = |case: &&CaseJson<'_>| {
        case.outcome.as_deref().and_then(Outcome::parse).is_some_and(Outcome::is_failing)
    };
    let ids: Vec<&str> =
        json.cases.iter().filter(is_failing).map(|case| case.id.as_ref()).collect();
    (!ids.is_empty()).then(|| ids.join("\n"))
}
