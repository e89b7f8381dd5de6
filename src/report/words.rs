//! Figures as people read them: times with their zone, durations, sizes, counts.
//!
//! Nothing here rounds in a way that hides something: a share is never 100 % unless all are.

use jiff::Timestamp;

/// `2026-11-23 14:07:31 UTC`.
pub fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `41 ms`, `1.4 s`, `58 s`, `1 min 02 s`, `2 h 05 min`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1_000;
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", seconds, ms % 1_000 / 100),
        10_000..60_000 => format!("{seconds} s"),
        60_000..3_600_000 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3_600_000.. => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// Microseconds as `0.4 ms` or as a [`duration`].
pub fn micros(us: u64) -> String {
    if us < 10_000 {
        return format!("{}.{} ms", us / 1_000, us % 1_000 / 100);
    }
    duration(us / 1_000)
}

/// `91 B`, `1.9 kB`, `12 MB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut tenths = u128::from(count) * 10 / 1_000;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    if tenths < 100 {
        return format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]);
    }
    format!("{} {}", tenths / 10, UNITS[unit])
}

/// `1,234,567`.
pub fn number(count: impl TryInto<u64>) -> String {
    let digits = count.try_into().unwrap_or(u64::MAX).to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 case`, `5 cases`.
pub fn count(how_many: impl TryInto<u64>, one: &str, many: &str) -> String {
    let how_many = how_many.try_into().unwrap_or(u64::MAX);
    format!("{} {}", number(how_many), if how_many == 1 { one } else { many })
}

/// `+4`, `−4`; empty when nothing changed.
pub fn delta(before: u32, after: u32) -> String {
    match after.cmp(&before) {
        std::cmp::Ordering::Equal => String::new(),
        std::cmp::Ordering::Greater => format!("+{}", number(after - before)),
        std::cmp::Ordering::Less => format!("−{}", number(before - after)),
    }
}

/// A share in percent, cut to one place: 100 % only when all, 0 % only when none.
pub fn percent(part: u32, whole: u32) -> String {
    if whole == 0 {
        return "no rate".to_owned();
    }
    let per_mille = u64::from(part) * 1_000 / u64::from(whole);
    match (per_mille / 10, per_mille % 10) {
        (0, 0) if part > 0 => "under 0.1 %".to_owned(),
        (whole, 0) => format!("{whole} %"),
        (whole, tenth) => format!("{whole}.{tenth} %"),
    }
}

/// A small probability: `0.004`, `0.00005`; two figures, rounded up.
pub fn chance(p: f64) -> String {
    let places = (-p.log10()).max(0.0) as usize + 2;
    let scale = 10_f64.powi(i32::try_from(places).unwrap_or(9));
    // What is whole already is not made more by how it is stored.
    let rounded = ((p * scale - 1e-9).ceil() / scale).min(1.0);
    let text = format!("{rounded:.places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The same text with its first letter in upper case.
pub fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(duration(41), "41 ms");
        assert_eq!(duration(1_449), "1.4 s");
        assert_eq!(duration(62_000), "1 min 02 s");
        assert_eq!(duration(7_500_000), "2 h 05 min");
        assert_eq!(micros(400), "0.4 ms");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_900_000), "1.9 MB");
        assert_eq!(bytes(u64::MAX), "18446 PB");
        assert_eq!(number(1_234_567_u64), "1,234,567");
        assert_eq!(count(1_u32, "case", "cases"), "1 case");
        assert_eq!(
            (delta(5, 1), delta(1, 5), delta(1, 1)),
            ("−4".into(), "+4".into(), String::new())
        );
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }

    #[test]
    fn a_chance_keeps_two_figures() {
        assert_eq!(chance(0.004), "0.004");
        assert_eq!(chance(0.019_608), "0.02");
        assert_eq!(chance(0.004_546), "0.0046");
        assert_eq!(chance(0.000_043), "0.000043");
        assert_eq!(chance(1.0), "1");
    }

    #[test]
    fn a_share_never_says_all_when_one_is_missing() {
        assert_eq!(percent(99_999, 100_000), "99.9 %");
        assert_eq!(percent(100_000, 100_000), "100 %");
        assert_eq!(percent(1, 100_000), "under 0.1 %");
        assert_eq!(percent(0, 0), "no rate");
    }
}
