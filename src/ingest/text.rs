//! Texts and figures as they stand in result files: the first line of a message, a text with a cap,
//! seconds and counts.
//!
//! What it must not do: know any one format.

use std::time::Duration;

/// The longest first line of a message, in characters.
const FIRST_LINE: usize = 300;

/// How many bytes of one text are kept.
const TEXT: usize = 64 * 1024;

/// The first line that is not blank, trimmed, at most 300 characters; empty where there is none.
pub(super) fn first_line(text: &str) -> &str {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let cut = line.char_indices().nth(FIRST_LINE).map_or(line.len(), |(at, _)| at);
    line[..cut].trim_end()
}

/// A text that grows piece by piece up to a cap, and says at its end how much was left out.
#[derive(Debug, Default)]
pub(super) struct Text {
    kept: String,
    more: u64,
}

impl Text {
    /// Adds a piece.
    pub(super) fn push(&mut self, piece: &str) {
        let room = TEXT.saturating_sub(self.kept.len());
        if piece.len() <= room && self.more == 0 {
            self.kept.push_str(piece);
            return;
        }
        let cut = if self.more == 0 { piece.floor_char_boundary(room) } else { 0 };
        self.kept.push_str(&piece[..cut]);
        self.more += (piece.len() - cut) as u64;
    }

    /// What was kept so far.
    pub(super) fn as_str(&self) -> &str {
        &self.kept
    }

    /// Forgets it all, and keeps the space.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.more = 0;
    }

    /// The text, with a note where it was cut.
    pub(super) fn finish(&self) -> String {
        let mut text = self.kept.clone();
        if self.more > 0 {
            text.push_str(&format!("… ({} bytes more)", self.more));
        }
        text
    }
}

/// Seconds, where the text is a plain number of them: `0.012`, `1,234.5`, `1.234,5`, `0,05`, `5.2e-05`,
/// `-0.000000`. Anything else (empty, `NaN`, negative, a unit, underscores) is `None`.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    if let Some(duration) = plain_seconds(text.as_bytes()) {
        return Some(duration);
    }
    let number = number(text)?;
    if number < 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(number.abs()).ok()
}

/// Digits, and perhaps a point and more digits: nearly all that there is, and read quickly.
fn plain_seconds(text: &[u8]) -> Option<Duration> {
    let point = text.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = text.split_at(point.unwrap_or(text.len()));
    let fraction = fraction.get(1..).unwrap_or_default();
    if whole.is_empty() || whole.len() > 9 || fraction.len() > 9 {
        return None;
    }
    let mut nanoseconds = digits(fraction)?;
    for _ in fraction.len()..9 {
        nanoseconds *= 10;
    }
    Some(Duration::new(u64::from(digits(whole)?), nanoseconds))
}

/// At most nine digits.
fn digits(text: &[u8]) -> Option<u32> {
    text.iter().try_fold(0, |number: u32, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u32::from(digit))
    })
}

/// A count, as `42`, `1,210` or `2.0`.
pub(super) fn count(text: &str) -> Option<u64> {
    let number = number(text)?;
    // Beyond 2^53 a number is no count of anything.
    (number >= 0.0 && number.fract() == 0.0 && number < 9e15).then_some(number as u64)
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b',' | b'+' | b'-' | b'e' | b'E');
    if text.is_empty() || !text.bytes().all(plain) {
        return None;
    }
    let number: f64 = match text.contains(',') {
        false => text.parse().ok()?,
        true => without_commas(text)?.parse().ok()?,
    };
    number.is_finite().then_some(number)
}

/// Which of `,` and `.` groups the thousands, and which begins the fraction.
fn without_commas(text: &str) -> Option<String> {
    let (comma, point) = (text.rfind(',')?, text.rfind('.'));
    if point.is_some_and(|point| point > comma) {
        let (whole, fraction) = text.split_at(point?);
        return Some(grouped(whole, ',')? + fraction);
    }
    if point.is_none()
        && let Some(whole) = grouped(text, ',')
    {
        return Some(whole);
    }
    let (whole, fraction) = (&text[..comma], &text[comma + 1..]);
    let whole = if point.is_some() { grouped(whole, '.')? } else { whole.to_owned() };
    (!whole.contains(',')).then(|| format!("{whole}.{fraction}"))
}

/// A whole number without its separators, where they stand before each three digits.
fn grouped(text: &str, separator: char) -> Option<String> {
    let mut groups = text.split(separator);
    let first = groups.next()?;
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let leading = !first.is_empty() && first.len() <= 3 && digits(first) && first != "0";
    let fits = leading && groups.all(|group| group.len() == 3 && digits(group));
    fits.then(|| text.replace(separator, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_tells_something_and_is_short() {
        for (text, line) in [
            ("", ""),
            (" \r\n\t\n", ""),
            ("one\ntwo", "one"),
            ("\n  one  \r\ntwo", "one"),
            ("one", "one"),
        ] {
            assert_eq!(first_line(text), line, "{text:?}");
        }
        assert_eq!(first_line(&"ü".repeat(400)), "ü".repeat(300));
    }

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        let mut text = Text::default();
        text.push(&"x".repeat(TEXT - 1));
        text.push("é and more");
        text.push("and more");
        assert_eq!(text.as_str().len(), TEXT - 1);
        assert!(text.finish().ends_with("x… (19 bytes more)"), "{}", &text.finish()[TEXT - 5..]);
        text.clear();
        text.push("short");
        assert_eq!(text.finish(), "short");
    }

    #[test]
    fn seconds_are_read_in_the_ways_in_which_tools_write_them() {
        for (text, expected) in [
            ("0.012", Some(0.012)),
            (" 3 ", Some(3.0)),
            ("1,234.5", Some(1234.5)),
            ("1.234,5", Some(1234.5)),
            ("1,234,567.25", Some(1_234_567.25)),
            ("0,05", Some(0.05)),
            ("0,123", Some(0.123)),
            ("1,234", Some(1234.0)),
            ("5.2e-05", Some(0.000_052)),
            ("-0.000000", Some(0.0)),
            ("", None),
            ("NaN", None),
            ("Infinity", None),
            ("inf", None),
            ("-1", None),
            ("12ms", None),
            ("00:00:01.5", None),
            ("1 234.5", None),
            ("1_000", None),
            ("<<computed>>", None),
            ("١٢", None),
            ("1,2,3", None),
            ("1e400", None),
            (",", None),
            ("1e300", None),
        ] {
            assert_eq!(seconds(text), expected.map(Duration::from_secs_f64), "{text:?}");
        }
    }

    #[test]
    fn counts_are_whole_numbers() {
        for (text, expected) in [
            ("42", Some(42)),
            ("1,210", Some(1210)),
            ("2.0", Some(2)),
            ("2.5", None),
            ("-1", None),
            ("", None),
            ("many", None),
            ("1e30", None),
        ] {
            assert_eq!(count(text), expected, "{text:?}");
        }
    }
}
