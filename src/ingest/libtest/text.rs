//! What a test binary prints for people, with cargo's headings.
//!
//! With `--nocapture` output stands between a test's name and its result, and can imitate both. So the
//! list of failures and the figures at a binary's end are compared with what was read: a name in that
//! list has failed whatever its line says.
//!
//! What it must not do: make up cases for the dots of `--quiet`, which have no names.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::case::{ProblemKind, ReportedCase, ReportedOutcome, SuiteError};
use super::super::draft::{case, no_suite, one_suite, without_colours};
use super::super::text::{Text, first_line};
use super::{Out, Summary, panic_message};

/// How many lines of output between a name and its result are looked through.
const PENDING: u64 = 1_000_000;

/// What is known of the text so far.
#[derive(Default)]
pub(super) struct Printed {
    /// The heading that cargo printed last.
    heading: Option<Arc<[Box<str>]>>,
    binary: Option<Binary>,
}

/// One binary, from `running N tests` to `test result:`.
struct Binary {
    suite: Arc<[Box<str>]>,
    cases: Vec<ReportedCase>,
    by_name: HashMap<String, usize>,
    /// A test whose result has not come yet.
    pending: Option<Pending>,
    section: Section,
    outputs: HashMap<String, Text>,
    /// The last name of the list of failures: a file that is cut may end within it.
    listed: Option<String>,
}

/// A test whose name was printed and whose result was not, and what stands between.
struct Pending {
    name: String,
    output: Text,
    lines: u64,
}

impl Pending {
    fn new(name: &str, rest: &str) -> Self {
        let mut pending = Self { name: name.to_owned(), output: Text::default(), lines: 0 };
        pending.say(rest);
        pending
    }

    fn say(&mut self, line: &str) {
        self.output.push(line);
        self.output.push("\n");
        self.lines += 1;
    }
}

/// Where in a binary's output a line stands.
#[derive(Debug, PartialEq, Eq)]
enum Section {
    /// Among the results.
    Results,
    /// Under `---- NAME stdout ----`.
    Output(String),
    /// In the list of names after `failures:`.
    Failures,
}

impl Printed {
    /// Takes a line.
    pub(super) fn line(&mut self, number: u64, line: &str, out: &mut Out<'_>) {
        let coloured = without_colours(line);
        let line = coloured.trim_end();
        if let Some(binary) = &mut self.binary
            && binary.is_in_output()
        {
            // Tests of tools print whole runs of their own.
            return binary.line(line);
        }
        if let Some(heading) = heading(line) {
            self.close(None, out);
            self.heading = Some(one_suite(&heading));
            return;
        }
        if is_start(line) {
            self.close(None, out);
            out.seen = true;
            let suite = self.heading.take().unwrap_or_else(no_suite);
            self.binary = Some(Binary::new(suite));
            return;
        }
        match (&mut self.binary, summary(line)) {
            (Some(_), Some(summary)) => self.close(Some((number, summary)), out),
            (Some(binary), None) => binary.line(line),
            (None, _) if line.starts_with("error: could not compile") => {
                out.seen = true;
                out.suite_error(SuiteError {
                    suite: no_suite(),
                    message: first_line(line).to_owned(),
                });
            }
            (None, _) => {}
        }
    }

    /// Closes what is open.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        self.close(None, out);
    }

    fn close(&mut self, end: Option<(u64, Summary)>, out: &mut Out<'_>) {
        let Some(mut binary) = self.binary.take() else { return };
        binary.settle();
        let Some((number, said)) = end else {
            let message = "no \"test result:\" line (process died)".to_owned();
            out.suite_error(SuiteError { suite: Arc::clone(&binary.suite), message });
            return binary.hand_over(out);
        };
        binary.fail_listed();
        out.state(said);
        let counted = binary.count();
        if counted != said {
            let Summary { passed, failed, ignored } = counted;
            let what = format!(
                "the binary says {} passed, {} failed, {} ignored; with a name are {passed}, {failed} and \
                 {ignored}; without `--quiet` and `--nocapture` all have one",
                said.passed, said.failed, said.ignored
            );
            out.warnings.add(Some(number), what);
        }
        if said.failed > counted.failed {
            let missing = said.failed - counted.failed;
            let message = format!("{missing} failed tests have no name");
            out.suite_error(SuiteError { suite: Arc::clone(&binary.suite), message });
        }
        binary.hand_over(out);
    }
}

