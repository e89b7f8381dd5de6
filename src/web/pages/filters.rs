//! What filters in an address come to in words: a choice that there is none of, and what was looked for where nothing
//! matches. Pure.

/// A choice of a filter: as it stands in an address, and in words. The first is no limit.
pub(super) type Choice = (&'static str, &'static str);

/// The words of a choice that was made.
pub(super) fn words_of(choices: &[Choice], chosen: &str) -> &'static str {
    let found = choices.iter().find(|(value, _)| !value.is_empty() && *value == chosen);
    found.map_or("", |(_, words)| words)
}

/// So many characters of what somebody wrote into an address are repeated.
const REPEATED: usize = 60;

/// Takes back a choice that is none of these, and says so: no field of the page could show it, or be set to it.
pub(super) fn take_unknown<'a>(
    name: &str,
    chosen: &mut String,
    mut known: impl Iterator<Item = &'a str>,
) -> Option<String> {
    if chosen.is_empty() || known.any(|known| known == chosen.as_str()) {
        return None;
    }
    let chosen = std::mem::take(chosen);
    Some(format!("There is no {name} {} here: it limits nothing.", quoted(&chosen)))
}

/// What is looked for: a text, and choices by their names.
pub(super) fn wanted(find: &str, choices: &[(&str, &str)]) -> String {
    let find = find.trim();
    let text = (!find.is_empty()).then(|| quoted(find));
    let choices = choices.iter().filter(|(_, chosen)| !chosen.is_empty());
    let choices = choices.map(|(name, chosen)| format!("{name} {}", chosen.replace('_', " ")));
    text.into_iter().chain(choices).collect::<Vec<_>>().join(", ")
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(REPEATED) {
        Some((end, _)) => format!("“{}…”", &text[..end]),
        None => format!("“{text}”"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_that_is_none_is_taken_back_and_named() {
        let mut chosen = "Basket".to_owned();
        assert_eq!(take_unknown("area", &mut chosen, ["Login", "Basket"].into_iter()), None);
        assert_eq!(chosen, "Basket");
        let says = take_unknown("area", &mut chosen, ["Login"].into_iter());
        assert_eq!(says.as_deref(), Some("There is no area “Basket” here: it limits nothing."));
        assert_eq!(take_unknown("area", &mut chosen, ["Login"].into_iter()), None, "{chosen:?}");
        let mut long = "ä".repeat(1_000);
        let says = take_unknown("area", &mut long, std::iter::empty()).unwrap_or_default();
        assert_eq!(says.chars().filter(|letter| *letter == 'ä').count(), REPEATED);
    }

    #[test]
    fn what_is_looked_for_is_said_as_it_was_asked() {
        assert_eq!(wanted(" ", &[("area", "")]), "");
        let choices = [("area", "Login"), ("priority", ""), ("show", "not_run")];
        assert_eq!(wanted(" a b ", &choices), "“a b”, area Login, show not run");
    }
}
