//! A checkout is exactly the revision, and nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use andon::domain::revision::Sha;
use andon::git::{CheckoutLimits, ErrorKind};

use super::support::{World, fetch, listing};

#[tokio::test]
async fn files_modes_and_links_are_as_the_commit_has_them() {
    let world = World::new();
    let (plain, tool, link) =
        (world.blob("text\r\n"), world.blob("#!/bin/sh\n"), world.blob("../plain"));
    let sub = world.raw_tree(&[("120000", b"link", link), ("100755", b"tool", tool)]);
    let tree = world.raw_tree(&[("100644", b"plain", plain), ("40000", b"sub", sub)]);
    let sha = world.commit_tree(tree, &[], "All kinds");
    world.set("refs/heads/main", &sha);
    let newer = world.commit("main", "Newer", &[("plain", "changed")]);
    let mirror = world.fetched().await;

    let done = world.checkout(&mirror, &sha).await.unwrap();
    assert_eq!((done.files, done.bytes, done.skipped_total), (3, 16, 0), "{done:?}");
    assert_eq!(listing(&done.path), ["plain", "sub", "sub/link", "sub/tool"]);
    assert_eq!(fs::read(done.path.join("plain")).unwrap(), b"text\r\n");
    assert_eq!(fs::read_link(done.path.join("sub/link")).unwrap().to_str(), Some("../plain"));
    let mode =
        |name: &str| fs::metadata(done.path.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("plain") & 0o111, 0);
    assert_eq!(mode("sub/tool") & 0o100, 0o100);
    assert_eq!(mode("plain") & 0o022, 0);
    assert_eq!(
        listing(&world.path("out")).iter().filter(|path| !path.contains('/')).count(),
        1,
        "only the tree"
    );

    let other = world.path("other");
    mirror.checkout(&newer, &other, CheckoutLimits::default()).await.unwrap();
    assert_eq!(listing(&other), ["plain"]);
}

#[tokio::test]
async fn an_existing_folder_is_never_written_to() {
    let world = World::new();
    let sha = world.commit("main", "First", &[("a", "1")]);
    let mirror = world.fetched().await;
    fs::create_dir_all(world.path("out")).unwrap();
    std::os::unix::fs::symlink(world.path("nowhere"), world.path("out/tree")).unwrap();
    assert_eq!(world.checkout(&mirror, &sha).await.unwrap_err().kind(), ErrorKind::Io);
    fs::remove_file(world.path("out/tree")).unwrap();
    world.checkout(&mirror, &sha).await.unwrap();
    assert_eq!(world.checkout(&mirror, &sha).await.unwrap_err().kind(), ErrorKind::Io);
}

#[tokio::test]
async fn limits_hold_and_leave_nothing_behind() {
    let world = World::new();
    let sha = world.commit("main", "First", &[("a", "12345"), ("b", "12345"), ("d/c", "1")]);
    // Ten folders that each contain the one below ten times: 10^10 files in twelve objects.
    let mut bomb = world.tree(&[("x", "1")]);
    for _ in 0..10 {
        let names: Vec<String> = (0..10).map(|n| format!("d{n}")).collect();
        let entries: Vec<_> = names.iter().map(|name| ("40000", name.as_bytes(), bomb)).collect();
        bomb = world.raw_tree(&entries);
    }
    let bomb = world.commit_tree(bomb, &[], "Bomb");
    let mut deep = world.tree(&[("x", "1")]);
    for _ in 0..400 {
        deep = world.raw_tree(&[("40000", b"d", deep)]);
    }
    let deep = world.commit_tree(deep, &[], "Deep");
    world.set("refs/heads/bomb", &bomb);
    world.set("refs/heads/deep", &deep);
    let mirror = world.fetched().await;
    let dest = world.path("out/tree");
    let usual = CheckoutLimits::default();

    for (sha, limits, part) in [
        (&sha, CheckoutLimits { bytes: 10, ..usual }, "10 bytes"),
        (&sha, CheckoutLimits { file_bytes: 4, ..usual }, "a has 5 bytes"),
        (&sha, CheckoutLimits { entries: 3, ..usual }, "3 files"),
        (&bomb, CheckoutLimits { entries: 500, ..usual }, "500 files"),
    ] {
        let error = mirror.checkout(sha, &dest, limits).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(listing(&world.path("out")).is_empty());
    }
    let late = CheckoutLimits { time: Duration::ZERO, ..usual };
    assert_eq!(mirror.checkout(&sha, &dest, late).await.unwrap_err().kind(), ErrorKind::Timeout);

    let done = mirror.checkout(&deep, &dest, usual).await.unwrap();
    assert_eq!((done.files, done.skipped_total), (0, 1));
}

#[tokio::test]
async fn an_unknown_revision_is_not_found() {
    let world = World::new();
    world.commit("main", "First", &[("a", "1")]);
    let mirror = world.fetched().await;
    let unknown = Sha::parse(&"1".repeat(40)).unwrap();
    assert_eq!(world.checkout(&mirror, &unknown).await.unwrap_err().kind(), ErrorKind::NotFound);
    // A commit that came after the last fetch is unknown until the next.
    let later = world.commit("main", "Later", &[("a", "2")]);
    assert_eq!(world.checkout(&mirror, &later).await.unwrap_err().kind(), ErrorKind::NotFound);
    fetch(&mirror).await;
    world.checkout(&mirror, &later).await.unwrap();
}
