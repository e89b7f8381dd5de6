//! What a reader has to say about a file, kept within bounds.
//!
//! What it must not do: hide how much was left out.

use super::case::Warning;

/// How many warnings of one file are kept.
const KEPT: usize = 100;

/// The longest text of one warning, in characters.
const LONGEST: usize = 300;

/// Collects warnings: the first ninety-nine, and then how many more there were.
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
    fn the_hundredth_says_how_many_were_left_out() {
        let mut warnings = Warnings::default();
        for line in 1..=1_000 {
            warnings.add(Some(line), format!("number {line}"));
        }
        let kept = warnings.into_vec();
        assert_eq!(kept.len(), 100);
        assert_eq!(kept[98], Warning { line: Some(99), what: "number 99".into() });
        assert_eq!(kept[99], Warning { line: None, what: "901 more warnings".into() });
    }

    #[test]
    fn a_long_one_is_cut_between_characters() {
        let mut warnings = Warnings::default();
        warnings.add(None, "é".repeat(1_000));
        let kept = warnings.into_vec();
        assert_eq!(kept[0].what, format!("{}…", "é".repeat(300)));
    }
}
