//! Tokens of identities: minted or fetched when first needed, kept, and made afresh before they
//! would expire.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::env::RunEnv;
use super::jwt;
use super::lookup::EnvLookup;
use crate::domain::failure::FailureClass;
use crate::domain::references::visit_request;
use crate::domain::spec::{Expect, Identity, IdentityKind, JwtSpec, LoginSpec};
use crate::domain::template::text_of;
use crate::probe::{Call, ConnectionUse, Deadline, render_request};
use crate::verdict::{Answer, extract_from_answer, judge_http};

/// A token is made afresh when it has less than this, or a third of its life, left: a request that
/// takes it may be under way for a while before the service looks at it.
const MARGIN: SignedDuration = SignedDuration::from_secs(30);
/// How long a login may take.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// An identity that cannot be had: we cannot measure as it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("identity `{name}`: {reason}")]
pub struct IdentityError {
    /// The identity.
    pub name: String,
    /// `auth` when the login was refused, else `setup`.
    pub class: FailureClass,
    /// What went wrong.
    pub reason: String,
}

/// The identities of a pipeline.
pub(super) struct Identities {
    known: BTreeMap<String, Known>,
}

struct Known {
    kind: IdentityKind,
    token: Mutex<Option<Token>>,
    /// Held while a login is under way: whoever comes meanwhile waits and takes its token.
    login: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Token {
    value: String,
    /// From when on it is not used any more; `None` is good for the cycle.
    renew_at: Option<Timestamp>,
}

impl Identities {
    pub(super) fn new(identities: &[Identity]) -> Self {
        let known = |identity: &Identity| {
            let kind = identity.kind.clone();
            let (token, login) = (Mutex::new(None), tokio::sync::Mutex::new(()));
            (identity.name.clone(), Known { kind, token, login })
        };
        Self { known: identities.iter().map(known).collect() }
    }

    /// The token of an identity: minted now if need be; a fetched one must have been had by
    /// [`RunEnv::log_in`] before.
    pub(super) fn token(&self, name: &str, env: &RunEnv) -> Option<String> {
        let known = self.known.get(name)?;
        let now = env.shared.clock.now();
        match &known.kind {
            IdentityKind::Login(_) => known.held(None),
            IdentityKind::Jwt(spec) => match known.held(Some(now)) {
                Some(value) => Some(value),
                None => known.mint(spec, now, env),
            },
        }
    }
}

impl Known {
    /// The token that is held; with `now`, only if it is good yet.
    fn held(&self, now: Option<Timestamp>) -> Option<String> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |token: &&Token| match (now, token.renew_at) {
            (Some(now), Some(renew_at)) => now < renew_at,
            _ => true,
        };
        token.as_ref().filter(good).map(|token| token.value.clone())
    }

    fn keep(&self, token: Token, env: &RunEnv) {
        env.evidencer().learn(&token.value);
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }

    fn mint(&self, spec: &JwtSpec, now: Timestamp, env: &RunEnv) -> Option<String> {
        let value = jwt::mint(spec, now, &EnvLookup::of(env)).ok()?;
        // Tokens count in whole seconds, so what one says can be up to a second less than was asked for.
        let life = jwt::expires_at(&value)
            .map_or(SignedDuration::from_millis(spec.expires_in_ms), |expires_at| {
                expires_at.duration_since(now)
            });
        // A token that is meant to have expired stays as it is: making it afresh changes nothing.
        let renew_at = if life.is_positive() { renew_at(now, life) } else { None };
        self.keep(Token { value: value.clone(), renew_at }, env);
        Some(value)
    }
}

fn renew_at(now: Timestamp, life: SignedDuration) -> Option<Timestamp> {
    let margin = MARGIN.min(life / 3);
    now.checked_add(life - margin).ok()
}

impl RunEnv {
    /// Makes sure that the tokens behind some names are there.
    pub(super) async fn log_in(&self, names: &HashSet<String>) -> Result<(), IdentityError> {
        for name in self.identities_in(names) {
            self.log_in_as(&name, 0).await?;
        }
        Ok(())
    }

    async fn log_in_as(&self, name: &str, depth: u32) -> Result<(), IdentityError> {
        let failed = |class, reason: String| IdentityError { name: name.to_owned(), class, reason };
        let Some(known) = self.shared.identities.known.get(name) else {
            return Err(failed(
                FailureClass::Setup,
                "the pipeline has none of that name".to_owned(),
            ));
        };
        let IdentityKind::Login(login) = &known.kind else {
            return match self.shared.identities.token(name, self) {
                Some(_) => Ok(()),
                None => {
                    let reason = "its key or claims refer to something without a value".to_owned();
                    Err(failed(FailureClass::Setup, reason))
                }
            };
        };
        // One waits for the login of another at most; a longer chain would be a circle.
        if depth > 3 {
            return Err(failed(FailureClass::Setup, "its login needs itself".to_owned()));
        }
        if known.held(Some(self.shared.clock.now())).is_some() {
            return Ok(());
        }
        let mut names = HashSet::new();
        visit_request(&login.request, &mut |name| {
            names.insert(name.to_owned());
        });
        // Before the lock: two logins that need each other must not wait for each other.
        for other in self.identities_in(&names) {
            Box::pin(self.log_in_as(&other, depth + 1)).await?;
        }
        let _one_at_a_time = known.login.lock().await;
        if known.held(Some(self.shared.clock.now())).is_some() {
            return Ok(());
        }
        let token = self.fetch(login).await.map_err(|(class, reason)| failed(class, reason))?;
        known.keep(token, self);
        Ok(())
    }

