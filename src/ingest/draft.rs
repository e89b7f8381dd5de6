//! Cases in the making: what all readers fill in alike.
//!
//! What it must not do: know any one format.

use std::borrow::Cow;
use std::sync::Arc;

use super::case::{Problem, ProblemKind, ReportedCase, ReportedOutcome};
use super::text::{Text, first_line};

/// The longest name that is kept, in bytes: of a case or a suite.
const NAME: usize = 4_000;

/// The suites around a case that stands in none.
pub(super) fn no_suite() -> Arc<[Box<str>]> {
    Arc::from([])
}

/// One suite around a case.
pub(super) fn one_suite(suite: &str) -> Arc<[Box<str>]> {
    Arc::from([name(suite).into_boxed_str()])
}

/// A name, cut where it is too long. What a cut leaves stays one's own by a digest of the whole.
pub(super) fn name(text: &str) -> String {
    if text.len() <= NAME {
        return text.to_owned();
    }
    let cut = text.floor_char_boundary(NAME);
    format!("{}… ({} bytes more, {:016x})", &text[..cut], text.len() - cut, fnv(text))
}

/// FNV-1a: a digest that is the same on every machine and at every time.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A text of a problem, cut where it is too long.
pub(super) fn text(whole: &str) -> String {
    let mut text = Text::default();
    text.push(whole);
    text.finish()
}

/// A text without what colours it on a terminal.
pub(super) fn without_colours(line: &str) -> Cow<'_, str> {
    if !line.contains("\u{1b}[") {
        return Cow::Borrowed(line);
    }
    let mut pieces = line.split("\u{1b}[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end =
            piece.find(|c: char| !matches!(c, '0'..='9' | ';')).map_or(piece.len(), |at| at + 1);
        plain.push_str(piece.get(end..).unwrap_or_default());
    }
    Cow::Owned(plain)
}

/// A case of which only this is known.
pub(super) fn case(
    suite: Arc<[Box<str>]>,
    case_name: &str,
    outcome: ReportedOutcome,
) -> ReportedCase {
    ReportedCase {
        suite,
        classname: None,
        name: name(case_name),
        file: None,
        project: None,
        outcome,
        expected_failure: false,
        duration: None,
        started_at: None,
        reruns: 0,
        problem: None,
        problems: 0,
    }
}

impl ReportedCase {
    /// Gives it what went wrong: a first line and the whole.
    pub(super) fn explain(&mut self, kind: ProblemKind, message: &str, whole: &str) {
        let problem = Problem {
            kind,
            class: None,
            message: first_line(message).to_owned(),
            text: text(whole),
        };
        self.problem = Some(Box::new(problem));
        self.problems = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stay_different_when_cut() {
        let one = "é".repeat(NAME) + "one";
        let two = "é".repeat(NAME) + "two";
        assert_ne!(name(&one), name(&two));
        assert!(name(&one).len() < NAME + 60);
        assert_eq!(name("short"), "short");
        assert_eq!(fnv("a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn colours_are_taken_out_and_nothing_else() {
        for (text, expected) in [
            ("plain [31m", "plain [31m"),
            ("\u{1b}[1;31mred\u{1b}[0m and\u{1b}[K", "red and"),
            ("\u{1b}[", ""),
            ("\u{1b}[31", ""),
            ("é\u{1b}[31é", "é"),
        ] {
            assert_eq!(without_colours(text), expected, "{text:?}");
        }
    }
}
