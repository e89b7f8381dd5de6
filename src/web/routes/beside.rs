//! What is answered beside the table: to an address that is none, to one that is asked with another method, to one that
//! nobody would write. And which page a form stands on. Programs are told in JSON, browsers with a page that leads on.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::ACCEPT;
use http::{HeaderMap, Method as Asked, StatusCode};

use super::{Audience, Content, Method, ROUTES, Route};
use crate::web::access::Need;
use crate::web::guard::with_headers;
use crate::web::pages;
use crate::web::problem::Problem;

/// So many bytes of an address: hyper takes four times as many, and has no words for who sends more.
const MAX_ADDRESS: usize = 16 << 10;

/// Whether it is a browser that asks, for a person: it says first that it takes a page.
pub(in crate::web) fn wants_page(headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT).and_then(|accepts| accepts.to_str().ok());
    accepts.is_some_and(|accepts| accepts.starts_with("text/html"))
}

/// 404 for what no route is for.
pub(super) async fn nowhere(request: Request) -> Response {
    let problem = Problem::not_found("there is nothing at this address");
    with_headers(if wants_page(request.headers()) {
        pages::as_page(&problem)
    } else {
        problem.help("GET /api/v1/openapi.json tells what there is").into_response()
    })
}

/// 405; the router says in `Allow` what may be asked.
pub(super) async fn not_this_way(request: Request) -> Response {
    let problem = |detail: &str| Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail);
    let otherwise = problem("this address is not asked with that method");
    let path = request.uri().path();
    with_headers(if !wants_page(request.headers()) {
        otherwise.into_response()
    } else if request.method() == Asked::GET && is_of_form(path) {
        let told = problem("this address takes what a form sends, and shows nothing itself");
        pages::leading_on(&told, page_of_form(path))
    } else {
        pages::leading_on(&otherwise, page_of_form(path))
    })
}

/// 414 for an address that is too long to be one, before anybody looks at what it says.
pub(super) async fn not_that_long(request: Request, next: Next) -> Response {
    let address = request.uri().path_and_query().map_or("", http::uri::PathAndQuery::as_str);
    if address.len() <= MAX_ADDRESS {
        return next.run(request).await;
    }
    let detail = format!("the address has {} bytes, of {MAX_ADDRESS} at most", address.len());
    let problem = Problem::new(StatusCode::URI_TOO_LONG, detail);
    with_headers(if wants_page(request.headers()) {
        pages::as_page(&problem)
    } else {
        problem.into_response()
    })
}

/// The page that a form stood on, by the address that it was sent to: the nearest above it.
pub(in crate::web) fn page_of_form(sent_to: &str) -> &str {
    let mut address = sent_to;
    while !address.is_empty() {
        if is_page(address) {
            return address;
        }
        address = address.rfind('/').map_or("", |at| &address[..at]);
    }
    "/"
}

/// Whether it is the address of a page that somebody reads.
fn is_page(address: &str) -> bool {
    let reads = |route: &&Route| {
        let is_of_script =
            matches!(route.answer, Content::Other("application/json") | Content::Json(_));
        route.method == Method::Get
            && route.audience == Audience::People
            && !matches!(route.need, Need::Login)
            && !is_of_script
    };
    ROUTES.iter().filter(reads).any(|route| fits(route.path, address))
}

fn is_of_form(address: &str) -> bool {
    let takes = |route: &&Route| route.method == Method::Post && route.audience == Audience::People;
    ROUTES.iter().filter(takes).any(|route| fits(route.path, address))
}

/// Whether an address is one of this path, part by part; `{*rest}` is one part or more.
fn fits(path: &str, address: &str) -> bool {
    let (mut parts, mut given) = (path.split('/'), address.split('/'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(given)) if part.starts_with("{*") && !given.is_empty() => {
                return true;
            }
            (Some(part), Some(given))
                if part == given || (part.starts_with('{') && !given.is_empty()) => {}
            _ => return false,
        }
    }
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
            ("/pipelines/shop/cases/a/b%20c", "/pipelines/shop/cases/a/b%20c"),
            ("/pipelines/shop/grid.json", "/pipelines/shop"),
            ("/logout", "/"),
            ("/login", "/"),
            ("//evil.example", "/"),
        ] {
            assert_eq!(page_of_form(sent_to), stands_on);
        }
    }
}
