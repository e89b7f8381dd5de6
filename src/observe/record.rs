//! Counts, bytes and times, within bounds.
//!
//! What it must not do: wait, or keep anything of what was said.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::stretches::{Stretches, instant};
use crate::domain::observed::{ConnectionSeen, HostSeen, Observed, Totals};

/// How many hosts are kept apart.
pub(super) const HOSTS: usize = 1_000;

/// How many connections are kept with their times.
pub(super) const CONNECTIONS: usize = 10_000;

/// How many addresses of one host are kept.
const ADDRESSES: usize = 8;

/// Takes what happens.
pub(super) struct Recorder {
    started_at: Timestamp,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    hosts: Vec<Host>,
    by_name: HashMap<Arc<str>, usize>,
    other_hosts: Totals,
    connections: Vec<Arc<Meter>>,
    /// Connections that are open and not kept, so that their bytes count up to now.
    unkept: Vec<Arc<Meter>>,
    more_connections: u64,
    turned_away: u64,
}

struct Host {
    name: Arc<str>,
    addresses: Vec<IpAddr>,
    totals: Totals,
    first: Duration,
    last: Duration,
}

/// Why a connection was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmade {
    /// It is not allowed.
    Refused,
    /// It failed.
    Failed,
}

/// What one connection moves.
pub(super) struct Meter {
    host: Arc<str>,
    started: Instant,
    began: Duration,
    usage: Mutex<Usage>,
}

#[derive(Clone, Default)]
struct Usage {
    sent: u64,
    received: u64,
    stretches: Stretches,
    ended: Option<Duration>,
}

/// A connection that is open for as long as this lives.
pub(super) struct Open(Arc<Meter>);

/// Which way bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the host.
    Sent,
    /// From the host.
    Received,
}

/// A lock that another thread died with is as good as any: there is nothing in it that could be half
/// done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    /// One that starts now.
    pub(super) fn new(started_at: Timestamp) -> Self {
        Self { started_at, started: Instant::now(), state: Mutex::default() }
    }

    /// A connection that was asked for at `began` and made, to that address.
    pub(super) fn connection(&self, host: &str, began: Instant, address: Option<IpAddr>) -> Open {
        let began = began.saturating_duration_since(self.started);
        let mut state = lock(&self.state);
        let (host, totals) = state.host(host, began);
        totals.connections += 1;
        state.reached(&host, address);
        let meter = Arc::new(Meter { host, started: self.started, began, usage: Mutex::default() });
        if state.connections.len() < CONNECTIONS {
            state.connections.push(Arc::clone(&meter));
        } else {
            state.more_connections += 1;
            state.settle_unkept();
            state.unkept.push(Arc::clone(&meter));
        }
        Open(meter)
    }

    /// A connection that was not made.
    pub(super) fn unmade(&self, host: &str, how: Unmade) {
        let now = self.started.elapsed();
        let mut state = lock(&self.state);
        let (_, totals) = state.host(host, now);
        match how {
            Unmade::Refused => totals.refused += 1,
            Unmade::Failed => totals.failed += 1,
        }
    }

    /// A plain request that is passed on.
    pub(super) fn request(&self, host: &str) {
        let now = self.started.elapsed();
        let mut state = lock(&self.state);
        state.host(host, now).1.requests += 1;
    }

    /// A request that was not for a proxy, or had no right.
    pub(super) fn turned_away(&self) {
        lock(&self.state).turned_away += 1;
    }

    /// What was seen so far.
    pub(super) fn observed(&self) -> Observed {
        let now = self.started.elapsed();
        let mut state = lock(&self.state);
        state.settle_unkept();
        let state = &*state;
        let mut hosts: Vec<HostSeen> = state.hosts.iter().map(|host| self.host(host)).collect();
        let mut other_hosts = state.other_hosts;
        for meter in state.connections.iter().chain(&state.unkept) {
            let usage = lock(&meter.usage).clone();
            let totals = match state.by_name.get(&meter.host) {
                Some(at) => {
                    let host = &mut hosts[*at];
                    let last = usage.stretches.ended().unwrap_or(meter.began);
                    host.last_at = host.last_at.max(self.instant(last));
                    &mut host.totals
                }
                None => &mut other_hosts,
            };
            totals.bytes_sent += usage.sent;
            totals.bytes_received += usage.received;
        }
        let connections = state.connections.iter().map(|meter| self.seen(meter, now)).collect();
        Observed {
            hosts,
            other_hosts,
            connections,
            more_connections: state.more_connections,
            turned_away: state.turned_away,
        }
    }

    fn host(&self, host: &Host) -> HostSeen {
        HostSeen {
            host: host.name.to_string(),
            addresses: host.addresses.clone(),
            totals: host.totals,
            first_at: self.instant(host.first),
            last_at: self.instant(host.last),
        }
    }

    fn seen(&self, meter: &Meter, now: Duration) -> ConnectionSeen {
        let usage = lock(&meter.usage).clone();
        let ended = usage.ended.unwrap_or(now);
        ConnectionSeen {
            host: meter.host.to_string(),
            began_at: self.instant(meter.began),
            ended_at: self.instant(ended),
            bytes_sent: usage.sent,
            bytes_received: usage.received,
            active: usage.stretches.spans(self.started_at),
        }
    }

    /// To the microsecond, which is more than anything can be told apart by.
    fn instant(&self, after: Duration) -> Timestamp {
        instant(self.started_at, after)
    }
}

