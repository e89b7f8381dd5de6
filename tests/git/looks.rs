//! Looks at real repositories: what is stored after each.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use andon::domain::commit::Echo;
use andon::domain::outcome::TriggerKind;
use andon::domain::revision::Sha;
use andon::domain::spec::Pipeline;
use andon::git::Mirror;
use andon::pipeline::{self, MemoryFiles};
use andon::store::sqlite::{Mode, SqliteStore};
use andon::store::{CommitFate, CommitRow, Store, WaitingTrigger};
use andon::trigger::{Hint, Look, WatchedPipeline, look};
use jiff::Timestamp;

use super::support::{PATIENCE, World, oid};

/// Reads a pipeline that stands beside the source repository.
pub fn pipeline(world: &World, name: &str, text: &str) -> Pipeline {
    let path = world.path(&format!("{name}.yaml"));
    let text =
        format!("version: 1\nname: {name}\n{text}\ndeploy:\n  steps: [{{ run: \"true\" }}]\n");
    let loaded = pipeline::load(&MemoryFiles::new().with(&path, text), &path);
    loaded.pipeline.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics))
}

pub async fn open_store(world: &World) -> Arc<SqliteStore> {
    let path = world.path("state/andon.db");
    Arc::new(SqliteStore::open(&path, Mode::ReadWrite).await.unwrap())
}

/// One pipeline that watches the world's repository.
struct Station {
    world: World,
    store: Arc<SqliteStore>,
    pipeline: Pipeline,
    mirror: Mirror,
}

impl Station {
    /// The repository has one commit, and was looked at once.
    async fn new(watch: &str) -> Self {
        let world = World::new();
        world.commit("main", "First", &[("a", "0")]);
        let station = Self::unseen(world, watch, "").await;
        let first = station.look().await;
        assert_eq!(first.to_run, 0, "the past is no news");
        assert!(station.waiting().await.is_empty() && station.commits().await.is_empty());
        station
    }

    async fn unseen(world: World, watch: &str, more: &str) -> Self {
        let text = format!("watch: {{ repo: source.git, {watch} }}\n{more}");
        let pipeline = pipeline(&world, "chat", &text);
        let (store, mirror) = (open_store(&world).await, world.mirror().await);
        Self { world, store, pipeline, mirror }
    }

    async fn look(&self) -> Look {
        self.look_because(Hint::Poll).await
    }

    async fn look_because(&self, hint: Hint) -> Look {
        let watched = WatchedPipeline::new(&self.pipeline).unwrap();
        look(&watched, &self.mirror, &*self.store, None, hint, at(), PATIENCE).await.unwrap()
    }

    async fn waiting(&self) -> Vec<WaitingTrigger> {
        self.store_ref().waiting_triggers().await.unwrap()
    }

    /// The one trigger that waits.
    async fn only(&self) -> WaitingTrigger {
        let mut waiting = self.waiting().await;
        assert_eq!(waiting.len(), 1, "{waiting:#?}");
        waiting.remove(0)
    }

    /// All commits seen, oldest first.
    async fn commits(&self) -> Vec<CommitRow> {
        let mut rows = self.store_ref().list_commits(&self.pipeline.name, 10_000).await.unwrap();
        rows.reverse();
        rows
    }

    fn store_ref(&self) -> &dyn Store {
        &*self.store
    }

    async fn drop_waiting(&self) {
        for trigger in self.waiting().await {
            assert!(self.store_ref().drop_trigger(trigger.id, "test", at()).await.unwrap());
        }
    }
}

fn at() -> Timestamp {
    "2026-11-26T12:00:00Z".parse().unwrap()
}

fn rule(row: &CommitRow) -> Option<&str> {
    match &row.fate {
        CommitFate::Skipped { rule } => Some(rule),
        _ => None,
    }
}

#[tokio::test]
async fn a_commit_becomes_a_trigger() {
    let station = Station::new("branches: [main], settle: 7s").await;
    assert_eq!(station.look().await.moved, 0);
    let second = station.world.commit("main", "Second", &[("a", "1")]);
    let found = station.look().await;
    assert_eq!((found.moved, found.to_run), (1, 1));
    let trigger = station.only().await;
    assert_eq!(trigger.cause.kind, TriggerKind::Commit);
    assert_eq!(trigger.cause.detail, format!("main moved to {}", second.short()));
    assert_eq!(
        (trigger.requested.as_deref(), trigger.branch.as_deref()),
        (Some(second.as_str()), Some("main"))
    );
    assert_eq!(trigger.not_before.to_string(), "2026-11-26T12:00:07Z");
    let commits = station.commits().await;
    assert_eq!(commits.len(), 1);
    assert_eq!((commits[0].subject.as_str(), &commits[0].fate), ("Second", &CommitFate::Waiting));

    // Another look, also one that somebody asked for, finds nothing.
    assert_eq!(station.look_because(Hint::Webhook).await.moved, 0);
    assert_eq!(station.waiting().await.len(), 1);
    let third = station.world.commit("main", "Third", &[("a", "2")]);
    station.look_because(Hint::Webhook).await;
    let trigger = station.only().await;
    assert_eq!(
        (trigger.cause.kind, trigger.requested.as_deref()),
        (TriggerKind::Webhook, Some(third.as_str()))
    );
}

