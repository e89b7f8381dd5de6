//! A proxy for suite commands that lets them talk to the real service, or has one thing wrong with it.
//!
//! A command is given its address twice: by `HTTP_PROXY` and its like, and as an entrance in the clear in
//! place of the service's own address, for clients that honour no proxy and for services that speak TLS. Both are
//! one port on loopback: requests with absolute addresses and `CONNECT` are for a proxy, all others for the
//! service behind the entrance.
//!
//! Without a fault everything goes through, and what went through is noted. With one of `refused`, `no_answer`,
//! `status_500`, `status_404` and `empty_json` the proxy answers itself, and nothing reaches the service. With
//! `ws_close_1011` and `events_missing` all but messages and events goes through. TLS is never opened: a tunnel
//! to the service that turns out to be TLS is closed where a fault would have to change it.
//!
//! What it must not do: decide which fault is worth trying, or what a case made of it; keep what was said.

mod answer;
mod connection;
mod destination;
mod dial;
mod events;
mod frames;
mod note;
mod pass;
mod passage;
mod stray;
mod strike;
mod tunnel;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::hosts::HostList;
use crate::observe::{Dialler, proxy_variables};
use crate::prove::{Fault, Traffic};
use note::Notes;
use strike::Strike;

pub use destination::Service;
pub use dial::Tls;

/// How long the end of a run waits for its connections to be closed.
const CLOSING: Duration = Duration::from_secs(2);

/// What a proxy is for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What is wrong; `None`: nothing.
    pub fault: Option<Fault>,
    /// The service that is tested, as far as it is known.
    pub service: Service,
    /// Which hosts may be reached; `None`: any.
    pub hosts: Option<HostList>,
    /// For a service behind TLS; `None`: nobody vouches for one.
    pub tls: Option<Tls>,
    /// The instant at which it starts. All others are measured from there by a clock that nobody sets.
    pub started_at: Timestamp,
}

/// What every connection of a proxy needs.
struct Shared {
    strike: Strike,
    service: Service,
    dialler: Dialler,
    address: SocketAddr,
    notes: Arc<Notes>,
    /// For a service behind TLS.
    tls: Option<Tls>,
    ending: CancellationToken,
    tasks: TaskTracker,
}

/// A proxy that runs.
pub struct Proxy {
    shared: Arc<Shared>,
}

impl Proxy {
    /// Starts one on the current runtime, at a port that the system chooses.
    ///
    /// # Errors
    /// When no port of the loopback interface can be had.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let Settings { fault, service, hosts, tls, started_at } = settings;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            strike: Strike::of(fault),
            service,
            dialler: Dialler::new(hosts, address),
            address,
            notes: Arc::new(Notes::new(started_at)),
            tls,
            ending: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        shared.tasks.spawn(connection::accept(listener, Arc::clone(&shared)));
        Ok(Self { shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// The environment of a command, whose variables now lead here: the usual ones for a proxy, and each
    /// that had an address of the service.
    pub fn lead_here(&self, variables: &mut Vec<(String, String)>) {
        for (_, value) in variables.iter_mut() {
            if let Some(entrance) = self.shared.service.entrance(value, self.address()) {
                *value = entrance;
            }
        }
        let url = format!("http://{}", self.address());
        let proxied = proxy_variables(&url).into_iter();
        variables.extend(proxied.map(|(name, value)| (name.to_owned(), value)));
    }

    /// Ends it, tunnels included, and says what went through.
    pub async fn finish(self) -> Traffic {
        self.shared.ending.cancel();
        self.shared.tasks.close();
        // Whatever is still open by then is dropped with the runtime; it is noted as it stands.
        let _ = tokio::time::timeout(CLOSING, self.shared.tasks.wait()).await;
        self.shared.notes.traffic()
    }
}

/// A run that is given up leaves no proxy behind.
impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ending.cancel();
    }
}

#[cfg(test)]
mod tests;
