//! `GET /pipelines/{pipeline}/cycles/{cycle}/logs/{log}`: the end of a log, with its colours. A script
//! follows it from there; the whole of it is a plain file at the API.

use http::StatusCode;
use minijinja::{HtmlEscape, Value};
use serde::Serialize;

use super::frame::Frame;
use super::template;
use crate::web::api::logs::open;
use crate::web::call::{Answer, Call};

/// So much of its end.
const SHOWN: u64 = 256 << 10;

#[derive(Serialize)]
struct Page {
    log: Shown,
    raw: String,
    from: u64,
    to: u64,
    lines: Vec<Line>,
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
    number: usize,
    html: Value,
}

/// `GET /pipelines/{pipeline}/cycles/{cycle}/logs/{log}`
pub(in crate::web) async fn page(call: Call) -> Answer {
    let opened = open(&call).await?;
    let (bytes, from, to) = opened.end(SHOWN).await?;
    let (row, form) = (opened.row, opened.form);
    let (name, cycle) = (&row.pipeline, row.summary.cycle);
    let pipeline = format!("/pipelines/{name}");
    let here = format!("{pipeline}/cycles/{cycle}");
    let frame = Frame::of(&call, form.name.clone()).under(&[
        (name.as_str(), &pipeline),
        (&format!("Cycle {cycle}"), &here),
        (&form.name, ""),
    ]);
    // The line that is cut at the front is no line, and of one that is not over the script tells the rest.
    let text = String::from_utf8_lossy(&bytes);
    let start = if from == 0 { 0 } else { text.find('\n').map_or(0, |end| end + 1) };
    let is_over = form.end.is_some();
    let end = if is_over { text.len() } else { text.rfind('\n').map_or(start, |end| end + 1) };
    let told = text.get(start..end.max(start)).unwrap_or_default();
    let rest = (text.len() - end.max(start)) as u64;
    let lines = (1..)
        .zip(told.lines())
        .map(|(number, line)| Line { number, html: Value::from_safe_string(coloured(line)) });
    let own = Page {
        raw: format!("/api/v1{here}/logs/{}", form.log),
        from,
        to: to - rest,
        lines: lines.collect(),
        log: Shown { name: form.name, phase: form.phase, attempt: form.attempt, end: form.end },
    };
    Ok(template::page(StatusCode::OK, "log.html", &frame, &own))
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
    color: Option<u8>,
}

impl Classes {
    fn take(&mut self, codes: &str) {
        for code in codes.split(';') {
            match code.parse().unwrap_or(0) {
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

fn put(out: &mut String, text: &str, classes: &Classes) {
    let plain: String = text.chars().filter(|c| *c == '\t' || !c.is_control()).collect();
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
        assert_eq!(coloured("\u{1b}[31"), "", "one that is cut");
        assert_eq!(coloured("a\u{8}\u{1b}"), "a");
        assert_eq!(coloured("\u{1b}é!"), "!");
    }
}
