//! What can go wrong with a repository, told apart by what the reader has to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::text::clip;

/// A failed git operation. Messages never contain credentials: addresses are free of them
/// ([`super::RepoUrl`] refuses such), and server texts are cut and cleaned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address may not be used.
    #[error("repository address {address:?} is refused: {reason}")]
    RefusedUrl {
        /// The address, cut.
        address: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The credentials cannot be used with this kind of address.
    #[error("credentials do not fit {repository}: {reason}")]
    UnfitAuth {
        /// The repository.
        repository: String,
        /// Why they do not fit.
        reason: &'static str,
    },
    /// The text cannot name a revision.
    #[error("{text:?} cannot name a revision: {reason}")]
    InvalidRevision {
        /// The text, cut.
        text: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The text names several commits.
    #[error("revision {text:?} is ambiguous: {}", .candidates.join(", "))]
    AmbiguousRevision {
        /// The text.
        text: String,
        /// What it could mean, cut to ten.
        candidates: Vec<String>,
    },
    /// The repository, or what was asked for in it, does not exist.
    #[error("no {what} in {repository}")]
    NotFound {
        /// What was looked for.
        what: Absent,
        /// Where.
        repository: String,
    },
    /// The remote refused us.
    #[error("{repository} refused access: {reason}")]
    Auth {
        /// The repository.
        repository: String,
        /// What it said.
        reason: String,
    },
    /// The remote sent us to another host. We do not follow, and it got no credentials.
    #[error("{repository} redirects to {location}")]
    Moved {
        /// The repository.
        repository: String,
        /// Where it wanted to send us, cut.
        location: String,
    },
    /// The remote could not be reached, or did not talk git.
    #[error("cannot fetch {repository}: {reason}")]
    Network {
        /// The repository.
        repository: String,
        /// The reason as the lower layers gave it.
        reason: String,
    },
    /// The remote looked at what we pushed and would not have it: a hook of its own, or a branch that is
    /// protected.
    #[error("{repository} refuses what is pushed: {reason}")]
    Refused {
        /// The repository.
        repository: String,
        /// What it said.
        reason: String,
    },
    /// The remote did not take what we pushed.
    #[error("cannot push to {repository}: {reason}")]
    Push {
        /// The repository.
        repository: String,
        /// What it said, or what stood in the way.
        reason: String,
    },
    /// Somebody works on the branch that was to be moved.
    #[error("branch {branch} is checked out in {}", .folder.display())]
    CheckedOut {
        /// The folder of the repository, or of its worktree, in which somebody works.
        folder: PathBuf,
        /// The branch.
        branch: String,
    },
    /// The deadline passed.
    #[error("{repository}: {phase} took longer than {after:?}")]
    Timeout {
        /// The repository.
        repository: String,
        /// What we were waiting for.
        phase: &'static str,
        /// The time that was given.
        after: Duration,
    },
    /// A cap was reached.
    #[error("{repository} is too large: {what}")]
    TooLarge {
        /// The repository.
        repository: String,
        /// Which cap.
        what: String,
    },
    /// Objects of the local mirror are missing or damaged.
    #[error("the mirror of {repository} is damaged: {reason}")]
    Corrupt {
        /// The repository.
        repository: String,
        /// What was found.
        reason: String,
    },
    /// The repository on this machine belongs to another account.
    #[error("repository {repository} belongs to another user")]
    ForeignOwner {
        /// The repository.
        repository: String,
    },
    /// Something that should not happen did.
    #[error("work on {repository} broke off: {reason}")]
    Internal {
        /// The repository.
        repository: String,
        /// What is known.
        reason: String,
    },
    /// The folder for a checkout exists already.
    #[error("checkout folder {path:?} exists already")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A file of ours could not be read or written.
    #[error("cannot {action} {path:?}")]
    Io {
        /// What we wanted.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// What does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absent {
    /// The repository at a remote address, or so the host says.
    Repository,
    /// A repository in a folder of this machine.
    LocalRepository,
    /// Our own copy: nothing was fetched yet.
    Copy,
    /// The branch that is meant when none is named.
    DefaultBranch,
    /// A branch, tag or commit, in words.
    Revision(String),
}

impl std::fmt::Display for Absent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Repository => "repository",
            Self::LocalRepository => "git repository",
            Self::Copy => "fetched copy (fetch first)",
            Self::DefaultBranch => "default branch",
            Self::Revision(words) => words,
        })
    }
}

impl Absent {
    fn hint(&self) -> &'static str {
        match self {
            Self::Repository | Self::Copy => {
                "check the spelling; hosts also answer so when the credentials may not see the repository"
            }
            Self::LocalRepository => {
                "check watch.repo: a path there starts from the folder of the pipeline file"
            }
            Self::DefaultBranch => {
                "commit something there, or name a branch: in watch.branches, or with --revision"
            }
            Self::Revision(_) => "check the spelling; what was not pushed there is not known",
        }
    }
}

/// The class of an [`Error`]: what a caller decides on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Wrong configuration or wrong input: trying again cannot help.
    Invalid,
    /// More than one answer.
    Ambiguous,
    /// It does not exist.
    NotFound,
    /// Refused by the remote.
    Auth,
    /// The repository has another address now.
    Moved,
    /// Worth another attempt later.
    Network,
    /// The deadline passed; worth another attempt later.
    Timeout,
    /// A cap was reached.
    TooLarge,
    /// The next fetch repairs it.
    Corrupt,
    /// This machine's files.
    Io,
    /// A defect of ours, or the program is ending.
    Internal,
}

