//! WebSocket handshakes and closes against what a step expects of them.

use serde_json::Value;

use super::describe::{describe_duration, describe_matcher};
use super::events::EventsEnd;
use super::finding::Finding;
use super::http::{Answer, check, judge_bound, judge_headers, judge_status, unjudgeable};
use super::matcher::judge_value;
use crate::domain::failure::FailureClass;
use crate::domain::spec::{CloseExpect, Expect, Matcher, RefusedExpect};
use crate::domain::template::Lookup;

/// How a handshake that may be judged went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// The socket is open, and that was expected.
    Open,
    /// The socket is open, and now must be closed by the server.
    MustClose,
    /// The handshake was refused, as expected: the step is over.
    Refused,
}

/// Judges the answer to a handshake, 101 or not.
///
/// # Errors
/// The first expectation that does not hold.
pub fn judge_handshake(
    answer: &Answer<'_>,
    expect: &Expect,
    lookup: &dyn Lookup,
) -> Result<Handshake, Finding> {
    let opened = answer.status == 101;
    match (&expect.refused, opened) {
        (Some(refused), false) => {
            judge_refusal(answer.status, refused, expect.close.as_ref(), lookup)?;
            return Ok(Handshake::Refused);
        }
        (Some(_), true) if expect.close.is_some() => return Ok(Handshake::MustClose),
        (Some(refused), true) => {
            let wanted = refusal_words(refused, None, lookup);
            let subject = "handshake";
            return Err(Finding::service(
                FailureClass::Assertion,
                subject,
                wanted,
                "an open socket",
            ));
        }
        (None, true) => {}
        (None, false) if expect.status.is_some() => {
            judge_status(answer, expect.status.as_ref(), lookup)?;
            return Ok(Handshake::Refused);
        }
        (None, false) => return Err(refused_although_wanted(answer)),
    }
    if expect.status.is_some() {
        judge_status(answer, expect.status.as_ref(), lookup)?;
    }
    judge_open(answer, expect, lookup)?;
    Ok(if expect.close.is_some() { Handshake::MustClose } else { Handshake::Open })
}

fn judge_open(answer: &Answer<'_>, expect: &Expect, lookup: &dyn Lookup) -> Result<(), Finding> {
    judge_headers(answer, expect, lookup)?;
    if let Some(matcher) = &expect.subprotocol {
        let chosen = answer.header("sec-websocket-protocol").map(Value::from);
        check(chosen.as_ref(), matcher, "subprotocol", lookup)?;
    }
    judge_bound(expect.latency, Some(answer.total), "latency of the handshake")
}

fn refused_although_wanted(answer: &Answer<'_>) -> Finding {
    let class = match answer.status {
        401 | 403 if answer.with_identity => FailureClass::Auth,
        _ => FailureClass::WsRefused,
    };
    let actual = answer.status.to_string();
    let message = format!("expected an open socket, got status {actual} at the handshake");
    Finding::service(class, "handshake", "an open socket", actual).saying(message)
}

fn judge_refusal(
    status: u16,
    refused: &RefusedExpect,
    close: Option<&CloseExpect>,
    lookup: &dyn Lookup,
) -> Result<(), Finding> {
    let Some(matcher) = &refused.status else { return Ok(()) };
    match judge_value(Some(&Value::from(status)), matcher, lookup) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => {
            let wanted = refusal_words(refused, close, lookup);
            let actual = format!("status {status}");
            Err(Finding::service(FailureClass::WsRefused, "handshake", wanted, actual))
        }
        Err(error) => Err(unjudgeable("refused.status", &error)),
    }
}

/// Judges how a socket that the server must close ended.
///
/// # Errors
/// When it was closed otherwise, or not at all.
pub fn judge_close(end: &EventsEnd, expect: &Expect, lookup: &dyn Lookup) -> Result<(), Finding> {
    let Some(close) = &expect.close else { return Ok(()) };
    let wanted = match &expect.refused {
        Some(refused) => refusal_words(refused, Some(close), lookup),
        None => close_words(&close.code, lookup),
    };
    match end {
        EventsEnd::Closed { code, reason } => {
            match judge_value(Some(&Value::from(*code)), &close.code, lookup) {
                Ok(None) => Ok(()),
                Ok(Some(_)) => {
                    let reason =
                        if reason.is_empty() { String::new() } else { format!(" ({reason})") };
                    let actual = format!("close {code}{reason}");
                    Err(Finding::service(FailureClass::WsClose, "handshake", wanted, actual))
                }
                Err(error) => Err(unjudgeable("close", &error)),
            }
        }
        EventsEnd::Cut(fault) => {
            Err(Finding::service(FailureClass::Connection, "handshake", wanted, fault.clone()))
        }
        EventsEnd::Deadline { .. } | EventsEnd::Satisfied | EventsEnd::StreamEnded => {
            // The case's own time may have been over sooner.
            let waited = match end {
                EventsEnd::Deadline { waited, .. } => close.within.min(*waited),
                EventsEnd::Closed { .. }
                | EventsEnd::Cut(_)
                | EventsEnd::Satisfied
                | EventsEnd::StreamEnded => close.within,
            };
            let actual = format!("an open socket after {}", describe_duration(waited));
            Err(Finding::service(FailureClass::Assertion, "handshake", wanted, actual))
        }
    }
    .map_err(|finding| match expect.refused {
        Some(_) => finding,
        None => Finding { subject: "close".to_owned(), ..finding },
    })
}

