//! A daemon's web side on a store of its own, without the loop that runs cycles: what is stored, and
//! what runs, is what a test says.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use andon::daemon::{Handle, LiveEvent, Served};
use andon::domain::event::{Event, Queued, Recorded, RunOptions};
use andon::domain::names::PipelineName;
use andon::domain::outcome::{Trigger, TriggerKind};
use andon::domain::redact::Secret;
use andon::engine::{Clock as _, Request, StatePaths, SystemClock};
use andon::pipeline::{self, MemoryFiles, Role};
use andon::store::sqlite::{Mode, SqliteStore};
use andon::store::{Append, CycleKey, Projection, Store};
use andon::web::hooks::{Forge, HookSecrets};
use andon::web::{Access, LOG_SEARCH_TIME, Parts, Site, serve};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::client::{Ask, Reply};

pub(crate) const READ: &str = "read-token-0123456789abcdef";
pub(crate) const TRIGGER: &str = "trigger-token-0123456789abcdef";
pub(crate) const ADMIN: &str = "admin-token-0123456789abcdef";
pub(crate) const SECRET: &str = "a-secret-of-webhooks";
pub(crate) const OLD_SECRET: &str = "the-secret-before-it";

const SUITE: &str = "deploy: { steps: [{ run: 'true' }], rollback: { when: [red] } }\nsuite:\n  name: P1\n  cases:\n    - id: test_001_health\n      steps: [{ http: { url: 'http://127.0.0.1:9/' } }]\n";

pub(crate) struct House {
    pub(crate) folder: TempDir,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) handle: Handle,
    pub(crate) site: Site,
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) serving: tokio::task::JoinHandle<()>,
}

/// A daemon on loopback; with tokens when `tokens`.
pub(crate) async fn house(tokens: &[(&str, Role)]) -> House {
    impatient_house(tokens, LOG_SEARCH_TIME).await
}

/// The same, where a search in a log may take so long.
pub(crate) async fn impatient_house(tokens: &[(&str, Role)], log_search_time: Duration) -> House {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("andon.db");
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(&database, Mode::ReadWrite).await.unwrap());
    started(folder, store, tokens, log_search_time).await
}

