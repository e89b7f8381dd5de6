//! The format of a file by what stands in it: names and endings say little.
//!
//! Signs that only one format has decide, and the first of them does; log lines may stand before. `ok 1` and
//! `test a ... ok` are weak signs, which count where there is no other.
//!
//! What it must not do: read cases.

use super::case::Format;
use super::error::Unreadable;
use super::junit;
use super::native::Native;

/// How much of a file is looked at, in bytes.
pub(super) const HEAD: usize = 64 << 10;

/// How many lines are looked at.
const LINES: usize = 2_000;

/// The format of a file that begins so.
///
/// # Errors
///
/// Says what it is instead, where it is none that is read.
pub(super) fn format_of(head: &str) -> Result<Format, Unreadable> {
    if let Some(native) = Native::recognise(head) {
        return Err(Unreadable::Native(native));
    }
    recognise(head).ok_or_else(|| Unreadable::NotResults { found: describe(head) })
}

fn recognise(head: &str) -> Option<Format> {
    let mut weak = None;
    let mut first = true;
    let mut rest = head;
    for _ in 0..LINES {
        let end = rest.find('\n').unwrap_or(rest.len());
        let line = rest[..end].trim();
        if !line.is_empty() {
            if let Some(format) = strong(line, rest, first) {
                return Some(format);
            }
            weak = weak.or_else(|| by_weak_sign(line));
            first = false;
        }
        rest = rest.get(end + 1..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
    }
    weak
}

fn strong(line: &str, rest: &str, first: bool) -> Option<Format> {
    if line.starts_with('{') {
        return by_keys(line, rest);
    }
    if has_root(line) {
        return Some(Format::Junit);
    }
    if line.starts_with("TAP version ") || (first && is_plan(line)) {
        return Some(Format::Tap);
    }
    let running = line.strip_prefix("running ").and_then(|line| line.split_once(' '));
    let runs = running.is_some_and(|(count, what)| is_number(count) && what.starts_with("test"));
    (runs || line.starts_with("test result: ")).then_some(Format::Libtest)
}

/// Whether an element begins here at which a JUnit document may begin, with any prefix.
fn has_root(line: &str) -> bool {
    line.split('<').skip(1).any(|tag| {
        let end = tag.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'));
        let name = &tag[..end.unwrap_or(tag.len())];
        let local = name.rsplit_once(':').map_or(name, |(_, local)| local);
        junit::ROOTS.contains(&local)
    })
}

/// JSON: a stream of events, one a line, or one document.
fn by_keys(line: &str, rest: &str) -> Option<Format> {
    let line_has = |key: &str| has_key(line, key);
    if line_has("Action") && ["Package", "Test", "ImportPath", "Time"].into_iter().any(line_has) {
        return Some(Format::Go);
    }
    if line_has("type") && line_has("event") {
        return Some(Format::Libtest);
    }
    let has = |key: &str| has_key(rest, key);
    let playwright = (has("configFile") && has("rootDir"))
        || (has("suites") && (has("config") || has("errors") || has("specs")));
    if playwright {
        return Some(Format::Playwright);
    }
    let ctrf = has("results") && ["tool", "summary", "tests"].into_iter().any(has);
    (ctrf || has("reportFormat")).then_some(Format::Ctrf)
}

fn has_key(text: &str, key: &str) -> bool {
    text.match_indices(key).any(|(at, _)| {
        text[..at].ends_with('"')
            && text[at + key.len()..]
                .strip_prefix('"')
                .is_some_and(|after| after.trim_start().starts_with(':'))
    })
}

fn by_weak_sign(line: &str) -> Option<Format> {
    let point = line.strip_prefix("not ").unwrap_or(line).strip_prefix("ok");
    if point.is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')) || is_plan(line) {
        return Some(Format::Tap);
    }
    if line.starts_with("Bail out!") {
        return Some(Format::Tap);
    }
    let case = line.strip_prefix("test ").is_some_and(|case| case.contains(" ... "));
    (case || line.starts_with("error: could not compile `")).then_some(Format::Libtest)
}

fn is_plan(line: &str) -> bool {
    let plan = line.split(['#', ' ']).next().unwrap_or_default();
    plan.strip_prefix("1..").is_some_and(is_number)
        || plan.strip_prefix("0..").is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a file is that is no result file, in two or three words.
fn describe(head: &str) -> String {
    let text = head.trim_start();
    let lower = text.get(..text.floor_char_boundary(200)).unwrap_or_default().to_ascii_lowercase();
    if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        "an HTML page".into()
    } else if text.starts_with('<') {
        "XML of another kind".into()
    } else if text.starts_with(['{', '[']) {
        "JSON of another kind".into()
    } else {
        "text".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sign_that_only_one_format_has_decides() {
        for (text, format) in [
            ("<?xml version=\"1.0\"?>\n<testsuites>", Some(Format::Junit)),
            ("> npm test\nok then\n\n<j:testsuite name='ok 1'>", Some(Format::Junit)),
            ("{\"Time\":\"x\",\"Action\":\"run\"}\nok 1", Some(Format::Go)),
            ("go: downloading x\n{\"Action\": \"start\",\"Package\":\"p\"}", Some(Format::Go)),
            ("{ \"type\": \"suite\", \"event\": \"started\" }", Some(Format::Libtest)),
            ("\nrunning 3 tests\ntest a ... ok", Some(Format::Libtest)),
            ("   Compiling x\ntest a ... ok", Some(Format::Libtest)),
            ("TAP version 13\n1..2", Some(Format::Tap)),
            ("1..2\nok 1 - <testsuite>", Some(Format::Tap)),
            ("# a\nnot ok 1 a", Some(Format::Tap)),
            ("{\n  \"results\": {\n    \"tool\": {}", Some(Format::Ctrf)),
            ("{\n  \"config\": {\n    \"configFile\": 1, \"rootDir\": 2", Some(Format::Playwright)),
            ("{\"results\": [1]}", None),
            ("{\"Action\": 1}", None),
            ("<html><testsuitesque>", None),
            ("okay\ntest", None),
            ("", None),
        ] {
            assert_eq!(recognise(text), format, "{text}");
        }
    }
}
