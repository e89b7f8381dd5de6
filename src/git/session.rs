//! Carries one fetch's (or push's) address, credentials and deadline through libgit2 to our transports.
//!
//! libgit2 knows a remote by its URL alone, and its transports are registered once for the whole
//! process. So each fetch gets a made-up URL that means nothing outside of this table: credentials
//! cannot reach another fetch, `insteadOf` rules of a git configuration cannot redirect one, and
//! libgit2's own transports are never chosen.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use git2::Remote;
use git2::transport::{Service, Transport};
use url::Url;

use super::auth::Auth;
use super::deadline::Deadline;
use super::error::Error;
use super::http::{CAUSE_CAP, HttpTransport};
use super::ssh::SshTransport;
use super::text::clip;
use super::url::SshTarget;
use crate::domain::errors::chain;

const SCHEME: &str = "andon-session";
/// The most bytes of a list of references that are read.
const ADVERTISEMENT_CAP: usize = 64 << 20;

/// Where a session leads.
pub(super) enum Wire {
    Http(Url),
    Ssh(SshTarget),
}

/// The program at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// Gives objects.
    UploadPack,
    /// Takes objects.
    ReceivePack,
}

impl Program {
    /// The one that libgit2 wants to talk to.
    pub(super) fn of(service: Service) -> Self {
        match service {
            Service::UploadPackLs | Service::UploadPack => Self::UploadPack,
            Service::ReceivePackLs | Service::ReceivePack => Self::ReceivePack,
        }
    }

    /// Its name, as a command and in addresses.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    /// The query of its list of references.
    pub(super) fn list_query(self) -> String {
        format!("service={}", self.as_str())
    }

    /// One of its media types: `advertisement`, `request`, `result`.
    pub(super) fn media_type(self, part: &str) -> String {
        format!("application/x-{}-{part}", self.as_str())
    }
}

/// Everything a transport needs to know about the fetch or push it works for.
pub(super) struct Session {
    pub(super) repository: String,
    pub(super) wire: Wire,
    pub(super) auth: Auth,
    pub(super) ssh: OsString,
    pub(super) git: OsString,
    pub(super) deadline: Deadline,
    pub(super) max_bytes: u64,
    received: AtomicU64,
    advertisement: Mutex<Recording>,
    failure: Mutex<Option<Error>>,
}

/// What the remote said first: its references.
#[derive(Default)]
struct Recording {
    bytes: Vec<u8>,
    is_over: bool,
}

impl Session {
    pub(super) fn new(repository: String, wire: Wire, auth: Auth, deadline: Deadline) -> Self {
        Self {
            repository,
            wire,
            auth,
            ssh: "ssh".into(),
            git: "git".into(),
            deadline,
            max_bytes: u64::MAX,
            received: AtomicU64::new(0),
            advertisement: Mutex::default(),
            failure: Mutex::default(),
        }
    }

    /// Keeps the first failure for whoever started the fetch, and gives libgit2 something to stop at.
    pub(super) fn fail(&self, error: Error) -> git2::Error {
        let short = git2::Error::new(
            git2::ErrorCode::GenericError,
            git2::ErrorClass::Net,
            error.to_string(),
        );
        lock(&self.failure).get_or_insert(error);
        short
    }

    pub(super) fn take_failure(&self) -> Option<Error> {
        lock(&self.failure).take()
    }

    pub(super) fn network(&self, reason: String) -> Error {
        Error::Network { repository: self.repository.clone(), reason }
    }

    /// Ends the recording and returns the list of references.
    pub(super) fn take_advertisement(&self) -> Vec<u8> {
        let mut recording = lock(&self.advertisement);
        recording.is_over = true;
        std::mem::take(&mut recording.bytes)
    }

    /// Reads from the wire: counts, caps, records the list of references, keeps the deadline.
    pub(super) fn read(&self, wire: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
        const PHASE: &str = "reading from the remote";
        let stop = |error: Error| io::Error::other(self.fail(error));
        self.deadline.check(&self.repository, PHASE).map_err(stop)?;
        let count = wire.read(buffer).map_err(|error| {
            let late = self.deadline.has_passed() || error.kind() == io::ErrorKind::TimedOut;
            stop(if late {
                self.deadline.timeout(&self.repository, PHASE)
            } else {
                self.network(clip(&chain(&error), CAUSE_CAP))
            })
        })?;
        if count == 0 {
            // A killed helper program looks like an end of its output.
            self.deadline.check(&self.repository, PHASE).map_err(stop)?;
        }
        let total = self.received.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        if total > self.max_bytes {
            return Err(stop(
                self.too_large(format!("it sent more than {} bytes", self.max_bytes)),
            ));
        }
        let mut recording = lock(&self.advertisement);
        if !recording.is_over {
            if recording.bytes.len() + count > ADVERTISEMENT_CAP {
                return Err(stop(
                    self.too_large("its list of references is longer than 64 MiB".to_owned()),
                ));
            }
            recording.bytes.extend_from_slice(&buffer[..count]);
        }
        Ok(count)
    }

