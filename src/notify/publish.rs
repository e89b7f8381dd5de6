//! Reports on their way to a branch, by the same outbox as news: stored with the end of their cycle,
//! tried again, in order. Who knows how to push them is told by whoever makes a deliverer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::json;

use super::fate::Refusal;
use super::message::Notice;
use super::news::Messages;
use crate::domain::spec::{NewsKind, Pipeline};
use crate::store::NewMessage;

/// What is to be pushed.
pub struct PublishRequest {
    /// The pipeline as it is served now.
    pub pipeline: Arc<Pipeline>,
    /// The report folder.
    pub report_dir: String,
    /// The cycle whose end asked for it.
    pub cycle: u32,
}

/// Why reports could not be pushed, masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpublished {
    /// It may go well next time.
    Later(String),
    /// It will once a person allows it: a branch is protected, a login was refused.
    Refused(String),
    /// It will not.
    Never(String),
}

/// An answer that takes its time.
pub type Publishing = Pin<Box<dyn Future<Output = Result<(), Unpublished>> + Send>>;
/// Pushes reports.
pub type Publish = Arc<dyn Fn(PublishRequest) -> Publishing + Send + Sync>;

impl From<Unpublished> for Refusal {
    fn from(why: Unpublished) -> Self {
        match why {
            Unpublished::Later(why) | Unpublished::Refused(why) => Self::Later(why),
            Unpublished::Never(why) => Self::Never(why),
        }
    }
}

impl Unpublished {
    /// Whether it goes on like this until a person does something.
    pub(super) fn needs_a_person(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Never(_) => true,
            Self::Later(_) => false,
        }
    }
}

/// News of reports that stay where they were made, because of `why`: once since the push numbered `after`
/// was accepted, the last that was. Whoever wants to hear when a person is needed is told.
pub(super) fn unpublished(
    pipeline: &Pipeline,
    target: &str,
    after: i64,
    why: &str,
) -> Vec<NewMessage> {
    let notice = Notice::unpublished(pipeline.name.as_str(), why);
    let mut out = Messages::of(pipeline);
    let key = format!("{}/{}/{after}/{target}", pipeline.name, notice.event);
    out.tell(&[NewsKind::Held], &key, &notice, || {
        json!({
            "pipeline": pipeline.name, "environment": pipeline.environment,
            "event": notice.event, "detail": notice.title,
        })
    });
    out.messages
}
