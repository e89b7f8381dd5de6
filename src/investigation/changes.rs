//! What an edit changed, line by line, for the history of a document.

use similar::{DiffOp, group_diff_ops};

use super::lines::{self, Line, Numbers};
use crate::domain::escape;

/// So many lines around what changed are shown.
const AROUND: usize = 1;
/// At most so many bytes of lines are kept of an edit.
const MAX_BYTES: usize = 16 << 10;
/// At most so many characters of one line.
const MAX_LINE: usize = 500;

/// What an edit changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// How many lines it added.
    pub added: u32,
    /// How many it took away.
    pub removed: u32,
    /// The lines: `+` added, `-` taken away, a space for those around, `@` for what is said of them.
    pub shown: String,
}

/// What became of `before`.
pub fn changes(before: &str, after: &str) -> Changes {
    let (old, new) = (lines::lines(before), lines::lines(after));
    let mut numbers = Numbers::default();
    let steps = lines::steps(&numbers.of(&old), &numbers.of(&new));
    let mut told = Told { added: 0, removed: 0, shown: String::new(), left_out: 0 };
    for group in group_diff_ops(steps, AROUND) {
        let first = group.first().map_or(0, |step| step.new_range().start);
        told.heading(&new[..first]);
        for step in group {
            told.step(step, &old, &new);
        }
    }
    told.finished()
}

struct Told {
    added: u32,
    removed: u32,
    shown: String,
    left_out: u32,
}

impl Told {
    fn heading(&mut self, before: &[Line<'_>]) {
        self.line('@', lines::heading_above(before).unwrap_or_default());
    }

    fn step(&mut self, step: DiffOp, old: &[Line<'_>], new: &[Line<'_>]) {
        let is_same = matches!(step, DiffOp::Equal { .. });
        if !is_same {
            for line in &old[step.old_range()] {
                self.removed += 1;
                self.line('-', line.says);
            }
        }
        for line in &new[step.new_range()] {
            self.added += u32::from(!is_same);
            self.line(if is_same { ' ' } else { '+' }, line.says);
        }
    }

    fn line(&mut self, sign: char, says: &str) {
        let says = escape::clip(says, MAX_LINE);
        if self.left_out > 0 || self.shown.len() + says.len() > MAX_BYTES {
            self.left_out += u32::from(sign != '@');
            return;
        }
        self.shown.push_str(&format!("{sign}{says}\n"));
    }

    fn finished(mut self) -> Changes {
        if self.left_out > 0 {
            self.shown.push_str(&format!("@and {} more lines\n", self.left_out));
        }
        Changes { added: self.added, removed: self.removed, shown: self.shown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_with_what_is_around_them_and_under_which_heading() {
        let before = "# A\n\none\ntwo\nthree\n\n# B\n\nfour\n";
        let after = "# A\n\none\n2\nthree\n\n# B\n\nfour\nfive\r\n";
        let told = changes(before, after);
        assert_eq!((told.added, told.removed), (2, 1));
        assert_eq!(told.shown, "@A\n one\n-two\n+2\n three\n@B\n four\n+five\n");
        let crlf = before.replace('\n', "\r\n");
        assert_eq!(changes(before, &crlf).shown, "", "how lines end is no change of theirs");
    }

    #[test]
    fn what_is_kept_has_an_end_and_says_so() {
        let long = "ä".repeat(2_000) + "\n";
        let after: String = (0..100).map(|number| format!("{number} {long}")).collect();
        let told = changes("", &after);
        assert_eq!(told.added, 100);
        assert!(told.shown.len() < MAX_BYTES + 100, "{}", told.shown.len());
        assert!(told.shown.ends_with(" more lines\n") && told.shown.contains("ä… ("));
    }
}
