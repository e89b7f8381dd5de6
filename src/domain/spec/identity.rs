//! Secrets and identities: who a test acts as.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::http::HttpRequest;
use super::matcher::Extract;
use crate::domain::template::{JsonTemplate, Template};

/// A named secret.
#[derive(Debug, Clone, Serialize)]
pub struct SecretSpec {
    /// Its name in `${secret.NAME}`.
    pub name: String,
    /// Where it comes from.
    pub source: SecretSource,
}

/// Where a secret comes from.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// A variable of our own environment.
    Env(String),
    /// A file (absolute path); one trailing newline is taken off.
    File(PathBuf),
    /// What a program prints; one trailing newline is taken off.
    Command(Vec<String>),
}

/// A named identity.
#[derive(Debug, Clone, Serialize)]
pub struct Identity {
    /// Its name in `${identity.NAME.token}`.
    pub name: String,
    /// How its token is made.
    pub kind: IdentityKind,
}

/// How the token of an identity is made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// Minted by us.
    Jwt(JwtSpec),
    /// Fetched from a service.
    Login(Box<LoginSpec>),
}

/// A JSON Web Token to mint (RFC 7519). `iat`, `exp` and, where absent, `jti` are added.
#[derive(Debug, Clone, Serialize)]
pub struct JwtSpec {
    /// The signature.
    pub algorithm: JwtAlgorithm,
    /// The key.
    pub key: Template,
    /// The claims.
    pub claims: Vec<(String, JsonTemplate)>,
    /// Further fields of the header.
    pub header: Vec<(String, JsonTemplate)>,
    /// Milliseconds from now until it expires; negative for a token that has expired.
    pub expires_in_ms: i64,
}

/// The algorithms with which a token can be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
}

/// A login: a request whose answer holds the token.
#[derive(Debug, Clone, Serialize)]
pub struct LoginSpec {
    /// The request.
    pub request: HttpRequest,
    /// Where the token stands in the answer.
    pub token: Extract,
    /// How long it is good for; `None` reads `exp` of a JWT, else takes it as good for the cycle.
    pub expires_in: Option<Duration>,
}
