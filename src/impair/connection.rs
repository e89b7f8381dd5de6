//! The side that faces the command: accepts connections, tells what each request wants, and lets the fault
//! strike.
//!
//! What it must not do: serve more than its cap at once, or let anything reach the service that the fault is to
//! keep from it.

use std::future::pending;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::net::TcpListener;

use super::Shared;
use super::answer::{Body, broken, cannot, empty, empty_socket, socket_key};
use super::destination::{Way, destination};
use super::dial::Stream;
use super::{pass, tunnel};
use crate::observe::{self, Place};
use crate::prove::Fault;

/// Accepts until the proxy ends.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let connection = |stream, place| {
        shared.notes.contact();
        // Taken and let go at once: nobody is there.
        let is_let_go = shared.fault == Some(Fault::Refused);
        (!is_let_go).then(|| serve(Box::new(stream), Way::Direct, place, Arc::clone(&shared)))
    };
    observe::accept(listener, &shared.ending, &shared.tasks, connection).await;
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
    let one = |request| answer(request, way.clone(), Arc::clone(&place), Arc::clone(&shared));
    observe::serve(stream, &shared.ending, one).await;
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
    // What else a command needs is no matter of the service.
    let fault = shared.fault.filter(|_| shared.service.has(&to.target.name()));
    match fault {
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
        | None => pass::on(request, to, fault, place, shared).await,
    }
}
