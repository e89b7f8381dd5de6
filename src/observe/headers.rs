//! What a proxy must read and change of a request's head (RFC 9110 sections 7.6 and 11.7).
//!
//! What it must not do: change anything else. There is no `Via`: servers answer differently to it, and
//! what is tested is to be what users get.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION, UPGRADE};
use http::uri::Authority;
use subtle::ConstantTimeEq as _;

/// What concerns one hop only, besides what `Connection` names.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What stands before the secret.
const SCHEME: &str = "Basic ";

/// The value of `Proxy-Authorization` for a user and a password.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("{SCHEME}{}", STANDARD.encode(format!("{user}:{password}")))
}

/// Whether the head has the credential. The time this takes tells nothing about it.
pub(super) fn has_credential(headers: &HeaderMap, credential: &str) -> bool {
    let mut values = headers.get_all(PROXY_AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let (given, wanted) = (value.as_bytes(), credential.as_bytes());
    // The word before the secret may be written in any case.
    let (Some(scheme), Some(secret)) = (given.get(..SCHEME.len()), given.get(SCHEME.len()..))
    else {
        return false;
    };
    let is_same: bool = secret.ct_eq(&wanted[SCHEME.len()..]).into();
    scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) && is_same
}

/// Takes out what concerns one hop only; the protocol that is asked for instead is given back.
pub(crate) fn strip(headers: &mut HeaderMap) -> Option<HeaderValue> {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    // HTTP/2 without TLS begins with settings for this hop, and no server insists on it.
    let upgrade = headers.get(UPGRADE).filter(|wanted| *wanted != "h2c").cloned();
    let upgrade = upgrade.filter(|_| named.contains(&UPGRADE));
    for name in named {
        // A length is no matter of one hop, whoever says so.
        if name != http::header::CONTENT_LENGTH && name != http::header::HOST {
            headers.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    upgrade
}

/// Asks the next hop for another protocol.
pub(crate) fn ask_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// The longest name that the domain name system has.
const LONGEST_NAME: usize = 253;

/// The host that a request goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// A name or an address, in lower case; an IPv6 address without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

impl Target {
    /// Reads `host:port`. Credentials in it are for nobody, and are refused.
    pub(crate) fn of(authority: &Authority, default_port: Option<u16>) -> Option<Self> {
        if authority.as_str().contains('@') {
            return None;
        }
        let port = match (authority.port_u16(), authority.port()) {
            (Some(port), _) => port,
            // A port that is none: `host:` or `host:99999`.
            (None, Some(_)) => return None,
            (None, None) if authority.as_str().ends_with(':') => return None,
            (None, None) => default_port?,
        };
        let host = authority.host();
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_name = !host.is_empty() && host.len() <= LONGEST_NAME;
        (is_name && port != 0).then_some(Self { host, port })
    }

    /// `host:port`, an IPv6 address in brackets.
    pub(crate) fn name(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn what_concerns_one_hop_is_taken_out() {
        let mut map = headers(&[
            ("connection", "close, X-Mine"),
            ("connection", "content-length"),
            ("x-mine", "1"),
            ("proxy-authorization", "Basic x"),
            ("proxy-connection", "keep-alive"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("accept", "*/*"),
        ]);
        assert_eq!(strip(&mut map), None);
        assert_eq!(map, headers(&[("content-length", "3"), ("accept", "*/*")]));
    }

    #[test]
    fn an_upgrade_is_asked_for_only_where_connection_names_it() {
        let mut map = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert_eq!(strip(&mut map).unwrap(), "websocket");
        assert!(map.is_empty());
        assert_eq!(strip(&mut headers(&[("upgrade", "websocket")])), None);
        assert_eq!(strip(&mut headers(&[("connection", "upgrade"), ("upgrade", "h2c")])), None);
    }

    #[test]
    fn only_the_whole_credential_will_do() {
        let credential = basic("andon", "secret");
        let has = |value: &'static str| {
            has_credential(&headers(&[("proxy-authorization", value)]), &credential)
        };
        assert!(has("Basic YW5kb246c2VjcmV0") && has("basic YW5kb246c2VjcmV0"));
        for value in ["", "Basic", "Basic YW5kb246c2VjcmV", "Basic YW5kb246c2VjcmV0=", "basic x"] {
            assert!(!has(value), "{value}");
        }
        assert!(!has_credential(&HeaderMap::new(), &credential));
    }

    #[test]
    fn a_target_has_a_host_and_a_port() {
        for (text, default, name) in [
            ("Example.COM:443", None, Some("example.com:443")),
            ("example.com.", Some(80), Some("example.com:80")),
            ("[::1]:8080", None, Some("[::1]:8080")),
            ("10.0.0.1", Some(80), Some("10.0.0.1:80")),
            ("example.com", None, None),
            ("example.com:", Some(80), None),
            ("example.com:0", Some(80), None),
            ("user:secret@example.com:80", None, None),
        ] {
            let target = text.parse().ok().and_then(|authority| Target::of(&authority, default));
            assert_eq!(target.map(|target| target.name()).as_deref(), name, "{text}");
        }
        let long = format!("{}.example:80", "x".repeat(250));
        assert_eq!(long.parse().ok().and_then(|authority| Target::of(&authority, None)), None);
    }
}
