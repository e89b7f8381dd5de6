//! Whether the daemon lives and can work.

use axum::response::IntoResponse as _;
use http::StatusCode;

use super::call::{Answer, Call};
use super::problem::Problem;

/// `GET /healthz`: the process answers; it looks at nothing else, so that a full disk is no reason
/// to restart it. It says so all the same.
pub(super) async fn healthz(call: Call) -> Answer {
    let text = match call.site.handle().no_room() {
        Some(no_room) => format!("ok, but no cycle begins: {}\n", no_room.why),
        None => "ok\n".to_owned(),
    };
    Ok(text.into_response())
}

/// `GET /readyz`: the store answers, and new work is taken. A broken file keeps no other pipeline from
/// its work; it is named all the same.
pub(super) async fn readyz(call: Call) -> Answer {
    let handle = call.site.handle();
    if handle.draining().is_cancelled() {
        return Err(Problem::unavailable("the daemon is about to end"));
    }
    if let Some(no_room) = handle.no_room() {
        let since = no_room.since;
        return Err(Problem::unavailable(format!("{} (since {since})", no_room.why))
            .help("free some space; it goes on by itself"));
    }
    call.site.store().outbox_counts().await?;
    let pipelines = match handle.pipelines().len() {
        1 => "1 pipeline".to_owned(),
        count => format!("{count} pipelines"),
    };
    let mut text = format!("ready: {pipelines}\n");
    for unserved in handle.unserved().iter() {
        text.push_str(&format!("{unserved}\n"));
    }
    Ok((StatusCode::OK, text).into_response())
}