impl Error {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::RefusedUrl { .. }
            | Self::UnfitAuth { .. }
            | Self::InvalidRevision { .. }
            | Self::CheckedOut { .. } => ErrorKind::Invalid,
            Self::AmbiguousRevision { .. } => ErrorKind::Ambiguous,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Auth { .. } | Self::ForeignOwner { .. } | Self::Refused { .. } => ErrorKind::Auth,
            Self::Internal { .. } => ErrorKind::Internal,
            Self::Moved { .. } => ErrorKind::Moved,
            Self::Network { .. } | Self::Push { .. } => ErrorKind::Network,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Exists { .. } | Self::Io { .. } => ErrorKind::Io,
        }
    }

    /// What the user can do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::RefusedUrl { .. } => {
                "use https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, or a path"
            }
            Self::UnfitAuth { .. } => {
                "username and password are for http(s), ssh_key is for ssh, a path needs neither"
            }
            Self::InvalidRevision { .. } => {
                "name a branch, a tag, or a commit id of 4 to 40 digits"
            }
            Self::AmbiguousRevision { .. } => {
                "give more digits, or refs/heads/NAME or refs/tags/NAME"
            }
            Self::NotFound { what, .. } => what.hint(),
            Self::Auth { .. } => {
                "check watch.auth; for ssh, that the key is loaded and the host is in known_hosts (connect once by hand)"
            }
            Self::Moved { .. } => "write the new address into watch.repo if you trust it",
            Self::Network { .. } => "check the address and the network; the next poll tries again",
            Self::Push { .. } | Self::Refused { .. } => {
                "check that the login may push there, and that no rule protects the branch"
            }
            Self::CheckedOut { .. } => {
                "name another branch in report.publish.git.branch, or check out something else there"
            }
            Self::Timeout { .. } => "check that the host answers; the next poll tries again",
            Self::TooLarge { .. } => "raise the limit, or watch a smaller repository",
            Self::Corrupt { .. } => "fetch again: the mirror is then made anew",
            Self::ForeignOwner { .. } => {
                "if you trust it: git config --global --add safe.directory PATH"
            }
            Self::Internal { .. } => "please report this with the log",
            Self::Exists { .. } => "remove it, or choose another folder",
            Self::Io { .. } => "check free space and permissions",
        }
    }

    /// What the user can do next when reports could not be published: other lines of the pipeline file
    /// count than where it watches.
    pub fn hint_for_publishing(&self) -> &'static str {
        match self {
            Self::NotFound { what: Absent::LocalRepository, .. } => {
                "check report.publish.git.repo: a path there starts from the folder of the pipeline file"
            }
            Self::Auth { .. } => {
                "check report.publish.git.repo, and that the login may push there: that of watch.auth \
                 when it is the watched repository, else what this machine has"
            }
            Self::Moved { .. } => {
                "write the new address into report.publish.git.repo if you trust it"
            }
            Self::InvalidRevision { .. } => "name another branch in report.publish.git.branch",
            Self::Network { .. } | Self::Timeout { .. } => {
                "check report.publish.git.repo and the network; it is tried again"
            }
            other => other.hint(),
        }
    }

    /// Whether the disk of the mirror took nothing: a fault of neither the repository nor the mirror.
    pub fn is_lack_of_room(&self) -> bool {
        match self {
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::ReadOnlyFilesystem
            ),
            _ => false,
        }
    }

    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| {
            // What libgit2 says has no kind of its own.
            let source = match disk_fault(&source.to_string()) {
                Some(kind) if source.kind() == io::ErrorKind::Other => io::Error::new(kind, source),
                Some(_) | None => source,
            };
            Self::Io { action, path, source }
        }
    }

    /// An error of libgit2 while working on our own mirror. One that the disk has no room for is sound.
    pub(super) fn mirror(repository: &str) -> impl Fn(git2::Error) -> Self {
        let repository = repository.to_owned();
        move |error| match disk_fault(error.message()) {
            Some(kind) => {
                let (action, path) = ("write to the mirror of", PathBuf::from(&repository));
                Self::Io { action, path, source: io::Error::new(kind, error) }
            }
            None => {
                Self::Corrupt { repository: repository.clone(), reason: clip(error.message(), 300) }
            }
        }
    }
}

/// What the disk said, where libgit2 passes on the words of the system (`strerror(3)`) and not its number.
fn disk_fault(message: &str) -> Option<io::ErrorKind> {
    let said = |words: &str| message.trim_end().ends_with(words);
    if said("No space left on device") {
        Some(io::ErrorKind::StorageFull)
    } else if said("Disk quota exceeded") {
        Some(io::ErrorKind::QuotaExceeded)
    } else if said("Read-only file system") {
        Some(io::ErrorKind::ReadOnlyFilesystem)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_damage_of_the_mirror() {
        let said = |words: &str| git2::Error::from_str(&format!("failed to write pack: {words}"));
        for words in ["No space left on device", "Disk quota exceeded", "Read-only file system"] {
            let noticed = Error::mirror("r")(said(words));
            assert!(noticed.is_lack_of_room() && noticed.kind() == ErrorKind::Io, "{noticed:?}");
            let written = Error::io("write", Path::new("m"))(io::Error::other(said(words)));
            assert!(written.is_lack_of_room(), "{written:?}");
        }
        let damaged = Error::mirror("r")(said("No space left on device was in its name"));
        assert!(matches!(damaged, Error::Corrupt { .. }));
        let full = Error::io("write", Path::new("m"))(io::ErrorKind::StorageFull.into());
        assert!(full.is_lack_of_room());
        let denied = Error::io("write", Path::new("m"))(io::ErrorKind::PermissionDenied.into());
        assert!(!denied.is_lack_of_room());
    }
}
