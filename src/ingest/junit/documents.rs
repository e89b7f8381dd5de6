//! The elements that are open, what stands in them, and how a document goes on after damage.
//!
//! What it must not do: look at bytes.

use std::sync::Arc;

use crate::ingest::case::{Format, Problem, ProblemKind, Reading, Sink, SuiteError};
use crate::ingest::error::{MAX_DEPTH, Unreadable};
use crate::ingest::warnings::Warnings;
use crate::ingest::xml::{Tag, Wanted};

use super::ROOTS;
use super::case::{Moment, Names, OpenCase, OpenProblem};
use super::dialect::Signs;
use super::element::Element;
use super::stated::{Claims, Counted};

/// How many errors of suites are kept.
const MOST_SUITE_ERRORS: usize = 1_000;

/// How many bytes of a suite's name are kept.
const LONGEST_SUITE: usize = 1 << 10;

/// A suite whose element is open.
struct OpenSuite {
    name: Box<str>,
    project: Option<Arc<str>>,
    /// When it ran, as long as it may be the suite of one case alone.
    moment: Option<Moment>,
    /// Its first case, which ended, until it is known whether it is alone.
    held: Option<OpenCase>,
}

/// What a file holds: one document, or several one after another.
pub(super) struct Documents<'s> {
    sink: &'s mut dyn Sink,
    open: Vec<Element>,
    suites: Vec<OpenSuite>,
    path: Option<Arc<[Box<str>]>>,
    cases: Vec<OpenCase>,
    problem: Option<(OpenProblem, usize)>,
    names: Names,
    signs: Signs,
    claims: Claims,
    counted: Counted,
    suite_errors: Vec<SuiteError>,
    warnings: Warnings,
    unplaced: Vec<String>,
    documents: u64,
    complete: bool,
}

impl<'s> Documents<'s> {
    pub(super) fn new(sink: &'s mut dyn Sink) -> Self {
        Self {
            sink,
            open: Vec::new(),
            suites: Vec::new(),
            path: None,
            cases: Vec::new(),
            problem: None,
            names: Names::default(),
            signs: Signs::default(),
            claims: Claims::default(),
            counted: Counted::default(),
            suite_errors: Vec::new(),
            warnings: Warnings::default(),
            unplaced: Vec::new(),
            documents: 0,
            complete: true,
        }
    }

    /// What is of interest where we are.
    pub(super) fn wanted(&self) -> Wanted {
        match (self.open.is_empty(), &self.problem) {
            (true, _) => Wanted::Only(ROOTS),
            (false, Some(_)) => Wanted::Texts,
            (false, None) => Wanted::Tags,
        }
    }

