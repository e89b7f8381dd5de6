//! Fetching from a path: what the remote says decides.

use andon::domain::revision::Sha;
use andon::git::{
    Auth, Branches, Error, ErrorKind, Looked, Mirror, Parents, RangeLimits, RefsPrint, RepoUrl,
    RevisionSpec, UrlSource,
};

use super::support::{PATIENCE, World, branches, fetch, git, oid, resolve};

#[tokio::test]
async fn a_fetch_takes_branches_tags_and_the_default_branch() {
    let world = World::new();
    let first = world.commit("main", "First\n\nbody", &[("a.txt", "1")]);
    let side = world.commit("release/1.0", "Side", &[("b.txt", "1")]);
    world.set("refs/tags/v1", &first);
    world.set("refs/stash", &side);

    let mirror = world.mirror().await;
    let fetched = fetch(&mirror).await;
    assert!(fetched.changed && fetched.rebuilt, "{fetched:?}");
    assert_eq!(
        branches(&mirror).await,
        [("main".into(), first.to_string()), ("release/1.0".into(), side.to_string())]
    );
    assert_eq!(mirror.tags().await.unwrap()[0].sha, first);
    let default = resolve(&mirror, "HEAD").await.unwrap();
    assert_eq!((default.sha, default.branch.as_deref()), (first, Some("main")));
    assert_eq!((default.subject.as_str(), default.author.as_str()), ("First", "Ada"));
    assert_eq!(default.time.to_string(), "2023-11-14T22:14:20Z");

    let again = fetch(&mirror).await;
    assert!(!again.changed && !again.rebuilt, "{again:?}");
}

#[tokio::test]
async fn forced_pushes_deletions_and_renames_are_followed() {
    let world = World::new();
    let first = world.commit("main", "First", &[("a.txt", "1")]);
    let gone = world.commit("feature", "Feature", &[("a.txt", "2")]);
    world.set("refs/tags/v1", &first);
    let mirror = world.fetched().await;

    // H1: an unrelated history takes the branch; H2: a tag moves, the default branch is renamed,
    // and a name becomes a folder of names.
    let unrelated = world.commit_tree(world.tree(&[("z.txt", "z")]), &[], "Rewritten");
    world.set("refs/heads/trunk", &unrelated);
    world.repo.set_head("refs/heads/trunk").unwrap();
    world.delete("refs/heads/main");
    world.delete("refs/heads/feature");
    world.set("refs/heads/feature/one", &first);
    world.set("refs/tags/v1", &unrelated);

    assert!(fetch(&mirror).await.changed);
    assert_eq!(
        branches(&mirror).await,
        [("feature/one".into(), first.to_string()), ("trunk".into(), unrelated.to_string())]
    );
    assert_eq!(resolve(&mirror, "v1").await.unwrap().sha, unrelated);
    assert_eq!(resolve(&mirror, "HEAD").await.unwrap().branch.as_deref(), Some("trunk"));
    assert_eq!(resolve(&mirror, "main").await.unwrap_err().kind(), ErrorKind::NotFound);
    // A revision that was chosen before stays what it was.
    assert_eq!(resolve(&mirror, gone.as_str()).await.unwrap().sha, gone);

    // And back: the folder of names becomes a name, the branch an older commit.
    world.delete("refs/heads/feature/one");
    world.set("refs/heads/feature", &gone);
    world.set("refs/heads/trunk", &first);
    assert!(fetch(&mirror).await.changed);
    assert_eq!(
        branches(&mirror).await,
        [("feature".into(), gone.to_string()), ("trunk".into(), first.to_string())]
    );
}

#[tokio::test]
async fn many_references_change_at_once() {
    let world = World::new();
    let first = world.commit("main", "First", &[("a", "1")]);
    let second = world.commit("main", "Second", &[("a", "2")]);
    world.set("refs/heads/kept", &first);
    let mirror = world.fetched().await;
    for n in 0..100 {
        world.set(&format!("refs/heads/many/{n:03}"), &first);
        world.set(&format!("refs/tags/t{n:03}"), &second);
    }
    world.delete("refs/heads/kept");
    assert!(fetch(&mirror).await.changed);
    let found = branches(&mirror).await;
    assert_eq!(
        (found.len(), &found[1].0, &found[1].1),
        (101, &"many/000".into(), &first.to_string())
    );
    assert_eq!(resolve(&mirror, "t099").await.unwrap().sha, second);
    assert_eq!(resolve(&mirror, "HEAD").await.unwrap().branch.as_deref(), Some("main"));
    assert!(!fetch(&mirror).await.changed);

    for n in 0..100 {
        world.delete(&format!("refs/heads/many/{n:03}"));
    }
    // A single change next to a packed list: the name of the folder is free again.
    world.set("refs/heads/many", &second);
    fetch(&mirror).await;
    world.set("refs/tags/t000", &first);
    world.delete("refs/tags/t001");
    fetch(&mirror).await;
    let names: Vec<_> = branches(&mirror).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["main", "many"]);
    assert_eq!(mirror.tags().await.unwrap().len(), 99);
    assert_eq!(resolve(&mirror, "t000").await.unwrap().sha, first);
}

