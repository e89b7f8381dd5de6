//! Which failures are the same one, whatever varies in their words.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::domain::evidence::{EventsSeen, Exchange, Protocol};
use crate::domain::failure::Blame;

/// A failure as a judge words it, with the exchange of its step.
#[derive(Debug, Clone)]
struct Example {
    class: FailureClass,
    step: &'static str,
    protocol: Protocol,
    url: String,
    subject: &'static str,
    expected: String,
    actual: String,
    missing: Vec<String>,
}

impl Example {
    fn http(
        class: FailureClass,
        url: &str,
        subject: &'static str,
        wanted: &str,
        got: &str,
    ) -> Self {
        Self {
            class,
            step: "read",
            protocol: Protocol::Http,
            url: url.to_owned(),
            subject,
            expected: wanted.to_owned(),
            actual: got.to_owned(),
            missing: Vec::new(),
        }
    }

    fn ws(
        class: FailureClass,
        step: &'static str,
        subject: &'static str,
        wanted: &str,
        got: &str,
    ) -> Self {
        let url = "wss://staging.example.com/ws";
        Self { step, protocol: Protocol::Ws, ..Self::http(class, url, subject, wanted, got) }
    }

    fn failure(&self) -> Failure {
        Failure {
            class: self.class,
            blame: Blame::Service,
            message: format!("expected {} {}, got {}", self.subject, self.expected, self.actual),
            step: Some(self.step.to_owned()),
            expected: Some(self.expected.clone()),
            actual: Some(self.actual.clone()),
            subject: Some(self.subject.to_owned()),
            repro: None,
        }
    }

    fn evidence(&self) -> Evidence {
        let mut evidence = Evidence::default();
        let mut before = Exchange::begin("before", Protocol::Http, "GET", "https://x.example/");
        before.remote = Some("192.0.2.1:443".to_owned());
        evidence.record(before);
        let mut exchange = Exchange::begin(self.step, self.protocol, "GET", &self.url);
        exchange.remote = Some("192.0.2.1:443".to_owned());
        evidence.record(exchange);
        if !self.missing.is_empty() {
            evidence.events.push(EventsSeen {
                step: self.step.to_owned(),
                expected: self.missing.clone(),
                ordered: true,
                seen: Vec::new(),
                missing: self.missing.clone(),
                forbidden: Vec::new(),
                out_of_order: false,
            });
        }
        evidence
    }

    fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.failure(), &self.evidence())
    }
}

const SETTINGS: &str = "https://staging.example.com/api/settings";

#[test]
fn one_cause_in_five_cases_is_one_fingerprint() {
    use FailureClass::WsClose;
    let closed = [
        (
            "handshake and welcome",
            "events system_message",
            "close 1008 (token expired) after 0 of 1",
        ),
        ("valid token", "events system_message", "close 1008 (token expired) after 0 of 1"),
        ("connect", "events system_message, ack", "close 1008 (token expired) after 1 of 2"),
        ("carol, first tab", "an open socket", "close 1008 (Token expired) after 0 of 0"),
        ("the five events", "events agent_started, agent_completed", "close 1008 (token expired)"),
    ];
    let prints: HashSet<Fingerprint> = closed
        .iter()
        .map(|(step, wanted, got)| Example::ws(WsClose, step, "close code", wanted, got))
        .map(|example| example.fingerprint())
        .collect();
    assert_eq!(prints.len(), 1);
}

#[test]
fn other_routes_statuses_codes_subjects_and_classes_are_other_fingerprints() {
    use FailureClass::{Assertion, Auth, HttpStatus, Latency, MissingEvent, Schema};
    use FailureClass::{UnexpectedEvent, WsClose, WsRefused};
    let other = "https://staging.example.com/api/agents/config";
    let missing = |names: &[&str]| Example {
        missing: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Example::ws(MissingEvent, "events", "events", "agent_completed", "0 of 1")
    };
    let examples = [
        Example::http(HttpStatus, SETTINGS, "status", "200", "404"),
        Example::http(HttpStatus, other, "status", "200", "404"),
        Example::http(HttpStatus, SETTINGS, "status", "200", "500"),
        Example::http(HttpStatus, SETTINGS, "status", "201", "404"),
        Example::http(Auth, SETTINGS, "status", "200", "401"),
        Example::http(Auth, SETTINGS, "status", "200", "403"),
        Example::http(Auth, other, "status", "200", "403"),
        Example::http(Assertion, SETTINGS, "$.status", "\"ready\"", "\"down\""),
        Example::http(Assertion, SETTINGS, "$.state", "\"ready\"", "\"down\""),
        Example::http(Assertion, SETTINGS, "$.status", "\"good\"", "\"down\""),
        Example::http(Assertion, SETTINGS, "$.status", "\"ready\"", "nothing"),
        Example::http(Assertion, SETTINGS, "$.status", "\"ready\"", "17"),
        Example::http(Schema, SETTINGS, "$.status", "\"ready\"", "\"down\""),
        Example::http(Latency, SETTINGS, "latency", "< 1s", "2s"),
        Example::http(Latency, SETTINGS, "first byte", "< 1s", "2s"),
        Example::ws(WsClose, "s", "close code", "an open socket", "close 1008"),
        Example::ws(WsClose, "s", "close code", "an open socket", "close 1011"),
        Example::ws(WsClose, "s", "close code", "an open socket", "close 1008 (policy)"),
        Example::ws(WsClose, "s", "handshake", "an open socket", "close 1008"),
        Example::ws(WsRefused, "s", "handshake", "an open socket", "403"),
        Example::ws(WsRefused, "s", "handshake", "an open socket", "503"),
        Example::ws(UnexpectedEvent, "s", "events", "no event", "error_message after 3 ms"),
        Example::ws(UnexpectedEvent, "s", "events", "no event", "warning after 3 ms"),
        missing(&["agent_completed"]),
        missing(&["agent_started"]),
        missing(&["agent_started", "agent_completed"]),
    ];
    let prints: HashSet<Fingerprint> = examples.iter().map(Example::fingerprint).collect();
    assert_eq!(prints.len(), examples.len());
}

