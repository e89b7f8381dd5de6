//! Connections that never leave the process: somebody here answers in place of every service.
//!
//! All else stays as it is, so that what is shown of a case without a network is shown with the very
//! client that asks the real service. TLS is not spoken: the certificate that is told of is made up.

use std::io;
use std::sync::Arc;

use tokio::io::DuplexStream;

use crate::domain::evidence::TlsSeen;

/// What the certificate of a stand-in has left, in days.
const DAYS_LEFT: i64 = 3_650;

/// Answers in place of every service: gives our end of a new connection, or refuses it.
#[derive(Clone)]
pub struct StandIn(Arc<dyn Fn() -> io::Result<DuplexStream> + Send + Sync>);

impl StandIn {
    /// One that makes its connections so.
    pub fn new(connect: impl Fn() -> io::Result<DuplexStream> + Send + Sync + 'static) -> Self {
        Self(Arc::new(connect))
    }

    pub(super) fn connect(&self) -> io::Result<DuplexStream> {
        (self.0)()
    }
}

impl std::fmt::Debug for StandIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StandIn")
    }
}

/// The certificate of a stand-in: good for years.
pub(super) fn certificate(host: &str) -> TlsSeen {
    TlsSeen {
        version: "TLSv1.3".to_owned(),
        server_name: host.to_owned(),
        subject: host.to_owned(),
        issuer: "stand-in".to_owned(),
        days_left: DAYS_LEFT,
        seconds_left: DAYS_LEFT * 86_400,
        verified: true,
    }
}
