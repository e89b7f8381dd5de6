//! What a person sees with a browser: pages made on the server, of the same forms that the API sends.
//!
//! A handler here asks what the API would answer, and has a template put it into words. Whatever is
//! shown is escaped by the templates; the scripts only add to pages that are whole without them.
//! Nothing is decided here, and no template reaches for data that its handler did not hand on.

pub(super) mod acting;
pub(super) mod assets;
pub(super) mod audit;
pub(super) mod case;
pub(super) mod cases;
pub(super) mod cycle;
pub(super) mod editing;
pub(super) mod evidence;
mod filters;
mod flaky;
mod frame;
pub(super) mod grid;
pub(super) mod investigation;
mod links;
pub(super) mod log;
pub(super) mod login;
mod markdown;
pub(super) mod overview;
pub(super) mod pipeline;
mod plot;
mod quarantine;
pub(super) mod report;
mod template;
mod trend;

use http::{StatusCode, Uri};
use serde::Serialize;

use super::problem::Problem;
use super::routes::{Method, Route, page_of_form};
use axum::response::Response;
use frame::Frame;

#[derive(Serialize)]
struct Refusal<'a> {
    problem: Told<'a>,
    /// The page to go on with, where it is not the first one.
    way: Option<&'a str>,
}

#[derive(Serialize)]
struct Told<'a> {
    detail: &'a str,
    help: Option<&'a str>,
}

/// A problem as a page. Who has no token yet is asked for one, and comes back to where they were.
pub(super) fn of_problem(problem: Problem, route: &Route, asked: &Uri) -> Response {
    let status = problem.status();
    if status == StatusCode::UNAUTHORIZED {
        let next = match route.method {
            Method::Get => asked.path_and_query().map_or("/", http::uri::PathAndQuery::as_str),
            Method::Post => page_of_form(asked.path()),
        };
        return login::ask_for_token(next, None, problem.headers());
    }
    as_page(&problem)
}

/// What went wrong, for somebody of whom nothing is known.
pub(super) fn as_page(problem: &Problem) -> Response {
    leading_on(problem, "/")
}

/// The same, with the page that the form of the address stands on.
pub(super) fn leading_on(problem: &Problem, to: &str) -> Response {
    let status = problem.status();
    let title = status.canonical_reason().unwrap_or("Not done").to_owned();
    let told = Told { detail: problem.detail(), help: problem.help_text() };
    let own = Refusal { problem: told, way: (to != "/").then_some(to) };
    template::page(status, "problem.html", &Frame::bare(title), &own)
}
