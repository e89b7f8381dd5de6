//! A socket from its handshake to its close: who may have one, and the conversation on it.
//!
//! A token is judged after the handshake, as the real service does: a bad one gets an error message and close
//! code 1008. Every send has a deadline, every channel a bound.

use super::app::{Shared, lock};
use super::auth::{Refusal, now_s, offered_protocols, token_of, verify};
use super::config::WebsocketAuth;
use super::conversation::Conversation;
use super::error::Problem;
use super::frames::{error_frame, frame, welcome};
use super::upgrade::{Socket, accept, open};
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

const PROTOCOL: &str = "jwt-auth";
const SEND_DEADLINE: Duration = Duration::from_secs(10);
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// The other side has gone, or does not read.
pub(super) struct Gone;

/// How many sockets each user holds.
#[derive(Default)]
pub(super) struct Seats {
    taken: Mutex<HashMap<String, usize>>,
}

/// One socket of one user; counted until dropped.
struct Seat {
    app: Shared,
    user: String,
}

impl Seat {
    fn take(app: &Shared, user: &str) -> Option<Self> {
        let mut taken = lock(&app.seats.taken);
        let count = taken.entry(user.to_owned()).or_insert(0);
        if *count >= app.config.connection_cap {
            return None;
        }
        *count += 1;
        Some(Self { app: app.clone(), user: user.to_owned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.app.config.leak_sessions {
            return;
        }
        let mut taken = lock(&self.app.seats.taken);
        if let Some(count) = taken.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

/// `GET /ws` and `/api/v1/websocket`.
pub(super) async fn get_socket(
    State(app): State<Shared>,
    mut request: Request,
) -> Result<Response, Problem> {
    match app.config.websocket_auth {
        WebsocketAuth::Refuse403 => return Err(Problem::forbidden("refused by the gateway")),
        WebsocketAuth::Stall => {
            app.stop.cancelled().await;
            return Err(Problem::internal());
        }
        WebsocketAuth::Ok
        | WebsocketAuth::Refuse1008
        | WebsocketAuth::Close1011AfterFirst
        | WebsocketAuth::Close1000AtOnce
        | WebsocketAuth::AcceptAnyone => {}
    }
    let token = token_of(request.headers());
    let protocol =
        offered_protocols(request.headers()).any(|name| name == PROTOCOL).then_some(PROTOCOL);
    let (answer, upgrade) = accept(&mut request, protocol)?;
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        if let Some(mut socket) = open(upgrade).await {
            let (code, reason) = match serve(&app, &mut socket, token).await {
                Ok(end) => end,
                Err(Gone) => return,
            };
            close(&mut socket, code, reason).await;
        }
    });
    Ok(answer)
}

/// The whole life of a socket; how it shall be closed.
async fn serve(
    app: &Shared,
    socket: &mut Socket,
    token: Option<String>,
) -> Result<(u16, &'static str), Gone> {
    if app.config.websocket_auth == WebsocketAuth::Close1000AtOnce {
        return Ok((1000, "bye"));
    }
    tokio::time::sleep(Duration::from_millis(app.config.settle_ms)).await;
    let user = match judge(app, token.as_deref()) {
        Ok(user) => user,
        Err(error) => {
            send(socket, error).await?;
            return Ok((1008, "authentication failed"));
        }
    };
    let Some(_seat) = Seat::take(app, &user) else {
        let text = "too many connections of this user";
        send(socket, error_frame("CONNECTION_LIMIT", text, &Value::Null)).await?;
        return Ok((1008, "connection limit"));
    };
    let validation = json!({ "validation_id": super::app::new_id() });
    send(socket, frame(app, "handshake_validation", validation, &Value::Null)).await?;
    if app.config.websocket_auth == WebsocketAuth::Close1011AfterFirst {
        return Ok((1011, "internal error"));
    }
    if app.config.welcome {
        send(socket, welcome(app, &user)).await?;
    }
    Conversation::new(app.clone(), user).hold(socket).await
}

/// The user of a token, or the message that refuses it.
fn judge(app: &Shared, token: Option<&str>) -> Result<String, Message> {
    let verified =
        token.ok_or(Refusal::Absent).and_then(|token| verify(&app.config, token, now_s()));
    match (app.config.websocket_auth, verified) {
        (WebsocketAuth::AcceptAnyone, Err(_)) => Ok("anyone".into()),
        (WebsocketAuth::Refuse1008, Ok(_)) => Err(error_frame(
            "USER_CONTEXT",
            "the user context could not be built from this token",
            &Value::Null,
        )),
        (_, Ok(user)) => Ok(user),
        (_, Err(why)) => Err(error_frame(why.code(), &why.to_string(), &Value::Null)),
    }
}

/// Sends within the deadline.
pub(super) async fn send(socket: &mut Socket, message: Message) -> Result<(), Gone> {
    match tokio::time::timeout(SEND_DEADLINE, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

/// Closes, and gives the other side a moment to answer, so that it sees the code and no reset.
pub(super) async fn close(socket: &mut Socket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code: code.into(), reason: reason.into() };
    let goodbye = async {
        if socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    // Whoever does not say goodbye in time is cut off.
    let _ = tokio::time::timeout(CLOSE_DEADLINE, goodbye).await;
}
