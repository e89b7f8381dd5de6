//! Keeps an eye on the disk of the state folder: with too little room no new work begins, what is held
//! ready is given up for the cycles that run, and everything heals by itself.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handle::{Handle, NoRoom};
use super::tidings::Tidings;
use crate::domain::errors::chain;
use crate::engine::Clock;
use crate::notify;
use crate::room::{self, Facts, Lack, Order, Standing, Write};
use crate::upkeep::{Ballast, disk_space};

/// The disk is asked no more often than this while all is well.
const CALM: Duration = Duration::from_secs(1);
/// The disk is asked so often, whatever happens: another program may fill it.
const EVERY: Duration = Duration::from_secs(5);
/// What the disk refused is tried again after so long.
const AGAIN: Duration = Duration::from_millis(500);

/// Whoever needs room asks here.
pub(super) struct Warden {
    handle: Handle,
    clock: Arc<dyn Clock>,
    root: PathBuf,
    ballast: Option<Ballast>,
    standing: Mutex<Standing>,
    tidings: Mutex<Tidings>,
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
        let (tidings, asked) = (Mutex::default(), AsyncMutex::new(None));
        Self { handle, clock, root, ballast, standing, tidings, asked }
    }

    /// Keeps looking until `shutdown` fires: now and then, and at once when the disk refused anything.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        let refusals = self.handle.store().refusals();
        let work = async {
            loop {
                let is_well = self.look().await == Standing::Enough;
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    // While there is no room our own attempts are refused, too.
                    () = refusals.rung(), if is_well => self.verify().await,
                }
            }
        };
        shutdown.run_until_cancelled(work).await;
    }

    /// Goes on where an earlier process was: whom it told that there is no room hears when there is.
    pub(super) async fn recall(&self) {
        let stored = match self.handle.store().messages_under(notify::DISK_KEYS).await {
            Ok(stored) => stored,
            Err(fault) => {
                tracing::error!("cannot read who was told of the disk: {}", chain(&fault));
                return;
            }
        };
        let tidings = Tidings::recall(stored);
        if let Some(told) = tidings.any_told() {
            let since = notify::since_of(told).unwrap_or_else(|| self.clock.now());
            // Until the disk was asked it is as it was.
            *lock(&self.standing) = Standing::Short(Lack::Full);
            self.handle.set_no_room(Some(no_room(Lack::Full, since)));
        }
        *lock(&self.tidings) = tidings;
    }

    /// Somebody had no room: looks, and tries it.
    async fn verify(&self) {
        let mut asked = self.asked.lock().await;
        *asked = Some(Instant::now());
        let write = self.try_writing().await;
        self.decide(self.standing(), write).await;
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
        let untold = lock(&self.tidings).untold().to_vec();
        if untold.is_empty() {
            return;
        }
        match self.handle.store().put_messages(untold, self.clock.now()).await {
            Ok(_) => {
                lock(&self.tidings).stored();
                self.handle.tell_news();
            }
            Err(fault) => tracing::debug!("the news wait: {}", chain(&fault)),
        }
    }

    fn settle(&self, before: Standing, now: Standing) {
        *lock(&self.standing) = now;
        match (before, now) {
            (Standing::Enough, Standing::Short(lack)) => {
                tracing::error!("{lack}: no cycle begins until there is room again");
                let no_room = no_room(lack, self.clock.now());
                let served = self.handle.pipelines();
                let all = served.values().map(|served| served.pipeline.as_ref());
                let want = notify::no_room(all, &no_room.why, no_room.since);
                lock(&self.tidings).begin(want);
                self.handle.set_no_room(Some(no_room));
            }
            (Standing::Short(_), Standing::Enough) => {
                tracing::info!("the disk of the state folder has room again");
                lock(&self.tidings).end();
                self.handle.set_no_room(None);
                self.handle.wake();
                // What could not be noted of messages can be now.
                self.handle.tell_news();
            }
            (Standing::Short(before), Standing::Short(lack)) if before != lack => {
                let since = self.handle.no_room().map_or_else(|| self.clock.now(), |it| it.since);
                self.handle.set_no_room(Some(no_room(lack, since)));
            }
            (Standing::Enough, Standing::Enough) | (Standing::Short(_), Standing::Short(_)) => {}
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::SystemClock;
    use crate::store::Store;
    use crate::store::sqlite::{FILE_NAME, Mode, SqliteStore};

    #[tokio::test(flavor = "multi_thread")]
    async fn when_the_disk_refused_anything_it_is_tried_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&path, Mode::ReadWrite).await.unwrap());
        let (refusals, root) = (store.refusals(), folder.path().to_owned());
        let handle = Handle::new(Arc::clone(&store));
        let warden = Warden::new(handle.clone(), Arc::new(SystemClock), root, None);
        let log = path.with_extension("db-wal");
        let written = || std::fs::metadata(&log).unwrap().len();
        let before = written();
        let stop = CancellationToken::new();
        let trying = async {
            refusals.ring();
            // A look at a disk that is well writes nothing.
            while written() == before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        let both = async { tokio::join!(warden.run(&stop), trying) };
        tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
        assert_eq!(handle.no_room(), None, "it took what was tried");
        store.close().await;
    }
}
