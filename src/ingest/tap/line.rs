//! What one line of TAP says, by itself (testanything.org, versions 12 to 14).
//!
//! What it must not do: remember the line before.

use std::time::Duration;

/// How many columns a subtest is indented by.
pub(super) const STEP: usize = 4;

/// What a line says, without its indent.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// `ok` or `not ok`.
    Point(Point),
    /// `1..N`.
    Plan(Plan<'a>),
    /// `TAP version N`: any other number is noise to us.
    Version,
    /// `Bail out!`, with what follows.
    Bail(&'a str),
    /// `# Subtest: NAME`.
    Subtest(&'a str),
    /// Any other comment.
    Comment(&'a str),
    /// `---`
    YamlStart,
    /// `...`
    YamlEnd,
    /// `{` alone.
    Open,
    /// `}` alone.
    Close,
    /// Nothing.
    Blank,
    /// Something else: output of the tests themselves, a pragma.
    Other,
}

/// How many points a run is said to have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan<'a> {
    /// N of `1..N`.
    pub(super) count: u64,
    /// Why everything was skipped, for `1..0 # SKIP …`.
    pub(super) skip: Option<&'a str>,
}

/// One result.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    /// `ok`.
    pub(super) ok: bool,
    /// Its number, where it has one.
    pub(super) number: Option<u64>,
    /// Its description, without directive and time.
    pub(super) name: String,
    /// What qualifies it.
    pub(super) directive: Option<Directive>,
    /// The time it took, where its line says so.
    pub(super) duration: Option<Duration>,
    /// Whether a subtest follows in braces.
    pub(super) opens: bool,
}

/// What qualifies a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive {
    /// Not run.
    Skip,
    /// Not expected to work yet.
    Todo,
}

/// The line in columns of indent, a tab being four, and what it says.
pub(super) fn parse(line: &str) -> (usize, Line<'_>) {
    let body = line.trim_start_matches([' ', '\t']);
    let lead = &line[..line.len() - body.len()];
    let indent = lead.bytes().map(|byte| if byte == b'\t' { STEP } else { 1 }).sum();
    (indent, classify(body.trim_end()))
}

fn classify(body: &str) -> Line<'_> {
    match body {
        "" => return Line::Blank,
        "---" => return Line::YamlStart,
        "..." => return Line::YamlEnd,
        "{" => return Line::Open,
        "}" => return Line::Close,
        _ => {}
    }
    if let Some(comment) = body.strip_prefix('#') {
        let comment = comment.trim();
        return match comment.strip_prefix("Subtest") {
            Some("") => Line::Subtest(""),
            Some(rest) if rest.starts_with(':') => Line::Subtest(rest[1..].trim()),
            _ => Line::Comment(comment),
        };
    }
    if let Some(point) = point(body) {
        return Line::Point(point);
    }
    if let Some(plan) = plan(body) {
        return Line::Plan(plan);
    }
    if starts_with(body, "bail out!") {
        return Line::Bail(body["bail out!".len()..].trim());
    }
    if starts_with(body, "tap version ") { Line::Version } else { Line::Other }
}

fn starts_with(body: &str, lower: &str) -> bool {
    body.get(..lower.len()).is_some_and(|head| head.eq_ignore_ascii_case(lower))
}

fn plan(body: &str) -> Option<Plan<'_>> {
    let rest = body.strip_prefix("1..")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let count = rest[..digits].parse().ok()?;
    let rest = rest[digits..].trim_start();
    let comment = rest.strip_prefix('#').map(str::trim);
    if !rest.is_empty() && comment.is_none() {
        return None;
    }
    let skip = comment.filter(|_| count == 0).map(|comment| {
        let word = comment.split_whitespace().next().unwrap_or_default();
        if starts_with(word, "skip") { comment[word.len()..].trim() } else { comment }
    });
    Some(Plan { count, skip })
}

fn point(body: &str) -> Option<Point> {
    let (ok, rest) = match body.strip_prefix("not ") {
        Some(rest) => (false, rest.trim_start()),
        None => (true, body),
    };
    let rest = rest.strip_prefix("ok")?;
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return None;
    }
    let (number, rest) = number(rest.trim_start());
    let rest = match rest.strip_prefix('-') {
        Some(after) if after.is_empty() || after.starts_with([' ', '\t']) => after.trim_start(),
        _ => rest,
    };
    let (rest, opens) = match rest.strip_suffix('{') {
        Some(before) if before.is_empty() || before.ends_with([' ', '\t']) => (before, true),
        _ => (rest, false),
    };
    let (described, directive) = split_directive(rest);
    let (described, stated) = split_time(described.trim_end());
    let name = unescape(described.trim());
    let duration = stated.or_else(|| bats_time(&name));
    Some(Point { ok, number, name, directive, duration, opens })
}

/// A number at the start, if nothing but white space follows it.
fn number(rest: &str) -> (Option<u64>, &str) {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let after = &rest[digits..];
    match rest[..digits].parse() {
        Ok(number) if after.is_empty() || after.starts_with([' ', '\t']) => {
            (Some(number), after.trim_start())
        }
        _ => (None, rest),
    }
}

/// Splits at the first `# SKIP` or `# TODO` that is none of the description: the `#` stands alone or
/// after white space.
fn split_directive(rest: &str) -> (&str, Option<Directive>) {
    for (at, _) in rest.match_indices('#') {
        let alone = at == 0 || rest[..at].ends_with([' ', '\t']);
        let word = rest[at + 1..].trim_start();
        if !alone {
            continue;
        }
        if starts_with(word, "skip") {
            return (&rest[..at], Some(Directive::Skip));
        }
        let more = word.as_bytes().get(4).is_some_and(u8::is_ascii_alphanumeric);
        if starts_with(word, "todo") && !more {
            return (&rest[..at], Some(Directive::Todo));
        }
    }
    (rest, None)
}

