//! Why cycles should start: triggers that wait, what watched branches pointed to, commits ever seen.
//!
//! The store is the queue of the daemon: what is here survives it. Whoever waits for a turn is a row
//! that becomes exactly one cycle, or is dropped with a reason. Plain data and the trait; which
//! trigger is next, and what a moved branch means, is decided by `queue` and `watch`.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use super::{CycleKey, NewMessage, Result};
use crate::domain::commit::{Echo, SeenBefore};
use crate::domain::event::{Queued, Recorded, RunOptions};
use crate::domain::names::{EnvironmentName, PipelineName};
use crate::domain::outcome::{Trigger, Verdict, words};
use crate::domain::revision::Sha;

/// Identifies a trigger for good; never given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TriggerId(pub i64);

/// A reason to run a cycle, to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTrigger {
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// What its cycle deploys to.
    pub environment: EnvironmentName,
    /// Why.
    pub cause: Trigger,
    /// The revision as it was asked for: a branch, a tag, an id; `None` is the default branch.
    pub requested: Option<String>,
    /// How the cycle should run.
    pub options: RunOptions,
    /// A trigger with the same key is stored once, whoever asks again: `retry after cycle 7`, an
    /// `Idempotency-Key`. Keys are of one pipeline.
    pub key: Option<String>,
    /// It does not start before this.
    pub not_before: Timestamp,
}

/// A trigger that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaitingTrigger {
    /// Its identity: triggers of equal priority start in this order.
    pub id: TriggerId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// What its cycle deploys to.
    pub environment: EnvironmentName,
    /// Why.
    pub cause: Trigger,
    /// The revision as it was asked for.
    pub requested: Option<String>,
    /// The branch that moved, for commits.
    pub branch: Option<String>,
    /// Commits whose cycles it takes the place of, oldest first.
    pub taken_together: Vec<Sha>,
    /// How the cycle should run.
    pub options: RunOptions,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// It does not start before this.
    pub not_before: Timestamp,
}

/// What became of a request to store a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutTrigger {
    /// It waits now.
    New(TriggerId),
    /// One with its key was stored before: waiting, or turned into a cycle since.
    Known {
        /// That one.
        id: TriggerId,
        /// Its cycle, if it has become one. Without one it waits, or was dropped.
        cycle: Option<u32>,
        /// Whether it asks for the same: revision, deploy and cases.
        asks_the_same: bool,
    },
}

/// What a watched branch or tag pointed to when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cursor {
    /// The branch.
    pub branch: String,
    /// Its commit; `None` after it was deleted, so that its return is news.
    pub sha: Option<Sha>,
    /// When it was found there first.
    pub since: Timestamp,
}

/// A commit that was seen on a watched branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenCommit {
    /// The commit.
    pub sha: Sha,
    /// The first line of its message, cleaned and capped.
    pub subject: String,
    /// Its author's name, cleaned and capped.
    pub author: String,
    /// The rule that passes it over, as `[skip andon]` or `touches only docs/**`; `None` when it counts.
    pub skipped_by: Option<String>,
    /// Whether it may be what an earlier cycle left behind.
    pub echo: Echo,
}

/// A watched branch moved: everything that must become true together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The pipeline that watches.
    pub pipeline: PipelineName,
    /// What its cycles deploy to.
    pub environment: EnvironmentName,
    /// The branch.
    pub branch: String,
    /// What the cursor must still say, else somebody else was quicker and nothing is written.
    pub from: Option<Sha>,
    /// Where the branch is now; `None`: it is gone.
    pub to: Option<Sha>,
    /// The commits that came, oldest first; the last is `to`, unless it was there before.
    pub commits: Vec<SeenCommit>,
    /// The commit to run for, with the sentence that says why; `None` when nothing counts.
    pub run: Option<(Sha, Trigger)>,
    /// The cycle waits until then for more commits.
    pub not_before: Timestamp,
    /// When it was seen.
    pub at: Timestamp,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum CommitFate {
    /// Its cycle has not started.
    Waiting,
    /// A cycle tested it, or does.
    Tested {
        /// That cycle.
        cycle: u32,
        /// Its verdict; `None` while it is not decided.
        verdict: Option<Verdict>,
        /// Whether it waits for a person.
        held: bool,
    },
    /// A cycle of a later commit covers it.
    TakenTogether {
        /// That cycle.
        cycle: u32,
        /// Its verdict; `None` while it is not decided.
        verdict: Option<Verdict>,
        /// Whether it waits for a person.
        held: bool,
    },
    /// A rule of the pipeline passes it over.
    Skipped {
        /// Which.
        rule: String,
    },
    /// Its trigger was dropped before it became a cycle.
    Dropped {
        /// Why.
        why: String,
    },
}

/// A commit in the list of all that were ever seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommitRow {
    /// The commit.
    pub sha: Sha,
    /// The branch on which it was seen; empty where it was tested without one.
    pub branch: String,
    /// The first line of its message.
    pub subject: String,
    /// Its author's name.
    pub author: String,
    /// When it was seen, or a cycle began for it that nobody saw arrive.
    pub seen_at: Timestamp,
    /// What became of it.
    #[serde(flatten)]
    pub fate: CommitFate,
}

/// A commit of which a forge was told that it is pending, and no end since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldWaiting {
    /// The trigger with which it waited.
    pub trigger: TriggerId,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// The commit.
    pub sha: Sha,
    /// What it was told last.
    pub heard: Heard,
    /// What became of the trigger.
    pub now: WaitsNow,
}

