//! git's smart HTTP protocol as a transport of libgit2, over the same TLS as everything else: to fetch,
//! and to push reports.
//!
//! The credentials go to the configured host and nowhere else: redirects are followed only within
//! that host, and another host is an error of its own, so that a moved repository is noticed.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use reqwest::StatusCode;
use reqwest::blocking::{RequestBuilder, Response};
use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION};
use url::Url;

use super::auth::Auth;
use super::client::client_for;
use super::error::{Absent, Error};
use super::helper::stored_credentials;
use super::session::{Program, Session};
use super::text::{clip, clip_bytes};
use crate::domain::errors::chain;

/// How much of an error of the HTTP machinery is kept.
pub(super) const CAUSE_CAP: usize = 400;
const MAX_REDIRECTS: usize = 5;
const LIST_SUFFIX: &str = "/info/refs";
/// The most bytes that libgit2 may want to send at once: a negotiation, or a pack of reports.
const REQUEST_CAP: usize = 64 << 20;

/// The transport of one http(s) fetch or push.
pub(super) struct HttpTransport {
    session: Arc<Session>,
    state: Arc<Mutex<State>>,
}

/// What the first request finds out for the later ones.
struct State {
    /// The repository's address, after redirects within the host.
    base: Url,
    authorization: Option<HeaderValue>,
}

impl HttpTransport {
    pub(super) fn new(session: Arc<Session>, base: Url) -> Self {
        let authorization = match &session.auth {
            Auth::Basic { username, password } => basic(username, password.expose()),
            Auth::Ambient | Auth::None | Auth::SshKey(_) => None,
        };
        Self { session, state: Arc::new(Mutex::new(State { base, authorization })) }
    }

    /// Asks for the list of references, following redirects within the host.
    fn list(&self, program: Program) -> Result<Response, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut asked_helper = false;
        let mut redirects = 0;
        loop {
            let mut url = state.base.clone();
            url.set_path(&format!("{}{LIST_SUFFIX}", state.base.path()));
            let (query, list_type) = (program.list_query(), program.media_type("advertisement"));
            url.set_query(Some(&query));
            let request = client(&self.session, &url)?.get(url.clone()).header(ACCEPT, &list_type);
            let response = send(&self.session, request, &state)?;
            let status = response.status();
            if status.is_redirection() {
                redirects += 1;
                state.base = self.redirected(&url, &response, redirects, &query)?;
            } else if status == StatusCode::UNAUTHORIZED
                && self.may_ask_helper(&state, asked_helper)
            {
                asked_helper = true;
                let found =
                    stored_credentials(&self.session.git, &state.base, self.session.deadline);
                state.authorization =
                    found.and_then(|(user, password)| basic(&user, password.expose()));
                if state.authorization.is_none() {
                    return Err(refused(&self.session, response));
                }
            } else {
                return accept(&self.session, response, &list_type);
            }
        }
    }

    fn may_ask_helper(&self, state: &State, asked: bool) -> bool {
        !asked && state.authorization.is_none() && matches!(self.session.auth, Auth::Ambient)
    }

    /// The new base address, if the redirect stays within the host.
    fn redirected(
        &self,
        from: &Url,
        response: &Response,
        count: usize,
        query: &str,
    ) -> Result<Url, Error> {
        let location =
            response.headers().get(LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let text = String::from_utf8_lossy(location);
        let target = from.join(&text).ok();
        match target.as_ref().and_then(|target| base_within_host(from, target, query)) {
            Some(base) if count <= MAX_REDIRECTS => Ok(base),
            Some(_) => Err(self.session.network(format!("more than {MAX_REDIRECTS} redirects"))),
            None => Err(Error::Moved {
                repository: self.session.repository.clone(),
                location: clip(target.as_ref().map_or(&text, |target| target.as_str()), 200),
            }),
        }
    }
}

