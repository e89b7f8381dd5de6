//! Mirrors that a crash, a disk or a hand damaged repair themselves.

use std::fs;
use std::time::Duration;

use andon::domain::revision::Sha;
use andon::git::{ErrorKind, Mirror};

use super::support::{PATIENCE, World, fetch, oid, resolve};

async fn world_with_mirror() -> (World, Mirror, Sha) {
    let world = World::new();
    world.commit("main", "First", &[("a", "1")]);
    let second = world.commit("main", "Second", &[("a", "2"), ("deep/b", "x")]);
    let mirror = world.fetched().await;
    (world, mirror, second)
}

fn overwrite_packs(world: &World, mirror: &Mirror) {
    let packs = world.mirror_dir(mirror).join("objects/pack");
    for entry in fs::read_dir(packs).unwrap() {
        let path = entry.unwrap().path();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "garbage").unwrap();
    }
}

/// RELIABILITY H3: one fetch more, then a clone that takes its place.
#[tokio::test]
async fn a_damaged_pack_is_noticed_and_replaced() {
    let (world, mirror, sha) = world_with_mirror().await;
    overwrite_packs(&world, &mirror);
    fetch(&mirror).await;
    assert_eq!(resolve(&mirror, "main").await.unwrap().sha, sha);
    world.checkout(&mirror, &sha).await.unwrap();
}

#[tokio::test]
async fn a_folder_that_is_no_repository_is_replaced() {
    let (world, mirror, sha) = world_with_mirror().await;
    let dir = world.mirror_dir(&mirror);
    fs::remove_dir_all(&dir).unwrap();
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("HEAD"), "nonsense").unwrap();
    assert!(fetch(&mirror).await.rebuilt);
    assert_eq!(resolve(&mirror, "main").await.unwrap().sha, sha);
}

#[tokio::test]
async fn damage_that_only_a_reader_meets_is_repaired_by_the_next_fetch() {
    let (world, mirror, sha) = world_with_mirror().await;
    // The objects become loose files, and one file's content is lost: no fetch looks there.
    let dir = world.mirror_dir(&mirror);
    let blob = {
        let tree = world.repo.find_commit(oid(&sha)).unwrap().tree().unwrap();
        tree.get_path(std::path::Path::new("deep/b")).unwrap().id().to_string()
    };
    fs::remove_dir_all(dir.join("objects/pack")).unwrap();
    copy(&world.path("source.git/objects"), &dir.join("objects"));
    fs::remove_file(dir.join("objects").join(&blob[..2]).join(&blob[2..])).unwrap();
    assert!(!fetch(&mirror).await.changed, "the damage is where a fetch does not look");

    let error = world.checkout(&mirror, &sha).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(super::support::listing(&world.path("out")).is_empty(), "half a checkout was left");
    assert!(fetch(&mirror).await.rebuilt);
    world.checkout(&mirror, &sha).await.unwrap();
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// RELIABILITY H3.
#[tokio::test]
async fn a_lost_tip_is_fetched_again() {
    let (world, mirror, sha) = world_with_mirror().await;
    for entry in fs::read_dir(world.mirror_dir(&mirror).join("objects/pack")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let fetched = fetch(&mirror).await;
    assert!(!fetched.rebuilt, "{fetched:?}");
    world.checkout(&mirror, &sha).await.unwrap();
}

/// RELIABILITY A2.
#[tokio::test]
async fn what_a_killed_fetch_left_is_removed_but_never_under_a_running_one() {
    let (world, mirror, _) = world_with_mirror().await;
    let dir = world.mirror_dir(&mirror);
    let stale = [
        dir.join("refs/heads/main.lock"),
        dir.join("HEAD.lock"),
        dir.join("objects/pack/pack_git2_x"),
    ];
    for path in &stale {
        fs::write(path, "").unwrap();
    }
    fs::create_dir_all(dir.join("objects/pack/tmp_merge-x/pack")).unwrap();
    world.commit("tmp_pack_git2_", "A branch with a name like a leftover", &[("a", "1")]);
    let half = dir.with_extension("new");
    fs::create_dir(&half).unwrap();
    let third = world.commit("main", "Third", &[("a", "3")]);

    // Somebody else holds the lock: nothing is touched.
    let lock = fs::OpenOptions::new().write(true).open(dir.with_extension("lock")).unwrap();
    fs::write(dir.with_extension("lock"), "writing").unwrap();
    lock.lock().unwrap();
    let error = mirror.fetch(Duration::from_millis(100)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(stale.iter().all(|path| path.exists()) && half.exists());

    drop(lock);
    mirror.fetch(PATIENCE).await.unwrap();
    assert!(stale.iter().all(|path| !path.exists()) && !half.exists());
    assert!(!dir.join("objects/pack/tmp_merge-x").exists());
    resolve(&mirror, "tmp_pack_git2_").await.unwrap();
    assert_eq!(resolve(&mirror, "main").await.unwrap().sha, third);
    assert_eq!(fs::read_to_string(dir.with_extension("lock")).unwrap(), "");
}

#[tokio::test]
async fn a_rebuild_that_fails_keeps_what_was_there() {
    let (world, mirror, sha) = world_with_mirror().await;
    fs::write(world.mirror_dir(&mirror).with_extension("lock"), "suspect").unwrap();
    fs::rename(world.path("source.git"), world.path("away.git")).unwrap();
    assert_eq!(mirror.fetch(PATIENCE).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(resolve(&mirror, "main").await.unwrap().sha, sha);
    fs::rename(world.path("away.git"), world.path("source.git")).unwrap();
    assert!(fetch(&mirror).await.rebuilt);
}

#[tokio::test]
async fn packs_do_not_become_many_and_nothing_gets_lost() {
    let world = World::new();
    let mirror = world.mirror().await;
    let mut all = Vec::new();
    let packs = |mirror: &Mirror| {
        let names = super::support::listing(&world.mirror_dir(mirror).join("objects/pack"));
        names.iter().filter(|name| name.ends_with(".pack")).count()
    };
    let mut most = 0;
    for n in 0..40 {
        all.push(world.commit("main", "Next", &[("a", &n.to_string())]));
        fetch(&mirror).await;
        most = most.max(packs(&mirror));
    }
    assert!(most < 33 && packs(&mirror) < 20, "{most} packs, now {}", packs(&mirror));
    for (n, sha) in all.iter().enumerate() {
        let dest = world.path(&format!("out/{n}"));
        mirror.checkout(sha, &dest, andon::git::CheckoutLimits::default()).await.unwrap();
        assert_eq!(fs::read_to_string(dest.join("a")).unwrap(), n.to_string());
    }
}

#[tokio::test]
async fn what_the_source_threw_away_is_no_damage() {
    let (world, mirror, sha) = world_with_mirror().await;
    let rewritten = world.commit_tree(world.tree(&[("z", "z")]), &[], "Rewritten");
    world.set("refs/heads/main", &rewritten);
    // As after a garbage collection: the source no longer has the commit that the mirror has.
    let (folder, file) = sha.as_str().split_at(2);
    fs::remove_file(world.path("source.git/objects").join(folder).join(file)).unwrap();
    let fetched = fetch(&mirror).await;
    assert!(fetched.changed && !fetched.rebuilt, "{fetched:?}");
    world.checkout(&mirror, &sha).await.unwrap();
}
