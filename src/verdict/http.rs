//! Whether an HTTP answer holds what a step expects of it.

use std::cell::OnceCell;
use std::time::Duration;

use serde_json::Value;

use super::describe::{describe_bound, describe_duration, describe_matcher};
use super::finding::Finding;
use super::matcher::{JudgeError, Mismatch, judge_value};
use super::schema::judge_schema;
use crate::domain::failure::FailureClass;
use crate::domain::spec::{DurationBound, Expect, JsonPath, Matcher};
use crate::domain::template::Lookup;

/// An answer as it came, in the terms in which expectations speak.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case, in the order in which they came.
    pub headers: &'a [(String, String)],
    /// The body; empty for streams.
    pub body: &'a [u8],
    /// The whole exchange.
    pub total: Duration,
    /// From the request to the first byte of the body.
    pub first_byte: Option<Duration>,
    /// Until the certificate expires; `None` without TLS.
    pub tls_seconds_left: Option<i64>,
    /// Whether the request acted as an identity.
    pub with_identity: bool,
    parsed: OnceCell<Option<Value>>,
}

impl<'a> Answer<'a> {
    /// An answer of which status, headers and body are known.
    pub fn new(status: u16, headers: &'a [(String, String)], body: &'a [u8]) -> Self {
        Self {
            status,
            headers,
            body,
            total: Duration::ZERO,
            first_byte: None,
            tls_seconds_left: None,
            with_identity: false,
            parsed: OnceCell::new(),
        }
    }

    /// The body as JSON, if it is JSON.
    pub fn json(&self) -> Option<&Value> {
        self.parsed.get_or_init(|| serde_json::from_slice(self.body).ok()).as_ref()
    }

    /// All values of a header, joined as RFC 9110 (5.3) says.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value);
        let mut joined = values.next()?.clone();
        for value in values {
            joined.push_str(", ");
            joined.push_str(value);
        }
        Some(joined)
    }
}

/// Compares an answer with everything expected of it, in the order status, certificate, headers,
/// JSON, body, schema, latency; the first that does not hold is the finding.
///
/// Events are judged while they come, by [`super::EventsFold`].
pub fn judge_http(
    answer: &Answer<'_>,
    expect: &Expect,
    lookup: &dyn Lookup,
) -> Result<(), Finding> {
    judge_head(answer, expect, lookup)?;
    judge_json(answer, &expect.json, lookup)?;
    if let Some(matcher) = &expect.body {
        let text = Value::from(String::from_utf8_lossy(answer.body).into_owned());
        check(Some(&text), matcher, "body", lookup)?;
    }
    judge_body_schema(answer, expect)?;
    judge_times(answer, expect)
}

/// As [`judge_http`], for a stream: whatever can be said without a body.
pub fn judge_stream(
    answer: &Answer<'_>,
    expect: &Expect,
    lookup: &dyn Lookup,
) -> Result<(), Finding> {
    judge_head(answer, expect, lookup)?;
    judge_times(answer, expect)
}

/// Judges the status of an answer that never came whole, because of `why`: a wrong status says more
/// than why its body did not come.
///
/// # Errors
/// When the status is not as expected.
pub fn judge_unfinished(
    answer: &Answer<'_>,
    why: &str,
    expect: &Expect,
    lookup: &dyn Lookup,
) -> Result<(), Finding> {
    judge_status(answer, expect.status.as_ref(), lookup).map_err(|finding| {
        let message = format!(
            "expected {} {}, got {}; {why}",
            finding.subject, finding.expected, finding.actual
        );
        finding.saying(message)
    })
}

fn judge_head(answer: &Answer<'_>, expect: &Expect, lookup: &dyn Lookup) -> Result<(), Finding> {
    judge_status(answer, expect.status.as_ref(), lookup)?;
    judge_tls(answer, expect)?;
    judge_headers(answer, expect, lookup)
}

