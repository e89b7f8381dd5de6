//! What one listener gets, in order: first what it missed, from the ledger, then what happens.
//!
//! A listener holds places in one shared ring of events, and no copy of them. Whoever is slower
//! than the ring is told how many events it lost; who follows one cycle loses none, because those
//! are read from the ledger again.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::daemon::LiveEvent;
use crate::domain::event::{Event, Recorded};
use crate::domain::names::PipelineName;
use crate::store::CycleKey;
use crate::web::access::{Access, Caller};
use crate::web::call::Call;
use crate::web::problem::Problem;
use crate::web::site::Site;

/// An event that is longer goes out without its content, which is in the ledger.
const MAX_EVENT: usize = 64 << 10;

/// Events that one listener has read from the ledger at a time.
const PAGE: u32 = 32;

/// What a listener wants.
pub(super) struct Wanted {
    /// Only events of this pipeline.
    pub(super) pipeline: Option<PipelineName>,
    /// Only this cycle, to its end.
    pub(super) cycle: Option<CycleKey>,
    /// The cycle whose rest comes first, and what the listener has of it.
    pub(super) resumed: Option<(CycleKey, u64)>,
}

/// What a listener is told.
pub(super) enum News {
    /// An event.
    Event(CycleKey, Box<Recorded>),
    /// So many events were lost.
    Missed(u64),
    /// The cycle is over; nothing follows.
    Over(CycleKey),
}

impl News {
    /// The word for it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Event(..) => "event",
            Self::Missed(_) => "missed",
            Self::Over(_) => "over",
        }
    }

    /// What identifies an event.
    pub(super) fn id(&self) -> Option<String> {
        match self {
            Self::Event(cycle, recorded) => {
                Some(format!("{}/{}/{}", cycle.pipeline, cycle.cycle, recorded.seq))
            }
            Self::Missed(_) | Self::Over(_) => None,
        }
    }

    /// The message, as one line of JSON.
    pub(super) fn json(&self) -> String {
        match self {
            Self::Event(cycle, recorded) => event_json(cycle, recorded),
            Self::Missed(count) => json!({
                "missed": count, "help": "GET /api/v1/status tells where everything is",
            })
            .to_string(),
            Self::Over(cycle) => {
                json!({ "pipeline": cycle.pipeline, "cycle": cycle.cycle }).to_string()
            }
        }
    }
}

fn event_json(cycle: &CycleKey, recorded: &Recorded) -> String {
    let whole = json!({
        "pipeline": cycle.pipeline, "cycle": cycle.cycle,
        "seq": recorded.seq, "at": recorded.at, "event": recorded.event,
    })
    .to_string();
    if whole.len() <= MAX_EVENT {
        return whole;
    }
    json!({
        "pipeline": cycle.pipeline, "cycle": cycle.cycle,
        "seq": recorded.seq, "at": recorded.at,
        "event": { "kind": recorded.event.kind() }, "cut": true, "bytes": whole.len(),
    })
    .to_string()
}

/// What one listener gets.
pub(super) struct Feed {
    site: Site,
    caller: Option<Caller>,
    pipeline: Option<PipelineName>,
    /// Only this cycle.
    cycle: Option<CycleKey>,
    /// What was told last of the cycle that is followed or resumed.
    told: Option<(CycleKey, u64)>,
    backlog: VecDeque<Recorded>,
    /// There is more in the ledger that was not told.
    is_behind: bool,
    live: broadcast::Receiver<Arc<LiveEvent>>,
    access: watch::Receiver<Arc<Access>>,
    closing: CancellationToken,
    end: End,
}

/// How far a feed of one cycle is from its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The cycle goes on.
    Ahead,
    /// Its last event was told.
    Reached,
    /// And that, too.
    Told,
}

