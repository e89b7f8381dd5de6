//! What a report says of earlier cycles: no figure can be of this cycle and of an earlier one at once, and
//! no part is larger than its whole.
//!
//! It must not guess: a report that fails here is not written. So it knows nothing of the order in which
//! cycles ran, only what cannot be true in any.

use super::Found;
use crate::domain::history::RECENT_RUNS;
use crate::domain::outcome::{Change, Outcome};
use crate::report::json::{CaseJson, CycleJson, CycleRefJson};

pub(super) fn check(found: &mut Found, json: &CycleJson<'_>) {
    took(found, json);
    if json.baseline.as_ref().is_some_and(|baseline| baseline.cycle == json.cycle) {
        found.add("baseline.cycle", "is this very cycle".to_owned());
    }
    for case in &json.cases {
        series(
            found,
            &format!("cases: {}", case.id),
            case.last_good.as_ref(),
            case.first_failing.as_ref(),
        );
        of_case(found, json.cycle, case);
    }
    for cluster in &json.clusters {
        let place = format!("clusters: {}", cluster.fingerprint);
        series(found, &place, cluster.last_good.as_ref(), cluster.first_failing.as_ref());
        let is_new = cluster.first_seen_cycle == json.cycle;
        if cluster.times_seen == 0 || is_new && cluster.times_seen > 1 {
            let (times, first) = (cluster.times_seen, cluster.first_seen_cycle);
            found.add(place, format!("was seen in {times} cycles, the first of them {first}"));
        }
    }
    for command in json.commands.iter().filter(|command| command.failing > command.cases) {
        let what = format!("has {} failing of {} cases", command.failing, command.cases);
        found.add(format!("commands: {}", command.command), what);
    }
}

/// A duration that stands beside its two ends.
fn took(found: &mut Found, json: &CycleJson<'_>) {
    let at = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let Some(finished) = json.finished_at.as_deref().and_then(at) else { return };
    let (Some(started), Some(says)) = (at(&json.started_at), json.duration_ms) else { return };
    let counted = u64::try_from(finished.duration_since(started).as_millis()).unwrap_or(0);
    found.equal("duration_ms", says, counted);
}

/// A case cannot have been good and failing in one cycle.
fn series(
    found: &mut Found,
    place: &str,
    good: Option<&CycleRefJson<'_>>,
    failing: Option<&CycleRefJson<'_>>,
) {
    let cycles = good.zip(failing).map(|(good, failing)| (good.cycle, failing.cycle));
    if let Some((cycle, _)) = cycles.filter(|(good, failing)| good == failing) {
        found.add(place, format!("was last good and first failing in cycle {cycle}"));
    }
}

fn of_case(found: &mut Found, cycle: u32, case: &CaseJson<'_>) {
    let mut add = |what: String| found.add(format!("cases: {}", case.id), what);
    let change = case.change.as_deref().and_then(Change::parse);
    let begins = matches!(change, Some(Change::Regressed | Change::NewFailing));
    if let Some(first) = case.first_failing.as_ref().filter(|f| begins && f.cycle != cycle) {
        add(format!("began to fail here, yet first in cycle {}", first.cycle));
    }
    if case.carried.as_ref().is_some_and(|carried| carried.cycle == cycle) {
        add("carries a result of this very cycle".to_owned());
    }
    let outcome = case.outcome.as_deref().and_then(Outcome::parse);
    if outcome == Some(Outcome::Flaky) && case.attempts == 1 {
        add("is flaky after one attempt".to_owned());
    }
    if let Some(rate) = &case.flaky_rate {
        let most = u32::try_from(RECENT_RUNS).unwrap_or(u32::MAX);
        if rate.flaky == 0 || rate.flaky > rate.of || rate.of > most {
            add(format!("was flaky {} times of {}", rate.flaky, rate.of));
        }
    }
    if let Some(slower) = &case.slower {
        let is_chance = slower.p.is_none_or(|p| p > 0.0 && p <= 1.0);
        let grew = slower.now_ms.is_none_or(|now| now > slower.median_ms);
        if !is_chance || !grew || slower.max_ms < slower.median_ms {
            add("is slower by figures that do not say so".to_owned());
        }
    }
    let events = case.evidence.as_ref().and_then(|evidence| evidence.events.as_ref());
    if let Some(events) = events.filter(|events| events.came > events.expected) {
        add(format!("got {} of {} events", events.came, events.expected));
    }
}
