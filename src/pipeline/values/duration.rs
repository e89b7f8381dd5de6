//! Durations and bounds on them.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::domain::spec::{DurationBound, Ordering};
use crate::pipeline::diagnostic::quoted;
use crate::pipeline::reader::{Cx, Placeholder};
use crate::pipeline::suggest::nearest;
use crate::pipeline::yaml::{Node, Value};

/// One millisecond, the shortest wait that makes sense.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);
/// A year, longer than anything here should wait.
pub(crate) const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
const UNITS: &[(&str, i64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const DURATION_FORMS: &str = "durations are written as `500ms`, `30s`, `5m`, `2h`, `1d` or `1h30m`";

impl Placeholder for Duration {
    fn placeholder() -> Self {
        SHORTEST
    }
}

impl Placeholder for DurationBound {
    fn placeholder() -> Self {
        Self { ordering: Ordering::Less, limit: SHORTEST }
    }
}

/// A duration in milliseconds: `500ms`, `30s`, `1h30m`, `-1h`. `None` when it is not one or beyond a thousand years.
pub(crate) fn parse_duration_ms(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    let mut last_unit = i64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count: i64 = rest.get(..digits)?.parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = UNITS.iter().find(|(name, _)| *name == &rest[..letters])?.1;
        if unit >= last_unit {
            return None;
        }
        last_unit = unit;
        rest = &rest[letters..];
        total = total.checked_add(count.checked_mul(unit)?)?;
    }
    (total <= 366_000 * 86_400_000).then_some(sign * total)
}

/// A duration as it is written.
pub(crate) fn duration_text(duration: Duration) -> String {
    let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    if ms == 0 {
        return "0s".to_owned();
    }
    let fitting = UNITS.iter().rev().find(|(_, unit)| ms % unit == 0);
    fitting.map_or_else(|| format!("{ms}ms"), |(name, unit)| format!("{}{name}", ms / unit))
}

/// Reads `< 2s`.
pub(crate) fn parse_bound(text: &str) -> Option<DurationBound> {
    let text = text.trim();
    let signs = [Ordering::AtMost, Ordering::AtLeast, Ordering::Less, Ordering::Greater];
    let (ordering, rest) =
        signs.into_iter().find_map(|o| Some((o, text.strip_prefix(o.sign())?)))?;
    let ms = parse_duration_ms(rest.trim())?;
    Some(DurationBound { ordering, limit: Duration::from_millis(u64::try_from(ms).ok()?) })
}

impl Cx<'_> {
    /// Reads a duration in milliseconds that may be negative.
    pub(crate) fn signed_duration_ms(&mut self, node: &Node) -> i64 {
        if let Some(ms) = node.as_text().and_then(parse_duration_ms) {
            return ms;
        }
        let written = node.as_text().unwrap_or_default().to_owned();
        let hint = match &node.value {
            Value::Number(number) => Some(format!("give a unit: `{number}s`")),
            Value::Text(text) => near_duration(text),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => None,
        };
        let fault = self.wrong_type(node, "a duration");
        if let Some(hint) = hint.filter(|hint| *hint != format!("write {}", quoted(&written))) {
            fault.help(hint);
        }
        fault.help(DURATION_FORMS);
        1
    }

    /// Reads a duration within bounds.
    pub(crate) fn duration_in(&mut self, node: &Node, range: RangeInclusive<Duration>) -> Duration {
        let ms = self.signed_duration_ms(node);
        let duration = u64::try_from(ms).ok().map(Duration::from_millis);
        match duration.filter(|duration| range.contains(duration)) {
            Some(duration) => duration,
            None => {
                let (from, to) = (duration_text(*range.start()), duration_text(*range.end()));
                let written = quoted(node.as_text().unwrap_or_default());
                self.error(node.span, format!("{written} is not between {from} and {to}"));
                *range.start()
            }
        }
    }

    /// Reads a duration of at least a millisecond.
    pub(crate) fn duration(&mut self, node: &Node) -> Duration {
        self.duration_in(node, SHORTEST..=LONGEST)
    }

    /// Reads a duration that may be zero.
    pub(crate) fn pause(&mut self, node: &Node) -> Duration {
        self.duration_in(node, Duration::ZERO..=LONGEST)
    }

    /// Reads a bound on how long something takes.
    pub(crate) fn bound(&mut self, node: &Node) -> DurationBound {
        self.bound_like(node, Ordering::Less)
    }

    /// Reads a bound; `usual` is what was probably meant where only a duration is given.
    pub(crate) fn bound_like(&mut self, node: &Node, usual: Ordering) -> DurationBound {
        if let Some(bound) = node.as_text().and_then(parse_bound) {
            return bound;
        }
        let bare = node.as_text().filter(|text| parse_duration_ms(text).is_some_and(|ms| ms > 0));
        let fault = self.wrong_type(node, "a bound such as `\"< 2s\"`");
        if let Some(bare) = bare {
            fault.help(format!("write `\"{} {bare}\"`", usual.sign()));
        }
        fault.help("a bound is `<`, `<=`, `>` or `>=` and a duration, in quotes");
        DurationBound::placeholder()
    }
}

