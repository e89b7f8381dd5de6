//! Connections that may be used again, one request at a time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use tokio::time::Instant;

use super::target::Target;
use crate::domain::evidence::TlsSeen;
use crate::domain::spec::TlsOptions;

/// Servers close idle connections after some seconds; one that was idle for longer than this is not
/// used again, as the request could cross the close.
const MAX_IDLE: Duration = Duration::from_secs(1);
/// Idle connections kept for one target.
const MAX_IDLE_PER_TARGET: usize = 256;

/// What a connection may be used again for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PoolKey {
    pub(super) target: Target,
    pub(super) tls: TlsOptions,
    pub(super) http2: bool,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: Sender,
    pub(super) remote: Option<String>,
    pub(super) tls: Option<Box<TlsSeen>>,
    idle_since: Instant,
}

/// The sending half of a connection, by protocol.
#[derive(Debug)]
pub(super) enum Sender {
    H1(http1::SendRequest<Full<Bytes>>),
    H2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    async fn ready(&mut self) -> bool {
        match self {
            Self::H1(sender) => sender.ready().await.is_ok(),
            Self::H2(sender) => sender.ready().await.is_ok(),
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        match self {
            Self::H1(sender) => sender.send_request(request).await,
            Self::H2(sender) => sender.send_request(request).await,
        }
    }
}

impl Connection {
    pub(super) fn new(sender: Sender, remote: Option<String>, tls: Option<Box<TlsSeen>>) -> Self {
        Self { sender, remote, tls, idle_since: Instant::now() }
    }
}

/// The idle connections.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<HashMap<PoolKey, Vec<Connection>>>,
}

impl Pool {
    /// The connection that was used last, if it is good yet.
    pub(super) async fn take(&self, key: &PoolKey) -> Option<Connection> {
        loop {
            let mut connection = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.get_mut(key)?.pop()?
            };
            if connection.idle_since.elapsed() < MAX_IDLE && connection.sender.ready().await {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for the next request.
    pub(super) fn put(&self, key: PoolKey, mut connection: Connection) {
        connection.idle_since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let list = idle.entry(key).or_default();
        if list.len() < MAX_IDLE_PER_TARGET {
            list.push(connection);
        }
    }
}
