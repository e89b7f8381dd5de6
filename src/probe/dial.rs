//! From a host name to a connection: resolve, connect, TLS, each with its time.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::client::WallClock;
use super::fault::{Fault, FaultKind};
use super::stand_in::{self, StandIn};
use super::target::{HostRules, Target};
use super::tls::{self, TlsConfigs};
use super::trace::{Stage, Trace};
use super::transport::Transport;
use super::turns::{Turn, Turns};
use crate::domain::spec::TlsOptions;

/// Lookups of names at the same time. A resolver that never answers holds so many threads at most.
const MAX_LOOKUPS: usize = 16;
/// For so long a name is not looked up again: a thousand sockets that open at once ask once, and a
/// change of the name is still seen by the next round of readiness.
const LOOKUP_AGE: Duration = Duration::from_millis(500);
/// Before the next address of a name is tried beside the first (RFC 8305 says 250 ms).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Makes connections.
#[derive(Debug)]
pub(super) struct Dialer {
    rules: HostRules,
    tls: TlsConfigs,
    lookups: Arc<Semaphore>,
    turns: Turns,
    /// What names resolved to a moment ago.
    known: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
    clock: WallClock,
    /// Who answers in place of the network, where that is wanted.
    stand_in: Option<StandIn>,
}

/// What is wanted of a connection beside its target.
#[derive(Debug, Clone, Copy)]
pub(super) struct DialOptions<'a> {
    pub(super) tls: &'a TlsOptions,
    pub(super) http2: bool,
}

impl Dialer {
    pub(super) fn new(rules: HostRules, clock: WallClock, stand_in: Option<StandIn>) -> Self {
        let lookups = Arc::new(Semaphore::new(MAX_LOOKUPS));
        let (tls, known) = (TlsConfigs::default(), Mutex::default());
        Self { rules, tls, lookups, turns: Turns::default(), known, clock, stand_in }
    }

    /// Whether the pipeline's `hosts` allow this target.
    pub(super) fn check(&self, target: &Target) -> Result<(), Fault> {
        self.rules.check(target)
    }

    /// Connects; how long each part took, and whom it met, goes into the trace. The next connection
    /// to the same address has to wait for the turn that is given back, or for its end.
    pub(super) async fn dial(
        &self,
        target: &Target,
        options: DialOptions<'_>,
        trace: &mut Trace,
    ) -> Result<(Transport, Turn), Fault> {
        self.check(target)?;
        let place = target.authority();
        if let Some(stand_in) = &self.stand_in {
            trace.enter(Stage::Connecting);
            let stream = stand_in.connect().map_err(|error| Fault::from_io(&error, &place))?;
            trace.exchange.remote = Some("stand-in".to_owned());
            trace.exchange.tls = target.tls.then(|| Box::new(stand_in::certificate(&target.host)));
            let turn = self.turns.take(&target.host, target.port).await;
            return Ok((Transport::Memory(stream), turn));
        }
        trace.enter(Stage::Resolving);
        let started = Instant::now();
        let addresses = self.resolve(target).await?;
        trace.exchange.timings.resolve_us = Some(micros(started));

        trace.enter(Stage::Queueing);
        let queued = Instant::now();
        let turn = self.turns.take(&target.host, target.port).await;
        trace.set_out(queued.elapsed());
        trace.enter(Stage::Connecting);
        let started = Instant::now();
        let stream = connect(addresses, &place).await?;
        trace.exchange.timings.connect_us = Some(micros(started));
        trace.exchange.remote = stream.peer_addr().ok().map(|address| address.to_string());
        // Without it small requests wait for acknowledgements; a failure only costs time.
        let _slower = stream.set_nodelay(true);
        if !target.tls {
            return Ok((Transport::Plain(stream), turn));
        }

        trace.enter(Stage::Tls);
        let config = self.tls.get(options.tls, options.http2).await?;
        let started = Instant::now();
        let name = ServerName::try_from(target.host.clone())
            .map_err(|fault| Fault::new(FaultKind::BadRequest, fault.to_string()))?;
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| tls::handshake_fault(&error, &place))?;
        trace.exchange.timings.tls_us = Some(micros(started));
        let (_, connection) = stream.get_ref();
        trace.exchange.tls = tls::seen(connection, &target.host, options.tls, self.clock.now());
        if options.http2 && connection.alpn_protocol() != Some(b"h2") {
            let message = format!("{place} does not offer HTTP/2");
            return Err(Fault::new(FaultKind::Protocol, message));
        }
        Ok((Transport::Tls(Box::new(stream)), turn))
    }

    async fn resolve(&self, target: &Target) -> Result<Vec<SocketAddr>, Fault> {
        let with_port = |addresses: Vec<IpAddr>| {
            addresses.into_iter().map(|address| SocketAddr::new(address, target.port)).collect()
        };
        if let Ok(address) = target.host.parse::<IpAddr>() {
            return Ok(with_port(vec![address]));
        }
        if let Some(known) = self.known(&target.host) {
            return Ok(with_port(known));
        }
        let permit =
            Arc::clone(&self.lookups).acquire_owned().await.expect("the semaphore is never closed");
        if let Some(known) = self.known(&target.host) {
            return Ok(with_port(known));
        }
        let found = look_up(target.host.clone(), permit).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(target.host.clone(), (Instant::now(), found.clone()));
        Ok(with_port(found))
    }

    fn known(&self, host: &str) -> Option<Vec<IpAddr>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, addresses) = known.get(host)?;
        (at.elapsed() < LOOKUP_AGE).then(|| addresses.clone())
    }
}