/// What was probably meant by a text that is not a duration.
fn near_duration(text: &str) -> Option<String> {
    let joined: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let digits = joined.bytes().take_while(|b| b.is_ascii_digit() || *b == b'-').count();
    let (count, unit) = joined.split_at(digits);
    let long = [
        ("milliseconds", "ms"),
        ("msec", "ms"),
        ("seconds", "s"),
        ("secs", "s"),
        ("minutes", "m"),
        ("mins", "m"),
        ("hours", "h"),
        ("hrs", "h"),
        ("days", "d"),
        ("weeks", "w"),
    ];
    if count.is_empty() || unit.is_empty() {
        return None;
    }
    if unit == "w" || nearest(unit, ["weeks"]).is_some() {
        let days: i64 = count.parse::<i64>().ok()?.checked_mul(7)?;
        return Some(format!("write `{days}d`"));
    }
    let short = UNITS.iter().map(|(name, _)| *name).find(|name| name.eq_ignore_ascii_case(unit));
    let meant = short.or_else(|| {
        let words = long.iter().map(|(word, _)| *word);
        let word = nearest(unit, words)?;
        long.iter().find(|(name, _)| *name == word).map(|(_, short)| *short)
    })?;
    Some(format!("write `{count}{meant}`"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        let good = [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("1h30m", 5_400_000),
            ("-1h", -3_600_000),
            ("0s", 0),
        ];
        for (text, ms) in good {
            assert_eq!(parse_duration_ms(text), Some(ms), "{text}");
        }
        for text in
            ["", "-", "30", "s", "1.5s", "30 s", "30S", "1m1h", "1s1s", "99999999999d", "٣s"]
        {
            assert_eq!(parse_duration_ms(text), None, "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["500ms", "30s", "5m", "2h", "1d", "90s", "0s"] {
            let ms = u64::try_from(parse_duration_ms(text).unwrap()).unwrap();
            let duration = Duration::from_millis(ms);
            assert_eq!(parse_duration_ms(&duration_text(duration)), parse_duration_ms(text));
        }
    }

    #[test]
    fn bounds_are_a_sign_and_a_duration() {
        let bound = parse_bound("<= 2s").unwrap();
        assert_eq!((bound.ordering, bound.limit), (Ordering::AtMost, Duration::from_secs(2)));
        assert_eq!(parse_bound(">14d").unwrap().ordering, Ordering::Greater);
        for text in ["2s", "= 2s", "< 2", "<", "< -2s", "<> 2s"] {
            assert_eq!(parse_bound(text), None, "{text}");
        }
    }

    #[test]
    fn slips_in_durations_are_recognised() {
        let pairs = [
            ("30 s", "write `30s`"),
            ("5 minutes", "write `5m`"),
            ("5min", "write `5m`"),
            ("30S", "write `30s`"),
            ("2w", "write `14d`"),
        ];
        for (text, hint) in pairs {
            assert_eq!(near_duration(text).as_deref(), Some(hint), "{text}");
        }
        assert_eq!(near_duration("soon"), None);
    }
}
