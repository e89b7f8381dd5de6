//! Moves a branch of a repository to a commit, from where it was or not at all.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use git2::{Direction, ErrorCode, Oid, PushOptions, RemoteCallbacks, Repository};

use super::deadline::Deadline;
use super::error::Error;
use super::fetch::{Place, session_for};
use super::session::Registered;
use super::text::clip;

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// The branch is at our commit.
    Taken,
    /// The branch was moved by somebody else meanwhile.
    Moved,
}

/// Moves a branch of a repository on this machine.
pub(super) fn move_branch(
    place: &Place,
    repo: &Repository,
    reference: &str,
    old: Option<Oid>,
    new: Oid,
) -> Result<Pushed, Error> {
    if let Some(folder) = checked_out_in(repo, reference) {
        return Err(Error::CheckedOut {
            folder,
            branch: reference.trim_start_matches("refs/heads/").to_owned(),
        });
    }
    let done = match old {
        Some(old) => repo.reference_matching(reference, new, true, old, "andon: reports"),
        None => repo.reference(reference, new, false, "andon: reports"),
    };
    match done {
        Ok(_) => Ok(Pushed::Taken),
        Err(fault)
            if matches!(
                fault.code(),
                ErrorCode::Modified | ErrorCode::Exists | ErrorCode::Locked | ErrorCode::NotFound
            ) =>
        {
            Ok(Pushed::Moved)
        }
        Err(fault) => Err(refused(place, fault.message())),
    }
}

/// The folder of the repository in which somebody works on that branch: it would be pulled away from
/// under the files there.
fn checked_out_in(repo: &Repository, reference: &str) -> Option<PathBuf> {
    let is_head = |repo: &Repository| {
        let head = repo.find_reference("HEAD").ok();
        head.and_then(|head| head.symbolic_target_bytes().map(<[u8]>::to_vec))
            .is_some_and(|target| target == reference.as_bytes())
    };
    let folder_of = |repo: &Repository| repo.workdir().unwrap_or(repo.path()).to_owned();
    if !repo.is_bare() && is_head(repo) {
        return Some(folder_of(repo));
    }
    // What was opened may itself be a worktree: then the main one is beside it.
    let main = repo.is_worktree().then(|| Repository::open(repo.commondir()).ok()).flatten();
    if let Some(main) = main.filter(|main| !main.is_bare() && is_head(main)) {
        return Some(folder_of(&main));
    }
    let names = repo.worktrees().ok()?;
    names.iter().flatten().flatten().find_map(|name| {
        let worktree = repo.find_worktree(name);
        let there = worktree.and_then(|tree| Repository::open_from_worktree(&tree)).ok()?;
        is_head(&there).then(|| folder_of(&there))
    })
}

/// Pushes a commit of the mirror to its remote.
pub(super) fn push(
    place: &Place,
    repo: &Repository,
    reference: &str,
    new: Oid,
    deadline: Deadline,
) -> Result<Pushed, Error> {
    let session = Arc::new(session_for(place, deadline)?);
    let registered = Registered::new(Arc::clone(&session));
    let explain = |fault: &git2::Error| match session.take_failure() {
        Some(failure) => failure,
        None if deadline.has_passed() => deadline.timeout(&place.repository, "pushing"),
        None => refused(place, fault.message()),
    };
    let mut remote = repo.remote_anonymous(&registered.url()).map_err(|fault| explain(&fault))?;
    remote.connect(Direction::Push).map_err(|fault| explain(&fault))?;
    let answer: RefCell<Option<String>> = RefCell::default();
    let pushed = {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.push_update_reference(|_, refusal| {
            *answer.borrow_mut() = refusal.map(str::to_owned);
            Ok(())
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        remote.push(&[format!("{new}:{reference}")], Some(&mut options))
    };
    match (pushed, answer.into_inner()) {
        (Ok(()), None) => Ok(Pushed::Taken),
        (Ok(()), Some(refusal)) if says_moved(&refusal) => Ok(Pushed::Moved),
        (Ok(()), Some(refusal)) => Err(Error::Refused {
            repository: place.repository.clone(),
            reason: clip(&refusal, 300),
        }),
        (Err(fault), _) if fault.code() == ErrorCode::NotFastForward => Ok(Pushed::Moved),
        (Err(fault), _) => Err(explain(&fault)),
    }
}

/// Servers tell in words that the branch is not where we thought it was.
fn says_moved(refusal: &str) -> bool {
    let words = [
        "non-fast-forward",
        "fetch first",
        "stale",
        "cannot lock ref",
        "failed to update ref",
        "already exists",
    ];
    words.iter().any(|word| refusal.contains(word))
}

fn refused(place: &Place, reason: &str) -> Error {
    Error::Push { repository: place.repository.clone(), reason: clip(reason, 300) }
}
