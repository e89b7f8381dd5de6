//! Messages and threads over HTTP: everybody reads and writes their own.

use super::app::{Shared, lock};
use super::auth::{Anyone, User};
use super::config::Isolation;
use super::error::{Body, Params, Problem};
use super::store::{Message, Page, Thread};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

const MAX_CONTENT: usize = 8_192;
const MAX_TITLE: usize = 200;
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 100;

/// Which part of a list, and of what.
#[derive(Deserialize)]
pub(super) struct Listing {
    page: Option<usize>,
    limit: Option<usize>,
    thread_id: Option<String>,
    q: Option<String>,
}

impl Listing {
    fn cut<T>(&self, all: impl Iterator<Item = T>) -> Result<Json<Page<T>>, Problem> {
        let (page, limit) = (self.page.unwrap_or(1), self.limit.unwrap_or(DEFAULT_LIMIT));
        if page == 0 || limit == 0 {
            return Err(Problem::unprocessable("page and limit count from 1"));
        }
        Ok(Json(Page::cut(all, page, limit.min(MAX_LIMIT))))
    }
}

fn sees(app: &Shared, user: &str, owner: &str) -> bool {
    match app.config.isolation {
        Isolation::Kept | Isolation::TrustsHeader => user == owner,
        Isolation::Leaks => true,
    }
}

/// `GET /api/messages`: what this is, to strangers; their messages, newest first, to users.
pub(super) async fn get_messages(
    State(app): State<Shared>,
    Anyone(user): Anyone,
    Params(listing): Params<Listing>,
) -> Result<Response, Problem> {
    match user {
        Some(user) => Ok(own_messages(&app, &user, &listing)?.into_response()),
        None => Ok(Json(json!({
            "service": "messages",
            "methods": ["GET", "POST"],
            "authentication": "Bearer",
        }))
        .into_response()),
    }
}

/// `GET /api/chat/messages`.
pub(super) async fn get_chat_messages(
    State(app): State<Shared>,
    User(user): User,
    Params(listing): Params<Listing>,
) -> Result<Json<Page<Message>>, Problem> {
    own_messages(&app, &user, &listing)
}

/// `GET /api/messages/search?q=`: limited, see the gate.
pub(super) async fn get_search(
    State(app): State<Shared>,
    User(user): User,
    Params(listing): Params<Listing>,
) -> Result<Json<Page<Message>>, Problem> {
    if listing.q.as_deref().unwrap_or("").is_empty() {
        return Err(Problem::unprocessable("q is needed"));
    }
    own_messages(&app, &user, &listing)
}

fn own_messages(
    app: &Shared,
    user: &str,
    listing: &Listing,
) -> Result<Json<Page<Message>>, Problem> {
    let store = lock(&app.store);
    let wanted = listing.q.as_deref().unwrap_or("");
    let own = store
        .messages()
        .filter(|message| sees(app, user, &message.user_id) && message.content.contains(wanted));
    listing.cut(own.cloned())
}

#[derive(Deserialize)]
pub(super) struct NewMessage {
    content: String,
    thread_id: Option<String>,
}

/// `POST /api/messages` and `/api/chat/messages`.
pub(super) async fn post_message(
    State(app): State<Shared>,
    User(user): User,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    let message = write(&app, &user, new.thread_id.as_deref(), &new.content)?;
    Ok((StatusCode::CREATED, Json(message)))
}

/// Stores a message of `user`, in the inbox when no thread is named.
pub(super) fn write(
    app: &Shared,
    user: &str,
    thread: Option<&str>,
    content: &str,
) -> Result<Message, Problem> {
    if content.is_empty() || content.len() > MAX_CONTENT {
        return Err(Problem::unprocessable("content must have 1 to 8192 bytes"));
    }
    let mut store = lock(&app.store);
    let thread = match thread {
        Some(id) => {
            let found = store.thread(id).filter(|thread| thread.user_id == user);
            found.ok_or_else(|| Problem::not_found("no such thread"))?.id.clone()
        }
        None => store.inbox(user),
    };
    Ok(store.add_message(user, &thread, content))
}

/// `GET /api/messages/{id}`.
pub(super) async fn get_message(
    State(app): State<Shared>,
    User(user): User,
    Path(id): Path<String>,
) -> Result<Json<Message>, Problem> {
    let store = lock(&app.store);
    let found = store.message(&id).filter(|message| sees(&app, &user, &message.user_id));
    found.cloned().map(Json).ok_or_else(|| Problem::not_found("no such message"))
}

#[derive(Deserialize)]
pub(super) struct NewThread {
    title: String,
}

/// `POST /api/threads`.
pub(super) async fn post_thread(
    State(app): State<Shared>,
    User(user): User,
    Body(new): Body<NewThread>,
) -> Result<(StatusCode, Json<Thread>), Problem> {
    if new.title.is_empty() || new.title.len() > MAX_TITLE {
        return Err(Problem::unprocessable("title must have 1 to 200 bytes"));
    }
    let thread = lock(&app.store).add_thread(&user, &new.title);
    Ok((StatusCode::CREATED, Json(thread)))
}

/// `GET /api/threads`: newest first.
pub(super) async fn get_threads(
    State(app): State<Shared>,
    User(user): User,
    Params(listing): Params<Listing>,
) -> Result<Json<Page<Thread>>, Problem> {
    let store = lock(&app.store);
    let own = store.threads().filter(|thread| sees(&app, &user, &thread.user_id));
    listing.cut(own.cloned())
}

/// `GET /api/threads/{id}`.
pub(super) async fn get_thread(
    State(app): State<Shared>,
    User(user): User,
    Path(id): Path<String>,
) -> Result<Json<Thread>, Problem> {
    find_thread(&app, &user, &id).map(Json)
}

fn find_thread(app: &Shared, user: &str, id: &str) -> Result<Thread, Problem> {
    let store = lock(&app.store);
    let found = store.thread(id).filter(|thread| sees(app, user, &thread.user_id));
    found.cloned().ok_or_else(|| Problem::not_found("no such thread"))
}

/// `GET /api/threads/{id}/messages`: as the conversation went.
pub(super) async fn get_thread_messages(
    State(app): State<Shared>,
    User(user): User,
    Path(id): Path<String>,
    Params(listing): Params<Listing>,
) -> Result<Json<Page<Message>>, Problem> {
    find_thread(&app, &user, &id)?;
    listing.cut(lock(&app.store).conversation(&id).into_iter())
}

/// `POST /api/threads/{id}/messages`.
pub(super) async fn post_thread_message(
    State(app): State<Shared>,
    User(user): User,
    Path(id): Path<String>,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Json<Message>), Problem> {
    let message = write(&app, &user, Some(&id), &new.content)?;
    Ok((StatusCode::CREATED, Json(message)))
}

/// `GET /api/threads/history`: of one thread, or of all, newest first.
pub(super) async fn get_history(
    State(app): State<Shared>,
    User(user): User,
    Params(listing): Params<Listing>,
) -> Result<Json<Page<Message>>, Problem> {
    match &listing.thread_id {
        Some(id) => {
            find_thread(&app, &user, id)?;
            listing.cut(lock(&app.store).conversation(id).into_iter())
        }
        None => own_messages(&app, &user, &listing),
    }
}
