//! Keeps an eye on the disk of the state folder: with too little room no new work begins, what is held
//! ready is given up for the cycles that run, and everything heals by itself.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::handle::{Handle, NoRoom};
use crate::domain::errors::chain;
use crate::domain::spec::Pipeline;
use crate::engine::Clock;
use crate::notify;
use crate::room::{self, Facts, Lack, Order, Standing, Write};
use crate::store::{NewMessage, StoreError};
use crate::upkeep::{Ballast, disk_space};

/// The disk is asked no more often than this while all is well.
const CALM: Duration = Duration::from_secs(1);
/// What the disk refused is tried again after so long.
const AGAIN: Duration = Duration::from_millis(500);

/// Whoever needs room asks here.
pub(super) struct Warden {
    handle: Handle,
    clock: Arc<dyn Clock>,
    root: PathBuf,
    ballast: Option<Ballast>,
    standing: Mutex<Standing>,
    /// News that the disk had no room for yet.
    untold: Mutex<Vec<NewMessage>>,
    /// When the disk was asked last; held while it is.
    asked: AsyncMutex<Option<Instant>>,
}

impl Warden {
    /// One for a state folder, with that many bytes of ballast.
    pub(super) fn new(
        handle: Handle,
        clock: Arc<dyn Clock>,
        root: PathBuf,
        ballast: Option<u64>,
    ) -> Self {
        let ballast = ballast.map(|size| Ballast::new(&root, size));
        let standing = Mutex::new(Standing::Enough);
        let (untold, asked) = (Mutex::default(), AsyncMutex::new(None));
        Self { handle, clock, root, ballast, standing, untold, asked }
    }

    /// Whether new work may begin, as the disk stands now.
    pub(super) async fn look(&self) -> Standing {
        let mut asked = self.asked.lock().await;
        let before = self.standing();
        let is_calm = before == Standing::Enough && asked.is_some_and(|at| at.elapsed() < CALM);
        if is_calm {
            return before;
        }
        *asked = Some(Instant::now());
        let write = match before {
            Standing::Enough => Write::NotTried,
            Standing::Short(_) => self.try_writing().await,
        };
        self.decide(before, write).await
    }

    /// The disk refused a write: makes room as far as there is any, and waits a little. Answers
    /// whether to try again.
    pub(super) async fn relieve(&self) -> bool {
        {
            let mut asked = self.asked.lock().await;
            *asked = Some(Instant::now());
            self.decide(self.standing(), Write::Refused).await;
        }
        tokio::select! {
            () = self.handle.draining().cancelled() => false,
            () = tokio::time::sleep(AGAIN) => true,
        }
    }

    /// Tells of a fault of the store, when it is one of the disk.
    pub(super) async fn hear(&self, fault: &StoreError) {
        if fault.is_lack_of_room() {
            let _asked = self.asked.lock().await;
            self.decide(self.standing(), Write::Refused).await;
        }
    }

    async fn try_writing(&self) -> Write {
        match self.handle.store().try_writing(self.clock.now()).await {
            Ok(()) => Write::Done,
            Err(fault) if fault.is_lack_of_room() => Write::Refused,
            Err(fault) => {
                tracing::error!("the store cannot be written to: {}", chain(&fault));
                Write::NotTried
            }
        }
    }

    async fn decide(&self, before: Standing, write: Write) -> Standing {
        let (root, ballast) = (self.root.clone(), self.ballast.clone());
        let work = move || look_and_act(&root, ballast.as_ref(), before, write);
        let (found, free) =
            tokio::task::spawn_blocking(work).await.expect("a look at the disk does not panic");
        self.handle.disk_has(free);
        self.settle(before, found);
        self.tell().await;
        found
    }

    /// Stores news as soon as there is room for them.
    async fn tell(&self) {
        let untold = std::mem::take(&mut *lock(&self.untold));
        if untold.is_empty() {
            return;
        }
        match self.handle.store().put_messages(untold.clone(), self.clock.now()).await {
            Ok(_) => self.handle.tell_news(),
            Err(fault) => {
                tracing::debug!("the news wait: {}", chain(&fault));
                *lock(&self.untold) = untold;
            }
        }
    }

    fn settle(&self, before: Standing, now: Standing) {
        *lock(&self.standing) = now;
        match (before, now) {
            (Standing::Enough, Standing::Short(lack)) => {
                tracing::error!("{lack}: no cycle begins until there is room again");
                let no_room = no_room(lack, self.clock.now());
                *lock(&self.untold) =
                    self.news(|all| notify::no_room(all, &no_room.why, no_room.since));
                self.handle.set_no_room(Some(no_room));
            }
            (Standing::Short(_), Standing::Enough) => {
                tracing::info!("the disk of the state folder has room again");
                self.told_again();
                self.handle.set_no_room(None);
                self.handle.wake();
            }
            (Standing::Short(before), Standing::Short(lack)) if before != lack => {
                let since = self.handle.no_room().map_or_else(|| self.clock.now(), |it| it.since);
                self.handle.set_no_room(Some(no_room(lack, since)));
            }
            (Standing::Enough, Standing::Enough) | (Standing::Short(_), Standing::Short(_)) => {}
        }
    }

    /// Whoever was told of the want is told of its end; if nobody was, nobody is.
    fn told_again(&self) {
        let mut untold = lock(&self.untold);
        if let Some(no_room) = self.handle.no_room().filter(|_| untold.is_empty()) {
            *untold = self.news(|all| notify::room_again(all, no_room.since));
        } else {
            untold.clear();
        }
    }

    /// News for the channels of every pipeline that is served.
    fn news(&self, make: impl Fn(Vec<&Pipeline>) -> Vec<NewMessage>) -> Vec<NewMessage> {
        let served = self.handle.pipelines();
        make(served.values().map(|served| served.pipeline.as_ref()).collect())
    }

    fn standing(&self) -> Standing {
        *lock(&self.standing)
    }
}

/// Nothing is left half-changed under these locks, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_room(lack: Lack, since: Timestamp) -> NoRoom {
    NoRoom { why: lack.to_string(), since }
}

/// Asks the disk, decides, and does what was decided. Blocking.
fn look_and_act(
    root: &std::path::Path,
    ballast: Option<&Ballast>,
    before: Standing,
    write: Write,
) -> (Standing, Option<u64>) {
    let space = disk_space(root);
    let facts = Facts {
        is_read_only: space.is_some_and(|space| space.is_read_only),
        free: space.map(|space| space.free),
        write,
        ballast: ballast.map(|it| room::Ballast { size: it.size(), is_held: it.is_held() }),
    };
    let (standing, order) = room::judge(before, &facts);
    let done = match (order, ballast) {
        (Order::Free, Some(ballast)) => {
            tracing::warn!("the ballast is given up, so that running cycles can be recorded");
            ballast.free()
        }
        (Order::Fill, Some(ballast)) => ballast.fill(),
        (Order::Keep | Order::Free | Order::Fill, _) => Ok(()),
    };
    if let Err(fault) = done {
        // A ballast that cannot be taken is missing at the next look, too.
        tracing::warn!("the ballast: {fault}");
        return (Standing::Short(Lack::Low), facts.free);
    }
    (standing, facts.free)
}
