//! What a proxy saw of a suite command on the network.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything that went through a proxy during one run of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The hosts, in the order of their first use; the first thousand are kept apart.
    pub hosts: Vec<HostSeen>,
    /// What all other hosts come to.
    #[serde(default, skip_serializing_if = "Totals::is_empty")]
    pub other_hosts: Totals,
    /// The connections, in the order in which they began; the first ten thousand are kept with times.
    pub connections: Vec<ConnectionSeen>,
    /// How many connections are only counted.
    #[serde(default)]
    pub more_connections: u64,
    /// Requests that were none a proxy can answer, or had no right to be answered.
    #[serde(default)]
    pub turned_away: u64,
}

impl Observed {
    /// The same with its connections only counted, as it is kept for good.
    #[must_use]
    pub fn without_times(self) -> Self {
        let connections = self.more_connections + self.connections.len() as u64;
        Self { connections: Vec::new(), more_connections: connections, ..self }
    }
}

/// What was seen of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSeen {
    /// `host:port`, in lower case; an IPv6 address in brackets.
    pub host: String,
    /// The addresses that were connected to, the first eight of them.
    pub addresses: Vec<IpAddr>,
    /// What it came to.
    #[serde(flatten)]
    pub totals: Totals,
    /// When it was first asked for.
    pub first_at: Timestamp,
    /// When it was last asked for, or a byte went to or from it.
    pub last_at: Timestamp,
}

/// Counts and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Connections that were made: tunnels, and those for plain requests.
    pub connections: u64,
    /// Plain HTTP requests that were passed on; what goes through a tunnel is not seen.
    pub requests: u64,
    /// Connections that could not be made.
    pub failed: u64,
    /// Connections that the pipeline's `hosts` do not allow.
    pub refused: u64,
    /// Bytes to the host.
    pub bytes_sent: u64,
    /// Bytes from the host.
    pub bytes_received: u64,
}

impl Totals {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One connection to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionSeen {
    /// `host:port`, as in [`HostSeen`].
    pub host: String,
    /// When it was asked for.
    pub began_at: Timestamp,
    /// When it ended, or the run did.
    pub ended_at: Timestamp,
    /// Bytes to the host.
    pub bytes_sent: u64,
    /// Bytes from the host.
    pub bytes_received: u64,
    /// When bytes moved, in order and without overlap: clients keep a connection for many cases.
    pub active: Vec<Span>,
}

/// A stretch of time, both ends within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

impl Span {
    /// Whether they have an instant in common.
    pub fn meets(self, other: Span) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_is_stored_as_it_was_seen() {
        let at = Timestamp::UNIX_EPOCH;
        let observed = Observed {
            hosts: vec![HostSeen {
                host: "[::1]:443".to_owned(),
                addresses: vec!["::1".parse().unwrap()],
                totals: Totals { connections: 1, bytes_sent: 2, ..Totals::default() },
                first_at: at,
                last_at: at,
            }],
            connections: vec![ConnectionSeen {
                host: "[::1]:443".to_owned(),
                began_at: at,
                ended_at: at,
                bytes_sent: 2,
                bytes_received: 0,
                active: vec![Span { from: at, to: at }],
            }],
            more_connections: 3,
            ..Observed::default()
        };
        let json = serde_json::to_value(&observed).unwrap();
        assert_eq!(json["hosts"][0]["connections"], 1);
        assert_eq!(json.get("other_hosts"), None);
        assert_eq!(serde_json::from_value::<Observed>(json).unwrap(), observed);
    }

    #[test]
    fn stretches_meet_where_they_share_an_instant() {
        let span = |from, to| Span {
            from: Timestamp::from_second(from).unwrap(),
            to: Timestamp::from_second(to).unwrap(),
        };
        assert!(span(0, 2).meets(span(2, 3)));
        assert!(span(0, 9).meets(span(2, 3)) && span(2, 3).meets(span(0, 9)));
        assert!(!span(0, 1).meets(span(2, 3)) && !span(2, 3).meets(span(0, 1)));
    }
}
