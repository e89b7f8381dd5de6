//! Makes foreign text short and harmless enough for a message or a record.
//!
//! Commit messages, server errors and the output of `ssh` come from others. Nothing here decides
//! anything; escaping for a page or a report is the work of whoever writes that page.

/// The text's first `limit` characters on one line: control characters become spaces, runs of
/// space become one, and a cut is marked with an ellipsis.
pub(super) fn clip(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut room = limit;
    let words =
        text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        let space = if index == 0 { "" } else { " " };
        for c in space.chars().chain(word.chars()) {
            if room == 0 {
                out.push('…');
                return out;
            }
            out.push(c);
            room -= 1;
        }
    }
    out
}

/// [`clip`] for bytes that need not be UTF-8.
pub(super) fn clip_bytes(bytes: &[u8], limit: usize) -> String {
    // A character has at most four bytes, so this many are enough and a huge text stays cheap.
    let enough = &bytes[..bytes.len().min(limit.saturating_mul(4).saturating_add(4))];
    clip(&String::from_utf8_lossy(enough), limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_loses_its_control_characters() {
        assert_eq!(clip("  a\r\n\tb\u{1b}[31m c ", 80), "a b [31m c");
        assert_eq!(clip("abcdef", 3), "abc…");
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(clip("", 3), "");
        assert_eq!(clip_bytes(b"caf\xe9 \xc3\xa9", 10), "caf\u{fffd} \u{e9}");
        assert_eq!(clip_bytes(&[b'a'; 100_000], 5), "aaaaa…");
    }
}
