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

    fn is_empty(&self) -> bool {
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

#[derive(Clone, Copy)]
enum Field {
    Claim,
    Evidence,
    Confidence,
    Disproof,
}

/// The answers within what people wrote under a why. An answer begins with its claim; words before
/// the first claim are an answer of their own.
pub fn answers(lines: &[String]) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    let mut current = Answer::default();
    let mut field = Field::Claim;
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let (text, begins) = match labelled(line) {
            Some((named, text)) => {
                field = named;
                (text, matches!(named, Field::Claim))
            }
            None if is_skeleton(line) => continue,
            None => (line.trim(), false),
        };
        if begins && !current.is_empty() {
            answers.push(std::mem::take(&mut current));
        }
        append(&mut current, field, text);
    }
    answers.push(current);
    answers.retain(|answer| !answer.is_empty());
    answers
}

fn append(answer: &mut Answer, field: Field, text: &str) {
    let target = match field {
        Field::Claim => &mut answer.claim,
        Field::Evidence => &mut answer.evidence,
        Field::Confidence => &mut answer.confidence,
        Field::Disproof => &mut answer.disproof,
    };
    if !target.is_empty() && !text.is_empty() {
        target.push('\n');
    }
    target.push_str(text);
}

/// The field that a line names, and the text after the colon.
fn labelled(line: &str) -> Option<(Field, &str)> {
    let line = line.trim().trim_start_matches(['-', '*', '+', ' ']);
    let (label, text) = line.split_once(':')?;
    let label = label.trim_matches(['*', '_', ' ']).to_lowercase();
    let label = label.split('(').next().unwrap_or_default().trim();
    let field = match label {
        "claim" | "answer" | "because" => Field::Claim,
        "evidence" => Field::Evidence,
        "confidence" => Field::Confidence,
        "would be false if" | "disproved by" | "what would disprove it" => Field::Disproof,
        _ => return None,
    };
    Some((field, text.trim_start_matches(['*', '_']).trim()))
}

/// The countermeasures in a table that people keep, and the lines that belong to none.
pub fn countermeasures(lines: &[String]) -> (Vec<Countermeasure>, Vec<String>) {
    let mut columns: Vec<String> =
        ["what", "kind", "owner", "due", "priority", "commit", "proved by"]
            .map(str::to_owned)
            .into();
    let mut found = Vec::new();
    let mut other = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let Some(cells) = cells(line) else {
            other.push(line.clone());
            continue;
        };
        let lower: Vec<String> = cells.iter().map(|cell| cell.to_lowercase()).collect();
        if lower.iter().any(|cell| matches!(cell.as_str(), "what" | "countermeasure" | "action")) {
            columns = lower;
        } else if cells.iter().any(|cell| cell.contains(|c: char| !matches!(c, '-' | ':' | ' '))) {
            found.push(measure(&columns, &cells));
        }
    }
    (found, other)
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

fn measure(columns: &[String], cells: &[String]) -> Countermeasure {
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