#[test]
fn without_an_exchange_the_step_counts() {
    let failure = |step: &str| Failure {
        step: Some(step.to_owned()),
        ..Example::http(FailureClass::HttpStatus, SETTINGS, "status", "200", "404").failure()
    };
    let print = |step| fingerprint(&failure(step), &Evidence::default());
    assert_ne!(print("read"), print("write"));
    assert_eq!(print("read 1"), print("read 2"));
}

#[test]
fn an_identity_that_is_not_accepted_is_one_cause_on_every_route() {
    let print = |url| Example::http(FailureClass::Auth, url, "status", "200", "401").fingerprint();
    assert_eq!(print(SETTINGS), print("https://staging.example.com/api/threads"));
}

#[test]
fn a_host_that_cannot_be_reached_is_one_cause_on_every_route() {
    let print = |url: &str, class| {
        let example =
            Example::http(class, url, "connection", "an answer", "refused the connection");
        let mut evidence = Evidence::default();
        let mut exchange = Exchange::begin(example.step, Protocol::Http, "GET", url);
        exchange.error = Some("refused".to_owned());
        evidence.record(exchange);
        fingerprint(&example.failure(), &evidence)
    };
    let refused = FailureClass::Connection;
    assert_eq!(
        print("http://api.example.com/a", refused),
        print("http://api.example.com/b/17", refused)
    );
    assert_eq!(print("http://127.0.0.1:4711/a", refused), print("http://127.0.0.1:80/b", refused));
    assert_ne!(
        print("http://api.example.com/", refused),
        print("http://auth.example.com/", refused)
    );
    assert_ne!(
        print("http://api.example.com/", refused),
        print("http://api.example.com/", FailureClass::Dns)
    );
}

/// Stored histories depend on these: when one of them changes, the version must, too.
#[test]
fn version_one_stays_what_it_is() {
    use FailureClass::{Assertion, HttpStatus, Reported, WsClose};
    assert_eq!(FINGERPRINT_VERSION, 1);
    let examples = [
        Example::http(HttpStatus, SETTINGS, "status", "200", "404"),
        Example::ws(WsClose, "s", "close code", "an open socket", "close 1008 (policy)"),
        Example::http(Assertion, SETTINGS, "$.status", "\"ready\"", "\"down\""),
        Example::http(Reported, SETTINGS, "", "", "assert 404 == 200"),
    ];
    let prints = examples.map(|example| example.fingerprint().to_string());
    assert_eq!(
        prints,
        ["v1-610e54cca07f", "v1-2197865bf6a1", "v1-4537b9d89e80", "v1-cbc0325e10b4"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_varies_does_not_count(
        id in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        host in "[a-z]{1,9}\\.example\\.com", port in 1_u16..,
        number in 0_u32..1_000_000, took in 1_u32..90_000, value in "[ -!#-\\[\\]-~]{0,30}",
    ) {
        use FailureClass::{Assertion, HttpStatus, Latency, Reported, Timeout, WsClose};
        let url = format!("https://{host}:{port}/api/messages/{id}?n={number}");
        let print = |class, subject, wanted: &str, got: &str| {
            Example::http(class, &url, subject, wanted, got).fingerprint()
        };
        let plain = "https://staging.example.com/api/messages/17";
        let same = |class, subject, wanted: &str, got: &str| {
            Example::http(class, plain, subject, wanted, got).fingerprint()
        };
        prop_assert_eq!(
            print(HttpStatus, "status", "200", "404"),
            same(HttpStatus, "status", "200", "404")
        );
        prop_assert_eq!(
            print(Assertion, "$.id", &format!("\"{id}\""), &format!("\"{value}\"")),
            same(Assertion, "$.id", "\"12\"", "\"other\"")
        );
        prop_assert_eq!(
            print(Latency, "latency", "< 1s", &format!("{took}ms")),
            same(Latency, "latency", "< 1s", "1.7s")
        );
        prop_assert_eq!(
            print(Timeout, "answer", "an answer", &format!("no answer from {host}:{port} within 10s (after {took}ms, while waiting for the answer)")),
            same(Timeout, "answer", "an answer", "no answer from 10.0.0.1:80 within 10s (after 3.2s, while waiting for the answer)")
        );
        prop_assert_eq!(
            print(Reported, "", "", &format!("line {number}: GET {url} answered 404 after {took} ms")),
            same(Reported, "", "", "line 7: GET http://a.example/api/messages/3 answered 404 after 1 s")
        );
        let close = |reason: &str, of| {
            Example::ws(WsClose, "s", "close code", "x", &format!("close 1008 ({reason}) after 1 of {of}"))
        };
        prop_assert_eq!(
            close(&format!("user {id} unknown"), took).fingerprint(),
            close("user 17 unknown", 3).fingerprint()
        );
    }
}
