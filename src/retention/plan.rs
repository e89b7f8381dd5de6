//! From limits and rows to the cycles that expire now.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::domain::names::PipelineName;
use crate::domain::outcome::Verdict;
use crate::domain::retention::{KeptCycle, Limits, PipelineHistory};

/// The cycles of the newest revision that the loop looks back at (`cycles.max`, `no_progress`).
const SERIES: usize = 100;
/// Unattended, at most one in so many cycles of a pipeline expires by age in a day: a clock that was
/// set to 2100 by mistake must not empty the ledger.
const DAILY_PART: usize = 10;
/// So many may always expire by age in a day, so that small histories get anywhere.
const DAILY_LEAST: usize = 10;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Nobody looks: what the clock alone condemns goes bit by bit.
    Unattended,
    /// A person wants it now.
    AtOnce,
}

/// The limit that a cycle is beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// It is too old.
    Days,
    /// Enough newer ones are there.
    Cycles,
    /// All together take too much room.
    Bytes,
}

impl Rule {
    /// The key of the settings that sets it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Cycles => "cycles",
            Self::Bytes => "bytes",
        }
    }
}

/// A cycle that expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// Its number.
    pub cycle: u32,
    /// Why.
    pub rule: Rule,
    /// What it takes, where that was measured.
    pub bytes: Option<u64>,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What expires now.
    pub expire: Vec<Expiry>,
    /// How many are too old or too many and stay all the same, because something refers to them.
    pub protected: usize,
    /// How many wait for another day.
    pub deferred: usize,
}

/// A cycle that its own pipeline's limits leave alone.
struct Left<'a> {
    history: &'a PipelineHistory,
    cycle: &'a KeptCycle,
    may_go: bool,
}

/// Decides which cycles expire at `now`.
pub fn plan(limits: &Limits, now: Timestamp, pace: Pace, histories: &[PipelineHistory]) -> Plan {
    let mut plan = Plan::default();
    let mut left = Vec::new();
    for history in histories {
        left.extend(by_age_and_number(limits, now, pace, history, &mut plan));
    }
    if let Some(most) = limits.bytes {
        by_room(most, left, &mut plan);
    }
    plan
}

/// Lets go of what is too old, or beyond the number that is kept; gives back the rest.
fn by_age_and_number<'a>(
    limits: &Limits,
    now: Timestamp,
    pace: Pace,
    history: &'a PipelineHistory,
    plan: &mut Plan,
) -> Vec<Left<'a>> {
    let beyond = beyond(limits, now, &history.kept);
    let protected = protected(history, &beyond);
    let mut by_age = Allowance::of(history, pace);
    let mut left = Vec::new();
    for cycle in &history.kept {
        let is_protected = protected.contains(&cycle.cycle);
        let may_go = match beyond.get(&cycle.cycle) {
            Some(_) if is_protected => {
                plan.protected += 1;
                false
            }
            Some(Rule::Days) if !by_age.take() => {
                plan.deferred += 1;
                false
            }
            Some(rule) => {
                plan.expire.push(expiry(history, cycle, *rule));
                continue;
            }
            None => !is_protected,
        };
        left.push(Left { history, cycle, may_go });
    }
    left
}

fn expiry(history: &PipelineHistory, cycle: &KeptCycle, rule: Rule) -> Expiry {
    let pipeline = history.pipeline.clone();
    Expiry { pipeline, cycle: cycle.cycle, rule, bytes: cycle.bytes }
}

/// The cycles that are too old, or beyond the number that is kept. A number is no matter of the
/// clock, so it comes first.
fn beyond(limits: &Limits, now: Timestamp, kept: &[KeptCycle]) -> BTreeMap<u32, Rule> {
    let too_many = limits.cycles.map_or(0, |most| kept.len().saturating_sub(most as usize));
    let oldest = limits
        .days
        .and_then(|days| now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).ok());
    let rule_of = |(place, cycle): (usize, &KeptCycle)| {
        let is_old = oldest.zip(cycle.finished_at).is_some_and(|(oldest, at)| at < oldest);
        let by_age = is_old.then_some(Rule::Days);
        let rule = if place < too_many { Some(Rule::Cycles) } else { by_age };
        Some((cycle.cycle, rule?))
    };
    kept.iter().enumerate().filter_map(rule_of).collect()
}

