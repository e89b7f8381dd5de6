//! Reports on their way to a branch, by the same outbox as news: stored with the end of their cycle,
//! tried again, in order. Who knows how to push them is told by whoever makes a deliverer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::fate::Refusal;
use crate::domain::spec::Pipeline;

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
            Unpublished::Later(why) => Self::Later(why),
            Unpublished::Never(why) => Self::Never(why),
        }
    }
}
