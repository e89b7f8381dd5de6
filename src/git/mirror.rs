//! The public face: a mirror of one repository whose operations run on blocking threads.
//!
//! Every operation opens the repository anew (a fraction of a millisecond), so nothing is shared
//! between threads and a mirror that was replaced meanwhile is never read through an old handle.

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use git2::Repository;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::domain::commit::{Arrivals, CommitRange};
use crate::domain::revision::{Revision, Sha};

use super::arrivals::{ArrivalLimits, Moved, arrivals};
use super::auth::Auth;
use super::checkout::{Checkout, CheckoutLimits, check_out};
use super::deadline::Deadline;
use super::error::Error;
use super::fetch::{Fetched, Place, fetch};
use super::history::{RangeLimits, commits_between, is_ancestor, merge_base};
use super::look::{Looked, RefsPrint, is_unchanged, look};
use super::publish::{Publication, Published, publish};
use super::revision::{RevisionSpec, Tip, resolve, tips};
use super::session::register_transports;
use super::trailers::{Trailered, trailered};
use super::url::RepoUrl;

/// Fetches from this machine at the same time: more would only share the same disk.
static LOCAL_FETCHES: Semaphore = Semaphore::const_new(2);
/// Fetches from elsewhere at the same time. Each mostly waits, and a server that never answers keeps
/// its place until its deadline: so many that it takes a crowd of such servers to delay the others.
static REMOTE_FETCHES: Semaphore = Semaphore::const_new(64);
/// Looks at repositories of this machine at the same time; each needs a thread for a moment.
static LOCAL_LOOKS: Semaphore = Semaphore::const_new(8);
/// How much later than its own deadline a fetch may report back before it is left alone.
const GRACE: Duration = Duration::from_secs(2);
/// How long a reader that found damage waits to tell the next fetch.
const MARK_TIME: Duration = Duration::from_secs(1);

/// Settings of a mirror that are the same for all repositories of a machine.
#[derive(Debug, Clone)]
pub struct MirrorOptions {
    /// The ssh client.
    pub ssh_program: OsString,
    /// The git program whose credential helpers are asked; needed for nothing else.
    pub git_program: OsString,
    /// The most bytes that one fetch may receive over a network.
    pub max_bytes: u64,
}

impl Default for MirrorOptions {
    fn default() -> Self {
        Self { ssh_program: "ssh".into(), git_program: "git".into(), max_bytes: 8 << 30 }
    }
}

/// A bare copy of one repository.
#[derive(Debug, Clone)]
pub struct Mirror {
    place: Arc<Place>,
}

