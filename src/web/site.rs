//! What every request is answered from. Clones are cheap and share everything.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::api::logs::Shelf;
use super::hooks::HookSecrets;
use super::limits::Failures;
use super::metrics::Counters;
use super::sessions::{Sessions, random_word};
use crate::daemon::Handle;
use crate::domain::names::PipelineName;
use crate::engine::{Clock, ReportFolder, StatePaths};
use crate::store::Store;

/// What a [`Site`] is made of.
pub struct Parts {
    /// The daemon.
    pub handle: Handle,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where logs are.
    pub paths: StatePaths,
    /// What the report folders of pipelines are relative to.
    pub working_dir: PathBuf,
    /// The report folder of a pipeline that names none.
    pub reports: PathBuf,
    /// Who may use it.
    pub access: Access,
    /// Whose hooks are believed.
    pub hooks: HookSecrets,
    /// How long a search in a log may take.
    pub log_search_time: Duration,
}

/// What every request is answered from.
#[derive(Clone)]
pub struct Site {
    shared: Arc<Shared>,
}

struct Shared {
    handle: Handle,
    clock: Arc<dyn Clock>,
    paths: StatePaths,
    working_dir: PathBuf,
    reports: PathBuf,
    access: watch::Sender<Arc<Access>>,
    hooks: watch::Sender<Arc<HookSecrets>>,
    failures: Failures,
    counters: Counters,
    sessions: Sessions,
    logs: Shelf,
    log_search_time: Duration,
    form_key: String,
    started_at: Timestamp,
    closing: CancellationToken,
}

impl Site {
    /// A site of these parts.
    pub fn new(parts: Parts) -> Self {
        let started_at = parts.clock.now();
        let shared = Shared {
            handle: parts.handle,
            clock: parts.clock,
            paths: parts.paths,
            working_dir: parts.working_dir,
            reports: parts.reports,
            access: watch::Sender::new(Arc::new(parts.access)),
            hooks: watch::Sender::new(Arc::new(parts.hooks)),
            failures: Failures::default(),
            counters: Counters::default(),
            sessions: Sessions::default(),
            logs: Shelf::default(),
            log_search_time: parts.log_search_time,
            form_key: random_word(),
            started_at,
            closing: CancellationToken::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// From now on these tokens and secrets count; streams of a token that is gone end.
    pub fn set_access(&self, access: Access, hooks: HookSecrets) {
        self.shared.hooks.send_replace(Arc::new(hooks));
        self.shared.access.send_replace(Arc::new(access));
    }

    /// The address that it is served at, as configured.
    pub fn listen(&self) -> std::net::SocketAddr {
        self.shared.access.borrow().listen()
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.shared.handle
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.shared.handle.store().as_ref()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    pub(super) fn paths(&self) -> &StatePaths {
        &self.shared.paths
    }

    /// Where the reports of a pipeline are.
    pub(super) fn reports_of(&self, pipeline: &PipelineName) -> ReportFolder {
        let pipelines = self.handle().pipelines();
        let named = pipelines.get(pipeline).and_then(|served| served.pipeline.report.dir.clone());
        ReportFolder::new(&self.shared.working_dir, named.as_ref().unwrap_or(&self.shared.reports))
    }

    pub(super) fn access(&self) -> Arc<Access> {
        Arc::clone(&self.shared.access.borrow())
    }

    /// Tells when access changes.
    pub(super) fn access_changes(&self) -> watch::Receiver<Arc<Access>> {
        self.shared.access.subscribe()
    }

    pub(super) fn hooks(&self) -> Arc<HookSecrets> {
        Arc::clone(&self.shared.hooks.borrow())
    }

    pub(super) fn failures(&self) -> &Failures {
        &self.shared.failures
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    pub(super) fn sessions(&self) -> &Sessions {
        &self.shared.sessions
    }

    /// What readers of logs found out.
    pub(super) fn logs(&self) -> &Shelf {
        &self.shared.logs
    }

    /// How long a search in a log may take.
    pub(super) fn log_search_time(&self) -> Duration {
        self.shared.log_search_time
    }

    /// What forms carry where nobody logs in.
    pub(super) fn form_key(&self) -> &str {
        &self.shared.form_key
    }

    pub(super) fn started_at(&self) -> Timestamp {
        self.shared.started_at
    }

    /// Fires when streams must end.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.shared.closing
    }
}
