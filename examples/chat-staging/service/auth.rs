//! Tokens: HS256 verification, the token mint for end-to-end tests, logins, and who a request comes from.
//!
//! Fails closed: without a key no token is good, without a bypass key nothing is minted.

use super::app::{Shared, new_id};
use super::config::{Config, Isolation};
use super::error::{Body, Problem};
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;
use std::convert::Infallible;

const ISSUER: &str = "chat-auth";
const USER_PREFIX: &str = "staging-e2e-user-00";
const DEFAULT_LIFETIME_S: i64 = 15 * 60;
/// No honest token is longer.
const MAX_TOKEN: usize = 4_096;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// Why a token is no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("no token")]
    Absent,
    #[error("malformed token")]
    Malformed,
    #[error("wrong signature")]
    Signature,
    #[error("expired token")]
    Expired,
    #[error("unknown user")]
    UnknownUser,
}

impl Refusal {
    /// As error messages on sockets name it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Absent => "NO_TOKEN",
            Self::Malformed => "MALFORMED_TOKEN",
            Self::Signature => "BAD_SIGNATURE",
            Self::Expired => "EXPIRED_TOKEN",
            Self::UnknownUser => "UNKNOWN_USER",
        }
    }
}

/// The user whose token this is.
pub(super) fn verify(config: &Config, token: &str, now_s: i64) -> Result<String, Refusal> {
    if token.len() > MAX_TOKEN {
        return Err(Refusal::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
    let (head, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
    let header: Header = decode_part(head)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refusal::Malformed)?;
    if header.alg != "HS256" || config.jwt_key.is_empty() {
        return Err(Refusal::Signature);
    }
    mac(&config.jwt_key, signed).verify_slice(&signature).map_err(|_| Refusal::Signature)?;
    let claims: Claims = decode_part(payload)?;
    judge_claims(config, claims, now_s)
}

fn judge_claims(config: &Config, claims: Claims, now_s: i64) -> Result<String, Refusal> {
    let too_old = match (config.token_lifetime_s, claims.iat) {
        (Some(lifetime), Some(issued_at)) => now_s >= issued_at.saturating_add(lifetime),
        (Some(_), None) | (None, _) => false,
    };
    if claims.exp <= now_s || too_old {
        return Err(Refusal::Expired);
    }
    if claims.iss.is_some_and(|issuer| issuer != ISSUER)
        || claims.kind.is_some_and(|kind| kind != "access")
    {
        return Err(Refusal::Malformed);
    }
    if !is_user(&claims.sub) {
        return Err(Refusal::UnknownUser);
    }
    Ok(claims.sub)
}

fn decode_part<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Refusal::Malformed)
}

fn mac(key: &str, signed: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes any key");
    mac.update(signed.as_bytes());
    mac
}

fn mint(config: &Config, user: &str, now_s: i64) -> (String, i64) {
    let lifetime = config.token_lifetime_s.unwrap_or(DEFAULT_LIFETIME_S);
    let claims = Claims {
        sub: user.to_owned(),
        exp: now_s.saturating_add(lifetime),
        iat: Some(now_s),
        iss: Some(ISSUER.into()),
        jti: Some(new_id()),
        kind: Some("access".into()),
    };
    let payload = serde_json::to_vec(&claims).expect("claims are plain JSON");
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(mac(&config.jwt_key, &signed).finalize().into_bytes());
    (format!("{signed}.{signature}"), lifetime)
}

/// Users exist by name: `staging-e2e-user-001` to `-009`.
fn is_user(name: &str) -> bool {
    name.strip_prefix(USER_PREFIX).is_some_and(|n| matches!(n.as_bytes(), [b'1'..=b'9']))
}

pub(super) fn now_s() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The token of a request: `Authorization: Bearer …`, or a subprotocol `jwt.<base64url(token)>`.
pub(super) fn token_of(headers: &HeaderMap) -> Option<String> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(token) = bearer.and_then(|value| value.strip_prefix("Bearer ")) {
        return Some(token.trim().to_owned());
    }
    let encoded = offered_protocols(headers).find_map(|name| name.strip_prefix("jwt."))?;
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    String::from_utf8(bytes).ok()
}

/// The subprotocols that a client offers.
pub(super) fn offered_protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim)
}