impl SmartSubtransport for HttpTransport {
    fn action(
        &self,
        _url: &str,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let session = Arc::clone(&self.session);
        let program = Program::of(service);
        match service {
            Service::UploadPackLs | Service::ReceivePackLs => {
                let response = self.list(program).map_err(|error| self.session.fail(error))?;
                Ok(Box::new(Reply { session, response }))
            }
            Service::UploadPack | Service::ReceivePack => Ok(Box::new(Exchange {
                session,
                program,
                state: Arc::clone(&self.state),
                request: Vec::new(),
                response: None,
            })),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// The list of references: nothing to write.
struct Reply {
    session: Arc<Session>,
    response: Response,
}

impl Read for Reply {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.session.read(&mut self.response, buffer)
    }
}

impl Write for Reply {
    fn write(&mut self, _buffer: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("this request has no body"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One request and its response: collected while libgit2 writes, sent when it starts to read.
struct Exchange {
    session: Arc<Session>,
    program: Program,
    state: Arc<Mutex<State>>,
    request: Vec<u8>,
    response: Option<Response>,
}

impl Exchange {
    fn post(&mut self) -> Result<Response, Error> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut url = state.base.clone();
        url.set_path(&format!("{}/{}", state.base.path(), self.program.as_str()));
        let (request_type, result_type) =
            (self.program.media_type("request"), self.program.media_type("result"));
        let request = client(&self.session, &url)?
            .post(url)
            .header(CONTENT_TYPE, request_type)
            .header(ACCEPT, &result_type)
            .body(std::mem::take(&mut self.request));
        let response = send(&self.session, request, &state)?;
        accept(&self.session, response, &result_type)
    }
}

impl Read for Exchange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let response = match self.response.take() {
            Some(response) => response,
            None => self.post().map_err(|error| io::Error::other(self.session.fail(error)))?,
        };
        let response = self.response.insert(response);
        self.session.read(response, buffer)
    }
}

impl Write for Exchange {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.request.len() + buffer.len() > REQUEST_CAP {
            let what = format!("more than {} MiB would have to be sent at once", REQUEST_CAP >> 20);
            return Err(io::Error::other(self.session.fail(self.session.too_large(what))));
        }
        self.request.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn client(session: &Session, url: &Url) -> Result<reqwest::blocking::Client, Error> {
    client_for(url.scheme()).map_err(|reason| session.network(reason))
}

fn send(session: &Session, request: RequestBuilder, state: &State) -> Result<Response, Error> {
    const PHASE: &str = "waiting for the remote";
    session.deadline.check(&session.repository, PHASE)?;
    let mut request =
        request.timeout(session.deadline.remaining()).header(CACHE_CONTROL, "no-cache");
    if let Some(authorization) = &state.authorization {
        request = request.header(AUTHORIZATION, authorization.clone());
    }
    request.send().map_err(|error| {
        if session.deadline.has_passed() {
            session.deadline.timeout(&session.repository, PHASE)
        } else {
            // Without the URL: the message names the repository already.
            session.network(clip(&chain(&error.without_url()), CAUSE_CAP))
        }
    })
}

/// Takes a response only when it is what a git server would send.
fn accept(session: &Session, response: Response, wanted: &str) -> Result<Response, Error> {
    let status = response.status();
    let found = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    match status {
        StatusCode::OK if found == wanted.as_bytes() => Ok(response),
        StatusCode::OK => Err(session.network(format!(
            "it answered with {:?}, which is not the git smart protocol",
            clip_bytes(found, 80)
        ))),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(refused(session, response)),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(Error::NotFound {
            what: Absent::Repository,
            repository: session.repository.clone(),
        }),
        _ => Err(session.network(format!("it answered {status}"))),
    }
}

fn refused(session: &Session, response: Response) -> Error {
    let with = match (response.status(), &session.auth) {
        (StatusCode::FORBIDDEN, _) => "",
        (_, Auth::Basic { .. }) => ": user name or password is wrong",
        (_, Auth::Ambient) => ": it wants a login, and no credential helper knows one",
        (_, Auth::None | Auth::SshKey(_)) => ": it wants a login",
    };
    Error::Auth {
        repository: session.repository.clone(),
        reason: format!("{}{with}", response.status()),
    }
}

/// Same host and port, or the same host moving up to https; and still a list of references.
fn base_within_host(from: &Url, target: &Url, query: &str) -> Option<Url> {
    let moves_up = from.scheme() == "http"
        && target.scheme() == "https"
        && from.port().is_none()
        && target.port().is_none();
    let same_origin = from.scheme() == target.scheme()
        && from.port_or_known_default() == target.port_or_known_default();
    let allowed = from.host() == target.host()
        && (same_origin || moves_up)
        && target.username().is_empty()
        && target.password().is_none();
    if !allowed || target.query() != Some(query) {
        return None;
    }
    let mut base = target.clone();
    base.set_path(target.path().strip_suffix(LIST_SUFFIX)?);
    base.set_query(None);
    base.set_fragment(None);
    Some(base)
}

fn basic(username: &str, password: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!(
        "Basic {}",
        STANDARD.encode(format!("{username}:{password}"))
    ))
    .ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_redirect_stays_within_the_host() {
        let query = Program::UploadPack.list_query();
        let from = Url::parse(&format!("http://git.example.com/a{LIST_SUFFIX}?{query}")).unwrap();
        for (location, base) in [
            ("/b/info/refs?service=git-upload-pack", Some("http://git.example.com/b")),
            (
                "https://git.example.com/a/info/refs?service=git-upload-pack",
                Some("https://git.example.com/a"),
            ),
            ("https://git.example.com:8443/a/info/refs?service=git-upload-pack", None),
            ("http://git.example.com:8080/a/info/refs?service=git-upload-pack", None),
            ("http://evil.example.com/a/info/refs?service=git-upload-pack", None),
            ("http://git.example.com.evil.com/a/info/refs?service=git-upload-pack", None),
            ("http://x:y@git.example.com/a/info/refs?service=git-upload-pack", None),
            ("//evil.example.com/a/info/refs?service=git-upload-pack", None),
            ("file:///etc/info/refs?service=git-upload-pack", None),
            ("/login?next=/info/refs", None),
            ("/b/info/refs", None),
        ] {
            let target = from.join(location).unwrap();
            let found = base_within_host(&from, &target, &query);
            assert_eq!(found.as_ref().map(Url::as_str), base, "{location}");
        }
        let secure =
            Url::parse("https://git.example.com/a/info/refs?service=git-upload-pack").unwrap();
        let down =
            secure.join("http://git.example.com/a/info/refs?service=git-upload-pack").unwrap();
        assert_eq!(base_within_host(&secure, &down, &query), None);
    }

    #[test]
    fn credentials_are_not_printed_with_the_headers() {
        let value = basic("ci", "hunter2").unwrap();
        assert!(!format!("{value:?}").contains("Y2k"));
        assert_eq!(value.as_bytes(), b"Basic Y2k6aHVudGVyMg==");
    }
}
