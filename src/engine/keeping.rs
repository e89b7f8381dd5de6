//! What people wrote in the documents of investigations is kept in the store whenever Andon reads it,
//! so that a file which is emptied or deleted later can be made of it again.

use jiff::Timestamp;

use super::editing::{MAX_EDITED, kept};
use crate::domain::errors::chain;
use crate::investigation;
use crate::store::{DocumentKey, KeptText, Store, StoreError};

/// Keeps the texts in which people wrote something else than in the newest that was kept of them: a text
/// in which only Andon wrote would push out one that an open edit began with. Nobody who reads documents
/// fails because they could not be kept.
pub async fn keep_written(store: &dyn Store, read: Vec<(DocumentKey, String)>, at: Timestamp) {
    if let Err(fault) = keep(store, read, at).await {
        tracing::warn!(fault = %chain(&fault), "what people wrote in investigations is not kept");
    }
}

async fn keep(
    store: &dyn Store,
    read: Vec<(DocumentKey, String)>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut known = Vec::new();
    for (of, text) in read.into_iter().filter(|(_, text)| !text.trim().is_empty()) {
        let newest = store.newest_text(&of).await?;
        known.push((of, text, newest));
    }
    let changed = tokio::task::spawn_blocking(move || {
        let changed = known.into_iter().filter_map(|(of, text, newest)| {
            let text =
                kept(if text.len() > MAX_EDITED { investigation::abridged(&text) } else { text });
            is_another(newest.as_ref(), &text).then_some((of, text))
        });
        changed.collect::<Vec<_>>()
    });
    match changed.await {
        Ok(changed) if changed.is_empty() => Ok(()),
        Ok(changed) => store.keep_texts(changed, at).await,
        Err(fault) => {
            tracing::warn!(%fault, "what people wrote in investigations is not compared");
            Ok(())
        }
    }
}

/// Whether people wrote something else in it. The first text is kept as it is: who wrote nothing, or
/// took everything back, must not find older words again.
fn is_another(newest: Option<&KeptText>, text: &KeptText) -> bool {
    newest.is_none_or(|newest| {
        newest.digest != text.digest
            && investigation::written_in(&newest.text) != investigation::written_in(&text.text)
    })
}
