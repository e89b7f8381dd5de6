//! Addresses of the service that a command is given and that do not lead to the proxy. Pure.
//!
//! What it must not do: give back a value, which may hold a password.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};

use http::uri::Authority;

use super::destination::{Origin, Service};
use crate::domain::login::without_login;
use crate::observe::Target;
use crate::prove::NotLed;

/// What may stand between values of a list.
const BETWEEN: &[char] = &[',', ';', '|', ' ', '\t', '\n', '"', '\''];

/// Why an address of the service is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stray {
    /// No variable says what is behind the entrance.
    NoEntrance,
    /// It is not what is behind the entrance.
    OtherOrigin,
    /// A login stands in it.
    Login,
    /// It is a host without a scheme.
    NoScheme,
    /// It stands behind another value.
    InList,
}

impl Stray {
    /// For people: what it is, and what to do.
    fn told(self) -> &'static str {
        match self {
            Self::NoEntrance => {
                "is an address of the service, but no var is named `base_url`: only a client that honours \
                 HTTP_PROXY comes through the proxy, and TLS stays shut. Name the service's address `base_url`"
            }
            Self::OtherOrigin => {
                "is an address of the service at another origin than `base_url`: only a client that honours \
                 HTTP_PROXY comes through the proxy by it, and TLS stays shut. Give it the origin of \
                 `base_url`, or have the tests make it of ANDON_VAR_BASE_URL"
            }
            Self::Login => {
                "is an address of the service with a login in it, which would get lost: it is left as it is. \
                 Give the login as a secret, and the address without it"
            }
            Self::NoScheme => {
                "is the service's host without a scheme: it is left as it is. Give it as http://…, or have the \
                 tests read ANDON_VAR_BASE_URL"
            }
            Self::InList => {
                "has an address of the service within a list: it is left as it is. Give each address a variable \
                 of its own"
            }
        }
    }
}

impl Service {
    /// The variables of a command, name and value, that have an address of the service and do not lead to
    /// the proxy. As in an environment the last of a name counts.
    pub fn not_led(&self, variables: &[(String, String)]) -> Vec<NotLed> {
        let mut seen = HashSet::new();
        let last = variables.iter().rev().filter(|(name, _)| seen.insert(name.as_str()));
        let mut not_led: Vec<NotLed> = last
            .filter_map(|(name, value)| {
                let why = self.stray(value)?.told().to_owned();
                Some(NotLed { variable: name.clone(), why })
            })
            .collect();
        not_led.sort_by(|one, other| one.variable.cmp(&other.variable));
        not_led
    }

    fn stray(&self, value: &str) -> Option<Stray> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let is_led = self.entrance(value, anywhere).is_some();
        let parts = value.split(BETWEEN).filter(|part| !part.is_empty());
        parts.enumerate().find_map(|(place, part)| match part.contains("://") {
            true if place == 0 && is_led => None,
            true => self.stray_address(part, place > 0 || value.contains(',')),
            false => self.names_host(part).then_some(Stray::NoScheme),
        })
    }

    fn stray_address(&self, part: &str, is_in_list: bool) -> Option<Stray> {
        let bare = without_login(part);
        let (login, origin) = (bare != part, Origin::of(&bare)?);
        if !self.knows(&origin.name()) {
            return None;
        }
        Some(match (login, self.origin()) {
            (true, _) => Stray::Login,
            (false, None) => Stray::NoEntrance,
            (false, Some(known)) if *known != origin => Stray::OtherOrigin,
            (false, Some(_)) => is_in_list.then_some(Stray::InList)?,
        })
    }

    /// Whether a text is a host of the service: `host:port`, or a name with a dot in it alone.
    fn names_host(&self, part: &str) -> bool {
        let host = part.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let authority = host.parse::<Authority>().ok();
        if let Some(target) = authority.and_then(|authority| Target::of(&authority, None)) {
            return self.knows(&target.name());
        }
        let is_name = host.contains('.') && host.contains(|c: char| c.is_ascii_alphabetic());
        is_name && [80, 443].iter().any(|port| self.knows(&format!("{host}:{port}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Service {
        Service::of([
            ("base_url", "https://api.example/v1"),
            ("ws_url", "wss://sockets.example"),
            ("old", "http://me:hunter2@old.example:81/"),
            ("name", "staging"),
        ])
    }

    #[test]
    fn an_address_that_does_not_lead_to_the_proxy_is_told_apart() {
        for (value, stray) in [
            ("https://api.example", None),
            ("wss://api.example/ws", None),
            ("staging", None),
            ("https://elsewhere.example", None),
            ("elsewhere.example:443", None),
            ("see api docs", None),
            ("wss://sockets.example/ws", Some(Stray::OtherOrigin)),
            ("http://old.example:81/x", Some(Stray::OtherOrigin)),
            ("https://me:hunter2@api.example/", Some(Stray::Login)),
            ("http://me:hunter2@old.example:81/", Some(Stray::Login)),
            ("api.example:443", Some(Stray::NoScheme)),
            ("API.example:443/v1", Some(Stray::NoScheme)),
            ("api.example", Some(Stray::NoScheme)),
            ("https://api.example/a,https://api.example/b", Some(Stray::InList)),
            ("https://api.example,https://api.example", Some(Stray::InList)),
            ("https://elsewhere.example https://api.example", Some(Stray::InList)),
            ("https://api.example/x?ids=1,2", None),
        ] {
            assert_eq!(service().stray(value), stray, "{value}");
        }
        let nameless = Service::of([("api_url", "https://api.example")]);
        assert_eq!(nameless.stray("https://api.example"), Some(Stray::NoEntrance));
        assert_eq!(Service::of([("name", "x")]).stray("https://api.example"), None);
    }

    #[test]
    fn no_value_is_told() {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let told = service().not_led(&[
            own("B", "https://api.example"),
            own("B", "https://me:hunter2@api.example"),
            own("A", "api.example:443"),
            own("C", "api.example:443"),
            own("C", "https://api.example"),
        ]);
        let names: Vec<&str> = told.iter().map(|told| told.variable.as_str()).collect();
        assert_eq!(names, ["A", "B"]);
        assert!(told.iter().all(|told| !told.why.contains("hunter2")));
    }
}
