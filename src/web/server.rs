//! Accepts connections, so many at a time, each with a deadline for everything that its client does.

mod patience;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use futures_util::future::Either;
use futures_util::{FutureExt as _, TryFutureExt as _};
use http::StatusCode;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::guard::Peer;
use super::problem::Problem;
use super::routes::router;
use super::site::Site;
use patience::Patient;

/// Connections at a time; the next one waits in the kernel's queue.
const MAX_CONNECTIONS: usize = 2048;
/// The head of a request must be here by then; so long may a connection idle, too.
const HEAD_TIME: Duration = Duration::from_secs(20);
/// What a connection buffers in each direction; a head that is longer is refused.
const MAX_BUFFER: usize = 64 << 10;
const MAX_HEADERS: usize = 100;
/// A client that takes nothing for so long is let go.
const WRITE_TIME: Duration = Duration::from_secs(60);
/// When there are no more file descriptors, and the like.
const AFTER_FAULT: Duration = Duration::from_secs(1);
/// Answers under way may come to their end for so long.
const GRACE: Duration = Duration::from_secs(5);

/// A place among the connections; an upgraded one keeps it until it ends.
#[derive(Clone)]
pub(super) struct Slot {
    _permit: Arc<OwnedSemaphorePermit>,
    /// What the server waits for when it ends.
    pub(super) tasks: TaskTracker,
}

/// Serves until `shutdown` fires, then lets answers under way come to their end.
pub async fn serve(listener: TcpListener, site: Site, shutdown: &CancellationToken) {
    let counting = tokio::spawn(super::metrics::count_cycles(site.clone()));
    serve_routes(&listener, router(site.clone()), site.closing(), shutdown).await;
    counting.abort();
}

/// Serves these routes until `shutdown` fires; `closing` is fired then, for streams and connections.
pub(super) async fn serve_routes(
    listener: &TcpListener,
    routes: axum::Router,
    closing: &CancellationToken,
    shutdown: &CancellationToken,
) {
    let routes = TowerToHyperService::new(routes);
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                let slot = Slot { _permit: Arc::new(permit), tasks: tasks.clone() };
                tasks.spawn(connection(stream, Peer(peer), slot, routes.clone(), closing.clone()));
            }
            Err(fault) if is_of_one_connection(&fault) => {}
            Err(fault) => {
                tracing::error!("cannot accept connections: {fault}");
                tokio::time::sleep(AFTER_FAULT).await;
            }
        }
    }
    closing.cancel();
    tasks.close();
    if tokio::time::timeout(GRACE, tasks.wait()).await.is_err() {
        tracing::warn!("{} connections and acts did not end in time and are cut off", tasks.len());
    }
}

/// The answer to an act that panicked.
fn broken_off() -> Response {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Problem::new(status, "the request was not answered to its end").into_response()
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, std::net::SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.expect("nobody closes it");
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}

/// The client went away before we came to it.
fn is_of_one_connection(fault: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(fault.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    slot: Slot,
    routes: TowerToHyperService<axum::Router>,
    closing: CancellationToken,
) {
    // Only latency is lost without it.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(slot.clone());
        let is_act = request.method() == hyper::Method::POST;
        let answering = routes.call(request);
        if !is_act {
            return Either::Left(answering.map_err(|never| match never {}));
        }
        // Hyper lets go of a request when its client hangs up, even one that it did not begin to answer. What somebody
        // asked for is done and written down as soon as it is here.
        let answering = slot.tasks.spawn(answering);
        Either::Right(
            answering.map(|answer| Ok(answer.map_or_else(|_| broken_off(), |Ok(answer)| answer))),
        )
    });
    let io = TokioIo::new(Patient::new(stream, WRITE_TIME));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_BUFFER)
        .max_headers(MAX_HEADERS)
        .serve_connection(io, service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(fault) = ended {
        tracing::trace!(peer = %peer.0, "a connection ended: {fault}");
    }
}