    pub(super) fn too_large(&self, what: String) -> Error {
        Error::TooLarge { repository: self.repository.clone(), what }
    }
}

/// A session's entry in the table; it leaves the table on drop.
pub(super) struct Registered {
    id: u64,
}

impl Registered {
    /// Puts the session into the table.
    pub(super) fn new(session: Arc<Session>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        lock(sessions()).insert(id, session);
        Self { id }
    }

    /// The URL under which libgit2 finds the session.
    pub(super) fn url(&self) -> String {
        format!("{SCHEME}://{}", self.id)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        lock(sessions()).remove(&self.id);
    }
}

fn sessions() -> &'static Mutex<HashMap<u64, Arc<Session>>> {
    static SESSIONS: OnceLock<Mutex<HashMap<u64, Arc<Session>>>> = OnceLock::new();
    SESSIONS.get_or_init(Mutex::default)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes libgit2 know our scheme. Cheap after the first call.
///
/// # Errors
/// What libgit2 said when it refused; it is the same answer for the whole process.
pub(super) fn register_transports() -> Result<(), String> {
    static ONCE: OnceLock<Result<(), String>> = OnceLock::new();
    ONCE.get_or_init(|| {
        // SAFETY: libgit2's table of transports has no lock. The cell runs this once, and opening a
        // mirror, before which this crate makes no remote, runs it; nothing else registers any.
        #[allow(unsafe_code)]
        let registered = unsafe { git2::transport::register(SCHEME, transport_for) };
        registered.map_err(|error| error.message().to_owned())
    })
    .clone()
}

fn transport_for(remote: &Remote<'_>) -> Result<Transport, git2::Error> {
    let id =
        remote.url()?.strip_prefix(SCHEME).and_then(|rest| rest.strip_prefix("://")?.parse().ok());
    let session = id.and_then(|id: u64| lock(sessions()).get(&id).cloned());
    let Some(session) = session else {
        return Err(git2::Error::from_str("no such session"));
    };
    match &session.wire {
        Wire::Http(base) => {
            let base = base.clone();
            Transport::smart(remote, true, HttpTransport::new(session, base))
        }
        Wire::Ssh(_) => Transport::smart(remote, false, SshTransport::new(session)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    fn session(max_bytes: u64, deadline: Duration) -> Session {
        let wire = Wire::Http(Url::parse("http://localhost/x").unwrap());
        let mut session = Session::new("x".into(), wire, Auth::None, Deadline::after(deadline));
        session.max_bytes = max_bytes;
        session
    }

    #[test]
    fn reading_stops_at_the_cap_and_at_the_deadline() {
        let mut buffer = [0; 8];
        let capped = session(10, Duration::from_secs(60));
        assert_eq!(capped.read(&mut &b"12345678"[..], &mut buffer).unwrap(), 8);
        capped.read(&mut &b"123"[..], &mut buffer).unwrap_err();
        assert!(matches!(capped.take_failure(), Some(Error::TooLarge { .. })));

        let late = session(10, Duration::ZERO);
        late.read(&mut &b"1"[..], &mut buffer).unwrap_err();
        assert!(matches!(late.take_failure(), Some(Error::Timeout { .. })));
    }

    #[test]
    fn only_the_list_of_references_is_recorded() {
        let session = session(100, Duration::from_secs(60));
        let mut buffer = [0; 8];
        session.read(&mut &b"refs"[..], &mut buffer).unwrap();
        assert_eq!(session.take_advertisement(), b"refs");
        session.read(&mut &b"pack"[..], &mut buffer).unwrap();
        assert!(session.take_advertisement().is_empty());
    }

    #[test]
    fn a_session_is_gone_after_its_fetch() {
        register_transports().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let repo = git2::Repository::init_bare(dir.path()).unwrap();
        let registered = Registered::new(Arc::new(session(100, Duration::from_secs(60))));
        let url = registered.url();
        drop(registered);
        repo.remote_anonymous(&url).unwrap().connect(git2::Direction::Fetch).unwrap_err();
    }
}
