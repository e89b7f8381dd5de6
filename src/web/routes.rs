//! The one table of addresses. The router, the guard and the OpenAPI document are made from it, so
//! nothing is served that is not guarded and described.

mod table;

use axum::Router;
use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use futures_util::future::BoxFuture;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Extensions, HeaderMap, StatusCode, Version};
use schemars::{Schema, SchemaGenerator};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

use super::access::Need;
use super::call::{Answer, Call};
use super::guard;
use super::pages;
use super::problem::Problem;
use super::site::Site;
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
    router.method_not_allowed_fallback(not_this_way).fallback(nowhere).layer(compression())
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
            Err(_) => nowhere(request).await,
        }
    })
}

async fn nowhere(request: Request) -> Response {
    let problem = Problem::not_found("there is nothing at this address");
    let accepts = request.headers().get(ACCEPT).and_then(|accepts| accepts.to_str().ok());
    // A browser says first that it takes a page.
    let is_browser = accepts.is_some_and(|accepts| accepts.starts_with("text/html"));
    guard::with_headers(if is_browser {
        pages::as_page(&problem)
    } else {
        problem.help("GET /api/v1/openapi.json tells what there is").into_response()
    })
}

/// The page that a form stood on, by the address that it was sent to: the nearest above it.
pub(super) fn page_of_form(sent_to: &str) -> &str {
    let mut address = sent_to;
    while !address.is_empty() {
        let is_page = |route: &&Route| {
            route.method == Method::Get
                && route.audience == Audience::People
                && fits(route.path, address)
        };
        if ROUTES.iter().any(|route| is_page(&route)) {
            return address;
        }
        address = address.rfind('/').map_or("", |at| &address[..at]);
    }
    "/"
}

/// Whether an address is one of this path, part by part.
fn fits(path: &str, address: &str) -> bool {
    let (mut parts, mut given) = (path.split('/'), address.split('/'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(given))
                if part == given || (part.starts_with('{') && !given.is_empty()) => {}
            _ => return false,
        }
    }
}

async fn not_this_way() -> Response {
    let problem =
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this address is not asked with that method");
    guard::with_headers(problem.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_stands_on_the_page_above_its_address() {
        for (sent_to, stands_on) in [
            ("/pipelines/shop/trigger", "/pipelines/shop"),
            ("/pipelines/shop/triggers/9/cancel", "/pipelines/shop"),
            ("/pipelines/shop/cycles/3/rerun", "/pipelines/shop/cycles/3"),
            (
                "/pipelines/shop/investigations/INV-0001/edit",
                "/pipelines/shop/investigations/INV-0001/edit",
            ),
            (
                "/pipelines/shop/investigations/INV-0001/merge",
                "/pipelines/shop/investigations/INV-0001",
            ),
            ("/logout", "/"),
        ] {
            assert_eq!(page_of_form(sent_to), stands_on);
        }
    }
}