    /// A start tag. The name of an element whose content is to be passed over, where it is one.
    pub(super) fn start(&mut self, tag: &Tag<'_>) -> Result<Option<&'static str>, Unreadable> {
        let element = Element::of(tag.name());
        if element == Element::Suites && !self.cases.is_empty() {
            self.restart();
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        if self.open.is_empty() {
            self.documents += 1;
        }
        self.enter(element, tag);
        self.open.push(element);
        if tag.empty {
            self.leave();
            return Ok(None);
        }
        Ok(match element {
            Element::Output(name) => Some(name),
            _ => None,
        })
    }

    fn enter(&mut self, element: Element, tag: &Tag<'_>) {
        match element {
            Element::Suites => {
                self.signs.root(tag);
                if self.open.is_empty() {
                    self.claims.root(tag);
                }
            }
            Element::Suite => self.enter_suite(tag),
            Element::Case => self.enter_case(tag),
            Element::Problem(kind) | Element::Rerun(kind) | Element::Flaky(kind) => {
                if self.problem.is_none() {
                    self.problem = Some((OpenProblem::new(tag, kind), self.open.len()));
                }
            }
            Element::Skipped => {
                if let Some(case) = self.cases.last_mut() {
                    case.skip(tag);
                }
            }
            Element::Property => self.signs.property(tag),
            Element::Output(_) | Element::Other(_) => {}
        }
    }

    fn enter_suite(&mut self, tag: &Tag<'_>) {
        self.signs.suite(tag);
        if self.suites.is_empty() {
            self.claims.suite(tag);
        }
        let name = tag.attribute("name").map(|name| name.text()).unwrap_or_default();
        let name = &name[..name.floor_char_boundary(LONGEST_SUITE)];
        let project = self.signs.project(tag).map(Arc::from);
        let project = project.or_else(|| self.suites.last()?.project.clone());
        self.not_alone();
        let moment = Moment::of(tag);
        self.suites.push(OpenSuite { name: name.into(), project, moment, held: None });
        self.path = None;
    }

    fn enter_case(&mut self, tag: &Tag<'_>) {
        self.signs.case(tag);
        if self.suites.last().is_some_and(|suite| suite.held.is_some()) {
            self.not_alone();
        }
        let suite = self.path();
        let mut case = OpenCase::new(tag, suite, &mut self.names);
        if !case.has_name() {
            self.warn("a case without a name");
        }
        case.set_project(self.suites.last().and_then(|suite| suite.project.clone()));
        self.cases.push(case);
    }

    /// The names of the suites that are open.
    fn path(&mut self) -> Arc<[Box<str>]> {
        let suites = &self.suites;
        let path = self
            .path
            .get_or_insert_with(|| suites.iter().map(|suite| suite.name.clone()).collect());
        Arc::clone(path)
    }

    /// A piece of text.
    pub(super) fn text(&mut self, piece: &str) {
        if let Some((problem, _)) = &mut self.problem {
            problem.text(piece);
        }
    }

    /// An end tag: the innermost element of that name ends, and what was left open in it.
    pub(super) fn end(&mut self, element: Element) {
        let Some(at) = self.open.iter().rposition(|open| *open == element) else {
            return self.end_without_start(element);
        };
        if at + 1 < self.open.len() {
            self.warn("an element is not closed");
        }
        while self.open.len() > at + 1 {
            self.lose();
        }
        self.leave();
    }

    /// The start tag of a failure was lost: the case that it stands in did not pass.
    fn end_without_start(&mut self, element: Element) {
        self.warn("an end tag without its start");
        let (Element::Problem(_), Some(case)) = (element, self.cases.last_mut()) else { return };
        case.problem(Problem {
            kind: ProblemKind::Error,
            class: None,
            message: "the element that says what failed is damaged".into(),
            text: String::new(),
        });
    }

    /// The innermost element ends as it should.
    fn leave(&mut self) {
        let Some(element) = self.open.pop() else { return };
        match element {
            Element::Case => {
                if let Some(case) = self.cases.pop() {
                    self.leave_case(case);
                }
            }
            Element::Suite => {
                if let Some(OpenSuite { held: Some(mut case), moment, .. }) = self.suites.pop() {
                    case.ran_at(moment);
                    self.report(case);
                }
                self.path = None;
            }
            Element::Problem(_) | Element::Rerun(_) | Element::Flaky(_) => {
                self.leave_problem(element)
            }
            Element::Suites
            | Element::Skipped
            | Element::Output(_)
            | Element::Property
            | Element::Other(_) => {}
        }
        if self.open.is_empty() {
            self.claims.end_document();
        }
    }

    fn leave_problem(&mut self, element: Element) {
        let Some((problem, _)) = self.problem.take_if(|(_, depth)| *depth == self.open.len())
        else {
            return;
        };
        let problem = problem.close();
        let Some(case) = self.cases.last_mut() else {
            return self.suite_error(problem);
        };
        match element {
            Element::Rerun(_) => case.rerun(problem),
            Element::Flaky(_) => case.flaky(problem),
            _ => case.problem(problem),
        }
    }

    fn suite_error(&mut self, problem: Problem) {
        if self.suite_errors.len() < MOST_SUITE_ERRORS {
            let suite = self.path();
            self.suite_errors.push(SuiteError { suite, message: problem.message });
        } else {
            self.warn("more errors of suites than are kept");
        }
    }

    /// A case that may turn out to be alone in its suite waits for the end of that.
    fn leave_case(&mut self, case: OpenCase) {
        match self.suites.last_mut() {
            Some(suite) if suite.moment.is_some() && suite.held.is_none() => {
                suite.held = Some(case);
            }
            Some(_) | None => self.report(case),
        }
    }

    /// The innermost suite holds more than one case: when it ran says nothing of each.
    fn not_alone(&mut self) {
        let Some(suite) = self.suites.last_mut() else { return };
        suite.moment = None;
        if let Some(case) = suite.held.take() {
            self.report(case);
        }
    }

    fn report(&mut self, case: OpenCase) {
        let case = case.close();
        self.counted.add(case.outcome);
        self.sink.case(case);
    }

    /// The innermost element ends because something around it does. A case counts if it had failed.
    fn lose(&mut self) {
        let lost = self.open.last() == Some(&Element::Case)
            && self.cases.pop_if(|case| !case.is_failing()).is_some();
        if lost {
            self.open.pop();
            self.warn("a case does not end, and is left out");
            self.complete = false;
        } else {
            self.leave();
        }
    }

    /// A new document begins. What is open will not be closed.
    pub(super) fn restart(&mut self) {
        if !self.open.is_empty() {
            self.warn("another document begins within this one");
            self.lose_all();
        }
    }

    fn lose_all(&mut self) {
        self.complete = false;
        while !self.open.is_empty() {
            self.lose();
        }
        self.claims.end_document();
    }

    /// Something is wrong with a tag.
    pub(super) fn damaged(&mut self, what: &'static str) {
        self.warn(what);
    }

    fn warn(&mut self, what: impl Into<String>) {
        if self.unplaced.len() <= MAX_DEPTH {
            self.unplaced.push(what.into());
        }
    }

    /// Whether there is a warning whose line is not known yet: lines are counted only where one is.
    pub(super) fn has_unplaced(&self) -> bool {
        !self.unplaced.is_empty()
    }

    /// What was told since this was called last, was at this line.
    pub(super) fn place(&mut self, line: u64) {
        for what in self.unplaced.drain(..) {
            self.warnings.add(Some(line), what);
        }
    }

    /// The input ended.
    pub(super) fn finish(
        mut self,
        unfinished: Option<&'static str>,
        line: u64,
    ) -> Result<Reading, Unreadable> {
        if self.documents == 0 {
            return Err(Unreadable::NotResults { found: "no test suite in it".into() });
        }
        if !self.open.is_empty() {
            self.warn(format!("the file ends within {}", unfinished.unwrap_or("an element")));
            self.lose_all();
        }
        self.place(line);
        if self.documents > 1 {
            self.warnings.add(None, format!("{} documents in one file", self.documents));
        }
        let stated = self.claims.all();
        if self.complete {
            self.counted.compare(&stated, &mut self.warnings);
        }
        Ok(Reading {
            format: Format::Junit,
            dialect: self.signs.dialect(),
            cases: self.counted.cases,
            suite_errors: self.suite_errors,
            warnings: self.warnings.into_vec(),
            complete: self.complete,
            stated,
        })
    }
}
