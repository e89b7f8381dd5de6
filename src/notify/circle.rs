//! News of cycles that went round: once for each circle. Pure.

use serde_json::json;

use super::message::Notice;
use super::news::Messages;
use crate::domain::revision::Sha;
use crate::domain::spec::{NewsKind, Pipeline};
use crate::store::NewMessage;

/// Commits of nothing but reports start no cycle of the pipeline from `sha` on, as `told` says. Somebody should find
/// out who makes them, so whoever wants to hear when a person is needed is told.
pub fn went_round(pipeline: &Pipeline, sha: &Sha, told: &str) -> Vec<NewMessage> {
    let notice = Notice::went_round(pipeline.name.as_str(), told);
    let mut out = Messages::of(pipeline);
    let key = format!("{}/{}/{sha}", pipeline.name, notice.event);
    out.tell(&[NewsKind::Held], &key, &notice, || {
        json!({
            "pipeline": pipeline.name, "environment": pipeline.environment,
            "event": notice.event, "revision": sha, "detail": told,
        })
    });
    out.messages
}
