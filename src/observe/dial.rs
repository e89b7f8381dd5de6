//! Connections to the hosts that commands ask for.
//!
//! What it must not do: wait longer than its deadline, or connect to the proxy itself.

use std::io;
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Shared;
use super::headers::Target;
use super::record::Unmade;

/// How long finding and reaching a host may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct NoConnection {
    /// What the client is told.
    pub(super) status: StatusCode,
    /// Why, for people.
    pub(super) text: String,
}

/// Connects to a host that the pipeline allows.
pub(super) async fn dial(shared: &Shared, target: &Target) -> Result<TcpStream, NoConnection> {
    let name = target.name();
    if let Some(hosts) = &shared.hosts
        && !hosts.allows(&target.host, target.port)
    {
        shared.recorder.unmade(&name, Unmade::Refused);
        let list = hosts.describe();
        let text = format!("{name} is not one of the pipeline's hosts ({list})");
        return Err(NoConnection { status: StatusCode::FORBIDDEN, text });
    }
    let connected = timeout(CONNECT, TcpStream::connect((target.host.as_str(), target.port))).await;
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
        Ok(Ok(stream)) if stream.peer_addr().is_ok_and(|peer| peer == shared.address) => {
            failed(StatusCode::LOOP_DETECTED, format!("{name} is this proxy"))
        }
        Ok(Ok(stream)) => {
            // Small messages of a dialogue must not wait for each other.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
    }
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
