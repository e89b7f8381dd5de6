//! Connections to the hosts that commands ask for.
//!
//! What it must not do: wait longer than its deadline, or connect to the proxy itself.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Shared;
use super::headers::Target;
use super::record::Unmade;

/// How long finding and reaching a host may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long one of several addresses may take.
const EACH: Duration = Duration::from_secs(3);

/// How many addresses of a name are tried.
const ADDRESSES: usize = 8;

/// How many names are looked up at once.
pub(super) const LOOKUPS: usize = 16;

/// A connection, and the address that answered.
pub(super) struct Dialled {
    /// The socket.
    pub(super) stream: TcpStream,
    /// Where it ends; unknown where the host has gone already.
    pub(super) address: Option<IpAddr>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct NoConnection {
    /// What the client is told.
    pub(super) status: StatusCode,
    /// Why, for people.
    pub(super) text: String,
}

/// Connects to a host that the pipeline allows.
pub(super) async fn dial(shared: &Shared, target: &Target) -> Result<Dialled, NoConnection> {
    let name = target.name();
    if let Some(hosts) = &shared.hosts
        && !hosts.allows(&target.host, target.port)
    {
        shared.recorder.unmade(&name, Unmade::Refused);
        let list = hosts.describe();
        let text = format!("{name} is not one of the pipeline's hosts ({list})");
        return Err(NoConnection { status: StatusCode::FORBIDDEN, text });
    }
    let connected = timeout(CONNECT, connect(shared, target)).await;
    let failed = |status, text| {
        shared.recorder.unmade(&name, Unmade::Failed);
        Err(NoConnection { status, text })
    };
    match connected {
        Err(_) => {
            let text = format!("no connection to {name} within {} s", CONNECT.as_secs());
            failed(StatusCode::GATEWAY_TIMEOUT, text)
        }
        Ok(Err(error)) => {
            failed(StatusCode::BAD_GATEWAY, format!("no connection to {name}: {}", plain(&error)))
        }
        Ok(Ok(stream)) => {
            let peer = stream.peer_addr().ok();
            if peer == Some(shared.address) {
                return failed(StatusCode::LOOP_DETECTED, format!("{name} is this proxy"));
            }
            // Small messages of a dialogue must not wait for each other.
            let _ = stream.set_nodelay(true);
            Ok(Dialled { stream, address: peer.map(|peer| peer.ip()) })
        }
    }
}

/// Connects to the first address that answers. None may use up the time of the others: a network that
/// swallows one family of addresses is still reached by the other.
async fn connect(shared: &Shared, target: &Target) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in look_up(shared, target).await? {
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
async fn look_up(shared: &Shared, target: &Target) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = target.host.parse() {
        return Ok(vec![address]);
    }
    let permit = Arc::clone(&shared.lookups).acquire_owned().await.map_err(io::Error::other)?;
    let host = target.host.clone();
    let lookup = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let found = (host.as_str(), 0).to_socket_addrs()?;
        Ok(found.take(ADDRESSES).map(|address| address.ip()).collect())
    });
    lookup.await.map_err(io::Error::other)?
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