#[tokio::test]
async fn an_empty_repository_is_no_error() {
    let world = World::new();
    let mirror = world.mirror().await;
    assert_eq!(resolve(&mirror, "HEAD").await.unwrap_err().kind(), ErrorKind::NotFound);
    fetch(&mirror).await;
    assert!(branches(&mirror).await.is_empty());
    assert_eq!(resolve(&mirror, "HEAD").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!fetch(&mirror).await.changed);

    let first = world.commit("main", "First", &[("a", "1")]);
    assert!(fetch(&mirror).await.changed);
    assert_eq!(resolve(&mirror, "HEAD").await.unwrap().sha, first);
}

#[tokio::test]
async fn a_detached_head_is_a_default_without_a_branch() {
    let world = World::new();
    let first = world.commit("main", "First", &[("a", "1")]);
    let loose = world.commit_tree(world.tree(&[("a", "2")]), &[oid(&first)], "On no branch");
    world.repo.set_head_detached(oid(&loose)).unwrap();
    let mirror = world.fetched().await;
    let head = resolve(&mirror, "HEAD").await.unwrap();
    assert_eq!((head.sha, head.branch), (loose, None));
    assert!(!fetch(&mirror).await.changed);
}

/// RELIABILITY H3.
#[tokio::test]
async fn a_shallow_source_gives_a_shallow_mirror_that_deepens() {
    let world = World::new();
    for n in 0..4 {
        world.commit("main", &format!("Commit {n}"), &[("a", &n.to_string())]);
    }
    let file = format!("file://{}", world.path("source.git").display());
    git(world.dir.path(), &["clone", "-q", "--bare", "--depth", "2", &file, "shallow.git"]);
    let url =
        RepoUrl::parse("shallow.git", UrlSource::Operator { base: world.dir.path() }).unwrap();
    let mirror = world.mirror_of(url, Auth::None).await;
    fetch(&mirror).await;
    let head = resolve(&mirror, "HEAD").await.unwrap().sha;
    world.checkout(&mirror, &head).await.unwrap();
    let repo = git2::Repository::open_bare(world.mirror_dir(&mirror)).unwrap();
    let parent = repo.find_commit(oid(&head)).unwrap().parent_id(0).unwrap();
    let parent = Sha::parse(&parent.to_string()).unwrap();
    let range = mirror.commits_between(&parent, &head, RangeLimits::default()).await.unwrap();
    assert_eq!((range.total, range.commits[0].files_total), (1, 1));
    assert!(mirror.is_ancestor(&parent, &head).await.unwrap());

    git(&world.path("shallow.git"), &["fetch", "-q", "--unshallow"]);
    fetch(&mirror).await;
    let repo = git2::Repository::open(world.mirror_dir(&mirror)).unwrap();
    let mut walk = repo.revwalk().unwrap();
    walk.push(oid(&head)).unwrap();
    assert_eq!(walk.count(), 4);
}

