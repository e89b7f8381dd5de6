//! Which symbolic links of a tree stay inside of it.
//!
//! A link may lead through other links, so its target is followed part by part, as the kernel
//! would, before any link exists. Pure.

use std::collections::BTreeMap;

/// As many links in a row as Linux follows.
const MAX_HOPS: usize = 40;

/// All links of a tree: path from the root → target.
pub(super) type Links = BTreeMap<Vec<u8>, Vec<u8>>;

/// Whether following the link at `path` never leaves the root of the tree.
pub(super) fn stays_inside(links: &Links, path: &[u8]) -> bool {
    let mut here: Vec<&[u8]> = parts(path).collect();
    let Some(name) = here.pop() else { return false };
    // What is still to be walked, last part first.
    let mut ahead = vec![name];
    let mut hops = 0;
    while let Some(part) = ahead.pop() {
        match part {
            b"." => {}
            b".." => {
                if here.pop().is_none() {
                    return false;
                }
            }
            name => {
                here.push(name);
                let Some(target) = links.get(&here.join(&b'/')) else { continue };
                hops += 1;
                if hops > MAX_HOPS || !is_relative(target) {
                    return false;
                }
                here.pop();
                let rest: Vec<&[u8]> = parts(target).collect();
                ahead.extend(rest.into_iter().rev());
            }
        }
    }
    true
}

fn is_relative(target: &[u8]) -> bool {
    !target.is_empty()
        && target[0] != b'/'
        && target.len() < 4096
        && !target.iter().any(u8::is_ascii_control)
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|b| *b == b'/').filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn links(pairs: &[(&str, &str)]) -> Links {
        pairs
            .iter()
            .map(|(path, target)| (path.as_bytes().to_vec(), target.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn links_that_stay_are_told_from_links_that_leave() {
        let all = links(&[
            ("file", "README.md"),
            ("a/up", "../README.md"),
            ("a/top", ".."),
            ("a/b/self", "./x/./y//z"),
            ("dangling", "nowhere"),
            ("absolute", "/etc/passwd"),
            ("out", "../x"),
            ("a/out", "../../x"),
            ("loop", "loop"),
            ("ping", "pong"),
            ("pong", "ping"),
            ("through", "a/top/.."),
            ("through-absolute", "absolute/x"),
            ("back", "a/top/a/b"),
            ("empty", ""),
            ("break", "a\nb"),
        ]);
        for (path, stays) in [
            ("file", true),
            ("a/up", true),
            ("a/top", true),
            ("a/b/self", true),
            ("dangling", true),
            ("back", true),
            ("absolute", false),
            ("out", false),
            ("a/out", false),
            ("loop", false),
            ("ping", false),
            ("through", false),
            ("through-absolute", false),
            ("empty", false),
            ("break", false),
        ] {
            assert_eq!(stays_inside(&all, path.as_bytes()), stays, "{path}");
        }
    }

    /// Whether a path leads out of `root` when the kernel follows it.
    fn kernel_leaves(root: &Path, link: &Path) -> bool {
        fs::canonicalize(link).is_ok_and(|found| !found.starts_with(root))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// The kernel is the oracle: of links that we would create, none leads outside.
        #[test]
        fn the_kernel_agrees(targets in prop::collection::vec("(\\.\\./|a/|b/|l[0-5]/|\\./){0,4}(\\.\\.|a|b|l[0-5])", 6)) {
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().canonicalize().unwrap().join("deep/root");
            fs::create_dir_all(root.join("a/b")).unwrap();
            let places = ["l0", "l1", "a/l2", "a/l3", "a/b/l4", "a/b/l5"];
            let all: Links = places.iter().zip(&targets)
                .map(|(path, target)| (path.as_bytes().to_vec(), target.as_bytes().to_vec()))
                .collect();
            let kept: Vec<_> = all.iter().filter(|(path, _)| stays_inside(&all, path)).collect();
            for (path, target) in &kept {
                symlink(std::ffi::OsStr::from_bytes(target), root.join(std::ffi::OsStr::from_bytes(path))).unwrap();
            }
            for (path, _) in &kept {
                let path = root.join(std::ffi::OsStr::from_bytes(path));
                prop_assert!(!kernel_leaves(&root, &path), "{path:?} in {all:?}");
            }
        }
    }
}
