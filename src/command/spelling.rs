//! How a tool itself names a test, for the file of those that it is to run again.

use std::path::Path;

use super::listed::{Listed, name_of};

/// The name of a test for its tool: as it was listed; else, where the class of a Python test leads to
/// a file of the checkout, as pytest takes it; else its id.
pub fn spelling(id: &str, listed: &Listed<'_>, checkout: &Path) -> String {
    if let Some(listed) = listed.find(id, name_of(id)) {
        return listed.to_owned();
    }
    node_id(id, checkout).unwrap_or_else(|| id.to_owned())
}

/// `tests.test_cart.TestCart::test_add[1]` → `tests/test_cart.py::TestCart::test_add[1]`, where there is
/// such a file.
pub(super) fn node_id(id: &str, checkout: &Path) -> Option<String> {
    let (module, name) = id.split_once("::")?;
    let parts: Vec<&str> = module.split('.').collect();
    if parts.iter().any(|part| part.is_empty() || part.contains(['/', '\\'])) {
        return None;
    }
    let file = |length: usize| format!("{}.py", parts[..length].join("/"));
    let length = (1..=parts.len()).rev().find(|length| checkout.join(file(*length)).is_file())?;
    let classes: String = parts[length..].iter().map(|class| format!("{class}::")).collect();
    Some(format!("{}::{classes}{name}", file(length)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_test_is_named_as_listed_or_as_pytest_takes_it() {
        let checkout = tempfile::tempdir().unwrap();
        std::fs::create_dir(checkout.path().join("tests")).unwrap();
        std::fs::write(checkout.path().join("tests/test_cart.py"), "").unwrap();
        let none = Listed::default();
        let spell = |id| spelling(id, &none, checkout.path());
        assert_eq!(spell("tests.test_cart::test_x[a.b]"), "tests/test_cart.py::test_x[a.b]");
        assert_eq!(spell("tests.test_cart.TestA.B::x"), "tests/test_cart.py::TestA::B::x");
        assert_eq!(spell("tests.elsewhere::x"), "tests.elsewhere::x");
        assert_eq!(spell("../x::y"), "../x::y");
        assert_eq!(spell("opens"), "opens");
        let listed = Listed::of(["./tests/test_cart.py::test_x"]);
        assert_eq!(
            spelling("tests.test_cart::test_x", &listed, checkout.path()),
            "./tests/test_cart.py::test_x"
        );
    }
}
