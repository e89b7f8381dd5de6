//! The side that faces the command: accepts connections, tells what each request wants, and lets the fault
//! strike.
//!
//! What it must not do: serve more than its cap at once, or let anything reach the service that the fault is to
//! keep from it.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Shared;
use super::answer::{Body, broken, cannot, empty, empty_socket, socket_key};
use super::destination::{Way, destination};
use super::dial::Stream;
use super::{pass, tunnel};
use crate::prove::Fault;

/// How many connections of a command are served at once; more wait to be accepted.
const AT_ONCE: usize = 1_024;
/// How long a request's head, or the next request on a connection, may take to come.
const HEAD: Duration = Duration::from_secs(60);
/// The longest head of a message, in bytes.
pub(super) const HEAD_SIZE: usize = 64 * 1024;
/// How long to wait when the system has no connection to give.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// The place of a connection among those that are served at once.
pub(super) type Place = Arc<OwnedSemaphorePermit>;

/// Accepts until the proxy ends.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let accepted = tokio::select! {
            () = shared.ending.cancelled() => return,
            accepted = next => accepted,
        };
        match accepted {
            Some((Ok((stream, _)), place)) => {
                shared.notes.contact();
                // Taken and let go at once: nobody is there.
                if shared.fault == Some(Fault::Refused) {
                    continue;
                }
                let _ = stream.set_nodelay(true);
                let place = Arc::new(place);
                let serving = serve(Box::new(stream), Way::Direct, place, Arc::clone(&shared));
                shared.tasks.spawn(serving);
            }
            Some((Err(error), _)) => {
                tracing::debug!(%error, "a connection of the command was not accepted");
                tokio::time::sleep(EXHAUSTED).await;
            }
            None => return,
        }
    }
}

/// Serves one connection in the clear: the command's own, or what it has within a tunnel. Boxed, because as
/// far as types go a tunnel may be asked for within.
pub(super) fn serve(
    stream: Box<dyn Stream>,
    way: Way,
    place: Place,
    shared: Arc<Shared>,
) -> BoxFuture<'static, ()> {
    Box::pin(serve_requests(stream, way, place, shared))
}

async fn serve_requests(stream: Box<dyn Stream>, way: Way, place: Place, shared: Arc<Shared>) {
    if shared.fault == Some(Fault::NoAnswer) {
        // Held until the command gives up, or the run ends.
        shared.ending.cancelled().await;
        return;
    }
    let service = service_fn(|request| {
        let (shared, way, place) = (Arc::clone(&shared), way.clone(), Arc::clone(&place));
        async move { Ok::<_, Infallible>(answer(request, way, place, shared).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_SIZE)
        .preserve_header_case(true)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        () = shared.ending.cancelled() => {}
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection of the command ended badly");
            }
        }
    }
}

async fn answer(
    mut request: Request<Incoming>,
    way: Way,
    place: Place,
    shared: Arc<Shared>,
) -> Response<Body> {
    if request.method() == Method::CONNECT {
        return match way {
            Way::Direct => tunnel::open(request, place, shared).await,
            Way::Tunnel(_) => cannot(StatusCode::BAD_REQUEST, "a tunnel within a tunnel"),
        };
    }
    let Some(to) = destination(request.uri(), &way, &shared.service, shared.address) else {
        let why = "this is a proxy: it wants http://host/path, or CONNECT host:port";
        return cannot(StatusCode::BAD_REQUEST, why);
    };
    match shared.fault {
        Some(Fault::Status500) => broken(StatusCode::INTERNAL_SERVER_ERROR),
        Some(Fault::Status404) => broken(StatusCode::NOT_FOUND),
        Some(Fault::EmptyJson) => match socket_key(request.headers()) {
            None => empty(),
            Some(key) => {
                let (response, talk) = empty_socket(&mut request, &key);
                let ending = shared.ending.clone();
                shared.tasks.spawn(async move {
                    let _place = place;
                    tokio::select! {
                        () = ending.cancelled() => {}
                        () = talk => {}
                    }
                });
                response
            }
        },
        // Both end before a request is read.
        Some(Fault::Refused | Fault::NoAnswer) => pending().await,
        // What is wrong with these is in what the service says.
        Some(
            Fault::WsClose1011
            | Fault::EventsMissing
            | Fault::EventsReordered
            | Fault::EventsForeign
            | Fault::Slow
            | Fault::Stale,
        )
        | None => pass::on(request, to, place, shared).await,
    }
}
