//! A document as a form: the answers to its whys, its countermeasures and its notes as fields. What is
//! filled in changes the lines of that field; every other line stays to the last byte.

use std::ops::Range;

use super::anchor::{self, Piece};
use super::answers::{self, Part, Placed, Row};
use super::document::{AGAIN, Slot};
use super::lines::{self, Line, ending_of, joined};
use super::questions::skeleton;

/// A document as a form. It is one only where no anchor of the document is damaged: else nobody knows
/// what is the tool's and what is a person's.
#[derive(Debug, Clone)]
pub struct Sheet {
    text: String,
    whys: Vec<WhyPart>,
    actions: Option<ActionsPart>,
    notes: Option<Range<usize>>,
}

/// A question, and what people answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhySheet {
    /// The question, with its number.
    pub question: String,
    /// Where evidence may be found.
    pub look_at: Option<String>,
    /// The answers; the last is empty, for one more.
    pub answers: Vec<Vec<Field>>,
}

/// The countermeasures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionSheet {
    /// Each row with its columns; the last is empty, for one more.
    pub rows: Vec<Vec<Field>>,
}

/// A field of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in the form.
    pub name: String,
    /// What it is called.
    pub label: String,
    /// What it holds.
    pub value: String,
    /// Whether it holds how sure an answer is.
    pub is_confidence: bool,
}

#[derive(Debug, Clone)]
struct WhyPart {
    number: u8,
    question: String,
    look_at: Option<String>,
    region: Range<usize>,
    answers: Vec<Placed>,
}

#[derive(Debug, Clone)]
struct ActionsPart {
    region: Range<usize>,
    rows: Vec<Row>,
}

/// Lines in the place of others.
struct Change {
    at: Range<usize>,
    lines: Vec<String>,
}

impl Sheet {
    /// The form of a document.
    pub fn of(text: &str) -> Option<Self> {
        let lines = lines::lines(text);
        let parts = parts(&lines)?;
        let owned = |range: &Range<usize>| -> Vec<String> {
            lines[range.clone()].iter().map(|line| line.says.to_owned()).collect()
        };
        let find = |slot| parts.iter().find(|part| part.slot == slot);
        let why = |number| {
            let part = find(Slot::Why(number))?;
            let asked = owned(&part.tool);
            let question = asked.iter().find_map(|line| line.strip_prefix("### "))?.to_owned();
            let look_at = asked.iter().find_map(|line| line.strip_prefix("*Look at: "));
            Some(WhyPart {
                number,
                question,
                look_at: look_at.map(|text| text.trim_end_matches(['*', '.']).to_owned()),
                region: part.people.clone(),
                answers: with_one_more(answers::placed(&owned(&part.people))),
            })
        };
        let actions = find(Slot::Actions).map(|part| ActionsPart {
            region: part.people.clone(),
            rows: answers::rows(&owned(&part.people)),
        });
        let sheet = Self {
            whys: (2..=AGAIN).filter_map(why).collect(),
            actions,
            notes: find(Slot::Notes).map(|part| part.people.clone()),
            text: text.to_owned(),
        };
        (!sheet.whys.is_empty()).then_some(sheet)
    }

    /// The questions and answers.
    pub fn whys(&self) -> Vec<WhySheet> {
        let sheet = |why: &WhyPart| WhySheet {
            question: why.question.clone(),
            look_at: why.look_at.clone(),
            answers: (0..)
                .zip(&why.answers)
                .map(|(at, it)| fields_of(why.number, at, it))
                .collect(),
        };
        self.whys.iter().map(sheet).collect()
    }

    /// The countermeasures; `None` where they have no place.
    pub fn actions(&self) -> Option<ActionSheet> {
        let actions = self.actions.as_ref()?;
        let fields = |(at, row): (usize, &Row)| {
            let field = |(column, label): (usize, &String)| Field {
                name: format!("measure-{at}-{column}"),
                label: label.clone(),
                value: row.cells.get(column).cloned().unwrap_or_default(),
                is_confidence: false,
            };
            row.columns.iter().enumerate().map(field).collect()
        };
        Some(ActionSheet { rows: actions.rows.iter().enumerate().map(fields).collect() })
    }

