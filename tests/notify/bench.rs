//! A store, a pipeline and a deliverer with a clock that stands still until it is moved.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use andon::domain::names::PipelineName;
use andon::domain::spec::Pipeline;
use andon::notify::{Body, Deliverer, Left, Pages, Parts, Publish, Served, StatusState, target_of};
use andon::pipeline::{MemoryFiles, load};
use andon::store::sqlite::{Mode, SqliteStore};
use andon::store::{NewMessage, Store};
use jiff::Timestamp;
use serde_json::json;

/// Longer than any answer in these tests takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);
pub(crate) const SHA: &str = "4f1c2aa000000000000000000000000000000001";
pub(crate) const KEY: &str = "a-very-secret-key";

pub(crate) struct Bench {
    folder: tempfile::TempDir,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) pipeline: Arc<Pipeline>,
    /// Where people reach the pages.
    pub(crate) pages: Option<Pages>,
    clock: Arc<AtomicI64>,
}

impl Bench {
    /// With these entries of `notify`.
    pub(crate) async fn new(notify: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("andon.db");
        let store = Arc::new(SqliteStore::open(&path, Mode::ReadWrite).await.unwrap());
        let clock = Arc::new(AtomicI64::new(1_780_000_000));
        Self { folder, store, pipeline: Arc::new(pipeline(notify)), pages: None, clock }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_second(self.clock.load(Ordering::SeqCst)).unwrap()
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn deliverer(&self) -> Deliverer {
        self.deliverer_of(Served::One(Arc::clone(&self.pipeline)))
    }

    pub(crate) fn deliverer_of(&self, served: Served) -> Deliverer {
        self.deliverer_by(served, Arc::new(|_| Box::pin(async { Ok(()) })))
    }

    /// One that pushes reports so.
    pub(crate) fn deliverer_by(&self, served: Served, publish: Publish) -> Deliverer {
        let clock = Arc::clone(&self.clock);
        Deliverer::new(Parts {
            store: Arc::clone(&self.store),
            now: Arc::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap()),
            host: Arc::new(|name| (name == "KEY").then(|| KEY.to_owned())),
            served,
            publish,
            pages: self.pages.clone(),
        })
    }

    pub(crate) async fn deliver(&self) -> Vec<Left> {
        self.deliverer().deliver_due(LONG).await.unwrap()
    }

    /// The name of a channel, by its place in the file.
    pub(crate) fn target(&self, place: usize) -> String {
        target_of(&self.pipeline.notify[place].channel)
    }

    /// Stores a message for the channel at that place.
    pub(crate) async fn put(&self, place: usize, key: &str, body: &Body, topic: Option<&str>) {
        self.put_about(place, key, serde_json::to_value(body).unwrap(), topic).await;
    }

    /// Stores a message as it lies in the store.
    pub(crate) async fn put_stored(&self, place: usize, key: &str, body: serde_json::Value) {
        self.put_about(place, key, body, None).await;
    }

    async fn put_about(
        &self,
        place: usize,
        key: &str,
        body: serde_json::Value,
        topic: Option<&str>,
    ) {
        let message = NewMessage {
            key: key.to_owned(),
            pipeline: self.pipeline.name.clone(),
            target: self.target(place),
            body: body.to_string(),
            topic: topic.map(str::to_owned),
        };
        assert_eq!(self.store.put_messages(vec![message], self.now()).await.unwrap(), 1);
    }

    /// Stores that the reports up to a cycle are to be pushed.
    pub(crate) async fn put_reports(&self, cycle: u32) {
        let message = NewMessage {
            key: format!("chat/{cycle}/publish"),
            pipeline: self.pipeline.name.clone(),
            target: "publish andon-reports".to_owned(),
            body: json!({ "kind": "publish", "report_dir": "reports", "cycle": cycle }).to_string(),
            topic: Some("reports".to_owned()),
        };
        assert_eq!(self.store.put_messages(vec![message], self.now()).await.unwrap(), 1);
    }

    /// Runs a statement as another program would.
    async fn execute(&self, sql: &'static str) {
        use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
        let options = SqliteConnectOptions::new().filename(self.folder.path().join("andon.db"));
        let mut db = options.connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
    }

    /// From now on the store notes of no message what became of it, as on a full disk.
    pub(crate) async fn refuse_notes(&self) {
        self.execute(
            "CREATE TRIGGER refused BEFORE UPDATE ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .await;
    }

    /// It does again.
    pub(crate) async fn take_notes(&self) {
        self.execute("DROP TRIGGER refused").await;
    }

    /// Waiting, and given up.
    pub(crate) async fn counts(&self) -> (u32, u32) {
        self.store.outbox_counts().await.unwrap()
    }
}

/// A pipeline with these entries of `notify`, whose secret is `${secret.key}`.
pub(crate) fn pipeline(notify: &str) -> Pipeline {
    let text = format!(
        "version: 1\nname: chat\nsecrets: {{ key: {{ env: KEY }}, other: {{ env: NOT_SET }} }}\n\
         vars: {{ at: \"/x?key=${{secret.key}}\", of: \"${{revision.sha}}\" }}\n\
         notify:\n{notify}\nsuite:\n  cases:\n    - {{ id: a, steps: [{{ http: \"http://127.0.0.1/\" }}] }}\n"
    );
    let files = MemoryFiles::new().with("/p/chat.yaml", text.clone());
    let loaded = load(&files, Path::new("/p/chat.yaml"));
    loaded.pipeline.unwrap_or_else(|| panic!("{:#?}\n{text}", loaded.diagnostics))
}

pub(crate) fn name() -> PipelineName {
    PipelineName::parse("chat").unwrap()
}

pub(crate) fn slack(text: &str) -> Body {
    Body::Slack { payload: json!({ "text": text }) }
}

pub(crate) fn hook(event: &str) -> Body {
    Body::Webhook { event: event.to_owned(), json: json!({ "pipeline": "chat", "cycle": 7 }) }
}

pub(crate) fn commit(state: StatusState) -> Body {
    let sha = andon::domain::revision::Sha::parse(SHA).unwrap();
    let (context, description) = ("andon/chat".to_owned(), state.to_string());
    Body::Status { sha, state, context, description }
}
