//! What the `list` of a command prints: the ids of its tests, one a line.
//!
//! A tool names a test in two ways: as it lists it, and as it reports it. pytest lists
//! `tests/test_cart.py::TestCart::test_add[1]` and reports the class `tests.test_cart.TestCart` with
//! the name `test_add[1]`. Both become one id here.

use std::collections::HashMap;

/// More listed ids than this are not planned.
pub(super) const MAX_LISTED: usize = 200_000;

/// The ids in what a tool printed: the first block of lines that are not empty. pytest ends it with an
/// empty line, and then counts.
pub fn parse_listed(text: &str) -> Vec<&str> {
    listed_in(text).take(MAX_LISTED).collect()
}

/// The same, however many there are.
pub(super) fn listed_in(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim).skip_while(|line| line.is_empty());
    lines.take_while(|line| !line.is_empty()).filter(|line| !is_count(line))
}

/// `25 tests collected in 0.02s`, which pytest prints without an empty line before it where it lists
/// nothing else, or `no tests ran in 0.01s`.
fn is_count(line: &str) -> bool {
    let words: Vec<&str> = line.trim_matches(['=', ' ']).split(' ').collect();
    match words.as_slice() {
        [first, "test" | "tests", "collected" | "ran", ..] => {
            *first == "no" || first.bytes().all(|b| b.is_ascii_digit())
        }
        _ => false,
    }
}

/// A listed id in the form in which results name a test: a path before `::` becomes a module.
pub fn id_of_listed(listed: &str) -> String {
    let Some((path, rest)) = listed.split_once("::") else { return listed.to_owned() };
    let Some(module) = path.strip_suffix(".py") else { return listed.to_owned() };
    let module = module.trim_start_matches("./").replace('/', ".");
    // The classes between belong to the module; brackets may hold anything.
    let head = rest.find('[').unwrap_or(rest.len());
    match rest[..head].rfind("::") {
        None => format!("{module}::{rest}"),
        Some(at) => format!("{module}.{}::{}", rest[..at].replace("::", "."), &rest[at + 2..]),
    }
}

/// Finds the listed test that a reported one is: by its id, else by its name where that is listed once.
#[derive(Debug, Default)]
pub struct Listed<'a> {
    by_id: HashMap<String, &'a str>,
    by_name: HashMap<&'a str, Option<&'a str>>,
}

impl<'a> Listed<'a> {
    /// Of these listed ids.
    pub fn of(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut listed = Self::default();
        for line in lines {
            listed.by_id.insert(id_of_listed(line), line);
            let names = listed.by_name.entry(name_of(line));
            names
                .and_modify(|once| *once = once.filter(|other| *other == line))
                .or_insert(Some(line));
        }
        listed
    }

    /// The listed spelling of a test that was reported under this id.
    pub fn by_id(&self, id: &str) -> Option<&'a str> {
        self.by_id.get(id).copied()
    }

    /// The one listed test of this name.
    pub fn by_name(&self, name: &str) -> Option<&'a str> {
        self.by_name.get(name).copied().flatten()
    }

    /// The listed spelling of a test that was reported under this id and name.
    pub fn find(&self, id: &str, name: &str) -> Option<&'a str> {
        self.by_id(id).or_else(|| self.by_name(name))
    }
}

/// What stands behind the last `::` that is not within brackets.
pub(super) fn name_of(listed: &str) -> &str {
    let head = listed.find('[').unwrap_or(listed.len());
    listed[..head].rfind("::").map_or(listed, |at| &listed[at + 2..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_block_is_a_list() {
        let pytest = "\ntests/test_a.py::test_x\ntests/test_a.py::test_y[a b]\n\n2 tests collected in 0.01s\n";
        assert_eq!(
            parse_listed(pytest),
            ["tests/test_a.py::test_x", "tests/test_a.py::test_y[a b]"]
        );
        assert!(parse_listed("\nno tests collected in 0.01s\n").is_empty());
        assert_eq!(parse_listed("a\n  b\n"), ["a", "b"]);
        assert!(parse_listed("\n \n").is_empty());
        // A test may be named much like a count.
        assert_eq!(parse_listed("3 tests pass"), ["3 tests pass"]);
    }

    #[test]
    fn a_path_becomes_a_module() {
        let table = [
            ("tests/test_a.py::test_x", "tests.test_a::test_x"),
            ("./test_a.py::TestB::test_x", "test_a.TestB::test_x"),
            ("t/test_a.py::A::B::test_x[a::b/c.py]", "t.test_a.A.B::test_x[a::b/c.py]"),
            ("chat::tests::opens", "chat::tests::opens"),
            ("cart adds", "cart adds"),
        ];
        for (listed, id) in table {
            assert_eq!(id_of_listed(listed), id);
        }
    }

    #[test]
    fn a_reported_test_is_found_by_id_and_else_by_a_name_that_is_listed_once() {
        let listed = Listed::of(["a.py::x", "b.py::x", "b.py::only", "plain"]);
        assert_eq!(listed.find("a::x", "x"), Some("a.py::x"));
        assert_eq!(listed.find("elsewhere::x", "x"), None, "two are listed with that name");
        assert_eq!(listed.find("elsewhere::only", "only"), Some("b.py::only"));
        assert_eq!(listed.find("suite::plain", "plain"), Some("plain"));
    }
}