fn close_words(code: &Matcher, lookup: &dyn Lookup) -> String {
    format!("close {}", describe_matcher(code, lookup))
}

fn refusal_words(
    refused: &RefusedExpect,
    close: Option<&CloseExpect>,
    lookup: &dyn Lookup,
) -> String {
    let status = match &refused.status {
        Some(matcher) => format!("refused with status {}", describe_matcher(matcher, lookup)),
        None => "refused".to_owned(),
    };
    match close {
        Some(close) => format!("{status}, or {}", close_words(&close.code, lookup)),
        None => status,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::domain::spec::Condition;
    use crate::domain::template::JsonTemplate;
    use serde_json::json;

    fn nothing(_: &str) -> Option<Value> {
        None
    }

    fn one_of(values: &[u16]) -> Matcher {
        let values = values.iter().map(|v| JsonTemplate::Plain(json!(v))).collect();
        Matcher { conditions: vec![Condition::OneOf(values)] }
    }

    fn refusal(or_close: Option<u16>) -> Expect {
        Expect {
            refused: Some(RefusedExpect { status: Some(one_of(&[401, 403])) }),
            close: or_close
                .map(|code| CloseExpect { code: one_of(&[code]), within: Duration::from_secs(2) }),
            ..Expect::default()
        }
    }

    fn handshake(status: u16, expect: &Expect) -> Result<Handshake, Finding> {
        let headers = [("sec-websocket-protocol".to_owned(), "chat".to_owned())];
        judge_handshake(&Answer::new(status, &headers, b""), expect, &nothing)
    }

    #[test]
    fn handshakes_against_expectations() {
        use FailureClass::{Assertion, WsRefused};
        let open = Expect::default();
        assert_eq!(handshake(101, &open), Ok(Handshake::Open));
        assert_eq!(handshake(403, &open).unwrap_err().class, WsRefused);
        assert_eq!(handshake(200, &open).unwrap_err().class, WsRefused);
        assert_eq!(handshake(403, &refusal(None)), Ok(Handshake::Refused));
        assert_eq!(handshake(500, &refusal(None)).unwrap_err().class, WsRefused);
        let found = handshake(101, &refusal(None)).unwrap_err();
        assert_eq!(found.class, Assertion);
        assert_eq!(
            found.into_failure().message,
            "expected handshake refused with status 401 or 403, got an open socket"
        );
        assert_eq!(handshake(101, &refusal(Some(1008))), Ok(Handshake::MustClose));
        assert_eq!(handshake(401, &refusal(Some(1008))), Ok(Handshake::Refused));
        let subprotocol = Expect {
            subprotocol: Some(Matcher {
                conditions: vec![Condition::Equals(JsonTemplate::Plain(json!("jwt-auth")))],
            }),
            ..Expect::default()
        };
        assert_eq!(handshake(101, &subprotocol).unwrap_err().subject, "subprotocol");
    }

    #[test]
    fn an_identity_that_is_refused_is_auth() {
        let mut answer = Answer::new(403, &[], b"");
        answer.with_identity = true;
        let found = judge_handshake(&answer, &Expect::default(), &nothing).unwrap_err();
        assert_eq!(found.class, FailureClass::Auth);
    }

    #[test]
    fn closes_against_expectations() {
        let closed = |code| EventsEnd::Closed { code, reason: String::new() };
        let expect = refusal(Some(1008));
        assert_eq!(judge_close(&closed(1008), &expect, &nothing), Ok(()));
        let found = judge_close(&closed(1011), &expect, &nothing).unwrap_err();
        assert_eq!(found.class, FailureClass::WsClose);
        assert_eq!(found.actual, "close 1011");
        for (waited, said) in
            [(2003, "an open socket after 2s"), (500, "an open socket after 500ms")]
        {
            let waited = Duration::from_millis(waited);
            let end = EventsEnd::Deadline { limit: Duration::from_secs(2), waited };
            let open = judge_close(&end, &expect, &nothing).unwrap_err();
            assert_eq!(open.class, FailureClass::Assertion);
            assert_eq!(open.actual, said);
        }
        let cut = EventsEnd::Cut("the connection was reset".to_owned());
        assert_eq!(
            judge_close(&cut, &expect, &nothing).unwrap_err().class,
            FailureClass::Connection
        );
    }
}
