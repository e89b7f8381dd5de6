//! A text that fits a regular expression: a short one, the same every time.

use regex_syntax::hir::{Class, Hir, HirKind};

/// The longest text that is made.
const MAX_BYTES: usize = 4_096;

/// A text that fits, as far as that can be read off the pattern; whoever takes it judges it again.
pub(super) fn example_of(pattern: &str) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let mut out = String::new();
    write(&hir, &mut out)?;
    Some(out)
}

fn write(hir: &Hir, out: &mut String) -> Option<()> {
    if out.len() > MAX_BYTES {
        return None;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(()),
        HirKind::Literal(literal) => {
            out.push_str(std::str::from_utf8(&literal.0).ok()?);
            Some(())
        }
        HirKind::Class(class) => {
            out.push(letter_of(class)?);
            Some(())
        }
        HirKind::Repetition(repetition) => {
            // Once, where nothing is enough: a text that is empty would fit too much.
            let at_most = repetition.max.unwrap_or(u32::MAX);
            let times = repetition.min.max(1).min(at_most);
            for _ in 0..times {
                let before = out.len();
                write(&repetition.sub, out)?;
                // What adds nothing once adds nothing however often.
                if out.len() == before {
                    break;
                }
            }
            Some(())
        }
        HirKind::Capture(capture) => write(&capture.sub, out),
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, out)),
        HirKind::Alternation(parts) => write(parts.first()?, out),
    }
}

/// A letter or digit of the class if it has one, else its first character that can be seen.
fn letter_of(class: &Class) -> Option<char> {
    let fits = |letter: char| match class {
        Class::Unicode(class) => {
            class.ranges().iter().any(|range| range.start() <= letter && letter <= range.end())
        }
        Class::Bytes(class) => class.ranges().iter().any(|range| {
            letter.is_ascii() && (range.start()..=range.end()).contains(&(letter as u8))
        }),
    };
    let plain = ('a'..='z').chain('0'..='9').chain('A'..='Z').chain('!'..='~').chain([' ', '\n']);
    let first = || match class {
        Class::Unicode(class) => class.ranges().first().map(|range| range.start()),
        Class::Bytes(_) => None,
    };
    plain.into_iter().find(|letter| fits(*letter)).or_else(first)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use regex::Regex;

    #[test]
    fn an_example_fits_its_pattern() {
        for pattern in [
            "^[0-9a-f-]{36}$",
            r"\b42\b",
            "(?i)done|ready",
            r#"data-build="([0-9a-f]{7,40})""#,
            r"^\d{4}-\d{2}-\d{2}T",
            "^v[0-9]+(\\.[0-9]+)*$",
            ".+@.+",
            "^[^x]$",
        ] {
            let example = example_of(pattern).unwrap();
            assert!(Regex::new(pattern).unwrap().is_match(&example), "{pattern}: {example}");
        }
    }

    #[test]
    fn what_would_be_endless_is_not_made() {
        assert_eq!(example_of("(a{900}){900}"), None);
        assert_eq!(example_of("("), None);
        assert_eq!(example_of("(((|a){9000}){9000}){9000}").as_deref(), Some(""));
    }
}
