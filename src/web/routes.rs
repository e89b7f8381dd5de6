//! The one table of addresses. The router, the guard and the OpenAPI document are made from it, so
//! nothing is served that is not guarded and described.

mod beside;
mod table;

use axum::Router;
use axum::extract::{RawPathParams, Request};
use axum::middleware::from_fn;
use axum::routing::{MethodFilter, MethodRouter, on};
use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{Extensions, HeaderMap, StatusCode, Version};
use schemars::{Schema, SchemaGenerator};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

use super::access::Need;
use super::call::{Answer, Call};
use super::guard;
use super::site::Site;
pub(super) use beside::{page_of_form, wants_page};
use table::ROUTES;

/// What is compressed.
const COMPRESSED: [&str; 6] = [
    "text/html",
    "text/css",
    "text/javascript",
    "text/markdown",
    "application/json",
    "image/svg+xml",
];
/// Less fits one packet as it is.
const MIN_COMPRESSED: u16 = 1_024;

/// How a route is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// It only looks.
    Get,
    /// It changes something.
    Post,
}

/// Whom a route answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Programs: a problem is JSON.
    Programs,
    /// A person with a browser: a problem is a page, and who has no token is asked for one.
    People,
}

/// What an answer, or a request, is made of.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// JSON of that form.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Something else, by its media type.
    Other(&'static str),
    /// Nothing.
    Nothing,
}

/// A parameter of the query, or a header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: Place,
    pub(super) kind: &'static str,
    pub(super) says: &'static str,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind the question mark.
    Query,
    /// Among the headers.
    Header,
}

/// An address, and everything about it.
pub struct Route {
    /// How it is asked.
    pub method: Method,
    /// Where it is; parameters in braces.
    pub path: &'static str,
    /// Whom it answers.
    pub audience: Audience,
    /// What it asks of its caller.
    pub need: Need,
    /// Its name in the document.
    pub operation: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) request: Content,
    /// The status when it did what it should.
    pub(super) status: u16,
    pub(super) answer: Content,
    pub(super) handler: fn(Call) -> BoxFuture<'static, Answer>,
}

/// Every address that is served.
pub fn routes() -> &'static [Route] {
    ROUTES
}

/// The router of the table.
pub fn router(site: Site) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        router = router.route(route.path, method_router(route, site.clone()));
    }
    router
        .method_not_allowed_fallback(beside::not_this_way)
        .fallback(beside::nowhere)
        .layer(compression())
        .layer(from_fn(beside::not_that_long))
}

/// What people and programs read is sent compressed to those who take it so. Streams and logs are not:
/// they come as they grow, and in ranges.
fn compression() -> CompressionLayer<impl Predicate> {
    let is_read = |_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions| {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        COMPRESSED.contains(&kind.split(';').next().unwrap_or(kind))
    };
    // Most of what can be won is won by the fastest, at a fraction of the time.
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(MIN_COMPRESSED).and(is_read))
}

fn method_router(route: &'static Route, site: Site) -> MethodRouter {
    let filter = match route.method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
    };
    on(filter, move |parameters: Result<RawPathParams, _>, request: Request| async move {
        match parameters {
            Ok(parameters) => guard::answer(site, route, parameters, request).await,
            Err(_) => beside::nowhere(request).await,
        }
    })
}