impl Feed {
    /// Begins to listen; `None` when there is nothing to hear any more.
    pub(super) async fn open(call: &Call, wanted: Wanted) -> Result<Option<Self>, Problem> {
        let site = call.site.clone();
        let mut feed = Self {
            // Before the ledger is read, so that nothing falls between the two.
            live: site.handle().subscribe(),
            access: site.access_changes(),
            closing: site.closing().clone(),
            caller: call.caller.clone(),
            pipeline: wanted.pipeline,
            cycle: wanted.cycle,
            told: wanted.resumed,
            backlog: VecDeque::new(),
            is_behind: true,
            end: End::Ahead,
            site,
        };
        feed.read_ledger().await?;
        if feed.cycle.is_some() && feed.backlog.is_empty() && feed.is_over().await? {
            return Ok(None);
        }
        Ok(Some(feed))
    }

    /// The next message; `None` when the feed is at its end. A call that is dropped loses nothing.
    pub(super) async fn next(&mut self) -> Option<News> {
        loop {
            if let Some(news) = self.next_of_backlog() {
                return Some(news);
            }
            match self.end {
                End::Ahead => {}
                End::Reached => {
                    self.end = End::Told;
                    return self.cycle.clone().map(News::Over);
                }
                End::Told => return None,
            }
            if self.is_behind {
                // When the ledger does not answer, the listener is better off asking anew.
                self.read_ledger().await.ok()?;
                continue;
            }
            let received = tokio::select! {
                () = self.closing.cancelled() => return None,
                changed = self.access.changed() => {
                    let caller = self.caller.as_ref();
                    let stays = caller.is_none_or(|caller| self.access.borrow().still_admits(caller));
                    if changed.is_err() || !stays {
                        return None;
                    }
                    continue;
                }
                received = self.live.recv() => received,
            };
            match received {
                Ok(event) => {
                    if let Some(news) = self.take(&event) {
                        return Some(news);
                    }
                }
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(count)) => {
                    if self.cycle.is_none() {
                        return Some(News::Missed(count));
                    }
                    self.is_behind = true;
                }
            }
        }
    }

    fn next_of_backlog(&mut self) -> Option<News> {
        let recorded = self.backlog.pop_front()?;
        let cycle = self.told.as_ref().map(|(cycle, _)| cycle.clone())?;
        Some(self.tell(cycle, recorded))
    }

    fn take(&mut self, event: &LiveEvent) -> Option<News> {
        let is_wanted = self.cycle.as_ref().is_none_or(|cycle| *cycle == event.cycle)
            && self.pipeline.as_ref().is_none_or(|name| *name == event.cycle.pipeline);
        let is_told = self
            .told
            .as_ref()
            .is_some_and(|(cycle, seq)| *cycle == event.cycle && event.recorded.seq <= *seq);
        (is_wanted && !is_told).then(|| self.tell(event.cycle.clone(), event.recorded.clone()))
    }

    fn tell(&mut self, cycle: CycleKey, recorded: Recorded) -> News {
        if let Some((followed, seq)) = &mut self.told
            && *followed == cycle
        {
            *seq = recorded.seq;
        }
        let is_last = matches!(recorded.event, Event::Finished(_));
        if is_last && self.cycle.is_some() {
            self.end = End::Reached;
        }
        News::Event(cycle, Box::new(recorded))
    }

    async fn read_ledger(&mut self) -> Result<(), Problem> {
        if let Some((cycle, seq)) = &self.told {
            self.backlog = self.site.store().load_page(cycle, *seq, PAGE).await?.into();
        }
        self.is_behind = self.backlog.len() >= PAGE as usize;
        Ok(())
    }

    async fn is_over(&self) -> Result<bool, Problem> {
        let Some(cycle) = &self.cycle else { return Ok(false) };
        let which = crate::store::Which::Number(cycle.cycle);
        let row = self.site.store().find_cycle(&cycle.pipeline, which).await?;
        Ok(row.is_none_or(|row| row.finished_at.is_some()))
    }
}
