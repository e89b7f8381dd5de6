//! Names that a branch can have, by the rules of `git check-ref-format`, so that a file that names
//! another one is refused when it is read and not when it is used.

/// The longest name: each part of it becomes a file.
const MAX_BYTES: usize = 200;

/// Why no branch can have this name; `None` when one can.
pub fn branch_fault(name: &str) -> Option<&'static str> {
    let is_odd = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let is_odd_part =
        |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > MAX_BYTES {
        Some("it is too long")
    } else if name == "HEAD" || name == "@" {
        Some("it means whatever is checked out")
    } else if name.starts_with("refs/") {
        Some("a branch is named without refs/heads/")
    } else if name.starts_with('-') {
        Some("it reads like an option")
    } else if name.contains(is_odd) {
        Some("it has a blank, a control character or one of ~^:?*[\\")
    } else if name.contains("..") || name.contains("@{") || name.ends_with('.') {
        Some("it has .. or @{ in it, or ends with a dot")
    } else if name.split('/').any(is_odd_part) {
        Some("a part of it is empty, begins with a dot or ends with .lock")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::branch_fault;

    #[test]
    fn names_that_branches_have_are_taken_and_others_refused() {
        for good in ["main", "andon-reports", "a/b.c", "ä", "v1.2", "feature/@x", "heads"] {
            assert_eq!(branch_fault(good), None, "{good}");
        }
        for bad in [
            "",
            "HEAD",
            "@",
            "a..b",
            "feat*",
            "--upload-pack=x",
            "-a",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a[",
            "a\\b",
            "a@{1}",
            "a.",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "refs/heads/main",
            "a\tb",
            "a\u{7f}",
            &"a".repeat(201),
        ] {
            assert!(branch_fault(bad).is_some(), "{bad:?} is taken");
        }
    }
}
