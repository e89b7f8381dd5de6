//! An HTTP step: fill in, send, judge, capture.

use std::collections::HashSet;
use std::sync::Mutex;

use serde_json::Value;

use super::env::RunEnv;
use super::lookup::EnvLookup;
use crate::domain::evidence::Exchange;
use crate::domain::failure::{Blame, FailureClass, HOSTS_SUBJECT, REQUEST_SUBJECT};
use crate::domain::references::visit_request;
use crate::domain::spec::{Capture, Expect, HttpRequest};
use crate::probe::{
    Call, ConnectionUse, CookieJar, Deadline, Fault, FaultKind, HttpAnswer, HttpResult,
    render_request,
};
use crate::verdict::{Answer, Finding, extract_from_answer, judge_http, judge_unfinished};

/// One request and everything around it.
#[derive(Clone, Copy)]
pub(super) struct HttpStep<'a> {
    pub(super) name: &'a str,
    pub(super) request: &'a HttpRequest,
    pub(super) expect: &'a Expect,
    pub(super) capture: &'a [Capture],
    pub(super) connection: ConnectionUse,
    pub(super) cookies: Option<&'a Mutex<CookieJar>>,
    pub(super) deadline: Deadline,
}

/// What came of it.
pub(super) struct HttpDone {
    pub(super) exchanges: Vec<Exchange>,
    pub(super) answer: Option<HttpAnswer>,
    pub(super) judgement: Result<Vec<(String, Value)>, Finding>,
}

/// Performs an HTTP step.
pub(super) async fn perform(env: &RunEnv, step: HttpStep<'_>, lookup: &EnvLookup<'_>) -> HttpDone {
    let request = match render_request(step.request, lookup) {
        Ok(request) => request,
        Err(fault) => {
            let judgement = Err(from_fault(&fault));
            return HttpDone { exchanges: Vec::new(), answer: None, judgement };
        }
    };
    let call = Call {
        step: step.name,
        deadline: step.deadline,
        connection: step.connection,
        cookies: step.cookies,
    };
    let HttpResult { exchanges, answer } = env.client().send(request, call).await;
    match answer {
        Err(fault) => {
            let identity = uses_identity(env, step.request);
            let finding = unfinished(&fault, exchanges.last(), identity, step.expect, lookup);
            HttpDone { exchanges, answer: None, judgement: Err(finding) }
        }
        Ok(answer) => {
            let judgement = judge(env, step, &answer, lookup);
            HttpDone { exchanges, answer: Some(answer), judgement }
        }
    }
}

fn judge(
    env: &RunEnv,
    step: HttpStep<'_>,
    answer: &HttpAnswer,
    lookup: &EnvLookup<'_>,
) -> Result<Vec<(String, Value)>, Finding> {
    let mut seen = seen(answer);
    seen.with_identity = matches!(answer.status, 401 | 403) && uses_identity(env, step.request);
    judge_http(&seen, step.expect, lookup)?;
    step.capture
        .iter()
        .map(|capture| match extract_from_answer(&seen, &capture.from) {
            Ok(value) => Ok((capture.name.clone(), value)),
            Err(fault) => Err(not_captured(&capture.name, &fault.to_string())),
        })
        .collect()
}

/// An answer in the terms in which expectations speak.
pub(super) fn seen(answer: &HttpAnswer) -> Answer<'_> {
    let mut seen = Answer::new(answer.status, &answer.headers, &answer.body);
    seen.total = answer.total;
    seen.first_byte = answer.first_byte;
    seen.tls_seconds_left = answer.tls_seconds_left;
    seen
}

/// Whether a request acts as an identity.
pub(super) fn uses_identity(env: &RunEnv, request: &HttpRequest) -> bool {
    let mut names = HashSet::new();
    visit_request(request, &mut |name| {
        names.insert(name.to_owned());
    });
    !env.identities_in(&names).is_empty()
}

fn not_captured(name: &str, fault: &str) -> Finding {
    let subject = format!("capture {name}");
    let message = format!("expected a value to capture as `{name}`, got none: {fault}");
    Finding::service(FailureClass::Assertion, subject, "a value", fault).saying(message)
}

/// No whole answer, as a finding: by its status where that came and is wrong.
pub(super) fn unfinished(
    fault: &Fault,
    exchange: Option<&Exchange>,
    with_identity: bool,
    expect: &Expect,
    lookup: &EnvLookup<'_>,
) -> Finding {
    // The status of a redirect that leads nowhere good is not what is wrong with it.
    let says_nothing = fault.kind == FaultKind::Redirect || fault.blame() != Blame::Service;
    let Some(status) = exchange.and_then(|exchange| exchange.status).filter(|_| !says_nothing)
    else {
        return from_fault(fault);
    };
    let mut answer = Answer::new(status, &[], b"");
    answer.with_identity = with_identity;
    match judge_unfinished(&answer, &fault.message, expect, lookup) {
        Ok(()) => from_fault(fault),
        Err(finding) => finding,
    }
}

/// No answer, as a finding.
pub(super) fn from_fault(fault: &Fault) -> Finding {
    let (subject, expected) = match fault.kind {
        FaultKind::NotAllowed => (HOSTS_SUBJECT, "a host that the pipeline's hosts allow"),
        FaultKind::BadRequest => (REQUEST_SUBJECT, "a request that can be made"),
        FaultKind::Dns
        | FaultKind::Refused
        | FaultKind::Unreachable
        | FaultKind::Reset
        | FaultKind::Cut
        | FaultKind::Protocol
        | FaultKind::Tls
        | FaultKind::Timeout
        | FaultKind::TooLarge
        | FaultKind::Redirect => ("answer", "an answer"),
    };
    let message = match fault.blame() {
        Blame::Service => format!("expected an answer, got: {fault}"),
        Blame::Measurement => {
            format!("the request could not be made: {fault}")
        }
    };
    Finding {
        blame: fault.blame(),
        ..Finding::service(fault.class(), subject, expected, fault.to_string())
    }
    .saying(message)
}
