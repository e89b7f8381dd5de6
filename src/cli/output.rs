//! What commands print: data on standard output, all else on standard error.
//!
//! Text that came from outside is stripped of control characters before it reaches a terminal.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::{AnsiColor, Color, Style};

use super::args::ColorWhen;
use crate::domain::escape::is_hidden;
use crate::domain::outcome::{Outcome, Verdict};

/// Standard output, with colours only where they belong.
pub struct Out {
    stream: anstream::AutoStream<io::Stdout>,
    columns: Option<usize>,
    reader_is_gone: bool,
}

impl Out {
    /// Standard output, and how wide it is where it is a terminal.
    pub fn new(color: ColorWhen, columns: Option<usize>) -> Self {
        let stream = anstream::AutoStream::new(io::stdout(), choice(color));
        Self { stream, columns, reader_is_gone: false }
    }

    /// Whether nobody reads any more, as after `andon logs … | head`.
    pub fn reader_is_gone(&self) -> bool {
        self.reader_is_gone
    }

    /// Prints a line.
    pub fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        self.raw(text.as_ref().as_bytes())?;
        self.raw(b"\n")
    }

    /// Prints bytes as they are. A reader that went away is no error, and ends nothing: the command
    /// goes on to its own end and exit code.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.reader_is_gone {
            return Ok(());
        }
        let written = self.stream.write_all(bytes);
        self.forgive(written)
    }

    /// Prints bytes from outside as they are, whatever is in them: for files and pipes.
    pub fn verbatim(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.reader_is_gone {
            return Ok(());
        }
        let written = self.stream.as_inner().write_all(bytes);
        self.forgive(written)
    }

    /// Prints a value as pretty JSON.
    pub fn json(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        self.line(seen_json(serde_json::to_string_pretty(value)?))
    }

    /// Prints a value as one line of JSON.
    pub fn json_line(&mut self, value: &impl serde::Serialize) -> io::Result<()> {
        self.line(seen_json(serde_json::to_string(value)?))?;
        self.flush()
    }

    /// Hands on what was printed so far.
    pub fn flush(&mut self) -> io::Result<()> {
        let flushed = self.stream.flush();
        self.forgive(flushed)
    }

    fn forgive(&mut self, written: io::Result<()>) -> io::Result<()> {
        match written {
            Err(fault) if fault.kind() == io::ErrorKind::BrokenPipe => {
                self.reader_is_gone = true;
                Ok(())
            }
            other => other,
        }
    }
}

/// JSON in which every character that is not seen, and might drive a terminal, is an escape.
pub fn seen_json(json: String) -> String {
    let hides = |c: char| c != '\n' && is_hidden(c);
    if !json.contains(hides) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if hides(c) {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// What `--color` means.
pub fn choice(color: ColorWhen) -> anstream::ColorChoice {
    match color {
        ColorWhen::Auto => anstream::ColorChoice::Auto,
        ColorWhen::Always => anstream::ColorChoice::Always,
        ColorWhen::Never => anstream::ColorChoice::Never,
    }
}

/// Text from outside, fit for one line of a terminal: what is not seen is shown as `\u{…}`.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(' '),
            c if is_hidden(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// Text from outside as several lines of a terminal: colours are taken out, all else as [`clean`].
pub fn clean_lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(|line| clean(&anstream::adapter::strip_str(line).to_string()))
}

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

fn color(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(color))).bold()
}

/// The style of a verdict.
pub fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Green => color(AnsiColor::Green),
        Verdict::Red | Verdict::DeployFailed | Verdict::NotReady => color(AnsiColor::Red),
        Verdict::Incomplete | Verdict::Void => color(AnsiColor::Yellow),
        Verdict::Superseded | Verdict::Cancelled => Style::new().dimmed(),
    }
}

/// A verdict in its colour; the word carries the meaning.
pub fn verdict(verdict: Option<Verdict>) -> String {
    verdict.map_or_else(|| "running".to_owned(), |v| styled(verdict_style(v), v.as_str()))
}

/// An outcome in its colour.
pub fn outcome(outcome: Outcome) -> String {
    let style = match outcome {
        Outcome::Passed => color(AnsiColor::Green),
        Outcome::Failed | Outcome::Errored => color(AnsiColor::Red),
        Outcome::Flaky | Outcome::NotRun => color(AnsiColor::Yellow),
        Outcome::Skipped => Style::new().dimmed(),
    };
    styled(style, outcome.as_str())
}

/// Bold text.
pub fn bold(text: &str) -> String {
    styled(Style::new().bold(), text)
}

/// Dim text.
pub fn dim(text: &str) -> String {
    styled(Style::new().dimmed(), text)
}