impl Mirror {
    /// Prepares the mirror of `url` below `cache_dir`; nothing is fetched yet.
    ///
    /// # Errors
    /// When the credentials do not fit the address, or the folder cannot be made.
    pub async fn open(
        cache_dir: &Path,
        url: RepoUrl,
        auth: Auth,
        options: MirrorOptions,
    ) -> Result<Self, Error> {
        auth.check_fits(&url)?;
        let key = url.cache_key();
        let place = Place {
            repository: url.to_string(),
            url,
            auth,
            options,
            dir: cache_dir.join(format!("{key}.git")),
            lock: cache_dir.join(format!("{key}.lock")),
            seen: Mutex::new(None),
        };
        let cache_dir = cache_dir.to_owned();
        let repository = place.repository.clone();
        on_blocking_thread(&repository, move || {
            register_transports().map_err(|reason| Error::Internal {
                repository: place.repository.clone(),
                reason,
            })?;
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&cache_dir)
                .map_err(Error::io("create", &cache_dir))?;
            Ok(Self { place: Arc::new(place) })
        })
        .await
    }

    /// The repository's address.
    pub fn url(&self) -> &RepoUrl {
        &self.place.url
    }

    /// Makes branches and tags equal to the remote's, within `limit` (waiting for a free place and
    /// for other processes included).
    ///
    /// # Errors
    /// Whatever the remote, the network or the disk did; the mirror stays readable as it was.
    pub async fn fetch(&self, limit: Duration) -> Result<Fetched, Error> {
        let deadline = Deadline::after(limit);
        self.within(deadline, self.fetch_permits(), move |place| fetch(place, deadline)).await
    }

    /// Looks at the remote's branches. Unless they are what `known` stands for, the mirror is made
    /// equal to the remote as by [`Mirror::fetch`]. A repository of this machine that did not change
    /// costs neither the lock nor a look at the mirror.
    ///
    /// # Errors
    /// As [`Mirror::fetch`].
    pub async fn look(&self, known: Option<RefsPrint>, limit: Duration) -> Result<Looked, Error> {
        let deadline = Deadline::after(limit);
        if known.is_some() && self.place.url.is_local() {
            let unchanged = move |place: &Place| is_unchanged(place, known);
            if self.within(deadline, &LOCAL_LOOKS, unchanged).await? {
                return Ok(Looked::Unchanged);
            }
        }
        self.within(deadline, self.fetch_permits(), move |place| look(place, known, deadline)).await
    }

    fn fetch_permits(&self) -> &'static Semaphore {
        if self.place.url.is_local() { &LOCAL_FETCHES } else { &REMOTE_FETCHES }
    }

    /// Works on a blocking thread, once there is a permit, and answers soon after the deadline
    /// whatever the thread does.
    async fn within<T: Send + 'static>(
        &self,
        deadline: Deadline,
        permits: &'static Semaphore,
        work: impl FnOnce(&Place) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let place = Arc::clone(&self.place);
        let work = async {
            // The permit goes with the thread, which may outlive our patience.
            let permit = permits.acquire().await.expect("the semaphore is never closed");
            on_blocking_thread(&self.place.repository, move || {
                let _permit = permit;
                work(&place)
            })
            .await
        };
        match timeout(deadline.remaining().saturating_add(GRACE), work).await {
            Ok(result) => result,
            Err(_) => Err(deadline.timeout(&self.place.repository, "the fetch")),
        }
    }

    /// Commits files onto a branch of the remote and pushes them.
    ///
    /// # Errors
    /// When the remote cannot be reached or does not take them; nothing is changed there then.
    pub async fn publish(
        &self,
        publication: Publication,
        limit: Duration,
    ) -> Result<Published, Error> {
        let deadline = Deadline::after(limit);
        let work = move |place: &Place| publish(place, &publication, deadline);
        self.within(deadline, self.fetch_permits(), work).await
    }

    /// The commit that `spec` names in the mirror as last fetched.
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::AmbiguousRevision`] besides damage.
    pub async fn resolve(&self, spec: RevisionSpec) -> Result<Revision, Error> {
        self.read(move |repo, name| resolve(repo, &spec, name)).await
    }

    /// All branches with their commits, sorted by name.
    ///
    /// # Errors
    /// When the mirror cannot be read.
    pub async fn branches(&self) -> Result<Vec<Tip>, Error> {
        self.read(|repo, name| tips(repo, "refs/heads/", name)).await
    }

    /// All tags with the commits they stand for, sorted by name.
    ///
    /// # Errors
    /// When the mirror cannot be read.
    pub async fn tags(&self) -> Result<Vec<Tip>, Error> {
        self.read(|repo, name| tips(repo, "refs/tags/", name)).await
    }

    /// Writes exactly the files of `sha` into the new folder `dest`.
    ///
    /// # Errors
    /// When the commit is unknown, a limit is reached, or `dest` exists. Nothing is left behind then.
    pub async fn checkout(
        &self,
        sha: &Sha,
        dest: &Path,
        limits: CheckoutLimits,
    ) -> Result<Checkout, Error> {
        let (sha, dest): (Sha, PathBuf) = (sha.clone(), dest.to_owned());
        self.read(move |repo, name| check_out(repo, &sha, &dest, limits, name)).await
    }

    /// The commits that `to` has and `from` has not, newest first.
    ///
    /// # Errors
    /// When one of them is unknown, or the mirror is damaged.
    pub async fn commits_between(
        &self,
        from: &Sha,
        to: &Sha,
        limits: RangeLimits,
    ) -> Result<CommitRange, Error> {
        let (from, to) = (from.clone(), to.clone());
        self.read(move |repo, name| commits_between(repo, &from, &to, limits, name)).await
    }

    /// How a branch moved, and the commits that came with it.
    ///
    /// # Errors
    /// When the branch's commit is unknown, or the mirror is damaged.
    pub async fn arrivals(&self, moved: Moved, limits: ArrivalLimits) -> Result<Arrivals, Error> {
        self.read(move |repo, name| arrivals(repo, &moved, limits, name)).await
    }

    /// The commits that `to` has and `from` has not, oldest first, whose message has a trailer with this
    /// key, in any case. Where `from` is unknown, the newest commits before `to` are looked at.
    ///
    /// # Errors
    /// When `to` is unknown, or the mirror is damaged.
    pub async fn trailered(
        &self,
        from: Option<&Sha>,
        to: &Sha,
        key: &'static str,
    ) -> Result<Vec<Trailered>, Error> {
        let (from, to) = (from.cloned(), to.clone());
        self.read(move |repo, name| trailered(repo, from.as_ref(), &to, key, name)).await
    }

    /// Whether `ancestor` is `descendant` or one of its ancestors.
    ///
    /// # Errors
    /// When one of them is unknown, or the mirror is damaged.
    pub async fn is_ancestor(&self, ancestor: &Sha, descendant: &Sha) -> Result<bool, Error> {
        let (ancestor, descendant) = (ancestor.clone(), descendant.clone());
        self.read(move |repo, name| is_ancestor(repo, &ancestor, &descendant, name)).await
    }

    /// The best common ancestor; none for unrelated histories.
    ///
    /// # Errors
    /// When one of them is unknown, or the mirror is damaged.
    pub async fn merge_base(&self, one: &Sha, other: &Sha) -> Result<Option<Sha>, Error> {
        let (one, other) = (one.clone(), other.clone());
        self.read(move |repo, name| merge_base(repo, &one, &other, name)).await
    }

    /// Runs a reader. Damage is noted for the next fetch, which then makes the mirror anew; but a
    /// fetch that moved files under the reader looks the same, so damage must show twice.
    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&Repository, &str) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let place = Arc::clone(&self.place);
        on_blocking_thread(&self.place.repository, move || {
            let attempt = || place.open().and_then(|repo| work(&repo, &place.repository));
            let result = match attempt() {
                Err(Error::Corrupt { .. }) => attempt(),
                other => other,
            };
            if let Err(Error::Corrupt { .. }) = &result
                && let Err(error) = place.mark_suspect(Deadline::after(MARK_TIME))
            {
                tracing::warn!(repository = place.repository, %error, "cannot note that the mirror is damaged");
            }
            result
        })
        .await
    }
}

async fn on_blocking_thread<T: Send + 'static>(
    repository: &str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Error::Internal { repository: repository.to_owned(), reason: error.to_string() })
    })
}
