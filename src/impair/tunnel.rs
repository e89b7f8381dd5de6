//! `CONNECT`: a tunnel in which HTTP is spoken in the clear is served like any request, as WebSocket clients
//! open one for `ws://` too; all else passes as it is, or not at all.
//!
//! What it must not do: open TLS.

use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, join, split};

use super::Shared;
use super::answer::{Body, body, cannot};
use super::connection::serve;
use super::destination::{Way, is_here};
use super::dial::{Stream, dial};
use super::passage::talk_sealed;
use crate::observe::{NoConnection, Place, Target};
use crate::prove::Content;

/// How much of a tunnel is read to see what is spoken in it.
const FIRST: usize = 4 * 1024;

/// Opens a tunnel.
pub(super) async fn open(
    mut request: Request<Incoming>,
    place: Place,
    shared: Arc<Shared>,
) -> Response<Body> {
    let target = request.uri().authority().and_then(|authority| Target::of(authority, None));
    let Some(target) = target else {
        return cannot(StatusCode::BAD_REQUEST, "CONNECT wants host:port");
    };
    let reached = match reach(&target, &shared).await {
        Ok(reached) => reached,
        Err(no) => return cannot(no.status, &no.text),
    };
    let client = hyper::upgrade::on(&mut request);
    let ending = shared.ending.clone();
    shared.clone().tasks.spawn(async move {
        let run = async {
            let Ok(client) = client.await else { return };
            run(Box::new(TokioIo::new(client)), target, reached, place, shared).await;
        };
        tokio::select! {
            () = ending.cancelled() => {}
            () = run => {}
        }
    });
    Response::new(body(Bytes::new()))
}

/// Connects to the host, unless nothing may reach it.
async fn reach(target: &Target, shared: &Shared) -> Result<Option<Box<dyn Stream>>, NoConnection> {
    if is_here(target, shared.address) || is_struck(target, shared) {
        return Ok(None);
    }
    dial(shared, target, false).await.map(Some)
}

/// Whether the proxy answers in place of a host.
fn is_struck(target: &Target, shared: &Shared) -> bool {
    shared.strike.is_in_its_place() && shared.service.has(&target.name())
}

/// Who spoke first in a tunnel.
enum First {
    /// The client, with these bytes.
    Client(Vec<u8>),
    /// The host, with these bytes: what it speaks is no HTTP.
    Host(Vec<u8>),
    /// Nobody: it ended.
    Nobody,
}

async fn run(
    mut client: Box<dyn Stream>,
    target: Target,
    mut reached: Option<Box<dyn Stream>>,
    place: Place,
    shared: Arc<Shared>,
) {
    match first(&mut client, reached.as_mut()).await {
        First::Nobody => {}
        First::Client(bytes) if is_http(&bytes) => {
            // Requests find their host themselves.
            drop(reached);
            serve(with_ahead(bytes, client), Way::Tunnel(target), place, shared).await;
        }
        First::Client(bytes) => {
            let Some(host) = reached else { return };
            let open = shared.notes.exchange(target.name(), Content::Sealed);
            talk_sealed(with_ahead(bytes, client), host, &open).await;
        }
        First::Host(bytes) => {
            let Some(host) = reached else { return };
            let open = shared.notes.exchange(target.name(), Content::Sealed);
            talk_sealed(client, with_ahead(bytes, host), &open).await;
        }
    }
}

async fn first(client: &mut Box<dyn Stream>, host: Option<&mut Box<dyn Stream>>) -> First {
    let (mut of_client, mut of_host) = (vec![0; FIRST], vec![0; FIRST]);
    let host_speaks = async {
        match host {
            Some(host) => host.read(&mut of_host).await.unwrap_or(0),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        read = client.read(&mut of_client) => match read {
            Ok(read @ 1..) => {
                of_client.truncate(read);
                First::Client(of_client)
            }
            Ok(0) | Err(_) => First::Nobody,
        },
        read = host_speaks => match read {
            0 => First::Nobody,
            read => {
                of_host.truncate(read);
                First::Host(of_host)
            }
        },
    }
}

/// Whether these can be the first bytes of a request: those of TLS are none.
fn is_http(bytes: &[u8]) -> bool {
    bytes.iter().take_while(|byte| **byte != b' ').all(u8::is_ascii_uppercase)
}

/// A stream that begins with bytes that were read of it already.
fn with_ahead(bytes: Vec<u8>, stream: Box<dyn Stream>) -> Box<dyn Stream> {
    let (reads, writes) = split(stream);
    Box::new(join(Cursor::new(bytes).chain(reads), writes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_no_request() {
        assert!(is_http(b"GET / HTTP/1.1\r\n") && is_http(b"GE"));
        assert!(!is_http(&[0x16, 3, 1, 2, 0]) && !is_http(b"ssh-2.0 x"));
    }
}
