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
use crate::engine::Clock;
use crate::room::{self, Facts, Lack, Order, Standing, Write};
use crate::store::StoreError;
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
        Self { handle, clock, root, ballast, standing, asked: AsyncMutex::new(None) }
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
        found
    }

    fn settle(&self, before: Standing, now: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = now;
        match (before, now) {
            (Standing::Enough, Standing::Short(lack)) => {
                tracing::error!("{lack}: no cycle begins until there is room again");
                self.handle.set_no_room(Some(no_room(lack, self.clock.now())));
            }
            (Standing::Short(_), Standing::Enough) => {
                tracing::info!("the disk of the state folder has room again");
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

    fn standing(&self) -> Standing {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
