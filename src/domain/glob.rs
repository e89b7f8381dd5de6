//! Globs over branch names, paths and case ids.
//!
//! `*` any characters but `/`, `**` any characters, `?` one character but `/`, `[a-z]` and `[!a-z]` one of a
//! set, `{a,b}` one of several. Ids often hold brackets and slashes, so a glob over ids knows only `*` and `?`.
//! Matching takes time in proportion to pattern × text, whatever they are.

use serde::{Serialize, Serializer};

/// A glob, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    source: String,
    /// One list of tokens for each way through `{a,b}`.
    alternatives: Vec<Vec<Token>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    One(char),
    AnyOne,
    AnyChar,
    Within,
    Across,
    Set { negated: bool, ranges: Vec<(char, char)> },
}

/// Why a text is not a glob.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum InvalidGlob {
    /// Nothing.
    #[error("the pattern is empty")]
    Empty,
    /// More than 500 bytes.
    #[error("the pattern is longer than 500 bytes")]
    TooLong,
    /// `[` without `]`.
    #[error("`[` has no closing `]`")]
    OpenSet,
    /// `{` without `}`.
    #[error("`{{` has no closing `}}`")]
    OpenAlternatives,
    /// `{a,{b,c}}`, or too many ways through the pattern.
    #[error("`{{…}}` can neither be nested nor have more than 100 combinations")]
    TooManyAlternatives,
}

impl Glob {
    /// Reads a glob.
    ///
    /// # Errors
    /// When a bracket is not closed, or the pattern is empty or too large.
    pub fn parse(source: &str) -> Result<Self, InvalidGlob> {
        check_length(source)?;
        let texts = expand(source)?;
        let alternatives = texts.iter().map(|text| tokens(text)).collect::<Result<_, _>>()?;
        Ok(Self { source: source.to_owned(), alternatives })
    }

    /// Reads a glob over case ids: `*` is any text, `?` any one character, all else itself.
    ///
    /// # Errors
    /// When the pattern is empty or too long.
    pub fn over_ids(source: &str) -> Result<Self, InvalidGlob> {
        check_length(source)?;
        let token = |c| match c {
            '*' => Token::Across,
            '?' => Token::AnyChar,
            other => Token::One(other),
        };
        let alternatives = vec![source.chars().map(token).collect()];
        Ok(Self { source: source.to_owned(), alternatives })
    }

    /// The pattern as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the whole text fits.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.alternatives.iter().any(|tokens| fits(tokens, &text))
    }

    /// Whether a path fits. A pattern without a slash is compared with the file's name, so that `*.md` fits
    /// in every folder.
    pub fn matches_path(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.matches(if self.source.contains('/') { path } else { name })
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

fn check_length(source: &str) -> Result<(), InvalidGlob> {
    match source.len() {
        0 => Err(InvalidGlob::Empty),
        1..=500 => Ok(()),
        _ => Err(InvalidGlob::TooLong),
    }
}

/// Writes `{a,b}` out. Within `[…]` braces are characters.
fn expand(source: &str) -> Result<Vec<String>, InvalidGlob> {
    let mut done = vec![String::new()];
    let mut rest = source;
    while let Some(open) = rest.find('{') {
        let before = &rest[..open];
        let tail = &rest[open + 1..];
        let close = tail.find('}').ok_or(InvalidGlob::OpenAlternatives)?;
        let options: Vec<&str> = tail[..close].split(',').collect();
        if tail[..close].contains('{') || done.len() * options.len() > 100 {
            return Err(InvalidGlob::TooManyAlternatives);
        }
        let longer = |start: &String| {
            options.iter().map(|option| format!("{start}{before}{option}")).collect::<Vec<_>>()
        };
        done = done.iter().flat_map(longer).collect();
        rest = &tail[close + 1..];
    }
    Ok(done.into_iter().map(|start| start + rest).collect())
}

fn tokens(text: &str) -> Result<Vec<Token>, InvalidGlob> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' if chars.peek() == Some(&'*') => {
                while chars.peek() == Some(&'*') {
                    chars.next();
                }
                Token::Across
            }
            '*' => Token::Within,
            '?' => Token::AnyOne,
            '[' => set(&mut chars)?,
            other => Token::One(other),
        });
    }
    Ok(tokens)
}

fn set(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Token, InvalidGlob> {
    let negated = chars.next_if(|c| matches!(c, '!' | '^')).is_some();
    let mut ranges: Vec<(char, char)> = Vec::new();
    loop {
        let from = chars.next().ok_or(InvalidGlob::OpenSet)?;
        // A closing bracket that comes first is a member, as in every shell.
        if from == ']' && !ranges.is_empty() {
            return Ok(Token::Set { negated, ranges });
        }
        let mut ahead = chars.clone();
        let to = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) if to != ']' => {
                *chars = ahead;
                to
            }
            _ => from,
        };
        ranges.push((from, to));
    }
}