fn judge_times(answer: &Answer<'_>, expect: &Expect) -> Result<(), Finding> {
    judge_bound(expect.first_byte, answer.first_byte, "first byte")?;
    judge_bound(expect.latency, Some(answer.total), "latency")
}

/// Judges the headers of an answer.
pub(super) fn judge_headers(
    answer: &Answer<'_>,
    expect: &Expect,
    lookup: &dyn Lookup,
) -> Result<(), Finding> {
    expect.headers.iter().try_for_each(|(name, matcher)| {
        let value = answer.header(name).map(Value::from);
        check(value.as_ref(), matcher, &format!("header {name}"), lookup)
    })
}

/// Judges one value; what does not hold is an assertion that failed.
pub(super) fn check(
    value: Option<&Value>,
    matcher: &Matcher,
    subject: &str,
    lookup: &dyn Lookup,
) -> Result<(), Finding> {
    match judge_value(value, matcher, lookup) {
        Ok(None) => Ok(()),
        Ok(Some(Mismatch { expected, actual })) => {
            Err(Finding::service(FailureClass::Assertion, subject, expected, actual))
        }
        Err(error) => Err(unjudgeable(subject, &error)),
    }
}

/// An expectation that could not be judged.
pub(super) fn unjudgeable(subject: &str, error: &JudgeError) -> Finding {
    let message = format!("the expectation of {subject} cannot be judged: {error}");
    Finding::measurement(FailureClass::Setup, subject, "an expectation", error.to_string())
        .saying(message)
}

/// Judges a status: 2xx where nothing else is expected.
pub(super) fn judge_status(
    answer: &Answer<'_>,
    expected: Option<&Matcher>,
    lookup: &dyn Lookup,
) -> Result<(), Finding> {
    let expected_words = match expected {
        None if (200..300).contains(&answer.status) => return Ok(()),
        None => "2xx".to_owned(),
        Some(matcher) => match judge_value(Some(&Value::from(answer.status)), matcher, lookup) {
            Ok(None) => return Ok(()),
            Ok(Some(_)) => describe_matcher(matcher, lookup),
            Err(error) => return Err(unjudgeable("status", &error)),
        },
    };
    let refused = matches!(answer.status, 401 | 403);
    let class = if refused && answer.with_identity && takes_success(expected, lookup) {
        FailureClass::Auth
    } else {
        FailureClass::HttpStatus
    };
    Err(Finding::service(class, "status", expected_words, answer.status.to_string()))
}

/// Whether a status expectation would take some 2xx.
fn takes_success(expected: Option<&Matcher>, lookup: &dyn Lookup) -> bool {
    let Some(matcher) = expected else { return true };
    (200..300_u16)
        .any(|status| matches!(judge_value(Some(&Value::from(status)), matcher, lookup), Ok(None)))
}

fn judge_tls(answer: &Answer<'_>, expect: &Expect) -> Result<(), Finding> {
    let Some(tls) = &expect.tls else { return Ok(()) };
    let bound = tls.expires_in;
    let wanted = describe_bound(bound);
    let subject = "certificate expires in";
    let Some(left) = answer.tls_seconds_left else {
        return Err(Finding::service(FailureClass::Tls, subject, wanted, "no TLS"));
    };
    let limit = i64::try_from(bound.limit.as_secs()).unwrap_or(i64::MAX);
    if bound.ordering.holds(&left, &limit) {
        return Ok(());
    }
    let actual = match u64::try_from(left) {
        Ok(left) => describe_duration(Duration::from_secs(left / 3_600 * 3_600)),
        Err(_) => format!("expired {} days ago", left.unsigned_abs() / 86_400),
    };
    Err(Finding::service(FailureClass::Tls, subject, wanted, actual))
}

