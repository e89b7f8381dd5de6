//! Text from outside as Markdown that means nothing but itself.
//!
//! Every string that did not come from this module's callers as a literal passes through here: case
//! names, messages, branch names, what people wrote. Nothing of it may become a link, a mention, a
//! picture, HTML, a heading, a table cell or the end of a code fence, in any of the common hosts.
//! Words that hosts turn into links (`@name`, `#12`, URLs) are shown as code, because hosts resolve
//! backslash escapes before they look for those.

use std::borrow::Cow;

/// At most so many characters of a text that stands in a line of its own.
const MAX_TEXT: usize = 1_000;
/// At most so many characters of a text in a table cell or a code span.
const MAX_CELL: usize = 300;
/// At most so many characters of one line within a fenced block.
const MAX_FENCED_LINE: usize = 400;

/// Where a text stands: within a table, `|` needs another treatment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Line,
    Cell,
}

/// The text for a paragraph, a heading or a list item.
pub fn text(raw: &str) -> String {
    inline(&clip(raw, MAX_TEXT), Place::Line)
}

/// The text for a table cell.
pub fn cell(raw: &str) -> String {
    inline(&clip(raw, MAX_CELL), Place::Cell)
}

/// The text as a code span outside a table.
pub fn code(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() + 2);
    push_code(&mut out, &flatten(&clip(raw, MAX_CELL)), Place::Line);
    out
}

/// The text as a code span within a table cell.
pub fn cell_code(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() + 2);
    push_code(&mut out, &flatten(&clip(raw, MAX_CELL)), Place::Cell);
    out
}

/// The text within a line of HTML of our own, as `<summary>`: shown as code, so that no host looks
/// for names and addresses in it.
pub fn html_code(raw: &str) -> String {
    let mut out = String::from("<code>");
    for c in flatten(&clip(raw, MAX_CELL)).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out.push_str("</code>");
    out
}

/// A relative path as the destination of a link of our own.
pub fn destination(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Which end of a long text to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The beginning, as of a body.
    First,
    /// The end, as of a log.
    Last,
}

/// The text as a fenced block of at most `max_lines` lines, with a newline at its end.
pub fn fenced(raw: &str, info: &str, keep: Keep, max_lines: usize) -> String {
    let clean = strip_colours(raw).replace("\r\n", "\n");
    let lines: Vec<&str> = clean.trim_end_matches('\n').split('\n').collect();
    let left_out = lines.len().saturating_sub(max_lines);
    let shown = match keep {
        Keep::First => &lines[..lines.len() - left_out],
        Keep::Last => &lines[left_out..],
    };
    let mut body = String::new();
    if left_out > 0 && keep == Keep::Last {
        body.push_str(&format!("… {left_out} earlier lines left out\n"));
    }
    for line in shown {
        for c in clip(line, MAX_FENCED_LINE).chars() {
            if c == '\t' { body.push(c) } else { push_visible(&mut body, c) }
        }
        body.push('\n');
    }
    if left_out > 0 && keep == Keep::First {
        body.push_str(&format!("… {left_out} more lines left out\n"));
    }
    let fence = "`".repeat(longest_run(&body).max(2) + 1);
    format!("{fence}{info}\n{body}{fence}\n")
}

/// At most `max` characters of a text, saying how many were cut.
pub fn clip(raw: &str, max: usize) -> Cow<'_, str> {
    if raw.len() <= max {
        return Cow::Borrowed(raw);
    }
    match raw.char_indices().nth(max) {
        None => Cow::Borrowed(raw),
        Some((end, _)) => {
            let more = raw[end..].chars().count();
            Cow::Owned(format!("{}… ({more} more characters)", &raw[..end]))
        }
    }
}

/// One line of text in which every character can be seen: line breaks as `↵`, other white space as
/// a space, control and direction characters by their number.
pub fn flatten(raw: &str) -> Cow<'_, str> {
    let trimmed = raw.trim();
    if trimmed.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Cow::Borrowed(trimmed);
    }
    let mut out = String::with_capacity(trimmed.len());
    let mut chars = trimmed.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' => out.push_str(" ↵ "),
            c if is_hidden(c) && c != '\t' => push_visible(&mut out, c),
            c if c.is_whitespace() => out.push(' '),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Whether a character does something else than being seen: controls, direction marks, blanks that
/// are no space, tags.
pub fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{00}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn push_visible(out: &mut String, c: char) {
    match c {
        // U+2400 and on are pictures of the controls.
        '\u{00}'..='\u{1f}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('?')),
        '\u{7f}' => out.push('␡'),
        c if is_hidden(c) => out.push_str(&format!("⟨U+{:04X}⟩", c as u32)),
        c => out.push(c),
    }
}

