//! A report for a terminal: the same words, wrapped to its width, tables fitted.
//!
//! It understands the Markdown that this module writes, no more. What it prints has no control
//! characters but its own colours, whatever the file holds.

use crate::domain::escape;

/// What the terminal can show.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Columns.
    pub width: usize,
    /// Whether it shows colours.
    pub color: bool,
}

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";
/// Narrower than this nothing can be laid out.
const MIN_WIDTH: usize = 30;

/// The report as lines for a terminal.
pub fn render(markdown: &str, look: Look) -> String {
    let look = Look { width: look.width.max(MIN_WIDTH), ..look };
    let mut out = String::new();
    let mut table: Vec<Vec<String>> = Vec::new();
    let mut fence: Option<String> = None;
    for line in markdown.lines() {
        if let Some(end) = &fence {
            if line == end {
                fence = None;
            } else {
                push(&mut out, look, DIM, &format!("  {}", visible(line)));
            }
            continue;
        }
        if let Some(cells) = cells(line) {
            table.push(cells);
            continue;
        }
        flush(&mut out, look, &mut table);
        if line.starts_with("```") {
            let ticks = line.bytes().take_while(|b| *b == b'`').count();
            fence = Some("`".repeat(ticks));
        } else {
            block(&mut out, look, line);
        }
    }
    flush(&mut out, look, &mut table);
    out
}

fn push(out: &mut String, look: Look, style: &str, line: &str) {
    if look.color && !style.is_empty() && !line.trim().is_empty() {
        out.push_str(style);
        out.push_str(line);
        out.push_str(PLAIN);
    } else {
        out.push_str(line);
    }
    out.push('\n');
}

fn block(out: &mut String, look: Look, line: &str) {
    let (style, text) = match line {
        "<details>" | "</details>" => return,
        line if line.starts_with('#') => (BOLD, plain(line.trim_start_matches(['#', ' ']))),
        line if line.starts_with("<summary>") => {
            let inner = line.trim_start_matches("<summary>").trim_end_matches("</summary>");
            (BOLD, plain(inner))
        }
        line => ("", plain(line)),
    };
    let indent = if line.starts_with("- ") { 2 } else { 0 };
    for (at, wrapped) in wrap(&text, look.width - indent).iter().enumerate() {
        let indent = if at == 0 { 0 } else { indent };
        push(out, look, style, &format!("{}{wrapped}", " ".repeat(indent)));
    }
    if text.is_empty() {
        out.push('\n');
    }
}

/// Lines of at most `width` characters; a longer word is cut.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let mut rest: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + rest.len() > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        while rest.len() > width {
            lines.push(rest.drain(..width).collect());
        }
        used += rest.len();
        line.extend(rest);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The cells of a row of a table; `None` for any other line.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    let mut cells = vec![String::new()];
    let mut is_escaped = false;
    for c in inner.chars() {
        match c {
            '|' if !is_escaped => cells.push(String::new()),
            c => cells.last_mut()?.push(c),
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    Some(cells.iter().map(|cell| cell.trim().replace("\\|", "|")).collect())
}

fn is_rule(row: &[String]) -> bool {
    row.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':')))
}

/// Writes the rows that were collected, each column as wide as it can be.
fn flush(out: &mut String, look: Look, table: &mut Vec<Vec<String>>) {
    let rows: Vec<Vec<Vec<String>>> = std::mem::take(table)
        .iter()
        .filter(|row| !is_rule(row))
        .map(|row| row.iter().map(|cell| cell.split("<br>").map(plain).collect()).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    if columns == 0 {
        return;
    }
    let widths = fit(&natural(&rows, columns), look.width);
    for (at, row) in rows.iter().enumerate() {
        let style = if at == 0 { BOLD } else { "" };
        for line in lay_out(row, &widths) {
            push(out, look, style, line.trim_end());
        }
    }
}

/// The width that each column would like. A row with one filled cell is a heading: it may run over.
fn natural(rows: &[Vec<Vec<String>>], columns: usize) -> Vec<usize> {
    let mut widths = vec![1; columns];
    for row in rows.iter().filter(|row| !is_heading(row)) {
        for (at, cell) in row.iter().enumerate() {
            let longest = cell.iter().map(|line| line.chars().count()).max().unwrap_or(0);
            widths[at] = widths[at].max(longest);
        }
    }
    widths
}

fn is_heading(row: &[Vec<String>]) -> bool {
    row.len() > 1 && row[1..].iter().all(|cell| cell.iter().all(String::is_empty))
}

/// Takes from the widest column until all fit beside each other.
fn fit(natural: &[usize], width: usize) -> Vec<usize> {
    let mut widths = natural.to_vec();
    let room = width.saturating_sub(2 * (widths.len() - 1)).max(widths.len());
    while widths.iter().sum::<usize>() > room {
        let excess = widths.iter().sum::<usize>() - room;
        let widest = widths.iter().copied().max().unwrap_or(1);
        let next = widths.iter().copied().filter(|w| *w < widest).max().unwrap_or(1);
        let Some(column) = widths.iter_mut().find(|w| **w == widest) else { break };
        *column -= excess.min((widest - next).max(1));
    }
    widths
}

fn lay_out(row: &[Vec<String>], widths: &[usize]) -> Vec<String> {
    if is_heading(row) {
        let total = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
        return row[0].iter().flat_map(|line| wrap(line, total)).collect();
    }
    let wrapped: Vec<Vec<String>> = row
        .iter()
        .zip(widths)
        .map(|(cell, width)| cell.iter().flat_map(|line| wrap(line, *width)).collect())
        .collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0).max(1);
    (0..height)
        .map(|at| {
            let mut line = String::new();
            for (cell, width) in wrapped.iter().zip(widths) {
                let text = cell.get(at).map_or("", String::as_str);
                line.push_str(text);
                line.push_str(&" ".repeat(width.saturating_sub(text.chars().count()) + 2));
            }
            line
        })
        .collect()
}