#[tokio::test]
async fn revisions_are_found_by_every_name() {
    let world = World::new();
    let first = world.commit("main", "First", &[("a", "1")]);
    let second = world.commit("main", "Second", &[("a", "2")]);
    let who = git2::Signature::now("Ada", "ada@example.com").unwrap();
    let target = world.repo.find_object(oid(&first), None).unwrap();
    world.repo.tag("annotated", &target, &who, "An annotated tag", false).unwrap();
    let file = world.repo.find_object(world.blob("a file"), None).unwrap();
    world.repo.tag_lightweight("of-a-file", &file, false).unwrap();
    let mirror = world.fetched().await;

    for (text, sha, branch) in [
        ("main", &second, Some("main")),
        ("refs/heads/main", &second, Some("main")),
        ("annotated", &first, None),
        ("refs/tags/annotated", &first, None),
        (first.as_str(), &first, None),
        (first.short(), &first, None),
        (&first.as_str()[..39], &first, None),
        (&first.short().to_uppercase(), &first, None),
    ] {
        let found = resolve(&mirror, text).await.unwrap();
        assert_eq!((&found.sha, found.branch.as_deref()), (sha, branch), "{text}");
    }
    for text in
        ["mai", "annotated2", "of-a-file", "0000000", &"0".repeat(40), "refs/heads/annotated"]
    {
        let error = resolve(&mirror, text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{text}: {error}");
    }
}

#[tokio::test]
async fn what_names_two_commits_is_ambiguous_and_says_which() {
    let world = World::new();
    let first = world.commit("main", "First", &[("a", "1")]);
    let second = world.commit("main", "Second", &[("a", "2")]);
    // A branch whose name looks like another commit's id; a tag and a branch of one name.
    world.set(&format!("refs/heads/{}", first.short()), &second);
    world.set("refs/heads/both", &first);
    world.set("refs/tags/both", &second);
    world.set("refs/heads/same", &second);
    world.set("refs/tags/same", &second);
    // Two commits that share their first four digits.
    let (one, other) = colliding(&world);
    world.set("refs/heads/one", &one);
    world.set("refs/heads/other", &other);
    let mirror = world.fetched().await;

    for text in [first.short(), "both", &one.as_str()[..4]] {
        let error = resolve(&mirror, text).await.unwrap_err();
        let Error::AmbiguousRevision { candidates, .. } = &error else { panic!("{text}: {error}") };
        assert_eq!(candidates.len(), 2, "{error}");
    }
    assert_eq!(resolve(&mirror, "same").await.unwrap().sha, second);
    assert_eq!(resolve(&mirror, "refs/tags/both").await.unwrap().sha, second);
    assert_eq!(mirror.resolve(RevisionSpec::branch("both").unwrap()).await.unwrap().sha, first);
}

/// Two commits with equal first four digits (some hundred attempts find a pair).
fn colliding(world: &World) -> (Sha, Sha) {
    let tree = world.tree(&[("a", "1")]);
    let mut seen = std::collections::HashMap::new();
    loop {
        let sha = world.commit_tree(tree, &[], "Collide");
        if let Some(other) = seen.insert(sha.as_str()[..4].to_owned(), sha.clone()) {
            return (other, sha);
        }
    }
}

#[tokio::test]
async fn commits_between_two_revisions_are_listed_with_their_files() {
    let world = World::new();
    let base = world.commit("main", "Base", &[("a", "1"), ("b", "1")]);
    let topic = world.commit_tree(world.tree(&[("a", "1"), ("b", "2")]), &[oid(&base)], "Topic");
    let second =
        world.commit("main", "Second\n\nLong story", &[("a", "2"), ("b", "1"), ("dir/new", "x")]);
    let merged = world.tree(&[("a", "2"), ("b", "2"), ("dir/new", "x")]);
    let merge = world.commit_tree(merged, &[oid(&second), oid(&topic)], "Merge topic");
    let third = world.commit_tree(world.tree(&[("c", "1")]), &[oid(&merge)], "Third");
    world.set("refs/heads/main", &third);
    let mirror = world.fetched().await;
    let limits = RangeLimits::default();

    let all = mirror.commits_between(&base, &third, limits).await.unwrap();
    let seen: Vec<_> = all
        .commits
        .iter()
        .map(|commit| (commit.subject.as_str(), commit.files.clone(), commit.files_total))
        .collect();
    let names = |files: &[&str]| files.iter().map(|file| (*file).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        seen,
        [
            ("Third", names(&["a", "b", "c", "dir/new"]), 4),
            ("Merge topic", names(&["b"]), 1),
            ("Second", names(&["a", "dir/new"]), 2),
            ("Topic", names(&["b"]), 1),
        ]
    );
    assert!(!all.is_cut());
    assert_eq!(
        (all.commits[3].sha.clone(), all.commits[3].author.as_str()),
        (topic.clone(), "Ada")
    );

    let line = mirror
        .commits_between(&base, &third, RangeLimits { parents: Parents::First, ..limits })
        .await
        .unwrap();
    let line: Vec<_> = line.commits.iter().map(|commit| commit.subject.as_str()).collect();
    assert_eq!(line, ["Third", "Merge topic", "Second"]);

    let from_topic =
        mirror.commits_between(&topic, &third, RangeLimits { parents: Parents::First, ..limits });
    assert_eq!(from_topic.await.unwrap().total, 3);

    let cut = mirror
        .commits_between(&base, &third, RangeLimits { commits: 1, files: 2, ..limits })
        .await
        .unwrap();
    assert!(cut.is_cut());
    assert_eq!((cut.commits.len(), cut.total), (1, 4));
    assert_eq!((cut.commits[0].files.clone(), cut.commits[0].files_total), (names(&["a", "b"]), 4));

    assert_eq!(mirror.commits_between(&third, &third, limits).await.unwrap().total, 0);
    assert_eq!(mirror.commits_between(&third, &base, limits).await.unwrap().total, 0);
    let unknown = Sha::parse(&"0".repeat(40)).unwrap();
    let error = mirror.commits_between(&unknown, &third, limits).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");

    assert!(mirror.is_ancestor(&topic, &third).await.unwrap());
    assert!(mirror.is_ancestor(&third, &third).await.unwrap());
    assert!(!mirror.is_ancestor(&third, &topic).await.unwrap());
    assert!(!mirror.is_ancestor(&topic, &second).await.unwrap());
    assert_eq!(mirror.merge_base(&topic, &second).await.unwrap(), Some(base));
}

#[tokio::test]
async fn a_root_commit_touches_all_its_files_and_unrelated_histories_share_nothing() {
    let world = World::new();
    let old = world.commit("main", "Old", &[("a", "1")]);
    let new = world.commit_tree(world.tree(&[("x", "1"), ("y", "1")]), &[], "New");
    world.set("refs/heads/other", &new);
    let mirror = world.fetched().await;
    let range = mirror.commits_between(&old, &new, RangeLimits::default()).await.unwrap();
    assert_eq!((range.total, range.commits[0].files_total), (1, 2));
    assert_eq!(mirror.merge_base(&old, &new).await.unwrap(), None);
    assert!(!mirror.is_ancestor(&old, &new).await.unwrap());
}

#[tokio::test]
async fn what_is_no_repository_says_so() {
    let world = World::new();
    std::fs::create_dir(world.path("folder")).unwrap();
    std::fs::write(world.path("file"), "x").unwrap();
    for name in ["missing", "folder", "file", "source.git/refs"] {
        let url = RepoUrl::parse(name, UrlSource::Operator { base: world.dir.path() }).unwrap();
        let error = world
            .mirror_of(url, Auth::None)
            .await
            .fetch(super::support::PATIENCE)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}: {error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn many_fetches_at_once_agree() {
    let world = World::new();
    let sha = world.commit("main", "First", &[("a", "1")]);
    let mirror = world.mirror().await;
    let other = world.mirror().await;
    let fetches = (0..8).map(|n| {
        let mirror = if n % 2 == 0 { mirror.clone() } else { other.clone() };
        tokio::spawn(async move { fetch(&mirror).await })
    });
    let made = futures_util::future::join_all(fetches)
        .await
        .into_iter()
        .filter(|fetched| fetched.as_ref().unwrap().rebuilt);
    assert_eq!(made.count(), 1);
    assert_eq!(resolve(&mirror, "main").await.unwrap().sha, sha);
}

async fn seen(mirror: &Mirror, known: Option<RefsPrint>) -> Option<Branches> {
    match mirror.look(known, PATIENCE).await.unwrap() {
        Looked::Unchanged => None,
        Looked::Seen(branches) => Some(branches),
    }
}

#[tokio::test]
async fn after_quiet_looks_every_kind_of_movement_is_seen() {
    let world = World::new();
    let first = world.commit("main", "First", &[("a.txt", "1")]);
    let mirror = world.mirror().await;
    let mut known = seen(&mirror, None).await.unwrap().print;
    let beginning = known;
    let movements: [&dyn Fn(); 5] = [
        &|| drop(world.commit("main", "Second", &[("a.txt", "2")])),
        &|| world.set("refs/heads/v1", &first),
        &|| git(&world.path("source.git"), &["symbolic-ref", "HEAD", "refs/heads/v1"]),
        &|| world.delete("refs/heads/main"),
        // As it was at the beginning, in other files.
        &|| {
            git(&world.path("source.git"), &["branch", "-m", "v1", "main"]);
            git(&world.path("source.git"), &["pack-refs", "--all"]);
        },
    ];
    for (number, moves) in movements.into_iter().enumerate() {
        for _ in 0..3 {
            assert_eq!(seen(&mirror, Some(known)).await, None, "before movement {number}");
        }
        moves();
        known = seen(&mirror, Some(known)).await.expect("it moved").print;
    }
    assert_eq!(known, beginning);
    // Whoever knows something else is told, however often others found nothing new.
    assert_eq!(seen(&mirror, Some(known)).await, None);
    let stranger = world.commit("main", "Third", &[("a.txt", "3")]);
    let now = seen(&mirror, Some(known)).await.unwrap();
    assert_eq!(now.tips[0].sha, stranger);
    assert_eq!(seen(&mirror, Some(now.print)).await, None);
    assert!(seen(&mirror, Some(known)).await.is_some());
}
