//! Repositories that want to run something or to write somewhere (RELIABILITY H9 to H12).

use std::fs;
use std::path::Path;

use andon::git::{Auth, ErrorKind, RangeLimits, RepoUrl, SkipReason, UrlSource};

use super::support::{World, branches, fetch, git, listing, oid, resolve, script};

const NAMES: [&str; 10] = [
    "-x",
    "--upload-pack=touch${IFS}pwn",
    "a;b",
    "a$(touch${IFS}pwn)b",
    "a`touch${IFS}pwn`b",
    "quote'\"quote",
    "a|b&c",
    "ünï/cödé",
    "@",
    "%00%2e%2e%2f",
];

#[tokio::test]
async fn h9_names_are_only_names() {
    let world = World::new();
    let first = world.commit("main", "$(touch pwn)\u{1b}]0;pwn\u{7}\n`touch pwn`", &[("a", "1")]);
    for name in NAMES {
        // `@` alone is a word of git's revision language, and no branch.
        if git2::Reference::is_valid_name(&format!("refs/heads/{name}")) {
            world.set(&format!("refs/heads/{name}"), &first);
            world.set(&format!("refs/tags/tag{name}"), &first);
        }
    }
    let mirror = world.fetched().await;
    let found = branches(&mirror).await;
    for (name, _) in &found {
        let revision = resolve(&mirror, &format!("refs/heads/{name}")).await.unwrap();
        assert_eq!((&revision.sha, revision.branch.as_ref()), (&first, Some(name)));
    }
    assert!(found.len() >= 9, "{found:?}");
    let subject = resolve(&mirror, "-x").await.unwrap().subject;
    assert_eq!(subject, "$(touch pwn) ]0;pwn");
    assert_no_canary(&world);
    // No name became the name of a folder of ours.
    for path in listing(&world.path("cache")).iter().filter(|path| !path.contains('/')) {
        assert!(path.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'), "{path}");
    }
}

fn assert_no_canary(world: &World) {
    for place in [world.dir.path(), &std::env::current_dir().unwrap()] {
        assert!(!place.join("pwn").exists(), "a name was run in {place:?}");
    }
    assert!(listing(world.dir.path()).iter().all(|path| path.rsplit('/').next() != Some("pwn")));
}

#[tokio::test]
async fn h10_hooks_and_filters_never_run() {
    let world = World::new();
    let sha = world.commit(
        "main",
        "Filtered",
        &[
            (".gitattributes", "* filter=evil ident eol=crlf\n"),
            ("a", "$Id$\nline\n"),
            (".lfsconfig", "[lfs]\nurl=x\n"),
        ],
    );
    let mirror = world.fetched().await;
    let canary = world.path("pwn");
    let touch = format!("touch '{}'; cat", canary.display());
    let next = world.commit("main", "Next", &[(".gitattributes", "* filter=evil\n"), ("a", "2\n")]);
    for dir in [world.path("source.git"), world.mirror_dir(&mirror)] {
        arm(&dir, &touch);
    }
    fetch(&mirror).await;
    let done = world.checkout(&mirror, &sha).await.unwrap();
    assert_eq!(fs::read_to_string(done.path.join("a")).unwrap(), "$Id$\nline\n");
    mirror.commits_between(&sha, &next, RangeLimits::default()).await.unwrap();
    assert!(!canary.exists(), "something was run");

    // The trap works: git itself falls into it.
    git(world.dir.path(), &["-c", "core.hooksPath=", "clone", "-q", "source.git", "victim"]);
    let config = format!("filter.evil.smudge={touch}");
    git(&world.path("victim"), &["-c", &config, "checkout", "-q", "-f", sha.as_str()]);
    assert!(canary.exists(), "the trap is no trap");
}

fn arm(dir: &Path, command: &str) {
    fs::create_dir_all(dir.join("hooks")).unwrap();
    for hook in [
        "post-checkout",
        "post-merge",
        "reference-transaction",
        "pre-receive",
        "update",
        "post-update",
        "fsmonitor",
    ] {
        script(&dir.join("hooks").join(hook), command);
    }
    let mut config = fs::read_to_string(dir.join("config")).unwrap();
    config.push_str(&format!(
        "[filter \"evil\"]\n\tsmudge = \"{command}\"\n\tclean = \"{command}\"\n\tprocess = \"{command}\"\n\trequired = true\n\
         [core]\n\tfsmonitor = \"{command}\"\n\tsshCommand = \"{command}\"\n\tgitProxy = \"{command}\"\n\
         [uploadpack]\n\tpackObjectsHook = \"{command}\"\n[diff \"evil\"]\n\ttextconv = \"{command}\"\n"
    ));
    fs::write(dir.join("config"), config).unwrap();
}

#[tokio::test]
async fn h10_entries_that_would_reach_out_of_the_tree_are_left_out_and_said() {
    let world = World::new();
    let evil = world.blob("touch pwn\n");
    let hooks = world.raw_tree(&[("100755", b"post-checkout", evil)]);
    let link = |target: &str| world.blob(target);
    let lfs = world.blob("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
    let modules = world.blob("[submodule \"x\"]\n\tpath = sub\n\turl = ext::touch pwn\n");
    let bare = world.raw_tree(&[
        ("100644", b"HEAD", link("ref: refs/heads/main\n")),
        ("40000", b"hooks", hooks),
    ]);
    let module = world.commit("elsewhere", "Module", &[("a", "1")]);
    let tree = world.raw_tree(&[
        ("40000", b"..", hooks),
        ("40000", b".", hooks),
        ("40000", b".git", hooks),
        ("40000", b".GiT", hooks),
        ("40000", b"git~1", hooks),
        ("120000", b".git ", link("/tmp")),
        ("100644", b"../escape", evil),
        ("100644", b"/absolute", evil),
        ("100644", b"cr\r", evil),
        ("100644", b".gitmodules", modules),
        ("120000", b"absolute-link", link("/etc/passwd")),
        ("40000", b"embedded.git", bare),
        ("120000", b"good-link", link("kept")),
        ("100644", b"kept", evil),
        ("100644", b"lfs", lfs),
        ("120000", b"out-link", link("../../escape")),
        ("160000", b"sub", oid(&module)),
        // First a link, then a folder of the same name: writing must not go through the link.
        ("120000", b"twice", link("../..")),
        ("40000", b"twice", hooks),
        ("120000", b"up", link("good-dir/..")),
        ("120000", b"up-through", link("up/../..")),
    ]);
    let sha = world.commit_tree(tree, &[], "Hostile");
    world.set("refs/heads/main", &sha);
    let mirror = world.fetched().await;
    let before = listing(world.dir.path());

    let done = world.checkout(&mirror, &sha).await.unwrap();
    let written = listing(&done.path);
    assert_eq!(
        written,
        [
            ".gitmodules",
            "embedded.git",
            "embedded.git/HEAD",
            "embedded.git/hooks",
            "embedded.git/hooks/post-checkout",
            "good-link",
            "kept",
            "lfs",
            "twice",
            "twice/post-checkout",
            "up",
        ]
    );
    let skipped: Vec<_> =
        done.skipped.iter().map(|skipped| (skipped.path.as_str(), skipped.reason)).collect();
    for expected in [
        ("..", SkipReason::UnsafeName),
        (".", SkipReason::UnsafeName),
        (".git", SkipReason::UnsafeName),
        (".GiT", SkipReason::UnsafeName),
        ("git~1", SkipReason::UnsafeName),
        ("../escape", SkipReason::UnsafeName),
        ("/absolute", SkipReason::UnsafeName),
        ("cr", SkipReason::UnsafeName),
        ("absolute-link", SkipReason::EscapingSymlink),
        ("out-link", SkipReason::EscapingSymlink),
        ("up-through", SkipReason::EscapingSymlink),
        ("twice", SkipReason::EscapingSymlink),
        ("sub", SkipReason::Submodule),
        ("lfs", SkipReason::LfsPointer),
    ] {
        assert!(skipped.contains(&expected), "{expected:?} is not in {skipped:?}");
    }
    assert_eq!(done.skipped_total, 15, "{skipped:?}");
    // Outside of the checkout nothing appeared.
    let outside: Vec<_> =
        listing(world.dir.path()).into_iter().filter(|path| !path.starts_with("out")).collect();
    assert_eq!(outside, before);
    assert_no_canary(&world);
}

#[tokio::test]
async fn h10_reference_names_that_no_file_can_have_are_left_out_and_said() {
    let world = World::new();
    let sha = world.commit("main", "First", &[("a", "1")]);
    // Only a packed list can hold such names.
    let long = "x".repeat(300);
    let packed = format!(
        "# pack-refs with: peeled fully-peeled sorted \n{sha} refs/heads/../../../escape\n{sha} refs/heads/{long}\n{sha} refs/heads/ok\n"
    );
    fs::write(world.path("source.git/packed-refs"), packed).unwrap();
    let mirror = world.mirror().await;
    let skipped = fetch(&mirror).await.skipped;
    assert_eq!(skipped.len(), 2, "{skipped:?}");
    assert_eq!(skipped[0], "refs/heads/../../../escape");
    assert!(skipped[1].starts_with("refs/heads/xxx"));
    let names: Vec<_> = branches(&mirror).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["main", "ok"]);
    assert!(!world.path("escape").exists() && !world.path("cache/escape").exists());
}

#[tokio::test]
async fn h11_addresses_that_run_something_are_refused() {
    let base = Path::new("/");
    for text in [
        "ext::sh -c touch% pwn",
        "ssh://-oProxyCommand=touch%20pwn/x",
        "-u",
        "git@-oProxyCommand=x:y",
        "fd::3",
    ] {
        let error = RepoUrl::parse(text, UrlSource::Operator { base }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
        assert!(error.hint().contains("https://"));
    }
}

#[tokio::test]
async fn h12_two_addresses_never_share_a_mirror() {
    let (one, other) = (World::new(), World::new());
    let first = one.commit("main", "One", &[("a", "1")]);
    let second = other.commit("main", "Other", &[("a", "2")]);
    let mirror = one.fetched().await;
    let url = RepoUrl::parse("source.git", UrlSource::Operator { base: other.dir.path() }).unwrap();
    let foreign = one.mirror_of(url, Auth::None).await;
    fetch(&foreign).await;
    assert_eq!(resolve(&mirror, "main").await.unwrap().sha, first);
    assert_eq!(resolve(&foreign, "main").await.unwrap().sha, second);
    let error = resolve(&foreign, first.as_str()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}
