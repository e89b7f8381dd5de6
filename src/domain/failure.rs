//! What went wrong in an attempt, in the words of SPEC section 7.

use serde::{Deserialize, Serialize};

use super::outcome::words;

/// The class of a failure; the questions of a five-whys document depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// An HTTP status other than expected.
    HttpStatus,
    /// Another expectation on an answer did not hold.
    Assertion,
    /// The answer does not fit its JSON Schema.
    Schema,
    /// Slower than expected.
    Latency,
    /// No answer by the deadline.
    Timeout,
    /// The connection was refused, reset or cut.
    Connection,
    /// The name did not resolve.
    Dns,
    /// The TLS handshake or the certificate.
    Tls,
    /// The WebSocket handshake was refused.
    WsRefused,
    /// The WebSocket was closed with a code that was not expected.
    WsClose,
    /// An expected event never came.
    MissingEvent,
    /// A forbidden event came.
    UnexpectedEvent,
    /// The events came, in another order.
    EventOrder,
    /// 401 or 403 with an identity that should do.
    Auth,
    /// A suite command failed.
    Command,
    /// Taken from a result file.
    Reported,
    /// The fixture of the case: setup, an identity, a value that nothing captured.
    Setup,
    /// A case that it needs is failing or did not run.
    Blocked,
}

words!(FailureClass {
    HttpStatus => "http_status", Assertion => "assertion", Schema => "schema",
    Latency => "latency", Timeout => "timeout", Connection => "connection", Dns => "dns",
    Tls => "tls", WsRefused => "ws_refused", WsClose => "ws_close",
    MissingEvent => "missing_event", UnexpectedEvent => "unexpected_event",
    EventOrder => "event_order", Auth => "auth", Command => "command", Reported => "reported",
    Setup => "setup", Blocked => "blocked",
});

/// The subject of a failure whose request we refused to make, as the pipeline's `hosts` do not allow
/// it: nothing was asked, so nothing is known of the service.
pub const HOSTS_SUBJECT: &str = "hosts";

/// The subject of a failure whose request could not be made, so that nobody was asked.
pub const REQUEST_SUBJECT: &str = "request";

/// Whose fault it is that an attempt did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The service answered, or failed to answer, otherwise than it should: `failed`.
    Service,
    /// We could not measure: a fixture, our own fault: `errored`.
    Measurement,
}

/// Why an attempt did not pass. All texts are masked and capped before they come here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The class.
    pub class: FailureClass,
    /// Whose fault it is.
    pub blame: Blame,
    /// One sentence, as `expected status 200, got 404`.
    pub message: String,
    /// The name of the step, or its position and kind, as `step 2 (http)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What was expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What came instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// The part that was compared, as `$.items[0].id`, `header content-type`, `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// A command that repeats the step by hand, secrets as shell variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repro: Option<String>,
}
