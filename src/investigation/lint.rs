//! What makes a five-whys document worse: a person as the cause, a guess without evidence, an action
//! that nobody owns. It warns and never blocks a report.

use super::answers::{self, Answer, Confidence};
use super::document::{AGAIN, Document, Slot};

/// One remark about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// Where: `why 3`, `countermeasure 1`.
    pub place: String,
    /// What, and what would be better; one sentence.
    pub remark: String,
}

/// Words that name a person or a feeling where a condition of the system should stand.
const BLAME: [&str; 12] = [
    "human error",
    "operator error",
    "user error",
    "should have",
    "forgot",
    "careless",
    "negligen",
    "incompeten",
    "not paying attention",
    "fault of",
    "'s fault",
    "didn't bother",
];

/// Every remark, in the order of the document.
pub fn lint(document: &Document) -> Vec<Lint> {
    let authors = authors(document);
    let mut lints = Vec::new();
    for number in 2..=AGAIN {
        for answer in answers::answers(document.human_lines(Slot::Why(number))) {
            answer_lints(&mut lints, number, &answer, &authors);
        }
    }
    let (measures, _) = answers::countermeasures(document.human_lines(Slot::Actions));
    for (at, measure) in measures.iter().enumerate() {
        let place = format!("countermeasure {}", at + 1);
        if measure.owner.trim().is_empty() {
            let remark = "nobody owns it; an action without an owner is a wish".to_owned();
            lints.push(Lint { place: place.clone(), remark });
        }
        if measure.proof.trim().is_empty() {
            let remark = "no case is named that will prove it".to_owned();
            lints.push(Lint { place, remark });
        }
    }
    lints
}

fn answer_lints(lints: &mut Vec<Lint>, number: u8, answer: &Answer, authors: &[String]) {
    let place = format!("why {number}");
    let mut remark = |remark: String| lints.push(Lint { place: place.clone(), remark });
    let claim = answer.claim.to_lowercase();
    if let Some(words) = BLAME.iter().find(|words| claim.contains(*words)) {
        remark(format!("“{words}” is about a person; ask what made the mistake possible"));
    } else if let Some(author) = authors.iter().find(|author| names(&claim, author)) {
        remark(format!("{author} is a person, not a cause; ask what made it possible"));
    }
    let has_evidence = !answer.evidence.trim().is_empty();
    match answer.sureness() {
        Some(Confidence::Seen) if !has_evidence => {
            remark("it says “seen” and shows nothing: add the evidence".to_owned());
        }
        Some(Confidence::Likely | Confidence::Guess) | None if !has_evidence => {
            remark("a guess without evidence: say what would show it".to_owned());
        }
        Some(_) | None => {}
    }
}

/// Whether a name stands in a text as a word of its own.
fn names(text: &str, author: &str) -> bool {
    let author = author.to_lowercase();
    text.match_indices(&author).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + author.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// The authors in the tool's list of commits: `- `4f1c2aa` subject (lin, 2026-11-23 …): files`.
fn authors(document: &Document) -> Vec<String> {
    let lines = document.tool.get(&Slot::Commits).map_or(&[][..], Vec::as_slice);
    let author = |line: &String| {
        let (before, _) = line.rsplit_once(" UTC)")?;
        let (_, inner) = before.rsplit_once(" (")?;
        let (author, _) = inner.rsplit_once(", ")?;
        (author.chars().count() > 1).then(|| author.to_owned())
    };
    lines.iter().filter_map(author).collect()
}
