//! Where a request is to go, and which addresses are those of the service. Pure.

use std::net::SocketAddr;

use http::Uri;
use http::uri::{Authority, Scheme};
use url::Url;

use crate::domain::login::without_login;
use crate::observe::Target;

/// The service that is tested.
#[derive(Debug, Clone, Default)]
pub struct Service {
    origin: Option<Origin>,
    /// `host:port` of each address that is known; empty: nobody knows, so that every host counts.
    hosts: Vec<String>,
}

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    target: Target,
    is_tls: bool,
}

impl Service {
    /// By the pipeline's variables, name and value: `base_url` is the address behind the entrance, and every
    /// address among the values is one of the service.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut service = Self::default();
        for (name, value) in variables {
            let Some(origin) = Origin::of(&without_login(value)) else { continue };
            let host = origin.name();
            if !service.hosts.contains(&host) {
                service.hosts.push(host);
            }
            if name == "base_url" {
                service.origin = Origin::of(value);
            }
        }
        service
    }

    /// Whether a host, as `host:port`, is named as one of the service.
    pub(super) fn knows(&self, host: &str) -> bool {
        self.hosts.iter().any(|known| known == host)
    }

    /// Whether a host, as `host:port`, is the service's.
    pub fn has(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.knows(host)
    }

    /// Whether TLS is spoken behind the entrance.
    pub fn is_tls(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.is_tls)
    }

    /// What is behind the entrance.
    pub(super) fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The address in the clear by which the same place is reached through a proxy at `here`, where the value
    /// is an address at the origin of the entrance.
    pub(super) fn entrance(&self, value: &str, here: SocketAddr) -> Option<String> {
        if Origin::of(value)? != *self.origin.as_ref()? {
            return None;
        }
        let (scheme, rest) = value.split_once("://")?;
        let scheme = if scheme.to_ascii_lowercase().starts_with("ws") { "ws" } else { "http" };
        let path = rest.find(['/', '?', '#']).map_or("", |at| &rest[at..]);
        Some(format!("{scheme}://{here}{path}"))
    }
}

impl Origin {
    /// Of an address of HTTP or WebSocket. One with a login in it is left alone: it would get lost.
    pub(super) fn of(value: &str) -> Option<Self> {
        let url = Url::parse(value).ok()?;
        let is_tls = match url.scheme() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => return None,
        };
        let authority: Authority = url.authority().parse().ok()?;
        let target = Target::of(&authority, Some(if is_tls { 443 } else { 80 }))?;
        Some(Self { target, is_tls })
    }

    /// Its host, as `host:port`.
    pub(super) fn name(&self) -> String {
        self.target.name()
    }

    /// The beginning of its addresses, without the port that goes without saying.
    pub(super) fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    fn authority(&self) -> String {
        match (self.is_tls, self.target.port) {
            (true, 443) | (false, 80) => {
                let name = self.target.name();
                name.rsplit_once(':').map_or(name.clone(), |(host, _)| host.to_owned())
            }
            _ => self.target.name(),
        }
    }
}

/// How a client came here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// Over a connection of its own.
    Direct,
    /// Through a tunnel to this host, in which it speaks HTTP in the clear.
    Tunnel(Target),
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    /// The host.
    pub(super) target: Target,
    /// Whether TLS is spoken there.
    pub(super) is_tls: bool,
    /// What its `Host` must say; `None`: what the client says.
    pub(super) authority: Option<String>,
    /// Whether the client talks to the entrance, and must not learn of another address.
    pub(super) by_entrance: bool,
}

/// Where a request goes that came to the proxy at `here`; `None` where that cannot be told.
pub(super) fn destination(
    uri: &Uri,
    way: &Way,
    service: &Service,
    here: SocketAddr,
) -> Option<Destination> {
    let entrance = || {
        let origin = service.origin()?;
        Some(Destination {
            target: origin.target.clone(),
            is_tls: origin.is_tls,
            authority: Some(origin.authority()),
            by_entrance: true,
        })
    };
    if let Some(authority) = uri.authority() {
        let is_http = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme_str() == Some("ws");
        let target = Target::of(authority, Some(80)).filter(|_| is_http)?;
        if is_here(&target, here) {
            return entrance();
        }
        let authority = Some(authority.to_string());
        return Some(Destination { target, is_tls: false, authority, by_entrance: false });
    }
    match way {
        Way::Tunnel(target) if !is_here(target, here) => Some(Destination {
            target: target.clone(),
            is_tls: false,
            authority: None,
            by_entrance: false,
        }),
        Way::Tunnel(_) | Way::Direct => entrance(),
    }
}

/// Whether a host is the proxy itself.
pub(super) fn is_here(target: &Target, here: SocketAddr) -> bool {
    let is_loopback = target.host == here.ip().to_string() || target.host == "localhost";
    is_loopback && target.port == here.port()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn here() -> SocketAddr {
        "127.0.0.1:9".parse().unwrap()
    }

    fn service() -> Service {
        Service::of([
            ("base_url", "https://api.example/v1"),
            ("ws_url", "wss://api.example:443"),
            ("control_url", "http://api.example:81"),
            ("name", "x"),
        ])
    }

    #[test]
    fn addresses_at_the_origin_of_the_service_lead_to_the_entrance() {
        for (value, entrance) in [
            ("https://api.example/v1", Some("http://127.0.0.1:9/v1")),
            ("HTTPS://API.example", Some("http://127.0.0.1:9")),
            ("wss://api.example:443?a=b", Some("ws://127.0.0.1:9?a=b")),
            ("http://api.example", None),
            ("https://api.example:8443", None),
            ("https://user:pass@api.example/", None),
            ("api.example", None),
            ("see https://api.example", None),
        ] {
            assert_eq!(service().entrance(value, here()).as_deref(), entrance, "{value}");
        }
        assert_eq!(Service::default().entrance("https://api.example", here()), None);
    }

    #[test]
    fn every_address_of_a_variable_is_one_of_the_service() {
        let service = service();
        assert!(service.has("api.example:443") && service.has("api.example:81"));
        assert!(!service.has("mails.example:443"));
        assert!(Service::of([("name", "x")]).has("anything:1"), "nobody knows better");
        assert_eq!(service.origin().unwrap().url(), "https://api.example");
    }

    #[test]
    fn a_request_says_where_it_goes() {
        let tunnel =
            |authority: &str| Way::Tunnel(Target::of(&authority.parse().unwrap(), None).unwrap());
        let goes = |uri: &str, way: &Way| {
            let to = destination(&uri.parse().unwrap(), way, &service(), here())?;
            Some((to.target.name(), to.is_tls, to.authority, to.by_entrance))
        };
        let entrance = Some(("api.example:443".to_owned(), true, Some("api.example".into()), true));
        assert_eq!(goes("/x", &Way::Direct), entrance);
        assert_eq!(goes("http://127.0.0.1:9/x", &Way::Direct), entrance);
        assert_eq!(goes("/x", &tunnel("localhost:9")), entrance);
        let other = ("b.example:80".to_owned(), false, Some("b.example".to_owned()), false);
        assert_eq!(goes("http://b.example/x", &Way::Direct), Some(other));
        let through = ("b.example:81".to_owned(), false, None, false);
        assert_eq!(goes("/x", &tunnel("b.example:81")), Some(through));
        assert_eq!(goes("https://b.example/x", &Way::Direct), None);
        let nowhere =
            destination(&"/x".parse().unwrap(), &Way::Direct, &Service::default(), here());
        assert_eq!(nowhere, None);
    }
}
