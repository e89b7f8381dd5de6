//! HTTP requests over the dialer: connections used again where that is wanted, redirects, cookies,
//! one deadline for everything.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{COOKIE, HOST, HeaderValue, LOCATION, SET_COOKIE};
use http::{Response, Uri, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use super::answer::{HttpAnswer, head_bytes, header_texts, read_body};
use super::cookies::CookieJar;
use super::deadline::Deadline;
use super::dial::{DialOptions, Dialer, micros};
use super::fault::{Fault, FaultKind};
use super::pool::{Connection, Pool, PoolKey, Sender};
use super::redirect::next_request;
use super::request::Request;
use super::stand_in::StandIn;
use super::target::{HostRules, Target};
use super::trace::{Evidencer, Stage, Trace};
use crate::domain::evidence::{Exchange, Protocol};

/// Makes requests; clones share connections, TLS configurations and what is masked.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) dialer: Dialer,
    pool: Pool,
    pub(super) evidencer: Evidencer,
    pub(super) tasks: TaskTracker,
    pub(super) clock: WallClock,
}

/// Where the wall time comes from, for cookies and certificates.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl WallClock {
    /// A clock that asks `now`.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The instant now.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl std::fmt::Debug for WallClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WallClock")
    }
}

/// Whether a request may go over a connection that is open already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionUse {
    /// It may.
    Shared,
    /// Each request gets a connection of its own, which is closed afterwards.
    Fresh,
}

/// How and until when a request is made.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The step it belongs to, for the evidence.
    pub step: &'a str,
    /// When everything must be done, redirects and body included.
    pub deadline: Deadline,
    /// Which connection it goes over.
    pub connection: ConnectionUse,
    /// The cookies of the case.
    pub cookies: Option<&'a Mutex<CookieJar>>,
}

/// What came of a request: the exchanges, one for each redirect followed, and the last answer.
#[derive(Debug)]
pub struct HttpResult {
    /// The exchanges, in order.
    pub exchanges: Vec<Exchange>,
    /// The answer, or why there is none.
    pub answer: Result<HttpAnswer, Fault>,
}

/// An answer whose body is still to be read.
pub(super) struct Opening {
    pub(super) exchanges: Vec<Exchange>,
    pub(super) open: Result<Open, Fault>,
}

pub(super) struct Open {
    pub(super) trace: Trace,
    pub(super) response: Response<Incoming>,
    pub(super) place: String,
    pub(super) sent_at: Instant,
    /// The connection and what it may be used for once the body is read.
    lease: Option<(PoolKey, Connection)>,
}

impl Client {
    /// A client that talks to allowed hosts only.
    pub fn new(rules: HostRules, evidencer: Evidencer, clock: WallClock) -> Self {
        Self::dialing(Dialer::new(rules, clock.clone(), None), evidencer, clock)
    }

    /// A client that reaches no network: every connection is one to the stand-in.
    pub fn with_stand_in(stand_in: StandIn, evidencer: Evidencer, clock: WallClock) -> Self {
        let dialer = Dialer::new(HostRules::any(), clock.clone(), Some(stand_in));
        Self::dialing(dialer, evidencer, clock)
    }

    fn dialing(dialer: Dialer, evidencer: Evidencer, clock: WallClock) -> Self {
        let (pool, tasks) = (Pool::default(), TaskTracker::new());
        Self { shared: Arc::new(Shared { dialer, pool, evidencer, tasks, clock }) }
    }

    /// What turns texts from outside into evidence.
    pub fn evidencer(&self) -> &Evidencer {
        &self.shared.evidencer
    }

    /// Makes a request and reads its answer to the end.
    pub async fn send(&self, request: Request, call: Call<'_>) -> HttpResult {
        let Opening { mut exchanges, open } = self.open(request, Protocol::Http, call).await;
        let answer = match open {
            Err(fault) => Err(fault),
            Ok(open) => {
                let (exchange, answer) = self.collect(open, call.deadline).await;
                exchanges.push(exchange);
                answer
            }
        };
        HttpResult { exchanges, answer }
    }

    /// Makes a request and follows redirects until there is an answer to read.
    pub(super) async fn open(
        &self,
        request: Request,
        protocol: Protocol,
        call: Call<'_>,
    ) -> Opening {
        let mut exchanges = Vec::new();
        let mut request = request;
        for hops in 0.. {
            let open = match self.hop(&request, protocol, call).await {
                Ok(open) => open,
                Err((exchange, fault)) => {
                    exchanges.push(*exchange);
                    return Opening { exchanges, open: Err(fault) };
                }
            };
            self.keep_cookies(&open.response, &request, call.cookies);
            let location = open.response.headers().get(LOCATION);
            let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
            let status = open.response.status().as_u16();
            match next_request(&request, hops, status, location.as_deref()) {
                Ok(None) => return Opening { exchanges, open: Ok(open) },
                Ok(Some(next)) => {
                    let (exchange, _body) = self.collect(open, call.deadline).await;
                    exchanges.push(exchange);
                    request = next;
                }
                Err(fault) => {
                    exchanges.push(open.trace.finish(Some(&fault), &self.shared.evidencer));
                    return Opening { exchanges, open: Err(fault) };
                }
            }
        }
        unreachable!("the redirect rules end after ten hops")
    }

