//! Cycles: lists, one as in SPEC section 7, its events.

use serde::Deserialize;

use super::pipelines::Limit;
use crate::cycle;
use crate::domain::errors::chain;
use crate::domain::event::Recorded;
use crate::domain::state::CycleState;
use crate::report::cycle_json;
use crate::store::CycleRow;
use crate::web::call::{Answer, Call, ok};
use crate::web::forms::{CycleRowForm, CyclesForm, EventForm, EventsForm};
use crate::web::problem::Problem;
use crate::web::site::Site;

/// Events of one answer where nothing is said.
const EVENTS: u32 = 500;
/// And at most.
const MAX_EVENTS: u32 = 5_000;

/// Which events.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    #[serde(default)]
    after: u64,
    limit: Option<u32>,
}

/// `GET pipelines/{pipeline}/cycles`
pub(in crate::web) async fn list(call: Call) -> Answer {
    let name = call.pipeline().await?;
    let limit = call.query::<Limit>()?.or(20)?;
    let rows = call.site.store().list_cycles(&name, limit).await?;
    ok(&CyclesForm { cycles: rows.iter().map(CycleRowForm::from).collect() })
}

/// `GET pipelines/{pipeline}/cycles/{cycle}`
pub(in crate::web) async fn one(call: Call) -> Answer {
    let row = call.cycle().await?;
    let state = state_of(&call.site, &row).await?;
    // A cycle of many cases takes a while to be written down.
    let json = tokio::task::spawn_blocking(move || cycle_json(&state)).await;
    ok(&json.map_err(|_| broken("the cycle cannot be written down"))?)
}

/// `GET pipelines/{pipeline}/cycles/{cycle}/events`
pub(in crate::web) async fn events(call: Call) -> Answer {
    let row = call.cycle().await?;
    let After { after, limit } = call.query()?;
    let limit = limit.unwrap_or(EVENTS).clamp(1, MAX_EVENTS);
    let events = call.site.store().load_page(&row.key(), after, limit + 1).await?;
    let fits = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = events.len() > fits;
    ok(&EventsForm { events: events.iter().take(fits).map(EventForm::from).collect(), more })
}

/// The state of a cycle: its events, folded.
pub(in crate::web) async fn state_of(site: &Site, row: &CycleRow) -> Result<CycleState, Problem> {
    folded(row, site.store().load_events(&row.key(), 0).await?)
}

/// The state that these events of a cycle come to.
pub(in crate::web) fn folded(row: &CycleRow, events: Vec<Recorded>) -> Result<CycleState, Problem> {
    cycle::fold(events).map_err(|fault| {
        tracing::error!("{}: {}", row.key(), chain(&fault));
        broken(format!("the records of {} contradict each other", row.key()))
    })
}

fn broken(detail: impl Into<String>) -> Problem {
    Problem::new(http::StatusCode::INTERNAL_SERVER_ERROR, detail)
}
