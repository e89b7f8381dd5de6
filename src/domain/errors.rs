//! Errors as people read them.

use std::error::Error;

/// An error and its causes as one line, the outermost first. A cause that the text names already is
/// left out: some libraries repeat it in their own message.
pub fn chain(fault: &dyn Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::fmt::Error);

    #[test]
    fn causes_follow_what_they_caused() {
        assert_eq!(chain(&Outer(std::fmt::Error)), format!("outer: {}", std::fmt::Error));
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer ({0})")]
    struct Repeating(#[source] Outer);

    #[test]
    fn a_cause_that_was_named_is_not_named_again() {
        let text = chain(&Repeating(Outer(std::fmt::Error)));
        assert_eq!(text, format!("outer (outer): {}", std::fmt::Error));
    }
}