    /// Sends one request and waits for the head of its answer.
    async fn hop(
        &self,
        request: &Request,
        protocol: Protocol,
        call: Call<'_>,
    ) -> Result<Open, (Box<Exchange>, Fault)> {
        let evidencer = &self.shared.evidencer;
        let method = request.method.as_str();
        let mut trace = Trace::begin(call.step, protocol, method, request.url.as_str(), evidencer);
        let place = Target::of(&request.url).map(|target| target.authority()).unwrap_or_default();
        let exchange = self.exchange(request, call, &mut trace);
        let outcome = match timeout_at(call.deadline.at, exchange).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(trace.timeout(&place, call.deadline.limit)),
        };
        match outcome {
            Ok((response, sent_at, lease)) => Ok(Open { trace, response, place, sent_at, lease }),
            Err(fault) => Err((Box::new(trace.finish(Some(&fault), evidencer)), fault)),
        }
    }

    async fn exchange(
        &self,
        request: &Request,
        call: Call<'_>,
        trace: &mut Trace,
    ) -> Result<(Response<Incoming>, Instant, Option<(PoolKey, Connection)>), Fault> {
        let target = Target::of(&request.url)?;
        self.shared.dialer.check(&target)?;
        let body = request.body.load().await?;
        let key = PoolKey { target, tls: request.tls.clone(), http2: request.http2 };
        if call.connection == ConnectionUse::Shared
            && let Some(mut connection) = self.shared.pool.take(&key).await
        {
            trace.exchange.remote.clone_from(&connection.remote);
            trace.exchange.tls.clone_from(&connection.tls);
            let outgoing = self.outgoing(request, &key, body.clone(), call.cookies)?;
            match round_trip(&mut connection, outgoing, body.len(), trace).await {
                Ok((response, sent_at)) => return Ok((response, sent_at, Some((key, connection)))),
                // The server may have closed the idle connection just then: ours to repeat, where
                // repeating is harmless.
                Err(error) if request.method.is_idempotent() && is_stale(&error) => {
                    trace.begin_again();
                }
                Err(error) => return Err(Fault::from_hyper(&error, &key.target.authority())),
            }
        }
        let mut connection = self.connect(&key, trace).await?;
        let outgoing = self.outgoing(request, &key, body.clone(), call.cookies)?;
        let place = key.target.authority();
        let (response, sent_at) = round_trip(&mut connection, outgoing, body.len(), trace)
            .await
            .map_err(|error| Fault::from_hyper(&error, &place))?;
        let lease = (call.connection == ConnectionUse::Shared).then_some((key, connection));
        Ok((response, sent_at, lease))
    }

    async fn connect(&self, key: &PoolKey, trace: &mut Trace) -> Result<Connection, Fault> {
        let options = DialOptions { tls: &key.tls, http2: key.http2 };
        let (transport, _turn) = self.shared.dialer.dial(&key.target, options, trace).await?;
        let place = key.target.authority();
        let broken = |error: hyper::Error| Fault::from_hyper(&error, &place);
        let io = TokioIo::new(transport);
        let sender = if key.http2 {
            let builder = http2::Builder::new(TokioExecutor::new());
            let (sender, connection) = builder.handshake(io).await.map_err(broken)?;
            self.shared.tasks.spawn(connection);
            Sender::H2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(broken)?;
            self.shared.tasks.spawn(connection);
            Sender::H1(sender)
        };
        let (remote, tls) = (trace.exchange.remote.clone(), trace.exchange.tls.clone());
        Ok(Connection::new(sender, remote, tls))
    }

    /// Reads the body of an answer and gives its connection back.
    pub(super) async fn collect(
        &self,
        open: Open,
        deadline: Deadline,
    ) -> (Exchange, Result<HttpAnswer, Fault>) {
        let Open { mut trace, mut response, place, sent_at, lease } = open;
        let mut so_far = BytesMut::new();
        let body = response.body_mut();
        let reading = read_body(body, sent_at, &place, &mut trace, &mut so_far);
        let read = match timeout_at(deadline.at, reading).await {
            Ok(read) => read,
            Err(_elapsed) => Err(trace.timeout(&place, deadline.limit)),
        };
        let evidencer = &self.shared.evidencer;
        match read {
            Ok(read) => {
                if let Some((key, connection)) = lease {
                    self.shared.pool.put(key, connection);
                }
                trace.exchange.body = Some(evidencer.excerpt(&read.bytes));
                let exchange = trace.finish(None, evidencer);
                let answer = HttpAnswer {
                    status: response.status().as_u16(),
                    headers: header_texts(response.headers()),
                    body: read.bytes,
                    total: Duration::from_micros(exchange.timings.total_us),
                    first_byte: read.first_byte,
                    tls_seconds_left: exchange.tls.as_ref().map(|tls| tls.seconds_left),
                    remote: exchange.remote.clone(),
                };
                (exchange, Ok(answer))
            }
            Err(fault) => {
                if !so_far.is_empty() {
                    trace.exchange.body = Some(evidencer.excerpt(&so_far));
                }
                (trace.finish(Some(&fault), evidencer), Err(fault))
            }
        }
    }
}

