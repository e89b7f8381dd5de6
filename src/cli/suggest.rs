//! What was probably meant by a name that is not there.

use crate::pipeline::nearest;

/// At most so many are offered.
const MAX_OFFERED: usize = 3;

/// The names that are near to what was written: those that contain it, and the one that differs
/// least.
pub fn near<'w>(written: &str, names: &[&'w str]) -> Vec<&'w str> {
    let word = written.trim_matches('*').to_lowercase();
    let contains = |name: &&&str| word.len() >= 2 && name.to_lowercase().contains(&word);
    let mut found: Vec<&str> = names.iter().filter(contains).copied().take(MAX_OFFERED).collect();
    let slip = nearest(&word, names.iter().copied()).or_else(|| {
        // Or a word of it: `helth` for `test_health`.
        names.iter().copied().find(|name| nearest(&word, words_of(name, word.len())).is_some())
    });
    if let Some(slip) = slip.filter(|slip| !found.contains(slip)) {
        found.insert(0, slip);
        found.truncate(MAX_OFFERED);
    }
    found
}

/// The words of a name that are about as long as what was written.
fn words_of(name: &str, length: usize) -> impl Iterator<Item = &str> {
    let words = name.split(|c: char| !c.is_alphanumeric());
    words.filter(move |word| word.len() > 3 && word.len().abs_diff(length) <= 2)
}

/// The question that offers the names that are near; nothing when none is.
pub fn question(written: &str, names: &[&str]) -> Option<String> {
    let found = near(written, names);
    (!found.is_empty()).then(|| {
        let quoted: Vec<String> = found.iter().map(|name| format!("`{name}`")).collect();
        format!("did you mean {}?", quoted.join(" or "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_slips_are_recognised_and_nothing_else() {
        let names = ["test_001_login", "test_002_chat", "staging", "test_003_logout"];
        assert_eq!(near("login", &names), ["test_001_login"]);
        assert_eq!(near("*log*", &names), ["test_001_login", "test_003_logout"]);
        assert_eq!(near("stagin", &names), ["staging"]);
        assert_eq!(near("Stagging", &names), ["staging"]);
        assert_eq!(near("*logni*", &names), ["test_001_login"]);
        assert!(near("x", &names).is_empty());
        assert!(near("payments", &names).is_empty());
        assert!(near("test_004", &names).is_empty());
        assert_eq!(question("stagin", &names).as_deref(), Some("did you mean `staging`?"));
        assert_eq!(question("payments", &names), None);
    }
}