/// A daemon on what is stored.
async fn started(
    folder: TempDir,
    store: Arc<dyn Store>,
    tokens: &[(&str, Role)],
    log_search_time: Duration,
) -> House {
    let handle = Handle::new(Arc::clone(&store));
    handle.serve(pipelines(&[
        ("chat", "https://git.example.com/acme/chat.git"),
        ("shop", "git@git.example.com:acme/shop.git"),
        ("twin", "https://git.example.com/acme/chat.git"),
    ]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = Site::new(Parts {
        handle: handle.clone(),
        clock: Arc::new(SystemClock),
        paths: StatePaths::new(folder.path().to_owned()),
        working_dir: folder.path().to_owned(),
        reports: "reports".into(),
        access: access(address, tokens),
        hooks: hook_secrets(),
        log_search_time,
    });
    let shutdown = CancellationToken::new();
    let (served, token) = (site.clone(), shutdown.clone());
    let serving = tokio::spawn(async move { serve(listener, served, &token).await });
    House { folder, store, handle, site, address, shutdown, serving }
}

pub(crate) fn access(address: SocketAddr, tokens: &[(&str, Role)]) -> Access {
    let tokens =
        tokens.iter().map(|(value, role)| ((*value)[..4].to_owned(), *role, Secret::new(*value)));
    Access::new(address, vec!["andon.example.com".to_owned()], tokens.collect()).unwrap()
}

pub(crate) fn hook_secrets() -> HookSecrets {
    let mut secrets = HookSecrets::default();
    for forge in Forge::ALL.iter().filter(|forge| **forge != Forge::Bitbucket) {
        secrets.add(*forge, Secret::new(SECRET));
        secrets.add(*forge, Secret::new(OLD_SECRET));
    }
    secrets
}

pub(crate) fn all_tokens() -> Vec<(&'static str, Role)> {
    vec![(READ, Role::Read), (TRIGGER, Role::Trigger), (ADMIN, Role::Admin)]
}

pub(crate) fn pipelines(named: &[(&str, &str)]) -> BTreeMap<PipelineName, Served> {
    let mut files = MemoryFiles::default();
    for (name, repo) in named {
        let schedule = "schedule: [{ name: nightly, cron: '30 2 * * *' }]";
        let text = format!(
            "version: 1\nname: {name}\nenvironment: {name}-staging\nwatch: {{ repo: '{repo}' }}\n{schedule}\n{SUITE}"
        );
        files = files.with(format!("/p/{name}.yaml"), text);
    }
    let load = |(name, _): &(&str, &str)| {
        let loaded = pipeline::load(&files, Path::new(&format!("/p/{name}.yaml")));
        let pipeline = loaded.pipeline.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
        let served = Served { pipeline: Arc::new(pipeline), stale: None };
        (served.pipeline.name.clone(), served)
    };
    named.iter().map(load).collect()
}

impl House {
    pub(crate) async fn ask(&self, ask: Ask) -> Reply {
        ask.of(self.address).await
    }

    pub(crate) fn name(&self, name: &str) -> PipelineName {
        PipelineName::parse(name).unwrap()
    }

    /// The daemon of another process, on what this one stored.
    pub(crate) async fn started_anew(self) -> Self {
        self.shutdown.cancel();
        self.serving.await.unwrap();
        started(self.folder, self.store, &[], LOG_SEARCH_TIME).await
    }

    /// A cycle that was just begun.
    pub(crate) async fn begin_cycle(&self, name: &str) -> CycleKey {
        self.begin(self.queued(name)).await
    }

    /// The same, of these cases only.
    pub(crate) async fn begin_part(&self, name: &str, only: &str) -> CycleKey {
        let mut queued = self.queued(name);
        queued.options.only = Some(only.to_owned());
        self.begin(queued).await
    }

    async fn begin(&self, queued: Queued) -> CycleKey {
        let (key, recorded) = self.store.create_cycle(queued, SystemClock.now()).await.unwrap();
        self.handle.publish(LiveEvent { cycle: key.clone(), recorded });
        key
    }

    fn queued(&self, name: &str) -> Queued {
        let pipelines = self.handle.pipelines();
        let pipeline = &pipelines[&self.name(name)].pipeline;
        let request = Request {
            least: 1,
            pipeline,
            file: &pipeline.file,
            reports: Path::new("reports"),
            not_acted_on: vec![],
            trigger: Trigger { kind: TriggerKind::Manual, detail: "by a test".to_owned() },
            requested: None,
            taken_together: vec![],
            options: RunOptions { deploy: true, only: None, search_of: None },
        };
        Queued { queued_by: None, ..request.queued() }
    }

    /// Appends events, and tells those who listen.
    pub(crate) async fn append(
        &self,
        key: &CycleKey,
        seq: u64,
        events: Vec<Event>,
    ) -> Vec<Recorded> {
        let append = Append {
            cycle: key.clone(),
            expected_seq: seq,
            lease: None,
            events,
            at: SystemClock.now(),
            projection: Projection::default(),
        };
        let recorded = self.store.append(append).await.unwrap();
        for recorded in &recorded {
            let event = LiveEvent { cycle: key.clone(), recorded: recorded.clone() };
            self.handle.publish(event);
        }
        recorded
    }

    /// A first cycle of `chat`, in whose deploy a step runs that has written this.
    pub(crate) async fn with_log(self, text: &str) -> Self {
        let key = self.begin_cycle("chat").await;
        self.append(&key, 1, into_deploy()).await;
        fs::create_dir_all(self.step_folder()).unwrap();
        fs::write(self.log_file(), text).unwrap();
        self
    }

    fn step_folder(&self) -> PathBuf {
        self.folder.path().join("runs/chat/0001/deploy-01-1")
    }

    /// The log of that step.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.step_folder().join("output.log")
    }

    /// That step ends, and its supervisor recorded this of its output.
    pub(crate) async fn end_step(&self, cut_bytes: u64, gap_at: Option<u64>) {
        let mut output = serde_json::json!({
            "total_bytes": 0, "kept_bytes": 0, "cut_bytes": cut_bytes, "held_open": false, "write_error": null,
        });
        if let Some(place) = gap_at {
            output["gap_at"] = serde_json::json!(place);
        }
        let exit = serde_json::json!({
            "end": { "kind": "exited", "code": 0 }, "started": true, "duration_ms": 1, "output": output, "survivors": 0,
        });
        let record = serde_json::json!({ "version": 1, "record": exit }).to_string();
        fs::write(self.step_folder().join("exit.json"), record).unwrap();
        let end = event(serde_json::json!({
            "kind": "step_ended", "index": 0, "attempt": 1, "outcome": "passed", "duration_ms": 5, "detail": "exit 0",
        }));
        self.append(&CycleKey::new(self.name("chat"), 1), 6, vec![end]).await;
    }

    /// Why each trigger of a pipeline that waits was asked for.
    pub(crate) async fn waits_for(&self, name: &str) -> Vec<String> {
        let waiting = self.store.waiting_triggers().await.unwrap();
        let of = waiting.into_iter().filter(|trigger| trigger.pipeline.as_str() == name);
        of.map(|trigger| trigger.cause.detail).collect()
    }

    /// The looks that are wanted, by name.
    pub(crate) async fn looks(&self) -> Vec<String> {
        let looks = self.store.wanted_looks().await.unwrap();
        looks.into_iter().map(|(name, _)| name.to_string()).collect()
    }
}

/// An event, as it is stored.
pub(crate) fn event(value: serde_json::Value) -> Event {
    serde_json::from_value(value.clone()).unwrap_or_else(|fault| panic!("{fault}: {value}"))
}

/// From the beginning of a cycle into its deploy: events 2 to 6.
pub(crate) fn into_deploy() -> Vec<Event> {
    let revision = serde_json::json!({
        "sha": "4f1c2aad5b1e0a3c9d8e7f60718293a4b5c6d7e8", "subject": "Chat answers",
        "author": "Ada Brandt", "time": "2026-05-28T20:26:40Z",
    });
    [
        serde_json::json!({ "kind": "phase_started", "phase": "checkout" }),
        serde_json::json!({ "kind": "revision_resolved", "revision": revision }),
        serde_json::json!({ "kind": "phase_ended", "phase": "checkout", "outcome": "passed", "duration_ms": 5 }),
        serde_json::json!({ "kind": "phase_started", "phase": "deploy" }),
        serde_json::json!({
            "kind": "step_started", "index": 0, "name": "Roll out", "attempt": 1,
            "deadline_at": "2026-05-28T20:36:40Z", "run_dir": "runs/chat/0001/deploy-01-1",
        }),
    ]
    .into_iter()
    .map(event)
    .collect()
}

/// From the end of a suite to the end of a cycle that went back, or tried to: events 7 to 10.
pub(crate) fn rolled_back(outcome: &str) -> Vec<Event> {
    let green = serde_json::json!({
        "sha": "83aa1ffd5b1e0a3c9d8e7f60718293a4b5c6d7e8", "subject": "Chat listens",
        "author": "Ada Brandt", "time": "2026-05-27T20:26:40Z",
    });
    [
        serde_json::json!({ "kind": "phase_started", "phase": "rollback" }),
        serde_json::json!({ "kind": "rollback_planned", "cycle": 6, "revision": green, "checkout": "c" }),
        serde_json::json!({ "kind": "phase_ended", "phase": "rollback", "outcome": outcome, "duration_ms": 5 }),
        serde_json::json!({ "kind": "phase_started", "phase": "report" }),
        serde_json::json!({ "kind": "phase_ended", "phase": "report", "outcome": "passed", "duration_ms": 5 }),
        serde_json::json!({ "kind": "finished", "verdict": "red", "void_reason": null }),
    ]
    .into_iter()
    .map(event)
    .collect()
}

/// The end of a cycle.
pub(crate) fn finished() -> Event {
    event(serde_json::json!({ "kind": "finished", "verdict": "cancelled", "void_reason": null }))
}
