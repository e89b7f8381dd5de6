//! The side that faces the command: accepts connections and tells what each request wants.
//!
//! What it must not do: serve more than its cap at once, or a request without the credential where one
//! is asked for.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, PROXY_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::Shared;
use super::dial::NoConnection;
use super::forward::Route;
use super::headers::has_credential;
use super::reception::{self, HEAD_SIZE, Place};
use super::tunnel;

/// What goes back to the command: a text of ours, or what the host answers.
pub(super) type Body = Either<Full<Bytes>, Incoming>;

/// Accepts until the proxy ends.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let connection = |stream, place| Some(serve(stream, place, Arc::clone(&shared)));
    reception::accept(listener, &shared.ending, &shared.tasks, connection).await;
}

/// Serves one connection of the command, and the tunnel that it may become.
async fn serve(stream: TcpStream, place: Place, shared: Arc<Shared>) {
    let route = Route::new(Arc::clone(&shared));
    let one = |request| answer(request, Arc::clone(&shared), &route, Arc::clone(&place));
    reception::serve(stream, &shared.ending, one).await;
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    route: &Route,
    place: Place,
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