/// What a pending commit was told last, in the order in which it can hear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heard {
    /// That it waits.
    Waits,
    /// That it waits with a newer commit, whose cycle covers it.
    WithNewer,
    /// That the cycle that covers it runs.
    Runs,
    /// That this cycle waits for a person.
    Held,
}

words!(Heard {
    Waits => "waits", WithNewer => "with_newer", Runs => "runs", Held => "held",
});

/// What became of a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitsNow {
    /// It waits, for that commit now.
    For(Sha),
    /// It is a cycle, or answered by one; the newest of those that the loop made of it.
    Cycle {
        /// The commit that the trigger is for.
        asked_for: Sha,
        /// Its number.
        number: u32,
        /// What it tests, once that is known; never known of one that runs selected cases only.
        revision: Option<Sha>,
        /// How far it is.
        standing: CycleStanding,
    },
    /// It was dropped.
    Dropped {
        /// Why.
        why: String,
    },
}

/// How far a cycle is that answers a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CycleStanding {
    /// It is not over.
    Open {
        /// Whether it waits for a person.
        held: bool,
    },
    /// It is over.
    Over {
        /// Its verdict.
        verdict: Verdict,
        /// How many cases ran to a result.
        ran: u32,
        /// How many were planned.
        planned: u32,
    },
}

/// What a forge was told of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingMark {
    /// The trigger with which it waits.
    pub trigger: TriggerId,
    /// The commit.
    pub sha: Sha,
    /// What it was told; `None` for its end, or that its own cycle tells it.
    pub heard: Option<Heard>,
}

/// Where triggers wait, and what is known of watched branches.
#[async_trait]
pub trait TriggerStore: Send + Sync {
    /// Stores a trigger, once for each key.
    async fn put_trigger(&self, trigger: NewTrigger, at: Timestamp) -> Result<PutTrigger>;

    /// Takes a movement: cursor, commits and trigger together, or nothing (`false`) when the cursor
    /// is not where the caller saw it. A waiting trigger of the branch is moved on to the new
    /// revision, and what it was for is taken together; its `created_at` stays. Without a revision to
    /// run for it stays as it is; when the branch is gone it is dropped. A commit that waits or that a
    /// cycle covers keeps its fate; one that was skipped or dropped gets the new one.
    async fn put_movement(&self, movement: Movement) -> Result<bool>;

    /// Stores the trigger of a schedule and moves the schedule's cursor to `due`, together. Nothing
    /// is stored (`None`) when the cursor is there already; without a trigger only the cursor moves.
    async fn put_scheduled(
        &self,
        pipeline: &PipelineName,
        schedule: &str,
        due: Timestamp,
        trigger: Option<NewTrigger>,
    ) -> Result<Option<TriggerId>>;

    /// The last due time that was dealt with.
    async fn schedule_cursor(
        &self,
        pipeline: &PipelineName,
        schedule: &str,
    ) -> Result<Option<Timestamp>>;

    /// Every trigger that waits, oldest first.
    async fn waiting_triggers(&self) -> Result<Vec<WaitingTrigger>>;

    /// Makes the trigger's cycle: its first event, and the fate of its commits, in one transaction. The
    /// cycle answers those that `joined` it, too, as far as they still wait and name no other revision.
    /// `None` when it waits no more: dropped, or taken by another. The trigger may have moved on since
    /// the caller saw it: its cause, revision, options and what it takes together are filled in from
    /// its row, so the event that comes back says what the cycle is for, not `queued`.
    async fn start_cycle(
        &self,
        trigger: TriggerId,
        joined: &[TriggerId],
        queued: Queued,
        at: Timestamp,
    ) -> Result<Option<(CycleKey, Recorded)>>;

    /// Drops a trigger that waits. Answers whether it did.
    async fn drop_trigger(&self, trigger: TriggerId, why: &str, at: Timestamp) -> Result<bool>;

    /// The commits of which a forge was told that they are pending, and no end since.
    async fn told_waiting(&self) -> Result<Vec<ToldWaiting>>;

    /// Stores marks in their order, together with the messages by which they become true.
    async fn mark_waiting(
        &self,
        marks: Vec<WaitingMark>,
        messages: Vec<NewMessage>,
        at: Timestamp,
    ) -> Result<()>;

    /// The cursors of a pipeline, by branch.
    async fn cursors(&self, pipeline: &PipelineName) -> Result<Vec<Cursor>>;

    /// The latest `limit` commits that were seen to arrive or that a cycle tested, newest first.
    async fn list_commits(&self, pipeline: &PipelineName, limit: u32) -> Result<Vec<CommitRow>>;

    /// The commits whose names begin in one of these ways (seven digits each), however long ago they were
    /// seen to arrive or a cycle tested them, newest first; one that was seen on several branches comes
    /// once for each.
    async fn commits_named(
        &self,
        pipeline: &PipelineName,
        short: Vec<String>,
    ) -> Result<Vec<CommitRow>>;

    /// The latest `limit` commits that were seen to arrive, newest first.
    async fn seen_before(&self, pipeline: &PipelineName, limit: u32) -> Result<Vec<SeenBefore>>;

    /// Remembers that the remote of a pipeline should be looked at now; durable when this returns.
    async fn request_look(&self, pipeline: &PipelineName, why: &str, at: Timestamp) -> Result<()>;

    /// The pipelines whose look is not done, with a number that [`TriggerStore::finish_look`] wants back.
    async fn wanted_looks(&self) -> Result<Vec<(PipelineName, i64)>>;

    /// The look that was wanted up to that number is done. One wanted since stays.
    async fn finish_look(&self, pipeline: &PipelineName, number: i64) -> Result<()>;
}
