//! What is served while the records cannot be opened: that the daemon lives, and why it is not ready.
//!
//! Nobody's token is looked at here, so nothing is told but that.

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::guard::with_headers;
use super::problem::Problem;
use super::server::serve_routes;

/// Says `why` to everybody until `shutdown` fires, then lets answers under way come to their end.
pub async fn serve_waiting(listener: &TcpListener, why: &str, shutdown: &CancellationToken) {
    let why = why.to_owned();
    let routes = Router::new().fallback(move |request: Request| {
        let answer = with_headers(answer(request.uri().path(), &why));
        async move { answer }
    });
    serve_routes(listener, routes, &CancellationToken::new(), shutdown).await;
}

fn answer(path: &str, why: &str) -> Response {
    // It lives: to restart it would make no room.
    if path == "/healthz" {
        return format!("ok, but nothing else is served: {why}\n").into_response();
    }
    Problem::unavailable(why).help("free some space; it goes on by itself").into_response()
}