fn user_of(app: &Shared, headers: &HeaderMap) -> Result<String, Refusal> {
    let token = token_of(headers).ok_or(Refusal::Absent)?;
    let user = verify(&app.config, &token, now_s())?;
    let claimed = headers.get("x-user-id").and_then(|value| value.to_str().ok());
    match (app.config.isolation, claimed) {
        (Isolation::TrustsHeader, Some(claimed)) => Ok(claimed.to_owned()),
        (Isolation::TrustsHeader, None) | (Isolation::Kept | Isolation::Leaks, _) => Ok(user),
    }
}

/// The user of a request that needs one.
pub(super) struct User(pub(super) String);

impl FromRequestParts<Shared> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        user_of(app, &parts.headers).map(Self).map_err(|why| Problem::unauthorized(why.to_string()))
    }
}

/// The user of a request that goes without, too.
pub(super) struct Anyone(pub(super) Option<String>);

impl FromRequestParts<Shared> for Anyone {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Infallible> {
        Ok(Self(user_of(app, &parts.headers).ok()))
    }
}

#[derive(Deserialize)]
pub(super) struct MintRequest {
    user: String,
}

/// `POST /auth/e2e/test-auth`: a token for whoever knows the bypass key.
pub(super) async fn post_test_auth(
    State(app): State<Shared>,
    headers: HeaderMap,
    Body(request): Body<MintRequest>,
) -> Result<Json<Value>, Problem> {
    let key = &app.config.bypass_key;
    let given = headers.get("x-e2e-bypass-key").map(|value| value.as_bytes());
    let good = !key.is_empty() && given.is_some_and(|given| same(given, key.as_bytes()));
    if !good || app.config.bypass_key_rejected || app.config.jwt_key.is_empty() {
        return Err(Problem::unauthorized("bypass key rejected"));
    }
    if !is_user(&request.user) {
        return Err(Problem::not_found("no such user"));
    }
    let (token, lifetime) = mint(&app.config, &request.user, now_s());
    Ok(Json(json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime })))
}

/// Compares in a time that does not tell where the first difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[derive(Deserialize)]
pub(super) struct Login {
    user: String,
    password: String,
}

/// `POST /api/auth/login`: staging users have no passwords, so each password is wrong.
pub(super) async fn post_login(Body(login): Body<Login>) -> Problem {
    if login.user.is_empty() || login.password.is_empty() {
        return Problem::unprocessable("user and password are needed");
    }
    Problem::unauthorized("wrong user or password")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config() -> Config {
        Config { jwt_key: "key".into(), ..Config::default() }
    }

    #[test]
    fn a_minted_token_is_good_until_it_expires() {
        let (token, lifetime) = mint(&config(), "staging-e2e-user-001", 1_000);
        assert_eq!(verify(&config(), &token, 1_000).unwrap(), "staging-e2e-user-001");
        assert_eq!(verify(&config(), &token, 1_000 + lifetime), Err(Refusal::Expired));
    }

    #[test]
    fn every_bad_token_is_refused_for_its_own_reason() {
        let (token, _) = mint(&config(), "staging-e2e-user-001", 1_000);
        let other = Config { jwt_key: "other".into(), ..Config::default() };
        assert_eq!(verify(&other, &token, 1_000), Err(Refusal::Signature));
        assert_eq!(verify(&Config::default(), &token, 1_000), Err(Refusal::Signature));
        assert_eq!(verify(&config(), "a.b", 1_000), Err(Refusal::Malformed));
        assert_eq!(verify(&config(), "", 1_000), Err(Refusal::Malformed));
        assert_eq!(verify(&config(), &format!("{token}x"), 1_000), Err(Refusal::Signature));
        let (stranger, _) = mint(&config(), "nobody", 1_000);
        assert_eq!(verify(&config(), &stranger, 1_000), Err(Refusal::UnknownUser));
        let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), "e30");
        assert_eq!(verify(&config(), &unsigned, 1_000), Err(Refusal::Signature));
    }

    #[test]
    fn an_old_token_is_refused_when_lifetimes_are_short() {
        let short = Config { token_lifetime_s: Some(2), ..config() };
        let (token, _) = mint(&config(), "staging-e2e-user-001", 1_000);
        assert!(verify(&short, &token, 1_001).is_ok());
        assert_eq!(verify(&short, &token, 1_002), Err(Refusal::Expired));
    }
}