impl State {
    /// The host of that name, asked for at that time, or what all others come to.
    fn host(&mut self, name: &str, at: Duration) -> (Arc<str>, &mut Totals) {
        if let Some(index) = self.by_name.get(name) {
            let host = &mut self.hosts[*index];
            host.last = host.last.max(at);
            return (Arc::clone(&host.name), &mut host.totals);
        }
        let name: Arc<str> = Arc::from(name);
        if self.hosts.len() >= HOSTS {
            return (name, &mut self.other_hosts);
        }
        self.by_name.insert(Arc::clone(&name), self.hosts.len());
        let totals = Totals::default();
        let host_name = Arc::clone(&name);
        self.hosts.push(Host { name: host_name, addresses: vec![], totals, first: at, last: at });
        let index = self.hosts.len() - 1;
        (name, &mut self.hosts[index].totals)
    }

    fn reached(&mut self, name: &Arc<str>, address: Option<IpAddr>) {
        let host = self.by_name.get(name).map(|index| &mut self.hosts[*index]);
        if let (Some(host), Some(address)) = (host, address)
            && host.addresses.len() < ADDRESSES
            && !host.addresses.contains(&address)
        {
            host.addresses.push(address);
        }
    }

    /// Adds the bytes of connections that have ended and are not kept to their hosts'.
    fn settle_unkept(&mut self) {
        // Most are over by the time the list has doubled, so that each is looked at a few times at most.
        let Self { unkept, hosts, by_name, other_hosts, .. } = self;
        if unkept.len() < unkept.capacity() {
            return;
        }
        unkept.retain(|meter| {
            let usage = lock(&meter.usage);
            if usage.ended.is_none() {
                return true;
            }
            let totals = match by_name.get(&meter.host) {
                Some(at) => &mut hosts[*at].totals,
                None => &mut *other_hosts,
            };
            totals.bytes_sent += usage.sent;
            totals.bytes_received += usage.received;
            false
        });
    }
}

impl Meter {
    /// Counts bytes that went through just now.
    pub(super) fn moved(&self, way: Way, bytes: usize) {
        let now = self.started.elapsed();
        let mut usage = lock(&self.usage);
        match way {
            Way::Sent => usage.sent += bytes as u64,
            Way::Received => usage.received += bytes as u64,
        }
        usage.stretches.moved(now);
    }
}

impl Deref for Open {
    type Target = Meter;

    fn deref(&self) -> &Meter {
        &self.0
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.0.usage).ended = Some(self.0.started.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder() -> Recorder {
        Recorder::new(Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_connection_counts_for_its_host_while_it_is_open_and_after() {
        let recorder = recorder();
        let meter = recorder.connection("a:443", Instant::now(), None);
        meter.moved(Way::Sent, 10);
        meter.moved(Way::Received, 20);
        let mut meter = Some(meter);
        for _ in 0..2 {
            let seen = recorder.observed();
            let totals = seen.hosts[0].totals;
            assert_eq!((totals.connections, totals.bytes_sent, totals.bytes_received), (1, 10, 20));
            assert_eq!(seen.connections[0].host, "a:443");
            assert_eq!(seen.connections[0].active.len(), 1);
            meter.take();
        }
    }

    #[test]
    fn what_is_not_kept_is_counted() {
        let recorder = recorder();
        for n in 0..HOSTS + 5 {
            recorder.unmade(&format!("h{n}:80"), Unmade::Failed);
        }
        for _ in 0..CONNECTIONS + 100 {
            let meter = recorder.connection("other:80", Instant::now(), None);
            meter.moved(Way::Sent, 1);
        }
        recorder.unmade("h0:80", Unmade::Refused);
        recorder.request("h0:80");
        recorder.turned_away();
        let seen = recorder.observed();
        assert_eq!(seen.hosts.len(), HOSTS);
        assert_eq!((seen.hosts[0].totals.refused, seen.hosts[0].totals.requests), (1, 1));
        assert_eq!(seen.other_hosts.failed, 5);
        let all = (CONNECTIONS + 100) as u64;
        assert_eq!((seen.other_hosts.connections, seen.other_hosts.bytes_sent), (all, all));
        assert_eq!((seen.connections.len(), seen.more_connections), (CONNECTIONS, 100));
        assert_eq!(seen.turned_away, 1);
        // Those that ended are not remembered.
        assert!(lock(&recorder.state).unkept.len() < 100);
    }
}