    /// The notes; `None` where they have no place.
    pub fn notes(&self) -> Option<Field> {
        let lines = lines::lines(&self.text);
        let region = trimmed(&lines, self.notes.clone()?);
        let says: Vec<&str> = lines[region].iter().map(|line| line.says).collect();
        let (name, label) = ("notes".to_owned(), "Notes".to_owned());
        Some(Field { name, label, value: says.join("\n"), is_confidence: false })
    }

    /// The document with what somebody filled in, by the name of the field; `None` leaves one as it is.
    pub fn filled(&self, given: impl Fn(&str) -> Option<String>) -> String {
        let lines = lines::lines(&self.text);
        let mut changes = Vec::new();
        for why in &self.whys {
            for (at, answer) in why.answers.iter().enumerate() {
                let fields = fields_of(why.number, at, answer);
                let wanted = fields.iter().map(|field| changed(field, &given)).collect();
                changes.extend(answer_changes(why, answer, wanted, &lines));
            }
        }
        if let (Some(actions), Some(sheet)) = (&self.actions, self.actions()) {
            for (row, fields) in actions.rows.iter().zip(&sheet.rows) {
                let wanted: Vec<Option<String>> =
                    fields.iter().map(|field| changed(field, &given)).collect();
                changes.extend(row_change(actions, row, wanted, &lines));
            }
        }
        if let (Some(region), Some(field)) = (&self.notes, self.notes())
            && let Some(text) = given("notes").map(|text| text.replace("\r\n", "\n"))
            && text.trim() != field.value.trim()
        {
            let at = trimmed(&lines, region.clone());
            changes.push(block(
                at,
                text.trim().split('\n').map(anchor::harmless).collect(),
                &lines,
            ));
        }
        with(&lines, changes)
    }
}

fn fields_of(why: u8, at: usize, placed: &Placed) -> Vec<Field> {
    let field = |part: Part| Field {
        name: format!("why-{why}-{at}-{}", part.name()),
        label: part.label().to_owned(),
        value: placed.answer.part(part).to_owned(),
        is_confidence: part == Part::Confidence,
    };
    Part::ALL.map(field).into()
}

/// What a field shall hold, where that is another than it does.
fn changed(field: &Field, given: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let text = given(&field.name)?;
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let text = lines.join("\n");
    (text != field.value).then(|| anchor::harmless(&text))
}

fn with_one_more(mut answers: Vec<Placed>) -> Vec<Placed> {
    if answers.last().is_none_or(|last| !last.answer.is_empty()) {
        answers.push(Placed::default());
    }
    answers
}

