//! Triggers that wait, cursors of branches and schedules, commits ever seen, looks wanted.
//!
//! What a movement or a due time means is decided elsewhere; here it becomes true as a whole.

mod commits;
mod cursors;
mod movement;
mod told;
mod waiting;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use super::SqliteStore;
use super::writer::Durability;
use crate::domain::commit::SeenBefore;
use crate::domain::event::{Queued, Recorded};
use crate::domain::names::PipelineName;
use crate::store::{
    CommitRow, Cursor, CycleKey, Movement, NewMessage, NewTrigger, PutTrigger, Result, ToldWaiting,
    TriggerId, TriggerStore, WaitingMark, WaitingTrigger,
};

#[async_trait]
impl TriggerStore for SqliteStore {
    async fn put_trigger(&self, trigger: NewTrigger, at: Timestamp) -> Result<PutTrigger> {
        self.write(Durability::Full, move |db| {
            Box::pin(async move { waiting::put(db, &trigger, at).await })
        })
        .await
    }

    async fn put_movement(&self, movement: Movement) -> Result<bool> {
        self.write(Durability::Full, move |db| {
            Box::pin(async move { movement::put(db, &movement).await })
        })
        .await
    }

    async fn put_scheduled(
        &self,
        pipeline: &PipelineName,
        schedule: &str,
        due: Timestamp,
        trigger: Option<NewTrigger>,
    ) -> Result<Option<TriggerId>> {
        let (pipeline, schedule) = (pipeline.clone(), schedule.to_owned());
        self.write(Durability::Full, move |db| {
            Box::pin(async move {
                cursors::put_scheduled(db, &pipeline, &schedule, due, trigger.as_ref()).await
            })
        })
        .await
    }

    async fn schedule_cursor(
        &self,
        pipeline: &PipelineName,
        schedule: &str,
    ) -> Result<Option<Timestamp>> {
        let (pipeline, schedule) = (pipeline.clone(), schedule.to_owned());
        self.read(move |db| {
            Box::pin(async move { cursors::of_schedule(db, &pipeline, &schedule).await })
        })
        .await
    }

    async fn waiting_triggers(&self) -> Result<Vec<WaitingTrigger>> {
        self.read(|db| Box::pin(waiting::list(db))).await
    }

    async fn start_cycle(
        &self,
        trigger: TriggerId,
        joined: &[TriggerId],
        queued: Queued,
        at: Timestamp,
    ) -> Result<Option<(CycleKey, Recorded)>> {
        let joined = joined.to_vec();
        self.write(Durability::Full, move |db| {
            Box::pin(async move { waiting::start(db, trigger, &joined, queued, at).await })
        })
        .await
    }

    async fn drop_trigger(&self, trigger: TriggerId, why: &str, at: Timestamp) -> Result<bool> {
        let why = why.to_owned();
        self.write(Durability::Full, move |db| {
            Box::pin(async move { waiting::drop(db, trigger, &why, at).await })
        })
        .await
    }

    async fn told_waiting(&self) -> Result<Vec<ToldWaiting>> {
        self.read(|db| Box::pin(told::list(db))).await
    }

    async fn mark_waiting(
        &self,
        marks: Vec<WaitingMark>,
        messages: Vec<NewMessage>,
        at: Timestamp,
    ) -> Result<()> {
        self.write(Durability::Full, move |db| {
            Box::pin(async move { told::mark(db, &marks, &messages, at).await })
        })
        .await
    }

    async fn cursors(&self, pipeline: &PipelineName) -> Result<Vec<Cursor>> {
        let pipeline = pipeline.clone();
        self.read(move |db| Box::pin(async move { cursors::of_branches(db, &pipeline).await }))
            .await
    }

    async fn list_commits(&self, pipeline: &PipelineName, limit: u32) -> Result<Vec<CommitRow>> {
        let pipeline = pipeline.clone();
        self.read(move |db| Box::pin(async move { commits::list(db, &pipeline, limit).await }))
            .await
    }

    async fn commits_named(
        &self,
        pipeline: &PipelineName,
        short: Vec<String>,
    ) -> Result<Vec<CommitRow>> {
        let pipeline = pipeline.clone();
        self.read(move |db| Box::pin(async move { commits::named(db, &pipeline, &short).await }))
            .await
    }

    async fn seen_before(&self, pipeline: &PipelineName, limit: u32) -> Result<Vec<SeenBefore>> {
        let pipeline = pipeline.clone();
        self.read(move |db| {
            Box::pin(async move { commits::seen_before(db, &pipeline, limit).await })
        })
        .await
    }

    async fn request_look(&self, pipeline: &PipelineName, why: &str, at: Timestamp) -> Result<()> {
        let (pipeline, why) = (pipeline.clone(), why.to_owned());
        self.write(Durability::Full, move |db| {
            Box::pin(async move { cursors::request_look(db, &pipeline, &why, at).await })
        })
        .await
    }

    async fn wanted_looks(&self) -> Result<Vec<(PipelineName, i64)>> {
        self.read(|db| Box::pin(cursors::wanted_looks(db))).await
    }

    async fn finish_look(&self, pipeline: &PipelineName, number: i64) -> Result<()> {
        let pipeline = pipeline.clone();
        // Forgotten in a power cut, it is done again, which harms nobody.
        self.write(Durability::Batched, move |db| {
            Box::pin(async move { cursors::finish_look(db, &pipeline, number).await })
        })
        .await
    }
}

/// The row of a pipeline, made when there is none.
pub(super) async fn pipeline_id(db: &mut SqliteConnection, pipeline: &PipelineName) -> Result<i64> {
    if let Some(known) = super::investigations::pipeline_id(&mut *db, pipeline).await? {
        return Ok(known);
    }
    let id = sqlx::query_scalar("INSERT INTO pipeline (name) VALUES (?) RETURNING id")
        .bind(pipeline.as_str())
        .fetch_one(db)
        .await?;
    Ok(id)
}
