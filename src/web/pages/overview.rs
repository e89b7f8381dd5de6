//! `GET /`: every pipeline at a glance, what needs somebody first.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde::Serialize;

use super::frame::Frame;
use super::template;
use super::trend::{CYCLES, Trend, answer_of, cancelled_since, look, tested_of, trend};
use crate::domain::outcome::Verdict;
use crate::report::words;
use crate::store::{CycleKey, CycleRow, TrendRow};
use crate::web::api::pipelines::Now;
use crate::web::call::{Answer, Call};
use crate::web::forms::{
    CycleRowForm, NoRoomForm, PipelineForm, PipelineState, UnservedForm, time,
};

#[derive(Serialize)]
struct Overview {
    tally: String,
    cards: Vec<Card>,
    unserved: Vec<UnservedForm>,
    no_room: Option<NoRoomForm>,
}

#[derive(Serialize)]
struct Card {
    href: String,
    pipeline: PipelineForm,
    /// The newest cycle that says something of the pipeline.
    answer: Option<CycleRowForm>,
    /// The newest whose suite ran, where that is an older one than the answer.
    tested: Option<CycleRowForm>,
    /// One that was cancelled since then.
    cancelled: Option<u32>,
    look: &'static str,
    trend: Trend,
    #[serde(skip)]
    rank: u8,
}

/// `GET /`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let site = &call.site;
    let now = Now::look(site).await?;
    let recent = site.store().recent_cycles(CYCLES).await?;
    let recent: Vec<&[TrendRow]> = recent.chunk_by(|a, b| a.pipeline == b.pipeline).collect();
    let told: BTreeSet<CycleKey> = recent
        .iter()
        .flat_map(|rows| answer_of(rows).into_iter().chain(tested_of(rows)))
        .map(TrendRow::key)
        .collect();
    let known = Known {
        recent: recent.into_iter().map(|rows| (rows[0].pipeline.as_str(), rows)).collect(),
        told: site.store().find_cycles(&told.into_iter().collect::<Vec<_>>()).await?,
    };
    let mut cards: Vec<Card> =
        now.all().into_iter().map(|pipeline| card(pipeline, &known)).collect();
    cards.sort_by(|a, b| (a.rank, &a.pipeline.pipeline).cmp(&(b.rank, &b.pipeline.pipeline)));
    let own = Overview {
        tally: tally(&cards),
        cards,
        unserved: site.handle().unserved().iter().map(UnservedForm::from).collect(),
        no_room: site
            .handle()
            .no_room()
            .map(|it| NoRoomForm { why: it.why, since: time(it.since) }),
    };
    let is_wall =
        call.parts.uri.query().is_some_and(|query| query.split('&').any(|it| it == "wall"));
    let frame =
        Frame::of(&call, "Pipelines").following("/api/v1/events".to_owned()).on_wall(is_wall);
    Ok(template::page(StatusCode::OK, "overview.html", &frame, &own))
}

/// What is known of the cycles of all pipelines.
struct Known<'a> {
    /// The newest of each, newest first.
    recent: BTreeMap<&'a str, &'a [TrendRow]>,
    /// Those of them that a card tells of, as a whole.
    told: Vec<CycleRow>,
}

impl Known<'_> {
    fn whole(&self, row: &TrendRow) -> Option<&CycleRow> {
        let key = row.key();
        self.told.iter().find(|it| it.key() == key)
    }
}

fn card(pipeline: PipelineForm, known: &Known<'_>) -> Card {
    let name = pipeline.pipeline.as_str();
    let recent = known.recent.get(name).copied().unwrap_or_default();
    let (answer, tested) = (answer_of(recent), tested_of(recent));
    let tested = tested.filter(|it| answer.is_some_and(|answer| answer.cycle > it.cycle));
    let (answer, tested) =
        (answer.and_then(|row| known.whole(row)), tested.and_then(|row| known.whole(row)));
    let verdict = answer.and_then(|row| row.summary.verdict);
    Card {
        href: format!("/pipelines/{name}"),
        answer: answer.map(CycleRowForm::from),
        tested: tested.map(CycleRowForm::from),
        cancelled: cancelled_since(recent),
        look: look(verdict),
        trend: trend(recent),
        rank: rank(&pipeline, verdict),
        pipeline,
    }
}

/// What needs somebody comes first.
fn rank(pipeline: &PipelineForm, verdict: Option<Verdict>) -> u8 {
    match (pipeline.state, verdict) {
        (PipelineState::Held | PipelineState::Blocked, _) => 0,
        (_, Some(Verdict::Red | Verdict::DeployFailed | Verdict::NotReady)) => 1,
        (_, Some(Verdict::Incomplete | Verdict::Void)) => 2,
        (_, Some(Verdict::Superseded | Verdict::Cancelled) | None) => 3,
        (_, Some(Verdict::Green)) => 4,
    }
}

/// `2 red, 1 running, 5 green`.
fn tally(cards: &[Card]) -> String {
    let running = cards.iter().filter(|card| card.pipeline.running.is_some()).count();
    let mut parts = vec![words::count(cards.len() as u64, "pipeline", "pipelines")];
    for look in ["red", "deploy_failed", "not_ready", "incomplete", "void", "green"] {
        let count = cards.iter().filter(|card| card.look == look).count();
        if count > 0 {
            parts.push(format!("{count} {}", look.replace('_', " ")));
        }
    }
    if running > 0 {
        parts.push(format!("{running} running"));
    }
    parts.join(" · ")
}
