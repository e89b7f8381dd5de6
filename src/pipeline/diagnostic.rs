//! What is wrong with a file, where, what is allowed, and what was probably meant.
//!
//! A diagnostic owns the line that it shows, so it outlives the text it was found in. Nothing here
//! knows what a pipeline is.

use std::path::PathBuf;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use crate::domain::login::{masked_logins, starred_logins};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but probably does not do what was meant.
    Warning,
}

/// Whether to colour what is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences.
    Plain,
    /// For a terminal that shows colours.
    Coloured,
}

/// One fault of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; `None` where the fault is that of the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What is wrong: a lower-case fragment that names the thing.
    pub message: String,
    /// What to do about it: what is allowed, what was probably meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// Short words under the marked text.
    #[serde(skip)]
    pub label: Option<String>,
    /// The line shown.
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
    /// Another place that has to do with it, such as the first definition of a name.
    #[serde(skip)]
    pub related: Option<Related>,
}

/// A line of a file, cut to what a reader needs, and the part of it that is marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    text: String,
    start: usize,
    end: usize,
}

/// Another place that has to do with a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Its file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: u32,
    /// What it is.
    pub label: String,
    /// The line.
    pub excerpt: Excerpt,
}

/// Lines of at most so many characters are shown whole.
const WHOLE_LINE_CHARS: usize = 160;
/// Characters kept before and after the marked part of a longer line.
const CONTEXT_CHARS: usize = 60;
/// Characters of the marked part that are shown.
const MARKED_CHARS: usize = 80;

/// Wide enough for every line that is shown, so that nothing is cut twice.
const TERM_WIDTH: usize = 400;

impl Excerpt {
    /// Cuts the line in which `start` lies out of a text. What could confuse a terminal is replaced.
    pub(crate) fn cut(text: &str, start: usize, end: usize) -> Self {
        // A line of a file may hold a password that should stand elsewhere: hidden before a part of it is cut out.
        let hidden = starred_logins(text);
        let text = hidden.as_ref();
        let start = floor_char(text, start.min(text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let rest = &text[start..];
        let line_end = start + rest.find('\n').unwrap_or(rest.len());
        let end = floor_char(text, end.clamp(start, line_end));
        let is_long = text[line_start..line_end].chars().nth(WHOLE_LINE_CHARS).is_some();
        let (context, most) =
            if is_long { (CONTEXT_CHARS, MARKED_CHARS) } else { (usize::MAX, usize::MAX) };
        let before = last_chars(&text[line_start..start], context);
        let marked = first_chars(&text[start..end], most);
        let after = first_chars(&text[end..line_end], context);
        let mut shown = String::new();
        if before.len() < start - line_start {
            shown.push('…');
        }
        push_visible(&mut shown, before);
        let mark_start = shown.len();
        push_visible(&mut shown, marked);
        if marked.len() < end - start {
            shown.push('…');
        }
        let mark_end = shown.len();
        push_visible(&mut shown, after.trim_end());
        if after.len() < line_end - end {
            shown.push('…');
        }
        Self { text: shown, start: mark_start, end: mark_end }
    }

    /// The line as shown.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Diagnostic {
    /// Renders it as compilers do: what, where, the line, and help.
    pub fn render(&self, style: Style) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let path = self.file.display().to_string();
        let mut group = Group::with_title(level.primary_title(self.message.as_str()));
        group = match (&self.excerpt, self.line) {
            (Some(excerpt), Some(line)) => {
                let kind = AnnotationKind::Primary;
                group.element(snippet(excerpt, line, &path, kind, self.label.as_deref()))
            }
            _ => group.element(Origin::path(path.as_str())),
        };
        let related_path = self.related.as_ref().map(|r| r.file.display().to_string());
        if let (Some(related), Some(path)) = (&self.related, &related_path) {
            let kind = AnnotationKind::Context;
            let label = Some(related.label.as_str());
            group = group.element(snippet(&related.excerpt, related.line, path, kind, label));
        }
        for help in &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = match style {
            Style::Plain => Renderer::plain().term_width(TERM_WIDTH),
            Style::Coloured => Renderer::styled().term_width(TERM_WIDTH),
        };
        let rendered = renderer.decor_style(DecorStyle::Ascii).render(&[group]);
        self.with_true_column(rendered)
    }

    /// The renderer counts columns within the excerpt; where that was cut, the file's are put in.
    fn with_true_column(&self, rendered: String) -> String {
        let (Some(excerpt), Some(line), Some(column)) = (&self.excerpt, self.line, self.column)
        else {
            return rendered;
        };
        let shown = excerpt.text[..excerpt.start].chars().count() + 1;
        let path = self.file.display();
        rendered.replacen(&format!("{path}:{line}:{shown}"), &format!("{path}:{line}:{column}"), 1)
    }
}

fn snippet<'a>(
    excerpt: &'a Excerpt,
    line: u32,
    path: &'a str,
    kind: AnnotationKind,
    label: Option<&'a str>,
) -> Snippet<'a, Annotation<'a>> {
    Snippet::source(excerpt.text.as_str())
        .line_start(line as usize)
        .path(path)
        .fold(false)
        .annotation(kind.span(excerpt.start..excerpt.end).label(label))
}