impl Binary {
    fn new(suite: Arc<[Box<str>]>) -> Self {
        Self {
            suite,
            cases: Vec::new(),
            by_name: HashMap::new(),
            pending: None,
            section: Section::Results,
            outputs: HashMap::new(),
            listed: None,
        }
    }

    fn is_in_output(&self) -> bool {
        matches!(self.section, Section::Output(_))
    }

    fn line(&mut self, line: &str) {
        if line == "failures:" {
            self.settle();
            self.section = Section::Failures;
            return;
        }
        if self.section == Section::Results {
            return self.result_line(line);
        }
        if let Some(name) = output_of(line) {
            self.outputs.entry(name.to_owned()).or_default();
            self.section = Section::Output(name.to_owned());
            return;
        }
        match &self.section {
            Section::Output(name) => {
                if let Some(text) = self.outputs.get_mut(name) {
                    text.push(line);
                    text.push("\n");
                }
            }
            Section::Failures => {
                let name = line.strip_prefix("    ").filter(|name| !name.starts_with(' '));
                if let Some(name) = name {
                    self.fail_listed();
                    self.listed = Some(name.to_owned());
                }
            }
            Section::Results => {}
        }
    }

    fn result_line(&mut self, line: &str) {
        let test = line.strip_prefix("test ");
        if let Some((name, rest)) = test.and_then(|test| test.split_once(" ...")) {
            self.settle();
            let rest = rest.trim_start();
            match result(rest) {
                Some((outcome, duration)) => self.add(plain(name), outcome, duration),
                None => self.pending = Some(Pending::new(plain(name), rest)),
            }
            return;
        }
        if let Some(name) = line.strip_suffix(" --- FAILED") {
            return self.fail(plain(name));
        }
        let Some(pending) = &mut self.pending else { return };
        match result(line) {
            Some((outcome, duration)) => self.end_pending(outcome, duration),
            None if pending.lines < PENDING => pending.say(line),
            None => self.settle(),
        }
    }

    /// A test whose result never came. The list of failures may still say that it failed.
    fn settle(&mut self) {
        self.end_pending(ReportedOutcome::Errored, None);
    }

    fn end_pending(&mut self, outcome: ReportedOutcome, duration: Option<Duration>) {
        let Some(Pending { name, output, .. }) = self.pending.take() else { return };
        self.add(&name, outcome, duration);
        if matches!(outcome, ReportedOutcome::Failed | ReportedOutcome::Errored) {
            self.outputs.insert(name, output);
        }
    }

    fn add(&mut self, name: &str, outcome: ReportedOutcome, duration: Option<Duration>) {
        let mut case = case(Arc::clone(&self.suite), name, outcome);
        case.duration = duration;
        self.by_name.entry(name.to_owned()).or_insert(self.cases.len());
        self.cases.push(case);
    }

    fn fail_listed(&mut self) {
        if let Some(name) = self.listed.take() {
            self.fail(&name);
        }
    }

    fn fail(&mut self, name: &str) {
        match self.by_name.get(name) {
            Some(at) => self.cases[*at].outcome = ReportedOutcome::Failed,
            None => self.add(name, ReportedOutcome::Failed, None),
        }
    }

    fn count(&self) -> Summary {
        let mut sum = Summary::default();
        for case in &self.cases {
            match case.outcome {
                ReportedOutcome::Passed | ReportedOutcome::Flaky => sum.passed += 1,
                ReportedOutcome::Failed => sum.failed += 1,
                ReportedOutcome::Skipped => sum.ignored += 1,
                ReportedOutcome::Errored => {}
            }
        }
        sum
    }

