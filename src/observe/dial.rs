//! Connections to the hosts that commands ask for.
//!
//! What it must not do: wait longer than its deadline, or connect to the proxy itself.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Shared;
use super::headers::Target;
use super::record::Unmade;
use crate::domain::hosts::HostList;

/// How long finding and reaching a host may take.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

/// How long one of several addresses may take.
const EACH: Duration = Duration::from_secs(3);

/// How many addresses of a name are tried.
const ADDRESSES: usize = 8;

/// How many names are looked up at once.
const LOOKUPS: usize = 16;

/// A connection, and the address that answered.
pub(crate) struct Dialled {
    /// The socket.
    pub(crate) stream: TcpStream,
    /// Where it ends; unknown where the host has gone already.
    pub(crate) address: Option<IpAddr>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct NoConnection {
    /// What the client is told.
    pub(crate) status: StatusCode,
    /// Why, for people.
    pub(crate) text: String,
}

/// Reaches hosts for one proxy.
pub(crate) struct Dialler {
    hosts: Option<HostList>,
    /// The proxy itself.
    here: SocketAddr,
    /// Lookups of names hold threads that others need too.
    lookups: Arc<Semaphore>,
}

impl Dialler {
    /// For the proxy that listens here; `hosts` are those that the pipeline allows, `None`: any.
    pub(crate) fn new(hosts: Option<HostList>, here: SocketAddr) -> Self {
        Self { hosts, here, lookups: Arc::new(Semaphore::new(LOOKUPS)) }
    }

    /// Connects to a host that the pipeline allows.
    pub(crate) async fn dial(&self, target: &Target) -> Result<Dialled, NoConnection> {
        let name = target.name();
        let no = |status, text| Err(NoConnection { status, text });
        if let Some(hosts) = &self.hosts
            && !hosts.allows(&target.host, target.port)
        {
            let list = hosts.describe();
            let text = format!("{name} is not one of the pipeline's hosts ({list})");
            return no(StatusCode::FORBIDDEN, text);
        }
        match timeout(CONNECT, self.connect(target)).await {
            Err(_) => no(
                StatusCode::GATEWAY_TIMEOUT,
                format!("no connection to {name} within {} s", CONNECT.as_secs()),
            ),
            Ok(Err(error)) => {
                no(StatusCode::BAD_GATEWAY, format!("no connection to {name}: {}", plain(&error)))
            }
            Ok(Ok(stream)) => {
                let peer = stream.peer_addr().ok();
                if peer == Some(self.here) {
                    return no(StatusCode::LOOP_DETECTED, format!("{name} is this proxy"));
                }
                // Small messages of a dialogue must not wait for each other.
                let _ = stream.set_nodelay(true);
                Ok(Dialled { stream, address: peer.map(|peer| peer.ip()) })
            }
        }
    }

    /// Connects to the first address that answers. None may use up the time of the others: a network that
    /// swallows one family of addresses is still reached by the other.
    async fn connect(&self, target: &Target) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.look_up(target).await? {
            match timeout(EACH, TcpStream::connect((address, target.port))).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "no answer"),
            }
        }
        Err(last)
    }

    /// Asks the system's resolver. The permit is held by the lookup, not by whoever waits for it: a request
    /// that is given up does not make room for one more hanging thread.
    async fn look_up(&self, target: &Target) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = target.host.parse() {
            return Ok(vec![address]);
        }
        let permit = Arc::clone(&self.lookups).acquire_owned().await.map_err(io::Error::other)?;
        let host = target.host.clone();
        let lookup = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let found = (host.as_str(), 0).to_socket_addrs()?;
            Ok(found.take(ADDRESSES).map(|address| address.ip()).collect())
        });
        lookup.await.map_err(io::Error::other)?
    }
}

/// Connects to a host, or notes that it could not.
pub(super) async fn dial(shared: &Shared, target: &Target) -> Result<Dialled, NoConnection> {
    let dialled = shared.dialler.dial(target).await;
    if let Err(NoConnection { status, .. }) = &dialled {
        let unmade = match *status {
            StatusCode::FORBIDDEN => Unmade::Refused,
            _ => Unmade::Failed,
        };
        shared.recorder.unmade(&target.name(), unmade);
    }
    dialled
}

/// The error without what only a programmer reads.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => error.to_string(),
    }
}

/// The instant at which a connection was asked for.
pub(super) fn asked_now() -> Instant {
    Instant::now()
}
