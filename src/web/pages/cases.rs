//! The cases of a cycle as rows: in the order of the plan while the suite runs, so that nothing moves under
//! the eyes of who follows, and the worst first once it is over. And, while it runs, the rows that turned.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::filters::{Choice, take_unknown, wanted, words_of};
use super::template;
use crate::daemon::{CaseSoFar, Running, Turned};
use crate::domain::names::CaseId;
use crate::domain::outcome::{Change, Outcome};
use crate::domain::state::CycleState;
use crate::report::json::CaseJson;
use crate::web::call::{Answer, Call};
use crate::web::forms::ProgressForm;

/// So many cases on one page.
const CASES: usize = 500;
/// So many rows that turned in one answer; the rest comes with the next.
const TURNED: usize = 500;

/// What can be shown alone, by what [`kinds`] says of a row.
const SHOWS: [Choice; 6] = [
    ("", "all"),
    ("failing", "failing"),
    ("not_run", "not run"),
    ("flaky", "flaky"),
    ("changed", "changed"),
    ("running", "running"),
];

/// Which rows a reader wants, as it stands in the address.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Asked {
    #[serde(default)]
    from: usize,
    #[serde(default)]
    find: String,
    #[serde(default)]
    show: String,
    #[serde(default)]
    area: String,
    #[serde(default)]
    priority: String,
}

/// The rows of a cycle, and what they can be filtered by.
#[derive(Serialize)]
pub(super) struct Cases<'a> {
    rows: Vec<Row<'a>>,
    all: usize,
    asked: Asked,
    shows: [Choice; 6],
    /// What was asked for and is nothing here, one sentence each.
    unknown: Vec<String>,
    /// What is looked for, in words.
    wanted: String,
    /// Whether no row of this page fits.
    none: bool,
    /// The same filters as the end of an address.
    query: String,
    /// Where the next page begins.
    more: Option<usize>,
    /// Whether every case of the cycle is on this page, so that a script can filter them.
    whole: bool,
    areas: Vec<&'a str>,
    priorities: Vec<&'a str>,
    /// What to ask for next, while rows turn.
    tick: Option<u64>,
}

#[derive(Serialize)]
struct Row<'a> {
    case: &'a CaseJson<'a>,
    now: Shown,
    hidden: bool,
}

/// What a row says of what became of its case.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Shown {
    outcome: Option<Outcome>,
    /// The attempt that runs now.
    running: Option<u32>,
    ms: Option<u64>,
    why: String,
    /// Words to filter by.
    kinds: String,
}

/// A row that turned.
#[derive(Serialize)]
struct Fresh {
    id: CaseId,
    now: Shown,
}

/// How far a suite is.
#[derive(Debug, Serialize)]
pub(super) struct Progress {
    progress: Option<ProgressForm>,
    failing: u32,
}

impl Progress {
    /// Of a cycle that runs.
    pub(super) fn of(running: &Running, failing: u32) -> Self {
        let progress = running.progress.map(|(done, planned)| ProgressForm { done, planned });
        Self { progress, failing }
    }
}

#[derive(Serialize)]
struct Fragment {
    tick: u64,
    rows: Vec<Fresh>,
    running: Option<Progress>,
}

#[derive(Debug, Deserialize)]
struct Since {
    #[serde(default)]
    after: u64,
}

/// `GET /pipelines/{pipeline}/cycles/{cycle}/rows`: the rows that turned since a page was made, to be put
/// into it. Nothing is read of the ledger but that there is such a cycle.
pub(in crate::web) async fn turned(call: Call) -> Answer {
    let key = call.cycle().await?.key();
    let Since { after } = call.query()?;
    let handle = call.site.handle();
    let Turned { tick, cases, failing } = handle.cases_since(&key, after, TURNED);
    let rows = cases.into_iter().map(|(id, case)| Fresh { id, now: Shown::so_far(&case) });
    let running = handle.running().remove(&key);
    let own = Fragment {
        tick,
        rows: rows.collect(),
        running: running.map(|running| Progress::of(&running, failing)),
    };
    Ok(template::fragment("rows.html", &own))
}

/// The rows of a cycle. `live` is what is known of a suite that runs.
pub(super) fn cases<'a>(
    cases: &'a [CaseJson<'a>],
    state: &CycleState,
    live: Option<&Turned>,
    mut asked: Asked,
) -> Cases<'a> {
    let is_decided = state.findings.is_some();
    let live = live.filter(|_| !is_decided);
    let so_far: HashMap<&str, &CaseSoFar> =
        live.iter().flat_map(|it| &it.cases).map(|(id, case)| (id.as_str(), case)).collect();
    let shown = |case: &CaseJson<'_>| match is_decided {
        true => Shown::decided(case),
        false => Shown::so_far(&known(state, case, so_far.get(&*case.id).copied())),
    };
    let mut order: Vec<(&CaseJson<'_>, Shown)> =
        cases.iter().map(|case| (case, shown(case))).collect();
    if is_decided {
        // Stable: within one rank the order of the plan stays.
        order.sort_by_key(|(case, now)| rank(case, now));
    }
    let (areas, priorities) = (areas(cases), priorities(cases));
    let unknown = asked.without_unknown(&areas, &priorities);
    let all = order.len();
    let whole = all <= CASES && asked.from == 0;
    let rows = order.into_iter().map(|(case, now)| {
        let hidden = !asked.fits(case, &now);
        Row { case, now, hidden }
    });
    let mut rows: Vec<Row<'_>> = match whole {
        true => rows.collect(),
        // No script can filter what is not on the page.
        false => rows.filter(|row| !row.hidden).skip(asked.from).take(CASES + 1).collect(),
    };
    let more = (rows.len() > CASES).then_some(asked.from.saturating_add(CASES));
    rows.truncate(CASES);
    Cases {
        none: rows.iter().all(|row| row.hidden),
        rows,
        all,
        unknown,
        wanted: asked.wanted(),
        query: asked.query(),
        asked,
        shows: SHOWS,
        more,
        whole,
        areas,
        priorities,
        tick: live.map(|it| it.tick),
    }
}

