//! The cookies of one case, kept from step to step (RFC 6455 handshakes get them too).
//!
//! A small jar: domain, path, `Secure`, `Max-Age` and `Expires` are honoured, a foreign domain is
//! refused. It has no list of public suffixes, as it lives no longer than a case.

use jiff::{SignedDuration, Timestamp};
use url::Url;

/// At most so many cookies are kept.
const MAX_COOKIES: usize = 200;
/// A longer cookie is not kept.
const MAX_COOKIE_BYTES: usize = 8 * 1024;

/// The cookies of one case.
#[derive(Debug, Clone, Default)]
pub struct CookieJar {
    cookies: Vec<Cookie>,
}

#[derive(Debug, Clone)]
struct Cookie {
    name: String,
    value: String,
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    expires_at: Option<Timestamp>,
}

impl CookieJar {
    /// Takes a `Set-Cookie` header of an answer from `url`; what cannot be read is left out.
    pub fn store(&mut self, url: &Url, header: &str, now: Timestamp) {
        if header.len() > MAX_COOKIE_BYTES {
            return;
        }
        let Some(cookie) = parse(url, header, now) else { return };
        self.cookies.retain(|old| {
            (&old.name, &old.domain, &old.path) != (&cookie.name, &cookie.domain, &cookie.path)
        });
        let expired = cookie.expires_at.is_some_and(|at| at <= now);
        if !expired && self.cookies.len() < MAX_COOKIES {
            self.cookies.push(cookie);
        }
    }

    /// The value of the `Cookie` header for a request to `url`.
    pub fn header_for(&self, url: &Url, now: Timestamp) -> Option<String> {
        let fits = |cookie: &&Cookie| {
            let host = url.host_str().unwrap_or_default();
            let domain = match cookie.host_only {
                true => host == cookie.domain,
                false => is_within(host, &cookie.domain),
            };
            domain
                && path_matches(url.path(), &cookie.path)
                && (!cookie.secure || matches!(url.scheme(), "https" | "wss"))
                && cookie.expires_at.is_none_or(|at| at > now)
        };
        let mut found: Vec<&Cookie> = self.cookies.iter().filter(fits).collect();
        found.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> =
            found.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

fn parse(url: &Url, header: &str, now: Timestamp) -> Option<Cookie> {
    let mut parts = header.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let host = url.host_str()?.to_owned();
    let mut cookie = Cookie {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        domain: host.clone(),
        host_only: true,
        path: default_path(url.path()),
        secure: false,
        expires_at: None,
    };
    let mut max_age = None;
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "domain" if !value.is_empty() => {
                let domain = value.trim_start_matches('.').to_ascii_lowercase();
                if !is_within(&host, &domain) {
                    return None;
                }
                cookie.host_only = false;
                cookie.domain = domain;
            }
            "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
            "secure" => cookie.secure = true,
            "max-age" => max_age = value.parse::<i64>().ok(),
            "expires" => {
                // The day of the week says nothing that the date does not, and is often wrong.
                let date = value.split_once(", ").map_or(value, |(_, date)| date);
                let date = jiff::fmt::rfc2822::parse(&date.replace('-', " ")).ok();
                cookie.expires_at = date.map(|date| date.timestamp());
            }
            _ => {}
        }
    }
    if let Some(seconds) = max_age {
        // A time too far to be told never comes.
        cookie.expires_at = now.checked_add(SignedDuration::from_secs(seconds)).ok();
    }
    (!cookie.name.is_empty()).then_some(cookie)
}

fn is_within(host: &str, domain: &str) -> bool {
    let below = || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    host == domain || (!is_address && domain.contains('.') && below())
}

fn default_path(path: &str) -> String {
    match path.rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(end) => path[..end].to_owned(),
    }
}

fn path_matches(path: &str, cookie_path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn jar(from: &str, headers: &[&str]) -> CookieJar {
        let mut jar = CookieJar::default();
        for header in headers {
            jar.store(&url(from), header, Timestamp::UNIX_EPOCH);
        }
        jar
    }

    fn sent(jar: &CookieJar, to: &str) -> Option<String> {
        jar.header_for(&url(to), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn cookies_go_back_where_they_belong() {
        let from = "https://app.example.com/a/b";
        let jar = jar(
            from,
            &[
                "s=1; Path=/",
                "deep=2",
                "wide=3; Domain=example.com; Path=/",
                "safe=4; Secure; Path=/",
            ],
        );
        assert_eq!(sent(&jar, from).unwrap(), "deep=2; s=1; wide=3; safe=4");
        assert_eq!(sent(&jar, "http://app.example.com/").unwrap(), "s=1; wide=3");
        assert_eq!(sent(&jar, "https://api.example.com/a").unwrap(), "wide=3");
        assert_eq!(sent(&jar, "https://example.org/"), None);
        assert_eq!(sent(&jar, "https://app.example.com/ab").unwrap(), "s=1; wide=3; safe=4");
    }

    #[test]
    fn cookies_are_replaced_and_end() {
        let from = "http://a.example/";
        let jar_of = |headers: &[&str]| sent(&jar(from, headers), from);
        assert_eq!(jar_of(&["s=1", "s=2"]).unwrap(), "s=2");
        assert_eq!(jar_of(&["s=1", "s=; Max-Age=0"]), None);
        assert_eq!(jar_of(&["s=1", "s=x; Expires=Wed, 21 Oct 1969 07:28:00 GMT"]), None);
        assert_eq!(jar_of(&["s=1; Max-Age=9223372036854775807"]).unwrap(), "s=1");
        assert_eq!(jar_of(&["no pair", "=x", "s=1; Domain=other.example"]), None);
        assert_eq!(jar_of(&["s=1; Domain=example"]), None);
    }
}
