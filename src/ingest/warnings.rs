//! What a reader has to say about a file, kept within bounds.
//!
//! What it must not do: hide how much was left out.

use super::case::Warning;

/// How many warnings of one file are kept; with that about its encoding there are at most a hundred.
const KEPT: usize = 99;

/// The longest text of one warning, in characters.
const LONGEST: usize = 300;

/// Collects warnings: the first ninety-eight, and then how many more there were.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    kept: Vec<Warning>,
    more: u64,
}

impl Warnings {
    /// Adds one, with its line where that is known.
    pub(super) fn add(&mut self, line: Option<u64>, what: impl Into<String>) {
        if self.kept.len() + 1 >= KEPT {
            self.more += 1;
            return;
        }
        let mut what = what.into();
        if let Some((cut, _)) = what.char_indices().nth(LONGEST) {
            what.truncate(cut);
            what.push('…');
        }
        self.kept.push(Warning { line, what });
    }

    /// What was kept; the last one counts the rest.
    pub(super) fn into_vec(mut self) -> Vec<Warning> {
        if self.more > 0 {
            self.kept.push(Warning { line: None, what: format!("{} more warnings", self.more) });
        }
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_says_how_many_were_left_out() {
        let mut warnings = Warnings::default();
        for line in 1..=1_000 {
            warnings.add(Some(line), format!("number {line}"));
        }
        let kept = warnings.into_vec();
        assert_eq!(kept.len(), 99);
        assert_eq!(kept[97], Warning { line: Some(98), what: "number 98".into() });
        assert_eq!(kept[98], Warning { line: None, what: "902 more warnings".into() });
    }

    #[test]
    fn a_long_one_is_cut_between_characters() {
        let mut warnings = Warnings::default();
        warnings.add(None, "é".repeat(1_000));
        let kept = warnings.into_vec();
        assert_eq!(kept[0].what, format!("{}…", "é".repeat(300)));
    }
}
