//! Browser sessions: an id in a cookie or in `X-Session-ID`, and how often it was seen. Bounded.

use super::app::{Shared, lock, new_id};
use super::error::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::collections::{HashMap, VecDeque};

const MAX_SESSIONS: usize = 5_000;
const COOKIE: &str = "chat_session";

/// How often each session was seen.
#[derive(Default)]
pub(super) struct Sessions {
    calls: HashMap<String, u64>,
    order: VecDeque<String>,
}

impl Sessions {
    fn knows(&self, id: &str) -> bool {
        self.calls.contains_key(id)
    }

    fn count(&mut self, id: &str) -> u64 {
        if !self.knows(id) {
            if self.order.len() >= MAX_SESSIONS
                && let Some(oldest) = self.order.pop_front()
            {
                self.calls.remove(&oldest);
            }
            self.order.push_back(id.to_owned());
        }
        let calls = self.calls.entry(id.to_owned()).or_insert(0);
        *calls += 1;
        *calls
    }
}

/// `GET /api/session`: the session of this client. A header names one, a cookie continues one, else one begins.
pub(super) async fn get_session(
    State(app): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let named = headers.get("x-session-id").map(|value| value.to_str().unwrap_or(""));
    let mut sessions = lock(&app.sessions);
    let continued = cookie_of(&headers).filter(|id| sessions.knows(id));
    let id = match (named, continued) {
        (Some(named), _) if is_session_id(named) => named.to_owned(),
        (Some(_), _) => {
            return Err(Problem::unprocessable("X-Session-ID: 8 to 64 of A-Z a-z 0-9 -"));
        }
        (None, Some(id)) => id.to_owned(),
        (None, None) => new_id(),
    };
    let id = if app.config.forget_sessions { new_id() } else { id };
    let calls = sessions.count(&id);
    let cookie = format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax");
    let mut response = Json(json!({ "session_id": id, "calls": calls })).into_response();
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn cookie_of(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn is_session_id(text: &str) -> bool {
    (8..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
