//! The Test Anything Protocol, versions 12 to 14, as real tools write it.
//!
//! Cases are the leaves; a subtest's own result counts only where it failed and none of its leaves did.
//! Faults of numbering are warnings. A plan that is missing or not met, and a bail-out, make the file
//! incomplete.
//!
//! What it must not do: take what the tests themselves print for results, as far as indent and blocks
//! tell them apart.

use std::io::BufRead;

use super::case::{Format, Reading, Sink, Stated};
use super::error::{MAX_DEPTH, Unreadable};
use super::lines::Lines;
use super::warnings::Warnings;

mod diagnostic;
mod line;
mod tree;

use diagnostic::Diagnostic;
use line::{Line, Plan, Point, STEP, parse};
use tree::{Brace, Level, Open, emit};

/// Reads the cases of a file.
pub(super) fn read(input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<Reading, Unreadable> {
    let mut lines = Lines::new(input);
    let mut reader = Reader::new(sink);
    while let Some((number, line)) = lines.next()? {
        reader.line(number, &line);
        if reader.bailed {
            break;
        }
    }
    let cut = lines.cut();
    if cut > 0 {
        reader.warnings.add(None, format!("{cut} lines were too long and are cut"));
    }
    reader.finish()
}

struct Reader<'a> {
    sink: &'a mut dyn Sink,
    cases: u64,
    levels: Vec<Level>,
    /// The block that is open: the columns it is indented by.
    block: Option<usize>,
    /// The level of the last point, as long as diagnostics may follow it.
    last: Option<usize>,
    announced: Option<(usize, String)>,
    next_number: u64,
    misnumbered: bool,
    bailed: bool,
    /// Whether something was seen that only TAP has.
    seen: bool,
    blank: bool,
    warnings: Warnings,
}

impl<'a> Reader<'a> {
    fn new(sink: &'a mut dyn Sink) -> Self {
        Self {
            sink,
            cases: 0,
            levels: vec![Level::default()],
            block: None,
            last: None,
            announced: None,
            next_number: 1,
            misnumbered: false,
            bailed: false,
            seen: false,
            blank: true,
            warnings: Warnings::default(),
        }
    }

    fn line(&mut self, number: u64, text: &str) {
        let (indent, line) = parse(text);
        if line != Line::Blank {
            self.blank = false;
        }
        if let Some(block) = self.block
            && self.within_block(block, number, indent, text, &line)
        {
            return;
        }
        let level = indent.is_multiple_of(STEP).then_some(indent / STEP);
        let level = level.filter(|level| *level <= MAX_DEPTH);
        match (line, level) {
            (Line::Point(point), Some(level)) => self.point(number, level, point),
            (Line::Plan(plan), Some(level)) => self.plan(number, level, plan),
            (Line::Bail(reason), _) => {
                self.seen = true;
                self.bailed = true;
                self.warnings.add(Some(number), format!("the run bailed out: {reason}"));
            }
            (Line::Subtest(name), Some(level)) => {
                self.announced = Some((level, name.to_owned()));
                self.last = None;
            }
            (Line::Comment(comment), _) => self.comment(comment),
            (Line::YamlStart, _) => self.start_block(indent),
            (Line::Open, Some(level)) => self.late_brace(level),
            (Line::Close, Some(level)) => self.close_brace(level),
            (Line::Version, _) => self.seen = true,
            (
                Line::Point(_)
                | Line::Plan(_)
                | Line::Subtest(_)
                | Line::Open
                | Line::Close
                | Line::YamlEnd
                | Line::Blank
                | Line::Other,
                _,
            ) => {}
        }
    }