    fn hand_over(mut self, out: &mut Out<'_>) {
        for mut case in std::mem::take(&mut self.cases) {
            match case.outcome {
                ReportedOutcome::Failed => {
                    let output = self
                        .outputs
                        .remove(&case.name)
                        .map(|text| text.finish())
                        .unwrap_or_default();
                    let message = panic_message(&output).unwrap_or_else(|| first_line(&output));
                    case.explain(ProblemKind::Failure, message, output.trim_matches('\n'));
                }
                ReportedOutcome::Errored => {
                    let output = self.outputs.remove(&case.name).map(|text| text.finish());
                    let whole = output.unwrap_or_default();
                    case.explain(
                        ProblemKind::Error,
                        "its result is not told",
                        whole.trim_matches('\n'),
                    );
                }
                ReportedOutcome::Skipped | ReportedOutcome::Flaky | ReportedOutcome::Passed => {}
            }
            out.case(case);
        }
    }
}

/// `Running unittests src/lib.rs (target/debug/deps/shop-886b0ca78d498659)` → `shop (src/lib.rs)`.
fn heading(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("doc-tests {name}"));
    }
    let rest = line.strip_prefix("Running ")?;
    let Some((source, path)) = rest.strip_suffix(')').and_then(|rest| rest.split_once(" (")) else {
        let old = rest.contains("/deps/").then(|| stem(rest).to_owned());
        return old;
    };
    let source = source.strip_prefix("unittests ").unwrap_or(source);
    Some(format!("{} ({source})", stem(path)))
}

/// The name of a binary, without its folder and digest.
fn stem(path: &str) -> &str {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let file = file.strip_suffix(".exe").unwrap_or(file);
    match file.rsplit_once('-') {
        Some((name, digest)) if digest.bytes().all(|byte| byte.is_ascii_hexdigit()) => name,
        _ => file,
    }
}

/// `running 10 tests`
fn is_start(line: &str) -> bool {
    let count = line
        .strip_prefix("running ")
        .and_then(|rest| rest.strip_suffix(" tests").or_else(|| rest.strip_suffix(" test")));
    count.is_some_and(|count| !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()))
}

/// `test result: FAILED. 4 passed; 5 failed; 1 ignored; …`
fn summary(line: &str) -> Option<Summary> {
    let rest = line.strip_prefix("test result: ")?;
    let figure = |word: &str| {
        let before = &rest[..rest.find(word)?];
        before.trim_end().rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    Some(Summary {
        passed: figure(" passed")?,
        failed: figure(" failed")?,
        ignored: figure(" ignored")?,
    })
}

/// `---- NAME stdout ----`
fn output_of(line: &str) -> Option<&str> {
    let name = line.strip_prefix("---- ")?.strip_suffix(" ----")?;
    name.strip_suffix(" stdout").or_else(|| name.strip_suffix(" stderr")).map(plain)
}

/// The name without what the harness writes behind it.
fn plain(name: &str) -> &str {
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    name.strip_suffix(" - compile fail").or_else(|| name.strip_suffix(" - compile")).unwrap_or(name)
}

/// A result as it is printed: `ok`, `FAILED`, `ignored, reason`, with `<0.012s>` behind it.
fn result(text: &str) -> Option<(ReportedOutcome, Option<Duration>)> {
    let text = text.trim();
    let (word, time) = match text.strip_suffix("s>").and_then(|text| text.rsplit_once(" <")) {
        Some((word, time)) => (word, time.parse().ok().map(Duration::try_from_secs_f64)),
        None => (text, None),
    };
    let outcome = match word {
        "ok" => ReportedOutcome::Passed,
        "FAILED" => ReportedOutcome::Failed,
        "ignored" => ReportedOutcome::Skipped,
        _ if word.starts_with("ignored, ") => ReportedOutcome::Skipped,
        _ if word.starts_with("bench:") => ReportedOutcome::Passed,
        _ if word.starts_with("FAILED (") => ReportedOutcome::Failed,
        _ => return None,
    };
    Some((outcome, time.and_then(Result::ok)))
}