/// Milliseconds for people: `812 ms`, `4.2 s`, `3 min 12 s`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 if ms.is_multiple_of(1_000) => format!("{} s", ms / 1_000),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ if ms.is_multiple_of(60_000) => format!("{} min", ms / 60_000),
        _ => format!("{} min {:02} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// A length of time for people.
pub fn millis(time: std::time::Duration) -> String {
    duration(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// A count with its noun.
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A number of bytes as people read it.
pub fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = bytes.saturating_mul(10) / unit;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

/// Spaces between two columns.
const GAP: usize = 2;
/// A column that gives way keeps at least so many characters.
const MIN_WIDTH: usize = 12;

/// Columns that line up, whatever colours are in them.
#[derive(Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    gives_way: Vec<usize>,
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&str]) -> Self {
        let mut table = Self::default();
        table.head(headings);
        table
    }

    /// Gives headings to a table that has no row yet.
    pub fn head(&mut self, headings: &[&str]) {
        if self.rows.is_empty() {
            self.rows.push(headings.iter().map(|h| dim(h)).collect());
        }
    }

    /// Names columns that are cut, the widest first, where a terminal is too narrow for all. Files and
    /// pipes get everything.
    pub fn giving_way(mut self, columns: &[usize]) -> Self {
        self.gives_way = columns.to_vec();
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, within a width where that can be.
    fn lines(&self, within: Option<usize>) -> Vec<String> {
        let mut widths = self.widths();
        if let Some(within) = within {
            self.narrow(&mut widths, within);
        }
        self.rows.iter().map(|row| line_of(row, &widths)).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        let width = |column| cells(column).map(|cell| visible(cell)).max().unwrap_or(0);
        (0..columns).map(width).collect()
    }

    fn narrow(&self, widths: &mut [usize], within: usize) {
        let gaps = GAP * widths.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(within);
        while excess > 0 {
            let can =
                |column: &&usize| widths.get(**column).is_some_and(|width| *width > MIN_WIDTH);
            let Some(widest) = self.gives_way.iter().filter(can).max_by_key(|c| widths[**c]) else {
                return;
            };
            widths[*widest] -= 1;
            excess -= 1;
        }
    }

    /// Prints it.
    pub fn print(&self, out: &mut Out) -> io::Result<()> {
        self.lines(out.columns).iter().try_for_each(|line| out.line(line))
    }
}

fn line_of(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        let cell = cut(cell, *width);
        line.push_str(&cell);
        line.push_str(&" ".repeat(width - visible(&cell) + GAP));
    }
    line.trim_end().to_owned()
}

/// A cell in a width; what is cut loses its colour.
fn cut(cell: &str, width: usize) -> Cow<'_, str> {
    if visible(cell) <= width {
        return Cow::Borrowed(cell);
    }
    Cow::Owned(shortened(&anstream::adapter::strip_str(cell).to_string(), width))
}

/// A text of at most `limit` characters, its cut shown.
pub fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

/// How many characters of a cell are seen: escape sequences are not.
fn visible(cell: &str) -> usize {
    anstream::adapter::strip_str(cell).to_string().chars().count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hostile_text_cannot_drive_the_terminal() {
        let shown = clean("a\u{1b}]52;c;x\u{7}b\u{202e}c\u{9b}31m\r\n");
        assert_eq!(shown, "a\\u{1b}]52;c;x\\u{7}b\\u{202e}c\\u{9b}31m\\r\\n");
    }

    #[test]
    fn json_says_the_same_and_drives_no_terminal() {
        let value = serde_json::json!({ "a": "x\u{9b}31m\u{202e}\u{e0041}\n\u{1b}]0;y\u{7}" });
        let text = seen_json(serde_json::to_string_pretty(&value).unwrap());
        assert!(text.is_ascii(), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn columns_line_up_whatever_colours_they_have() {
        let mut table = Table::new(&["case", "outcome"]);
        table.row([bold("a"), "x".to_owned()]);
        table.row(["long name".to_owned(), "y".to_owned()]);
        let plain: Vec<String> =
            table.lines(None).iter().map(|l| anstream::adapter::strip_str(l).to_string()).collect();
        assert_eq!(plain, ["case       outcome", "a          x", "long name  y"]);
    }

    #[test]
    fn on_a_narrow_terminal_the_widest_column_that_may_gives_way() {
        let mut table = Table::new(&["case", "what", "message"]).giving_way(&[1, 2]);
        table.row(["a_name_that_is_kept".to_owned(), "short".to_owned(), "m".repeat(60)]);
        let lines = |within| {
            let lines = table.lines(within);
            lines[1].clone()
        };
        let whole = format!("a_name_that_is_kept  short  {}", "m".repeat(60));
        assert_eq!(lines(None), whole);
        assert_eq!(lines(Some(whole.len())), whole);
        assert_eq!(lines(Some(48)), format!("a_name_that_is_kept  short  {}…", "m".repeat(19)));
        let least = format!("a_name_that_is_kept  short  {}…", "m".repeat(11));
        assert_eq!(lines(Some(10)), least, "a column keeps enough to be read");
    }

    #[test]
    fn durations_are_for_people() {
        assert_eq!(
            [812, 4_290, 5_000, 192_000, 1_200_000].map(duration),
            ["812 ms", "4.2 s", "5 s", "3 min 12 s", "20 min"]
        );
    }
}
