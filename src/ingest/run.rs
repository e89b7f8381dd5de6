//! The cases of a whole run, from one file or many: one entry an identity.
//!
//! Elements of one identity form a group. They are true duplicates, of which the worst outcome counts,
//! or, where the format shows it, attempts of one case, of which the last does. The table is compact: a case
//! that passed costs its name and some sixty bytes.
//!
//! What it must not do: compare runs.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::identity::Place;

use super::case::{Format, Problem, Reading, ReportedCase, ReportedOutcome, Sink};

/// No entry.
const NONE: u32 = u32::MAX;

/// So many cases fit; more are counted and left out.
const MOST: usize = NONE as usize - 1;

/// One identity and what became of it.
#[derive(Debug)]
pub struct Entry {
    place: u32,
    file: u32,
    name: (usize, u32),
    next: u32,
    /// How many elements it stands for.
    pub elements: u32,
    /// What became of it.
    pub outcome: ReportedOutcome,
    /// The worst of its elements; one that was skipped only where none was executed.
    pub worst: ReportedOutcome,
    /// The last of its elements.
    pub last: ReportedOutcome,
    /// How long the decisive element took, in milliseconds.
    pub duration_ms: Option<u32>,
    /// When the decisive element began.
    pub started_at: Option<Timestamp>,
    /// Why it is failing, or its first attempt was; of the text the line that tells most, or all of it in a
    /// run that keeps them.
    pub problem: Option<Box<Problem>>,
}

/// Whether the whole texts of failures are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Texts {
    /// They may be large, and a comparison needs but one line of each.
    #[default]
    InShort,
    Kept,
}

/// A table of cases.
#[derive(Debug, Default)]
pub struct Run {
    places: Vec<Place>,
    place_ids: HashMap<Place, u32>,
    files: Vec<Arc<str>>,
    file_ids: HashMap<Arc<str>, u32>,
    names: String,
    entries: Vec<Entry>,
    index: HashMap<u64, u32, BuildHasherDefault<Itself>>,
    again: Vec<u32>,
    first_of_file: usize,
    merged: u64,
    left_out: u64,
    texts: Texts,
}

/// A hash is its own hash.
#[derive(Debug, Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("the keys are hashes, which are written as numbers")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Run {
    /// A run that keeps the whole texts of failures.
    pub fn with_texts() -> Self {
        Self { texts: Texts::Kept, ..Self::default() }
    }

    /// The entries, in the order in which they came first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where cases stand; the entries have indexes into it.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The index of an entry's place.
    pub fn place_of(&self, entry: &Entry) -> u32 {
        entry.place
    }

    /// The name of an entry.
    pub fn name_of(&self, entry: &Entry) -> &str {
        let (start, length) = entry.name;
        &self.names[start..start + length as usize]
    }

    /// The file that an entry stands in.
    pub fn file_of(&self, entry: &Entry) -> Option<&str> {
        self.files.get(entry.file as usize).map(AsRef::as_ref)
    }

    /// The id of an entry.
    pub fn id_of(&self, entry: &Entry) -> String {
        self.places[entry.place as usize].id_of(self.name_of(entry))
    }

    /// How many cases were too many to be kept.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// A file ended: now it is known whether its duplicates are attempts.
    pub fn end_file(&mut self, reading: &Reading) {
        self.settle(are_attempts(reading, self.merged));
    }

    /// A file broke off with an error: its duplicates are taken for such, so that the worst counts.
    pub fn lose_file(&mut self) {
        self.settle(false);
    }

    fn settle(&mut self, attempts: bool) {
        for at in std::mem::take(&mut self.again) {
            let entry = &mut self.entries[at as usize];
            // What stood in another file before is no attempt of this one.
            let whole_here = at as usize >= self.first_of_file;
            entry.outcome = match attempts && whole_here {
                true => last_attempt(entry),
                false => entry.worst,
            };
        }
        self.first_of_file = self.entries.len();
        self.merged = 0;
    }

    fn place(&mut self, case: &ReportedCase) -> u32 {
        if let Some(last) = self.entries.last() {
            let place = &self.places[last.place as usize];
            if is_at(place, case) {
                return last.place;
            }
        }
        let place = Place {
            suite: Arc::clone(&case.suite),
            classname: case.classname.clone(),
            project: case.project.clone(),
        };
        let next = self.places.len() as u32;
        let id = *self.place_ids.entry(place.clone()).or_insert(next);
        if id == next {
            self.places.push(place);
        }
        id
    }

    fn file(&mut self, file: Option<&Arc<str>>) -> u32 {
        let Some(file) = file else { return NONE };
        if let Some(last) = self.entries.last().map(|entry| entry.file)
            && self.files.get(last as usize) == Some(file)
        {
            return last;
        }
        let next = self.files.len() as u32;
        let id = *self.file_ids.entry(Arc::clone(file)).or_insert(next);
        if id == next {
            self.files.push(Arc::clone(file));
        }
        id
    }

    /// The entry of that identity; where cases of two files share one, the file tells them apart.
    fn find(&self, hash: u64, place: u32, name: &str, file: u32) -> Option<u32> {
        let mut at = self.index.get(&hash).copied().unwrap_or(NONE);
        while let Some(entry) = self.entries.get(at as usize) {
            let same_file = entry.file == file || entry.file == NONE || file == NONE;
            if entry.place == place && same_file && self.name_of(entry) == name {
                return Some(at);
            }
            at = entry.next;
        }
        None
    }

    fn merge(&mut self, at: u32, case: ReportedCase) {
        let entry = &mut self.entries[at as usize];
        entry.elements = entry.elements.saturating_add(1);
        entry.last = case.outcome;
        if rank(case.outcome) < rank(entry.worst) {
            entry.worst = case.outcome;
            entry.duration_ms = milliseconds(&case);
            entry.started_at = case.started_at;
            entry.problem = case.problem.map(|problem| self.texts.of(problem));
        }
        self.merged += 1;
        self.again.push(at);
    }
}