fn judge_json(
    answer: &Answer<'_>,
    expected: &[(JsonPath, Matcher)],
    lookup: &dyn Lookup,
) -> Result<(), Finding> {
    let Some((path, matcher)) = expected.first() else { return Ok(()) };
    let Some(json) = answer.json() else {
        let kind = answer.header("content-type").unwrap_or_else(|| "no content type".to_owned());
        let beginning: String = String::from_utf8_lossy(answer.body).chars().take(80).collect();
        let wanted = format!("{} {}", path.source(), describe_matcher(matcher, lookup));
        let actual = format!("{} bytes of {kind}: {beginning:?}", answer.body.len());
        let message = format!("expected a JSON body with {wanted}, got {actual}");
        return Err(
            Finding::service(FailureClass::Assertion, "body", "JSON", actual).saying(message)
        );
    };
    expected.iter().try_for_each(|(path, matcher)| judge_path(json, path, matcher, lookup))
}

/// Every value that a path selects must fit; where it selects none, nothing is judged as missing.
pub(super) fn judge_path(
    json: &Value,
    path: &JsonPath,
    matcher: &Matcher,
    lookup: &dyn Lookup,
) -> Result<(), Finding> {
    let selected = path.select(json);
    if selected.is_empty() {
        return check(None, matcher, path.source(), lookup);
    }
    selected.into_iter().try_for_each(|value| check(Some(value), matcher, path.source(), lookup))
}

fn judge_body_schema(answer: &Answer<'_>, expect: &Expect) -> Result<(), Finding> {
    let Some(schema) = &expect.schema else { return Ok(()) };
    let wanted = format!("valid against {}", schema.source.display());
    let Some(json) = answer.json() else {
        return Err(Finding::service(FailureClass::Schema, "body", wanted, "no JSON"));
    };
    match judge_schema(json, schema) {
        Ok(None) => Ok(()),
        Ok(Some(fault)) => Err(Finding::service(FailureClass::Schema, "body", wanted, fault)),
        Err(error) => Err(unjudgeable("body", &error)),
    }
}

