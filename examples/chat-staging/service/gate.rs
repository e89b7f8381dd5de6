//! What every request passes before its page: the faults that hit the whole service, and rate limits.

use super::app::{Shared, lock};
use super::auth::{now_s, token_of, verify};
use super::config::LimitScope;
use super::error::Problem;
use super::limiter::Permit;
use super::pages::starting;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::{Duration, Instant};

const SEARCH: &str = "/api/messages/search";

/// The gate in front of all routes.
pub(super) async fn pass(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api") || path == "/ws" {
        app.count_request();
    }
    if app.config.latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(app.config.latency_ms)).await;
    }
    let mut response = match refuse(&app, path) {
        Some(response) => response,
        None => limited(&app, request, next).await,
    };
    if let Ok(revision) = HeaderValue::from_str(app.revision()) {
        response.headers_mut().insert("x-revision", revision);
    }
    response
}

/// The answer of a service that is broken as a whole, or on this path.
fn refuse(app: &Shared, path: &str) -> Option<Response> {
    if !app.is_ready() {
        return Some(starting());
    }
    if app.config.all_status_500 {
        return Some(Problem::internal().into_response());
    }
    let missing =
        app.config.missing_endpoints.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == pattern,
        });
    missing.then(|| Problem::not_found("no such path").into_response())
}

async fn limited(app: &Shared, request: Request, next: Next) -> Response {
    let limit = &app.config.rate_limit;
    let counts = match limit.scope {
        LimitScope::Search => request.uri().path() == SEARCH,
        LimitScope::Everything => true,
        LimitScope::Off => false,
    };
    if !counts {
        return next.run(request).await;
    }
    let caller = caller_of(app, request.headers());
    let permit = lock(&app.limiter).ask(&caller, limit, Instant::now());
    let (mut response, remaining, wait) = match permit {
        Permit::Granted { remaining } => (next.run(request).await, remaining, None),
        Permit::Denied { wait } => (Problem::too_many_requests().into_response(), 0, Some(wait)),
    };
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-limit", HeaderValue::from(limit.burst));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(remaining));
    if let Some(wait) = wait {
        // Whole seconds, rounded up: whoever waits so long is let in.
        headers.insert("retry-after", HeaderValue::from(wait.as_millis().div_ceil(1000) as u64));
    }
    response
}

/// Users are told apart by their token; all others are one caller.
fn caller_of(app: &Shared, headers: &HeaderMap) -> String {
    let user = token_of(headers).and_then(|token| verify(&app.config, &token, now_s()).ok());
    user.unwrap_or_else(|| "anonymous".into())
}
