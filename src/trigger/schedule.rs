//! What is due by the clock. Pure: it is told what time it is.
//!
//! Only the last due time counts, however many passed: a machine that was off for three days has one
//! cycle to catch up with, not thousands. A due time has a key of its own, so that a clock that is
//! set back, and a crash between two writes, never make it run twice.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::event::RunOptions;
use crate::domain::outcome::{Trigger, TriggerKind};
use crate::domain::revision::Sha;
use crate::domain::spec::{MissedRun, Pipeline, Schedule};
use crate::pipeline::crontab::{Crontab, Zones};
use crate::store::NewTrigger;

/// A due time that was noticed later than this was missed: the daemon or the machine slept.
const LATE: SignedDuration = SignedDuration::from_mins(10);
/// A cursor that lies further ahead was written by a clock that was wrong.
const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// A schedule, ready to be asked.
#[derive(Debug, Clone)]
pub struct Timer {
    schedule: Schedule,
    crontab: Crontab,
    zone: TimeZone,
}

/// A schedule for which something must be stored.
#[derive(Debug, Clone, Copy)]
pub struct Due<'a> {
    /// Which.
    pub timer: &'a Timer,
    /// Where its cursor must be put.
    pub at: Timestamp,
    /// What to do.
    pub kind: DueKind,
}

/// What to do about a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueKind {
    /// It is new, or a wrong clock wrote its cursor: what lies before now is none of its due times.
    Begin,
    /// Run, in time.
    Run,
    /// Run for a time that passed while nobody was there.
    CatchUp,
    /// Let such a time pass.
    PassOver,
}

impl Timer {
    /// The schedules of a pipeline.
    pub fn of_pipeline(pipeline: &Pipeline) -> Vec<Self> {
        // What cannot be read was refused when the pipeline was.
        pipeline.schedules.iter().filter_map(Self::new).collect()
    }

    /// A schedule; `None` when its line or its zone cannot be read.
    pub fn new(schedule: &Schedule) -> Option<Self> {
        Some(Self {
            schedule: schedule.clone(),
            crontab: Crontab::parse(&schedule.cron).ok()?,
            zone: Zones::get(&schedule.timezone)?,
        })
    }

    /// The schedule.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// When it is due next.
    pub fn next_after(&self, cursor: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let after = believed(cursor, now).unwrap_or(now).max(now);
        self.crontab.next_after(after, &self.zone)
    }

    /// The last due time after one instant and not after another. Due times are whole seconds, so
    /// it is found by halving, in as many steps for a minute as for a year.
    fn last_between(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let next = |second: i64| {
            let due = self.crontab.next_after(Timestamp::from_second(second).ok()?, &self.zone)?;
            (due <= until).then_some(due)
        };
        let first = self.crontab.next_after(after, &self.zone).filter(|due| *due <= until)?;
        let (mut low, mut high) = (first.as_second() - 1, until.as_second() + 1);
        let mut last = first;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match next(middle) {
                Some(due) => (low, last) = (middle, last.max(due)),
                None => high = middle,
            }
        }
        Some(last)
    }

    fn due(
        &self,
        cursor: Option<Timestamp>,
        now: Timestamp,
        started: Timestamp,
    ) -> Option<Due<'_>> {
        let Some(cursor) = believed(cursor, now) else {
            return Some(Due { timer: self, at: now, kind: DueKind::Begin });
        };
        let at = self.last_between(cursor, now)?;
        let missed = at < started || now.duration_since(at) > LATE;
        let kind = match (missed, self.schedule.missed) {
            (false, MissedRun::RunOnce | MissedRun::Skip) => DueKind::Run,
            (true, MissedRun::RunOnce) => DueKind::CatchUp,
            (true, MissedRun::Skip) => DueKind::PassOver,
        };
        Some(Due { timer: self, at, kind })
    }
}

/// A cursor from a clock that ran far ahead says nothing; it must not silence a schedule for years.
fn believed(cursor: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    cursor.filter(|cursor| cursor.duration_since(now) <= MAX_AHEAD)
}

/// What is due: at most one time of each schedule. `cursors` has the due times that were dealt with
/// last, by the schedule's name; `started` is when the daemon began to watch the clock.
pub fn due<'a>(
    timers: &'a [Timer],
    cursors: &BTreeMap<String, Timestamp>,
    now: Timestamp,
    started: Timestamp,
) -> Vec<Due<'a>> {
    let cursor = |timer: &Timer| cursors.get(&timer.schedule.name).copied();
    timers.iter().filter_map(|timer| timer.due(cursor(timer), now, started)).collect()
}

impl Due<'_> {
    /// The triggers to store, in order. `revision` is what repeated cycles have in common.
    pub fn triggers(&self, pipeline: &Pipeline, revision: Option<&Sha>) -> Vec<NewTrigger> {
        let schedule = &self.timer.schedule;
        let count = schedule.repeat.max(1);
        let requested = revision.filter(|_| count > 1 && schedule.deploy);
        let one = |n: u32| {
            let part = if count > 1 { format!(" {n} of {count}") } else { String::new() };
            NewTrigger {
                pipeline: pipeline.name.clone(),
                environment: pipeline.environment.clone(),
                cause: Trigger { kind: TriggerKind::Schedule, detail: self.detail(n, count) },
                requested: requested.map(Sha::to_string),
                options: RunOptions { deploy: schedule.deploy, only: None, search_of: None },
                key: Some(format!("{} {}{part}", schedule.name, instant_text(self.at))),
                not_before: self.at,
            }
        };
        match self.kind {
            DueKind::Run | DueKind::CatchUp => (1..=count).map(one).collect(),
            DueKind::Begin | DueKind::PassOver => vec![],
        }
    }

    fn detail(&self, n: u32, count: u32) -> String {
        let schedule = &self.timer.schedule;
        let local = self.timer.zone.to_datetime(self.at);
        let mut text = format!(
            "{}, due {} {}",
            schedule.name,
            local.strftime("%Y-%m-%d %H:%M"),
            schedule.timezone
        );
        if self.kind == DueKind::CatchUp {
            text.push_str(" and missed then");
        }
        if count > 1 {
            text.push_str(&format!(" ({n} of {count})"));
        }
        text
    }
}

/// `2026-11-26T02:30Z`; with seconds only where a change of the clock made them.
fn instant_text(at: Timestamp) -> String {
    let format = if at.as_second() % 60 == 0 { "%Y-%m-%dT%H:%MZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests;
