//! What people wrote, read with tolerance: answers to whys and countermeasures.
//!
//! Whatever fits no form is still there: as an answer in free words, or as a note.

use super::questions::is_skeleton;
use crate::domain::findings::Countermeasure;

/// How sure an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// Somebody saw it.
    Seen,
    /// The evidence speaks for it.
    Likely,
    /// It is a guess.
    Guess,
}

impl Confidence {
    fn parse(text: &str) -> Option<Self> {
        let lower = text.to_lowercase();
        let word = lower.split(|c: char| !c.is_alphabetic()).find(|word| !word.is_empty())?;
        match word {
            "seen" | "proved" | "proven" | "certain" => Some(Self::Seen),
            "likely" | "probable" | "probably" => Some(Self::Likely),
            "guess" | "guessed" | "hypothesis" => Some(Self::Guess),
            _ => None,
        }
    }
}

/// One answer to a why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// What is claimed.
    pub claim: String,
    /// What shows it.
    pub evidence: String,
    /// How sure it is, as written.
    pub confidence: String,
    /// What would disprove it.
    pub disproof: String,
}

impl Answer {
    /// How sure it is; `None` when that was not said in a word that is known.
    pub fn sureness(&self) -> Option<Confidence> {
        Confidence::parse(&self.confidence)
    }

    pub(super) fn is_empty(&self) -> bool {
        [&self.claim, &self.evidence, &self.confidence, &self.disproof]
            .iter()
            .all(|text| text.trim().is_empty())
    }

    /// The answer in one text.
    pub fn text(&self) -> String {
        let parts: Vec<String> = [
            ("evidence", &self.evidence),
            ("confidence", &self.confidence),
            ("would be false if", &self.disproof),
        ]
        .into_iter()
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(label, text)| format!("{label}: {}", text.trim()))
        .collect();
        match (self.claim.trim(), parts.is_empty()) {
            (claim, true) => claim.to_owned(),
            ("", false) => format!("({})", parts.join("; ")),
            (claim, false) => format!("{claim} ({})", parts.join("; ")),
        }
    }
}

/// A part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Claim,
    Evidence,
    Confidence,
    Disproof,
}

impl Part {
    pub(super) const ALL: [Self; 4] =
        [Self::Claim, Self::Evidence, Self::Confidence, Self::Disproof];

    /// Its name in a form.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Evidence => "evidence",
            Self::Confidence => "confidence",
            Self::Disproof => "disproof",
        }
    }

    /// What it is called in a document.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Claim => "Claim",
            Self::Evidence => "Evidence",
            Self::Confidence => "Confidence (seen, likely, guess)",
            Self::Disproof => "Would be false if",
        }
    }

    /// The part of a new answer, whose claim has this much space before it.
    pub(super) fn written(self, indent: &str, text: &str) -> Vec<String> {
        let within = if self == Self::Claim { "" } else { "  " };
        rewritten(&format!("{indent}{within}- {}:", self.label()), text)
    }
}

impl Answer {
    /// The text of a part.
    pub(super) fn part(&self, part: Part) -> &str {
        match part {
            Part::Claim => &self.claim,
            Part::Evidence => &self.evidence,
            Part::Confidence => &self.confidence,
            Part::Disproof => &self.disproof,
        }
    }

    fn append(&mut self, part: Part, text: &str) {
        let target = match part {
            Part::Claim => &mut self.claim,
            Part::Evidence => &mut self.evidence,
            Part::Confidence => &mut self.confidence,
            Part::Disproof => &mut self.disproof,
        };
        if !target.is_empty() && !text.is_empty() {
            target.push('\n');
        }
        target.push_str(text);
    }
}

/// An answer, and where it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) answer: Answer,
    /// The lines of each part, in the order of [`Part::ALL`].
    pub(super) at: [Vec<usize>; 4],
    /// The space before its first line.
    pub(super) indent: String,
}

impl Placed {
    fn stands(&self) -> bool {
        self.at.iter().any(|lines| !lines.is_empty())
    }
}

