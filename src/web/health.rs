//! Whether the daemon lives and can work, and where things are.

use axum::response::IntoResponse as _;
use http::StatusCode;

use super::call::{Answer, Call};
use super::problem::Problem;

/// `GET /`
pub(super) async fn home(_: Call) -> Answer {
    let text = concat!(
        "Andon ",
        env!("CARGO_PKG_VERSION"),
        "\n\n/api/v1/status         what every pipeline does now\n/api/v1/openapi.json   what else there is\n",
    );
    Ok(text.into_response())
}

/// `GET /healthz`: the process answers; it looks at nothing else, so that a full disk is no reason
/// to restart it.
pub(super) async fn healthz(_: Call) -> Answer {
    Ok("ok\n".into_response())
}

/// `GET /readyz`: the store answers, and new work is taken.
pub(super) async fn readyz(call: Call) -> Answer {
    let handle = call.site.handle();
    if handle.draining().is_cancelled() {
        return Err(Problem::unavailable("the daemon is about to end"));
    }
    call.site.store().outbox_counts().await?;
    let text = format!("ready: {} pipelines\n", handle.pipelines().len());
    Ok((StatusCode::OK, text).into_response())
}
