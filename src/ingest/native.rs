//! Native formats of test tools whose cases are not read: known by their first bytes, so that the
//! answer is which reporter to switch on, and never a pass or a silent zero.
//!
//! What it must not do: read cases.

use std::fmt;

/// A format that is known and not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Native {
    /// Visual Studio's and `dotnet test`'s TRX.
    Trx,
    /// NUnit 2 or 3.
    Nunit,
    /// xUnit.net, version 1 or 2.
    XunitNet,
    /// Robot Framework's `output.xml`.
    Robot,
    /// CTest's `Test.xml`.
    Ctest,
    /// Jest's JSON, which Vitest writes too.
    Jest,
    /// Mocha's JSON.
    Mocha,
    /// RSpec's JSON.
    Rspec,
    /// pytest-json-report.
    PytestJson,
    /// `dart test` and `flutter test`.
    Dart,
    /// Failsafe's summary, which has no cases at all.
    FailsafeSummary,
}

impl Native {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trx => "TRX of Visual Studio or `dotnet test`",
            Self::Nunit => "NUnit XML",
            Self::XunitNet => "xUnit.net XML",
            Self::Robot => "Robot Framework's output.xml",
            Self::Ctest => "CTest's Test.xml",
            Self::Jest => "Jest's or Vitest's JSON",
            Self::Mocha => "Mocha's JSON",
            Self::Rspec => "RSpec's JSON",
            Self::PytestJson => "pytest-json-report's JSON",
            Self::Dart => "the JSON events of `dart test`",
            Self::FailsafeSummary => "Failsafe's summary, which names no case",
        }
    }

    /// What makes the tool write something that is read.
    pub fn instead(self) -> &'static str {
        match self {
            Self::Trx | Self::Nunit | Self::XunitNet => {
                "add the package JunitXml.TestLogger and run `dotnet test --logger \"junit;LogFilePath=$ANDON_RESULTS/{assembly}.xml\"`"
            }
            Self::Robot => "run `robot --xunit \"$ANDON_RESULTS/robot.xml\"`",
            Self::Ctest => "run `ctest --output-junit \"$ANDON_RESULTS/ctest.xml\"`",
            Self::Jest => {
                "for Jest add jest-junit and run `jest --reporters=default --reporters=jest-junit`; for Vitest run \
                 `vitest run --reporter=junit --outputFile=\"$ANDON_RESULTS/vitest.xml\"`"
            }
            Self::Mocha => {
                "add mocha-junit-reporter and run `mocha --reporter mocha-junit-reporter`"
            }
            Self::Rspec => {
                "add rspec_junit_formatter and run `rspec --format RspecJunitFormatter --out \"$ANDON_RESULTS/rspec.xml\"`"
            }
            Self::PytestJson => "run `pytest --junitxml=\"$ANDON_RESULTS/pytest.xml\"`",
            Self::Dart => {
                "pipe the events through junitreport's `tojunit --output \"$ANDON_RESULTS/dart.xml\"`"
            }
            Self::FailsafeSummary => "take the TEST-*.xml files that stand beside it",
        }
    }

    /// The format that begins like that; some ten thousand bytes are plenty.
    pub(super) fn recognise(head: &str) -> Option<Self> {
        let head = head.trim_start_matches('\u{feff}').trim_start();
        if head.starts_with('<') {
            return by_root(root(head)?, head);
        }
        by_keys(&keys(head), head)
    }
}

impl fmt::Display for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn by_root(root: &str, head: &str) -> Option<Native> {
    match root {
        "TestRun" => Some(Native::Trx),
        "test-results" | "test-run" => Some(Native::Nunit),
        "assemblies" | "assembly" => Some(Native::XunitNet),
        "robot" => Some(Native::Robot),
        "Site" if head.contains("<Testing") || head.contains("ctest") => Some(Native::Ctest),
        "failsafe-summary" => Some(Native::FailsafeSummary),
        _ => None,
    }
}