/// The answers within what people wrote under a why. An answer begins with its claim; words before
/// the first claim are an answer of their own.
pub fn answers(lines: &[String]) -> Vec<Answer> {
    let mut answers: Vec<Answer> = placed(lines).into_iter().map(|placed| placed.answer).collect();
    answers.retain(|answer| !answer.is_empty());
    answers
}

/// The same, with empty forms, and with the lines on which they stand.
pub(super) fn placed(lines: &[String]) -> Vec<Placed> {
    let mut all: Vec<Placed> = Vec::new();
    let mut current = Placed::default();
    let mut part = Part::Claim;
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (text, begins) = match labelled(line) {
            Some((named, text)) => {
                part = named;
                (text, named == Part::Claim)
            }
            None if is_skeleton(line) => continue,
            None => (line.trim(), false),
        };
        if begins && current.stands() {
            all.push(std::mem::take(&mut current));
        }
        if !current.stands() {
            current.indent = line[..line.len() - line.trim_start().len()].to_owned();
        }
        current.answer.append(part, text);
        current.at[part as usize].push(at);
    }
    if current.stands() {
        all.push(current);
    }
    all
}

/// The part that a line names, and the text after the colon.
fn labelled(line: &str) -> Option<(Part, &str)> {
    let line = line.trim().trim_start_matches(['-', '*', '+', ' ']);
    let (label, text) = line.split_once(':')?;
    let label = label.trim_matches(['*', '_', ' ']).to_lowercase();
    let label = label.split('(').next().unwrap_or_default().trim();
    let part = match label {
        "claim" | "answer" | "because" => Part::Claim,
        "evidence" => Part::Evidence,
        "confidence" => Part::Confidence,
        "would be false if" | "disproved by" | "what would disprove it" => Part::Disproof,
        _ => return None,
    };
    Some((part, text.trim_start_matches(['*', '_']).trim()))
}

/// The lines that take the place of one: its label stays as it was written.
pub(super) fn rewritten(line: &str, text: &str) -> Vec<String> {
    let space = &line[..line.len() - line.trim_start().len()];
    let (mut first, within) = match labelled(line) {
        Some(_) => {
            let colon = line.find(':').map_or(0, |at| at + 1);
            let marks = line[colon..].len() - line[colon..].trim_start_matches(['*', '_']).len();
            let is_item = line.trim_start().starts_with(['-', '*', '+']);
            let within = if is_item { "  " } else { "" };
            (line[..colon + marks].to_owned(), within)
        }
        None => (space.to_owned(), ""),
    };
    let is_label = !first.trim().is_empty();
    let mut lines = text.split('\n');
    let begin = lines.next().unwrap_or_default();
    if begin.is_empty() && !is_label {
        return Vec::new();
    }
    if is_label && !begin.is_empty() {
        first.push(' ');
    }
    first.push_str(begin);
    let more = lines.map(|line| format!("{space}{within}{line}"));
    std::iter::once(first).chain(more).collect()
}

/// The columns of the table that Andon writes.
const COLUMNS: [&str; 7] = ["What", "Kind", "Owner", "Due", "Priority", "Commit", "Proved by"];

/// The countermeasures in a table that people keep, and the lines that belong to none.
pub fn countermeasures(lines: &[String]) -> (Vec<Countermeasure>, Vec<String>) {
    let is_other = |line: &&String| !line.trim().is_empty() && cells(line).is_none();
    let other = lines.iter().filter(is_other).cloned().collect();
    let found = rows(lines).iter().filter(|row| !row.is_empty()).map(measure).collect();
    (found, other)
}

/// A row of such a table, and where it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// The columns as they are called there.
    pub(super) columns: Vec<String>,
    pub(super) cells: Vec<String>,
    /// Its line; `None` for one that is not there yet.
    pub(super) line: Option<usize>,
    /// The line after which such a one comes; `None` where there is no table.
    pub(super) after: Option<usize>,
}

