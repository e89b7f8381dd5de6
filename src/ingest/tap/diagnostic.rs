//! What follows a point: a YAML block or comments that say why it is not ok.
//!
//! The blocks of real tools are often no YAML (Vitest writes raw lines within quotes, others dump
//! objects), so keys are looked for line by line and the whole is kept as text.
//!
//! What it must not do: decide where a block ends.

use std::time::Duration;

use super::super::case::{Problem, ProblemKind};
use super::super::text::{Text, first_line};

/// What is known of one point besides its line.
#[derive(Debug, Default)]
pub(super) struct Diagnostic {
    text: Text,
    message: Option<String>,
    class: Option<String>,
    expected: Option<String>,
    actual: Option<String>,
    comment: Option<String>,
    /// The time it took, in a block's `duration_ms`.
    pub(super) duration: Option<Duration>,
    inside: Inside,
}

/// Within which value of the block the next line stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// None: a line may be a key.
    #[default]
    Block,
    /// The lines under `key: |`, which are indented deeper than the key.
    Lines { key: Key, indent: usize },
    /// Within double quotes.
    Quotes,
}

/// The keys that tell something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Message,
    Class,
    Expected,
    Actual,
    Duration,
    Unknown,
}

impl Key {
    fn of(word: &str) -> Self {
        match word {
            "message" | "error" => Self::Message,
            "name" => Self::Class,
            "expected" | "wanted" => Self::Expected,
            "actual" | "found" | "got" => Self::Actual,
            "duration_ms" => Self::Duration,
            _ => Self::Unknown,
        }
    }
}

impl Diagnostic {
    /// Takes a comment that follows the point.
    pub(super) fn comment(&mut self, comment: &str) {
        self.add(comment);
        if self.comment.is_none() && !comment.is_empty() {
            self.comment = Some(first_line(comment).to_owned());
        }
    }

    /// Takes a line of the block, with the columns it is indented by.
    pub(super) fn line(&mut self, indent: usize, line: &str) {
        self.add(line);
        let body = line.trim();
        match self.inside {
            Inside::Lines { key, indent: at } if body.is_empty() || indent > at => {
                if !body.is_empty() {
                    self.put(key, body);
                }
                return;
            }
            Inside::Quotes => {
                if ends_quotes(body) {
                    self.inside = Inside::Block;
                }
                return;
            }
            Inside::Lines { .. } | Inside::Block => self.inside = Inside::Block,
        }
        let Some((word, value)) = body.split_once(':') else { return };
        if !value.is_empty() && !value.starts_with(' ') {
            return;
        }
        let (key, value) = (Key::of(word.trim_matches(['"', '\''])), value.trim());
        if matches!(value, "|" | "|-" | "|+" | ">" | ">-" | ">+") {
            self.inside = Inside::Lines { key, indent };
            return;
        }
        if let Some(open) = value.strip_prefix('"')
            && !ends_quotes(open)
        {
            self.inside = Inside::Quotes;
        }
        self.put(key, &unquote(value));
    }

    /// Forgets within which value it stands: a new block begins.
    pub(super) fn restart(&mut self) {
        self.inside = Inside::Block;
    }

    /// Why the point is not ok.
    pub(super) fn problem(&self, otherwise: &str) -> Problem {
        let compared = match (&self.expected, &self.actual) {
            (Some(expected), Some(actual)) => Some(format!("expected {expected}, got {actual}")),
            _ => None,
        };
        let message = self.message.clone().or(compared).or_else(|| self.comment.clone());
        Problem {
            kind: ProblemKind::Failure,
            class: self.class.clone(),
            message: first_line(message.as_deref().unwrap_or(otherwise)).to_owned(),
            text: self.text.finish(),
        }
    }

    fn add(&mut self, line: &str) {
        if !self.text.as_str().is_empty() {
            self.text.push("\n");
        }
        self.text.push(line);
    }

    /// Keeps the first value of each key.
    fn put(&mut self, key: Key, value: &str) {
        if value.is_empty() || matches!(value, "~" | "null" | "{" | "[") {
            return;
        }
        let place = match key {
            Key::Message => &mut self.message,
            Key::Class if names_a_class(value) => &mut self.class,
            Key::Expected => &mut self.expected,
            Key::Actual => &mut self.actual,
            Key::Duration => {
                let millis: Option<f64> = value.parse().ok();
                let duration = millis.and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok());
                self.duration = self.duration.or(duration);
                return;
            }
            Key::Class | Key::Unknown => return,
        };
        if place.is_none() {
            *place = Some(first_line(value).to_owned());
        }
    }
}

/// Other tools write the test's own name under `name`.
fn names_a_class(value: &str) -> bool {
    let word = !value.contains(char::is_whitespace);
    word && ["Error", "Exception", "Failure"].iter().any(|end| value.ends_with(end))
}

/// Whether the rest of a double-quoted value ends on this line.
fn ends_quotes(rest: &str) -> bool {
    let before = rest.strip_suffix('"').map(|text| text.len() - text.trim_end_matches('\\').len());
    before.is_some_and(|slashes| slashes % 2 == 0)
}

fn unquote(value: &str) -> String {
    if let Some(rest) = value.strip_prefix('"') {
        let inner = if ends_quotes(rest) { &rest[..rest.len() - 1] } else { rest };
        return inner.replace("\\\"", "\"").replace("\\\\", "\\");
    }
    match value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(block: &str) -> Diagnostic {
        let mut diagnostic = Diagnostic::default();
        for line in block.lines() {
            let indent = line.len() - line.trim_start().len();
            diagnostic.line(indent, line);
        }
        diagnostic
    }

    #[test]
    fn a_message_is_found_in_the_ways_in_which_tools_write_it() {
        for (block, message) in [
            ("message: plain", "plain"),
            ("message: \"with \\\"quotes\\\"\"", "with \"quotes\""),
            ("error: 'it''s'", "it's"),
            ("error:\n  name: \"Error\"\n  message: \"inner\"", "inner"),
            ("message: |-\n  first\n  second\nother: 1", "first"),
            ("message: \"boom\nmessage: not this\"\nerror: nor this", "boom"),
            ("  stack: |-\n    message: not this\n  message: this", "this"),
            ("expected: 44\nactual: 45", "expected 44, got 45"),
            ("wanted: 'true'\nfound: 'false'", "expected true, got false"),
            ("message: ~\nerror: real", "real"),
            ("this is not yaml", "otherwise"),
        ] {
            assert_eq!(read(block).problem("otherwise").message, message, "{block:?}");
        }
    }

    #[test]
    fn a_comment_speaks_where_the_block_does_not() {
        let mut diagnostic = read("operator: fail");
        diagnostic.comment("");
        diagnostic.comment("Failed test at x.t line 3");
        let problem = diagnostic.problem("");
        assert_eq!(problem.message, "Failed test at x.t line 3");
        assert_eq!(problem.text, "operator: fail\n\nFailed test at x.t line 3");
        assert_eq!(
            read("message: m\nname: 'AssertionError'").problem("").class.unwrap(),
            "AssertionError"
        );
        assert_eq!(read("name: Bruno").problem("").class, None);
        assert_eq!(read("duration_ms: 1.5").duration, Some(Duration::from_micros(1500)));
    }
}
