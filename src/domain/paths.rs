//! Paths as names: what two spellings of one place have in common. Nothing here asks the disk.

use std::path::{Component, Path, PathBuf};

/// A path without `.` and without `x/..`, so that a place has one name however it was written. A link
/// on the way is taken for the folder that its name says, as a person reads the path.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match (part, normal.components().next_back()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                normal.pop();
            }
            // Above the root is the root.
            (Component::ParentDir, Some(Component::RootDir)) => {}
            _ => normal.push(part),
        }
    }
    if normal.as_os_str().is_empty() { PathBuf::from(".") } else { normal }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_name() {
        let table = [
            ("/a/pipelines/../chat", "/a/chat"),
            ("pipelines/../chat.yaml", "chat.yaml"),
            ("./a/./b/", "a/b"),
            ("a/..", "."),
            (".", "."),
            ("../../a/../b", "../../b"),
            ("/../a", "/a"),
            ("a/b/../../../c", "../c"),
        ];
        for (written, name) in table {
            assert_eq!(normal(Path::new(written)), Path::new(name), "{written}");
        }
    }
}