fn by_keys(keys: &[&str], head: &str) -> Option<Native> {
    let all = |wanted: &[&str]| wanted.iter().all(|key| keys.contains(key));
    if all(&["protocolVersion", "runnerVersion"]) {
        Some(Native::Dart)
    } else if all(&["numTotalTests", "numFailedTestSuites"]) {
        Some(Native::Jest)
    } else if all(&["exitcode", "root", "summary"]) {
        Some(Native::PytestJson)
    } else if all(&["version", "examples"]) {
        Some(Native::Rspec)
    } else if all(&["stats", "tests"]) && head.contains("\"passes\"") {
        Some(Native::Mocha)
    } else {
        None
    }
}

/// The name of the first element, past declaration, comments and document type.
fn root(head: &str) -> Option<&str> {
    let mut rest = head;
    loop {
        rest = rest.trim_start();
        rest = if let Some(after) = rest.strip_prefix("<!--") {
            after.split_once("-->")?.1
        } else if rest.starts_with("<?") {
            rest.split_once("?>")?.1
        } else if rest.starts_with("<!") {
            past_doctype(rest)?
        } else {
            let name = rest.strip_prefix('<')?;
            let end = name.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))?;
            return Some(&name[..end]);
        };
    }
}

/// What follows a document type, whose own declarations stand in brackets.
fn past_doctype(text: &str) -> Option<&str> {
    let (mut brackets, mut quote) = (0_u32, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => brackets += 1,
            (None, ']') => brackets = brackets.saturating_sub(1),
            (None, '>') if brackets == 0 => return Some(&text[at + 1..]),
            (None, _) => {}
        }
    }
    None
}

/// The keys of the first object, as far as the text goes.
fn keys(head: &str) -> Vec<&str> {
    let Some(start) = head.find('{') else { return Vec::new() };
    let bytes = head.as_bytes();
    let (mut keys, mut depth, mut due) = (Vec::new(), 0_u32, false);
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => {
                depth += 1;
                due = depth == 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            b',' if depth == 1 => due = true,
            b'"' => {
                let end = string_end(bytes, at + 1);
                if due {
                    keys.push(&head[at + 1..end]);
                    due = false;
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    keys
}

/// Where the string that begins there has its closing quote, or the text its end.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_by_how_it_begins() {
        let doctype =
            "<?xml version=\"1.0\"?>\n<!DOCTYPE t [ <!ENTITY x SYSTEM \"a>]\"> ]>\n<!-- > -->\n";
        for (head, native) in [
            ("\u{feff}<?xml version=\"1.0\"?><TestRun id=\"1\">".to_owned(), Native::Trx),
            (format!("{doctype}<test-results name=\"a\">"), Native::Nunit),
            ("<test-run id=\"2\">".to_owned(), Native::Nunit),
            ("<assemblies>".to_owned(), Native::XunitNet),
            ("<robot generator=\"Robot 7.5\">".to_owned(), Native::Robot),
            ("<Site Generator=\"ctest-3.19.1\">".to_owned(), Native::Ctest),
            ("<failsafe-summary timeout=\"false\">".to_owned(), Native::FailsafeSummary),
            ("{\"numTotalTests\":1,\"numFailedTestSuites\":0,".to_owned(), Native::Jest),
            ("{ \"stats\": {\"passes\": 1}, \"tests\": [{\"a".to_owned(), Native::Mocha),
            (
                "{\"version\":\"3\",\"messages\":[\"\\\"{\"],\"examples\":[".to_owned(),
                Native::Rspec,
            ),
            ("{\"exitcode\":1,\"root\":\"/\",\"summary\":{".to_owned(), Native::PytestJson),
            ("{\"protocolVersion\":\"1\",\"runnerVersion\":\"1\"}".to_owned(), Native::Dart),
        ] {
            assert_eq!(Native::recognise(&head), Some(native), "{head}");
            assert!(!native.instead().is_empty() && !native.to_string().is_empty());
        }
    }

    #[test]
    fn what_is_read_or_unknown_is_none_of_them() {
        for head in [
            "",
            "<",
            "<testsuites>",
            "<Site>",
            "<html>",
            "<!DOCTYPE [",
            "<!-- ",
            "{",
            "{}",
            "{\"results\":{\"tests\":[]}}",
            "{\"config\":{},\"suites\":[]}",
            "{\"a\":{\"version\":1,\"examples\":[]}}",
            "{\"Action\":\"run\"}",
            "{\"a\\",
            "TAP version 13",
        ] {
            assert_eq!(Native::recognise(head), None, "{head}");
        }
    }
}
