//! Texts as lines, and which lines of one are those of another. A line is what it says: how it ends is
//! kept beside it, so that an editor that ends lines in its own way changes none.

use std::collections::HashMap;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// A line: what it says, and as it stands in its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'t> {
    pub(super) says: &'t str,
    pub(super) raw: &'t str,
}

/// The lines of a text. CR LF, LF and CR end one, as in a field of a page.
pub(super) fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let ending = match rest.as_bytes().get(end..) {
            Some([b'\r', b'\n', ..]) => 2,
            Some([_, ..]) => 1,
            Some([]) | None => 0,
        };
        let (raw, after) = rest.split_at(end + ending);
        lines.push(Line { says: &raw[..end], raw });
        rest = after;
    }
    lines
}

/// The last heading among lines.
pub(super) fn heading_above<'t>(lines: &[Line<'t>]) -> Option<&'t str> {
    let heading = lines.iter().rev().find(|line| line.says.starts_with('#'))?;
    Some(heading.says.trim_start_matches('#').trim())
}

/// How most lines of a text end.
pub(super) fn ending_of(lines: &[Line<'_>]) -> &'static str {
    let crlf = lines.iter().filter(|line| line.raw.ends_with("\r\n")).count();
    if crlf * 2 > lines.len() { "\r\n" } else { "\n" }
}

/// The text of lines: each but the last has an end.
pub(super) fn joined<'t>(lines: impl IntoIterator<Item = Line<'t>>, ending: &str) -> String {
    let mut text = String::new();
    let mut open = false;
    for line in lines {
        if open {
            text.push_str(ending);
        }
        push(&mut text, line.raw);
        open = line.raw.len() == line.says.len();
    }
    text
}

/// Adds whole lines to others. A CR and the LF of an empty line after it would be one end together.
pub(super) fn push(text: &mut String, more: &str) {
    if text.ends_with('\r') && more.starts_with('\n') {
        text.push('\n');
    }
    text.push_str(more);
}

/// Numbers in the place of lines: equal numbers for lines that say the same.
#[derive(Default)]
pub(super) struct Numbers<'t> {
    known: HashMap<&'t str, u32>,
}

impl<'t> Numbers<'t> {
    pub(super) fn of(&mut self, lines: &[Line<'t>]) -> Vec<u32> {
        let mut number = |line: &Line<'t>| {
            let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
            *self.known.entry(line.says).or_insert(next)
        };
        lines.iter().map(&mut number).collect()
    }
}

/// The steps from one text to another. Lines that stand once in each, as the anchors do, hold the rest in
/// its place.
pub(super) fn steps(before: &[u32], after: &[u32]) -> Vec<DiffOp> {
    capture_diff_slices(Algorithm::Patience, before, after)
}

/// For each line of `before` its place in `after`, where it is there still.
pub(super) fn places(before: &[u32], after: &[u32]) -> Vec<Option<usize>> {
    let mut places = vec![None; before.len()];
    for step in steps(before, after) {
        if let DiffOp::Equal { old_index, new_index, len } = step {
            for at in 0..len {
                places[old_index + at] = Some(new_index + at);
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_three_ways_and_come_together_again() {
        for text in ["", "a", "a\n", "a\r\nb\rc\n\n", "\r\n", "\n\r\n\r", "ä\u{2028}b"] {
            assert_eq!(joined(lines(text), "\n"), text, "{text:?}");
        }
        let says: Vec<&str> = lines("a\r\nb\rc\n\nd").iter().map(|line| line.says).collect();
        assert_eq!(says, ["a", "b", "c", "", "d"]);
    }
}
