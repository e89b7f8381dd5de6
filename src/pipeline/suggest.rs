//! The nearest of the words that are allowed.

/// The most words that are compared with what is written.
const MAX_WORDS: usize = 500;
/// The most suggestions for one load: a file full of slips is told, but not guessed at for ever.
const MAX_SUGGESTIONS: u32 = 200;

/// Suggests words as long as that is worth the time.
#[derive(Debug, Default)]
pub(crate) struct Suggester {
    made: u32,
}

impl Suggester {
    /// The word that was probably meant, if one is near enough.
    pub(crate) fn nearest<'w>(
        &mut self,
        written: &str,
        words: impl IntoIterator<Item = &'w str>,
    ) -> Option<&'w str> {
        self.made += 1;
        if self.made > MAX_SUGGESTIONS { None } else { nearest(written, words) }
    }
}

/// The word that was probably meant, if one is near enough.
pub(crate) fn nearest<'w>(
    written: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> Option<&'w str> {
    if written.is_empty() || written.len() > 100 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let written = plain(written);
    let allowance = match written.chars().count() {
        1 => 0,
        count => (count / 3).clamp(1, 3),
    };
    words
        .into_iter()
        .take(MAX_WORDS)
        .map(|word| (distance(&written, &plain(word)), word))
        .filter(|(distance, _)| *distance <= allowance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Edits from one word to the other; one that begins the other is near whatever its length.
fn distance(written: &str, word: &str) -> usize {
    let is_stem = written.len() >= 3 && (word.starts_with(written) || written.starts_with(word));
    let edits = strsim::damerau_levenshtein(written, word);
    if is_stem && word.len() >= 3 { edits.min(1) } else { edits }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognised() {
        let words = ["poll", "paths", "ignore_paths", "timeout", "concurrency", "id"];
        let pairs = [
            ("pol", Some("poll")),
            ("timout", Some("timeout")),
            ("Timeout", Some("timeout")),
            ("time-out", Some("timeout")),
            ("ignorePaths", Some("ignore_paths")),
            ("concurency", Some("concurrency")),
            ("ignore", Some("ignore_paths")),
            ("retries", None),
            ("", None),
        ];
        for (written, meant) in pairs {
            assert_eq!(nearest(written, words), meant, "{written}");
        }
    }
}
