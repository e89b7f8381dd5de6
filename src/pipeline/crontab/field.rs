//! One field of a crontab line.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::CrontabError;

/// Which of the five.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

/// The values of a field.
#[derive(Debug, Clone)]
pub(super) struct Field {
    kind: Kind,
    pub(super) values: BTreeSet<u32>,
    /// It begins with `*`, which crontab takes as "not restricted", also in `*/2`.
    pub(super) starred: bool,
    /// Plain numbers only.
    pub(super) fixed: bool,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Kind {
    fn what(self) -> &'static str {
        match self {
            Self::Minute => "a minute",
            Self::Hour => "an hour",
            Self::Day => "a day of the month",
            Self::Month => "a month",
            Self::Weekday => "a day of the week",
        }
    }

    fn range(self) -> RangeInclusive<u32> {
        match self {
            Self::Minute => 0..=59,
            Self::Hour => 0..=23,
            Self::Day => 1..=31,
            Self::Month => 1..=12,
            Self::Weekday => 0..=7,
        }
    }

    /// The words for values, and the value of the first.
    fn words(self) -> (&'static [&'static str], u32) {
        match self {
            Self::Month => (&MONTHS, 1),
            Self::Weekday => (&WEEKDAYS, 0),
            Self::Minute | Self::Hour | Self::Day => (&[], 0),
        }
    }
}

impl Field {
    pub(super) fn parse(text: &str, kind: Kind) -> Result<Self, CrontabError> {
        let mut field =
            Self { kind, values: BTreeSet::new(), starred: text.starts_with('*'), fixed: true };
        for part in text.split(',') {
            field.add(part).map_err(|mut fault| {
                fault.field = Some(text.to_owned());
                fault
            })?;
        }
        Ok(field)
    }

    fn add(&mut self, part: &str) -> Result<(), CrontabError> {
        let (span, step) = match part.split_once('/') {
            Some((span, step)) => (span, Some(self.step(step, part)?)),
            None => (part, None),
        };
        let (from, to) = if span == "*" {
            let range = self.kind.range();
            (*range.start(), *range.end())
        } else if let Some((from, to)) = span.split_once('-') {
            (self.value(from)?, self.end(from, to)?)
        } else {
            let value = self.value(span)?;
            if step.is_some() {
                let last = self.kind.range().end().to_owned();
                return Err(CrontabError::new(format!("`{part}` has a step but no range"))
                    .with_help(format!("write `{span}-{last}/…` or `*/…`")));
            }
            (value, value)
        };
        if from > to {
            return Err(self.backwards(span, from, to));
        }
        self.fixed &= span != "*" && step.is_none() && from == to;
        let step = step.unwrap_or(1);
        let values = (from..=to).step_by(step as usize);
        // 7 is Sunday, as 0 is.
        let is_weekday = self.kind == Kind::Weekday;
        self.values.extend(values.map(|v| if is_weekday { v % 7 } else { v }));
        Ok(())
    }

    fn step(&self, text: &str, part: &str) -> Result<u32, CrontabError> {
        let step = text.parse::<u32>().ok().filter(|step| *step > 0);
        step.ok_or_else(|| {
            CrontabError::new(format!("`{part}` has no step that is a whole number above 0"))
        })
    }

    /// The end of a range. Sunday as an end is 7, so that `fri-sun` goes forward.
    fn end(&self, from: &str, to: &str) -> Result<u32, CrontabError> {
        let (start, end) = (self.value(from)?, self.value(to)?);
        let is_named_sunday = self.kind == Kind::Weekday && to.eq_ignore_ascii_case("sun");
        Ok(if is_named_sunday && start > 0 { 7 } else { end })
    }

    fn value(&self, text: &str) -> Result<u32, CrontabError> {
        let (words, first) = self.kind.words();
        if let Some(at) = words.iter().position(|word| word.eq_ignore_ascii_case(text)) {
            return Ok(first + u32::try_from(at).unwrap_or(0));
        }
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = is_number.then(|| text.parse::<u32>().ok()).flatten();
        let range = self.kind.range();
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return Ok(number);
        }
        let shown: String = text.chars().take(40).collect();
        let fault = CrontabError::new(format!("`{shown}` is not {}", self.kind.what()));
        let fault = fault.with_help(self.allowed());
        Err(if text.contains(['L', 'W', '#', '?']) {
            fault.with_help("`L`, `W`, `#` and `?` are not crontab's")
        } else {
            fault
        })
    }

    fn allowed(&self) -> String {
        let range = self.kind.range();
        let (words, _) = self.kind.words();
        let named = match (words.first(), words.last()) {
            (Some(first), Some(last)) => format!(", or {first} to {last}"),
            _ => String::new(),
        };
        format!("{} is {} to {}{named}", self.kind.what(), range.start(), range.end())
    }

    fn backwards(&self, span: &str, from: u32, to: u32) -> CrontabError {
        let range = self.kind.range();
        let around = format!("{from}-{},{}-{to}", range.end(), range.start());
        CrontabError::new(format!("the range `{span}` runs backwards"))
            .with_help(format!("write `{around}`"))
    }

    /// The values as the `cron` crate reads them.
    pub(super) fn to_list(&self) -> String {
        let all = self.kind.range().count() - usize::from(self.kind == Kind::Weekday);
        if self.values.len() == all {
            return "*".to_owned();
        }
        let word = |value: &u32| match self.kind {
            Kind::Weekday => WEEKDAYS[*value as usize].to_owned(),
            Kind::Minute | Kind::Hour | Kind::Day | Kind::Month => value.to_string(),
        };
        self.values.iter().map(word).collect::<Vec<_>>().join(",")
    }

    /// The months by their names, for a message.
    pub(super) fn named(&self) -> String {
        let names = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let listed: Vec<&str> =
            self.values.iter().filter_map(|v| names.get(*v as usize - 1).copied()).collect();
        listed.join(" or ")
    }
}
