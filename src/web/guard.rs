//! Stands before every handler: is it us that are meant, is it a page of ours that asks, and may
//! the caller? Then the handler, then the headers that every answer has.

use std::net::SocketAddr;

use axum::extract::{RawPathParams, Request};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderMap, HeaderValue,
    ORIGIN, REFERRER_POLICY, UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;

use super::access::{Access, Need, Refused, is_same_origin};
use super::call::{Admitted, Answer, Call};
use super::limits::Verdict;
use super::pages;
use super::problem::Problem;
use super::routes::{Audience, Method, Route, wants_page};
use super::site::Site;
use crate::pipeline::Role;

/// So many characters of a refused request's path are logged.
const LOGGED_PATH: usize = 200;

/// The connection that a request came over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Answers a request for a route.
pub(super) async fn answer(
    site: Site,
    route: &'static Route,
    parameters: RawPathParams,
    request: Request,
) -> Response {
    let asked = request.uri().clone();
    // What needs no token is asked for by browsers as by programs.
    let wants_page = matches!(route.need, Need::Nothing) && wants_page(request.headers());
    let answered = guarded(site, route, parameters, request).await;
    with_headers(answered.unwrap_or_else(|problem| match route.audience {
        Audience::Programs if wants_page => pages::as_page(&problem),
        Audience::Programs => problem.into_response(),
        Audience::People => pages::of_problem(problem, route, &asked),
    }))
}

async fn guarded(
    site: Site,
    route: &'static Route,
    parameters: RawPathParams,
    request: Request,
) -> Answer {
    let admitted = admit(&site, route, &request)?;
    let parameters =
        parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    (route.handler)(Call::new(site, admitted, parameters, request)).await
}

fn admit(site: &Site, route: &Route, request: &Request) -> Result<Admitted, Problem> {
    let role = match route.need {
        Need::Nothing | Need::Signature => return Ok(Admitted::default()),
        Need::Role(role) => Some(role),
        Need::Login => None,
    };
    let access = site.access();
    let host = host_of(request).filter(|host| access.knows_host(host)).ok_or_else(|| {
        Problem::new(StatusCode::MISDIRECTED_REQUEST, "the request is for another host")
            .help("where a proxy passes another name on, put it into `hosts` of andon.yaml")
    })?;
    if route.method == Method::Post || request.headers().contains_key(UPGRADE) {
        refuse_foreign_pages(request.headers(), host)?;
    }
    let Some(role) = role else { return Ok(Admitted::default()) };
    let admitted = match session_word(route, request.headers()) {
        Some(word) => admit_session(site, &access, word, role),
        None => {
            let authorization = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
            access.admit(authorization, role).map(|caller| Admitted::by_token(caller, site))
        }
    };
    admitted.map_err(|refused| refusal(site, request, refused, role))
}

fn admit_session(
    site: &Site,
    access: &Access,
    word: &str,
    role: Role,
) -> Result<Admitted, Refused> {
    let session = site.sessions().find(word, site.now()).ok_or(Refused::NoToken)?;
    let caller = access.admit_again(&session.caller, role)?;
    Ok(Admitted { caller: Some(caller), form_key: session.form_key })
}

/// The session of a browser, where no token is given. A cookie comes along with whatever a page has the
/// browser send: it opens what only looks, and the forms of our pages, which carry a key of their own.
fn session_word<'a>(route: &Route, headers: &'a HeaderMap) -> Option<&'a str> {
    let counts = route.method == Method::Get || route.audience == Audience::People;
    if !counts || headers.contains_key(AUTHORIZATION) {
        return None;
    }
    pages::login::session_word(headers.get_all(COOKIE))
}

/// The name by which we are asked: of the address where that is whole, else `Host`.
fn host_of(request: &Request) -> Option<&str> {
    let of_address = request.uri().authority().map(http::uri::Authority::as_str);
    let mut headers = request.headers().get_all(HOST).iter();
    match (of_address, headers.next(), headers.next()) {
        (Some(authority), _, None) => Some(authority),
        (None, Some(host), None) => host.to_str().ok(),
        _ => None,
    }
}

/// A browser says which page asks; other programs say nothing, and hold no cookie of ours.
fn refuse_foreign_pages(headers: &HeaderMap, host: &str) -> Result<(), Problem> {
    let says = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
    let is_foreign = says(ORIGIN.as_str()).is_some_and(|origin| !is_same_origin(origin, host))
        || says("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    if is_foreign {
        let detail = "a page of another origin may not do this";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

fn refusal(site: &Site, request: &Request, refused: Refused, role: Role) -> Problem {
    let peer = request.extensions().get::<Peer>().copied();
    if refused == Refused::UnknownToken
        && let Some(too_many) = count_wrong_token(site, peer, request.uri().path())
    {
        return too_many;
    }
    tracing::debug!(?peer, ?role, "refused: {refused:?}");
    refused.into()
}

/// The connection that a request came over.
pub(super) fn peer_of(parts: &Parts) -> Option<Peer> {
    parts.extensions.get::<Peer>().copied()
}

/// Counts a token that is none of ours; `Some` when there were too many.
pub(super) fn count_wrong_token(site: &Site, peer: Option<Peer>, path: &str) -> Option<Problem> {
    let Peer(peer) = peer?;
    site.counters().refused_token();
    match site.failures().count(peer.ip().to_canonical(), site.now()) {
        Verdict::First => {
            // A path can be as long as a client likes.
            let path: String = path.chars().take(LOGGED_PATH).collect();
            tracing::warn!(peer = %peer.ip(), "a token that is not known was used for {path}");
            None
        }
        Verdict::More => None,
        Verdict::TooMany => {
            let detail = "too many tokens that are not known came from this address";
            Some(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail))
        }
    }
}

/// Nothing of ours is kept by others, taken for another type, or shown in a frame.
pub(super) fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut unless_set = |name, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    unless_set(CACHE_CONTROL, "no-store");
    unless_set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    unless_set(REFERRER_POLICY, "no-referrer");
    unless_set(CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    response
}
