//! Who may do what: tokens with roles, names under which we are reached, origins of browsers. Pure:
//! headers in, a caller or a refusal out.
//!
//! Rights come from the token alone, never from a name or an address that a request brings along.
//! Of a token only its digest is kept, and digests are compared in constant time.

use std::net::{IpAddr, SocketAddr};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::domain::redact::Secret;
use crate::pipeline::Role;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it tells nothing that is worth a guard.
    Nothing,
    /// A signature over the body, which its handler checks. No browser can make one, so neither
    /// the name of the host nor the origin matters.
    Signature,
    /// A token with at least this role.
    Role(Role),
    /// Nothing yet, for here somebody says who they are; but it must be a page of ours that asks.
    Login,
}

/// Who may use the daemon.
#[derive(Debug)]
pub struct Access {
    listen: SocketAddr,
    hosts: Vec<String>,
    tokens: Vec<Token>,
}

#[derive(Debug)]
struct Token {
    name: String,
    role: Role,
    digest: [u8; 32],
}

/// Why access as it is configured is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AccessError {
    /// Everybody could do everything.
    #[error("{listen} can be reached from outside, and no tokens are configured")]
    Open {
        /// The address to listen on.
        listen: SocketAddr,
    },
    /// Which of the two is meant?
    #[error("the tokens {first} and {second} have the same value")]
    SameValue {
        /// The earlier one.
        first: String,
        /// The later one.
        second: String,
    },
}

impl AccessError {
    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Open { .. } => {
                "put `tokens: [{ name: ci, role: trigger, token: { env: ANDON_CI_TOKEN } }]` into \
                 andon.yaml (roles: read, trigger, admin), or listen on 127.0.0.1"
            }
            Self::SameValue { .. } => "give each its own, or remove one of them",
        }
    }
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name of the token; `None` where none is needed.
    pub token: Option<String>,
    role: Role,
    digest: Option<[u8; 32]>,
}

impl Caller {
    /// Whether it may do what takes this role.
    pub(super) fn may(&self, role: Role) -> bool {
        self.role >= role
    }

    /// What it may do.
    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// One with a token, for tests.
    #[cfg(test)]
    pub(super) fn for_test(token: &str, role: Role) -> Self {
        Self { token: Some(token.to_owned()), role, digest: Some(digest_of(token.as_bytes())) }
    }
}

/// Why a caller is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// No token was given, or not as `Bearer`.
    NoToken,
    /// The token is none of ours.
    UnknownToken,
    /// The token's role is not enough.
    Role {
        /// The token.
        token: String,
        /// What it may do.
        has: Role,
        /// What it would take.
        needs: Role,
    },
}

impl Access {
    /// Access by these tokens, at this address, under these other names.
    ///
    /// # Errors
    /// When everybody could reach it and there are no tokens, or two have the same value.
    pub fn new(
        listen: SocketAddr,
        hosts: Vec<String>,
        tokens: Vec<(String, Role, Secret)>,
    ) -> Result<Self, AccessError> {
        if tokens.is_empty() && !listen.ip().to_canonical().is_loopback() {
            return Err(AccessError::Open { listen });
        }
        let mut known: Vec<Token> = Vec::new();
        for (name, role, secret) in tokens {
            let digest = digest_of(secret.expose().as_bytes());
            if let Some(twin) = known.iter().find(|token| token.digest == digest) {
                return Err(AccessError::SameValue { first: twin.name.clone(), second: name });
            }
            known.push(Token { name, role, digest });
        }
        let hosts = hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        Ok(Self { listen, hosts, tokens: known })
    }

    /// The address that this is about.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Who calls with this `Authorization`.
    pub(super) fn admit(
        &self,
        authorization: Option<&[u8]>,
        role: Role,
    ) -> Result<Caller, Refused> {
        if self.tokens.is_empty() {
            return Ok(Caller { token: None, role: Role::Admin, digest: None });
        }
        let digest = digest_of(bearer(authorization.ok_or(Refused::NoToken)?)?);
        let token = self.token(&digest).ok_or(Refused::UnknownToken)?;
        if token.role < role {
            let (token, has) = (token.name.clone(), token.role);
            return Err(Refused::Role { token, has, needs: role });
        }
        Ok(Caller { token: Some(token.name.clone()), role: token.role, digest: Some(digest) })
    }

