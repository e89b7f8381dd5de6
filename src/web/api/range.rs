//! `Range: bytes=…` (RFC 9110, section 14): one range of a body whose length is known. Pure.

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// From the first byte up to, and not with, the second.
    Part(u64, u64),
    /// Nothing: the range begins behind the end.
    Nothing,
}

/// What a header asks for. One that is not understood, or asks for several ranges, is passed over,
/// as the RFC allows.
pub(super) fn wanted(header: Option<&str>, length: u64) -> Wanted {
    let spec = header.and_then(|header| header.trim().strip_prefix("bytes="));
    let Some((first, last)) = spec.and_then(|spec| spec.split_once('-')) else {
        return Wanted::Whole;
    };
    let (first, last) = (first.trim(), last.trim());
    match (number(first), number(last)) {
        (Some(first), _) if last.is_empty() => part(first, length, length),
        (Some(first), Some(last)) if last >= first => {
            part(first, last.saturating_add(1).min(length), length)
        }
        (None, Some(0)) if first.is_empty() => Wanted::Nothing,
        (None, Some(count)) if first.is_empty() => {
            part(length.saturating_sub(count), length, length)
        }
        _ => Wanted::Whole,
    }
}

fn part(from: u64, to: u64, length: u64) -> Wanted {
    if from >= length { Wanted::Nothing } else { Wanted::Part(from, to) }
}

/// Digits alone: no sign, no blank.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_has_them() {
        for (header, is) in [
            ("bytes=0-", Wanted::Part(0, 100)),
            ("bytes=0-0", Wanted::Part(0, 1)),
            ("bytes=10-19", Wanted::Part(10, 20)),
            ("bytes=90-1000", Wanted::Part(90, 100)),
            ("bytes=90-18446744073709551615", Wanted::Part(90, 100)),
            ("bytes=-30", Wanted::Part(70, 100)),
            ("bytes=-300", Wanted::Part(0, 100)),
            ("bytes=99-", Wanted::Part(99, 100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=20-10", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=99999999999999999999-", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(header), 100), is, "{header}");
        }
        assert_eq!(wanted(None, 100), Wanted::Whole);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Nothing);
    }
}
