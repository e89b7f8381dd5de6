//! Delivers what is stored: each target in its order and one at a time, targets side by side, so that
//! one that hangs delays no other. At least once: a message is marked after it was accepted, so a crash
//! between the two repeats it, with the same key.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::body::{Body, Stored};
use super::channel;
use super::fate::{Refusal, after_refusal};
use super::http::Http;
use super::link::Pages;
use super::notebook::Notebook;
use super::publish::{Publish, PublishRequest, Unpublished, unpublished};
use super::send::{self, Settings};
use crate::domain::errors::chain;
use crate::domain::names::PipelineName;
use crate::domain::redact::Masker;
use crate::domain::spec::Pipeline;
use crate::store::{Delivery, Message, Store, StoreError};
use crate::suite::{HostEnv, load_secrets};

/// The outbox is looked at so often, whatever we were told: another process may have put something in.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// After the store refused.
const AFTER_FAULT: Duration = Duration::from_secs(5);
/// So many messages are on their way at once.
const AT_ONCE: usize = 32;
/// Tells the wall time.
pub type WallTime = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Finds a pipeline as it is served now.
pub type Find = Arc<dyn Fn(&PipelineName) -> Option<Arc<Pipeline>> + Send + Sync>;

/// Whose messages are delivered.
#[derive(Clone)]
pub enum Served {
    /// Those of every pipeline, as a daemon does.
    All(Find),
    /// Those of one pipeline; the others are somebody else's.
    One(Arc<Pipeline>),
}

/// What a deliverer is made of.
#[derive(Clone)]
pub struct Parts {
    /// Where messages wait.
    pub store: Arc<dyn Store>,
    /// Tells the time.
    pub now: WallTime,
    /// Variables of our own environment.
    pub host: HostEnv,
    /// Whose messages.
    pub served: Served,
    /// Pushes reports.
    pub publish: Publish,
    /// Where people reach the pages, if they do.
    pub pages: Option<Pages>,
}

/// Wakes a deliverer: something was stored.
#[derive(Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Wakes it, now or when it next wants to sleep.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// What could not be delivered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The channel.
    pub target: String,
    /// Why the last attempt failed, masked; `None` when there was no time for one.
    pub error: Option<String>,
}

/// Delivers messages. Clones share everything.
#[derive(Clone)]
pub struct Deliverer {
    parts: Parts,
    http: Arc<Http>,
    wake: Wake,
    notebook: Arc<Notebook>,
}

/// A channel of a pipeline.
type Target = (PipelineName, String);

/// Messages on their way.
#[derive(Default)]
struct OnTheWay {
    tasks: JoinSet<Target>,
    busy: HashSet<Target>,
}

impl OnTheWay {
    /// Waits until one has ended, then takes all that have.
    async fn ended(&mut self) {
        let mut next = self.tasks.join_next().await;
        while let Some(ended) = next {
            match ended {
                Ok(target) => {
                    self.busy.remove(&target);
                }
                Err(fault) => {
                    tracing::error!("a delivery ended: {fault}");
                    // Nobody knows whose it was: with none left, none is busy.
                    if self.tasks.is_empty() {
                        self.busy.clear();
                    }
                }
            }
            next = self.tasks.try_join_next();
        }
    }
}

impl Deliverer {
    /// A deliverer that has not begun.
    pub fn new(parts: Parts) -> Self {
        let notebook = Arc::new(Notebook::new(Arc::clone(&parts.store)));
        Self { parts, http: Arc::default(), wake: Wake::default(), notebook }
    }

    /// What wakes it.
    pub fn waker(&self) -> Wake {
        self.wake.clone()
    }

