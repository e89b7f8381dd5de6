//! A forward proxy for suite commands, which sees whom they talk to, when, and how much.
//!
//! A command is given the proxy's address by `HTTP_PROXY` and its like. Plain HTTP comes as requests
//! with absolute addresses and is passed on, upgrades (WebSocket) included; everything else comes as
//! `CONNECT` tunnels, which are passed through as they are: nothing is intercepted, and no certificate
//! of ours is involved. Not every tool goes through a proxy: Go's standard client never does for
//! `localhost` and loopback addresses, Java wants `-Dhttp.proxyHost`, Node before 24 a library. So no
//! connection seen is a reason to doubt a pass, and never by itself a failure.
//!
//! It listens on loopback at a port that the system chooses, for one run of one command. Reaching a host
//! has a deadline of ours. What a command itself waits for has not: a slow answer is the test's own
//! matter, and the end of the run ends whatever is open.
//!
//! What it must not do: look into tunnels, change what is passed on beyond what a proxy must, keep a
//! byte of it, or decide what was seen means.

mod dial;
mod forward;
mod headers;
mod pump;
mod reception;
mod record;
mod serve;
mod stretches;
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
use crate::domain::observed::Observed;
use record::Recorder;

pub(crate) use dial::{CONNECT, Dialler, NoConnection};
pub(crate) use headers::{Target, ask_upgrade, strip};
pub(crate) use reception::{HEAD_SIZE, Place, accept, serve};
pub(crate) use stretches::{Stretches, instant};

/// How long the end of a run waits for its connections to be closed.
const CLOSING: Duration = Duration::from_secs(2);

/// Who may use the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever reaches the loopback port: any process of this machine. The default, because some tools
    /// cannot read a credential from the address of a proxy (Ruby's open-uri refuses one, older Node
    /// libraries drop it), and because another process gains nothing that it does not have already:
    /// it can only spoil the counts.
    Loopback,
    /// Whoever has this run's random credential, which stands in the address: for machines on which
    /// others run processes that are not trusted. curl, git, Python's and Go's clients send it.
    Credential,
}

/// What a proxy is for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The pipeline's `hosts`; `None`: any.
    pub hosts: Option<HostList>,
    /// Who may use it.
    pub access: Access,
    /// The instant at which it starts. All others are measured from there by a clock that nobody sets.
    pub started_at: Timestamp,
}

/// What every connection of a proxy needs.
struct Shared {
    recorder: Recorder,
    dialler: Dialler,
    /// What `Proxy-Authorization` must say, if anything.
    credential: Option<String>,
    address: SocketAddr,
    ending: CancellationToken,
    tasks: TaskTracker,
}

/// A proxy that runs.
pub struct Proxy {
    shared: Arc<Shared>,
    url: String,
}

impl Proxy {
    /// Starts one on the current runtime, at a port that the system chooses.
    ///
    /// # Errors
    /// When no port of the loopback interface can be had.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        Self::start_at(0, settings).await
    }

    /// Starts one at this port: a command that outlived its proxy goes on with another one.
    ///
    /// # Errors
    /// When somebody else has the port by now.
    pub async fn start_at(port: u16, settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let token = match settings.access {
            Access::Loopback => None,
            Access::Credential => Some(uuid::Uuid::new_v4().simple().to_string()),
        };
        let url = match &token {
            None => format!("http://{address}"),
            Some(token) => format!("http://{USER}:{token}@{address}"),
        };
        let shared = Arc::new(Shared {
            recorder: Recorder::new(settings.started_at),
            dialler: Dialler::new(settings.hosts, address),
            credential: token.map(|token| headers::basic(USER, &token)),
            address,
            ending: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        shared.tasks.spawn(serve::accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, url })
    }

    /// The variables by which a command learns of it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        proxy_variables(&self.url)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// What was seen so far.
    pub fn observed(&self) -> Observed {
        self.shared.recorder.observed()
    }

    /// Ends it, tunnels included, and says what it saw.
    pub async fn finish(self) -> Observed {
        self.shared.ending.cancel();
        self.shared.tasks.close();
        // Whatever is still open by then is dropped with the runtime; it is counted as it stands.
        let _ = tokio::time::timeout(CLOSING, self.shared.tasks.wait()).await;
        self.shared.recorder.observed()
    }
}

/// A run that is given up leaves no proxy behind.
impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ending.cancel();
    }
}

/// The variables by which a command learns of a proxy at this address. `NO_PROXY` is emptied, so that a proxy
/// of the machine's own surroundings leaves no holes; that proxy itself is not used.
pub fn proxy_variables(url: &str) -> Vec<(&'static str, String)> {
    let mut variables: Vec<(&'static str, String)> =
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
            .map(|name| (name, url.to_owned()))
            .into();
    variables.extend(["NO_PROXY", "no_proxy"].map(|name| (name, String::new())));
    // Node from 24 on goes through a proxy only where it is told to.
    variables.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
    variables
}

/// The name in the credential.
const USER: &str = "andon";

#[cfg(test)]
mod tests;
