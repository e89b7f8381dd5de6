//! What every request is answered from. Clones are cheap and share everything.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::hooks::HookSecrets;
use super::limits::Failures;
use super::metrics::Counters;
use crate::daemon::Handle;
use crate::engine::{Clock, StatePaths};
use crate::store::Store;

/// What a [`Site`] is made of.
pub struct Parts {
    /// The daemon.
    pub handle: Handle,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where logs are.
    pub paths: StatePaths,
    /// Who may use it.
    pub access: Access,
    /// Whose hooks are believed.
    pub hooks: HookSecrets,
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
    access: watch::Sender<Arc<Access>>,
    hooks: watch::Sender<Arc<HookSecrets>>,
    failures: Failures,
    counters: Counters,
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
            access: watch::Sender::new(Arc::new(parts.access)),
            hooks: watch::Sender::new(Arc::new(parts.hooks)),
            failures: Failures::default(),
            counters: Counters::default(),
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

    pub(super) fn started_at(&self) -> Timestamp {
        self.shared.started_at
    }

    /// Fires when streams must end.
    pub(super) fn closing(&self) -> &CancellationToken {
        &self.shared.closing
    }
}