/// Follows all ways through the pattern at once: `reached[i]` says that the first i tokens fit.
fn fits(tokens: &[Token], text: &[char]) -> bool {
    let mut reached = vec![false; tokens.len() + 1];
    reached[0] = true;
    skip_stars(tokens, &mut reached, true);
    for c in text {
        let mut next = vec![false; tokens.len() + 1];
        for (i, token) in tokens.iter().enumerate().filter(|(i, _)| reached[*i]) {
            let is_slash = *c == '/';
            match token {
                Token::Across => next[i] = true,
                Token::Within => next[i] |= !is_slash,
                Token::AnyOne => next[i + 1] |= !is_slash,
                Token::AnyChar => next[i + 1] = true,
                Token::One(wanted) => next[i + 1] |= wanted == c,
                Token::Set { negated, ranges } => {
                    let member = ranges.iter().any(|(from, to)| (from..=to).contains(&c));
                    next[i + 1] |= member != *negated && !is_slash;
                }
            }
        }
        reached = next;
        skip_stars(tokens, &mut reached, *c == '/');
    }
    reached[tokens.len()]
}

/// A star may stand for nothing, and where a segment begins so may `**/`.
fn skip_stars(tokens: &[Token], reached: &mut [bool], starts_segment: bool) {
    for i in 0..tokens.len() {
        if !reached[i] {
            continue;
        }
        match (&tokens[i], tokens.get(i + 1)) {
            (Token::Across, Some(Token::One('/'))) => {
                reached[i + 1] = true;
                reached[i + 2] |= starts_segment;
            }
            (Token::Across | Token::Within, _) => reached[i + 1] = true,
            (Token::One(_) | Token::AnyOne | Token::AnyChar | Token::Set { .. }, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn glob(source: &str) -> Glob {
        Glob::parse(source).unwrap()
    }

    #[test]
    fn branches() {
        assert!(glob("main").matches("main"));
        assert!(glob("release/*").matches("release/1.2"));
        assert!(!glob("release/*").matches("release/1/2"));
        assert!(glob("release/**").matches("release/1/2"));
        assert!(glob("{main,release/*}").matches("release/9"));
        assert!(!glob("main").matches("maine"));
        assert!(glob("v[0-9].?").matches("v1.x"));
        assert!(!glob("v[!0-9]").matches("v1"));
    }

    #[test]
    fn paths() {
        assert!(glob("docs/**").matches_path("docs/a/b.md"));
        assert!(!glob("docs/**").matches_path("src/docs/a"));
        assert!(glob("*.md").matches_path("a/b/README.md"));
        assert!(glob("**/*.rs").matches_path("main.rs"));
        assert!(glob("**/*.rs").matches_path("src/a/b.rs"));
        assert!(glob("a/**/b").matches_path("a/b"));
        assert!(!glob("a/**/b").matches_path("axb"));
        assert!(!glob("x**/b").matches_path("xb"));
        assert!(!glob("**/b").matches_path("xb"));
        assert!(glob("**/b").matches_path("x/b"));
    }

    #[test]
    fn ids() {
        let glob = |source: &str| Glob::over_ids(source).unwrap();
        assert!(glob("test_018_*").matches("test_018_rate_limit"));
        assert!(glob("*").matches("tests/a.py::test[1/2]"));
        assert!(glob("tests/*::test[?/2]").matches("tests/a/b.py::test[1/2]"));
        assert!(!glob("test[12]").matches("test1"));
        assert!(!glob("test_?").matches("test_12"));
    }

    #[test]
    fn faults() {
        assert_eq!(Glob::parse(""), Err(InvalidGlob::Empty));
        assert_eq!(Glob::over_ids(""), Err(InvalidGlob::Empty));
        assert_eq!(Glob::parse("[a"), Err(InvalidGlob::OpenSet));
        assert_eq!(Glob::parse("{a"), Err(InvalidGlob::OpenAlternatives));
        assert_eq!(Glob::parse(&"{a,b}".repeat(9)), Err(InvalidGlob::TooManyAlternatives));
        assert_eq!(Glob::parse(&"a".repeat(501)), Err(InvalidGlob::TooLong));
    }

    #[test]
    fn many_stars_take_no_longer() {
        assert!(!glob(&"*a".repeat(200)).matches(&"a".repeat(5_000).replace("aa", "b")));
    }
}
