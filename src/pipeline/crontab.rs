//! Five crontab fields, and when they come due in a time zone.
//!
//! The `cron` crate reads Quartz (seconds first, Sunday is 1), so the fields are read here and handed to it as plain
//! lists; it walks the calendar on a clock without zones. Offsets are applied here, one stretch of constant offset
//! after another, which settles what a change of the clock means: a job at fixed times runs once on that local day
//! (at the change, when its time is skipped; the first time, when it comes twice), a job such as `*/15` follows
//! the elapsed time. Nothing here asks what time it is.

mod field;
mod zones;

use std::str::FromStr;

use chrono::{DateTime as ChronoDateTime, Datelike, NaiveDate, Timelike, Utc};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan, civil::DateTime};

pub use zones::Zones;

use field::{Field, Kind};

/// A crontab line's five fields, checked.
#[derive(Debug, Clone)]
pub struct Crontab {
    /// More than one where the day of the month or the day of the week will do: the earliest counts.
    schedules: Vec<cron::Schedule>,
    /// Minute and hour are plain numbers.
    fixed: bool,
}

/// What is wrong with the fields of a crontab line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CrontabError {
    message: String,
    field: Option<String>,
    help: Vec<String>,
}

impl CrontabError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), field: None, help: Vec::new() }
    }

    fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The part that is wrong, as written.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What to do about it.
    pub fn help(&self) -> &[String] {
        &self.help
    }
}

const FORMS: &str = "five fields: minute, hour, day of the month, month, day of the week; or @hourly, @daily, @nightly, \
                     @weekly, @monthly, @yearly";
/// The stretches of constant offset that are searched: decades, even where clocks change often.
const MAX_STRETCHES: usize = 400;

/// A stretch of time in which a zone keeps its offset.
struct Stretch {
    offset: Offset,
    /// When it begins and with which offset the one before it ends; `None` is the first of all.
    start: Option<(Timestamp, Offset)>,
    end: Option<Timestamp>,
}

impl Crontab {
    /// Reads five crontab fields or a name such as `@daily`.
    ///
    /// # Errors
    /// When they are not what crontab reads, or name a date that never comes.
    pub fn parse(text: &str) -> Result<Self, CrontabError> {
        let text = expand_name(text.trim())?;
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(wrong_count(fields.len()));
        };
        let minute = Field::parse(minute, Kind::Minute)?;
        let hour = Field::parse(hour, Kind::Hour)?;
        let day = Field::parse(day, Kind::Day)?;
        let month = Field::parse(month, Kind::Month)?;
        let weekday = Field::parse(weekday, Kind::Weekday)?;
        if !day.starred && weekday.starred && !some_month_has(&day, &month) {
            return Err(CrontabError::new(format!(
                "no {} has a day {}",
                month.named(),
                day.to_list()
            ))
            .with_help("so it would never run"));
        }
        let line = |day: &str, weekday: &str| {
            let (minute, hour, month) = (minute.to_list(), hour.to_list(), month.to_list());
            let quartz = format!("0 {minute} {hour} {day} {month} {weekday}");
            cron::Schedule::from_str(&quartz)
                .map_err(|fault| CrontabError::new(format!("not a schedule: {fault}")))
        };
        // As in every crontab: with both days restricted, either will do.
        let schedules = if day.starred || weekday.starred {
            vec![line(&day.to_list(), &weekday.to_list())?]
        } else {
            vec![line(&day.to_list(), "*")?, line("*", &weekday.to_list())?]
        };
        Ok(Self { schedules, fixed: minute.fixed && hour.fixed })
    }

    /// The first time that comes due after an instant, on the clock of a zone.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut stretch = Stretch::around(after, zone);
        for _ in 0..MAX_STRETCHES {
            if let Some(due) = self.due_in(&stretch, after) {
                return Some(due);
            }
            stretch = Stretch::around(stretch.end?, zone);
        }
        None
    }

    /// The first due time after an instant within a stretch.
    fn due_in(&self, stretch: &Stretch, after: Timestamp) -> Option<Timestamp> {
        let mut from = stretch.offset.to_datetime(after);
        if let Some((start, before)) = stretch.start {
            let ended = before.to_datetime(start);
            let began = stretch.offset.to_datetime(start);
            if after < start {
                if let Some(skipped) = self.skipped_between(ended, began) {
                    // A change at midnight: the day of the skipped time ends with the second before it.
                    let late = if skipped.date() == began.date() { 0 } else { 1 };
                    let due = start.checked_sub(late.seconds()).ok()?;
                    if due > after {
                        return Some(due);
                    }
                }
                from = just_before(began)?;
            }
            if self.fixed && began < ended {
                // The clock was set back: until `ended` these times came already.
                from = from.max(just_before(ended)?);
            }
        }
        let due = stretch.offset.to_timestamp(self.next_on_clock(from)?).ok()?;
        stretch.end.is_none_or(|end| due < end).then_some(due)
    }

    /// The fixed time that lies in the part of a day which a clock set forward leaves out.
    fn skipped_between(&self, ended: DateTime, began: DateTime) -> Option<DateTime> {
        let is_part_of_a_day = ended.checked_add(24.hours()).is_ok_and(|day| began < day);
        if !self.fixed || !is_part_of_a_day {
            return None;
        }
        self.next_on_clock(just_before(ended)?).filter(|due| *due < began)
    }

    /// The first due time after a time on a clock that never changes.
    fn next_on_clock(&self, from: DateTime) -> Option<DateTime> {
        let from = to_chrono(from)?;
        self.schedules.iter().filter_map(|s| s.after(&from).next()).min().and_then(from_chrono)
    }
}