    /// Whether the line belongs to the open block. A result or a bail-out that is indented less than
    /// the block ends it as well, because some writers never close theirs.
    fn within_block(
        &mut self,
        block: usize,
        number: u64,
        indent: usize,
        text: &str,
        line: &Line<'_>,
    ) -> bool {
        let outside = indent < block && indent.is_multiple_of(STEP);
        let ends = match line {
            Line::YamlEnd => indent <= block,
            Line::Point(_) | Line::Bail(_) if outside => {
                self.warnings.add(Some(number), "a block of diagnostics was not closed");
                self.block = None;
                return false;
            }
            _ => false,
        };
        if ends {
            self.block = None;
        } else if let Some(open) = self.last_open() {
            // Some write a second `---` in place of an end.
            match line {
                Line::YamlStart if indent == block => open.diagnostic.restart(),
                _ => open.diagnostic.line(indent, text),
            }
        }
        true
    }

    fn last_open(&mut self) -> Option<&mut Open> {
        self.last.and_then(|level| self.levels.get_mut(level)?.open.as_mut())
    }

    fn start_block(&mut self, indent: usize) {
        let Some(level) = self.last else { return };
        let near = indent > level * STEP && indent <= (level + 1) * STEP;
        if near && let Some(open) = self.last_open() {
            open.diagnostic.restart();
            self.block = Some(indent);
        }
    }

    fn comment(&mut self, comment: &str) {
        if is_summary(comment) {
            return;
        }
        if let Some(open) = self.last_open()
            && !open.point.ok
            && open.point.directive.is_none()
        {
            open.diagnostic.comment(comment);
        }
    }

    fn point(&mut self, number: u64, level: usize, point: Point) {
        self.seen = true;
        while self.levels.len() <= level {
            self.levels.push(Level::default());
        }
        self.name_level(level);
        self.end_brace(number, level);
        let children = self.fold(level + 1);
        if level == 0 {
            self.check_number(number, point.number);
        }
        let brace = if point.opens { Brace::Open } else { Brace::None };
        let open = Open { point, children, diagnostic: Diagnostic::default(), brace };
        let at = &mut self.levels[level];
        at.close();
        at.points += 1;
        at.open = Some(open);
        self.last = Some(level);
        if level == 0 {
            self.hand_over();
        }
    }

    /// The comment before a subtest's first point may stand at its own indent or at its parent's.
    fn name_level(&mut self, level: usize) {
        if level > 0
            && self.levels[level].is_untouched()
            && let Some((at, name)) = self.announced.take()
            && (at == level || at + 1 == level)
        {
            self.levels[level].name = Some(name);
        }
    }

    /// A point at the level of an open brace: what looked like a brace was the end of a name, or it was
    /// never closed.
    fn end_brace(&mut self, number: u64, level: usize) {
        let below = self.levels.get(level + 1).is_some_and(|below| !below.is_untouched());
        let Some(open) = self.levels[level].open.as_mut() else { return };
        if open.brace == Brace::Open && !below {
            open.brace = Brace::None;
            open.point.name.push_str(" {");
        } else if open.brace != Brace::None {
            self.warnings.add(Some(number), "a subtest's brace was not closed");
            self.close_brace(level);
        }
    }

    fn late_brace(&mut self, level: usize) {
        if self.last == Some(level)
            && let Some(open) = self.levels[level].open.as_mut()
            && open.brace == Brace::None
        {
            open.brace = Brace::Late;
        }
    }

    fn close_brace(&mut self, level: usize) {
        if !self.levels.get(level).is_some_and(Level::is_braced) {
            return;
        }
        let mut children = self.fold(level + 1);
        if let Some(open) = self.levels[level].open.as_mut() {
            if open.brace == Brace::Late {
                children.retain(tree::Node::has_failed);
            }
            open.children.extend(children);
            open.brace = Brace::None;
        }
        self.last = Some(level);
    }

