//! Why a request was not done, as RFC 9457 has it (`application/problem+json`).

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{
    CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{Refused, word};
use crate::domain::errors::chain;
use crate::store::StoreError;

/// Why a request was not done.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    help: Option<String>,
    invites: Option<Invitation>,
}

/// What the client is invited to, in a header.
#[derive(Debug, Clone, Copy)]
enum Invitation {
    /// To come with a token.
    Token,
    /// To come again later.
    Later,
}

impl Invitation {
    fn header(self) -> (HeaderName, HeaderValue) {
        match self {
            Self::Token => (WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"andon\"")),
            Self::Later => (RETRY_AFTER, HeaderValue::from_static("5")),
        }
    }
}

/// A [`Problem`] as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemForm {
    /// What kind of problem it is: `about:blank`, the status says it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What is wrong with this very request.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Problem {
    /// A problem with a request.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), help: None, invites: None }
    }

    /// 400: the request is not understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: not as things are now.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422: understood, but it cannot be done.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 503: not now; nothing was taken.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let later = Some(Invitation::Later);
        Self { invites: later, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What is wrong.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// What to do about it.
    pub(super) fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// What the client is invited to.
    pub(super) fn headers(&self) -> HeaderMap {
        self.invites.map(Invitation::header).into_iter().collect()
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let unauthorized = |detail: &str| Self {
            invites: Some(Invitation::Token),
            ..Self::new(StatusCode::UNAUTHORIZED, detail)
        };
        match refused {
            Refused::NoToken => unauthorized("a token is needed").help(
                "send `Authorization: Bearer TOKEN`; for the commands of andon set ANDON_TOKEN",
            ),
            Refused::UnknownToken => unauthorized("the token is not known here").help(
                "`tokens` in the daemon's andon.yaml says which are; the commands of andon send what ANDON_TOKEN holds",
            ),
            Refused::Role { token, has, needs } => {
                let detail = format!(
                    "the token {token} has the role {}, this needs {}",
                    word(has),
                    word(needs)
                );
                Self::new(StatusCode::FORBIDDEN, detail)
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(fault: StoreError) -> Self {
        let problem = match &fault {
            StoreError::UnknownCycle { .. } => Self::not_found(fault.to_string()),
            StoreError::Expired { .. } => Self::new(StatusCode::GONE, fault.to_string()),
            StoreError::Conflict { .. } | StoreError::Fenced { .. } => {
                Self::conflict(fault.to_string())
            }
            StoreError::Unstorable { .. } => Self::unprocessable(fault.to_string()),
            StoreError::UnreadableEvent { .. } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, fault.to_string())
            }
            StoreError::Missing { .. }
            | StoreError::Unavailable { .. }
            | StoreError::Locked
            | StoreError::NotOurs { .. }
            | StoreError::TooNew { .. }
            | StoreError::Outdated { .. }
            | StoreError::OldSqlite { .. }
            | StoreError::Replaced { .. }
            | StoreError::Gone { .. }
            | StoreError::NotWritten { .. }
            | StoreError::ReadOnly
            | StoreError::Unwritable
            | StoreError::Full
            | StoreError::Damaged { .. }
            | StoreError::DiskFailed
            | StoreError::Closed
            | StoreError::Database(_) => {
                tracing::error!("the store refused a request: {}", chain(&fault));
                Self::unavailable(fault.to_string())
            }
        };
        match fault.hint() {
            Some(hint) => problem.help(hint),
            None => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let form = ProblemForm {
            kind: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            help: self.help,
        };
        let body = serde_json::to_string(&form).expect("the form is plain data");
        let mut response = (self.status, body).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        if let Some((name, value)) = self.invites.map(Invitation::header) {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
