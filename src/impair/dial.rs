//! Connections to the hosts that commands ask for, with TLS where the service behind the entrance speaks it.
//!
//! What it must not do: wait longer than its deadline, or trust anybody whom the machine does not.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Shared;
use super::answer::{Body, cannot};
use crate::observe::Target;
use crate::trust;

/// How long reaching a host may take, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// Something that bytes go through both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What is needed to speak TLS.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// With the machine's roots.
    pub(super) async fn of_machine() -> io::Result<Self> {
        let roots = tokio::task::spawn_blocking(trust::machine_roots);
        Self::with(roots.await.map_err(io::Error::other)?.map_err(io::Error::other)?)
    }

    /// With these roots.
    pub(super) fn with(roots: RootCertStore) -> io::Result<Self> {
        let config = trust::client_config(roots).map_err(io::Error::other)?;
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

/// Connects to a host that the pipeline allows.
///
/// # Errors
/// What the command is told instead.
pub(super) async fn dial(
    shared: &Shared,
    target: &Target,
    is_tls: bool,
) -> Result<Box<dyn Stream>, Response<Body>> {
    let name = target.name();
    if let Some(hosts) = &shared.hosts
        && !hosts.allows(&target.host, target.port)
    {
        let why = format!("{name} is not one of the pipeline's hosts ({})", hosts.describe());
        return Err(cannot(StatusCode::FORBIDDEN, &why));
    }
    match timeout(CONNECT, connect(shared, target, is_tls)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(fault)) => {
            Err(cannot(StatusCode::BAD_GATEWAY, &format!("no connection to {name}: {fault}")))
        }
        Err(_) => {
            let why = format!("no connection to {name} within {} s", CONNECT.as_secs());
            Err(cannot(StatusCode::GATEWAY_TIMEOUT, &why))
        }
    }
}

async fn connect(shared: &Shared, target: &Target, is_tls: bool) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
    // Small messages of a dialogue must not wait for each other.
    let _ = stream.set_nodelay(true);
    let Some(Tls(connector)) = shared.tls.as_ref().filter(|_| is_tls) else {
        return Ok(Box::new(stream));
    };
    let name = ServerName::try_from(target.host.clone()).map_err(io::Error::other)?;
    Ok(Box::new(connector.connect(name, stream).await?))
}
