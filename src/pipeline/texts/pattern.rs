//! Regular expressions: compiled once to see that they are ones, within a budget of time and memory.

use crate::pipeline::diagnostic::quoted;
use crate::pipeline::faults::Span;
use crate::pipeline::reader::Cx;

/// The longest regular expression, in bytes.
const MAX_PATTERN_BYTES: usize = 4_000;
/// The most that a compiled regular expression may take, in bytes.
pub(crate) const MAX_COMPILED_BYTES: usize = 1024 * 1024;
/// What most regular expressions stay below once compiled, in bytes.
const SMALL_COMPILED_BYTES: usize = 128 * 1024;
/// The most different regular expressions of a pipeline: each costs time to compile.
const MAX_PATTERNS: usize = 1_000;
/// The most of them that are not small.
const MAX_LARGE_PATTERNS: usize = 40;

/// Why a text is not a regular expression that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum PatternFault {
    #[error("longer than {MAX_PATTERN_BYTES} bytes")]
    TooLong,
    #[error("too large once compiled")]
    TooLarge,
    #[error("{0}")]
    Syntax(String),
}

impl Cx<'_> {
    /// Checks a regular expression.
    pub(crate) fn check_pattern(&mut self, pattern: &str, at: Span) {
        if !self.patterns.contains_key(pattern) {
            if self.patterns.len() >= MAX_PATTERNS {
                let message = format!("more than {MAX_PATTERNS} different regular expressions");
                self.error(at, message);
                return;
            }
            let outcome = self.compile(pattern);
            self.patterns.insert(pattern.to_owned(), outcome);
        }
        if let Some(Err(fault)) = self.patterns.get(pattern) {
            let label = fault.clone();
            let message = format!("{} is not a regular expression", quoted(pattern));
            self.error(at, message).label(label);
        }
    }

    /// Compiles a regular expression: with little memory, and so quickly, where that will do.
    fn compile(&mut self, pattern: &str) -> Result<(), String> {
        let too_many = || format!("after more than {MAX_LARGE_PATTERNS} large ones");
        if self.large_patterns > MAX_LARGE_PATTERNS {
            return Err(too_many());
        }
        match compile(pattern, SMALL_COMPILED_BYTES) {
            Err(PatternFault::TooLarge) => {}
            small => return small.map_err(|fault| fault.to_string()),
        }
        self.large_patterns += 1;
        if self.large_patterns > MAX_LARGE_PATTERNS {
            return Err(too_many());
        }
        compile(pattern, MAX_COMPILED_BYTES).map_err(|fault| fault.to_string())
    }
}

fn compile(pattern: &str, most_bytes: usize) -> Result<(), PatternFault> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(PatternFault::TooLong);
    }
    let built = regex::RegexBuilder::new(pattern).size_limit(most_bytes).nest_limit(100).build();
    match built {
        Ok(_) => Ok(()),
        Err(regex::Error::CompiledTooBig(_)) => Err(PatternFault::TooLarge),
        Err(fault) => {
            let text = fault.to_string();
            let last = text.lines().last().unwrap_or_default();
            Err(PatternFault::Syntax(last.strip_prefix("error: ").unwrap_or(last).to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_patterns_are_refused() {
        let compile = |pattern: &str| compile(pattern, MAX_COMPILED_BYTES);
        assert_eq!(compile("(a+)+$"), Ok(()));
        assert_eq!(compile(r"(\w{100}){100}"), Err(PatternFault::TooLarge));
        assert_eq!(compile(&"a".repeat(10_000)), Err(PatternFault::TooLong));
        assert!(compile(&"(".repeat(3_000)).is_err());
        assert_eq!(compile("a("), Err(PatternFault::Syntax("unclosed group".to_owned())));
    }

    #[test]
    fn patterns_as_people_write_them_are_small() {
        for pattern in [
            "^[0-9a-f-]{36}$",
            r"\b42\b",
            "(?i)mock|fallback|degraded|placeholder",
            r#"data-build="([0-9a-f]{7,40})""#,
            r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$",
        ] {
            assert_eq!(compile(pattern, SMALL_COMPILED_BYTES), Ok(()), "{pattern}");
        }
    }
}
