//! A failure as a judge finds it, before the runner adds step and repro and masks it.

use crate::domain::failure::{Blame, Failure, FailureClass};

/// At most so many characters of a value stand in a message.
const MAX_SHOWN_CHARS: usize = 300;

/// What did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The class.
    pub class: FailureClass,
    /// Whose fault it is.
    pub blame: Blame,
    /// The part that was compared.
    pub subject: String,
    /// What was expected.
    pub expected: String,
    /// What came instead.
    pub actual: String,
    /// The sentence, where `expected SUBJECT EXPECTED, got ACTUAL` is not it.
    pub message: Option<String>,
}

impl Finding {
    /// The service did not do what was expected.
    pub fn service(
        class: FailureClass,
        subject: impl Into<String>,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Self {
        Self {
            class,
            blame: Blame::Service,
            subject: subject.into(),
            expected: expected.into(),
            actual: actual.into(),
            message: None,
        }
    }

    /// We could not measure: `subject` is what was missing or broken, `actual` says how.
    pub fn measurement(
        class: FailureClass,
        subject: impl Into<String>,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Self {
        Self { blame: Blame::Measurement, ..Self::service(class, subject, expected, actual) }
    }

    /// With a sentence of its own.
    pub fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// The failure, without step and repro.
    pub fn into_failure(self) -> Failure {
        let expected = capped(&self.expected);
        let actual = capped(&self.actual);
        let message = self
            .message
            .unwrap_or_else(|| format!("expected {} {expected}, got {actual}", self.subject));
        Failure {
            class: self.class,
            blame: self.blame,
            message: capped(&message),
            step: None,
            expected: Some(expected),
            actual: Some(actual),
            subject: Some(self.subject),
            repro: None,
        }
    }
}

/// A text of at most 300 characters; where it was cut, it says so.
pub fn capped(text: &str) -> String {
    let mut chars = text.char_indices();
    match chars.nth(MAX_SHOWN_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} bytes in all)", &text[..end], text.len()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_sentence_is_made_of_its_parts() {
        let finding = Finding::service(FailureClass::HttpStatus, "status", "200", "404");
        assert_eq!(finding.into_failure().message, "expected status 200, got 404");
    }

    #[test]
    fn long_values_are_cut_and_say_so() {
        let text = "ä".repeat(1_000);
        let short = capped(&text);
        assert!(short.chars().count() < 330 && short.ends_with("… (2000 bytes in all)"));
        assert_eq!(capped("short"), "short");
    }
}
