//! Undoes what formatters of Markdown do to the tool's lines: they fill them anew, pad tables and take other
//! marks. A line is known by its digest, so what comes of it is the tool's for certain, or is left as it is.
//!
//! Without it every save of an editor that formats would make all of the tool's parts a person's text.

use std::borrow::Cow;
use std::collections::HashSet;

use super::anchor::{LineDigest, Piece, digest, pieces};
use super::document::Slot;

/// So many lines a formatter makes of one at most.
const MAX_JOINED: usize = 60;
/// More lines of a part that come of nothing known are no work of a formatter.
const MAX_UNKNOWN: usize = 500;

/// The text with the lines of the tool, between its anchors, as the tool wrote them.
pub(super) fn unfilled(text: &str) -> Cow<'_, str> {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut out: Vec<Cow<'_, str>> = Vec::with_capacity(lines.len());
    let mut rest = lines.as_slice();
    while let Some((line, after)) = rest.split_first() {
        out.push(Cow::Borrowed(line));
        rest = after;
        let Some((slot, known)) = begins(line) else { continue };
        // As for the reader: a part whose end is gone, so that another begins within, is no whole one.
        let Some(end) = after.iter().position(|line| is_anchor(line)) else { break };
        if !ends(after[end], slot) {
            continue;
        }
        restore(&after[..end], &known, &mut out);
        rest = &after[end..];
    }
    out.extend(rest.iter().map(|line| Cow::Borrowed(*line)));
    if out.iter().all(|line| matches!(line, Cow::Borrowed(_))) && out.len() == lines.len() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(out.join("\n"))
}

fn begins(line: &str) -> Option<(Slot, HashSet<LineDigest>)> {
    match &*pieces(line.trim()) {
        [Piece::Begin(slot, digests)] => Some((*slot, digests.iter().copied().collect())),
        _ => None,
    }
}

fn is_anchor(line: &str) -> bool {
    pieces(line).iter().any(|piece| matches!(piece, Piece::Begin(..) | Piece::End(_)))
}

fn ends(line: &str, slot: Slot) -> bool {
    matches!(&*pieces(line.trim()), [Piece::End(ended)] if *ended == slot)
}

/// Lines of one part: those that come of a known one become it.
fn restore<'a>(lines: &[&'a str], known: &HashSet<LineDigest>, out: &mut Vec<Cow<'a, str>>) {
    let (mut rest, mut unknown) = (lines, 0);
    while let Some((line, after)) = rest.split_first() {
        if line.trim().is_empty() || known.contains(&digest(line)) {
            out.push(Cow::Borrowed(line));
            rest = after;
            continue;
        }
        let found = if unknown < MAX_UNKNOWN { original(rest, known) } else { None };
        match found {
            Some((original, count)) => {
                out.push(Cow::Owned(original));
                rest = &rest[count..];
            }
            None => {
                out.push(Cow::Borrowed(line));
                (rest, unknown) = (after, unknown + 1);
            }
        }
    }
}

/// The known line that a formatter made the first of these lines of, and how many they are.
fn original(lines: &[&str], known: &HashSet<LineDigest>) -> Option<(String, usize)> {
    let mut joined = String::new();
    for (at, line) in lines.iter().take(MAX_JOINED).enumerate() {
        if line.trim().is_empty() {
            return None;
        }
        if at > 0 {
            joined.push(' ');
        }
        joined.push_str(line.trim());
        if let Some(found) = spellings(&joined).into_iter().find(|it| known.contains(&digest(it))) {
            return Some((found, at + 1));
        }
    }
    None
}

/// How the tool would have written what a formatter wrote so.
fn spellings(line: &str) -> Vec<String> {
    let mut all = vec![line.to_owned()];
    if let Some(inner) = line.strip_prefix('_').and_then(|rest| rest.strip_suffix('_')) {
        all.push(format!("*{inner}*"));
    }
    if let Some(item) = line.strip_prefix("* ").or_else(|| line.strip_prefix("+ ")) {
        all.push(format!("- {item}"));
    }
    if line.starts_with('|') {
        all.push(row(line));
    }
    all
}

/// A row of a table without padding.
fn row(line: &str) -> String {
    let inner = line.strip_prefix('|').unwrap_or(line);
    let inner = inner.trim_end().strip_suffix('|').unwrap_or(inner);
    let mut cells: Vec<String> = vec![String::new()];
    let mut is_escaped = false;
    for c in inner.chars() {
        match (c, cells.last_mut()) {
            ('|', _) if !is_escaped => cells.push(String::new()),
            (c, Some(cell)) => cell.push(c),
            (_, None) => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    let is_rule = |cell: &String| {
        let cell = cell.trim();
        !cell.is_empty() && cell.chars().all(|c| c == '-')
    };
    if cells.iter().all(is_rule) {
        return format!("|{}", "---|".repeat(cells.len()));
    }
    let cells = cells.iter().map(|cell| match cell.trim() {
        "" => " ".to_owned(),
        text => format!(" {text} "),
    });
    format!("|{}|", cells.collect::<Vec<_>>().join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::investigation::anchor;

    fn part(lines: &[&str], as_formatted: &str) -> String {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let (begin, end) = (anchor::begin(Slot::Seen, &lines), anchor::end(Slot::Seen));
        format!("before\n{begin}\n{as_formatted}\n{end}\nafter _this_\n")
    }

    #[test]
    fn what_a_formatter_made_of_the_tools_lines_is_undone() {
        let lines = [
            "## What was seen",
            "| | |",
            "|---|---|",
            "| Symptom | expected 200, got 404 |",
            "| Cases | `a \\| b` |",
            "- `22bf704` auth: build the user context in a factory (Lin Okafor)",
            "*Look at: the commits and files above.*",
        ];
        let formatted = "\n## What was seen\n\n|         |                       |\n| ------- | --------------------- |\n\
             | Symptom | expected 200, got 404 |\n| Cases   | `a \\| b`              |\n\n\
             * `22bf704` auth: build the user context in a\n  factory (Lin Okafor)\n\n_Look at: the commits and files\nabove._";
        let text = part(&lines, formatted);
        let undone = unfilled(&text);
        let found: Vec<&str> = undone.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(found[2..found.len() - 2], lines);
        assert!(undone.starts_with("before\n") && undone.ends_with("\nafter _this_\n"), "{undone}");
    }

    #[test]
    fn what_a_person_wrote_there_stays_as_it_is() {
        let text = part(
            &["## What was seen", "*Look here.*"],
            "## What was seen\n\nI saw it,\n_too_.\n\n_Look here._",
        );
        let undone = unfilled(&text);
        assert!(undone.contains("\nI saw it,\n_too_.\n\n*Look here.*\n"), "{undone}");
        let untouched = part(&["## What was seen"], "## What was seen");
        assert!(matches!(unfilled(&untouched), Cow::Borrowed(_)));
        // Anchors without an end, of which there are many, are looked at once.
        let begin = anchor::begin(Slot::Head, &[]);
        let many = format!("{begin}\n").repeat(20_000);
        assert_eq!(unfilled(&many), many);
        let without_end = untouched.replace("<!-- andon:end seen -->", "");
        assert_eq!(unfilled(&without_end), without_end);
    }
}
