//! `GET /pipelines/{pipeline}/cycles/{cycle}/logs/{log}`: the end of a log, or the part around a line, with its colours,
//! and the lines of the whole that hold a text. A script follows it from its end; the whole is a plain file at the API.

use http::StatusCode;
use minijinja::{HtmlEscape, Value};
use serde::{Deserialize, Serialize};

use super::frame::Frame;
use super::template;
use crate::domain::gap::{PlacedGap, line_number};
use crate::web::api::logs::{COUNTED, Found, Hit, Wanted, Which, open, told};
use crate::web::call::{Answer, Call};
use crate::web::problem::Problem;

/// So much of it.
const SHOWN: u64 = 256 << 10;

/// So many lines that hold what was looked for.
const MAX_HITS: usize = 200;
/// What is looked for has at most so many characters.
const MAX_WANTED: usize = 200;
/// Of what is no place so much is told back.
const MAX_TOLD: usize = 40;

/// What was asked for, as it was sent: a field of a form that nobody filled in is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// The part around this byte.
    at: String,
    /// The lines with this text.
    find: String,
    /// Those that begin after this byte.
    after: String,
}

impl Asked {
    fn at(&self) -> Result<Option<u64>, Problem> {
        place("at", &self.at, "without it the page shows the log's end")
    }

    fn after(&self) -> Result<Option<u64>, Problem> {
        place("after", &self.after, "without it the log is looked through from its beginning")
    }
}

/// A place in a log; an empty one is none.
fn place(name: &str, given: &str, without: &str) -> Result<Option<u64>, Problem> {
    let given = given.trim();
    if given.is_empty() {
        return Ok(None);
    }
    given.parse().map(Some).map_err(|_| {
        let given: String = given.chars().take(MAX_TOLD).collect();
        Problem::bad_request(format!("`{name}={given}` is no place in a log")).help(format!(
            "a place is a number of bytes from the beginning of the log, as `{name}=0`; {without}"
        ))
    })
}

#[derive(Serialize)]
struct Page {
    log: Shown,
    here: String,
    raw: String,
    from: u64,
    /// From where the script goes on.
    to: u64,
    length: u64,
    gap: Option<PlacedGap>,
    /// Where the line in the log is that says so.
    gap_line: Option<u64>,
    /// The same for the script.
    gap_told: Option<String>,
    /// Where the parts before and after this one are.
    earlier: Option<u64>,
    later: Option<u64>,
    /// Whether the script has nothing to follow.
    is_still: bool,
    lines: Vec<Line>,
    /// Lines are numbered in so many mebibytes, where these are behind them.
    numbered_mib: Option<u64>,
    found: Option<FoundView>,
}

#[derive(Serialize)]
struct Shown {
    name: String,
    phase: String,
    attempt: u32,
    end: Option<String>,
}

#[derive(Serialize)]
struct Line {
    /// Where it begins in the log: its name for good.
    at: u64,
    number: Option<u64>,
    html: Value,
    /// It is written just now: its end has not come.
    is_open: bool,
}

#[derive(Serialize)]
struct FoundView {
    wanted: String,
    hits: Vec<Line>,
    /// Whether what stands before some place was left out.
    is_part: bool,
    /// Where to look on.
    rest: Option<u64>,
}

/// `GET /pipelines/{pipeline}/cycles/{cycle}/logs/{log}`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let asked: Asked = call.query()?;
    let (at, after) = (asked.at()?, asked.after()?);
    let opened = open(&call).await?;
    let which = at.map_or(Which::End, Which::Around);
    let (opened, part) = opened.part(which, SHOWN).await?;
    let wanted: String = asked.find.chars().take(MAX_WANTED).collect();
    let (opened, found) = match wanted.as_str() {
        "" => (opened, None),
        text => {
            let time = call.site.log_search_time();
            let wanted = Wanted { text: text.to_owned(), after, most: MAX_HITS, time };
            let (opened, found) = opened.find(wanted).await?;
            (opened, Some(found))
        }
    };
    let (row, form, gap) = (opened.row, opened.form, opened.gap);
    let (name, cycle) = (&row.pipeline, row.summary.cycle);
    let pipeline = format!("/pipelines/{name}");
    let of_cycle = format!("{pipeline}/cycles/{cycle}");
    let here = format!("{of_cycle}/logs/{}", form.log);
    let frame = Frame::of(&call, form.name.clone()).under(&[
        (name.as_str(), &pipeline),
        (&format!("Cycle {cycle}"), &of_cycle),
        (&form.name, ""),
    ]);
    let is_end = part.to() >= part.length;
    let is_still = form.end.is_some() || !is_end;
    let mut lines = lines(&part.bytes, part.from, part.ends_before, gap.as_ref());
    let mut to = part.to();
    if !is_still
        && !part.bytes.ends_with(b"\n")
        && let Some(last) = lines.last_mut()
    {
        // The script asks for all of it again, and for how it goes on.
        (last.is_open, to) = (true, last.at);
    }
    let own = Page {
        raw: format!("/api/v1{here}"),
        here,
        from: part.from,
        to,
        length: part.length,
        earlier: (part.from > 0).then(|| part.from.saturating_sub(SHOWN / 2)),
        later: (!is_end).then(|| part.to()),
        is_still,
        lines,
        numbered_mib: part.ends_before.is_none().then_some(COUNTED >> 20),
        found: found.map(|found| shown(found, wanted, after.is_some(), gap.as_ref())),
        gap_line: gap.as_ref().map(PlacedGap::line),
        gap_told: gap.as_ref().map(told),
        gap,
        log: Shown { name: form.name, phase: form.phase, attempt: form.attempt, end: form.end },
    };
    Ok(template::page(StatusCode::OK, "log.html", &frame, &own))
}

