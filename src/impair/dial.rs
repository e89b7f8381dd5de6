//! Connections to the hosts that commands ask for, with TLS where the service behind the entrance speaks it.
//!
//! What it must not do: wait longer than its deadline, or trust anybody whom the machine does not.

use std::io;
use std::sync::Arc;

use http::StatusCode;
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Shared;
use crate::observe::{CONNECT, NoConnection, Target};
use crate::trust;

/// Something that bytes go through both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What is needed to speak TLS.
#[derive(Clone)]
pub struct Tls(TlsConnector);

impl Tls {
    /// With the machine's roots. They are read and understood anew each time: once is enough for many proxies.
    ///
    /// # Errors
    /// When they cannot be read, or nobody is trusted.
    pub async fn of_machine() -> io::Result<Self> {
        let roots = tokio::task::spawn_blocking(trust::machine_roots);
        Self::with(roots.await.map_err(io::Error::other)?.map_err(io::Error::other)?)
    }

    /// With these roots.
    pub(super) fn with(roots: RootCertStore) -> io::Result<Self> {
        let config = trust::client_config(roots).map_err(io::Error::other)?;
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

/// Connects to a host that the pipeline allows; one that is not reached is noted.
pub(super) async fn dial(
    shared: &Shared,
    target: &Target,
    is_tls: bool,
) -> Result<Box<dyn Stream>, NoConnection> {
    let reached = reach(shared, target, is_tls).await;
    if let Err(no) = &reached {
        shared.notes.unreached(target.name(), &no.text);
    }
    reached
}

async fn reach(
    shared: &Shared,
    target: &Target,
    is_tls: bool,
) -> Result<Box<dyn Stream>, NoConnection> {
    let stream = shared.dialler.dial(target).await?.stream;
    let Some(tls) = shared.tls.as_ref().filter(|_| is_tls) else { return Ok(Box::new(stream)) };
    let name = target.name();
    match timeout(CONNECT, tls.connect(target, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(fault)) => {
            let text = format!("no TLS with {name}: {fault}");
            Err(NoConnection { status: StatusCode::BAD_GATEWAY, text })
        }
        Err(_) => {
            let text = format!("no TLS with {name} within {} s", CONNECT.as_secs());
            Err(NoConnection { status: StatusCode::GATEWAY_TIMEOUT, text })
        }
    }
}

impl Tls {
    async fn connect(&self, target: &Target, stream: TcpStream) -> io::Result<Box<dyn Stream>> {
        let name = ServerName::try_from(target.host.clone()).map_err(io::Error::other)?;
        Ok(Box::new(self.0.connect(name, stream).await?))
    }
}
