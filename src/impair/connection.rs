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
use super::answer::{
    Body, broken, cannot, empty, empty_events, empty_socket, socket_key, wants_events,
};
use super::destination::{Way, destination};
use super::dial::Stream;
use super::strike::Strike;
use super::{pass, tunnel};
use crate::observe::{self, Place};

/// Accepts until the proxy ends.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let connection = |stream, place| {
        shared.notes.contact();
        // Taken and let go at once: nobody is there.
        let is_let_go = shared.strike == Strike::LetGo;
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
    if shared.strike == Strike::Hold {
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
    let strike = match shared.service.has(&to.target.name()) {
        true => shared.strike,
        false => Strike::Nothing,
    };
    match strike {
        Strike::Answer(status) => broken(status),
        Strike::Empty => match socket_key(request.headers()) {
            None if wants_events(request.headers()) => empty_events(),
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
        Strike::LetGo | Strike::Hold => pending().await,
        // What is wrong with these is in what the service says.
        Strike::Nothing | Strike::CloseSockets | Strike::Mute => {
            pass::on(request, to, strike, place, shared).await
        }
    }
}
