//! Silence that is news: no cycle of a pipeline was over for as long as its `alarm` says. Told once,
//! and once more when a cycle is over again. [`silence`] decides; [`watch_silence`] asks the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::deliver::{Wake, WallTime};
use super::message::Notice;
use super::news::Messages;
use crate::domain::errors::chain;
use crate::domain::names::PipelineName;
use crate::domain::spec::{NewsKind, Pipeline};
use crate::store::{NewMessage, Store, StoreError};

/// Cycles that wait or run stand before those that are over; there are never so many of them.
const ROWS: u32 = 50;

/// How often all pipelines are looked at: an alarm is measured in hours.
const ROUND: Duration = Duration::from_secs(60);

/// Lists the pipelines that are served now.
pub type List = Arc<dyn Fn() -> Vec<Arc<Pipeline>> + Send + Sync>;

/// What listens for silence, for as long as a daemon runs.
pub struct Listener {
    /// Where cycles are, and where news go.
    pub store: Arc<dyn Store>,
    /// Tells the time.
    pub now: WallTime,
    /// Which pipelines.
    pub pipelines: List,
    /// Who delivers what is stored.
    pub wake: Wake,
}

impl Listener {
    /// Listens until `shutdown` fires.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let mut watched_since = BTreeMap::new();
        loop {
            self.look(&mut watched_since).await;
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    /// Looks once at every pipeline.
    async fn look(&self, watched_since: &mut BTreeMap<PipelineName, Timestamp>) {
        let now = (self.now)();
        let pipelines = (self.pipelines)();
        watched_since.retain(|name, _| pipelines.iter().any(|pipeline| pipeline.name == *name));
        for pipeline in pipelines {
            let since = *watched_since.entry(pipeline.name.clone()).or_insert(now);
            if let Err(fault) = watch_silence(self.store.as_ref(), &pipeline, since, now).await {
                tracing::error!("{}: cannot listen for silence: {}", pipeline.name, chain(&fault));
            }
        }
        self.wake.wake();
    }
}

/// A time without a finished cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// Since when: the end of the last cycle, or when the pipeline was first watched.
    pub since: Timestamp,
    /// The last cycle that was over; `None` when none ever was.
    pub after_cycle: Option<u32>,
}

/// What there is to say about silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The time is not up: nothing to do before that instant.
    NotYet(Timestamp),
    /// It has lasted too long.
    TooLong(Quiet),
}

/// Whether silence has lasted too long.
pub fn silence(quiet: Quiet, limit: SignedDuration, now: Timestamp) -> Silence {
    let due_at = quiet.since.saturating_add(limit).unwrap_or(Timestamp::MAX);
    if now < due_at { Silence::NotYet(due_at) } else { Silence::TooLong(quiet) }
}

/// Stores the news of silence, and of its end; harmless to ask at any time. Gives back when to ask
/// again at the latest; `None` for a pipeline without an alarm. `watched_since` is when the pipeline
/// was first served by this process.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn watch_silence(
    store: &dyn Store,
    pipeline: &Pipeline,
    watched_since: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(alarm) = pipeline.alarm else { return Ok(None) };
    let limit = SignedDuration::try_from(alarm.silent_for).unwrap_or(SignedDuration::MAX);
    let rows = store.list_cycles(&pipeline.name, ROWS).await?;
    let over = rows.iter().filter_map(|row| Some((row.summary.cycle, row.finished_at?)));
    let mut over = over.map(|(cycle, at)| (cycle, Quiet { since: at, after_cycle: Some(cycle) }));
    let nothing = Quiet { since: watched_since, after_cycle: None };
    let newest = over.next();
    let mut messages = Vec::new();
    if let Some((cycle, newest)) = newest {
        let before = over.next().map_or(nothing, |(_, quiet)| quiet);
        messages.extend(heard_again(store, pipeline, &before, cycle, newest.since).await?);
    }
    let quiet = newest.map_or(nothing, |(_, quiet)| quiet);
    let again_at = match silence(quiet, limit, now) {
        Silence::NotYet(at) => at,
        Silence::TooLong(quiet) => {
            for message in silent(pipeline, &quiet, limit) {
                // Asked first: to find a key known takes no write.
                if !store.knows_message(&message.key).await? {
                    messages.push(message);
                }
            }
            now.saturating_add(limit).unwrap_or(Timestamp::MAX)
        }
    };
    store.put_messages(messages, now).await?;
    Ok(Some(again_at))
}