    /// Delivers until `leave` says by when it must be over; then what is due still goes, and nothing that
    /// would have to wait.
    pub async fn run(&self, leave: impl Future<Output = Instant>) {
        tokio::pin!(leave);
        let mut way = OnTheWay::default();
        let until = loop {
            let sleep = match self.start_due(&mut way).await {
                Ok(next) => self.until(next),
                Err(fault) => {
                    tracing::error!("cannot look at what is to be told: {}", chain(&fault));
                    AFTER_FAULT
                }
            };
            tokio::select! {
                until = &mut leave => break until,
                () = self.wake.0.notified() => {}
                () = tokio::time::sleep(sleep) => {}
                () = way.ended(), if !way.tasks.is_empty() => {}
            }
        };
        if let Err(fault) = self.deliver_until(&mut way, until).await {
            tracing::warn!("what is to be told is left to the next daemon: {}", chain(&fault));
        }
        if !way.tasks.is_empty() {
            tracing::warn!("messages that are left on their way: {}", way.tasks.len());
        }
        self.notebook.write().await;
    }

    /// Delivers what is due, and what comes to be due meanwhile, until nothing is or the time is over.
    async fn deliver_until(&self, way: &mut OnTheWay, until: Instant) -> Result<(), StoreError> {
        loop {
            self.start_due(way).await?;
            if way.tasks.is_empty() || timeout_at(until, way.ended()).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Delivers what is due, for at most that long, and says what is left.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn deliver_due(&self, within: Duration) -> Result<Vec<Left>, StoreError> {
        self.deliver_until(&mut OnTheWay::default(), Instant::now() + within).await?;
        let waiting = self.notebook.next_messages().await?;
        let ours = waiting.into_iter().filter(|message| self.is_ours(message));
        Ok(ours.map(|left| Left { target: left.target, error: left.last_error }).collect())
    }

    /// Starts every delivery that is due and whose target is free. Gives back when the next is due.
    async fn start_due(&self, way: &mut OnTheWay) -> Result<Option<Timestamp>, StoreError> {
        self.notebook.write().await;
        if self.notebook.is_full() {
            return Ok(None);
        }
        let now = (self.parts.now)();
        let mut next: Option<Timestamp> = None;
        for message in self.notebook.next_messages().await? {
            let target = (message.pipeline.clone(), message.target.clone());
            if !self.is_ours(&message) || way.busy.contains(&target) {
                continue;
            }
            if message.not_before > now {
                next = Some(next.map_or(message.not_before, |next| next.min(message.not_before)));
            } else if way.tasks.len() < AT_ONCE {
                way.busy.insert(target.clone());
                let deliverer = self.clone();
                way.tasks.spawn(async move {
                    deliverer.deliver(message).await;
                    target
                });
            }
        }
        Ok(next)
    }

    fn is_ours(&self, message: &Message) -> bool {
        match &self.parts.served {
            Served::All(_) => true,
            Served::One(pipeline) => pipeline.name == message.pipeline,
        }
    }

    async fn deliver(&self, message: Message) {
        let delivery = self.attempt(&message).await;
        let (pipeline, target) = (&message.pipeline, &message.target);
        match &delivery {
            Delivery::Accepted => {
                tracing::info!(key = message.key, "{pipeline}: told by {target}");
            }
            Delivery::Again { not_before, error } => tracing::info!(
                key = message.key,
                "{pipeline}: could not tell by {target}, again at {not_before}: {error}"
            ),
            Delivery::GivenUp { error } => {
                tracing::error!(key = message.key, "{pipeline}: cannot tell by {target}: {error}");
            }
        }
        self.notebook.note(&message, delivery, (self.parts.now)()).await;
    }

    /// Tries to deliver a message once.
    async fn attempt(&self, message: &Message) -> Delivery {
        let given_up = |error: String| Delivery::GivenUp { error };
        let Stored { body, about_cycle } = match serde_json::from_str(&message.body) {
            Ok(stored) => stored,
            Err(fault) => return given_up(format!("this version cannot read it: {fault}")),
        };
        let Some(pipeline) = self.find(&message.pipeline) else {
            let missing = Refusal::Later("its pipeline is not served at the moment".to_owned());
            return self.after(message, &body, &missing, missing.to_string());
        };
        if let Body::Publish { report_dir, cycle } = &body {
            let (report_dir, cycle) = (report_dir.clone(), *cycle);
            let asked = PublishRequest { pipeline, report_dir, cycle };
            let served = Arc::clone(&asked.pipeline);
            return match (self.parts.publish)(asked).await {
                Ok(()) => Delivery::Accepted,
                Err(why) => self.not_published(message, &body, &served, why).await,
            };
        }
        let Some(channel) = channel::find(&pipeline, &message.target) else {
            return given_up("the pipeline has no such channel any more".to_owned());
        };
        let host = &self.parts.host;
        let secrets = match load_secrets(&send::secrets_of(&pipeline, channel), host).await {
            Ok(loaded) => loaded.secrets,
            Err(faults) => {
                let why: Vec<String> = faults.iter().map(ToString::to_string).collect();
                let refusal = Refusal::Later(why.join("; "));
                return self.after(message, &body, &refusal, refusal.to_string());
            }
        };
        let masker = Masker::new(secrets.iter().map(|(_, secret)| secret.expose().to_owned()));
        let pages = self.parts.pages.as_ref();
        let page = pages.map(|pages| pages.page(&message.pipeline, about_cycle));
        let page = page.as_deref();
        let settings = Settings { pipeline: &pipeline, secrets: &secrets, host, page };
        let now = (self.parts.now)();
        match send::send(&self.http, &settings, channel, &body, &message.key, now).await {
            Ok(()) => Delivery::Accepted,
            Err(refusal) => self.after(message, &body, &refusal, masker.mask(&refusal.to_string())),
        }
    }

    /// Reports were not pushed. Where that stays so until a person does something, people hear of it: once,
    /// until a push is accepted.
    async fn not_published(
        &self,
        message: &Message,
        body: &Body,
        pipeline: &Pipeline,
        why: Unpublished,
    ) -> Delivery {
        let needs_a_person = why.needs_a_person();
        let refusal = Refusal::from(why);
        let text = refusal.to_string();
        let delivery = self.after(message, body, &refusal, text.clone());
        let is_over = matches!(delivery, Delivery::GivenUp { .. });
        // Who publishes no more knows that.
        if (needs_a_person || is_over) && pipeline.report.publish.is_some() {
            self.tell_unpublished(message, pipeline, &text).await;
        }
        delivery
    }

    async fn tell_unpublished(&self, message: &Message, pipeline: &Pipeline, why: &str) {
        let store = &self.parts.store;
        let told = async {
            let last = store.last_delivered(&pipeline.name, &message.target).await?;
            let news = unpublished(pipeline, &message.target, last.unwrap_or_default(), why);
            store.put_messages(news, (self.parts.now)()).await
        };
        match told.await {
            Ok(0) => {}
            Ok(_) => tracing::warn!("{}: reports are not pushed: {why}", pipeline.name),
            Err(fault) => tracing::warn!(
                "{}: reports are not pushed, and that cannot be told: {}",
                pipeline.name,
                chain(&fault)
            ),
        }
    }

    fn after(&self, message: &Message, body: &Body, refusal: &Refusal, error: String) -> Delivery {
        let now = (self.parts.now)();
        after_refusal(body, message.created_at, message.attempts, refusal, error, now)
    }

    fn find(&self, name: &PipelineName) -> Option<Arc<Pipeline>> {
        match &self.parts.served {
            Served::All(find) => find(name),
            Served::One(pipeline) => (pipeline.name == *name).then(|| Arc::clone(pipeline)),
        }
    }

    fn until(&self, next: Option<Timestamp>) -> Duration {
        let longest = if self.notebook.is_empty() { LONGEST_SLEEP } else { AFTER_FAULT };
        let Some(next) = next else { return longest };
        let left = next.duration_since((self.parts.now)());
        Duration::try_from(left).unwrap_or(Duration::ZERO).min(longest)
    }
}