/// Cuts off a trailing `# time=12.3ms`.
fn split_time(rest: &str) -> (&str, Option<Duration>) {
    let Some(at) = rest.rfind("# time=") else { return (rest, None) };
    let value = &rest[at + "# time=".len()..];
    if value.contains([' ', '\t']) || !(at == 0 || rest[..at].ends_with([' ', '\t'])) {
        return (rest, None);
    }
    (&rest[..at], time(value))
}

fn time(value: &str) -> Option<Duration> {
    let unit = value.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &value[unit..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    let number: f64 = value[..unit].parse().ok()?;
    Duration::try_from_secs_f64(number * factor).ok()
}

/// `… in 12ms`, as `bats --timing` ends its names. The name stays as it is.
fn bats_time(name: &str) -> Option<Duration> {
    let (_, tail) = name.rsplit_once(" in ")?;
    let digits = tail.strip_suffix("ms")?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(Duration::from_millis)).flatten()
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(next @ ('\\' | '#'))) => {
                out.push(*next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Point {
        match parse(line).1 {
            Line::Point(point) => point,
            other => panic!("{line:?} is {other:?}"),
        }
    }

    #[test]
    fn points_are_told_from_noise() {
        for line in ["okay", "ok: true", "not", "not okay", "skip 1 x", "not 3 ok", "oks"] {
            assert_eq!(parse(line).1, Line::Other, "{line:?}");
        }
        assert!(read("ok").ok);
        assert!(!read("not ok").ok);
        assert!(!read("not   ok 2").ok);
    }

    #[test]
    fn names_numbers_and_directives_are_told_apart() {
        use Directive::{Skip, Todo};
        for (line, number, name, directive) in [
            ("ok 1 -  padded ", Some(1), "padded", None),
            ("not ok - 1", None, "1", None),
            ("ok 9 bottles", Some(9), "bottles", None),
            ("ok 9bottles", None, "9bottles", None),
            ("ok 3 # skipped on foobar system", Some(3), "", Some(Skip)),
            ("ok 5 #sKiPpPyYy odd", Some(5), "", Some(Skip)),
            (r"ok 3 \#skip escaped", Some(3), "#skip escaped", None),
            ("ok 4 testTitle#skip is none", Some(4), "testTitle#skip is none", None),
            ("ok 4 - not todo # hash # todo", Some(4), "not todo # hash", Some(Todo)),
            ("ok 5 - yes todo # todo # hash", Some(5), "yes todo", Some(Todo)),
            (
                r"ok 3 - escaped \\ slash \\# todo true",
                Some(3),
                r"escaped \ slash \# todo true",
                None,
            ),
            ("ok 1 - # TODOS are none", Some(1), "# TODOS are none", None),
            ("ok 2 - a # time=1.5ms", Some(2), "a", None),
            ("ok 2 - a # time=1.5ms # SKIP", Some(2), "a", Some(Skip)),
            ("ok 2 - a # time= 1", Some(2), "a # time= 1", None),
        ] {
            let point = read(line);
            let seen = (point.number, point.name.as_str(), point.directive);
            assert_eq!(seen, (number, name, directive), "{line:?}");
        }
    }

    #[test]
    fn times_are_read_in_the_units_of_the_tools() {
        for (line, millis) in [
            ("ok 1 - a # time=1.5ms", Some(1.5)),
            ("ok 1 - a # time=1.2s", Some(1200.0)),
            ("ok 1 - a # time=2m", Some(120_000.0)),
            ("ok 1 - a # time=soon", None),
            ("ok 1 - a # time=-1ms", None),
            ("ok 1 - a in 12ms", Some(12.0)),
            ("ok 1 - a in ms", None),
        ] {
            let expected = millis.map(|ms| Duration::from_secs_f64(ms / 1e3));
            assert_eq!(read(line).duration, expected, "{line:?}");
        }
        assert_eq!(read("ok 1 - a in 12ms").name, "a in 12ms");
    }

    #[test]
    fn a_brace_opens_a_subtest_only_after_white_space() {
        assert!(read("ok 1 - child {").opens);
        assert!(read("ok 1 - tbd # TODO foo {").opens);
        assert!(!read("ok 1 - parses{").opens);
    }

    #[test]
    fn plans_comments_and_bail_outs_are_known_by_their_first_words() {
        assert_eq!(parse("    1..3").0, 4);
        assert_eq!(parse("\t1..3").0, 4);
        assert_eq!(parse("1..3").1, Line::Plan(Plan { count: 3, skip: None }));
        assert_eq!(
            parse("1..0 # skip no db").1,
            Line::Plan(Plan { count: 0, skip: Some("no db") })
        );
        assert_eq!(parse("1..x").1, Line::Other);
        assert_eq!(parse("1..2 or so").1, Line::Other);
        assert_eq!(parse("Bail out! no db").1, Line::Bail("no db"));
        assert_eq!(parse("TAP version 14").1, Line::Version);
        assert_eq!(parse("# Subtest: a").1, Line::Subtest("a"));
        assert_eq!(parse("# Subtests").1, Line::Comment("Subtests"));
        assert_eq!(parse("1..99999999999999999999999").1, Line::Other);
    }
}