/// The messages about a silence.
fn silent(pipeline: &Pipeline, quiet: &Quiet, limit: SignedDuration) -> Vec<NewMessage> {
    let notice = Notice::silent(pipeline.name.as_str(), quiet, limit);
    let mut out = Messages::of(pipeline);
    out.tell(&[NewsKind::Silent], &silent_key(pipeline, quiet), &notice, || {
        about(pipeline, &notice, quiet, None)
    });
    out.messages
}

/// The messages about the end of a silence, for those channels that were told of it.
async fn heard_again(
    store: &dyn Store,
    pipeline: &Pipeline,
    quiet: &Quiet,
    cycle: u32,
    at: Timestamp,
) -> Result<Vec<NewMessage>, StoreError> {
    let notice = Notice::heard_again(pipeline.name.as_str(), cycle, at.duration_since(quiet.since));
    let mut out = Messages::of(pipeline);
    let key = format!("{}/{cycle}/heard_again", pipeline.name);
    out.tell(&[NewsKind::Silent], &key, &notice, || about(pipeline, &notice, quiet, Some(cycle)));
    let mut told = Vec::new();
    for message in out.messages {
        let silent = format!("{}/{}", silent_key(pipeline, quiet), message.target);
        if store.knows_message(&silent).await? && !store.knows_message(&message.key).await? {
            told.push(message);
        }
    }
    Ok(told)
}

fn silent_key(pipeline: &Pipeline, quiet: &Quiet) -> String {
    format!("{}/{}/silent", pipeline.name, quiet.after_cycle.unwrap_or(0))
}