impl Stretch {
    fn around(instant: Timestamp, zone: &TimeZone) -> Self {
        let next = instant.checked_add(1.nanosecond()).unwrap_or(instant);
        let start = zone.preceding(next).next().map(|change| {
            let at = change.timestamp();
            let before = at.checked_sub(1.nanosecond()).unwrap_or(at);
            (at, zone.to_offset(before))
        });
        let end = zone.following(instant).next().map(|change| change.timestamp());
        Self { offset: zone.to_offset(instant), start, end }
    }
}

fn just_before(time: DateTime) -> Option<DateTime> {
    time.checked_sub(1.second()).ok()
}

fn to_chrono(time: DateTime) -> Option<ChronoDateTime<Utc>> {
    let part = |n: i8| u32::try_from(n).ok();
    let (month, day) = (part(time.month())?, part(time.day())?);
    let date = NaiveDate::from_ymd_opt(time.year().into(), month, day)?;
    let (hour, minute, second) = (part(time.hour())?, part(time.minute())?, part(time.second())?);
    Some(date.and_hms_opt(hour, minute, second)?.and_utc())
}

fn from_chrono(time: ChronoDateTime<Utc>) -> Option<DateTime> {
    let part = |n: u32| i8::try_from(n).ok();
    let year = i16::try_from(time.year()).ok()?;
    let (month, day) = (part(time.month())?, part(time.day())?);
    let (hour, minute, second) = (part(time.hour())?, part(time.minute())?, part(time.second())?);
    DateTime::new(year, month, day, hour, minute, second, 0).ok()
}

fn expand_name(text: &str) -> Result<&str, CrontabError> {
    if !text.starts_with('@') {
        return Ok(text);
    }
    match text.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        "@monthly" => Ok("0 0 1 * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@daily" | "@midnight" | "@nightly" => Ok("0 0 * * *"),
        "@hourly" => Ok("0 * * * *"),
        "@reboot" => Err(CrontabError::new("`@reboot` names no time").with_help(
            "what was missed while the daemon was down is run on start with `missed: run_once`",
        )),
        _ => {
            let shown: String = text.chars().take(40).collect();
            Err(CrontabError::new(format!("unknown name `{shown}`")).with_help(FORMS))
        }
    }
}

fn wrong_count(count: usize) -> CrontabError {
    let fault = CrontabError::new(format!("a schedule has five fields, this has {count}"));
    match count {
        6 | 7 => {
            fault.with_help("leave out the seconds (and the year): crontab begins with the minute")
        }
        _ => fault.with_help(FORMS),
    }
}

/// Whether one of the days comes in one of the months.
fn some_month_has(days: &Field, months: &Field) -> bool {
    let longest = |month: u32| match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    months.values.iter().any(|month| days.values.iter().any(|day| *day <= longest(*month)))
}

#[cfg(test)]
mod tests;