fn push_visible(out: &mut String, text: &str) {
    out.extend(text.chars().map(|c| match c {
        '\t' => ' ',
        c if c.is_control() || is_direction_mark(c) => '\u{fffd}',
        c => c,
    }));
}

/// Characters that reorder the text around them.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text of a file as it may stand in a message: in backticks, short, without control characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown = String::from("`");
    let text = masked_logins(text);
    push_visible(&mut shown, first_chars(&text, MARKED_CHARS));
    if text.chars().nth(MARKED_CHARS).is_some() {
        shown.push('…');
    }
    shown.push('`');
    shown
}

fn first_chars(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or(text, |(at, _)| &text[..at])
}

fn last_chars(text: &str, count: usize) -> &str {
    match count.checked_sub(1).and_then(|n| text.char_indices().rev().nth(n)) {
        Some((at, _)) => &text[at..],
        None => text,
    }
}

fn floor_char(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn diagnostic(text: &str, start: usize, end: usize) -> Diagnostic {
        let line = text[..start].matches('\n').count() as u32 + 1;
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        Diagnostic {
            severity: Severity::Error,
            file: PathBuf::from("a.yaml"),
            line: Some(line),
            column: Some(text[line_start..start].chars().count() as u32 + 1),
            message: "unknown key `pol`".to_owned(),
            help: vec!["did you mean `poll`?".to_owned()],
            label: Some("not a key of `watch`".to_owned()),
            excerpt: Some(Excerpt::cut(text, start, end)),
            related: None,
        }
    }

    #[test]
    fn the_line_is_shown_with_what_to_do() {
        insta::assert_snapshot!(diagnostic("watch:\n  pol: 3\n", 9, 12).render(Style::Plain), @r"
        error: unknown key `pol`
         --> a.yaml:2:3
          |
        2 |   pol: 3
          |   ^^^ not a key of `watch`
          |
          = help: did you mean `poll`?
        ");
    }

    #[test]
    fn long_lines_are_cut_but_columns_are_those_of_the_file() {
        let text = format!("{} pol {}", "ä".repeat(5_000), "b".repeat(5_000));
        let at = text.find("pol").unwrap();
        let rendered = diagnostic(&text, at, at + 3).render(Style::Plain);
        assert!(rendered.len() < 1_000, "{rendered}");
        assert!(rendered.contains("a.yaml:1:5002"), "{rendered}");
    }

    #[test]
    fn what_confuses_a_terminal_is_replaced() {
        let text = "a: \u{1b}[31m\u{202e}x";
        let rendered = diagnostic(text, 3, text.len()).render(Style::Plain);
        assert!(!rendered.contains(['\u{1b}', '\u{202e}']), "{rendered:?}");
        assert!(!quoted(text).contains('\u{1b}'));
    }

    #[test]
    fn colours_only_when_asked_for() {
        let fault = diagnostic("pol: 3", 0, 3);
        assert!(fault.render(Style::Coloured).contains('\u{1b}'));
        assert!(!fault.render(Style::Plain).contains('\u{1b}'));
    }
}