impl Client {
    /// A request as it goes out: HTTP/2 wants the whole address, HTTP/1.1 the path and a `Host`.
    fn outgoing(
        &self,
        request: &Request,
        key: &PoolKey,
        body: Bytes,
        cookies: Option<&Mutex<CookieJar>>,
    ) -> Result<http::Request<Full<Bytes>>, Fault> {
        let bad = |fault: String| Fault::new(FaultKind::BadRequest, fault);
        let uri: Uri = match key.http2 {
            true => request.url.as_str().parse(),
            false => request.url[url::Position::BeforePath..].parse(),
        }
        .map_err(|fault: http::uri::InvalidUri| bad(format!("{}: {fault}", request.url.path())))?;
        let mut out = http::Request::new(Full::new(body));
        *out.method_mut() = request.method.clone();
        *out.uri_mut() = uri;
        *out.headers_mut() = request.headers.clone();
        if key.http2 {
            *out.version_mut() = Version::HTTP_2;
        } else if !request.headers.contains_key(HOST) {
            let host = key.target.authority();
            let host = HeaderValue::try_from(host).map_err(|fault| bad(fault.to_string()))?;
            out.headers_mut().insert(HOST, host);
        }
        self.add_cookies(out.headers_mut(), &request.url, cookies)?;
        Ok(out)
    }

    /// Adds the cookies of the case, where the step gives none of its own.
    pub(super) fn add_cookies(
        &self,
        headers: &mut http::HeaderMap,
        url: &url::Url,
        cookies: Option<&Mutex<CookieJar>>,
    ) -> Result<(), Fault> {
        let Some(jar) = cookies.filter(|_| !headers.contains_key(COOKIE)) else { return Ok(()) };
        let jar = jar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = jar.header_for(url, self.shared.clock.now()) {
            let value = HeaderValue::try_from(value)
                .map_err(|fault| Fault::new(FaultKind::BadRequest, fault.to_string()))?;
            headers.insert(COOKIE, value);
        }
        Ok(())
    }

    fn keep_cookies(
        &self,
        response: &Response<Incoming>,
        request: &Request,
        cookies: Option<&Mutex<CookieJar>>,
    ) {
        let Some(jar) = cookies else { return };
        let mut jar = jar.lock().unwrap_or_else(PoisonError::into_inner);
        for value in response.headers().get_all(SET_COOKIE) {
            if let Ok(value) = value.to_str() {
                jar.store(&request.url, value, self.shared.clock.now());
            }
        }
    }
}

async fn round_trip(
    connection: &mut Connection,
    request: http::Request<Full<Bytes>>,
    body_bytes: usize,
    trace: &mut Trace,
) -> Result<(Response<Incoming>, Instant), hyper::Error> {
    trace.enter(Stage::Waiting);
    let path = request.uri().path_and_query().map_or(1, |path| path.as_str().len());
    let first_line = request.method().as_str().len() + 1 + path + " HTTP/1.1".len();
    trace.exchange.bytes_sent = head_bytes(first_line, request.headers()) + body_bytes as u64;
    let sent_at = Instant::now();
    let response = connection.sender.send(request).await?;
    trace.exchange.timings.first_byte_us = Some(micros(sent_at));
    trace.exchange.status = Some(response.status().as_u16());
    let version = match response.version() {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    trace.exchange.version = Some(version.to_owned());
    trace.exchange.bytes_received = head_bytes("HTTP/1.1 200 OK".len(), response.headers());
    Ok((response, sent_at))
}

/// Whether a connection was closed under a request before any of its answer came.
fn is_stale(error: &hyper::Error) -> bool {
    let fault = Fault::from_hyper(error, "");
    matches!(fault.kind, FaultKind::Cut | FaultKind::Reset)
}