impl Sink for Run {
    fn case(&mut self, case: ReportedCase) {
        if self.entries.len() >= MOST {
            self.left_out += 1;
            return;
        }
        let place = self.place(&case);
        let file = self.file(case.file.as_ref());
        let mut hasher = DefaultHasher::new();
        (place, case.name.as_str()).hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(at) = self.find(hash, place, &case.name, file) {
            return self.merge(at, case);
        }
        let at = self.entries.len() as u32;
        let next = self.index.insert(hash, at).unwrap_or(NONE);
        let name = (self.names.len(), case.name.len() as u32);
        self.names.push_str(&case.name);
        self.entries.push(Entry {
            place,
            file,
            name,
            next,
            elements: 1,
            outcome: case.outcome,
            worst: case.outcome,
            last: case.outcome,
            duration_ms: milliseconds(&case),
            started_at: case.started_at,
            problem: case.problem.map(|problem| self.texts.of(problem)),
        });
    }
}

/// Among elements of one identity. One that was executed tells more than one that was skipped.
fn rank(outcome: ReportedOutcome) -> u8 {
    match outcome {
        ReportedOutcome::Errored => 0,
        ReportedOutcome::Failed => 1,
        ReportedOutcome::Flaky => 2,
        ReportedOutcome::Passed => 3,
        ReportedOutcome::Skipped => 4,
    }
}

fn is_at(place: &Place, case: &ReportedCase) -> bool {
    let same = |one: &Option<Arc<str>>, other: &Option<Arc<str>>| match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    (Arc::ptr_eq(&place.suite, &case.suite) || place.suite == case.suite)
        && same(&place.classname, &case.classname)
        && same(&place.project, &case.project)
}

impl Texts {
    fn of(self, mut problem: Box<Problem>) -> Box<Problem> {
        match self {
            Self::Kept => {}
            Self::InShort => problem.text = problem.telling().to_owned(),
        }
        problem
    }
}

fn milliseconds(case: &ReportedCase) -> Option<u32> {
    let duration = case.duration?;
    Some(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX))
}