/// Asks the system's resolver. The permit is held by the lookup, not by whoever waits for it: a caller
/// that gives up does not make room for one more hanging thread.
async fn look_up(host: String, permit: OwnedSemaphorePermit) -> Result<Vec<IpAddr>, Fault> {
    let name = host.clone();
    let unknown = |reason: String| {
        Fault::new(FaultKind::Dns, format!("the name {host} did not resolve: {reason}"))
    };
    let lookup = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|a| a.ip()).collect::<Vec<_>>())
    });
    let found = lookup.await.map_err(|fault| unknown(fault.to_string()))?;
    let addresses = found.map_err(|fault| unknown(fault.to_string()))?;
    if addresses.is_empty() {
        return Err(unknown("it has no address".to_owned()));
    }
    Ok(interleaved(addresses))
}

/// Addresses in turn by family, beginning with the family that the resolver put first.
fn interleaved(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let first_is_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
    let (mut preferred, mut other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    preferred.reverse();
    other.reverse();
    let mut out = Vec::new();
    while let Some(address) = preferred.pop() {
        out.push(address);
        out.extend(other.pop());
    }
    out.extend(other.into_iter().rev());
    out
}

/// Connects to the first address that answers; the next one is tried when the one before failed,
/// or beside it when it takes long.
async fn connect(addresses: Vec<SocketAddr>, place: &str) -> Result<TcpStream, Fault> {
    let mut waiting = addresses.into_iter();
    let mut running = FuturesUnordered::new();
    running.extend(waiting.next().map(TcpStream::connect));
    let mut first_fault = None;
    while !running.is_empty() {
        let more = waiting.len() > 0;
        let next = tokio::select! {
            Some(result) = running.next() => match result {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    first_fault.get_or_insert_with(|| Fault::from_io(&error, place));
                    waiting.next()
                }
            },
            () = tokio::time::sleep(NEXT_ADDRESS_AFTER), if more => waiting.next(),
        };
        running.extend(next.map(TcpStream::connect));
    }
    let none = || Fault::new(FaultKind::Unreachable, format!("{place} has no address"));
    Err(first_fault.unwrap_or_else(none))
}

/// Microseconds since an instant.
pub(super) fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |list: &[&str]| -> Vec<IpAddr> {
            list.iter().map(|text| text.parse().unwrap()).collect()
        };
        let found = interleaved(parse(&["::1", "::2", "1.0.0.1", "1.0.0.2", "1.0.0.3"]));
        let wanted = parse(&["::1", "1.0.0.1", "::2", "1.0.0.2", "1.0.0.3"]);
        assert_eq!(found, wanted);
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_the_first_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed = {
            let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            other.local_addr().unwrap()
        };
        let stream = connect(vec![closed, good], "x").await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert_eq!(connect(vec![closed], "x").await.unwrap_err().kind, FaultKind::Refused);
    }
}