/// Colours in the output of tools are no content; every other escape sequence stays, visibly.
fn strip_colours(raw: &str) -> Cow<'_, str> {
    if !raw.contains("\u{1b}[") {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find("\u{1b}[") {
        let (before, sequence) = rest.split_at(at);
        out.push_str(before);
        let end = sequence[2..].bytes().position(|b| !(b.is_ascii_digit() || b == b';'));
        match end.filter(|&end| sequence.as_bytes()[2 + end] == b'm') {
            Some(end) => rest = &sequence[2 + end + 1..],
            None => {
                out.push_str(&sequence[..2]);
                rest = &sequence[2..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for byte in text.bytes() {
        run = if byte == b'`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

fn inline(raw: &str, place: Place) -> String {
    let flat = flatten(raw);
    let mut out = String::with_capacity(flat.len() + 8);
    for word in flat.split(' ').filter(|word| !word.is_empty()) {
        let first = out.is_empty();
        if !first {
            out.push(' ');
        }
        // A mark that ends a part of a sentence is not the word's.
        let core = word.trim_end_matches([',', ';']);
        if is_linked_by_hosts(core) {
            push_code(&mut out, core, place);
            out.push_str(&word[core.len()..]);
        } else {
            push_word(&mut out, word, first);
        }
    }
    out
}

/// Whether some host would make a link, a mention or a picture of the word without any markup.
fn is_linked_by_hosts(word: &str) -> bool {
    let bytes = word.as_bytes();
    if !bytes
        .iter()
        .any(|b| matches!(b, b'@' | b'#' | b':' | b'!' | b'%' | b'&' | b'~' | b'.' | b'-'))
    {
        return false;
    }
    let lower = word.to_ascii_lowercase();
    word.contains('@')
        || word.contains("://")
        || ["www.", "javascript:", "mailto:", "xmpp:"].iter().any(|mark| lower.contains(mark))
        || is_followed_by(&lower, "gh-", |b| b.is_ascii_digit())
        || is_followed_by(&lower, "#", |b| b.is_ascii_alphanumeric())
        || ["!", "%", "&", "~"]
            .iter()
            .any(|mark| is_followed_by(&lower, mark, |b| b.is_ascii_digit()))
        || has_shortcode(bytes)
}

fn is_followed_by(word: &str, mark: &str, accept: fn(u8) -> bool) -> bool {
    let bytes = word.as_bytes();
    word.match_indices(mark).any(|(at, _)| bytes.get(at + mark.len()).copied().is_some_and(accept))
}

/// Whether a word holds something like `:octocat:`, which hosts show as a picture.
fn has_shortcode(bytes: &[u8]) -> bool {
    let mut since_colon: Option<usize> = None;
    for &byte in bytes {
        if byte == b':' {
            if since_colon.is_some_and(|length| length > 0) {
                return true;
            }
            since_colon = Some(0);
        } else if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-') {
            since_colon = since_colon.map(|length| length + 1);
        } else {
            since_colon = None;
        }
    }
    false
}

fn push_word(out: &mut String, word: &str, first: bool) {
    let bytes = word.as_bytes();
    let list_mark = first.then(|| list_mark_at(bytes)).flatten();
    for (at, c) in word.char_indices() {
        let next = bytes.get(at + 1).copied();
        match c {
            // A dollar would begin a formula, which even reaches into code spans.
            '\\' | '`' | '*' | '[' | ']' | '~' | '|' | '#' | '$' => escape(out, c),
            '_' if is_within_a_word(bytes, at) => out.push('_'),
            '_' => escape(out, c),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' if next.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'#') => {
                out.push_str("&amp;");
            }
            '-' | '+' | '=' | ':' if first && at == 0 => escape(out, c),
            '.' | ')' if list_mark == Some(at) => escape(out, c),
            c => out.push(c),
        }
    }
}

fn escape(out: &mut String, c: char) {
    out.push('\\');
    out.push(c);
}

/// The position of the character that makes `12.` or `12)` at the beginning of a line a list.
fn list_mark_at(bytes: &[u8]) -> Option<usize> {
    let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let ends_here = digits > 0 && bytes.len() == digits + 1;
    (ends_here && matches!(bytes[digits], b'.' | b')')).then_some(digits)
}

/// Whether the run of `_` around `at` stands between two ASCII letters or digits, where it means
/// nothing (CommonMark 0.31, rule 2 of emphasis).
fn is_within_a_word(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].iter().rev().find(|&&b| b != b'_');
    let after = bytes[at..].iter().find(|&&b| b != b'_');
    let is_plain = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    is_plain(before) && is_plain(after)
}

fn push_code(out: &mut String, flat: &str, place: Place) {
    if flat.is_empty() {
        out.push_str("(empty)");
        return;
    }
    let ticks = "`".repeat(longest_run(flat) + 1);
    let padded = flat.starts_with('`') || flat.ends_with('`');
    out.push_str(&ticks);
    if padded {
        out.push(' ');
    }
    match place {
        Place::Line => out.push_str(flat),
        Place::Cell => push_pipes_escaped(out, flat),
    }
    if padded {
        out.push(' ');
    }
    out.push_str(&ticks);
}

/// Within a table even a code span ends at `|`, unless an odd number of backslashes stands before
/// it. A text that has an odd number of its own is shown with one more.
fn push_pipes_escaped(out: &mut String, flat: &str) {
    let mut backslashes = 0;
    for c in flat.chars() {
        if c == '|' {
            if backslashes % 2 == 1 {
                out.push('\\');
            }
            out.push('\\');
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        out.push(c);
    }
}

#[cfg(test)]
mod tests;
