//! Which path leads where. What is not here answers 404, what is here but not so answers 405, both in JSON.

use super::app::Shared;
use super::error::Problem;
use super::{agents, auth, bench, chat, gate, pages, session, socket, streams};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

const MAX_BODY: usize = 64 * 1024;

/// The whole service as a router.
pub(super) fn router(app: Shared) -> Router {
    Router::new()
        .merge(surfaces())
        .merge(agent_routes())
        .merge(chat_routes())
        .route("/ws", get(socket::get_socket))
        .route("/api/v1/websocket", get(socket::get_socket))
        .route("/bench/json", get(bench::get_json))
        .route("/bench/ws", get(bench::get_socket))
        .fallback(async || Problem::not_found("no such path"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(app.clone(), gate::pass))
        .with_state(app)
}

fn surfaces() -> Router<Shared> {
    Router::new()
        .route("/", get(pages::get_index))
        .route("/version", get(pages::get_version))
        .route("/auth/version", get(pages::get_auth_version))
        .route("/health", get(pages::get_health))
        .route("/api/health", get(pages::get_health))
        .route("/api/config", get(pages::get_config))
        .route("/api/discovery/services", get(pages::get_services))
        .route("/api/session", get(session::get_session))
        .route("/auth/e2e/test-auth", post(auth::post_test_auth))
        .route("/api/auth/login", post(auth::post_login))
}

fn agent_routes() -> Router<Shared> {
    let mut routes = Router::new();
    for agent in agents::agent_names() {
        let ask = move |app, user, body| agents::post_agent(app, agent, user, body);
        routes = routes.route(&format!("/api/agents/{agent}"), post(ask));
    }
    routes
        .route("/api/mcp/servers", get(pages::get_servers))
        .route("/api/mcp/config", get(pages::get_mcp_config))
        .route("/api/mcp/status", get(pages::get_mcp_status))
        .route("/api/mcp/tools", get(pages::get_public_tools))
        .route("/api/tools", get(pages::get_tools))
        .route("/api/tools/execute", post(agents::post_tool))
        .route("/api/agents/status", get(agents::get_status))
        .route("/api/agents/execute", post(agents::post_execute))
        .route("/api/agents/start", post(agents::post_start))
        .route("/api/agents/stop", post(agents::post_cancel))
        .route("/api/agents/cancel", post(agents::post_cancel))
        .route(
            "/api/agents/stream",
            get(streams::get_agent_stream).post(streams::post_agent_stream),
        )
        .route("/api/chat/stream", post(streams::post_chat_stream))
        .route("/api/events/stream", get(streams::get_events))
}

fn chat_routes() -> Router<Shared> {
    Router::new()
        .route("/api/messages", get(chat::get_messages).post(chat::post_message))
        .route("/api/messages/search", get(chat::get_search))
        .route("/api/messages/{id}", get(chat::get_message))
        .route("/api/chat/messages", get(chat::get_chat_messages).post(chat::post_message))
        .route("/api/threads", get(chat::get_threads).post(chat::post_thread))
        .route("/api/threads/history", get(chat::get_history))
        .route("/api/threads/{id}", get(chat::get_thread))
        .route(
            "/api/threads/{id}/messages",
            get(chat::get_thread_messages).post(chat::post_thread_message),
        )
}
