//! The tasks that look at repositories: when they look, and what they do about failures.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use andon::domain::redact::Secret;
use andon::domain::spec::{Pipeline, Poll};
use andon::git::{Auth, Mirror, MirrorOptions, RepoUrl};
use andon::store::sqlite::SqliteStore;
use andon::store::{Store, TriggerStore, WaitingTrigger};
use andon::trigger::{OpenMirror, WatchHealth, WatchSetup, WatchSpec, Watchers};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt as _;

use super::http::{Manner, Server};
use super::looks::{open_store, pipeline};
use super::support::{PATIENCE, World};

struct Yard {
    store: Arc<SqliteStore>,
    watchers: Arc<Watchers>,
    stored: Arc<Notify>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Yard {
    async fn new(world: &World, limit: Duration) -> Self {
        let (store, stored) = (open_store(world).await, Arc::new(Notify::new()));
        let setup = WatchSetup {
            store: Arc::clone(&store) as Arc<dyn TriggerStore>,
            now: Arc::new(jiff::Timestamp::now),
            stored: Arc::clone(&stored),
            refusals: andon::store::Refusals::default(),
            tell_circle: Arc::new(|_, _| Box::pin(async { true })),
            limit,
        };
        let (watchers, stop) = (Arc::new(Watchers::new(setup)), CancellationToken::new());
        let running = tokio::spawn({
            let (watchers, stop) = (Arc::clone(&watchers), stop.clone());
            async move { watchers.run(stop).await }
        });
        Self { store, watchers, stored, stop, running }
    }

    fn health(&self, name: &str) -> WatchHealth {
        let all = self.watchers.health();
        all.into_iter()
            .find(|(known, _)| known.as_str() == name)
            .map(|(_, one)| one)
            .unwrap_or_default()
    }

    /// Waits until the health of a watcher is as wanted.
    async fn until(&self, name: &str, wanted: impl Fn(&WatchHealth) -> bool) -> WatchHealth {
        patiently(async {
            loop {
                let health = self.health(name);
                if wanted(&health) {
                    return health;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
    }

    async fn triggers(&self) -> Vec<WaitingTrigger> {
        self.store.waiting_triggers().await.unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        patiently(self.running).await.unwrap();
        Store::close(&*self.store).await;
    }
}

async fn patiently<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it takes too long")
}

/// A pipeline that looks so often.
fn polled(world: &World, name: &str, poll: Option<Duration>) -> Arc<Pipeline> {
    let mut pipeline =
        pipeline(world, name, "watch: { repo: source.git, branches: [main], settle: 0s }");
    pipeline.watch.as_mut().unwrap().poll = poll.map_or(Poll::Off, Poll::Every);
    Arc::new(pipeline)
}

/// How a repository is opened with each login in turn, and the last one for good.
fn opener(world: &World, url: RepoUrl, logins: Vec<Auth>) -> OpenMirror {
    let (cache, opened) = (world.path("cache"), AtomicUsize::new(0));
    Arc::new(move || {
        let at = opened.fetch_add(1, Ordering::SeqCst).min(logins.len() - 1);
        let (cache, url, login) = (cache.clone(), url.clone(), logins[at].clone());
        Box::pin(
            async move { Ok(Mirror::open(&cache, url, login, MirrorOptions::default()).await?) },
        )
    })
}

fn local(world: &World, pipeline: &Arc<Pipeline>) -> WatchSpec {
    let url = RepoUrl::of_pipeline(pipeline).unwrap();
    WatchSpec { pipeline: Arc::clone(pipeline), open: opener(world, url, vec![Auth::None]) }
}

/// Collects what is logged from `INFO` on by the thread of a test.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logged {
    fn here() -> (Self, tracing::subscriber::DefaultGuard) {
        let logged = Self::default();
        let writer = logged.clone();
        let layer =
            tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let filter = tracing_subscriber::filter::LevelFilter::INFO;
        let guard = tracing::subscriber::set_default(
            tracing_subscriber::registry().with(filter).with(layer),
        );
        (logged, guard)
    }

    fn count(&self, part: &str) -> usize {
        String::from_utf8_lossy(&self.0.lock().unwrap()).matches(part).count()
    }
}

#[tokio::test]
async fn a_hint_is_enough_and_a_start_finds_what_hints_were_lost_for() {
    let world = World::new();
    world.commit("main", "First", &[("a", "0")]);
    let quiet = polled(&world, "quiet", None);
    let yard = Yard::new(&world, PATIENCE).await;
    yard.watchers.put(&local(&world, &quiet));
    yard.until("quiet", |health| health.last_good_at.is_some()).await;

    world.commit("main", "Second", &[("a", "1")]);
    yard.store.request_look(&quiet.name, "a push", jiff::Timestamp::now()).await.unwrap();
    yard.watchers.wake();
    patiently(yard.stored.notified()).await;
    assert_eq!(yard.triggers().await.len(), 1);
    patiently(async {
        while !yard.store.wanted_looks().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    yard.end().await;

    // Down: a push whose hook nobody heard.
    let third = world.commit("main", "Third", &[("a", "2")]);
    let yard = Yard::new(&world, PATIENCE).await;
    yard.watchers.put(&local(&world, &quiet));
    patiently(yard.stored.notified()).await;
    assert_eq!(yard.triggers().await[0].requested.as_deref(), Some(third.as_str()));

    // A hint for what nobody watches does not stay for ever.
    yard.watchers.remove(&quiet.name);
    assert!(yard.watchers.health().is_empty());
    yard.store.request_look(&quiet.name, "a push", jiff::Timestamp::now()).await.unwrap();
    yard.watchers.wake();
    patiently(async {
        while !yard.store.wanted_looks().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    yard.end().await;
}

#[tokio::test]
async fn h7_servers_that_never_answer_hold_up_nobody_else_and_are_given_up() {
    let world = World::new();
    world.commit("main", "First", &[("a", "0")]);
    let silent = Server::start(&world, Manner::Silent).await;
    let limit = Duration::from_secs(3);
    let yard = Yard::new(&world, limit).await;
    for n in 0..6 {
        let stuck = polled(&world, &format!("stuck-{n}"), Some(Duration::from_secs(3600)));
        let url = silent.url(&format!("{n}/source.git"));
        let open = opener(&world, url, vec![Auth::None]);
        yard.watchers.put(&WatchSpec { pipeline: stuck, open });
    }
    patiently(async {
        while silent.logins().len() < 6 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    let lively = polled(&world, "lively", Some(Duration::from_millis(5)));
    yard.watchers.put(&local(&world, &lively));
    yard.until("lively", |health| health.last_good_at.is_some()).await;
    world.commit("main", "Second", &[("a", "1")]);
    patiently(yard.stored.notified()).await;
    assert_eq!(yard.health("stuck-0"), WatchHealth::default(), "it was not given up before that");
    for n in 0..6 {
        let health = yard.until(&format!("stuck-{n}"), |health| health.error.is_some()).await;
        assert!(health.error.unwrap().contains("took longer than 3s"));
    }
    yard.end().await;
}

#[tokio::test]
async fn h8_a_refused_login_is_told_once_and_made_anew() {
    let (logged, _guard) = Logged::here();
    let world = World::new();
    world.commit("main", "First", &[("a", "0")]);
    let server = Server::start(&world, Manner::Login("ci", "right-password")).await;
    let login =
        |password: &str| Auth::Basic { username: "ci".into(), password: Secret::new(password) };
    let (old, new) = (login("wrong-password"), login("right-password"));
    let yard = Yard::new(&world, PATIENCE).await;
    let pipeline = polled(&world, "private", Some(Duration::from_millis(2)));
    let open = opener(&world, server.url("source.git"), vec![old.clone(), old.clone(), old, new]);
    yard.watchers.put(&WatchSpec { pipeline, open });

    let failing = yard.until("private", |health| health.error.is_some()).await;
    assert!(failing.error.as_deref().unwrap().contains("refused access"), "{failing:?}");
    assert!(failing.failing_since.is_some() && failing.last_good_at.is_none());
    let well = yard.until("private", |health| health.last_good_at.is_some()).await;
    assert_eq!((well.failing_since, well.error), (None, None));
    assert_eq!(logged.count("cannot look at the repository"), 1);
    assert_eq!(logged.count("the repository can be read again"), 1);
    assert_eq!(logged.count("wrong-password"), 0);
    yard.end().await;
}

#[tokio::test]
async fn a_pipeline_that_is_read_again_keeps_its_place() {
    let world = World::new();
    world.commit("main", "First", &[("a", "0")]);
    let yard = Yard::new(&world, PATIENCE).await;
    yard.watchers.put(&local(&world, &polled(&world, "chat", None)));
    yard.until("chat", |health| health.last_good_at.is_some()).await;
    world.commit("main", "Second", &[("a", "1")]);
    yard.watchers.put(&local(&world, &polled(&world, "chat", None)));
    patiently(yard.stored.notified()).await;
    assert_eq!(yard.triggers().await.len(), 1);
    // One that watches nothing any more.
    let bare = Arc::new(pipeline(&world, "chat", ""));
    yard.watchers.put(&WatchSpec {
        open: local(&world, &polled(&world, "chat", None)).open,
        pipeline: bare,
    });
    assert!(yard.watchers.health().is_empty());
    yard.end().await;
}
