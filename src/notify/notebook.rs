//! Notes in the store what became of messages, and keeps in mind what it does not take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Mutex as AsyncMutex;

use super::unnoted::Unnoted;
use crate::domain::errors::chain;
use crate::store::{Delivery, Message, Store, StoreError};

/// What became of messages, durable or not yet.
pub(super) struct Notebook {
    store: Arc<dyn Store>,
    unnoted: Mutex<Unnoted>,
    /// Whether the store took what it was told last; held while it is told.
    last: AsyncMutex<Last>,
}

#[derive(Debug, Clone, Copy)]
enum Last {
    Taken,
    Refused,
}

impl Notebook {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, unnoted: Mutex::default(), last: AsyncMutex::new(Last::Taken) }
    }

    /// Whether the store knows everything.
    pub(super) fn is_empty(&self) -> bool {
        self.unnoted().is_empty()
    }

    /// Whether nothing more should be sent before the store took something.
    pub(super) fn is_full(&self) -> bool {
        self.unnoted().is_full()
    }

    /// The first undelivered message of each target, oldest first, by all that is known.
    pub(super) async fn next_messages(&self) -> Result<Vec<Message>, StoreError> {
        // As it is before the store is asked: what is written meanwhile it may not have said.
        let unnoted = self.unnoted().clone();
        let messages = self.store.next_messages_besides(&unnoted.dealt_with()).await?;
        Ok(messages.into_iter().map(|message| unnoted.brought_up_to_date(message)).collect())
    }

    /// Notes how an attempt ended.
    pub(super) async fn note(&self, message: &Message, delivery: Delivery, at: Timestamp) {
        self.unnoted().remember(message.id, message.attempts, delivery, at);
        self.write().await;
    }

    /// Tells the store what it does not know yet. A refusal is told once, and heals with a later call.
    pub(super) async fn write(&self) {
        let mut last = self.last.lock().await;
        let to_note = self.unnoted().to_note();
        if to_note.is_empty() {
            return;
        }
        let fault = match self.store.note_attempts(to_note.clone()).await {
            Ok(()) => {
                self.unnoted().noted(&to_note);
                *last = Last::Taken;
                return;
            }
            Err(fault) => chain(&fault),
        };
        match std::mem::replace(&mut *last, Last::Refused) {
            Last::Taken => tracing::error!(
                "cannot note what became of messages; it is kept in mind and noted later: {fault}"
            ),
            Last::Refused => tracing::debug!("still cannot note what became of messages: {fault}"),
        }
    }

    fn unnoted(&self) -> MutexGuard<'_, Unnoted> {
        // Nothing is left half-changed under it, so a panic elsewhere spoils nothing.
        self.unnoted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