    async fn fetch(&self, login: &LoginSpec) -> Result<Token, (FailureClass, String)> {
        let setup = |reason: String| (FailureClass::Setup, reason);
        let lookup = EnvLookup::of(self);
        let request =
            render_request(&login.request, &lookup).map_err(|fault| setup(fault.to_string()))?;
        let call = Call {
            step: "login",
            deadline: Deadline::after(LOGIN_TIMEOUT),
            connection: ConnectionUse::Shared,
            cookies: None,
        };
        let now = self.shared.clock.now();
        let answer = self.client().send(request, call).await.answer;
        let answer = answer.map_err(|fault| setup(format!("its login failed: {fault}")))?;
        let seen = Answer::new(answer.status, &answer.headers, &answer.body);
        if let Err(finding) = judge_http(&seen, &Expect::default(), &lookup) {
            let refused = matches!(answer.status, 401 | 403);
            let class = if refused { FailureClass::Auth } else { FailureClass::Setup };
            return Err((class, format!("its login failed: {}", finding.into_failure().message)));
        }
        let value = extract_from_answer(&seen, &login.token)
            .map_err(|fault| setup(format!("its login gave no token: {fault}")))?;
        let value = text_of(&value);
        let life = match (login.expires_in, jwt::expires_at(&value)) {
            (Some(life), _) => SignedDuration::try_from(life).ok(),
            (None, Some(at)) => Some(at.duration_since(now)).filter(SignedDuration::is_positive),
            (None, None) => None,
        };
        Ok(Token { value, renew_at: life.and_then(|life| renew_at(now, life)) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::env::testing::env;
    use super::*;
    use crate::domain::spec::JwtAlgorithm;
    use crate::domain::template::{Lookup, Template};

    fn identity(name: &str, expires_in_ms: i64) -> Identity {
        Identity {
            name: name.to_owned(),
            kind: IdentityKind::Jwt(JwtSpec {
                algorithm: JwtAlgorithm::HS256,
                key: Template::parse("${secret.key}").unwrap(),
                claims: vec![],
                header: vec![],
                expires_in_ms,
            }),
        }
    }

    #[test]
    fn a_token_is_kept_and_masked() {
        let env = env(&[], &[identity("ann", 900_000)]);
        let lookup = EnvLookup::of(&env);
        let token = text_of(&lookup.get("identity.ann.token").unwrap());
        assert_eq!(lookup.get("identity.ann.token").map(|t| text_of(&t)), Some(token.clone()));
        assert_eq!(env.evidencer().mask(&format!("x {token}")), "x ***");
        assert_eq!(lookup.get("identity.nobody.token"), None);
    }

    #[test]
    fn tokens_are_renewed_in_time() {
        let now = Timestamp::UNIX_EPOCH;
        let seconds =
            |life: i64| renew_at(now, SignedDuration::from_secs(life)).unwrap().as_second();
        assert_eq!(seconds(900), 870);
        assert_eq!(seconds(60), 40);
    }

    #[test]
    fn a_token_is_renewed_by_the_instant_that_it_says_itself() {
        let env = env(&[], &[identity("ann", 3_000)]);
        let known = &env.shared.identities.known["ann"];
        let IdentityKind::Jwt(spec) = &known.kind else { panic!("a jwt") };
        let now = Timestamp::from_millisecond(1_000_999).unwrap();
        known.mint(spec, now, &env).unwrap();
        let renew_at = known.token.lock().unwrap().as_ref().unwrap().renew_at.unwrap();
        assert!(renew_at < Timestamp::from_millisecond(1_002_500).unwrap(), "{renew_at}");
    }

    #[tokio::test]
    async fn an_identity_without_a_value_is_our_fault() {
        let mut broken = identity("ann", 1_000);
        if let IdentityKind::Jwt(spec) = &mut broken.kind {
            spec.key = Template::parse("${nothing}").unwrap();
        }
        let env = env(&[], &[broken]);
        let names = HashSet::from(["identity.ann.token".to_owned()]);
        let error = env.log_in(&names).await.unwrap_err();
        assert_eq!((error.name.as_str(), error.class), ("ann", FailureClass::Setup));
        let names = HashSet::from(["identity.nobody.token".to_owned()]);
        assert!(env.log_in(&names).await.is_err());
    }
}