/// The words of a line of Markdown.
fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line.trim_start_matches("> ");
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\\' => escaped(&mut out, rest),
            '`' => code(&mut out, rest),
            '*' => 1,
            '!' if rest.starts_with("![") => link(&mut out, rest, 2),
            '[' => link(&mut out, rest, 1),
            '&' => entity(&mut out, rest),
            '<' => tag(&mut out, rest),
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    visible(&out)
}

fn visible(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars() {
        if escape::is_hidden(c) { out.push('\u{fffd}') } else { out.push(c) }
    }
    out
}

fn escaped(out: &mut String, rest: &str) -> usize {
    match rest[1..].chars().next() {
        Some(next) if next.is_ascii_punctuation() => {
            out.push(next);
            2
        }
        _ => 1,
    }
}

fn code(out: &mut String, rest: &str) -> usize {
    let ticks = rest.bytes().take_while(|b| *b == b'`').count();
    let fence = &rest[..ticks];
    match rest[ticks..].find(fence) {
        Some(end) => {
            out.push_str(rest[ticks..ticks + end].trim());
            ticks + end + ticks
        }
        None => {
            out.push_str(fence);
            ticks
        }
    }
}

/// A link or a picture: its words; the address of a file beside the report says nothing here.
fn link(out: &mut String, rest: &str, opening: usize) -> usize {
    let parts =
        rest[opening..].split_once("](").and_then(|(text, after)| Some((text, after.find(')')?)));
    match parts {
        Some((text, end)) => {
            out.push_str(&plain(text));
            opening + text.len() + 2 + end + 1
        }
        None => {
            out.push_str(&rest[..opening]);
            opening
        }
    }
}

fn entity(out: &mut String, rest: &str) -> usize {
    for (name, c) in [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&'), ("&quot;", '"')] {
        if rest.starts_with(name) {
            out.push(c);
            return name.len();
        }
    }
    out.push('&');
    1
}

fn tag(out: &mut String, rest: &str) -> usize {
    for name in ["<code>", "</code>", "<br>"] {
        if rest.starts_with(name) {
            return name.len();
        }
    }
    out.push('<');
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# CYCLE 7: x P1: RED\n\n**Nobody &amp; nothing** ran \\*2\\* of `25`.\n\n\
        | case | was → is |\n|---|---|\n| `a\\|b` | a long text that has to be wrapped somewhere |\n\n\
        <details>\n<summary>more</summary>\n\n- [INV-0003](investigations/x.md)\n\n</details>\n\n\
        ```text\n*raw*\u{1b}[31m\n```\n";

    #[test]
    fn a_page_fits_its_terminal() {
        let shown = render(PAGE, Look { width: 40, color: false });
        assert!(shown.lines().all(|line| line.chars().count() <= 40), "{shown}");
        assert!(shown.contains("Nobody & nothing ran *2* of 25."));
        assert!(shown.contains("a|b"));
        assert!(shown.contains("- INV-0003"));
        assert!(shown.contains("  *raw*\u{fffd}[31m"));
        assert!(!shown.contains('\u{1b}'));
        assert!(render(PAGE, Look { width: 40, color: true }).contains(BOLD));
    }

    #[test]
    fn nothing_makes_it_panic() {
        for page in ["|", "||", "`", "![", "[x](", "\\", "&", "<", "```", "| a |\n| b | c |"] {
            for width in [0, 1, 80] {
                let _ = render(page, Look { width, color: true });
            }
        }
    }
}
