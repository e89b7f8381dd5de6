//! The daemon over HTTP: pages, API, hooks, live events, health, metrics.
//!
//! Every address stands in one table ([`routes()`]): the router, the guard in front of it and the
//! OpenAPI document are made from it. Whatever is asked for here is stored, or answered from the
//! store; nothing here decides about cycles, and no handler waits for one.

mod access;
mod acts;
mod api;
mod badge;
mod call;
pub mod forms;
mod guard;
mod health;
pub mod hooks;
mod limits;
mod live;
mod metrics;
mod openapi;
mod pages;
mod problem;
mod routes;
mod server;
mod sessions;
mod site;
mod waiting;

pub use access::{Access, AccessError, Caller, Need};
pub use api::logs::LOG_SEARCH_TIME;
pub use openapi::openapi;
pub use problem::{Problem, ProblemForm};
pub use routes::{Audience, Method, Route, router, routes};
pub use server::serve;
pub use site::{Parts, Site};
pub use waiting::serve_waiting;
