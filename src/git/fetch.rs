//! One fetch: makes a mirror's branches and tags equal to the remote's.
//!
//! Order: lock, compare, download, check, set references. Objects come before the references that
//! need them, so a crash between any two steps leaves a mirror that the next fetch completes.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use git2::{
    AutotagOption, Direction, ErrorClass, ErrorCode, FetchOptions, RemoteCallbacks, Repository,
    RepositoryInitOptions, RepositoryOpenFlags,
};

use super::advertisement::{BadAdvertisement, RemoteRefs, parse_advertisement};
use super::auth::Auth;
use super::deadline::Deadline;
use super::error::{Absent, Error};
use super::local::{Extent, copy_objects, open_source, read_shallow, write_shallow};
use super::lock::{MirrorLock, Note};
use super::look::Seen;
use super::mirror::MirrorOptions;
use super::packs::merge_small_packs;
use super::refs::{Applied, apply_refs, check_commit, normalized, read_refs, remove_leftovers};
use super::session::{Registered, Session, Wire};
use super::text::clip;
use super::url::{RepoUrl, Target};

const REFSPECS: [&str; 3] =
    ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+HEAD:refs/andon/head"];

/// What a fetch did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Whether a branch, a tag or the default branch changed.
    pub changed: bool,
    /// Whether the mirror was made anew: at first, or because it was damaged.
    pub rebuilt: bool,
    /// References that could not be kept, cleaned for display; at most 100.
    pub skipped: Vec<String>,
}

/// Where a mirror lives and what it mirrors.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) url: RepoUrl,
    pub(super) auth: Auth,
    pub(super) options: MirrorOptions,
    /// For messages.
    pub(super) repository: String,
    /// The bare repository.
    pub(super) dir: PathBuf,
    /// The lock beside it, which stays when the repository is replaced.
    pub(super) lock: PathBuf,
    /// What the last look at a repository of this machine saw, so that the next one can tell that
    /// it would see the same.
    pub(super) seen: Mutex<Option<Seen>>,
}

impl Place {
    fn beside(&self, extension: &str) -> PathBuf {
        self.dir.with_extension(extension)
    }

    fn lock_until(&self, deadline: Deadline) -> Result<MirrorLock, Error> {
        MirrorLock::acquire(&self.lock, deadline.at())?
            .ok_or_else(|| deadline.timeout(&self.repository, "waiting for another fetch"))
    }

    /// Asks for a new mirror at the next fetch, because a reader found damage in this one.
    pub(super) fn mark_suspect(&self, deadline: Deadline) -> Result<(), Error> {
        self.lock_until(deadline)?.set_note(Note::Suspect)
    }

    /// Opens the mirror for reading.
    pub(super) fn open(&self) -> Result<Repository, Error> {
        open_mirror(&self.dir).map_err(|error| match error.code() {
            ErrorCode::NotFound => {
                Error::NotFound { what: Absent::Copy, repository: self.repository.clone() }
            }
            ErrorCode::Owner => Error::ForeignOwner { repository: self.dir.display().to_string() },
            _ => Error::mirror(&self.repository)(error),
        })
    }
}

/// (`Repository::open_bare` would not read where a shallow history ends.)
fn open_mirror(dir: &Path) -> Result<Repository, git2::Error> {
    let flags =
        RepositoryOpenFlags::BARE | RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::NO_DOTGIT;
    Repository::open_ext(dir, flags, std::iter::empty::<&OsStr>())
}

/// Fetches into the mirror; a damaged one is replaced by a fresh clone.
pub(super) fn fetch(place: &Place, deadline: Deadline) -> Result<Fetched, Error> {
    let lock = place.lock_until(deadline)?;
    let note = lock.note()?;
    if note != Note::Clean {
        remove_dir(&place.beside("new"))?;
        remove_dir(&place.beside("old"))?;
        remove_leftovers(&place.dir)?;
    }
    if note == Note::Suspect || !place.dir.exists() {
        return rebuild(place, &lock, deadline);
    }
    let updated = place.open().and_then(|repo| update(place, &repo, &lock, deadline));
    match updated {
        Err(Error::Corrupt { .. }) => {}
        Err(Error::NotFound { .. }) if is_damaged(place) => {}
        other => return other,
    }
    lock.set_note(Note::Suspect)?;
    rebuild(place, &lock, deadline)
}

