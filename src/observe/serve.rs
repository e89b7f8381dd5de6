//! The side that faces the command: accepts connections and tells what each request wants.
//!
//! What it must not do: serve more than its cap at once, or a request without the credential where one
//! is asked for.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, PROXY_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Shared;
use super::dial::NoConnection;
use super::forward::Route;
use super::headers::has_credential;
use super::tunnel;

/// How many connections of a command are served at once; more wait to be accepted.
const AT_ONCE: usize = 1_024;

/// How long a request's head, or the next request on a connection, may take to come.
const HEAD: Duration = Duration::from_secs(60);

/// The longest head of a request, in bytes.
pub(super) const HEAD_SIZE: usize = 64 * 1024;

/// How long to wait when the system has no connection to give.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// What goes back to the command: a text of ours, or what the host answers.
pub(super) type Body = Either<Full<Bytes>, Incoming>;

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
                let connection = serve(stream, place, Arc::clone(&shared));
                shared.tasks.spawn(connection);
            }
            Some((Err(error), _)) => {
                tracing::debug!(%error, "a connection of the command was not accepted");
                tokio::time::sleep(EXHAUSTED).await;
            }
            None => return,
        }
    }
}

/// Serves one connection of the command, and the tunnel that it may become.
async fn serve(stream: TcpStream, place: OwnedSemaphorePermit, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let route = Arc::new(Route::new(Arc::clone(&shared)));
    let place = Arc::new(place);
    let service = service_fn(|request| {
        let (shared, route, place) = (Arc::clone(&shared), Arc::clone(&route), Arc::clone(&place));
        async move { Ok::<_, Infallible>(answer(request, shared, &route, place).await) }
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
    request: Request<Incoming>,
    shared: Arc<Shared>,
    route: &Route,
    place: Arc<OwnedSemaphorePermit>,
) -> Response<Body> {
    if let Some(credential) = &shared.credential
        && !has_credential(request.headers(), credential)
    {
        shared.recorder.turned_away();
        return locked();
    }
    if head_size(&request) > HEAD_SIZE {
        shared.recorder.turned_away();
        return plain(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "the head is longer than 64 KiB",
        );
    }
    let answered = match request.method() {
        &Method::CONNECT => tunnel::open(request, shared, place).await,
        _ => route.forward(request, place).await,
    };
    answered.unwrap_or_else(|NoConnection { status, text }| plain(status, &text))
}

/// About as many bytes as the head had. `hyper` stops reading somewhat above its cap.
fn head_size(request: &Request<Incoming>) -> usize {
    let fields = request.headers().iter();
    let fields: usize = fields.map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let query = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    fields + query
}

fn locked() -> Response<Body> {
    let mut response =
        plain(StatusCode::PROXY_AUTHENTICATION_REQUIRED, "the credential stands in HTTP_PROXY");
    let scheme = HeaderValue::from_static("Basic realm=\"andon\"");
    response.headers_mut().insert(PROXY_AUTHENTICATE, scheme);
    response
}

/// An answer of our own, which says whose it is.
fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::from(format!("andon's proxy: {text}\n"))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("proxy-status", HeaderValue::from_static("andon"));
    response
}

/// The socket under a connection that became something else, and what was already read from it.
pub(super) fn socket(upgraded: hyper::upgrade::Upgraded) -> io::Result<(TcpStream, Bytes)> {
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => Ok((parts.io.into_inner(), parts.read_buf)),
        Err(_) => Err(io::Error::other("a connection of another kind")),
    }
}
