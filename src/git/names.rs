//! Which names of a git tree may become names of files.
//!
//! A tree is foreign data: it can contain `..`, `.git` in many disguises, and control characters.
//! Pure.

/// The longest name that file systems take.
const MAX_BYTES: usize = 255;

/// Whether a name of a tree entry may become a file or folder of that name.
pub(super) fn is_safe_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name.len() <= MAX_BYTES
        && name != b"."
        && name != b".."
        && !name.iter().any(|b| *b == b'/' || b.is_ascii_control())
        && !is_git_dir(name)
}

/// Whether some file system takes the name for `.git`: by letter case, by ignorable characters
/// (HFS+), by trailing dots and spaces, a stream or a short name (NTFS).
fn is_git_dir(name: &[u8]) -> bool {
    let visible: String =
        String::from_utf8_lossy(name).chars().filter(|c| !is_ignorable(*c)).collect();
    let plain = visible
        .split(':')
        .next()
        .unwrap_or_default()
        .trim_end_matches([' ', '.'])
        .to_ascii_lowercase();
    plain == ".git" || plain == "git~1"
}

/// The characters that HFS+ leaves out when it compares names.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_and_odd_names_are_kept() {
        for name in [
            ".gitignore",
            ".gitmodules",
            ".gitattributes",
            ".github",
            "git",
            "a.git",
            "-x",
            "a b",
            "a;b",
            "$(id)",
            "…",
            "'",
            "\"",
            "...",
            "a\\b",
            "~",
            "git~10",
        ] {
            assert!(is_safe_name(name.as_bytes()), "{name}");
        }
        assert!(is_safe_name(b"\xff\xfe"));
    }

    #[test]
    fn dangerous_names_are_not() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "/",
            "a\0b",
            "a\rb",
            "a\nb",
            "\u{7f}",
            ".git",
            ".GIT",
            ".gIt",
            ".git.",
            ".git ",
            ".git . .",
            ".git:stream",
            ".git::$INDEX_ALLOCATION",
            "git~1",
            "GIT~1",
            ".g\u{200c}it",
            "\u{feff}.git",
        ] {
            assert!(!is_safe_name(name.as_bytes()), "{name:?}");
        }
        assert!(!is_safe_name(&[b'a'; 256]));
    }
}
