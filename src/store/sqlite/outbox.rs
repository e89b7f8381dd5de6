//! News that wait for delivery, as rows with a state.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::SqliteStore;
use super::cycles::{corrupt, instant};
use super::row::row_struct;
use super::triggers::pipeline_id;
use super::writer::Durability;
use crate::domain::names::PipelineName;
use crate::store::{Attempted, Delivery, Message, NewMessage, OutboxStore, Result};

#[async_trait]
impl OutboxStore for SqliteStore {
    async fn put_messages(&self, messages: Vec<NewMessage>, at: Timestamp) -> Result<u32> {
        if messages.is_empty() {
            return Ok(0);
        }
        self.write(Durability::Full, move |db| {
            Box::pin(async move { put_all(db, &messages, at).await })
        })
        .await
    }

    async fn next_messages_besides(&self, dealt_with: &[i64]) -> Result<Vec<Message>> {
        let dealt_with = serde_json::to_string(dealt_with).expect("numbers are plain data");
        self.read(|db| Box::pin(next(db, dealt_with))).await
    }

    async fn note_attempts(&self, attempted: Vec<Attempted>) -> Result<()> {
        self.write(Durability::Full, move |db| {
            Box::pin(async move {
                for one in &attempted {
                    note(db, one).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn knows_message(&self, key: &str) -> Result<bool> {
        let key = key.to_owned();
        self.read(|db| Box::pin(knows(db, key))).await
    }

    async fn messages_under(&self, beginning: &str) -> Result<Vec<NewMessage>> {
        let beginning = beginning.to_owned();
        self.read(|db| Box::pin(under(db, beginning))).await
    }

    async fn last_delivered(&self, pipeline: &PipelineName, target: &str) -> Result<Option<i64>> {
        let (pipeline, target) = (pipeline.clone(), target.to_owned());
        self.read(move |db| {
            Box::pin(async move {
                let last = sqlx::query_scalar(
                    "SELECT max(o.id) FROM outbox o JOIN pipeline p ON p.id = o.pipeline_id
                     WHERE p.name = ? AND o.target = ? AND o.state = 'delivered'",
                );
                Ok(last.bind(pipeline.as_str()).bind(target).fetch_one(db).await?)
            })
        })
        .await
    }

    async fn outbox_counts(&self) -> Result<(u32, u32)> {
        self.read(|db| Box::pin(counts(db))).await
    }
}

/// Stores messages within a transaction of the caller's; those whose key is known are left out.
pub(super) async fn put_all(
    db: &mut SqliteConnection,
    messages: &[NewMessage],
    at: Timestamp,
) -> Result<u32> {
    let mut new = 0;
    for message in messages {
        let pipeline_id = pipeline_id(&mut *db, &message.pipeline).await?;
        let Some(id) = put(&mut *db, pipeline_id, message, at).await? else { continue };
        new += 1;
        if let Some(topic) = &message.topic {
            supersede(&mut *db, pipeline_id, &message.target, topic, id, at).await?;
        }
    }
    Ok(new)
}

/// Stores a message, unless its key is known.
async fn put(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    message: &NewMessage,
    at: Timestamp,
) -> Result<Option<i64>> {
    let id = sqlx::query_scalar(
        "INSERT INTO outbox (key, pipeline_id, target, topic, body, created_at_us, not_before_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
         ON CONFLICT (key) DO NOTHING
         RETURNING id",
    )
    .bind(message.key.as_str())
    .bind(pipeline_id)
    .bind(message.target.as_str())
    .bind(message.topic.as_deref())
    .bind(message.body.as_str())
    .bind(at.as_microsecond())
    .fetch_optional(db)
    .await?;
    Ok(id)
}

/// Message `by` takes the place of those before it. One that was tried may have arrived, so it
/// stays, and `by` follows it.
async fn supersede(
    db: &mut SqliteConnection,
    pipeline_id: i64,
    target: &str,
    topic: &str,
    by: i64,
    at: Timestamp,
) -> Result<()> {
    sqlx::query(
        "UPDATE outbox SET state = 'superseded', ended_at_us = ?
         WHERE pipeline_id = ? AND target = ? AND topic = ? AND id < ?
             AND state = 'waiting' AND attempts = 0",
    )
    .bind(at.as_microsecond())
    .bind(pipeline_id)
    .bind(target)
    .bind(topic)
    .bind(by)
    .execute(db)
    .await?;
    Ok(())
}

row_struct! {
    struct StoredMessage {
        id: i64,
        key: String,
        pipeline: String,
        target: String,
        body: String,
        attempts: u32,
        created_at_us: i64,
        not_before_us: i64,
        last_error: Option<String>,
    }
}

impl StoredMessage {
    fn into_message(self) -> Result<Message> {
        Ok(Message {
            id: self.id,
            key: self.key,
            pipeline: PipelineName::parse(&self.pipeline).map_err(corrupt)?,
            target: self.target,
            body: self.body,
            attempts: self.attempts,
            created_at: instant(self.created_at_us)?,
            not_before: instant(self.not_before_us)?,
            last_error: self.last_error,
        })
    }
}

/// The first that waits of each target of each pipeline; `besides` is a list of ids as JSON.
async fn next(db: &mut SqliteConnection, besides: String) -> Result<Vec<Message>> {
    let rows: Vec<StoredMessage> = sqlx::query_as(
        "SELECT o.id, o.key, p.name AS pipeline, o.target, o.body, o.attempts, o.created_at_us,
                o.not_before_us, o.last_error
         FROM (SELECT MIN(id) AS id FROM outbox
               WHERE state = 'waiting' AND id NOT IN (SELECT value FROM json_each(?))
               GROUP BY pipeline_id, target) first
         JOIN outbox o ON o.id = first.id
         JOIN pipeline p ON p.id = o.pipeline_id
         ORDER BY o.id",
    )
    .bind(besides)
    .fetch_all(db)
    .await?;
    rows.into_iter().map(StoredMessage::into_message).collect()
}

/// Notes attempts. A message that was superseded while it was on its way is not tried again; that
/// it arrived is true all the same.
async fn note(db: &mut SqliteConnection, attempted: &Attempted) -> Result<()> {
    let (state, not_before, error) = match &attempted.delivery {
        Delivery::Accepted => ("delivered", None, None),
        Delivery::Again { not_before, error } => ("waiting", Some(*not_before), Some(error)),
        Delivery::GivenUp { error } => ("given_up", None, Some(error)),
    };
    sqlx::query(
        "UPDATE outbox SET attempts = attempts + ?6, last_error = COALESCE(?2, last_error),
             state = CASE WHEN state = 'waiting' OR ?1 = 'delivered' THEN ?1 ELSE state END,
             not_before_us = COALESCE(?3, not_before_us),
             ended_at_us = CASE WHEN state = 'waiting' AND ?1 = 'waiting' THEN NULL ELSE ?4 END
         WHERE id = ?5 AND state IN ('waiting', 'superseded')",
    )
    .bind(state)
    .bind(error)
    .bind(not_before.map(Timestamp::as_microsecond))
    .bind(attempted.at.as_microsecond())
    .bind(attempted.id)
    .bind(attempted.attempts)
    .execute(db)
    .await?;
    Ok(())
}

async fn knows(db: &mut SqliteConnection, key: String) -> Result<bool> {
    let known = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM outbox WHERE key = ?)").bind(key);
    Ok(known.fetch_one(db).await?)
}

row_struct! {
    struct StoredNew {
        key: String,
        pipeline: String,
        target: String,
        body: String,
        topic: Option<String>,
    }
}

async fn under(db: &mut SqliteConnection, beginning: String) -> Result<Vec<NewMessage>> {
    // No character comes behind the last one, so the range is what its index knows.
    let end = format!("{beginning}\u{10FFFF}");
    let rows: Vec<StoredNew> = sqlx::query_as(
        "SELECT o.key, p.name AS pipeline, o.target, o.body, o.topic
         FROM outbox o JOIN pipeline p ON p.id = o.pipeline_id
         WHERE o.key >= ? AND o.key < ? ORDER BY o.id",
    )
    .bind(beginning)
    .bind(end)
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let pipeline = PipelineName::parse(&row.pipeline).map_err(corrupt)?;
            let StoredNew { key, target, body, topic, .. } = row;
            Ok(NewMessage { key, pipeline, target, body, topic })
        })
        .collect()
}

async fn counts(db: &mut SqliteConnection) -> Result<(u32, u32)> {
    let counts = sqlx::query_as(
        "SELECT (SELECT count(*) FROM outbox WHERE state = 'waiting'),
                (SELECT count(*) FROM outbox WHERE state = 'given_up')",
    )
    .fetch_one(db)
    .await?;
    Ok(counts)
}
