//! News on their way: stored with the append that made them, delivered later, at least once, in
//! order for each target. Plain data and the trait; what is news is decided elsewhere.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use super::Result;
use crate::domain::names::PipelineName;

/// A message to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The same key is stored once; the receiver sees it too, to tell a repetition.
    pub key: String,
    /// The pipeline that it is about.
    pub pipeline: PipelineName,
    /// Which of the pipeline's channels, by a name that survives a reordering of the file. Messages of one target
    /// are delivered in the order in which they were stored.
    pub target: String,
    /// What to send: JSON of the sender's own, without secrets.
    pub body: String,
    /// A later message of the same topic takes the place of this one while it waits, as the status
    /// of one commit does. `None`: never.
    pub topic: Option<String>,
}

/// A message that is not delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Its place: earlier ones of a target go first.
    pub id: i64,
    /// Its key.
    pub key: String,
    /// The pipeline that it is about.
    pub pipeline: PipelineName,
    /// Its channel.
    pub target: String,
    /// What to send.
    pub body: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was stored.
    pub created_at: Timestamp,
    /// It is not tried before this.
    pub not_before: Timestamp,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// What became of an attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It was accepted.
    Accepted,
    /// It failed and is tried again at that time.
    Again {
        /// When.
        not_before: Timestamp,
        /// Why it failed, masked.
        error: String,
    },
    /// It is given up.
    GivenUp {
        /// Why, masked.
        error: String,
    },
}

/// Attempts to deliver one message, and how the last of them ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// The message.
    pub id: i64,
    /// How many attempts these are.
    pub attempts: u32,
    /// How the last of them ended.
    pub delivery: Delivery,
    /// When it did.
    pub at: Timestamp,
}

/// Where news wait for delivery.
#[async_trait]
pub trait OutboxStore: Send + Sync {
    /// Stores messages; those whose key is known are left out. Answers how many are new.
    async fn put_messages(&self, messages: Vec<NewMessage>, at: Timestamp) -> Result<u32>;

    /// The first undelivered message of each target, oldest first, due or not.
    async fn next_messages(&self) -> Result<Vec<Message>> {
        self.next_messages_besides(&[]).await
    }

    /// As [`OutboxStore::next_messages`], as if these messages were dealt with.
    async fn next_messages_besides(&self, dealt_with: &[i64]) -> Result<Vec<Message>>;

    /// Notes what became of an attempt.
    async fn finish_delivery(&self, id: i64, delivery: Delivery, at: Timestamp) -> Result<()> {
        self.note_attempts(vec![Attempted { id, attempts: 1, delivery, at }]).await
    }

    /// Notes what became of attempts, of all or of none.
    async fn note_attempts(&self, attempted: Vec<Attempted>) -> Result<()>;

    /// Whether a message with that key was ever stored, whatever became of it.
    async fn knows_message(&self, key: &str) -> Result<bool>;

    /// The messages whose key begins so, whatever became of them, oldest first.
    async fn messages_under(&self, beginning: &str) -> Result<Vec<NewMessage>>;

    /// The number of the last message that a target of a pipeline accepted, as far as such are kept.
    async fn last_delivered(&self, pipeline: &PipelineName, target: &str) -> Result<Option<i64>>;

    /// How many messages wait, and how many were ever given up.
    async fn outbox_counts(&self) -> Result<(u32, u32)>;
}