/// Whether the folder is there but no repository.
fn is_damaged(place: &Place) -> bool {
    place.dir.exists() && open_mirror(&place.dir).is_err()
}

/// Clones into a new folder and puts it in the place of the old one, which is kept until then.
fn rebuild(place: &Place, lock: &MirrorLock, deadline: Deadline) -> Result<Fetched, Error> {
    let (fresh, old) = (place.beside("new"), place.beside("old"));
    if lock.note()? == Note::Clean {
        lock.set_note(Note::Interrupted)?;
    }
    remove_dir(&fresh)?;
    let repo = init(&fresh)?;
    let mut fetched = match update_quietly(place, &repo, deadline) {
        Ok(fetched) => fetched,
        Err(error) => {
            remove_dir(&fresh)?;
            return Err(error);
        }
    };
    drop(repo);
    if place.dir.exists() {
        remove_dir(&old)?;
        fs::rename(&place.dir, &old).map_err(Error::io("move aside", &place.dir))?;
    }
    fs::rename(&fresh, &place.dir).map_err(Error::io("move into place", &fresh))?;
    remove_dir(&old)?;
    lock.set_note(Note::Clean)?;
    fetched.rebuilt = true;
    fetched.changed = true;
    Ok(fetched)
}

fn init(path: &Path) -> Result<Repository, Error> {
    let mut options = RepositoryInitOptions::new();
    // The machine's template would bring hooks and configuration that nobody here asked for.
    options.bare(true).external_template(false).mkpath(true).initial_head("main");
    Repository::init_opts(path, &options)
        .map_err(|error| Error::io("create the mirror", path)(std::io::Error::other(error)))
}