fn answer_changes(
    why: &WhyPart,
    placed: &Placed,
    wanted: Vec<Option<String>>,
    lines: &[Line<'_>],
) -> Vec<Change> {
    let region = &why.region;
    if wanted.iter().all(Option::is_none) {
        return Vec::new();
    }
    let Some(last) = placed.at.iter().flatten().max() else {
        let end = trimmed(lines, region.clone()).end;
        let values = Part::ALL.iter().zip(wanted);
        let answer = values.flat_map(|(part, value)| part.written("", &value.unwrap_or_default()));
        return vec![block(end..end, answer.collect(), lines)];
    };
    let mut changes = Vec::new();
    for (part, value) in Part::ALL.iter().zip(wanted) {
        let Some(value) = value else { continue };
        let here = &placed.at[*part as usize];
        let Some((first, others)) = here.split_first() else {
            let at = region.start + last + 1;
            let indent: String = placed.indent.clone();
            changes.push(Change { at: at..at, lines: part.written(&indent, &value) });
            continue;
        };
        let first = region.start + first;
        changes.push(Change {
            at: first..first + 1,
            lines: answers::rewritten(lines[first].says, &value),
        });
        changes.extend(others.iter().map(|other| {
            let other = region.start + other;
            Change { at: other..other + 1, lines: Vec::new() }
        }));
    }
    changes
}

fn row_change(
    actions: &ActionsPart,
    row: &Row,
    wanted: Vec<Option<String>>,
    lines: &[Line<'_>],
) -> Option<Change> {
    if wanted.iter().all(Option::is_none) {
        return None;
    }
    let mut cells = row.cells.clone();
    cells.resize(cells.len().max(wanted.len()), String::new());
    for (cell, value) in cells.iter_mut().zip(wanted) {
        if let Some(value) = value {
            *cell = value;
        }
    }
    let written = answers::row_of(&cells);
    let start = actions.region.start;
    if let Some(at) = row.line {
        return Some(Change { at: start + at..start + at + 1, lines: vec![written] });
    }
    match row.after {
        Some(after) => {
            let at = start + after + 1;
            Some(Change { at: at..at, lines: vec![written] })
        }
        None => {
            let end = trimmed(lines, actions.region.clone()).end;
            let head = skeleton(Slot::Actions).iter().take(2).map(|line| (*line).to_owned());
            Some(block(end..end, head.chain([written]).collect(), lines))
        }
    }
}

/// Lines that stand by themselves: with blank ones around them where others follow.
fn block(at: Range<usize>, mut new: Vec<String>, lines: &[Line<'_>]) -> Change {
    let is_blank = |line: Option<&Line<'_>>| line.is_none_or(|line| line.says.trim().is_empty());
    if new.iter().all(|line| line.is_empty()) {
        return Change { at, lines: Vec::new() };
    }
    let before = at.start.checked_sub(1).and_then(|before| lines.get(before));
    if !is_blank(before) && at.is_empty() {
        new.insert(0, String::new());
    }
    if !is_blank(lines.get(at.end)) {
        new.push(String::new());
    }
    Change { at, lines: new }
}

/// The text with these changes.
fn with(lines: &[Line<'_>], mut changes: Vec<Change>) -> String {
    changes.sort_by_key(|change| (change.at.start, !change.at.is_empty()));
    let ending = ending_of(lines);
    let fresh: Vec<(Range<usize>, Vec<String>)> = changes
        .into_iter()
        .map(|change| {
            let ended = change.lines.into_iter().map(|line| line + ending).collect();
            (change.at, ended)
        })
        .collect();
    let mut all: Vec<Line<'_>> = Vec::new();
    let mut at = 0;
    for (range, new) in &fresh {
        all.extend(&lines[at..range.start.max(at)]);
        all.extend(new.iter().map(|raw| Line { says: raw.trim_end_matches(['\n', '\r']), raw }));
        at = range.end.max(at);
    }
    all.extend(&lines[at..]);
    joined(all, ending)
}

/// Without the blank lines around; where all are blank, the place after the first.
fn trimmed(lines: &[Line<'_>], range: Range<usize>) -> Range<usize> {
    let is_written = |at: &usize| !lines[*at].says.trim().is_empty();
    match (range.clone().find(is_written), range.clone().rev().find(is_written)) {
        (Some(first), Some(last)) => first..last + 1,
        _ => {
            let at = (range.start + 1).min(range.end);
            at..at
        }
    }
}

/// A part of the tool, and where people write after it.
struct Anchored {
    slot: Slot,
    tool: Range<usize>,
    people: Range<usize>,
}

/// The parts of a document; `None` where an anchor is gone, doubled or not alone on its line.
fn parts(lines: &[Line<'_>]) -> Option<Vec<Anchored>> {
    let mut parts: Vec<Anchored> = Vec::new();
    let mut inside: Option<(Slot, usize)> = None;
    for (at, line) in lines.iter().enumerate() {
        let pieces = anchor::pieces(line.says);
        match pieces.as_slice() {
            [Piece::Text(_) | Piece::Meta(_)] => {}
            [Piece::Begin(slot, _)] => {
                if inside.is_some() || parts.iter().any(|part| part.slot == *slot) {
                    return None;
                }
                if let Some(before) = parts.last_mut() {
                    before.people.end = at;
                }
                inside = Some((*slot, at + 1));
            }
            [Piece::End(slot)] => {
                let (begun, from) = inside.take()?;
                if begun != *slot {
                    return None;
                }
                let people = at + 1..lines.len();
                parts.push(Anchored { slot: begun, tool: from..at, people });
            }
            _ => return None,
        }
    }
    inside.is_none().then_some(parts)
}

#[cfg(test)]
mod tests;