/// Judges a duration against a bound, where there is one.
pub(super) fn judge_bound(
    bound: Option<DurationBound>,
    measured: Option<Duration>,
    subject: &str,
) -> Result<(), Finding> {
    let Some(bound) = bound else { return Ok(()) };
    let wanted = describe_bound(bound);
    match measured {
        None => Err(Finding::service(FailureClass::Latency, subject, wanted, "nothing")),
        Some(measured) if bound.ordering.holds(&measured, &bound.limit) => Ok(()),
        Some(measured) => {
            let actual = describe_duration(measured);
            Err(Finding::service(FailureClass::Latency, subject, wanted, actual))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::spec::{Condition, Ordering, TlsExpect};
    use crate::domain::template::JsonTemplate;
    use serde_json::json;

    fn nothing(_: &str) -> Option<Value> {
        None
    }

    fn is(value: Value) -> Matcher {
        Matcher { conditions: vec![Condition::Equals(JsonTemplate::parse(&value).unwrap())] }
    }

    fn status(value: u16) -> Expect {
        Expect { status: Some(is(json!(value))), ..Expect::default() }
    }

    fn path(text: &str) -> JsonPath {
        JsonPath::parse(text).unwrap()
    }

    #[test]
    fn without_an_expected_status_only_2xx_will_do() {
        assert_eq!(judge_http(&Answer::new(204, &[], b""), &Expect::default(), &nothing), Ok(()));
        for bad in [100, 199, 300, 302, 404, 500] {
            let found = judge_http(&Answer::new(bad, &[], b""), &Expect::default(), &nothing);
            assert_eq!(found.unwrap_err().class, FailureClass::HttpStatus);
        }
    }

    #[test]
    fn a_wrong_status_says_what_was_expected() {
        let found = judge_http(&Answer::new(404, &[], b""), &status(200), &nothing).unwrap_err();
        let failure = found.into_failure();
        assert_eq!(failure.message, "expected status 200, got 404");
        assert_eq!(failure.expected.as_deref(), Some("200"));
        assert_eq!(failure.actual.as_deref(), Some("404"));
        assert_eq!(failure.subject.as_deref(), Some("status"));
    }

    #[test]
    fn a_refused_identity_is_a_class_of_its_own_only_where_it_should_do() {
        let mut answer = Answer::new(401, &[], b"");
        answer.with_identity = true;
        let class = |expect: &Expect, answer: &Answer<'_>| {
            judge_http(answer, expect, &nothing).unwrap_err().class
        };
        assert_eq!(class(&status(200), &answer), FailureClass::Auth);
        assert_eq!(class(&Expect::default(), &answer), FailureClass::Auth);
        assert_eq!(class(&status(403), &answer), FailureClass::HttpStatus);
        answer.with_identity = false;
        assert_eq!(class(&status(200), &answer), FailureClass::HttpStatus);
    }

    #[test]
    fn every_value_that_a_path_selects_must_fit() {
        let body = br#"{"items": [{"s": "ok"}, {"s": "bad"}]}"#;
        let expect =
            |p: &str| Expect { json: vec![(path(p), is(json!("ok")))], ..Expect::default() };
        let answer = Answer::new(200, &[], body);
        assert_eq!(judge_http(&answer, &expect("$.items[0].s"), &nothing), Ok(()));
        let found = judge_http(&answer, &expect("$.items[*].s"), &nothing).unwrap_err();
        assert_eq!(found.into_failure().message, "expected $.items[*].s \"ok\", got \"bad\"");
        let found = judge_http(&answer, &expect("$.other"), &nothing).unwrap_err();
        assert_eq!(found.actual, "nothing");
    }

    #[test]
    fn a_body_that_is_no_json_says_what_it_is() {
        let headers = [("content-type".to_owned(), "text/html".to_owned())];
        let answer = Answer::new(200, &headers, b"<html>");
        let expect = Expect { json: vec![(path("$.a"), is(json!(1)))], ..Expect::default() };
        let message = judge_http(&answer, &expect, &nothing).unwrap_err().into_failure().message;
        assert_eq!(
            message,
            "expected a JSON body with $.a 1, got 6 bytes of text/html: \"<html>\""
        );
    }

    #[test]
    fn headers_of_one_name_are_joined() {
        let headers = [("vary".to_owned(), "a".to_owned()), ("vary".to_owned(), "b".to_owned())];
        let answer = Answer::new(200, &headers, b"");
        let expect = |v| Expect { headers: vec![("vary".to_owned(), is(v))], ..Expect::default() };
        assert_eq!(judge_http(&answer, &expect(json!("a, b")), &nothing), Ok(()));
        assert!(judge_http(&answer, &expect(json!("a")), &nothing).is_err());
    }

    #[test]
    fn slow_answers_and_short_certificates_have_their_own_classes() {
        let bound = |ordering, limit| DurationBound { ordering, limit };
        let mut answer = Answer::new(200, &[], b"");
        answer.total = Duration::from_millis(900);
        answer.tls_seconds_left = Some(3 * 86_400);
        let less = bound(Ordering::Less, Duration::from_millis(800));
        let slow = Expect { latency: Some(less), ..Expect::default() };
        let found = judge_http(&answer, &slow, &nothing).unwrap_err();
        assert_eq!(found.class, FailureClass::Latency);
        assert_eq!(found.into_failure().message, "expected latency < 800ms, got 900ms");
        let expires_in = bound(Ordering::Greater, Duration::from_secs(14 * 86_400));
        let tls = Expect { tls: Some(TlsExpect { expires_in }), ..Expect::default() };
        let found = judge_http(&answer, &tls, &nothing).unwrap_err();
        assert_eq!(found.class, FailureClass::Tls);
        assert_eq!(found.into_failure().message, "expected certificate expires in > 14d, got 3d");
        answer.tls_seconds_left = None;
        assert_eq!(judge_http(&answer, &tls, &nothing).unwrap_err().actual, "no TLS");
    }
}