/// What stays whatever the limits say.
fn protected(history: &PipelineHistory, beyond: &BTreeMap<u32, Rule>) -> BTreeSet<u32> {
    let kept = &history.kept;
    let mut protected = history.investigated.clone();
    protected.extend(kept.iter().filter(|c| c.finished_at.is_none()).map(|c| c.cycle));
    protected.extend(newest_series(kept));
    protected.extend(last_to_compare_with(kept));
    // The record of a case that no kept cycle plans any more keeps nothing alive.
    let numbers: BTreeSet<u32> = kept.iter().map(|cycle| cycle.cycle).collect();
    let stays = |cycle: u32| {
        numbers.contains(&cycle) && (!beyond.contains_key(&cycle) || protected.contains(&cycle))
    };
    let references = history.references.iter();
    let referred: Vec<u32> = references.filter(|r| stays(r.planned_in)).map(|r| r.to).collect();
    protected.extend(referred);
    protected
}

/// The newest cycle that is over, and those before it that tested the same revision.
fn newest_series(kept: &[KeptCycle]) -> Vec<u32> {
    let mut finished = kept.iter().rev().filter(|cycle| cycle.finished_at.is_some()).peekable();
    let Some(newest) = finished.peek().copied() else { return Vec::new() };
    let series = finished.take_while(|cycle| cycle.revision == newest.revision);
    series.take(SERIES).map(|cycle| cycle.cycle).collect()
}

/// Of each environment the last cycle that is green and the last valid one, and of those that planned
/// everything likewise.
fn last_to_compare_with(kept: &[KeptCycle]) -> BTreeSet<u32> {
    let mut last = BTreeMap::new();
    for cycle in kept.iter().filter(|cycle| cycle.finished_at.is_some()) {
        let Some(verdict) = cycle.verdict.filter(|verdict| is_valid(*verdict)) else { continue };
        let kinds = [Some("valid"), (verdict == Verdict::Green).then_some("green")];
        for kind in kinds.into_iter().flatten() {
            last.insert((&cycle.environment, kind, "any cases"), cycle.cycle);
            if cycle.is_whole {
                last.insert((&cycle.environment, kind, "all cases"), cycle.cycle);
            }
        }
    }
    last.into_values().collect()
}

/// Whether others are compared with a cycle of that verdict.
fn is_valid(verdict: Verdict) -> bool {
    match verdict {
        Verdict::Green | Verdict::Red | Verdict::Incomplete => true,
        Verdict::Void
        | Verdict::DeployFailed
        | Verdict::NotReady
        | Verdict::Superseded
        | Verdict::Cancelled => false,
    }
}

/// How many cycles may still expire by age.
struct Allowance(usize);

impl Allowance {
    fn of(history: &PipelineHistory, pace: Pace) -> Self {
        match pace {
            Pace::AtOnce => Self(usize::MAX),
            Pace::Unattended => {
                let daily = (history.kept.len() / DAILY_PART).max(DAILY_LEAST);
                Self(daily.saturating_sub(history.expired_since_yesterday as usize))
            }
        }
    }

    fn take(&mut self) -> bool {
        let is_left = self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        is_left
    }
}

/// Lets the oldest of all pipelines go until the rest fits.
fn by_room(most: u64, mut left: Vec<Left<'_>>, plan: &mut Plan) {
    let size = |left: &Left<'_>| u128::from(left.cycle.bytes.unwrap_or(0));
    let mut total: u128 = left.iter().map(size).sum();
    left.sort_by_key(|left| (left.cycle.finished_at, &left.history.pipeline, left.cycle.cycle));
    for left in left {
        if total <= u128::from(most) {
            return;
        }
        // One that nobody measured might free nothing.
        if left.may_go && size(&left) > 0 {
            total -= size(&left);
            plan.expire.push(expiry(left.history, left.cycle, Rule::Bytes));
        }
    }
}

#[cfg(test)]
mod tests;
