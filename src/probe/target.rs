//! Where a request goes, and where it may go.

use url::{Host, Url};

use super::fault::{Fault, FaultKind};
use crate::domain::hosts::HostList;

/// The host and port behind an address, and whether TLS is spoken there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    /// The name or address, an IPv6 address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
}

impl Target {
    /// Reads `http`, `https`, `ws` and `wss` addresses.
    pub(super) fn of(url: &Url) -> Result<Self, Fault> {
        let (tls, default_port) = match url.scheme() {
            "http" | "ws" => (false, 80),
            "https" | "wss" => (true, 443),
            scheme => {
                let message = format!("{scheme}: is not a scheme that a step can talk to");
                return Err(Fault::new(FaultKind::BadRequest, message));
            }
        };
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => {
                return Err(Fault::new(FaultKind::BadRequest, "the address has no host"));
            }
        };
        Ok(Self { host, port: url.port().unwrap_or(default_port), tls })
    }

    /// `host:port`, for people and the `Host` header alike; default ports are left out.
    pub(super) fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match (self.tls, self.port) {
            (false, 80) | (true, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// Which hosts native steps may talk to.
#[derive(Debug, Clone, Default)]
pub struct HostRules {
    allowed: Option<HostList>,
}

impl HostRules {
    /// Any host.
    pub fn any() -> Self {
        Self::default()
    }

    /// Only these; `*.example.com` is every name below `example.com`, not itself.
    pub fn only(hosts: impl IntoIterator<Item = String>) -> Self {
        Self { allowed: Some(HostList::new(hosts)) }
    }

    pub(super) fn check(&self, target: &Target) -> Result<(), Fault> {
        let Some(allowed) = &self.allowed else { return Ok(()) };
        if allowed.allows(&target.host, target.port) {
            return Ok(());
        }
        let host = target.host.to_ascii_lowercase();
        let rules = allowed.describe();
        let message = format!("host {host} is not one of the pipeline's hosts ({rules})");
        Err(Fault::new(FaultKind::NotAllowed, message))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn target(url: &str) -> Target {
        Target::of(&Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn default_ports_are_left_out() {
        assert_eq!(target("https://a.example/x").authority(), "a.example");
        assert_eq!(target("ws://a.example:81/x").authority(), "a.example:81");
        assert_eq!(target("http://[::1]:8080/").authority(), "[::1]:8080");
        assert!(Target::of(&Url::parse("file:///etc/passwd").unwrap()).is_err());
    }

    #[test]
    fn only_hosts_on_the_list_are_allowed() {
        let rules = HostRules::only(["staging.example.com".to_owned(), "*.cdn.example".to_owned()]);
        let allowed = |url: &str| rules.check(&target(url)).is_ok();
        assert!(allowed("https://STAGING.example.com/"));
        assert!(allowed("https://a.b.cdn.example/"));
        for bad in [
            "https://cdn.example/",
            "https://evilcdn.example/",
            "https://staging.example.com.evil.example/",
            "http://127.0.0.1/",
            "https://staging.example.com@evil.example/",
        ] {
            assert!(!allowed(bad), "{bad} was allowed");
        }
        assert!(HostRules::any().check(&target("http://anything.example/")).is_ok());
    }
}
