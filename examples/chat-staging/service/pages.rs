//! Pages without state: what serves, how it is, what it offers.

use super::agents::agent_names;
use super::app::{Shared, now};
use super::auth::User;
use super::config::Health;
use super::frames::MAX_MESSAGE;
use super::tools::Tool;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

const SERVICE: &str = "chat";

/// `GET /`: the web surface.
pub(super) async fn get_index(State(app): State<Shared>) -> Html<String> {
    // A revision comes from our own settings, but a page escapes what it did not write.
    let build: String = app.revision().chars().filter(char::is_ascii_alphanumeric).collect();
    Html(format!(
        "<!doctype html>\n<html lang=\"en\" data-build=\"{build}\">\n<title>Chat</title>\n<h1>Chat</h1>\n</html>\n"
    ))
}

/// `GET /version`: the API surface.
pub(super) async fn get_version(State(app): State<Shared>) -> Json<Value> {
    Json(json!({ "service": SERVICE, "revision": app.revision() }))
}

/// `GET /auth/version`: the auth surface.
pub(super) async fn get_auth_version(State(app): State<Shared>) -> Json<Value> {
    Json(json!({ "service": "chat-auth", "revision": app.auth_revision() }))
}

/// `GET /health` and `/api/health`.
pub(super) async fn get_health(State(app): State<Shared>) -> Response {
    let (status, word) = match app.config.health {
        Health::Healthy => (StatusCode::OK, "healthy"),
        Health::Degraded => (StatusCode::OK, "degraded"),
        Health::Unhealthy => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let mut body = json!({
        "status": word,
        "service": SERVICE,
        "version": env!("CARGO_PKG_VERSION"),
        "timestamp": now(),
    });
    if app.config.health == Health::Unhealthy {
        body["startup_failed"] = json!(true);
        body["details"] = json!({ "phase": "database" });
    }
    (status, Json(body)).into_response()
}

/// What everything answers while the service starts.
pub(super) fn starting() -> Response {
    let body = json!({
        "status": "unhealthy",
        "startup_in_progress": true,
        "details": { "phase": "cache" },
        "error": "unavailable",
        "message": "the service is starting",
    });
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

/// `GET /api/mcp/servers`.
pub(super) async fn get_servers() -> Json<Value> {
    Json(json!({
        "servers": [{ "name": "built-in", "status": "connected", "tools": Tool::ALL.len() }],
    }))
}

/// `GET /api/mcp/config`.
pub(super) async fn get_mcp_config() -> Json<Value> {
    Json(json!({ "transport": "in-process", "agents": agent_names() }))
}

/// `GET /api/mcp/status`.
pub(super) async fn get_mcp_status() -> Json<Value> {
    Json(json!({ "status": "operational", "servers_connected": 1 }))
}

/// `GET /api/mcp/tools`.
pub(super) async fn get_public_tools() -> Json<Value> {
    tools()
}

/// `GET /api/tools`.
pub(super) async fn get_tools(User(_): User) -> Json<Value> {
    tools()
}

fn tools() -> Json<Value> {
    let tools: Vec<Value> = Tool::ALL.into_iter().map(Tool::describe).collect();
    Json(json!({ "tools": tools }))
}

/// `GET /api/config`.
pub(super) async fn get_config(State(app): State<Shared>, User(_): User) -> Json<Value> {
    Json(json!({
        "environment": app.config.environment,
        "websocket": {
            "paths": ["/ws", "/api/v1/websocket"],
            "max_message_size": MAX_MESSAGE,
            "heartbeat_interval": app.config.heartbeat_s,
            "connections_per_user": app.config.connection_cap,
        },
    }))
}

/// `GET /api/discovery/services`.
pub(super) async fn get_services() -> Json<Value> {
    Json(json!({
        "services": [
            { "name": SERVICE, "version": "/version", "health": "/health" },
            { "name": "chat-auth", "version": "/auth/version" },
        ],
    }))
}