fn areas<'a>(cases: &'a [CaseJson<'a>]) -> Vec<&'a str> {
    distinct(cases.iter().filter_map(|case| case.area.as_deref()))
}

fn priorities<'a>(cases: &'a [CaseJson<'a>]) -> Vec<&'a str> {
    distinct(cases.iter().filter_map(|case| case.priority.as_deref()))
}

/// Each once, in order.
pub(super) fn distinct<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut words: Vec<&str> = words.collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// What the ledger says of a case, and what is known beyond it.
fn known(state: &CycleState, case: &CaseJson<'_>, live: Option<&CaseSoFar>) -> CaseSoFar {
    let id = CaseId::parse(&case.id).ok();
    let ledger = id.and_then(|id| CaseSoFar::of(state.attempts_of(&id)));
    match (ledger, live) {
        (Some(ledger), live) => CaseSoFar { running: live.and_then(|live| live.running), ..ledger },
        (None, Some(live)) => live.clone(),
        (None, None) => CaseSoFar::default(),
    }
}

impl Shown {
    fn decided(case: &CaseJson<'_>) -> Self {
        let outcome = case.outcome.as_deref().and_then(Outcome::parse);
        let why = match (&case.failure, &case.not_run_reason) {
            (Some(failure), _) => failure.message.clone().into_owned(),
            (None, Some(reason)) => reason.clone(),
            (None, None) => String::new(),
        };
        let change = case.change.as_deref().and_then(Change::parse);
        let ms = (outcome.is_some() && case.attempts > 0).then_some(case.duration_ms);
        Self { outcome, running: None, ms, why, kinds: kinds(outcome, change, false) }
    }

    fn so_far(case: &CaseSoFar) -> Self {
        let is_running = case.running.is_some();
        Self {
            outcome: case.outcome,
            running: case.running,
            ms: case.outcome.filter(|_| !is_running).map(|_| case.duration_ms),
            why: case.failure.as_ref().map(|it| it.message.clone()).unwrap_or_default(),
            kinds: kinds(case.outcome, None, is_running),
        }
    }
}

impl Asked {
    /// Takes back what is no choice of the page, and says so.
    fn without_unknown(&mut self, areas: &[&str], priorities: &[&str]) -> Vec<String> {
        let said = [
            take_unknown("choice", &mut self.show, SHOWS.into_iter().map(|(value, _)| value)),
            take_unknown("area", &mut self.area, areas.iter().copied()),
            take_unknown("priority", &mut self.priority, priorities.iter().copied()),
        ];
        said.into_iter().flatten().collect()
    }

    fn wanted(&self) -> String {
        let show = words_of(&SHOWS, &self.show);
        let choices = [("show", show), ("area", &*self.area), ("priority", &*self.priority)];
        wanted(&self.find, &choices)
    }

    fn fits(&self, case: &CaseJson<'_>, now: &Shown) -> bool {
        let is = |wanted: &str, has: Option<&str>| wanted.is_empty() || has == Some(wanted);
        let shows = self.show.is_empty() || now.kinds.split(' ').any(|kind| kind == self.show);
        shows
            && is(&self.area, case.area.as_deref())
            && is(&self.priority, case.priority.as_deref())
            && self.finds(case, now)
    }

    fn finds(&self, case: &CaseJson<'_>, now: &Shown) -> bool {
        let wanted = self.find.trim().to_lowercase();
        let texts = [Some(&*case.id), case.area.as_deref(), case.owner.as_deref(), Some(&now.why)];
        wanted.is_empty()
            || texts.into_iter().flatten().any(|text| text.to_lowercase().contains(&wanted))
    }

    fn query(&self) -> String {
        let fields = [
            ("find", &self.find),
            ("show", &self.show),
            ("area", &self.area),
            ("priority", &self.priority),
        ];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        query.finish()
    }
}

fn rank(case: &CaseJson<'_>, now: &Shown) -> u8 {
    match now.outcome {
        Some(Outcome::Failed) => 0,
        Some(Outcome::Errored) => 1,
        Some(Outcome::NotRun) => 2,
        Some(Outcome::Flaky) => 3,
        None if case.change.is_some() => 4,
        None => 5,
        Some(Outcome::Skipped) => 6,
        Some(Outcome::Passed) => 7,
    }
}

fn kinds(outcome: Option<Outcome>, change: Option<Change>, is_running: bool) -> String {
    let is_quiet = matches!(change, None | Some(Change::StillPassing | Change::StillFailing));
    let words = [
        (outcome.is_some_and(Outcome::is_failing), "failing"),
        (outcome == Some(Outcome::NotRun), "not_run"),
        (outcome == Some(Outcome::Flaky), "flaky"),
        (is_running, "running"),
        (!is_quiet, "changed"),
    ];
    let words: Vec<&str> = words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    words.join(" ")
}