fn lines(bytes: &[u8], from: u64, ends: Option<u64>, gap: Option<&PlacedGap>) -> Vec<Line> {
    let (mut at, mut ends) = (from, ends);
    let line = |line: &[u8]| {
        let number = ends.and_then(|ends| line_number(ends, at, gap));
        let shown = Line { at, number, html: html(line), is_open: false };
        at += line.len() as u64;
        ends = ends.map(|ends| ends + 1);
        shown
    };
    bytes.split_inclusive(|byte| *byte == b'\n').map(line).collect()
}

fn shown(found: Found, wanted: String, is_part: bool, gap: Option<&PlacedGap>) -> FoundView {
    let hit = |hit: Hit| {
        let number = hit.ends_before.and_then(|ends| line_number(ends, hit.at, gap));
        Line { at: hit.at, number, html: html(&hit.line), is_open: false }
    };
    let hits = found.hits.into_iter().map(hit).collect();
    FoundView { wanted, hits, is_part, rest: found.stopped_at }
}

fn html(line: &[u8]) -> Value {
    let text = String::from_utf8_lossy(line);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Value::from_safe_string(coloured(text.strip_suffix('\r').unwrap_or(text)))
}

/// A line as HTML: ANSI colours as classes, every other sequence left out, text escaped.
fn coloured(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 16);
    let mut classes = Classes::default();
    let mut rest = line;
    while let Some(at) = rest.find('\u{1b}') {
        put(&mut out, &rest[..at], &classes);
        let (sequence, after) = sequence(&rest[at + 1..]);
        if let Some(codes) = sequence.strip_prefix('[').and_then(|it| it.strip_suffix('m')) {
            classes.take(codes);
        }
        rest = after;
    }
    put(&mut out, rest, &classes);
    out
}

#[derive(Debug, Default)]
struct Classes {
    bold: bool,
    color: Option<u32>,
}

impl Classes {
    fn take(&mut self, codes: &str) {
        for code in codes.split(';').filter_map(code) {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                22 => self.bold = false,
                39 => self.color = None,
                code @ (30..=37 | 90) => self.color = Some(code),
                code @ 91..=97 => self.color = Some(code - 60),
                // Backgrounds, blinking and the like: the text counts.
                _ => {}
            }
        }
    }
}

/// None given is 0; what is no number, or one that nobody uses, changes nothing.
fn code(digits: &str) -> Option<u32> {
    match digits {
        "" => Some(0),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    }
}

fn put(out: &mut String, text: &str, classes: &Classes) {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars().filter(|c| *c == '\t' || !c.is_control()) {
        // What turns the direction of what follows is shown instead of obeyed.
        match c {
            '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                plain.push_str(&format!("<U+{:04X}>", u32::from(c)));
            }
            c => plain.push(c),
        }
    }
    if plain.is_empty() {
        return;
    }
    let escaped = HtmlEscape(&plain).to_string();
    let color = classes.color.map(|code| format!("a-{code}"));
    match (classes.bold, color) {
        (false, None) => out.push_str(&escaped),
        (bold, color) => {
            let bold = if bold { "a-b " } else { "" };
            out.push_str(&format!(
                "<span class=\"{bold}{}\">{escaped}</span>",
                color.unwrap_or_default()
            ));
        }
    }
}

/// What follows an escape, and what follows that: `[31m`, `]0;title` up to its end, or one character.
fn sequence(text: &str) -> (&str, &str) {
    let end = match text.bytes().next() {
        Some(b'[') => text[1..].find(|c: char| ('@'..='~').contains(&c)).map(|at| at + 2),
        Some(b']') => text.find('\u{7}').map(|at| at + 1),
        Some(_) => text.chars().next().map(char::len_utf8),
        None => None,
    };
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_classes_and_text_stays_text() {
        assert_eq!(coloured("a <b> & \"c\""), "a &lt;b&gt; &amp; &quot;c&quot;");
        assert_eq!(
            coloured("\u{1b}[1;31mno\u{1b}[0m yes"),
            "<span class=\"a-b a-31\">no</span> yes"
        );
        assert_eq!(
            coloured("\u{1b}]0;title\u{7}x\u{1b}[2K\u{1b}[92my"),
            "x<span class=\"a-32\">y</span>"
        );
        for unknown in ["256", "300", "99999999999", "4:3", "-5", "+0", " 0", "1.0"] {
            let line = format!("\u{1b}[031;{unknown}mred");
            assert_eq!(coloured(&line), "<span class=\"a-31\">red</span>", "{unknown}");
        }
        assert_eq!(coloured("\u{1b}[31m\u{1b}[mx\u{1b}[31;;1my"), "x<span class=\"a-b \">y</span>");
        assert_eq!(coloured("\u{1b}[31"), "", "one that is cut");
        assert_eq!(coloured("a\u{8}\u{1b}"), "a");
        assert_eq!(coloured("\u{1b}é!"), "!");
        assert_eq!(coloured("a\u{202e}b\u{61c}"), "a&lt;U+202E&gt;b&lt;U+061C&gt;");
    }
}