/// Whether the duplicates of a file are attempts. Names are unique in Go. pytest-rerunfailures writes an
/// element an attempt, and states as many tests as there are identities.
fn are_attempts(reading: &Reading, merged: u64) -> bool {
    let unique = reading.cases.saturating_sub(merged);
    match reading.format {
        Format::Junit if reading.dialect == "go" => true,
        Format::Junit if reading.dialect == "pytest" => {
            merged > 0 && reading.stated.tests == Some(unique)
        }
        Format::Junit
        | Format::Ctrf
        | Format::Tap
        | Format::Go
        | Format::Libtest
        | Format::Playwright => false,
    }
}

/// The last attempt decides; it was flaky if one before it failed. pytest-rerunfailures shows failed
/// attempts as passed ones: that there was another one says that it failed.
fn last_attempt(entry: &Entry) -> ReportedOutcome {
    match entry.last {
        ReportedOutcome::Passed if entry.elements > 1 => ReportedOutcome::Flaky,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::read;

    fn run(files: &[&str]) -> Run {
        let mut run = Run::default();
        for file in files {
            let reading = read(&mut file.as_bytes(), None, &mut run).expect("it is a result file");
            run.end_file(&reading);
        }
        run
    }

    fn told(run: &Run) -> Vec<String> {
        let tell =
            |entry: &Entry| format!("{} {} {}", run.id_of(entry), entry.outcome, entry.elements);
        run.entries().iter().map(tell).collect()
    }

    #[test]
    fn duplicates_form_a_group_and_the_worst_counts() {
        let file = "<testsuite name='s'><testcase name='a'><failure message='m'/></testcase><testcase name='b'/>\
                    <testcase name='a'/><testcase name='a'><error message='e'/></testcase></testsuite>";
        let run = run(&[file]);
        assert_eq!(told(&run), ["s::a errored 3", "s::b passed 1"]);
        let problem = run.entries()[0].problem.as_ref().map(|problem| problem.message.as_str());
        assert_eq!(problem, Some("e"));
    }

    #[test]
    fn the_file_tells_only_those_apart_that_share_all_else() {
        let file = "<testsuite name='s'><testcase name='a' file='x'/><testcase name='a' file='y'><failure/></testcase>\
                    <testcase name='a'/></testsuite>";
        assert_eq!(told(&run(&[file])).len(), 2);
    }

    #[test]
    fn attempts_count_by_the_last_where_the_format_shows_that_they_are_some() {
        let cases =
            "<testcase name='a'><failure/></testcase><testcase name='a'/><testcase name='b'/>";
        let go = format!(
            "<testsuite><properties><property name='go.version' value='1'/></properties>{cases}</testsuite>"
        );
        assert_eq!(told(&run(&[&go])), ["a flaky 2", "b passed 1"]);
        let reruns = format!("<testsuite name='pytest' tests='2'>{cases}</testsuite>");
        assert_eq!(told(&run(&[&reruns])), ["pytest::a flaky 2", "pytest::b passed 1"]);
        let duplicates = format!("<testsuite name='pytest' tests='3'>{cases}</testsuite>");
        assert_eq!(told(&run(&[&duplicates])), ["pytest::a failed 2", "pytest::b passed 1"]);
    }

    #[test]
    fn of_a_file_that_broke_off_the_worst_counts_too() {
        let mut run = Run::default();
        let deep = "<testsuite>".repeat(2_000);
        let file = format!(
            "<testsuite name='s'><testcase name='a'/><testcase name='a'><failure/></testcase>{deep}"
        );
        assert!(read(&mut file.as_bytes(), None, &mut run).is_err());
        run.lose_file();
        assert_eq!(told(&run), ["s::a failed 2"]);
    }

    #[test]
    fn the_files_of_a_run_are_one_table_and_none_excuses_another() {
        let failed = "<testsuite name='s'><testcase name='a'><failure/></testcase></testsuite>";
        let passed = "<testsuite name='s'><testcase name='a'/><testcase name='b'/></testsuite>";
        assert_eq!(told(&run(&[failed, passed])), ["s::a failed 2", "s::b passed 1"]);
        assert_eq!(told(&run(&[passed, failed])), ["s::a failed 2", "s::b passed 1"]);
    }
}