#[tokio::test]
async fn a_burst_is_taken_together() {
    let station = Station::new("branches: [main]").await;
    let burst: Vec<Sha> =
        (1..=3).map(|n| station.world.commit("main", "Burst", &[("a", &n.to_string())])).collect();
    station.look().await;
    assert_eq!(station.only().await.taken_together, burst[..2]);
    let last = station.world.commit("main", "One more", &[("a", "9")]);
    station.look().await;
    let trigger = station.only().await;
    assert_eq!((trigger.taken_together, trigger.requested), (burst, Some(last.to_string())));
    assert_eq!(station.commits().await.len(), 4);
}

#[tokio::test]
async fn h1_history_that_changes_is_run_and_said() {
    let station = Station::new("branches: [main]").await;
    let world = &station.world;
    let first =
        Sha::parse(&world.repo.refname_to_id("refs/heads/main").unwrap().to_string()).unwrap();
    let second = world.commit("main", "Second", &[("a", "1")]);
    station.look().await;

    let tree = world.tree(&[("a", "other")]);
    let other = world.commit_tree(tree, &[oid(&first)], "Rewritten [skip andon]");
    world.set("refs/heads/main", &other);
    station.look().await;
    let said = |what: &str, was: &Sha, now: &Sha| {
        format!("main {what}: {} → {}", was.short(), now.short())
    };
    assert_eq!(station.only().await.cause.detail, said("was rewritten", &second, &other));

    world.set("refs/heads/main", &first);
    station.look().await;
    let trigger = station.only().await;
    assert_eq!(trigger.cause.detail, said("was moved back", &other, &first));
    assert_eq!(trigger.requested, Some(first.to_string()));

    let orphan = world.commit_tree(tree, &[], "From nothing");
    world.set("refs/heads/main", &orphan);
    station.look().await;
    assert_eq!(
        station.only().await.cause.detail,
        said("was replaced by an unrelated history", &first, &orphan)
    );

    // The mirror is lost, and the remote has no longer what was there.
    std::fs::remove_dir_all(world.path("cache")).unwrap();
    std::fs::create_dir(world.path("cache")).unwrap();
    world.set("refs/heads/main", &second);
    world.repo.odb().unwrap();
    let loose =
        world.path("source.git/objects").join(&orphan.as_str()[..2]).join(&orphan.as_str()[2..]);
    std::fs::remove_file(loose).unwrap();
    station.look().await;
    assert_eq!(station.only().await.cause.detail, said("was rewritten", &orphan, &second));
}

#[tokio::test]
async fn h2_a_branch_goes_and_comes_back_and_tags_are_not_watched() {
    let station = Station::new("branches: [main, \"release/*\"]").await;
    let world = &station.world;
    let first = world.commit("release/1", "Release", &[("a", "1")]);
    station.look().await;
    assert_eq!(
        station.only().await.cause.detail,
        format!("release/1 appeared at {}", first.short())
    );

    world.delete("refs/heads/release/1");
    let found = station.look().await;
    assert_eq!((found.moved, found.to_run), (1, 0));
    assert!(station.waiting().await.is_empty());
    assert!(matches!(&station.commits().await[0].fate, CommitFate::Dropped { .. }));
    assert_eq!(station.look().await.moved, 0, "a deletion is found once");

    world.set("refs/heads/release/1", &first);
    station.look().await;
    assert_eq!(
        station.only().await.cause.detail,
        format!("release/1 came back at {}", first.short())
    );
    station.drop_waiting().await;

    world.set("refs/tags/v1", &first);
    world.set("refs/heads/unwatched", &first);
    assert_eq!(station.look().await.moved, 0);
    let loose = world.commit_tree(world.tree(&[("t", "t")]), &[], "Tagged only");
    world.set("refs/tags/v1", &loose);
    assert_eq!(station.look().await.moved, 0);
}