    /// All that is indented at least so deep: the children of a point above it.
    fn fold(&mut self, from: usize) -> Vec<tree::Node> {
        while self.levels.len() > from {
            let Some(mut deepest) = self.levels.pop() else { break };
            deepest.close();
            if let Some(plan) = deepest.plan
                && plan != deepest.points
            {
                let points = deepest.points;
                self.warnings
                    .add(None, format!("a subtest planned {plan} points and has {points}"));
            }
            if self.levels.len() == from {
                return deepest.take();
            }
            let name = deepest.name.take();
            if let Some(parent) = self.levels.last_mut() {
                parent.adopt(name, deepest.take());
            }
        }
        Vec::new()
    }

    fn check_number(&mut self, line: u64, number: Option<u64>) {
        let expected = self.next_number;
        self.next_number = number.unwrap_or(expected).saturating_add(1);
        if number.is_some_and(|number| number != expected) && !self.misnumbered {
            self.misnumbered = true;
            let what = format!("points are misnumbered: {expected} was due");
            self.warnings.add(Some(line), what);
        }
    }

    fn plan(&mut self, number: u64, level: usize, plan: Plan<'_>) {
        self.seen = true;
        if level > 0 {
            if let Some(at) = self.levels.get_mut(level) {
                at.plan.get_or_insert(plan.count);
            }
            return;
        }
        if self.levels[0].plan.is_some() {
            self.warnings.add(Some(number), "a second plan, which does not count");
            return;
        }
        self.levels[0].plan = Some(plan.count);
        if let Some(reason) = plan.skip {
            self.warnings.add(Some(number), format!("the file skips everything: {reason}"));
        }
        if self.levels[0].points > 0 {
            // What follows a closing plan is no diagnostic any more.
            self.last = None;
        }
    }

    fn hand_over(&mut self) {
        let complete = self.levels[0].take();
        self.cases += emit(complete, self.sink);
    }

    fn finish(mut self) -> Result<Reading, Unreadable> {
        if !self.seen {
            let found = "text without a line of TAP".to_owned();
            return Err(if self.blank {
                Unreadable::Empty
            } else {
                Unreadable::NotResults { found }
            });
        }
        let mut complete = !self.bailed;
        if self.block.is_some() {
            complete = false;
            self.warnings.add(None, "the file ends within a block of diagnostics");
        }
        if self.adopt_orphans() {
            complete = false;
            self.warnings.add(None, "the file ends within a subtest");
        }
        self.levels[0].close();
        self.hand_over();
        let Level { plan, points, .. } = self.levels[0];
        match plan {
            None => self.warnings.add(None, "there is no plan"),
            Some(plan) if plan != points => {
                self.warnings.add(None, format!("{plan} points are planned, {points} are there"));
            }
            Some(_) => {}
        }
        Ok(Reading {
            format: Format::Tap,
            dialect: "tap",
            cases: self.cases,
            suite_errors: Vec::new(),
            complete: complete && plan == Some(points),
            warnings: self.warnings.into_vec(),
            stated: Stated { tests: plan, ..Stated::default() },
        })
    }

    /// Whether there were cases whose parent is not complete or never came. They are kept under the name
    /// that an open brace or a comment gives.
    fn adopt_orphans(&mut self) -> bool {
        let name = self.levels.get_mut(1).and_then(|level| level.name.take());
        let unclosed = self.levels[0].is_braced();
        let orphans = self.fold(1);
        let any = unclosed || !orphans.is_empty();
        self.levels[0].adopt(name, orphans);
        any
    }
}

/// The figures that many tools print at the end, as comments.
fn is_summary(comment: &str) -> bool {
    const FIGURES: [&str; 10] = [
        "tests",
        "suites",
        "pass",
        "fail",
        "ok",
        "cancelled",
        "skipped",
        "skip",
        "todo",
        "duration_ms",
    ];
    let mut words = comment.split_whitespace();
    let first = words.next().unwrap_or_default();
    let figure = words.next().is_none_or(|word| word.parse::<f64>().is_ok());
    comment.starts_with("time=") || (FIGURES.contains(&first) && figure && words.next().is_none())
}

#[cfg(test)]
mod tests;