    /// Who calls in a session that this caller opened: what it may do is what its token may do now.
    pub(super) fn admit_again(&self, caller: &Caller, role: Role) -> Result<Caller, Refused> {
        let token = caller.digest.as_ref().and_then(|digest| self.token(digest));
        let token = token.ok_or(Refused::NoToken)?;
        if token.role < role {
            let (token, has) = (token.name.clone(), token.role);
            return Err(Refused::Role { token, has, needs: role });
        }
        Ok(Caller { role: token.role, ..caller.clone() })
    }

    /// Whether a caller that was let in still would be: tokens are taken away while streams run.
    pub(super) fn still_admits(&self, caller: &Caller) -> bool {
        match &caller.digest {
            Some(digest) => self.token(digest).is_some_and(|token| token.role >= caller.role),
            None => self.tokens.is_empty(),
        }
    }

    /// Looks at every token, whichever is the right one.
    fn token(&self, digest: &[u8; 32]) -> Option<&Token> {
        let mut found = None;
        for token in &self.tokens {
            if bool::from(token.digest.ct_eq(digest)) {
                found = Some(token);
            }
        }
        found
    }

    /// Whether we are meant by a `Host`. A page that had its own name resolve to this machine
    /// (DNS rebinding) still sends that name.
    pub(super) fn knows_host(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        if name == "localhost" || self.hosts.contains(&name) {
            return true;
        }
        let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() else { return false };
        let ours = self.listen.ip().to_canonical();
        // An address is nothing that anybody could rebind; which ones we have, we do not know.
        ours.is_unspecified() || address.to_canonical() == ours || address.is_loopback()
    }
}

/// Whether a page of that origin is one of ours: it names the very host that it talks to.
pub(super) fn is_same_origin(origin: &str, host: &str) -> bool {
    let authority =
        origin.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"));
    authority.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !ends_inside(name) => {
            name
        }
        Some(_) | None => host,
    }
}

/// Whether a colon belongs to an IPv6 address that its brackets have not closed.
fn ends_inside(name: &str) -> bool {
    name.contains('[') && !name.ends_with(']')
}

fn bearer(authorization: &[u8]) -> Result<&[u8], Refused> {
    let (scheme, token) = authorization.split_at_checked(7).ok_or(Refused::NoToken)?;
    let token = token.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty() {
        return Ok(token);
    }
    Err(Refused::NoToken)
}

fn digest_of(value: &[u8]) -> [u8; 32] {
    Sha256::digest(value).into()
}

