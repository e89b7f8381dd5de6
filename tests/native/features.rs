//! What a step over HTTP can ask and expect, each with a case that passes and one that fails.

use std::sync::Arc;

use andon::domain::failure::FailureClass;
use andon::domain::outcome::Outcome;

use crate::kit::{KEY, SHA, pipeline, run, run_with, with_cases};
use crate::server::{Asked, Reply, Server, json, redirect};

fn service(asked: Asked) -> Reply {
    match asked.path.split('?').next().unwrap_or_default() {
        "/message" => json(
            200,
            r#"{"text": "hello", "items": [{"n": 1}, {"n": 2.0}], "id": "0f1e", "big": 1e3, "none": null}"#,
        ),
        "/version" => json(200, &format!(r#"{{"revision": "{SHA}"}}"#)),
        "/echo" => {
            let shown = serde_json::json!({
                "method": asked.method,
                "path": asked.path,
                "body": asked.body,
                "headers": asked.headers,
            });
            json(200, &shown.to_string())
        }
        "/login" => Reply::Http {
            status: 200,
            headers: vec![("Set-Cookie".to_owned(), "sid=abc; Path=/".to_owned())],
            body: r#"{"user": {"name": "bob"}}"#.to_owned(),
        },
        "/slow-start" if asked.times < 3 => json(503, r#"{"status": "starting"}"#),
        "/slow-start" => json(200, r#"{"status": "healthy"}"#),
        "/flaky" if asked.times == 1 => json(500, "{}"),
        "/flaky" => json(200, "{}"),
        "/blank" => json(200, r#"{"id": "", "text": "hello"}"#),
        "/old" => redirect(302, "/message"),
        "/loop" => redirect(302, "/loop"),
        "/out" => redirect(302, "file:///etc/passwd"),
        "/secret" => json(500, &format!(r#"{{"leak": "{KEY}"}}"#)),
        _ => json(404, r#"{"error": "no such page"}"#),
    }
}

#[tokio::test]
async fn a_request_passes_or_says_what_was_expected() {
    let server = Server::start(service).await;
    let ran = run(
        server.port,
        r#"
- id: good
  steps: [{ http: { url: "${base}/message" } }]
- id: gone
  steps: [{ http: { url: "${base}/nothing" } }]
- id: named
  steps: [{ name: look, http: { url: "${base}/nothing" }, expect: { status: [200, 203] } }]
"#,
    )
    .await;
    ran.passed("good");
    let exchange = &ran.last("good").evidence.exchanges[0];
    assert_eq!(exchange.remote.as_deref(), Some(format!("127.0.0.1:{}", server.port).as_str()));
    assert_eq!((exchange.status, exchange.version.as_deref()), (Some(200), Some("HTTP/1.1")));
    assert!(exchange.bytes_received > 90 && exchange.bytes_sent > 50);
    assert!(exchange.timings.total_us > 0 && exchange.timings.first_byte_us.is_some());
    assert!(exchange.body.as_ref().is_some_and(|body| body.text.contains("hello")));
    ran.failed("gone", FailureClass::HttpStatus, "expected status 2xx, got 404");
    ran.failed("named", FailureClass::HttpStatus, "expected status 200 or 203, got 404");
    assert_eq!(ran.failure("named").step.as_deref(), Some("look"));
    let repro = format!("curl -sS -i http://127.0.0.1:{}/nothing", server.port);
    assert_eq!(ran.failure("gone").repro.as_deref(), Some(repro.as_str()));
}

#[tokio::test]
async fn every_matcher_holds_and_fails() {
    let server = Server::start(service).await;
    let matchers: &[(&str, &str, &str)] = &[
        ("$.text", "hello", "bye"),
        ("$.items[1].n", "2", "3"),
        ("$.big", "1000", "1001"),
        ("$.items", r#"{ length: { ">=": 2 } }"#, r#"{ length: { ">": 2 } }"#),
        ("$.id", r#"{ matches: "^[0-9a-f]{4}$" }"#, r#"{ matches: "^[0-9]{4}$" }"#),
        ("$.deleted_at", "{ exists: false }", "{ exists: true }"),
        ("$.none", "{ exists: true, type: \"null\" }", "{ type: string }"),
        ("$.text", "{ contains: ell }", "{ contains: ELL }"),
        ("$.text", "{ not: { contains: fallback } }", "{ not: { contains: hell } }"),
        ("$.text", "{ one_of: [hi, hello] }", "{ one_of: [hi, ho] }"),
        ("$.items", r#"{ each: { type: object } }"#, r#"{ each: { type: string } }"#),
        ("$.items[*].n", r#"{ "<": 3 }"#, r#"{ "<": 2 }"#),
        ("$.items", r#"{ schema: { type: array } }"#, r#"{ schema: { type: object } }"#),
    ];
    let mut cases = String::new();
    for (at, (path, good, bad)) in matchers.iter().enumerate() {
        for (kind, matcher) in [("good", good), ("bad", bad)] {
            cases.push_str(&format!(
                "- id: {kind}{at}\n  steps: [{{ http: {{ url: \"${{base}}/message\" }}, expect: {{ json: {{ \"{path}\": {matcher} }} }} }}]\n"
            ));
        }
    }
    let ran = run(server.port, &cases).await;
    for (at, row) in matchers.iter().enumerate() {
        let good = ran.last(&format!("good{at}"));
        assert!(good.failure.is_none(), "{row:?}: {:?}", good.failure);
        ran.failed(&format!("bad{at}"), FailureClass::Assertion, "expected $");
    }
}

#[tokio::test]
async fn headers_bodies_schemas_and_latency_are_judged() {
    let server = Server::start(service).await;
    let ran = run(
        server.port,
        r#"
- id: good
  steps:
    - http: { url: "${base}/message" }
      expect:
        header: { content-type: { contains: json } }
        body: { contains: hello, not: { contains: fallback } }
        schema: { type: object, required: [text] }
        latency: "< 10s"
- id: header
  steps: [{ http: { url: "${base}/message" }, expect: { header: { x-none: { exists: true } } } }]
- id: body
  steps: [{ http: { url: "${base}/message" }, expect: { body: { contains: fallback } } }]
- id: schema
  steps: [{ http: { url: "${base}/message" }, expect: { schema: { required: [missing] } } }]
- id: latency
  steps: [{ http: { url: "${base}/message" }, expect: { latency: "< 1ms", json: { $.text: hello } } }]
  repeat: { times: 1, every: 1ms }
- id: plain
  steps: [{ http: { url: "${base}/message" }, expect: { tls: { expires_in: "> 1d" } } }]
"#,
    )
    .await;
    ran.passed("good");
    ran.failed("header", FailureClass::Assertion, "expected header x-none to exist, got nothing");
    ran.failed("body", FailureClass::Assertion, "expected body containing \"fallback\"");
    ran.failed("schema", FailureClass::Schema, "missing");
    ran.failed("plain", FailureClass::Tls, "no TLS");
}

#[tokio::test]
async fn requests_carry_what_the_step_says() {
    let server = Server::start(service).await;
    let ran = run(
        server.port,
        r#"
- id: json
  steps:
    - http: { method: POST, url: "${base}/echo", query: { q: "a b&c" }, json: { who: "${cycle}", n: "${index}" } }
      expect: { json: { $.method: POST, $.path: "/echo?q=a+b%26c", $.body: '{"who":7,"n":0}', "$.headers['content-type']": application/json } }
- id: form
  steps:
    - http: { method: PUT, url: "${base}/echo", form: { a: "1 2", b: "ü" } }
      expect: { json: { $.method: PUT, $.body: "a=1+2&b=%C3%BC" } }
- id: text
  steps:
    - http: { method: PATCH, url: "${base}/echo", text: "hi ${revision.short}", bearer: tok }
      expect: { json: { $.body: "hi 4f1c2aa", $.headers.authorization: Bearer tok } }
- id: multipart
  steps:
    - http: { method: POST, url: "${base}/echo", multipart: [{ name: a, text: "1" }] }
      expect: { json: { $.body: { contains: 'name="a"' }, "$.headers['content-type']": { matches: "^multipart/form-data; boundary=" } } }
- id: basic
  steps:
    - http: { url: "${base}/echo", basic: { username: u, password: p }, headers: { X-A: b } }
      expect: { json: { $.headers.authorization: Basic dTpw, "$.headers['x-a']": b, $.headers.host: { contains: "127.0.0.1" } } }
- id: same_uuid
  steps:
    - http: { method: POST, url: "${base}/echo", json: { id: "${uuid}" } }
      expect: { json: { $.body: '{"id":"${uuid}"}' } }
"#,
    )
    .await;
    for case in ["json", "form", "text", "multipart", "basic", "same_uuid"] {
        ran.passed(case);
    }
}

#[tokio::test]
async fn captures_and_cookies_go_from_step_to_step() {
    let server = Server::start(service).await;
    let ran = run(
        server.port,
        r#"
- id: chain
  steps:
    - http: { method: POST, url: "${base}/login", json: {} }
      capture: { who: json $.user.name, cookie: header Set-Cookie, code: status }
    - http: { url: "${base}/echo?u=${who}" }
      expect: { json: { $.path: "/echo?u=bob", $.headers.cookie: sid=abc } }
- id: other_case_has_no_cookie
  steps:
    - http: { url: "${base}/echo" }
      expect: { json: { $.headers.cookie: { exists: false } } }
- id: nothing_to_capture
  steps:
    - http: { url: "${base}/message" }
      capture: { x: json $.not.there }
"#,
    )
    .await;
    ran.passed("chain");
    ran.passed("other_case_has_no_cookie");
    ran.failed("nothing_to_capture", FailureClass::Assertion, "capture as `x`");
}

#[tokio::test]
async fn redirects_are_shown_or_followed_within_bounds() {
    let server = Server::start(service).await;
    let ran = run(
        server.port,
        r#"
- id: shown
  steps: [{ http: { url: "${base}/old" }, expect: { status: 302, header: { location: /message } } }]
- id: followed
  steps: [{ http: { url: "${base}/old", follow: 1 }, expect: { json: { $.text: hello } } }]
- id: endless
  steps: [{ http: { url: "${base}/loop", follow: 5 } }]
- id: out
  steps: [{ http: { url: "${base}/out", follow: 5 } }]
"#,
    )
    .await;
    ran.passed("shown");
    ran.passed("followed");
    assert_eq!(ran.last("followed").evidence.exchanges.len(), 2);
    ran.failed("endless", FailureClass::Assertion, "more than 5 redirects");
    assert_eq!(ran.last("endless").evidence.exchanges_total, 6);
    ran.failed("out", FailureClass::Assertion, "a redirect to file:");
}

#[tokio::test]
async fn eventually_tries_until_it_holds() {
    let server = Server::start(service).await;
    let ran = run(
        server.port,
        r#"
- id: comes
  steps:
    - http: { url: "${base}/slow-start" }
      eventually: { within: 20s, every: 5ms }
      expect: { json: { $.status: healthy } }
- id: never
  steps:
    - http: { url: "${base}/nothing" }
      eventually: { within: 1s, every: 5ms }
"#,
    )
    .await;
    ran.passed("comes");
    assert_eq!(ran.last("comes").evidence.exchanges_total, 3);
    ran.failed("never", FailureClass::HttpStatus, "expected status 2xx, got 404 (tried ");
}

#[tokio::test]
async fn runs_side_by_side_need_their_quorum() {
    let server = Server::start(|asked: Asked| match asked.path.as_str() {
        "/3" | "/4" => json(500, "{}"),
        _ => json(200, "{}"),
    })
    .await;
    let ran = run(
        server.port,
        r#"
- id: enough
  parallel: { times: 5, quorum: 3 }
  steps: [{ http: { url: "${base}/${index}" } }]
- id: too_few
  parallel: { times: 5, quorum: 4 }
  steps: [{ http: { url: "${base}/${index}" } }]
"#,
    )
    .await;
    ran.passed("enough");
    assert_eq!(ran.last("enough").evidence.latencies.as_ref().map(|l| l.samples), Some(5));
    assert_eq!(ran.last("enough").evidence.exchanges_total, 5);
    ran.failed(
        "too_few",
        FailureClass::HttpStatus,
        "3 of 5 runs side by side passed, 4 must; run 3: expected status 2xx, got 500",
    );
}

#[tokio::test]
async fn repeats_give_percentiles() {
    let server = Server::start(|asked: Asked| match asked.path.as_str() {
        "/bad" if asked.times == 3 => json(500, "{}"),
        _ => json(200, "{}"),
    })
    .await;
    let ran = run(
        server.port,
        r#"
- id: good
  repeat: { times: 10, every: 1ms }
  expect: { latency: { p50: "< 10s", p95: "< 20s" } }
  steps: [{ http: { url: "${base}/good" } }]
- id: slow
  repeat: { times: 3, every: 1ms }
  expect: { latency: { p50: "> 10s" } }
  steps: [{ http: { url: "${base}/good" } }]
- id: bad
  repeat: { times: 10, every: 1ms }
  steps: [{ http: { url: "${base}/bad" } }]
"#,
    )
    .await;
    ran.passed("good");
    let latencies = ran.last("good").evidence.latencies.as_deref().expect("there are some");
    assert_eq!(latencies.samples, 10);
    assert!(latencies.p50_us <= latencies.p95_us && latencies.p95_us <= latencies.max_us);
    ran.failed("slow", FailureClass::Latency, "expected latency p50 > 10s, got ");
    ran.failed("bad", FailureClass::HttpStatus, "run 3 of 10: expected status 2xx, got 500");
}

#[tokio::test]
async fn a_case_that_passes_at_the_second_attempt_is_flaky() {
    let server = Server::start(service).await;
    let text =
        with_cases(server.port, "- id: f\n  steps: [{ http: { url: \"${base}/flaky\" } }]\n");
    let ran =
        run_with(pipeline(&text.replace("retries: 0", "retries: 1"), &[]), Default::default())
            .await;
    assert_eq!(ran.outcome("f"), Outcome::Flaky);
    let numbers: Vec<u32> = ran.of("f").iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test]
async fn a_secret_never_shows() {
    let server = Server::start(service).await;
    let ran = run(
        server.port,
        r#"
- id: leak
  steps:
    - http: { method: POST, url: "${base}/secret?k=${secret.key}", headers: { X-Key: "${secret.key}" }, json: { k: "${secret.key}" } }
      expect: { status: 200, body: "${secret.key}" }
- id: compare
  steps:
    - http: { url: "${base}/message" }
      expect: { json: { $.text: "${secret.key}" } }
"#,
    )
    .await;
    let stored = ran.stored();
    assert!(!stored.contains(KEY), "{stored}");
    let repro = ran.failure("leak").repro.as_deref().unwrap_or_default();
    assert!(repro.contains("-H 'x-key: '\"$SECRET_KEY\""), "{repro}");
    let sent = server.asked(&format!("/secret?k={KEY}"));
    assert_eq!(sent[0].header("x-key"), KEY);
    ran.failed("compare", FailureClass::Assertion, "***");
}

#[tokio::test]
async fn what_has_no_value_is_our_fault() {
    let server = Server::start(service).await;
    let mut pipeline = pipeline(
        &with_cases(server.port, "- id: a\n  steps: [{ http: { url: \"${base}/message\" } }]\n"),
        &[],
    );
    // The loader refuses a name that nothing gives; a value may still be missing when it is needed.
    let suite = pipeline.suite.as_mut().and_then(Arc::get_mut).expect("a suite of our own");
    let step = &mut suite.groups[0].cases[0].steps[0];
    if let andon::domain::spec::Action::Http(request) = &mut step.action {
        request.url = andon::domain::template::Template::parse("${gone}/x").expect("a template");
    }
    let ran = run_with(pipeline, Default::default()).await;
    ran.errored("a", FailureClass::Setup, "nothing gave `${gone}` a value");
    assert_eq!(ran.outcome("a"), Outcome::Errored);
}

#[tokio::test]
async fn connections_are_used_again_and_the_evidence_says_so() {
    let server = Server::start(service).await;
    let steps = "    - http: { url: \"${base}/message\" }\n".repeat(5);
    let ran = run(server.port, &format!("- id: a\n  steps:\n{steps}")).await;
    ran.passed("a");
    let evidence = &ran.last("a").evidence;
    assert_eq!((evidence.exchanges_total, evidence.connections, server.connections()), (5, 1, 1));
    assert!(evidence.exchanges[1].remote.is_some());
    assert_eq!(evidence.exchanges[1].timings.connect_us, None);
}

#[tokio::test]
async fn a_value_captured_empty_makes_no_expectation_that_everything_fits() {
    let server = Server::start(service).await;
    let step = |expect: &str| {
        format!(
            "- id: CASE\n  steps:\n    - name: Make one\n      http: {{ url: \"${{base}}/blank\" }}\n      capture: {{ id: json $.id }}\n    \
             - http: {{ url: \"${{base}}/blank\" }}\n      expect: {{ {expect} }}\n"
        )
    };
    let cases = [
        ("contained", "json: { $.text: { contains: \"${id}\" } }"),
        ("matched", "body: { matches: \"^${id}\" }"),
        ("denied", "json: { $.text: { not: { contains: \"${id}\" } } }"),
        ("equal", "json: { $.text: \"${id}\" }"),
    ];
    let text: String =
        cases.iter().map(|(case, expect)| step(expect).replace("CASE", case)).collect();
    let ran = run(server.port, &text).await;
    for (case, part) in [
        ("contained", "contains: ${id}"),
        ("matched", "matches: ^${id}"),
        ("denied", "contains: ${id}"),
    ] {
        let part = format!(
            "`{part}` would fit everything, as `${{id}}`, captured by step Make one, is empty"
        );
        ran.errored(case, FailureClass::Setup, &part);
    }
    ran.failed("equal", FailureClass::Assertion, "expected $.text");
}