impl Row {
    pub(super) fn is_empty(&self) -> bool {
        self.cells.iter().all(|cell| cell.is_empty())
    }
}

/// The rows of the tables; the last is empty, for one more.
pub(super) fn rows(lines: &[String]) -> Vec<Row> {
    let mut columns: Vec<String> = COLUMNS.map(str::to_owned).into();
    let mut rows: Vec<Row> = Vec::new();
    let mut after = None;
    for (at, line) in lines.iter().enumerate() {
        let Some(cells) = cells(line) else { continue };
        after = Some(at);
        let is_head = |cell: &String| {
            matches!(cell.to_lowercase().as_str(), "what" | "countermeasure" | "action")
        };
        let is_rule = |cell: &String| !cell.is_empty() && cell.chars().all(|c| "-: ".contains(c));
        if cells.iter().any(is_head) {
            columns = cells;
        } else if !cells.iter().any(is_rule)
            || cells.iter().any(|cell| !is_rule(cell) && !cell.is_empty())
        {
            rows.push(Row { columns: columns.clone(), cells, line: Some(at), after: None });
        }
    }
    if rows.last().is_none_or(|last| !last.is_empty()) {
        rows.push(Row { columns, cells: Vec::new(), line: None, after });
    }
    rows
}

/// A row with these cells.
pub(super) fn row_of(cells: &[String]) -> String {
    let mut row = "|".to_owned();
    for cell in cells {
        let cell = cell.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        row.push_str(&if cell.is_empty() { " |".to_owned() } else { format!(" {cell} |") });
    }
    row
}

/// The cells of a table row; a pipe after a backslash belongs to its cell.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?;
    let mut cells = vec![String::new()];
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'|') => {
                chars.next();
                cells.last_mut()?.push('|');
            }
            '|' => cells.push(String::new()),
            c => cells.last_mut()?.push(c),
        }
    }
    if cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    Some(cells.iter().map(|cell| cell.trim().to_owned()).collect())
}

fn measure(row: &Row) -> Countermeasure {
    let columns: Vec<String> = row.columns.iter().map(|column| column.to_lowercase()).collect();
    let cells = &row.cells;
    let get = |names: &[&str]| {
        let at = columns.iter().position(|column| names.contains(&column.as_str()));
        at.and_then(|at| cells.get(at)).cloned().unwrap_or_default()
    };
    let mut what = get(&["what", "countermeasure", "action"]);
    // Cells beyond the known columns are not dropped.
    for extra in cells.iter().skip(columns.len()).filter(|cell| !cell.is_empty()) {
        what.push_str(&format!(" | {extra}"));
    }
    Countermeasure {
        what,
        kind: get(&["kind", "type"]),
        owner: get(&["owner", "who"]),
        due: get(&["due", "due date", "by"]),
        priority: get(&["priority", "prio"]),
        commit: get(&["commit", "linked commit", "fix"]),
        proof: get(&["proved by", "proof", "case"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_answer_is_read_however_it_is_written() {
        let found = answers(&lines(
            "It was the factory.\n- **Claim:** token has no tenant\n  and nobody checks\n  - Evidence: auth.log 14:07\n  - Confidence (seen, likely, guess): Likely, I think\n* claim: second\n",
        ));
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].claim, "It was the factory.");
        assert_eq!(found[1].claim, "token has no tenant\nand nobody checks");
        assert_eq!(found[1].sureness(), Some(Confidence::Likely));
        assert_eq!(found[2].text(), "second");
        let empty = super::super::questions::skeleton(super::super::Slot::Why(2));
        assert!(answers(&lines(&empty.join("\n"))).is_empty());
    }

    #[test]
    fn countermeasures_follow_the_columns_that_people_chose() {
        let (found, other) = countermeasures(&lines(
            "we should\n| Owner | What |\n|---|---|\n| lin | contract \\| test | more |\n| | |\n",
        ));
        assert_eq!(other, ["we should"]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].owner.as_str(), found[0].what.as_str()),
            ("lin", "contract | test | more")
        );
    }
}