fn about(pipeline: &Pipeline, notice: &Notice, quiet: &Quiet, cycle: Option<u32>) -> Value {
    json!({
        "pipeline": pipeline.name, "environment": pipeline.environment, "event": notice.event,
        "silent_since": quiet.since, "last_cycle": quiet.after_cycle, "cycle": cycle,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cycle::testing;
    use crate::domain::event::Event;
    use crate::domain::spec::{Alarm, Notify, NotifyChannel, SlackNotify};
    use crate::domain::template::Template;
    use crate::store::sqlite::{Mode, SqliteStore};
    use crate::store::{Append, Delivery, OutboxStore as _, Projection};

    const LIMIT: i64 = 26 * 3_600;

    #[test]
    fn silence_is_too_long_at_the_very_instant() {
        let since = testing::at(0);
        let quiet = Quiet { since, after_cycle: Some(6) };
        let limit = SignedDuration::from_secs(LIMIT);
        let due = since + limit;
        let before = due - SignedDuration::from_secs(1);
        assert_eq!(silence(quiet, limit, before), Silence::NotYet(due));
        assert_eq!(silence(quiet, limit, due), Silence::TooLong(quiet));
        assert_eq!(silence(quiet, SignedDuration::MAX, due), Silence::NotYet(Timestamp::MAX));
    }

    fn pipeline() -> Pipeline {
        let slack = SlackNotify { url: Template::literal("https://example.com/hook") };
        let notify = vec![Notify { channel: NotifyChannel::Slack(slack), on: vec![] }];
        let alarm = Some(Alarm { silent_for: Duration::from_secs(LIMIT.unsigned_abs()) });
        Pipeline { notify, alarm, ..testing::pipeline() }
    }

    /// A cycle that is over at that second.
    async fn finish_cycle(store: &dyn Store, second: i64) {
        let mut story = testing::story();
        let Event::Queued(queued) = story.remove(0) else { panic!("it begins with that") };
        let (cycle, _) = store.create_cycle(*queued, testing::at(second)).await.unwrap();
        let (at, projection) = (testing::at(second), Projection::default());
        let append = Append { cycle, expected_seq: 1, lease: None, events: story, at, projection };
        store.append(append).await.unwrap();
    }

    /// Looks at that second; gives back the keys of what there is to tell, and when to look again.
    async fn look(store: &dyn Store, second: i64) -> (Vec<String>, i64) {
        let (watched_since, now) = (testing::at(0), testing::at(second));
        let again = watch_silence(store, &pipeline(), watched_since, now).await.unwrap().unwrap();
        let mut keys = Vec::new();
        while let Some(message) = store.next_messages().await.unwrap().pop() {
            store.finish_delivery(message.id, Delivery::Accepted, now).await.unwrap();
            keys.push(message.key.rsplit_once('/').unwrap().0.to_owned());
        }
        (keys, again.duration_since(testing::at(0)).as_secs())
    }

    #[tokio::test]
    async fn silence_is_told_once_and_once_more_when_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("andon.db");
        let store = SqliteStore::open(&path, Mode::ReadWrite).await.unwrap();
        assert_eq!(look(&store, LIMIT - 1).await, (vec![], LIMIT));
        assert_eq!(look(&store, LIMIT).await.0, ["chat/0/silent"]);
        assert_eq!(look(&store, LIMIT + 60).await.0, [""; 0], "it was told");
        finish_cycle(&store, LIMIT + 100).await;
        assert_eq!(
            look(&store, LIMIT + 101).await,
            (vec!["chat/1/heard_again".to_owned()], 2 * LIMIT + 100)
        );
        finish_cycle(&store, LIMIT + 200).await;
        assert_eq!(look(&store, LIMIT + 201).await.0, [""; 0], "nobody was told of a silence");
        assert_eq!(look(&store, 2 * LIMIT + 200).await.0, ["chat/2/silent"]);
        finish_cycle(&store, 9 * LIMIT).await;
        assert_eq!(look(&store, 9 * LIMIT).await.0, ["chat/3/heard_again"]);
        assert_eq!(look(&store, 9 * LIMIT + 1).await.0, [""; 0]);
    }

    #[tokio::test]
    async fn a_listener_counts_from_when_it_first_saw_a_pipeline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("andon.db");
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&path, Mode::ReadWrite).await.unwrap());
        let waiting = |store: Arc<dyn Store>| async move { store.outbox_counts().await.unwrap().0 };
        let mut since = BTreeMap::new();
        for (second, served, expected) in
            [(0, true, 0), (10, false, 0), (20, true, 0), (LIMIT, true, 0), (LIMIT + 20, true, 1)]
        {
            let listener = Listener {
                store: Arc::clone(&store),
                now: Arc::new(move || testing::at(second)),
                pipelines: Arc::new(move || {
                    served.then(|| Arc::new(pipeline())).into_iter().collect()
                }),
                wake: Wake::default(),
            };
            listener.look(&mut since).await;
            assert_eq!(waiting(Arc::clone(&store)).await, expected, "at {second}");
        }
    }

    #[tokio::test]
    async fn a_pipeline_without_an_alarm_is_not_watched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("andon.db");
        let store = SqliteStore::open(&path, Mode::ReadWrite).await.unwrap();
        let pipeline = Pipeline { alarm: None, ..pipeline() };
        let (since, now) = (testing::at(0), testing::at(99 * LIMIT));
        assert_eq!(watch_silence(&store, &pipeline, since, now).await.unwrap(), None);
        assert_eq!(store.outbox_counts().await.unwrap(), (0, 0));
    }
}
