//! Messages on a socket, in and out. Pure but for the time that outgoing ones carry.

use super::app::{App, new_id, now};
use super::runs::AgentEvent;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

/// Longer messages are dropped silently, as the real service does.
pub(super) const MAX_MESSAGE: usize = 8_192;

/// A message of a client.
pub(super) struct Incoming {
    pub(super) kind: String,
    /// The client's own id, repeated in what answers it.
    pub(super) id: Value,
    body: Value,
}

impl Incoming {
    /// `None` when `text` is no JSON object with a `type`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let body: Value = serde_json::from_str(text).ok()?;
        let kind = body.get("type")?.as_str()?.to_owned();
        let id = body.get("id").cloned().unwrap_or(Value::Null);
        Some(Self { kind, id, body })
    }

    /// A text field, of the message or of its `data`.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).or_else(|| self.body.get("data")?.get(name))?.as_str()
    }

    /// What the user said, under any of the names that clients use.
    pub(super) fn said(&self) -> &str {
        ["content", "message", "text"].iter().find_map(|name| self.text(name)).unwrap_or("")
    }
}

/// A message of the server.
pub(super) fn frame(app: &App, kind: &str, data: Value, correlation: &Value) -> Message {
    let body = json!({
        "type": kind,
        "data": data,
        "timestamp": now(),
        "server_id": app.server_id,
        "correlation_id": correlation,
    });
    Message::text(body.to_string())
}

pub(super) fn event_frame(app: &App, event: AgentEvent) -> Message {
    frame(app, event.name, event.data, &event.correlation)
}

pub(super) fn error_frame(code: &str, message: &str, correlation: &Value) -> Message {
    let body = json!({
        "type": "error_message",
        "error_code": code,
        "error_message": message,
        "details": {},
        "timestamp": now(),
        "correlation_id": correlation,
    });
    Message::text(body.to_string())
}

/// The message that says that the socket may be used.
pub(super) fn welcome(app: &App, user: &str) -> Message {
    let prefix: String = user.chars().take(8).collect();
    let seconds = jiff::Timestamp::now().as_second();
    let random: String = new_id().chars().take(8).collect();
    let data = json!({
        "event": "connection_established",
        "connection_id": format!("ws_{prefix}_{seconds}_{random}"),
        "user_id": user,
        "server_time": now(),
        "connection_ready": true,
        "environment": app.config.environment,
        "revision": app.revision(),
        "startup_complete": app.is_ready(),
        "config": {
            "heartbeat_interval": app.config.heartbeat_s,
            "max_message_size": MAX_MESSAGE,
        },
    });
    frame(app, "system_message", data, &Value::Null)
}
