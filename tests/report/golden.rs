//! Whole reports, compared with files that a person has read.

use std::path::PathBuf;

use andon::report::markdown;

use crate::stories;

// A switch of the tests, not of the program.
#[allow(clippy::disallowed_methods)]
pub fn compare(name: &str, found: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        wanted == found,
        "{name} differs:\n{}",
        similar::TextDiff::from_lines(wanted.as_str(), found).unified_diff()
    );
}

#[test]
fn reports_read_as_they_were_read_before() {
    for (name, state) in stories::all() {
        compare(&format!("{name}.md"), &markdown::render(&state));
    }
}