/// The word for a role.
pub(super) fn word(role: Role) -> &'static str {
    match role {
        Role::Read => "read",
        Role::Trigger => "trigger",
        Role::Admin => "admin",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn access(listen: &str, tokens: &[(&str, Role, &str)]) -> Result<Access, AccessError> {
        let tokens = tokens
            .iter()
            .map(|(name, role, value)| ((*name).to_owned(), *role, Secret::new(*value)))
            .collect();
        Access::new(listen.parse().unwrap(), vec!["Andon.example.com".to_owned()], tokens)
    }

    const TOKENS: &[(&str, Role, &str)] =
        &[("eyes", Role::Read, "read-me-0123456789"), ("ops", Role::Admin, "admin-0123456789")];

    #[test]
    fn nobody_listens_to_the_world_without_tokens() {
        for listen in ["0.0.0.0:7070", "[::]:7070", "192.0.2.1:80", "[::ffff:192.0.2.1]:80"] {
            let refused = access(listen, &[]).unwrap_err();
            assert_eq!(refused, AccessError::Open { listen: listen.parse().unwrap() });
            assert!(refused.hint().contains("tokens:"));
            access(listen, TOKENS).unwrap();
        }
        for listen in ["127.0.0.1:7070", "[::1]:7070", "127.9.9.9:1", "[::ffff:127.0.0.1]:80"] {
            access(listen, &[]).unwrap();
        }
        let twice = [("a", Role::Read, "same-value"), ("b", Role::Admin, "same-value")];
        let refused = access("127.0.0.1:1", &twice).unwrap_err().to_string();
        assert_eq!(refused, "the tokens a and b have the same value");
    }

    #[test]
    fn rights_come_from_the_token_and_from_nothing_else() {
        let access = access("127.0.0.1:7070", TOKENS).unwrap();
        let admit = |value: Option<&str>, role| access.admit(value.map(str::as_bytes), role);
        let eyes = admit(Some("Bearer read-me-0123456789"), Role::Read).unwrap();
        assert_eq!(eyes.token.as_deref(), Some("eyes"));
        assert!(admit(Some("bearer  admin-0123456789 "), Role::Admin).is_ok());
        let more = admit(Some("Bearer read-me-0123456789"), Role::Trigger).unwrap_err();
        let wanted = Refused::Role { token: "eyes".into(), has: Role::Read, needs: Role::Trigger };
        assert_eq!(more, wanted);
        for (given, refused) in [
            (None, Refused::NoToken),
            (Some(""), Refused::NoToken),
            (Some("Bearer"), Refused::NoToken),
            (Some("Bearer  "), Refused::NoToken),
            (Some("Basic cmVhZC1tZS0wMTIzNDU2Nzg5"), Refused::NoToken),
            (Some("read-me-0123456789"), Refused::NoToken),
            (Some("Bearer eyes"), Refused::UnknownToken),
            (Some("Bearer read-me-012345678"), Refused::UnknownToken),
            (Some("Bearer read-me-01234567890"), Refused::UnknownToken),
            (Some("Bearer Read-me-0123456789"), Refused::UnknownToken),
        ] {
            assert_eq!(admit(given, Role::Read).unwrap_err(), refused, "{given:?}");
        }
    }

    #[test]
    fn a_token_that_was_taken_away_ends_what_it_opened() {
        let before = access("127.0.0.1:7070", TOKENS).unwrap();
        let open = access("127.0.0.1:7070", &[]).unwrap();
        let caller = before.admit(Some(b"Bearer admin-0123456789"), Role::Read).unwrap();
        assert!(before.still_admits(&caller));
        assert!(!access("127.0.0.1:7070", &TOKENS[..1]).unwrap().still_admits(&caller));
        let lowered = [("ops", Role::Read, "admin-0123456789")];
        assert!(!access("127.0.0.1:7070", &lowered).unwrap().still_admits(&caller));
        let anybody = open.admit(None, Role::Admin).unwrap();
        assert!(open.still_admits(&anybody) && !before.still_admits(&anybody));
    }

    #[test]
    fn only_names_of_ours_are_answered() {
        let local = access("127.0.0.1:7070", &[]).unwrap();
        for host in
            ["127.0.0.1:7070", "localhost", "LOCALHOST:1", "[::1]:7070", "andon.example.com"]
        {
            assert!(local.knows_host(host), "{host}");
        }
        for host in ["evil.example", "evil.example:7070", "", "192.0.2.7", "localhost.evil.example"]
        {
            assert!(!local.knows_host(host), "{host}");
        }
        let everywhere = access("0.0.0.0:7070", TOKENS).unwrap();
        assert!(everywhere.knows_host("192.0.2.7:7070") && everywhere.knows_host("[2001:db8::1]"));
        assert!(!everywhere.knows_host("evil.example"));
    }

    #[test]
    fn a_page_of_another_site_is_told_apart() {
        assert!(is_same_origin("http://127.0.0.1:7070", "127.0.0.1:7070"));
        assert!(is_same_origin("https://Andon.example.com", "andon.example.com"));
        for origin in
            ["null", "http://evil.example", "http://127.0.0.1:8080", "file://127.0.0.1:7070", ""]
        {
            assert!(!is_same_origin(origin, "127.0.0.1:7070"), "{origin}");
        }
    }
}