#[tokio::test]
async fn h2_a_default_branch_gets_another_name() {
    let station = Station::new("settle: 0s").await;
    let world = &station.world;
    let tip = world.commit("main", "Second", &[("a", "1")]);
    station.look().await;
    station.drop_waiting().await;
    world.set("refs/heads/trunk", &tip);
    world.repo.set_head("refs/heads/trunk").unwrap();
    world.delete("refs/heads/main");
    let found = station.look().await;
    assert_eq!((found.moved, found.to_run), (2, 0), "the same commit under another name");
    let next = world.commit("trunk", "Third", &[("a", "2")]);
    station.look().await;
    assert_eq!(station.only().await.cause.detail, format!("trunk moved to {}", next.short()));
}

#[tokio::test]
async fn h4_an_empty_repository_is_quiet_until_its_first_commit() {
    let station = Station::unseen(World::new(), "settle: 0s", "").await;
    for _ in 0..2 {
        assert_eq!(station.look().await.moved, 0);
    }
    // Also when the daemon was down in between: that nothing was there is remembered.
    let first = station.world.commit("main", "First", &[("a", "1")]);
    station.look().await;
    assert_eq!(station.only().await.cause.detail, format!("main appeared at {}", first.short()));
    assert_eq!(station.commits().await.len(), 1);

    let none = Station::unseen(World::new(), "branches: [\"nothing-*\"]", "").await;
    none.world.commit("main", "First", &[("a", "1")]);
    assert_eq!((none.look().await.moved, none.look().await.moved), (0, 0));
}

#[tokio::test]
async fn rules_pass_commits_over_and_say_why() {
    let station =
        Station::new("branches: [main], paths: [\"src/**\"], ignore_paths: [\"*.md\"]").await;
    let world = &station.world;
    let src = ("src/a.rs", "1");
    world.commit("main", "Marked [skip andon]", &[("a", "0"), src]);
    world.commit("main", "Elsewhere", &[("a", "1"), src]);
    world.commit("main", "Words", &[("a", "1"), src, ("src/NOTES.md", "1")]);
    assert_eq!(station.look().await.to_run, 0);
    assert!(station.waiting().await.is_empty());
    let rules = ["[skip andon] in its message", "touches nothing in src/**", "touches only *.md"];
    let commits = station.commits().await;
    assert_eq!(commits.iter().filter_map(rule).collect::<Vec<_>>(), rules);

    // One that counts, then one that does not: the branch is run where it is now.
    let counts = world.commit("main", "Code", &[("a", "1"), ("src/a.rs", "2")]);
    let head = world.commit("main", "Marked too [skip andon]", &[("a", "2"), ("src/a.rs", "2")]);
    station.look().await;
    let trigger = station.only().await;
    assert_eq!((trigger.requested, trigger.taken_together), (Some(head.to_string()), vec![counts]));
    let commits = station.commits().await;
    assert!(commits[3..].iter().all(|row| row.fate == CommitFate::Waiting), "{commits:#?}");
}

#[tokio::test]
async fn reports_of_our_own_trigger_nothing() {
    let world = World::new();
    world.commit("main", "First", &[("a", "0")]);
    let publish = "report: { publish: { git: { repo: source.git, branch: main, path: out } } }";
    let station = Station::unseen(world, "branches: [main]", publish).await;
    station.look().await;
    let world = &station.world;
    let report = ("else/web/cycle-0001.md", "1");
    world.commit("main", "Report of cycle 1\n\nAndon-Report: web 1", &[("a", "0"), report]);
    world.commit("main", "A person tidies up", &[("a", "0"), report, ("out/1.md", "1")]);
    assert_eq!(station.look().await.to_run, 0);
    assert_eq!(station.commits().await.iter().filter_map(rule).count(), 2);
    // A squash merge gathers trailers: it is a change for all that.
    let squash = "Code\n\nAndon-Report: web 1";
    let squashed = world.commit("main", squash, &[("a", "1"), report, ("out/1.md", "1")]);
    assert_eq!(station.look().await.to_run, 1);
    // Who publishes is known by the address of the author, whoever committed it.
    let author = git2::Signature::new("Andon", "andon@localhost", &git2::Time::new(1, 0)).unwrap();
    let ada = git2::Signature::new("Ada", "ada@example.com", &git2::Time::new(2, 0)).unwrap();
    let parent = world.repo.find_commit(oid(&squashed)).unwrap();
    let tree = world.repo.find_tree(world.tree(&[("a", "2")])).unwrap();
    let branch = Some("refs/heads/main");
    world.repo.commit(branch, &author, &ada, "Cherry-picked", &tree, &[&parent]).unwrap();
    assert_eq!(station.look().await.to_run, 1, "one alone is no circle");
    let seen = station.store_ref().seen_before(&station.pipeline.name, 9).await.unwrap();
    let echoes: Vec<Echo> = seen.iter().map(|commit| commit.echo).collect();
    assert_eq!(echoes, [Echo::Yes, Echo::No, Echo::Yes, Echo::Yes]);
}