fn remove_dir(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Brings an existing mirror up to date, leaving a note while it writes.
fn update(
    place: &Place,
    repo: &Repository,
    lock: &MirrorLock,
    deadline: Deadline,
) -> Result<Fetched, Error> {
    let old = read_refs(repo).map_err(Error::mirror(&place.repository))?;
    let mut started = false;
    let mut start = || {
        started = true;
        lock.set_note(Note::Interrupted)
    };
    let fetched = exchange(place, repo, &old, deadline, &mut start)?;
    if started {
        lock.set_note(Note::Clean)?;
        // The fetch itself is done: housekeeping that fails is tried again after the next one.
        if let Err(error) = merge_small_packs(repo, deadline, &place.repository) {
            tracing::warn!(repository = place.repository, %error, "cannot merge packs of the mirror");
        }
    }
    Ok(fetched)
}

/// Fills a mirror that nobody else can see yet.
fn update_quietly(place: &Place, repo: &Repository, deadline: Deadline) -> Result<Fetched, Error> {
    exchange(place, repo, &RemoteRefs::default(), deadline, &mut || Ok(()))
}

fn exchange(
    place: &Place,
    repo: &Repository,
    old: &RemoteRefs,
    deadline: Deadline,
    start: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Fetched, Error> {
    match &place.url.target {
        Target::Local(path) => exchange_local(place, path, repo, old, deadline, start),
        Target::Http(_) | Target::Ssh(_) => exchange_remote(place, repo, old, deadline, start),
    }
}

/// What the transports need to know to reach the remote.
pub(super) fn session_for(place: &Place, deadline: Deadline) -> Result<Session, Error> {
    let wire = match &place.url.target {
        Target::Http(url) => Wire::Http(url.clone()),
        Target::Ssh(target) => Wire::Ssh(target.clone()),
        Target::Local(_) => {
            let reason = "a repository on this machine needs no transport".to_owned();
            return Err(Error::Internal { repository: place.repository.clone(), reason });
        }
    };
    let mut session = Session::new(place.repository.clone(), wire, place.auth.clone(), deadline);
    session.ssh = place.options.ssh_program.clone();
    session.git = place.options.git_program.clone();
    session.max_bytes = place.options.max_bytes;
    Ok(session)
}

fn exchange_local(
    place: &Place,
    path: &Path,
    repo: &Repository,
    old: &RemoteRefs,
    deadline: Deadline,
    start: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Fetched, Error> {
    let repository = &place.repository;
    let source = open_source(path, repository)?;
    let new = read_refs(&source).map_err(|error| Error::Network {
        repository: repository.clone(),
        reason: clip(error.message(), 300),
    })?;
    let shallow = read_shallow(&source);
    let same_depth = shallow == read_shallow(repo);
    let healthy = is_healthy(repo, old);
    if same_depth && healthy && is_same(old, &new) {
        return Ok(Fetched { skipped: new.skipped, ..Fetched::default() });
    }
    start()?;
    let extent = if same_depth && healthy { Extent::Missing } else { Extent::Everything };
    copy_objects(&source, repo, &new, extent, deadline, repository)?;
    write_shallow(repo, &shallow)?;
    finish(place, repo, old, new)
}

fn exchange_remote(
    place: &Place,
    repo: &Repository,
    old: &RemoteRefs,
    deadline: Deadline,
    start: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<Fetched, Error> {
    let session = Arc::new(session_for(place, deadline)?);
    let registered = Registered::new(Arc::clone(&session));
    let url = registered.url();
    let explain = |error: git2::Error| explain(&session, repo.path(), error);

    let mut remote = repo.remote_anonymous(&url).map_err(explain)?;
    if remote.url_bytes() != url.as_bytes() {
        return Err(session.network(
            "a git configuration rewrites addresses (url.*.insteadOf) that are not its own".into(),
        ));
    }
    remote.connect(Direction::Fetch).map_err(explain)?;
    let new = parse_advertisement(&session.take_advertisement())
        .map_err(|error| bad_list(&place.repository, error))?;
    let new = normalized(new);
    if is_healthy(repo, old) && is_same(old, &new) {
        return Ok(Fetched { skipped: new.skipped, ..Fetched::default() });
    }
    start()?;
    let mut callbacks = RemoteCallbacks::new();
    callbacks.transfer_progress(|_| !deadline.has_passed());
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks).download_tags(AutotagOption::None);
    remote.download(&REFSPECS, Some(&mut options)).map_err(explain)?;
    drop(options);
    finish(place, repo, old, new)
}

fn finish(
    place: &Place,
    repo: &Repository,
    old: &RemoteRefs,
    new: RemoteRefs,
) -> Result<Fetched, Error> {
    let Applied { changes, skipped } = apply_refs(repo, &place.repository, old, &new)?;
    let head_moved = (old.head, &old.head_target) != (new.head, &new.head_target);
    let mut all = new.skipped;
    all.extend(skipped);
    all.truncate(100);
    Ok(Fetched { changed: changes > 0 || head_moved, rebuilt: false, skipped: all })
}

fn is_same(old: &RemoteRefs, new: &RemoteRefs) -> bool {
    old.refs == new.refs && old.head == new.head && old.head_target == new.head_target
}

/// Whether the commit that `HEAD` stands for can be read, if the mirror should have it.
fn is_healthy(repo: &Repository, refs: &RemoteRefs) -> bool {
    refs.head.is_none_or(|oid| check_commit(repo, oid).is_ok())
}

fn bad_list(repository: &str, error: BadAdvertisement) -> Error {
    let repository = repository.to_owned();
    match error {
        BadAdvertisement::TooMany => Error::TooLarge { repository, what: error.to_string() },
        BadAdvertisement::Malformed | BadAdvertisement::Server(_) => {
            Error::Network { repository, reason: error.to_string() }
        }
    }
}

/// The reason of a failed exchange: what our transport noticed, else what libgit2 says.
fn explain(session: &Session, mirror: &Path, error: git2::Error) -> Error {
    if let Some(failure) = session.take_failure() {
        return failure;
    }
    if session.deadline.has_passed() {
        return session.deadline.timeout(&session.repository, "fetching");
    }
    let told = Error::mirror(&session.repository)(git2::Error::new(
        error.code(),
        error.class(),
        error.message(),
    ));
    if told.is_lack_of_room() {
        return told;
    }
    let reason = clip(error.message(), 300);
    match error.class() {
        ErrorClass::Odb
        | ErrorClass::Zlib
        | ErrorClass::Object
        | ErrorClass::Tree
        | ErrorClass::Reference => {
            Error::Corrupt { repository: session.repository.clone(), reason }
        }
        ErrorClass::Os | ErrorClass::Filesystem => {
            Error::io("write to the mirror", mirror)(std::io::Error::other(error))
        }
        _ => session.network(reason),
    }
}
