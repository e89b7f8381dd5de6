//! Which cases are in quarantine, and the globs that say so.

use jiff::civil::Date;

use crate::domain::names::CaseId;
use crate::domain::spec::Quarantine;

/// The entry that keeps a case in quarantine on that day (UTC), if one does. Its last day counts.
pub fn in_quarantine<'a>(
    entries: &'a [Quarantine],
    case: &CaseId,
    today: Date,
) -> Option<&'a Quarantine> {
    entries.iter().find(|e| today <= e.until && glob_matches(&e.case, case.as_str()))
}

/// Whether a selection chooses a case: its globs stand one a line, and one of them fits.
pub fn selects(only: &str, id: &str) -> bool {
    only.lines().any(|glob| glob_matches(glob, id))
}

/// Whether a glob matches a whole text: `*` is any text, `?` any one character, all else itself.
pub fn glob_matches(glob: &str, text: &str) -> bool {
    let glob: Vec<char> = glob.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut g, mut t) = (0, 0);
    // Where the last star stood, and how far the text was when it was met.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some('*') => {
                star = Some((g, t));
                g += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                g += 1;
                t += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                g = star_at + 1;
                t = taken + 1;
            }
        }
    }
    glob[g..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn globs() {
        let table = [
            ("test_018_*", "test_018_rate", true),
            ("test_018_*", "test_019_rate", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b*d", "aabbccd", true),
            ("*b*d", "aabbcc", false),
            ("a.b", "axb", false),
            ("tests::[x]*", "tests::[x]y", true),
        ];
        for (glob, text, wanted) in table {
            assert_eq!(glob_matches(glob, text), wanted, "{glob} on {text}");
        }
    }

    #[test]
    fn a_hostile_glob_ends() {
        assert!(!glob_matches(&"*a".repeat(200), &"a".repeat(100)));
    }

    #[test]
    fn quarantine_ends_after_its_last_day() {
        let entry = Quarantine {
            case: "a*".to_owned(),
            owner: "ada".to_owned(),
            reason: "being replaced".to_owned(),
            until: Date::new(2026, 12, 31).unwrap(),
        };
        let case = CaseId::parse("abc").unwrap();
        let entries = [entry];
        assert!(in_quarantine(&entries, &case, Date::new(2026, 12, 31).unwrap()).is_some());
        assert!(in_quarantine(&entries, &case, Date::new(2027, 1, 1).unwrap()).is_none());
        let other = CaseId::parse("b").unwrap();
        assert!(in_quarantine(&entries, &other, Date::new(2026, 1, 1).unwrap()).is_none());
    }
}