#[tokio::test]
async fn i9_five_hundred_branches_that_moved_while_nobody_looked_are_found_in_one_look() {
    let world = World::new();
    let first = world.commit("main", "First", &[("a", "0")]);
    for n in 0..500 {
        world.set(&format!("refs/heads/b/{n:03}"), &first);
    }
    let station = Station::unseen(world, "branches: [\"b/*\"]", "").await;
    assert_eq!(station.look().await.moved, 500);
    station.store_ref().close().await;

    let world = station.world;
    let tree = world.tree(&[("a", "1")]);
    for n in 0..500 {
        let next = world.commit_tree(tree, &[oid(&first)], &format!("Commit of {n}"));
        world.set(&format!("refs/heads/b/{n:03}"), &next);
    }
    let station = Station::unseen(world, "branches: [\"b/*\"]", "").await;
    let found = station.look().await;
    assert_eq!((found.moved, found.to_run), (500, 500));
    let branches: Vec<String> =
        station.waiting().await.into_iter().filter_map(|trigger| trigger.branch).collect();
    assert!(branches.into_iter().eq((0..500).map(|n| format!("b/{n:03}"))));
    assert_eq!(station.commits().await.len(), 500);
    assert_eq!(station.look().await.moved, 0);
}

#[tokio::test]
async fn h9_hostile_names_are_names() {
    let station = Station::new("branches: [\"**\"]").await;
    let world = &station.world;
    let long = format!("{}/{}", "x".repeat(200), "y".repeat(200));
    let names = [
        "--upload-pack=touch canary",
        "$(touch canary)",
        "`touch canary`",
        "';touch canary;'",
        "a|touch canary",
        "%00%0a",
        "&&true",
        "{a,b}",
        "é\u{202e}gpj",
        "HEAD",
        "refs/heads/main",
        &long,
    ];
    // Names with a space are not allowed by git.
    let names: Vec<String> = names.iter().map(|name| name.replace(' ', "${IFS}")).collect();
    for name in &names {
        world.commit(name, &format!("On {name}\r\u{1b}[31m"), &[("a", name)]);
    }
    let found = station.look().await;
    assert_eq!((found.moved, found.to_run), (names.len(), names.len()));
    let mut seen: Vec<String> =
        station.waiting().await.into_iter().filter_map(|trigger| trigger.branch).collect();
    let mut expected = names.clone();
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
    assert!(station.waiting().await.iter().all(|trigger| trigger.cause.detail.len() < 300));
    assert!(!Path::new("canary").exists());
}

#[tokio::test]
async fn two_who_look_at_the_same_time_store_one_trigger() {
    let station = Station::new("branches: [main, \"b*\"]").await;
    for n in 0..10 {
        station.world.commit(&format!("b{n}"), "New", &[("a", &n.to_string())]);
    }
    let watched = WatchedPipeline::new(&station.pipeline).unwrap();
    let one = || look(&watched, &station.mirror, &*station.store, None, Hint::Poll, at(), PATIENCE);
    let (a, b, c) = tokio::join!(one(), one(), one());
    // One of them may give up, having stored a part; the others store the rest, and nothing twice.
    let moved = [a, b, c].map(|found| found.map_or(0, |found| found.moved)).iter().sum::<usize>();
    assert!(moved <= 10, "{moved}");
    assert_eq!(station.waiting().await.len(), 10);
    assert_eq!(station.commits().await.len(), 10);
}

#[tokio::test]
async fn a_look_at_what_did_not_change_needs_neither_lock_nor_mirror() {
    let station = Station::new("branches: [main]").await;
    let watched = WatchedPipeline::new(&station.pipeline).unwrap();
    let known = station.look().await.print;
    assert!(known.is_some());
    let cache = station.world.path("cache");
    let lock = format!("{}.lock", station.mirror.url().cache_key());
    let held = std::fs::File::open(cache.join(lock)).unwrap();
    held.lock().unwrap();
    let short = Duration::from_millis(50);
    let again = look(&watched, &station.mirror, &*station.store, known, Hint::Poll, at(), short);
    assert_eq!(again.await.unwrap(), Look { print: known, ..Look::default() });
    // What changed does need them.
    station.world.commit("main", "Second", &[("a", "1")]);
    let again = look(&watched, &station.mirror, &*station.store, known, Hint::Poll, at(), short);
    let error = again.await.unwrap_err();
    assert!(error.to_string().contains("waiting for another fetch"), "{error}");
    drop(held);
    assert_eq!(station.look().await.to_run, 1);
}
