//! Two lines, cut to where they differ.
//!
//! It compares words, not meanings: which of the words tell the failures apart it does not know.

/// A side has at most so many characters.
const MAX_SHOWN: usize = 60;

/// Both lines without the words that they share at their beginning, but for the last of these, and at
/// their end; `None` when they are of the same words.
pub(super) fn between(before: &str, now: &str) -> Option<(String, String)> {
    let before: Vec<&str> = before.split_whitespace().collect();
    let now: Vec<&str> = now.split_whitespace().collect();
    if before == now {
        return None;
    }
    let shorter = before.len().min(now.len());
    let same = |(one, other): &(&&str, &&str)| one == other;
    let ahead = before.iter().zip(&now).take_while(same).count();
    let behind = before.iter().rev().zip(now.iter().rev()).take_while(same).count();
    // One word ahead of what differs is shown, so that a value does not stand alone.
    let from = ahead.saturating_sub(1);
    // Each side keeps a word.
    let behind = behind.min((shorter - ahead).saturating_sub(usize::from(ahead == 0)));
    let side = |words: &[&str]| {
        let mut text = shortened(&words[from..words.len() - behind].join(" "));
        if from > 0 {
            text.insert_str(0, "… ");
        }
        if behind > 0 && !text.ends_with('…') {
            text.push_str(" …");
        }
        text
    };
    Some((side(&before), side(&now)))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", text[..end].trim_end_matches(['…', ' '])),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_to_where_they_differ() {
        let long = "x".repeat(200);
        let table = [
            ("expected 1008", "expected 1011", Some(("expected 1008", "expected 1011"))),
            (
                "expected status 2xx, got 500",
                "expected status 2xx, got 404",
                Some(("… got 500", "… got 404")),
            ),
            (
                "socket closed with 1008 after 0 of 5",
                "socket closed with 1011 after 0 of 5",
                Some(("… with 1008 …", "… with 1011 …")),
            ),
            ("no answer", "expected 200, got 500", Some(("no answer", "expected 200, got 500"))),
            ("gone", "gone for good", Some(("gone", "gone for good"))),
            ("at last gone", "gone", Some(("at last gone", "gone"))),
            ("a a", "a a a", Some(("… a", "… a a"))),
            ("", "gone", Some(("", "gone"))),
            ("  gone ", "gone", None),
        ];
        for (before, now, expected) in table {
            let found = between(before, now);
            let found = found.as_ref().map(|(before, now)| (before.as_str(), now.as_str()));
            assert_eq!(found, expected, "{before:?} {now:?}");
        }
        let cut = between(&long, "y").map(|(before, _)| before.chars().count());
        assert_eq!(cut, Some(MAX_SHOWN + 1));
    }
}
